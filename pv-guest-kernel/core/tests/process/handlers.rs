//! Signal handlers, what they interrupt, and what they return to.

use crate::{signals::kill_self, world::*};
use proptest::prelude::*;

const EINTR: i64 = -4;
const EAGAIN: i64 = -11;

const NO_DEFER: u64 = 0x4000_0000;
const RESTART: u64 = 0x1000_0000;
const ON_STACK: u64 = 0x0800_0000;
const RESET: u64 = 0x8000_0000;
const INFO: u64 = 4;

const USR1: u64 = 10;
const ALRM: u64 = 14;

/// The handler at a label counts in a word, and returns.
fn counting(a: &mut Assembler, name: &'static str, count: u64) {
    a.label(name).set(8, count).put(Instruction::Load(7, 8, 0));
    a.put(Instruction::Add(7, 7, 1)).put(Instruction::Store(7, 8, 0));
    a.put(Instruction::JumpTo(LINK as u8));
}

/// An alarm in so many microseconds, and every so many again.
fn alarm_in(a: &mut Assembler, first: u64, interval: u64) {
    let timer = a.words(&[0, interval, 0, first]);
    a.call(Call::Setitimer, &[0.into(), timer.into(), 0.into()]).answers(0);
}

#[test]
fn a_handler_runs_and_the_program_goes_on_as_it_was() {
    passes(
        |a| {
            let count = a.words(&[0]);
            a.handle(USR1, "handler", INFO).answers(0).set(KEEP, 77).set(KEEP_TOO, 78);
            kill_self(a, USR1);
            a.answers(0).expect(KEEP, 77).expect(KEEP_TOO, 78).holds(count, 1).exit(0);
            // Signal, siginfo, context: who sent it is in the second.
            a.label("handler").expect(ARGUMENT as u8, USR1);
            a.put(Instruction::LoadByte(5, ARGUMENT as u8 + 1, 0)).expect(5, USR1);
            a.put(Instruction::Load(5, ARGUMENT as u8 + 1, 16)).expect(5, 1);
            a.set(KEEP, 1).set(KEEP_TOO, 2).jump("count");
            counting(a, "count", count);
            a.restorer();
        },
        alone,
    );
}

#[test]
fn a_signal_waits_while_its_handler_runs_unless_that_defers_nothing() {
    for (flags, while_it_runs) in [(0, 0), (NO_DEFER, 1)] {
        passes(
            |a| {
                let count = a.words(&[0]);
                let seen = a.words(&[99]);
                let first = a.words(&[1]);
                a.handle(USR1, "handler", flags).answers(0);
                kill_self(a, USR1);
                a.holds(seen, while_it_runs).holds(count, 2).exit(0);
                a.label("handler").set(8, first).put(Instruction::Load(7, 8, 0));
                a.jump_if_zero(7, "count").set(7, 0).put(Instruction::Store(7, 8, 0));
                // The first of them sends another, and keeps where it returns to.
                a.set(KEEP, r(LINK as u8));
                kill_self(a, USR1);
                a.set(8, count).put(Instruction::Load(7, 8, 0));
                a.set(8, seen).put(Instruction::Store(7, 8, 0)).set(LINK as u8, r(KEEP));
                a.jump("count");
                counting(a, "count", count);
                a.restorer();
            },
            alone,
        );
    }
}

#[test]
fn a_handler_blocks_what_it_was_installed_with() {
    passes(
        |a| {
            let (count, seen) = (a.words(&[0]), a.words(&[99]));
            let action = a.words(&[0; 4]);
            a.handle(12, "count", 0).answers(0).handle(USR1, "handler", 0).answers(0);
            // The same again, with the other signal in its mask.
            a.call(Call::RtSigaction, &[USR1.into(), 0.into(), action.into(), 8.into()]);
            a.answers(0).set(8, action).set(7, 1 << 11);
            a.put(Instruction::Store(7, 8, if cfg_riscv(a) { 16 } else { 24 }));
            a.call(Call::RtSigaction, &[USR1.into(), action.into(), 0.into(), 8.into()]);
            a.answers(0);
            kill_self(a, USR1);
            a.holds(seen, 0).holds(count, 1).exit(0);
            a.label("handler").set(KEEP, r(LINK as u8));
            kill_self(a, 12);
            a.set(8, count).put(Instruction::Load(7, 8, 0));
            a.set(8, seen).put(Instruction::Store(7, 8, 0)).put(Instruction::JumpTo(KEEP));
            counting(a, "count", count);
            a.restorer();
        },
        alone,
    );
}

#[test]
fn a_handler_of_a_fault_learns_the_address_and_can_skip_the_instruction() {
    passes(
        |a| {
            let address = a.words(&[0]);
            a.handle(11, "handler", INFO).answers(0).set(KEEP, 0x12_3000);
            a.put(Instruction::Store(KEEP, KEEP, 8)).holds(address, 0x12_3008).exit(0);
            a.label("handler").put(Instruction::Load(5, ARGUMENT as u8 + 1, 16));
            a.put(Instruction::LoadByte(6, ARGUMENT as u8 + 1, 8)).expect(6, 1);
            a.set(8, address).put(Instruction::Store(5, 8, 0));
            // The program counter is the seventeenth of the model's words.
            let pc = if cfg_riscv(a) { 176 + 16 * 8 } else { 40 + 16 * 8 };
            a.put(Instruction::Load(5, ARGUMENT as u8 + 2, pc)).put(Instruction::Add(5, 5, 16));
            a.put(Instruction::Store(5, ARGUMENT as u8 + 2, pc));
            a.put(Instruction::JumpTo(LINK as u8)).restorer();
        },
        alone,
    );
}

fn cfg_riscv(a: &Assembler) -> bool {
    a.machine() == kernel_core::Machine::Riscv64
}

#[test]
fn a_handler_ends_a_read_or_restarts_it_as_it_was_installed() {
    for restarts in [false, true] {
        passes(
            |a| {
                let count = a.words(&[0]);
                let ends = a.words(&[0]);
                let byte = a.words(&[0]);
                a.handle(ALRM, "handler", if restarts { RESTART } else { 0 }).answers(0);
                a.call(Call::Pipe2, &[ends.into(), 0.into()]).answers(0);
                alarm_in(a, 1000, 0);
                a.call(Call::Read, &[3.into(), byte.into(), 8.into()]);
                a.answers(if restarts { 2 } else { EINTR }).holds(count, 1).exit(0);
                // What the handler writes, a restarted read finds.
                a.label("handler").set(KEEP, r(LINK as u8));
                a.call(Call::Write, &[4.into(), byte.into(), 2.into()]).answers(2);
                a.set(LINK as u8, r(KEEP)).jump("count");
                counting(a, "count", count);
                a.restorer();
            },
            alone,
        );
    }
}

#[test]
fn a_sleep_is_ended_by_a_handler_even_one_that_restarts() {
    passes(
        |a| {
            let count = a.words(&[0]);
            let time = a.words(&[5, 0]);
            let left = a.words(&[0, 0]);
            a.handle(ALRM, "count", RESTART).answers(0);
            alarm_in(a, 1000, 0);
            a.call(Call::Nanosleep, &[time.into(), left.into()]).answers(EINTR);
            a.holds(count, 1).holds(left, 4).exit(0);
            counting(a, "count", count);
            a.restorer();
        },
        alone,
    );
}

#[test]
fn an_alarm_rings_again_and_again_until_it_is_stopped() {
    passes(
        |a| {
            let count = a.words(&[0]);
            let off = a.words(&[0; 4]);
            let now = a.words(&[9; 4]);
            let none = a.words(&[0]);
            a.handle(ALRM, "count", 0).answers(0);
            alarm_in(a, 500, 700);
            for _ in 0..3 {
                a.call(Call::RtSigsuspend, &[none.into(), 8.into()]).answers(EINTR);
            }
            a.holds(count, 3).call(Call::Setitimer, &[0.into(), off.into(), now.into()]);
            a.answers(0).holds(now + 8, 700);
            a.call(Call::Getitimer, &[0.into(), now.into()]).holds(now + 8, 0).holds(now + 24, 0);
            a.exit(0);
            counting(a, "count", count);
            a.restorer();
        },
        alone,
    );
}

#[test]
fn sigsuspend_lets_in_what_was_blocked_and_blocks_it_again() {
    passes(
        |a| {
            let count = a.words(&[0]);
            let set = a.words(&[1 << (USR1 - 1)]);
            let none = a.words(&[0]);
            let now = a.words(&[0]);
            a.handle(USR1, "count", RESTART).answers(0);
            a.call(Call::RtSigprocmask, &[0.into(), set.into(), 0.into(), 8.into()]).answers(0);
            kill_self(a, USR1);
            a.holds(count, 0).call(Call::RtSigpending, &[now.into(), 8.into()]);
            a.holds(now, 1 << (USR1 - 1));
            a.call(Call::RtSigsuspend, &[none.into(), 8.into()]).answers(EINTR).holds(count, 1);
            a.call(Call::RtSigprocmask, &[0.into(), 0.into(), now.into(), 8.into()]).answers(0);
            a.holds(now, 1 << (USR1 - 1)).exit(0);
            counting(a, "count", count);
            a.restorer();
        },
        alone,
    );
}

#[test]
fn signals_can_be_waited_for_without_a_handler() {
    passes(
        |a| {
            let set = a.words(&[1 << (USR1 - 1)]);
            let info = a.words(&[0; 16]);
            let time = a.words(&[0, 2_000_000]);
            a.call(Call::RtSigprocmask, &[0.into(), set.into(), 0.into(), 8.into()]).answers(0);
            let wait = |a: &mut Assembler| {
                a.call(Call::RtSigtimedwait, &[set.into(), info.into(), time.into(), 8.into()]);
            };
            wait(a);
            a.answers(EAGAIN).fork().jump_if_zero(CALL as u8, "child");
            wait(a);
            a.answers(USR1 as i64).holds(info + 16, 2).exit(0);
            a.label("child").call(Call::Getppid, &[]).set(8, r(CALL as u8));
            a.call(Call::Kill, &[r(8), USR1.into()]).exit(0);
        },
        alone,
    );
}

#[test]
fn handlers_run_on_their_own_stack_if_they_should() {
    passes(
        |a| {
            let old = a.words(&[0; 3]);
            let stack = a.words(&[ZEROS, 0, 8192]);
            let small = a.words(&[ZEROS, 0, 100]);
            a.zeros(8192);
            a.call(Call::Sigaltstack, &[small.into(), 0.into()]).answers(-12);
            a.call(Call::Sigaltstack, &[stack.into(), old.into()]).answers(0).holds(old + 8, 2);
            a.handle(USR1, "handler", ON_STACK).answers(0).set(KEEP, r(STACK as u8));
            kill_self(a, USR1);
            a.put(Instruction::Set(5, 0)).exit(0);
            // On the stack, it cannot be replaced.
            a.label("handler").set(KEEP, r(LINK as u8));
            a.call(Call::Sigaltstack, &[stack.into(), old.into()]).answers(-1);
            a.call(Call::Sigaltstack, &[0.into(), old.into()]).answers(0).holds(old + 8, 1);
            a.put(Instruction::JumpTo(KEEP)).restorer();
        },
        alone,
    );
}

#[test]
fn without_a_stack_a_handler_cannot_run() {
    passes(
        |a| {
            let found = a.words(&[0]);
            a.fork().jump_if_zero(CALL as u8, "child");
            a.call(Call::Wait4, &[2.into(), found.into(), 0.into(), 0.into()]).answers(2);
            a.holds(found, 11).exit(0);
            a.label("child")
                .handle(11, "handler", 0)
                .answers(0)
                .handle(USR1, "handler", 0)
                .answers(0);
            a.set(STACK as u8, 0x8000);
            kill_self(a, USR1);
            a.exit(100).label("handler").exit(101).restorer();
        },
        alone,
    );
}

#[test]
fn a_handler_that_is_to_run_once_runs_once() {
    passes(
        |a| {
            let (found, count) = (a.words(&[0]), a.words(&[0]));
            a.fork().jump_if_zero(CALL as u8, "child");
            a.call(Call::Wait4, &[2.into(), found.into(), 0.into(), 0.into()]).answers(2);
            a.holds(found, USR1).exit(0);
            a.label("child").handle(USR1, "count", RESET).answers(0);
            kill_self(a, USR1);
            a.holds(count, 1);
            kill_self(a, USR1);
            a.exit(100);
            counting(a, "count", count);
            a.restorer();
        },
        alone,
    );
}

/// A child returns from a signal that it never had, with a frame of these bytes; the others go
/// on whatever becomes of it.
fn return_with<const RISCV: bool>(frame: &[u8], sp: Option<u64>) {
    let mut init = program::<RISCV>();
    let at = init.data(frame);
    let time = init.words(&[0, 3_000_000]);
    init.fork().jump_if_zero(CALL as u8, "child");
    init.call(Call::Nanosleep, &[time.into(), 0.into()]).answers(0);
    init.call(Call::Kill, &[2.into(), 9.into()]);
    init.call(Call::Wait4, &[2.into(), 0.into(), 0.into(), 0.into()]).answers(2).exit(0);
    init.label("child").set(STACK as u8, sp.unwrap_or(at));
    init.call(Call::RtSigreturn, &[]).exit(0);
    let mut kernel = kernel::<RISCV>(&[("init", init.elf())]);
    assert_eq!(run(&mut kernel), End::Init(0));
    finish(kernel);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_hostile_frame_hurts_nobody_else(
        bytes in prop::collection::vec(prop_oneof![3 => Just(0), 1 => any::<u8>()], 1200),
        sp in prop::option::weighted(0.3, any::<u64>()),
    ) {
        return_with::<false>(&bytes, sp);
        return_with::<true>(&bytes, sp);
    }
}
