//! What came of a play, as the program writes it and `cargo xtask experiment virtio-balloon` reads it.

use serde::{Deserialize, Serialize};

/// What moved of one guest, and what that took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Moves {
    /// Pages that its balloon took.
    pub taken: u64,
    /// Pages that it gave back.
    pub given: u64,
    /// Calls, or kicks, of the balloon that took them.
    pub to_take: u64,
    /// Those that gave them back.
    pub to_give: u64,
    /// Calls that changed page tables: the guest's own, or the hypervisor's in the domain's name.
    pub page_tables: u64,
    /// Whether the balloon was ever found not to move.
    pub stalled: bool,
}

/// Pages at the end of a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Round {
    /// What each domain owns, by the core's count.
    pub owned: [u64; 3],
    /// Nobody's.
    pub free: u64,
}

/// All that came of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Played {
    /// The rounds.
    pub rounds: Vec<Round>,
    /// Of the guest with our driver.
    pub paravirtual: Moves,
    /// Of the guest with virtio-balloon.
    pub unmodified: Moves,
    /// Rounds after which the third needs memory, and has given it back.
    pub turns: [usize; 2],
}
