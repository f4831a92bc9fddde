//! One round: what is asked of each guest now.

use super::{MemoryState, Thresholds};
use crate::policy::{
    AllocationPolicy, Bounds, Guest, Host, Pages, PolicyError, TaxRate, Terms, Work, solve,
};

/// When memory is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reclaim {
    /// Only what another guest needs now: no guest shrinks while there is enough for all that
    /// are known to need it.
    Lazy,
    /// Whenever a guest is above its target: what others might need is moved at once. As a baseline.
    Eager,
}

/// A guest as the planner sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// As the policy sees it.
    pub guest: Guest,
    /// Pages that it has.
    pub allocated: Pages,
    /// Pages that it needs now: what it uses, and what it asks for.
    pub wanted: Pages,
    /// Nothing may be taken from it.
    pub protected: bool,
    /// Its balloon does not move.
    pub stalled: bool,
}

/// The terms that stand in a question.
fn asked(guest: &Guest) -> Terms {
    Terms { shares: guest.shares, tax: guest.tax.unwrap_or(TaxRate::NONE) }
}

/// What one guest is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// Nothing.
    #[default]
    Keep,
    /// It may have so many pages more, which are free: at once.
    Grow(Pages),
    /// Its balloon is to give so many.
    Shrink(Pages),
    /// So many are taken without its help.
    Force {
        /// Pages.
        pages: Pages,
        /// It does not run until they are.
        blocked: bool,
    },
}

/// How the machine stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outlook {
    /// Before this round's orders.
    pub state: MemoryState,
    /// Free pages, before.
    pub free: Pages,
    /// Protections that were not heeded, as the minimum of another guest outranks them.
    pub overruled: bool,
}

/// Room to work in, lent by the caller, each as long as there are members but `work`, which is
/// as long as [`Work::needed`] says.
#[derive(Debug)]
pub struct Room<'a> {
    /// The guests as they are put to the solver.
    pub guests: &'a mut [Guest],
    /// The solver's.
    pub work: &'a mut [Work],
    /// Afterwards: what each guest may have.
    pub targets: &'a mut [Pages],
    /// Afterwards: what it is asked.
    pub orders: &'a mut [Order],
}

/// Plans rounds; between them it remembers only the machine's state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Planner {
    /// All memory for guests and the reserve.
    pub memory: Pages,
    /// When it is short.
    pub thresholds: Thresholds,
    /// When memory is taken.
    pub reclaim: Reclaim,
    /// Pages that one guest is asked for in one round at most.
    pub step: Pages,
    state: MemoryState,
}

impl Planner {
    /// A lazy planner of a machine whose memory is free.
    pub const fn new(memory: Pages, step: Pages) -> Planner {
        Planner {
            memory,
            thresholds: Thresholds::ESX,
            reclaim: Reclaim::Lazy,
            step,
            state: MemoryState::High,
        }
    }

    /// The same, which takes memory at that time.
    pub const fn with_reclaim(self, reclaim: Reclaim) -> Planner {
        Planner { reclaim, ..self }
    }

    /// What targets are made of: all but the reserve.
    pub const fn budget(&self) -> Pages {
        self.memory.saturating_sub(self.thresholds.reserve(self.memory))
    }

    /// Plans a round: targets and orders are in the room afterwards.
    ///
    /// Laziness is the policy itself, asked another question. A guest's maximum is lowered to what
    /// it has or needs, whichever is more. If these all fit, nobody shrinks; if not, the pages
    /// that go are those that pay least for themselves, and no more of them than are needed.
    pub fn plan(
        &mut self,
        policy: &dyn AllocationPolicy,
        members: &[Member],
        room: &mut Room<'_>,
    ) -> Result<Outlook, PolicyError> {
        let lent = room.guests.len().min(room.targets.len()).min(room.orders.len());
        if lent < members.len() {
            return Err(PolicyError::RoomTooSmall { needed: members.len(), lent });
        }
        let allocated = members.iter().map(|member| member.allocated).sum();
        let free = self.memory.saturating_sub(allocated);
        self.state = self.thresholds.next(self.state, free, self.memory);
        let mut floors = Pages::ZERO;
        for (member, guest) in members.iter().zip(room.guests.iter_mut()) {
            *guest = self.question(member, policy.terms(&member.guest), true)?;
            floors += guest.bounds.minimum();
        }
        let overruled = floors > self.memory;
        if overruled {
            // A guest below its minimum was promised what a protected one sits on.
            floors = Pages::ZERO;
            for (member, guest) in members.iter().zip(room.guests.iter_mut()) {
                *guest = self.question(member, policy.terms(&member.guest), false)?;
                floors += guest.bounds.minimum();
            }
        }
        // What protected guests hold of the reserve is not to be had.
        let budget = self.budget().max(floors);
        let host = Host::new(budget, &room.guests[..members.len()])?;
        solve(&host, asked, room.work, room.targets)?;
        self.orders(members, free, room);
        Ok(Outlook { state: self.state, free, overruled })
    }

    /// The guest that is put to the solver in place of the member. Its terms are those of the guest
    /// as it is: what it has or needs now must not count as its size.
    fn question(&self, member: &Member, terms: Terms, heeded: bool) -> Result<Guest, PolicyError> {
        let bounds = member.guest.bounds;
        let (least, most) = (bounds.minimum(), bounds.maximum());
        let ceiling = match self.reclaim {
            Reclaim::Lazy => member.allocated.max(member.wanted).clamp(least, most),
            Reclaim::Eager => most,
        };
        let floor =
            if heeded && member.protected { member.allocated.clamp(least, ceiling) } else { least };
        Ok(Guest {
            bounds: Bounds::new(floor, ceiling)?,
            shares: terms.shares,
            tax: Some(terms.tax),
            active: member.guest.active,
        })
    }

    fn orders(&self, members: &[Member], free: Pages, room: &mut Room<'_>) {
        let targets = room.targets.iter().zip(members);
        let growth: Pages =
            targets.map(|(target, member)| target.saturating_sub(member.allocated)).sum();
        let mut left = free.saturating_sub(self.thresholds.last_frames(self.memory)).min(growth);
        let there = left;
        for (index, member) in members.iter().enumerate() {
            let target = room.targets[index];
            room.orders[index] = if target > member.allocated {
                // If not all can grow, each does in proportion; what rounding leaves goes to the first.
                let wanted = target - member.allocated;
                let part = u128::from(wanted.0) * u128::from(there.0);
                let pages = Pages(part.div_ceil(u128::from(growth.0)) as u64).min(left);
                left -= pages;
                if pages > Pages::ZERO { Order::Grow(pages) } else { Order::Keep }
            } else {
                self.less(member, target)
            };
        }
    }

    /// What is asked of a guest that has its target, or more.
    fn less(&self, member: &Member, target: Pages) -> Order {
        let pages = member.allocated.saturating_sub(target).min(self.step);
        let waits = self.state == MemoryState::High && self.reclaim == Reclaim::Lazy;
        if pages == Pages::ZERO || waits {
            return Order::Keep;
        }
        match self.state {
            MemoryState::High | MemoryState::Soft if !member.stalled => Order::Shrink(pages),
            state => Order::Force { pages, blocked: state == MemoryState::Low },
        }
    }
}
