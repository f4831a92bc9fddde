//! Machine code that a test puts together and runs, where instructions are executed.

use hypercall_abi::{Mfn, VirtAddr, calls::PtSwitch, calls::pt_switch::RootChange};

use crate::{
    caller::{FourRegisters, Half, Ran, Run, Side, Trapped},
    entries::Permit,
    journal::Undo,
    outcome::{Check, Message, Stop},
};

use super::{Page, Test};

/// Where code ended that had to end in a trap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Executed {
    /// The trap.
    pub trapped: Trapped,
    /// The registers at that moment.
    pub registers: FourRegisters,
}

impl Test<'_> {
    /// Runs machine code up to its first trap or its return.
    ///
    /// # Errors
    /// [`Stop::Skip`] where no instructions are executed.
    pub fn run(&mut self, side: Side, run: Run) -> Check<Ran> {
        self.caller.run(side, run).ok_or(Stop::Skip("the model executes no instructions"))
    }

    /// A page for code, executable at `address`.
    ///
    /// # Errors
    /// [`Stop::Error`] when that cannot be had.
    #[track_caller]
    pub fn code_page(&mut self, side: Side, address: VirtAddr) -> Check<Page> {
        let page = self.page(side)?;
        let leaf = self.entries.leaf(page.frame, Permit::Execute);
        self.map(side, address, leaf)?;
        Ok(page)
    }

    /// Makes a copy of the first root the user root: a process that sees what the kernel sees.
    ///
    /// # Errors
    /// [`Stop::Error`] when that cannot be had.
    #[track_caller]
    pub fn user_root(&mut self, side: Side) -> Check<Mfn> {
        let (root, level) = (self.root(side), self.entries.root_level());
        let page = self.table(side, level)?;
        for slot in 0..256 {
            let entry = self.entry_of(side, root, slot)?;
            if self.entries.is_present(entry) {
                self.set_entry(side, page.frame, slot, entry)?;
            }
        }
        self.note(side, Undo::ClearUserRoot)?;
        let user_root = RootChange::Set(page.frame);
        self.ok(side, &PtSwitch { kernel_root: RootChange::Keep, user_root })?;
        Ok(page.frame)
    }

    /// Writes code into a page, from byte `offset` on.
    pub fn put_code(&mut self, side: Side, page: Page, offset: usize, code: &[u8]) {
        for (at, byte) in (offset..).zip(code) {
            let (word, shift) = (at / 8, at % 8 * 8);
            let old = self.read(side, page, word);
            self.write(side, page, word, old & !(0xff << shift) | u64::from(*byte) << shift);
        }
    }

    /// Runs machine code that must end in a trap whose cause the interface names.
    ///
    /// # Errors
    /// [`Stop::Failure`] when it ends otherwise; as [`run`](Self::run).
    #[track_caller]
    pub fn execute(
        &mut self,
        side: Side,
        half: Half,
        code: VirtAddr,
        registers: FourRegisters,
    ) -> Check<Executed> {
        let run = Run { half, code, registers };
        match self.run(side, run)? {
            Ran { trapped: Some(trapped), registers, .. } if trapped.cause.is_some() => {
                Ok(Executed { trapped, registers })
            }
            ran => Err(Stop::Failure(Message::at(
                core::panic::Location::caller(),
                format_args!("{run:x?}: {ran:x?}"),
            ))),
        }
    }
}
