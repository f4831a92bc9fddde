//! What is taken for one state is one: the search may leave out the others.

use check::action::{Action, Cost, Made};
use check::scope::{SCOPES, Scope};
use check::world::World;
use pv_core::model::canonical::Merge;
use std::collections::{BTreeSet, HashMap, VecDeque};

type Bytes = Vec<u8>;

fn bytes(world: &World, merge: Merge) -> Bytes {
    let mut bytes = Vec::new();
    world.canonical(merge, &mut bytes);
    bytes
}

/// A scope with its start, and worlds to be written over: one is large.
struct Explorer {
    scope: &'static Scope,
    start: World,
    here: World,
    next: World,
}

impl Explorer {
    fn new(scope: &'static Scope) -> Explorer {
        let start = World::new(scope.size, None);
        let (here, next) = (start.clone(), start.clone());
        Explorer { scope, start, here, next }
    }

    /// The state after those steps, as `here`.
    fn go(&mut self, way: &[Action]) {
        self.here.copy_from(&self.start);
        for action in way {
            self.here.step(*action).expect("nothing is planted");
        }
    }

    /// What `here` can become by one step, whatever it costs.
    fn successors(&mut self, merge: Merge) -> Vec<(Action, Bytes)> {
        let mut actions: Vec<Action> = Vec::new();
        for cost in [Cost::Free, Cost::One] {
            self.scope.menu.actions(&self.here, cost, &mut actions);
        }
        let after = |action: Action| {
            self.next.copy_from(&self.here);
            self.next.step(action).expect("nothing is planted");
            (action, bytes(&self.next, merge))
        };
        actions.into_iter().map(after).collect()
    }

    fn successor_bytes(&mut self, merge: Merge) -> BTreeSet<Bytes> {
        self.successors(merge).into_iter().map(|(_, bytes)| bytes).collect()
    }
}

/// Ways that are tried in each scope, breadth first, as often as they lead to the same state.
const WAYS: usize = 1500;

#[test]
fn states_that_are_taken_for_one_become_the_same_states() {
    for scope in &SCOPES {
        let mut explorer = Explorer::new(scope);
        let mut seen: HashMap<Bytes, BTreeSet<Bytes>> = HashMap::new();
        let mut ways = VecDeque::from([Vec::new()]);
        for _ in 0..WAYS {
            let Some(way) = ways.pop_front() else { break };
            explorer.go(&way);
            let successors = explorer.successors(scope.merge);
            if ways.len() < WAYS {
                ways.extend(successors.iter().map(|(action, _)| [&way[..], &[*action]].concat()));
            }
            let after: BTreeSet<Bytes> = successors.into_iter().map(|(_, bytes)| bytes).collect();
            let here = bytes(&explorer.here, scope.merge);
            let before = seen.entry(here).or_insert_with(|| after.clone());
            assert_eq!(*before, after, "{}: {way:?}", scope.name);
        }
        assert!((10..WAYS / 2).contains(&seen.len()), "{}: {}", scope.name, seen.len());
    }
}

#[test]
fn every_state_has_one_that_is_visited_in_its_place() {
    let mut merged = 0;
    for scope in SCOPES.iter().filter(|scope| scope.merge != Merge::NONE) {
        let mut explorer = Explorer::new(scope);
        // Every state within three steps, met by way of each state or of each that is taken for
        // one: the same are found.
        let mut found = |by: Merge| {
            let mut seen = BTreeSet::from([bytes(&explorer.start, by)]);
            let mut found = BTreeSet::new();
            let mut ways = vec![Vec::new()];
            for _ in 0..3 {
                let mut longer = Vec::new();
                for way in &ways {
                    explorer.go(way);
                    found.extend(explorer.successor_bytes(scope.merge));
                    if way.len() == 2 || seen.len() > WAYS {
                        continue;
                    }
                    for (action, bytes) in explorer.successors(by) {
                        if seen.insert(bytes) {
                            longer.push([&way[..], &[action]].concat());
                        }
                    }
                }
                ways = longer;
            }
            (seen.len(), found)
        };
        let ((all, all_found), (visited, visited_found)) = (found(Merge::NONE), found(scope.merge));
        if all <= WAYS {
            assert_eq!(visited_found, all_found, "{}", scope.name);
        }
        merged += all - visited;
    }
    assert!(merged > 0, "nothing is merged");
}

#[test]
fn counters_and_clocks_do_not_make_a_state_another() {
    let start = World::new(SCOPES[0].size, None);
    let mut later = start.clone();
    for _ in 0..3 {
        later.step(Action::Call(0, Made::PtUnpin { frame: 0 })).expect("nothing is planted");
    }
    assert_ne!(later.state, start.state);
    assert_eq!(bytes(&later, Merge::NONE), bytes(&start, Merge::NONE));
}
