//! Faults that can be planted in the core on purpose, each one that a published advisory tells
//! of: to show that the model checker finds them (`cargo xtask check --planted`).
//!
//! Without the feature `planted`, which no image has, nothing can be planted and every question
//! for a fault is the constant `false`.

/// A fault.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Bug {
    /// A frame becomes a page table without the flush before.
    ClaimWithoutFlush,
    /// A former page table is mapped writable without the flush before.
    WritableWithoutFlush,
    /// A frame that is mapped writable is accepted as a page table.
    ClaimWhileWritable,
    /// A table of another level is accepted where an entry names a table.
    LevelUnchecked,
    /// A root that is replaced stays loaded.
    SwitchWithoutLoad,
    /// An entry whose frame stays the same has its flags changed in place.
    FlagsInPlace,
    /// A promotion that is refused keeps the references of its last table's entries.
    RefusalKeepsReferences,
    /// A promotion that is refused gives back the reference that it was refused, too.
    RefusalDropsOneMore,
    /// A promotion that is continued takes the reference of an entry again.
    ContinuationTakesAgain,
    /// A new entry is read again from the argument frame once its tree is validated.
    ValueReadAgain,
    /// A domain ends and the promotion it was in is not turned round.
    EndForgetsCall,
    /// The frames of an ended domain are freed though others have them mapped.
    EndFreesMapped,
    /// A frame that something refers to is taken by the balloon.
    InflateReferenced,
    /// A dirty frame is not filled with zeros.
    ScrubForgotten,
    /// A dirty frame is not flushed.
    ScrubWithoutFlush,
    /// A handle is closed while entries name its frame.
    UnmapWhileMapped,
    /// A handle is closed by the access of the grant, not its own.
    UnmapByWrongFlag,
    /// A handle is closed without the flush.
    UnmapWithoutFlush,
    /// A mapped grant is revoked.
    RevokeWhileMapped,
    /// A port is closed and its other end stays bound.
    CloseForgetsPeer,
    /// An event for a vCPU that sleeps does not wake it.
    WakeUpLost,
}

/// The fault that is planted, if one is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Planted {
    #[cfg(feature = "planted")]
    bug: Option<Bug>,
}

impl Planted {
    /// Whether this fault is planted.
    #[inline(always)]
    pub(crate) fn has(self, bug: Bug) -> bool {
        #[cfg(feature = "planted")]
        let planted = self.bug == Some(bug);
        #[cfg(not(feature = "planted"))]
        let planted = {
            let Planted {} = self;
            let _ = bug;
            false
        };
        planted
    }
}

#[cfg(feature = "planted")]
impl<P: crate::Platform> crate::State<P> {
    /// Plants a fault.
    pub fn plant(&mut self, bug: Bug) {
        self.planted = Planted { bug: Some(bug) };
        self.frames.plant(self.planted);
    }
}
