//! Puts back what a test has changed.

use hypercall_abi::{
    Mfn, Pfn, Status,
    calls::{
        EventClose, EventMask, GrantRevoke, GrantUnmap, PtSwitch, PtUnpin, PteUpdate, TimerSet,
        pt_switch::RootChange,
        pte_update::{Target, Update},
    },
};

use crate::{
    caller::Side,
    entries::Permit,
    journal::Undo,
    outcome::{Check, Message, Stop},
    test::Test,
};

impl Test<'_> {
    /// Undoes everything in the journal, last first. A step that the test has undone itself
    /// is refused by the hypervisor, which is as it should be; what matters is checked by
    /// comparing the domains' counts afterwards.
    pub(crate) fn clean_up(&mut self) -> Check {
        let mut result = Ok(());
        while let Some((side, undo)) = self.journal.pop() {
            let step = self.undo(side, undo);
            if result.is_ok() {
                result = step;
            }
        }
        result
    }

    fn undo(&mut self, side: Side, undo: Undo) -> Check {
        match undo {
            Undo::MapWritable(page) => return self.map_writable(side, page),
            Undo::Populate(page) => {
                if self.p2m(side, page) == Mfn::NONE {
                    self.populate(side, page)?;
                }
            }
            Undo::Unpin(frame) => drop(self.call(side, &PtUnpin { frame })),
            Undo::ClearEntry(table, index) => self.write_entry(side, table, index, 0),
            Undo::WriteEntry(table, index, value) => self.write_entry(side, table, index, value),
            Undo::KernelRoot(root) => {
                self.switch(side, RootChange::Set(root), RootChange::Keep);
            }
            Undo::ClearUserRoot => self.switch(side, RootChange::Keep, RootChange::Clear),
            Undo::Revoke(grant) => drop(self.call(side, &GrantRevoke { grant })),
            Undo::Unmap(handle) => drop(self.call(side, &GrantUnmap { handle })),
            Undo::Close(port) => drop(self.call(side, &EventClose { port })),
            Undo::Unmask(port) => drop(self.call(side, &EventMask { port, masked: false })),
            Undo::StopTimer => drop(self.call(side, &TimerSet { deadline: u64::MAX })),
            Undo::Word(page, word, value) => self.caller.write(side, page, word.into(), value),
            Undo::Confess(frame) => drop(self.caller.pretend(frame, None)),
        }
        Ok(())
    }

    fn write_entry(&mut self, side: Side, table: Mfn, index: u16, value: u64) {
        let target = Target::Entry { table, index };
        let _ = self.call(side, &PteUpdate::One(Update::new(target, value)));
    }

    fn switch(&mut self, side: Side, kernel_root: RootChange, user_root: RootChange) {
        let _ = self.call(side, &PtSwitch { kernel_root, user_root });
    }

    fn map_writable(&mut self, side: Side, page: Pfn) -> Check {
        let frame = self.p2m(side, page);
        let address = self.physmap(side, page);
        let leaf = self.entries().leaf(frame, Permit::Write);
        self.set_leaf(side, address, leaf).map_err(|stop| match stop {
            Stop::Error(message) => Stop::Error(Message::new(format_args!(
                "clean-up: page {} stays unmapped: {message}",
                page.0
            ))),
            stop => stop,
        })
    }
}

/// Whether a call succeeded.
pub(crate) fn succeeded(result: (Status, u64)) -> bool {
    result.0 == Status::SUCCESS
}
