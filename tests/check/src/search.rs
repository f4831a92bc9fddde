//! The breadth-first search: every state once, nearest first, so that the first trace to a
//! broken invariant is a shortest one.
//!
//! A state of the core is large, its fingerprint is sixteen bytes. So no state is kept: a node
//! is its parent and the step from there, and a state that is to be expanded is made again by
//! taking the steps from the start, of which it shares nearly all with its neighbour.

use crate::action::{Action, Came, Cost};
use crate::scope::Scope;
use crate::world::{Broken, World};
use pv_core::Bug;
use pv_core::model::canonical::Merge;
use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_128;

/// When a search ends, if nothing else ends it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// Distance from the start, in steps that are somebody's choice.
    pub depth: Option<u32>,
    /// States.
    pub states: Option<usize>,
    /// Time.
    pub time: Option<Duration>,
}

/// How a search ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// No step leads to a new state: these are all there are.
    Closed,
    /// Every state within the depth was visited.
    Depth,
    /// A limit of states or time was reached: some states of the last depth are missing.
    Limit,
    /// An invariant does not hold.
    Broken(Trace),
}

/// The steps to a state in which an invariant does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    /// What is at the start.
    pub start: String,
    /// Each step, and what came of it.
    pub steps: Vec<String>,
    /// Those of them that somebody chose: the distance from the start.
    pub choices: usize,
    /// What does not hold then.
    pub broken: Broken,
}

/// What a search has done so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// States that are different.
    pub states: usize,
    /// Steps that were taken from them.
    pub steps: u64,
    /// All states within this distance of the start were visited.
    pub depth: u32,
    /// States by their distance from the start.
    pub widths: Vec<usize>,
    /// How long it took.
    pub time: Duration,
}

#[derive(Clone, Copy)]
struct Node {
    parent: u32,
    action: Action,
}

/// Fingerprints are evenly spread already.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("fingerprints are numbers")
    }

    fn write_u128(&mut self, value: u128) {
        self.0 = value as u64;
    }
}

type Seen = HashSet<u128, BuildHasherDefault<Spread>>;

/// Searches a scope, with a bug planted or none. `progress` is told now and then.
pub fn search(
    scope: &Scope,
    bug: Option<Bug>,
    limits: Limits,
    progress: &mut dyn FnMut(&Found),
) -> (Found, End) {
    let start = World::new(scope.size, bug);
    let mut search = Search {
        scope,
        seen: Seen::default(),
        nodes: Vec::new(),
        next: start.clone(),
        path: vec![start],
        way: Vec::new(),
        actions: Vec::new(),
        bytes: Vec::new(),
        began: Instant::now(),
        found: Found { states: 1, steps: 0, depth: 0, widths: Vec::new(), time: Duration::ZERO },
    };
    hush();
    let end = search.run(limits, progress);
    search.found.time = search.began.elapsed();
    (search.found, end)
}

struct Search<'a> {
    scope: &'a Scope,
    seen: Seen,
    nodes: Vec<Node>,
    /// The state that a step leads to.
    next: World,
    /// The nodes on the way to the state that was made last, and the states before and after
    /// each; beyond them lie old states, to be written over.
    way: Vec<u32>,
    path: Vec<World>,
    actions: Vec<Action>,
    bytes: Vec<u8>,
    began: Instant,
    found: Found,
}

const ROOT: u32 = u32::MAX;

impl Search<'_> {
    fn run(&mut self, limits: Limits, progress: &mut dyn FnMut(&Found)) -> End {
        if let Err(broken) = self.next.audit() {
            return End::Broken(self.trace(ROOT, None, broken));
        }
        self.is_new();
        let mut level = vec![ROOT];
        loop {
            // What costs nothing belongs to this level: all of it first.
            let mut at = 0;
            while at < level.len() {
                if let Some(end) = self.expand(level[at], Cost::Free, &mut level) {
                    return end;
                }
                at += 1;
            }
            self.found.widths.push(level.len());
            if limits.depth.is_some_and(|depth| self.found.depth >= depth) {
                return End::Depth;
            }
            let mut next = Vec::new();
            for (at, node) in level.iter().enumerate() {
                if at % 256 == 0 && self.is_over(limits, progress) {
                    return End::Limit;
                }
                if let Some(end) = self.expand(*node, Cost::One, &mut next) {
                    return end;
                }
            }
            if next.is_empty() {
                return End::Closed;
            }
            self.found.depth += 1;
            level = next;
        }
    }

    fn is_over(&mut self, limits: Limits, progress: &mut dyn FnMut(&Found)) -> bool {
        self.found.time = self.began.elapsed();
        progress(&self.found);
        limits.states.is_some_and(|states| self.found.states >= states)
            || limits.time.is_some_and(|time| self.found.time >= time)
            || self.nodes.len() >= ROOT as usize
    }

    /// Takes every step of that cost from a state; states that are new become nodes of `level`.
    /// An end, when a step breaks an invariant.
    fn expand(&mut self, node: u32, cost: Cost, level: &mut Vec<u32>) -> Option<End> {
        self.remake(node);
        let mut actions = core::mem::take(&mut self.actions);
        actions.clear();
        self.scope.menu.actions(&self.path[self.way.len()], cost, &mut actions);
        self.found.steps += actions.len() as u64;
        let mut end = None;
        for action in &actions {
            self.next.copy_from(&self.path[self.way.len()]);
            let (_, result) = take(&mut self.next, *action);
            let broken = match result {
                Ok(()) if self.is_idle(*action) => Some(Broken::no_progress()),
                Ok(()) if self.is_new() => {
                    level.push(self.nodes.len() as u32);
                    self.nodes.push(Node { parent: node, action: *action });
                    self.found.states += 1;
                    self.next.audit().err()
                }
                Ok(()) => None,
                Err(broken) => Some(broken),
            };
            if let Some(broken) = broken {
                end = Some(End::Broken(self.trace(node, Some(*action), broken)));
                break;
            }
        }
        self.actions = actions;
        end
    }

    /// Whether a call went on and all is as it was: it will never end.
    fn is_idle(&mut self, action: Action) -> bool {
        if !matches!(action, Action::GoOn(_)) {
            return false;
        }
        let mut before = Vec::new();
        self.path[self.way.len()].canonical(Merge::NONE, &mut before);
        self.next.canonical(Merge::NONE, &mut self.bytes);
        self.bytes == before
    }

    /// Whether `next` is a state that was not met before.
    fn is_new(&mut self) -> bool {
        self.next.canonical(self.scope.merge, &mut self.bytes);
        self.seen.insert(xxh3_128(&self.bytes))
    }

    /// The nodes on the way to one, from the start.
    fn way_to(&self, mut node: u32) -> Vec<u32> {
        let mut way = Vec::new();
        while node != ROOT {
            way.push(node);
            node = self.nodes[node as usize].parent;
        }
        way.reverse();
        way
    }

    /// Makes the state of a node again, at the end of the path.
    fn remake(&mut self, node: u32) {
        let way = self.way_to(node);
        let shared = way.iter().zip(&self.way).take_while(|(new, old)| new == old).count();
        for (at, node) in way.iter().enumerate().skip(shared) {
            if self.path.len() == at + 1 {
                self.path.push(self.path[0].clone());
            }
            let (before, after) = self.path.split_at_mut(at + 1);
            after[0].copy_from(&before[at]);
            // It was taken before, and broke nothing.
            let _ = after[0].step(self.nodes[*node as usize].action);
        }
        self.way = way;
    }

    fn trace(&self, node: u32, last: Option<Action>, broken: Broken) -> Trace {
        let mut world = self.path[0].clone();
        let way = self.way_to(node);
        let actions = way.iter().map(|node| self.nodes[*node as usize].action).chain(last);
        let start = world.to_string();
        let mut choices = 0;
        let steps = actions.map(|action| {
            choices += usize::from(action.cost() == Cost::One);
            let (came, _) = take(&mut world, action);
            format!("{action}{came}")
        });
        let steps = steps.collect();
        Trace { start, steps, choices, broken }
    }
}

/// Takes a step. A panic of the core is an invariant that does not hold: a guest must not be
/// able to cause one.
fn take(world: &mut World, action: Action) -> (Came, Result<(), Broken>) {
    HUSHED.with_borrow_mut(|hushed| *hushed = Some(String::new()));
    let result = catch_unwind(AssertUnwindSafe(|| world.step(action)));
    let said = HUSHED.with_borrow_mut(Option::take).unwrap_or_default();
    match result {
        Ok(Ok(came)) => (came, Ok(())),
        Ok(Err(broken)) => (Came::Nothing, Err(broken)),
        Err(_) => (Came::Nothing, Err(Broken { invariant: "I44".to_owned(), what: said })),
    }
}

thread_local! {
    /// What a panic of a step that is being taken says, instead of printing it.
    static HUSHED: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let hushed = HUSHED.with_borrow_mut(|hushed| {
                let Some(said) = hushed else { return false };
                *said = format!("the core panics: {}", info.to_string().replace('\n', " "));
                true
            });
            if !hushed {
                usual(info);
            }
        }));
    });
}
