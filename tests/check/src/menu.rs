//! What may be done in a state: every call of the groups that a scope has, with arguments from
//! small sets in which the hostile ones stand beside the sensible.

use crate::action::{Action, Cost, Made, Root, Short, Side, Value, When, Where};
use crate::world::{HYPERVISOR, NO_FRAME, World};
use hypercall_abi::Mfn;
use hypercall_abi::addr::Level;
use pv_core::frame::{Frame, Type};
use pv_core::vcpu::Mode;

/// Groups of steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Menu {
    /// `pt_create`, `pt_pin`, `pt_unpin` and `pte_update` of tables that are none yet.
    pub tables: bool,
    /// `pte_update` of entries, with leaves of every frame.
    pub entries: bool,
    /// `pte_update` of two entries, and of a page.
    pub lists: bool,
    /// `pt_switch`.
    pub roots: bool,
    /// `tlb_flush`.
    pub flush: bool,
    /// Guests write what may become entries, through any translation that is cached.
    pub writes: bool,
    /// Somebody rewrites the argument frame during a call.
    pub scribbles: bool,
    /// `grant_share`, `grant_revoke`, `grant_map`, `grant_unmap`.
    pub grants: bool,
    /// `balloon_inflate`, `balloon_deflate`.
    pub balloon: bool,
    /// `event_alloc`, `event_bind`, `event_send`, `event_mask`, `event_close`.
    pub events: bool,
    /// `sched_yield`, `sched_block`.
    pub sleep: bool,
    /// `timer_set` and the alarm.
    pub timer: bool,
    /// `trap_register`, `trap_return`, traps of processes.
    pub traps: bool,
    /// `batch`.
    pub batch: bool,
    /// The second domain only watches: it keeps what it has, and nothing is done by it.
    pub alone: bool,
    /// How many domains may end, by the operator or by themselves.
    pub ends: usize,
}

impl Menu {
    /// Every step of that cost that may be taken in a state.
    pub fn actions(&self, world: &World, cost: Cost, out: &mut Vec<Action>) {
        let in_call = |side| world.state.vcpu(world.slot(side)).is_in_call();
        for side in 0..2 {
            let by = side as u8;
            let runnable = world.is_runnable(side);
            match cost {
                Cost::Free if runnable && in_call(side) => out.push(Action::GoOn(by)),
                Cost::Free => {}
                Cost::One => {
                    if runnable && in_call(side) {
                        self.scribbles(world, side, out);
                    } else if runnable && world.state.vcpu(world.slot(side)).mode == Mode::User {
                        out.push(Action::Trap(by));
                    } else if runnable && (side == 0 || !self.alone) {
                        View::new(self, world, side).actions(out);
                    }
                    if self.ends > world.ended() && world.is_running(side) {
                        out.push(Action::End(by));
                    }
                }
            }
        }
        match cost {
            Cost::Free if world.ended() > 0 || self.balloon || self.sleep => {
                out.push(Action::Schedule);
            }
            Cost::One if self.timer && world.machine.alarm != u64::MAX => out.push(Action::Alarm),
            _ => {}
        }
    }

    fn scribbles(&self, world: &World, side: Side, out: &mut Vec<Action>) {
        if !self.scribbles {
            return;
        }
        let of = side as u8;
        let domain = &world.domains[side];
        let peer = &world.domains[1 - side];
        let values =
            [Value::leaf(domain.table.0 as u8, true), Value::leaf(peer.root.0 as u8, false)];
        for word in [1, 3] {
            out.extend(values.map(|value| Action::Scribble { of, word, value }));
        }
    }
}

/// Adds the calls of a group.
type Group<'a> = fn(&View<'a>, &mut Vec<Made>);

/// What one domain sees and may do.
struct View<'a> {
    menu: &'a Menu,
    world: &'a World,
    side: Side,
    /// Frames that it owns, its interface frames left out.
    own: Vec<u8>,
    /// Of those, tables of level 1 and of the root.
    tables: [Vec<u8>; 2],
    /// Frames of the other domain that entries are tried with: those that it has a handle on,
    /// and one other.
    foreign: Vec<u8>,
}

impl<'a> View<'a> {
    fn new(menu: &'a Menu, world: &'a World, side: Side) -> Self {
        let mut view = View {
            menu,
            world,
            side,
            own: Vec::new(),
            tables: [Vec::new(), Vec::new()],
            foreign: Vec::new(),
        };
        let interface: Vec<Mfn> =
            world.domains.iter().flat_map(|domain| [domain.page, domain.arguments]).collect();
        let mut other = None;
        for (mfn, entry) in world.state.frames.iter() {
            let Frame::Owned(owned) = entry else { continue };
            if interface.contains(&mfn) {
                continue;
            }
            let frame = mfn.0 as u8;
            if owned.owner != world.domains[side].id {
                let domain = world.state.domain(world.slot(side));
                let has_handle = domain.handles.iter().any(|(_, handle)| handle.frame == mfn);
                if has_handle || other.replace(frame).is_none() {
                    view.foreign.push(frame);
                }
                continue;
            }
            view.own.push(frame);
            match owned.kind {
                Type::Table(Level::L1) => view.tables[0].push(frame),
                Type::Table(_) => view.tables[1].push(frame),
                _ => {}
            }
        }
        view
    }

    fn actions(&self, out: &mut Vec<Action>) {
        let first = out.len();
        let menu = self.menu;
        let groups: [(bool, Group<'a>); 12] = [
            (menu.tables, Self::tables),
            (menu.entries, Self::entries),
            (menu.lists, Self::lists),
            (menu.roots, Self::roots),
            (menu.flush, Self::flush),
            (menu.grants, Self::grants),
            (menu.balloon, Self::balloon),
            (menu.events, Self::events),
            (menu.sleep, Self::sleep),
            (menu.timer, Self::timer),
            (menu.traps, Self::traps),
            (menu.batch, Self::batch),
        ];
        let mut calls = Vec::new();
        for (has, group) in groups {
            if has {
                group(self, &mut calls);
            }
        }
        if menu.ends > self.world.ended() {
            calls.push(Made::Shutdown);
        }
        let by = self.side as u8;
        out.extend(calls.into_iter().map(|call| Action::Call(by, call)));
        if menu.writes {
            self.writes(out);
        }
        if menu.traps {
            out.push(Action::ForgeTrapFrame(by));
        }
        debug_assert!(out.len() > first, "a domain can always do something");
    }

    /// Frames that a call should refuse: of the other domain, of nobody, none.
    fn hostile(&self) -> impl Iterator<Item = u8> {
        let peer = &self.world.domains[1 - self.side];
        let mut hostile = vec![peer.table.0 as u8, HYPERVISOR, NO_FRAME];
        hostile.push(self.world.domains[self.side].arguments.0 as u8);
        let unowned = self
            .world
            .state
            .frames
            .iter()
            .find(|(_, frame)| matches!(frame, Frame::Free { .. } | Frame::Dirty { .. }));
        hostile.extend(unowned.map(|(frame, _)| frame.0 as u8));
        hostile.into_iter()
    }

    /// What an entry of level 1 may become.
    fn leaves(&self) -> Vec<Value> {
        let mut values = vec![Value::ABSENT, Value::BAD];
        let is_table = |frame| self.tables.iter().any(|tables| tables.contains(frame));
        let mut tables = self.own.iter().filter(|frame| is_table(frame));
        let pages = self.own.iter().filter(|frame| !is_table(frame)).chain(&self.foreign);
        for frame in pages {
            values.extend([Value::leaf(*frame, false), Value::leaf(*frame, true)]);
        }
        if self.menu.tables {
            values.extend(tables.clone().map(|frame| Value::leaf(*frame, false)));
        }
        values.extend(tables.next().map(|frame| Value::leaf(*frame, true)));
        values.extend([HYPERVISOR, NO_FRAME].map(|frame| Value::leaf(frame, true)));
        values
    }

    fn tables(&self, calls: &mut Vec<Made>) {
        for frame in self.own.iter().copied() {
            for level in [1, 2] {
                calls.push(Made::PtCreate { frame, level });
                calls.push(Made::PtPin { frame, level });
            }
            calls.push(Made::PtUnpin { frame });
        }
        for frame in self.hostile() {
            calls.push(Made::PtCreate { frame, level: 1 });
            calls.push(Made::PtPin { frame, level: 1 });
            calls.push(Made::PtUnpin { frame });
        }
        calls.push(Made::PtPin { frame: self.own.first().copied().unwrap_or(NO_FRAME), level: 3 });
        for root in &self.tables[1] {
            let at = Where::Entry { table: *root, index: 0 };
            let tables = self.own.iter().chain(self.foreign.first());
            let values = tables.map(|frame| Value::leaf(*frame, false));
            let hostile = [Value::ABSENT, Value::BAD, Value::leaf(HYPERVISOR, false)];
            calls.extend(values.chain(hostile).map(|value| Made::PteUpdate { at, value }));
            let own = Where::Entry { table: *root, index: 1 };
            calls.push(Made::PteUpdate { at: own, value: Value::ABSENT });
        }
    }

    fn entries(&self, calls: &mut Vec<Made>) {
        let leaves = self.leaves();
        for table in &self.tables[0] {
            for index in 0..2 {
                let at = Where::Entry { table: *table, index };
                calls.extend(leaves.iter().map(|value| Made::PteUpdate { at, value: *value }));
            }
        }
        // What is no table, and what has no such entry.
        let table = self.tables[0].first().copied().unwrap_or(NO_FRAME);
        let pages = self.own.iter().filter(|frame| !self.tables[0].contains(frame)).copied();
        let targets = pages.chain(self.hostile()).map(|table| Where::Entry { table, index: 0 });
        for at in targets.chain([Where::Entry { table, index: 2 }]) {
            calls.push(Made::PteUpdate { at, value: Value::ABSENT });
        }
    }

    /// Lists in which the first update takes effect, walks, or is refused.
    fn lists(&self, calls: &mut Vec<Made>) {
        let domain = &self.world.domains[self.side];
        let link = Where::Entry { table: domain.root.0 as u8, index: 0 };
        let entry = Where::Entry { table: domain.table.0 as u8, index: 0 };
        let absent = Value::ABSENT;
        for frame in self.own.iter().copied() {
            let table = Value::leaf(frame, false);
            calls.push(Made::PteUpdates([(entry, absent), (link, table)]));
            calls.push(Made::PteUpdates([(link, table), (entry, Value::leaf(frame, true))]));
        }
        calls.push(Made::PteUpdates([(link, absent), (entry, Value::BAD)]));
        for page in 0..3 {
            calls.push(Made::PteUpdate { at: Where::Page(page), value: absent });
        }
        for frame in self.own.iter().copied() {
            let value = Value::leaf(frame, true);
            calls.push(Made::PteUpdate { at: Where::Page(0), value });
        }
    }

    fn roots(&self, calls: &mut Vec<Made>) {
        let peer = self.world.domains[1 - self.side].root.0 as u8;
        let roots = self.own.iter().copied().chain([peer, HYPERVISOR, NO_FRAME]);
        for root in roots.map(Root::Set) {
            calls.push(Made::PtSwitch { kernel: root, user: Root::Keep });
            calls.push(Made::PtSwitch { kernel: Root::Keep, user: root });
            calls.push(Made::PtSwitch { kernel: root, user: root });
        }
        calls.push(Made::PtSwitch { kernel: Root::Keep, user: Root::Clear });
        calls.push(Made::PtSwitch { kernel: Root::Clear, user: Root::Keep });
    }

    fn flush(&self, calls: &mut Vec<Made>) {
        calls.extend([None, Some(0), Some(2)].map(|page| Made::TlbFlush { page }));
    }

    fn grants(&self, calls: &mut Vec<Made>) {
        for frame in self.own.iter().copied().chain(self.hostile()) {
            calls.extend([false, true].map(|write| Made::GrantShare { frame, write }));
        }
        for grant in 0..3 {
            calls.push(Made::GrantRevoke { grant });
            calls.extend([false, true].map(|write| Made::GrantMap { grant, write }));
        }
        for slot in 0..3 {
            calls.extend([false, true].map(|stale| Made::GrantUnmap { slot, stale }));
        }
    }

    fn balloon(&self, calls: &mut Vec<Made>) {
        for frame in self.own.iter().copied().chain(self.hostile()) {
            calls.push(Made::BalloonInflate { frames: [frame, 0], count: 1 });
        }
        if let [first, .., last] = self.own[..] {
            // The same frame twice, and two of which the second may be refused.
            calls.push(Made::BalloonInflate { frames: [last, last], count: 2 });
            calls.push(Made::BalloonInflate { frames: [last, first], count: 2 });
        }
        calls.extend([1, 2].map(|count| Made::BalloonDeflate { count }));
        calls.extend(self.own.last().map(|frame| Made::BalloonReport { frame: *frame }));
    }

    fn events(&self, calls: &mut Vec<Made>) {
        calls.push(Made::EventAlloc);
        // Port 3 is the hypervisor's, 6 is open to nobody soon.
        for port in 3..7 {
            calls.push(Made::EventBind { port });
            calls.push(Made::EventSend { port });
            calls.push(Made::EventClose { port });
            calls.extend([false, true].map(|masked| Made::EventMask { port, masked }));
        }
    }

    fn sleep(&self, calls: &mut Vec<Made>) {
        calls.extend([Made::SchedYield, Made::SchedBlock]);
    }

    fn timer(&self, calls: &mut Vec<Made>) {
        calls.extend([When::Passed, When::Soon, When::Never].map(Made::TimerSet));
    }

    fn traps(&self, calls: &mut Vec<Made>) {
        calls.push(Made::TrapRegister);
        calls.push(Made::TrapReturn { update: None });
        let domain = &self.world.domains[self.side];
        let at = Where::Entry { table: domain.table.0 as u8, index: 0 };
        let link = Where::Entry { table: domain.root.0 as u8, index: 0 };
        for update in [(at, Value::ABSENT), (link, Value::ABSENT), (at, Value::BAD)] {
            calls.push(Made::TrapReturn { update: Some(update) });
        }
    }

    fn batch(&self, calls: &mut Vec<Made>) {
        for frame in self.own.iter().copied() {
            let at = Where::Entry { table: frame, index: 0 };
            let clear = Short::PteUpdate { at, value: Value::ABSENT };
            calls.push(Made::Batch([Short::PtPin { frame, level: 1 }, Short::PtUnpin { frame }]));
            calls.push(Made::Batch([Short::PtUnpin { frame }, Short::PtPin { frame, level: 1 }]));
            calls.push(Made::Batch([clear, Short::PtCreate { frame, level: 1 }]));
        }
        calls.push(Made::Batch([
            Short::GrantUnmap { slot: 0 },
            Short::PtPin { frame: NO_FRAME, level: 1 },
        ]));
    }

    /// Words that a guest plants where it can write: what may become entries of its own frames,
    /// of a foreign one, and none.
    fn writes(&self, out: &mut Vec<Action>) {
        let by = self.side as u8;
        let domain = &self.world.domains[self.side];
        let vcpu = self.world.state.vcpu(domain.slot);
        // Only what it has mapped now or had is cached, and only while it has the processor.
        let cached = self.world.machine.cached();
        let of_it = cached.filter(|cached| cached.writable && Some(cached.root) == vcpu.root());
        let mut frames: Vec<u8> = of_it.map(|cached| cached.frame.0 as u8).collect();
        frames.dedup();
        let mut values = vec![Value::ABSENT, Value::BAD];
        for frame in &self.own {
            values.extend([Value::leaf(*frame, false), Value::leaf(*frame, true)]);
        }
        values.extend(self.foreign.first().map(|frame| Value::leaf(*frame, true)));
        for frame in frames {
            for word in 0..2 {
                out.extend(values.iter().map(|value| Action::Write {
                    by,
                    frame,
                    word,
                    value: *value,
                }));
            }
        }
    }
}
