//! Frames taken from a domain without its help: the forced way, when a balloon does not do what it
//! is asked.
//!
//! What can be taken is what the guest lets the hypervisor move (`p2m_register`, `share_advise`).
//! First a page that is like another becomes one with it; else its entries are marked as those of a
//! page that is *away*, its content is compressed, and its frame goes to whoever needs it. What does
//! not compress goes to the swap device, if there is one. An access to a page that is away faults
//! into the hypervisor, which brings it back; the guest's kernel notices nothing.
//!
//! - `choose`: which pages: at random, of those that were not used lately.
//! - `put_away`: the entries are marked, the frame is the guest's no more.
//! - `pack`: the content is compressed, or written to the swap device, and the frame goes.
//! - `fetch`: it comes back, by pieces.
//! - `parcels`: where compressed pages lie.
//! - `swap`: which places of the swap device are taken.
//! - `transfer`: what is on its way to the device and back.
//!
//! ```text
//!   own frame ──put away──> in a frame, unnamed ──pack──> zeros | parcel | swap
//!       ^                          |   ^                         |
//!       └────────── used ──────────┘   └──────── fetch ──────────┘
//! ```
//!
//! Memory that is taken this way is taken blindly: the guest goes on as if it had it, and pages that
//! are of no use to it are kept for it. The balloon is always the better way (Waldspurger 2002,
//! section 3).

mod choose;
mod fetch;
mod pack;
mod parcels;
mod put_away;
mod swap;
mod transfer;

pub(crate) use parcels::Parcel;
pub(crate) use swap::SwapPlace;

use crate::platform::Platform;
use crate::share::{Look, PageName};
use crate::state::State;
use alloc::vec::Vec;
use hypercall_abi::DomainId;
use pack::Packing;
use parcels::Parcels;
use swap::SwapPlaces;
use transfer::{MAX_READING, MAX_WRITING, Reading, Writing};

/// Pages that are put away together, as one look at all tables finds the entries of all of them.
pub(crate) const MAX_WANTED: usize = 32;

/// What is away, and what is under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Reclaim {
    pub(crate) parcels: Parcels,
    pub(crate) swap: SwapPlaces,
    /// Pages that were put away and are in their frames still.
    waiting: Vec<PageName>,
    packing: Option<Packing>,
    /// Pages that are being written to the swap device, and are in their frames still; and pages that
    /// are being read.
    writing: Vec<Writing>,
    reading: Vec<Reading>,
    /// The page that was chosen last, as long as the scanner looks whether it can be shared.
    look: Option<Look>,
    /// Whether some domain may have a limit.
    pub(crate) is_on: bool,
    /// Whose pages are chosen next.
    turn: usize,
    /// For the choice; no secret.
    random: u64,
    /// Choices in a row of which nothing came, and when the next is made after too many.
    fruitless: u32,
    rests_until: u64,
    /// What has been done.
    pub counters: ReclaimCounters,
}

/// What the forced way has done since the start.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ReclaimCounters {
    /// Pages that were put away.
    pub put_away: u64,
    /// Of these, zeros, such as were compressed, and such as were written to the swap device.
    pub zeros: u64,
    /// Compressed.
    pub compressed: u64,
    /// Bytes that these take.
    pub compressed_bytes: u64,
    /// Swapped.
    pub swapped: u64,
    /// Pages that were chosen and used again before they were looked at.
    pub used: u64,
    /// Pages that could not be put away, or not kept.
    pub refused: u64,
    /// Transfers of the swap device that failed.
    pub failed: u64,
    /// Faults of guests on pages that were away, a fault for each piece of bringing one back.
    pub faults: u64,
    /// Pages that came back.
    pub returned: u64,
}

impl Reclaim {
    pub(crate) const OFF: Reclaim = Reclaim {
        parcels: Parcels::NONE,
        swap: SwapPlaces::NONE,
        waiting: Vec::new(),
        packing: None,
        writing: Vec::new(),
        reading: Vec::new(),
        look: None,
        is_on: false,
        turn: 0,
        random: 1,
        fruitless: 0,
        rests_until: 0,
        counters: ReclaimCounters {
            put_away: 0,
            zeros: 0,
            compressed: 0,
            compressed_bytes: 0,
            swapped: 0,
            used: 0,
            refused: 0,
            failed: 0,
            faults: 0,
            returned: 0,
        },
    };
}

impl<P: Platform> State<P> {
    /// Lets frames be taken by force, of domains that have a [limit](Self::set_forced_limit): so many
    /// bytes hold what is compressed, so many pages the swap device. Sharing must have been enabled,
    /// which keeps the records. False when the heap has no room.
    pub fn enable_reclaim(&mut self, bytes: usize, swap_pages: u64, seed: u64) -> bool {
        let Some(parcels) = Parcels::new(bytes) else { return false };
        let Some(swap) = SwapPlaces::new(swap_pages) else { return false };
        let (mut waiting, mut writing, mut reading) = (Vec::new(), Vec::new(), Vec::new());
        if waiting.try_reserve_exact(MAX_WANTED).is_err()
            || writing.try_reserve_exact(MAX_WRITING).is_err()
            || reading.try_reserve_exact(MAX_READING).is_err()
        {
            return false;
        }
        let random = seed | 1;
        *self.reclaim =
            Reclaim { parcels, swap, waiting, writing, reading, random, ..Reclaim::OFF };
        true
    }

    /// Takes frames from a domain from now on while it has more than so many, or no more by force.
    /// False: there is no such domain.
    pub fn set_forced_limit(&mut self, domain: DomainId, limit: Option<u64>) -> bool {
        let Ok(slot) = self.slot_of(domain) else { return false };
        self.domain_mut(slot).movable.limit = limit;
        self.reclaim.is_on |= limit.is_some();
        true
    }

    /// What is away now: pages, bytes of the store that they take, and pages of the swap device.
    pub fn away_totals(&self) -> AwayTotals {
        let away = self.sharing.records.pages().filter(|(_, page)| page.is_away()).count();
        AwayTotals {
            pages: away as u64,
            stored_bytes: self.reclaim.parcels.used_bytes(),
            swapped: self.reclaim.swap.taken(),
        }
    }
}

/// What is away.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct AwayTotals {
    /// Pages.
    pub pages: u64,
    /// Bytes that the compressed ones take.
    pub stored_bytes: u64,
    /// Pages of the swap device that are taken.
    pub swapped: u64,
}
