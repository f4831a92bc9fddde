//! What the entry code calls when a guest has been left: a call that is answered at once, the rest of
//! one, a trap.
#![allow(unsafe_code, reason = "the entry code passes contexts by address")]

use super::Hypervisor;
use crate::arch::{self, Entered, Platform};
use crate::context::Context;
use crate::machine::Hardware;
use crate::stretch::What;
use pv_core::vcpu::Mode;
use pv_core::{Entry, Outcome, Quick, QuickEntry, Registers as _, Slot, State, quick_call};

/// What the entry code does after [`on_quick_call`]: the address of the context, with what is
/// left to do in the bits that its alignment leaves; none means to return to the guest. One
/// word, as each call's function is called last by the one before, which must return the same.
#[repr(transparent)]
struct QuickResult(*mut Context);

/// The call is answered; all registers are to be saved before the return.
const ANSWERED: usize = 1;
/// The call is still to be made, with all registers saved.
const UNANSWERED: usize = 2;
/// All registers are new: none is to be saved.
const REPLACED: usize = 3;
/// As [`REPLACED`], and [`on_call`] has the rest to do.
const REPLACED_ANSWERED: usize = 4;

const _: () = assert!(REPLACED_ANSWERED < align_of::<Context>());

/// Called by the entry code: the guest has made a call. Only the registers are saved that a call
/// reads or that Rust does not preserve.
///
/// # Safety
/// `context` is what the processor's entries are from, as `prepare_context` made it.
#[unsafe(no_mangle)]
unsafe extern "C" fn on_quick_call(context: *mut Context) -> QuickResult {
    // SAFETY: contexts are never freed, and nobody else touches one whose vCPU has entered.
    let entered = unsafe { &mut *context };
    let mut entered = EnteredGuest::lock(entered);
    if entered.hypervisor().0.observe {
        return entered.end(Quick::NotMade);
    }
    quick_call(entered)
}

/// A vCPU that has made a call, with the lock held: one pointer, so that it is passed on in a
/// register.
struct EnteredGuest(&'static mut Context);

impl EnteredGuest {
    #[inline(always)]
    fn lock(context: &'static mut Context) -> EnteredGuest {
        core::mem::forget(context.hypervisor.lock());
        EnteredGuest(context)
    }

    /// What the lock guards, and the vCPU's context.
    #[inline(always)]
    fn hypervisor(&mut self) -> (&mut Hypervisor, &mut Context) {
        // SAFETY: the lock is held while this value lives, which is borrowed.
        (unsafe { &mut *self.0.hypervisor.as_mut_ptr() }, self.0)
    }
}

impl Drop for EnteredGuest {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: `lock` took it and forgot the guard.
        unsafe { self.0.hypervisor.force_unlock() }
    }
}

impl QuickEntry<Platform> for EnteredGuest {
    type Machine = Hardware;
    type End = QuickResult;

    #[inline(always)]
    fn parts(&mut self) -> (&mut State<Platform>, &mut Hardware, Slot, &mut arch::Registers) {
        let (hypervisor, context) = self.hypervisor();
        let Hypervisor { state, machine, .. } = hypervisor;
        (state, machine, context.slot, &mut context.registers)
    }

    #[inline(always)]
    fn end(mut self, quick: Quick) -> QuickResult {
        let rest = match quick {
            Quick::Made => 0,
            Quick::EventDue => ANSWERED,
            Quick::NotMade => UNANSWERED,
            Quick::Replaced => REPLACED,
            Quick::ReplacedEventDue => REPLACED_ANSWERED,
        };
        QuickResult(core::ptr::from_mut(self.hypervisor().1).wrapping_byte_add(rest))
    }
}

/// Called by the entry code: the rest of a call, with all registers saved or new. Returns whom to go on
/// with.
///
/// # Safety
/// As [`on_quick_call`], whose `rest` this is.
#[unsafe(no_mangle)]
unsafe extern "C" fn on_call(context: *mut Context, rest: usize) -> *mut Context {
    // SAFETY: as in `on_quick_call`.
    let context = unsafe { &mut *context };
    let mut guard = context.hypervisor.lock();
    let hypervisor = &mut *guard;
    if hypervisor.observe {
        return hypervisor.observed_call(context);
    }
    let Hypervisor { state, machine, .. } = hypervisor;
    let (slot, registers) = (context.slot, &mut context.registers);
    let outcome = match rest {
        ANSWERED | REPLACED_ANSWERED => state.after_quick_call(machine, slot, registers),
        _ => state.after_unmade_call(machine, slot, registers),
    };
    match outcome {
        Outcome::Return => context,
        Outcome::Reschedule => hypervisor.leave(slot),
    }
}

/// Called by the entry code: the guest was left by anything but a call.
///
/// # Safety
/// As [`on_quick_call`].
#[unsafe(no_mangle)]
unsafe extern "C" fn on_trap(context: *mut Context) -> *mut Context {
    // SAFETY: as in `on_quick_call`.
    let context = unsafe { &mut *context };
    let mut guard = context.hypervisor.lock();
    let hypervisor = &mut *guard;
    if hypervisor.observe {
        hypervisor.observer.stretches.begin(What::Trap);
    }
    let entry = match arch::decode_trap(&mut context.registers) {
        Entered::Trap(trap) => Entry::Trap(trap),
        Entered::Interrupt => {
            hypervisor.observer.stretches.begin(What::Interrupt);
            arch::take_interrupt();
            hypervisor.interrupt();
            Entry::Interrupt
        }
    };
    let Hypervisor { state, machine, .. } = hypervisor;
    let outcome = state.enter(machine, context.slot, &mut context.registers, entry);
    if hypervisor.observe {
        if entry != Entry::Interrupt {
            hypervisor.audit();
        }
        hypervisor.observer.stretches.end();
    }
    match outcome {
        Outcome::Return => context,
        Outcome::Reschedule => hypervisor.leave(context.slot),
    }
}

impl Hypervisor {
    /// A call with trace and audit.
    #[cold]
    #[inline(never)]
    fn observed_call(&mut self, context: &mut Context) -> *mut Context {
        self.observer.stretches.begin(match self.state.vcpu(context.slot).mode {
            Mode::Kernel => What::Call(context.registers.number()),
            Mode::User => What::Trap,
        });
        self.observer.before_call(&self.state, context.slot, &context.registers);
        let Hypervisor { state, machine, .. } = self;
        let outcome = state.enter(machine, context.slot, &mut context.registers, Entry::Call);
        if outcome == Outcome::Return {
            self.observer.after_call(context.slot, &context.registers);
        }
        self.audit();
        match outcome {
            Outcome::Return => {
                self.observer.stretches.end();
                context
            }
            Outcome::Reschedule => {
                self.observer.stretches.goes_on(context.slot);
                self.leave(context.slot)
            }
        }
    }
}
