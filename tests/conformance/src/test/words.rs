//! What a test reads and writes: start information, P2M, argument frame, pages, the vCPU page.

use core::mem::offset_of;

use hypercall_abi::{
    DomainId, Mfn, PAGE_SIZE, Pfn, Port, VirtAddr,
    calls::pte_update::Update,
    start_info::{ARGUMENT_PFN, START_INFO_PFN, StartInfo, VCPU_PAGE_PFN},
    trap::{Cause, FaultAccess},
    vcpu_page::{EVENTS_MASKED_OFFSET, MASK_OFFSET, PENDING_OFFSET},
};

use crate::{
    caller::{OWN, Side, Touch, Trapped},
    journal::Undo,
    outcome::Check,
};

use super::{Page, Test, failure};

impl Test<'_> {
    /// Reads a word of the start-information page at this byte offset.
    pub fn start_info(&mut self, side: Side, offset: usize) -> u64 {
        self.caller.read(side, START_INFO_PFN, offset / 8)
    }

    /// A domain's identity.
    pub fn domain(&mut self, side: Side) -> DomainId {
        let word = self.start_info(side, offset_of!(StartInfo, version));
        DomainId((word >> 32) as u16)
    }

    /// Root of the page tables that the domain started on.
    pub fn root(&mut self, side: Side) -> Mfn {
        Mfn(self.start_info(side, offset_of!(StartInfo, root)))
    }

    /// First address that is the hypervisor's.
    pub fn guest_end(&mut self) -> VirtAddr {
        VirtAddr(self.start_info(OWN, offset_of!(StartInfo, guest_end)))
    }

    /// Where a page lies in the physmap.
    pub fn physmap(&mut self, side: Side, page: Pfn) -> VirtAddr {
        VirtAddr(self.start_info(side, offset_of!(StartInfo, physmap_base)) + page.0 * PAGE_SIZE)
    }

    fn p2m_slot(&mut self, side: Side, page: Pfn) -> (Pfn, usize) {
        let first = self.start_info(side, offset_of!(StartInfo, p2m_pfn));
        (Pfn(first + page.0 / 512), (page.0 % 512) as usize)
    }

    /// The frame that backs a page, by the domain's P2M.
    pub fn p2m(&mut self, side: Side, page: Pfn) -> Mfn {
        let (slot, word) = self.p2m_slot(side, page);
        Mfn(self.caller.read(side, slot, word))
    }

    /// Writes the domain's P2M.
    pub fn set_p2m(&mut self, side: Side, page: Pfn, frame: Mfn) {
        let (slot, word) = self.p2m_slot(side, page);
        self.caller.write(side, slot, word, frame.0);
    }

    /// Reads a word of the argument frame.
    pub fn argument(&mut self, side: Side, word: usize) -> u64 {
        self.caller.read(side, ARGUMENT_PFN, word)
    }

    /// Writes a word of the argument frame.
    pub fn set_argument(&mut self, side: Side, word: usize, value: u64) {
        self.caller.write(side, ARGUMENT_PFN, word, value);
    }

    /// Writes the `index`th update to the argument frame.
    pub fn set_update(&mut self, side: Side, index: usize, update: Update) {
        self.set_argument(side, 2 * index, update.target.0);
        self.set_argument(side, 2 * index + 1, update.value);
    }

    /// Reads a word of a page.
    pub fn read(&mut self, side: Side, page: Page, word: usize) -> u64 {
        self.caller.read(side, page.pfn, word)
    }

    /// Writes a word of a page.
    pub fn write(&mut self, side: Side, page: Page, word: usize, value: u64) {
        self.caller.write(side, page.pfn, word, value);
    }

    /// Accesses virtual memory and checks that it faults with this access in its code.
    ///
    /// # Errors
    /// [`Stop::Failure`] when it does not.
    #[track_caller]
    pub fn faults(&mut self, side: Side, address: VirtAddr, touch: Touch) -> Check<Trapped> {
        let trapped = match self.touch(side, address, touch) {
            Ok(_) => {
                return Err(failure(format_args!("{touch:x?} at {:#x} went through", address.0)));
            }
            Err(trapped) => trapped,
        };
        let access = match touch {
            Touch::Read => FaultAccess::READ,
            Touch::Write(_) => FaultAccess::WRITE,
            Touch::Execute => FaultAccess::EXECUTE,
        };
        let code = trapped.code & !FaultAccess::PRESENT.bits();
        let told = trapped.cause == Some(Cause::PageFault)
            && code == access.bits()
            && trapped.address == address.0;
        if told {
            return Ok(trapped);
        }
        Err(failure(format_args!("{touch:x?} at {:#x}: {trapped:x?}", address.0)))
    }

    /// Accesses virtual memory, which must not fault: what was read.
    ///
    /// # Errors
    /// [`Stop::Failure`] when it does.
    #[track_caller]
    pub fn reaches(&mut self, side: Side, address: VirtAddr, touch: Touch) -> Check<u64> {
        self.touch(side, address, touch).map_err(|trapped| {
            failure(format_args!("{touch:x?} at {:#x}: {trapped:x?}", address.0))
        })
    }

    /// Accesses virtual memory.
    ///
    /// # Errors
    /// The trap instead.
    pub fn touch(&mut self, side: Side, address: VirtAddr, touch: Touch) -> Result<u64, Trapped> {
        self.caller.touch(side, address, touch)
    }

    /// Reads a word of the vCPU page at this byte offset.
    pub fn vcpu(&mut self, side: Side, offset: usize) -> u64 {
        self.caller.read(side, VCPU_PAGE_PFN, offset / 8)
    }

    /// Writes a word of the vCPU page at this byte offset.
    pub fn set_vcpu(&mut self, side: Side, offset: usize, value: u64) {
        self.caller.write(side, VCPU_PAGE_PFN, offset / 8, value);
    }

    fn port_bit(&mut self, side: Side, bitmap: usize, port: Port) -> bool {
        let word = self.vcpu(side, bitmap + 8 * (port.0 as usize / 64));
        word >> (port.0 % 64) & 1 == 1
    }

    /// Whether a port's pending bit is set.
    pub fn is_pending(&mut self, side: Side, port: Port) -> bool {
        self.port_bit(side, PENDING_OFFSET, port)
    }

    /// Whether a port's mask bit is set.
    pub fn is_masked(&mut self, side: Side, port: Port) -> bool {
        self.port_bit(side, MASK_OFFSET, port)
    }

    /// Clears a port's pending bit and `events_pending`.
    pub fn clear_pending(&mut self, side: Side, port: Port) {
        self.set_vcpu(side, hypercall_abi::vcpu_page::EVENTS_PENDING_OFFSET, 0);
        let offset = PENDING_OFFSET + 8 * (port.0 as usize / 64);
        let word = self.vcpu(side, offset);
        self.set_vcpu(side, offset, word & !(1 << (port.0 % 64)));
    }

    /// Unmasks events of a domain; masked again after the test.
    ///
    /// # Errors
    /// As [`note`](Self::note).
    pub fn unmask_events(&mut self, side: Side) -> Check {
        let word = (EVENTS_MASKED_OFFSET / 8) as u16;
        self.note(side, Undo::Word(VCPU_PAGE_PFN, word, 1))?;
        self.set_vcpu(side, EVENTS_MASKED_OFFSET, 0);
        Ok(())
    }
}
