//! Page faults of processes. The hypervisor delivers them and knows nothing of heaps and
//! stacks: what is backed with what, and who is killed, is decided here.

use super::{
    super::surprise::{Surprise, surprise},
    End, HEAP_BASE, Next, Process, STACK_LIMIT, STACK_TOP,
};
use pv_guest::{
    abi::{PAGE_SIZE, VirtAddr, trap::FaultAccess},
    calls,
    memory::Memory,
    paging::Protection,
    println, trap,
};

/// Faults of one process, by what they were for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// First touches of heap pages.
    pub heap: u64,
    /// First touches of stack pages.
    pub stack: u64,
    /// Faults on pages that were there already: a translation that the processor had cached
    /// as absent.
    pub stale: u64,
}

impl Faults {
    /// Faults after which the process went on.
    pub fn served(&self) -> u64 {
        self.heap + self.stack + self.stale
    }
}

impl Process {
    /// Serves the page fault that its frame tells of.
    pub(super) fn page_fault(&mut self, memory: &mut Memory) -> Result<Next, Surprise> {
        let header = self.frame.header;
        let access = FaultAccess::from_bits_retain(header.code);
        if self.serve(memory, header.address, access)? {
            return Ok(Next::Continue);
        }
        println!("      process {}: {}", self.number, trap::Description(&self.frame));
        Ok(Next::End(End::Killed))
    }

    /// Makes memory at `address` fit for the access, if the process may have it. The mapping
    /// is made on the way back into the process, by the same call.
    pub(super) fn serve(
        &mut self,
        memory: &mut Memory,
        address: u64,
        access: FaultAccess,
    ) -> Result<bool, Surprise> {
        let page = VirtAddr(address & !(PAGE_SIZE - 1));
        if let Some((_, protection)) = self.space.find(memory, page) {
            let allowed = (protection.contains(Protection::WRITE)
                || !access.contains(FaultAccess::WRITE))
                && (protection.contains(Protection::EXECUTE)
                    || !access.contains(FaultAccess::EXECUTE));
            if allowed {
                self.faults.stale += 1;
                calls::tlb_flush(Some(page)).map_err(|error| surprise!("tlb_flush: {error}"))?;
            }
            return Ok(allowed);
        }
        let in_heap = (HEAP_BASE..self.heap_end).contains(&address);
        let in_stack = (STACK_TOP - STACK_LIMIT..STACK_TOP).contains(&address);
        if access.contains(FaultAccess::EXECUTE) || !(in_heap || in_stack) {
            return Ok(false);
        }
        let fresh = memory.allocate_zeroed().ok_or_else(|| surprise!("no free page"))?;
        self.space
            .map(memory, page, fresh, Protection::WRITE)
            .map_err(|error| surprise!("process {}: {error}", self.number))?;
        if in_heap {
            self.faults.heap += 1;
        } else {
            self.faults.stack += 1;
        }
        Ok(true)
    }
}
