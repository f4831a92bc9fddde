//! Traps: handing one to a guest kernel through the vCPU page, and returning from it.

use crate::Outcome;
use crate::call::{Answer, Refusal};
use crate::domain::{EndReason, Slot, Trap};
use crate::event::EVENTS_PENDING_WORD;
use crate::format::Format;
use crate::machine::Machine;
use crate::platform::{Platform, Registers};
use crate::state::State;
use crate::vcpu::Mode;
use hypercall_abi::Error;
use hypercall_abi::trap::{Cause, TRAP_FRAMES, TrapFlags, TrapHeader};
use hypercall_abi::vcpu_page::{EVENTS_MASKED_OFFSET, TRAP_DEPTH_OFFSET, TRAP_FRAMES_OFFSET};

/// Word of the vCPU page that masks events.
pub(crate) const EVENTS_MASKED_WORD: usize = EVENTS_MASKED_OFFSET / 8;
const TRAP_DEPTH_WORD: usize = TRAP_DEPTH_OFFSET / 8;
const HEADER_WORDS: usize = size_of::<TrapHeader>() / 8;

/// First word of the trap frame at `depth`, which is below [`TRAP_FRAMES`].
#[inline(always)]
fn frame_word<R: Registers>(depth: u64) -> usize {
    TRAP_FRAMES_OFFSET / 8 + depth as usize * (HEADER_WORDS + R::WORDS)
}

impl<P: Platform> State<P> {
    /// Whether a vCPU takes events, and its page says that some are pending and not masked.
    #[inline(always)]
    pub(crate) fn is_event_due(&self, machine: &impl Machine, slot: Slot) -> bool {
        let vcpu = self.vcpu(slot);
        vcpu.traps.is_some()
            && machine.read(vcpu.page, EVENTS_PENDING_WORD) != 0
            && machine.read(vcpu.page, EVENTS_MASKED_WORD) == 0
    }

    /// Delivers a trap to the kernel of a vCPU. A kernel that cannot take it ends.
    pub(crate) fn deliver_trap<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        registers: &mut P::Registers,
        trap: Trap,
    ) -> Outcome {
        let vcpu = self.vcpu(slot);
        let (page, mode) = (vcpu.page, vcpu.mode);
        let Some(entry) = vcpu.traps else {
            return self.end(machine, slot, EndReason::NoTrapEntry(trap));
        };
        let depth = machine.read(page, TRAP_DEPTH_WORD);
        if depth >= u64::from(TRAP_FRAMES) {
            return self.end(machine, slot, EndReason::TrapsTooDeep(trap));
        }
        let mut flags = TrapFlags::empty();
        flags.set(TrapFlags::USER, mode == Mode::User);
        flags.set(TrapFlags::EVENTS_MASKED, machine.read(page, EVENTS_MASKED_WORD) != 0);
        let base = frame_word::<P::Registers>(depth);
        machine.write(page, base, u64::from(trap.cause as u32) | u64::from(flags.bits()) << 32);
        machine.write(page, base + 1, trap.code);
        machine.write(page, base + 2, trap.address);
        machine.write(page, base + 3, 0);
        registers.hide_reserved();
        machine.write_block(page, base + HEADER_WORDS, registers.words());
        machine.write(page, TRAP_DEPTH_WORD, depth + 1);
        machine.write(page, EVENTS_MASKED_WORD, 1);
        let stack = match mode {
            Mode::User => {
                self.enter_mode(machine, slot, Mode::Kernel);
                entry.stack.0
            }
            Mode::Kernel => registers.sp() & !15,
        };
        registers.enter_handler(entry.entry.0, stack);
        self.domain_mut(slot).counters.traps += 1;
        Outcome::Return
    }

    /// Delivers an event trap, if one is due.
    #[inline(always)]
    pub(crate) fn deliver_events<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        registers: &mut P::Registers,
    ) -> Outcome {
        if !self.is_event_due(machine, slot) {
            return Outcome::Return;
        }
        let event = Trap { cause: Cause::Event, code: 0, address: 0 };
        self.deliver_trap(machine, slot, registers, event)
    }

    /// Takes the topmost trap frame off the vCPU page and goes on from it. Everything in it is
    /// read once and made safe before anything changes.
    #[inline(always)]
    pub(crate) fn pop_trap_frame<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        registers: &mut P::Registers,
    ) -> Result<(), Error> {
        let vcpu = self.vcpu(slot);
        let page = vcpu.page;
        // Depth 0 wraps and is out of range, as it should be.
        let depth = machine.read(page, TRAP_DEPTH_WORD).wrapping_sub(1);
        if depth >= u64::from(TRAP_FRAMES) {
            return Err(Error::BadTrapFrame);
        }
        let base = frame_word::<P::Registers>(depth);
        let flags = TrapFlags::from_bits_retain((machine.read(page, base) >> 32) as u32);
        if !TrapFlags::KNOWN.contains(flags) {
            return Err(Error::BadTrapFrame);
        }
        let mut popped = P::Registers::default();
        machine.read_block(page, base + HEADER_WORDS, popped.words_mut());
        // A return to an address that is not canonical faults in the hypervisor (XSA-7).
        if popped.sanitise().is_err() || popped.pc() >= P::Format::GUEST_END {
            return Err(Error::BadTrapFrame);
        }
        let user = flags.contains(TrapFlags::USER);
        if user && vcpu.user_root.is_none() {
            return Err(Error::NotRegistered);
        }
        machine.write(page, TRAP_DEPTH_WORD, depth);
        let masked = u64::from(flags.contains(TrapFlags::EVENTS_MASKED));
        machine.write(page, EVENTS_MASKED_WORD, masked);
        self.enter_mode(machine, slot, if user { Mode::User } else { Mode::Kernel });
        *registers = popped;
        Ok(())
    }

    /// Returns from a trap, as the end of a call that has made `done` updates.
    pub(crate) fn leave_trap<M: Machine>(
        &mut self,
        machine: &mut M,
        slot: Slot,
        registers: &mut P::Registers,
        done: u64,
    ) -> Answer {
        match self.pop_trap_frame(machine, slot, registers) {
            Ok(()) => Answer::Left(Outcome::Return),
            Err(error) => Answer::Done(Err(Refusal { error, done })),
        }
    }

    /// Puts a vCPU into a mode, and its processor onto that mode's root.
    #[inline(always)]
    fn enter_mode<M: Machine>(&mut self, machine: &mut M, slot: Slot, mode: Mode) {
        let vcpu = self.vcpu_mut(slot);
        vcpu.mode = mode;
        let root = vcpu.root();
        self.tlb.load_root(machine, root);
    }
}
