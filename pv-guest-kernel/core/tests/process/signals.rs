//! Signals that nobody handles, and those that are refused.

use crate::world::*;

const EINVAL: i64 = -22;

/// The program sends itself a signal.
pub fn kill_self(a: &mut Assembler, signal: u64) {
    a.call(Call::Getpid, &[]).set(8, r(CALL as u8));
    a.call(Call::Kill, &[r(8), signal.into()]);
}

#[test]
fn what_nobody_handles_ends_the_process_with_its_signal() {
    // What the child does, and how it ends.
    type Deed = fn(&mut Assembler);
    fn nowhere(a: &mut Assembler) {
        a.set(8, 0x9000).put(Instruction::Load(7, 8, 0));
    }
    fn its_code(a: &mut Assembler) {
        a.set(8, l("child")).put(Instruction::Store(7, 8, 0));
    }
    fn by_zero(a: &mut Assembler) {
        a.set(7, 0).put(Instruction::Divide(7, 7, 7));
    }
    fn breakpoint(a: &mut Assembler) {
        a.put(Instruction::Break);
    }
    fn between(a: &mut Assembler) {
        a.set(8, l("child")).put(Instruction::Add(8, 8, 4)).put(Instruction::JumpTo(8));
    }
    fn no_instruction(a: &mut Assembler) {
        a.set(8, DATA).put(Instruction::JumpTo(8));
    }
    let deeds: [(Deed, u64); 9] = [
        (nowhere, 11),
        (its_code, 11),
        (no_instruction, 11),
        (by_zero, 8),
        (breakpoint, 5),
        (between, 7),
        (|a| kill_self(a, 15), 15),
        (|a| kill_self(a, 9), 9),
        (|a| kill_self(a, 40), 40),
    ];
    for (deed, status) in deeds {
        passes(
            |a| {
                let found = a.words(&[0]);
                a.fork().jump_if_zero(CALL as u8, "child");
                a.call(Call::Wait4, &[2.into(), found.into(), 0.into(), 0.into()]).answers(2);
                a.holds(found, status).exit(0);
                a.label("child");
                deed(a);
                a.exit(100);
            },
            alone,
        );
    }
}

#[test]
fn a_fault_that_is_blocked_ends_the_process() {
    passes(
        |a| {
            let found = a.words(&[0]);
            let set = a.words(&[1 << 10]);
            a.fork().jump_if_zero(CALL as u8, "child");
            a.call(Call::Wait4, &[2.into(), found.into(), 0.into(), 0.into()]).answers(2);
            a.holds(found, 11).exit(0);
            a.label("child").handle(11, "handler", 0);
            a.call(Call::RtSigprocmask, &[0.into(), set.into(), 0.into(), 8.into()]).answers(0);
            a.set(8, 0).put(Instruction::Load(7, 8, 0)).exit(100);
            a.label("handler").exit(101).restorer();
        },
        alone,
    );
}

#[test]
fn what_cannot_be_handled_is_refused() {
    passes(
        |a| {
            let action = a.words(&[1, 0, 0, 0]);
            for (signal, size, answer) in
                [(9, 8, EINVAL), (19, 8, EINVAL), (65, 8, EINVAL), (0, 8, EINVAL), (10, 4, EINVAL)]
            {
                let size = Operand::Value(size);
                a.call(Call::RtSigaction, &[Operand::Value(signal), action.into(), 0.into(), size]);
                a.answers(answer);
            }
            a.call(Call::RtSigaction, &[10.into(), 8.into(), 0.into(), 8.into()]).answers(-14);
            // What is not there gets no signal, and nobody knows signal 99.
            a.call(Call::Kill, &[77.into(), 0.into()]).answers(-3);
            a.call(Call::Kill, &[1.into(), 99.into()]).answers(EINVAL);
            a.call(Call::Tgkill, &[1.into(), 2.into(), 0.into()]).answers(-3).exit(0);
        },
        alone,
    );
}

#[test]
fn the_first_process_gets_no_signal_that_it_does_not_handle() {
    passes(
        |a| {
            a.fork().jump_if_zero(CALL as u8, "child");
            a.call(Call::Wait4, &[2.into(), 0.into(), 0.into(), 0.into()]).answers(2);
            kill_self(a, 15);
            a.exit(0);
            a.label("child");
            for signal in [9, 15, 19] {
                a.call(Call::Kill, &[1.into(), Operand::Value(signal)]).answers(0);
            }
            a.exit(0);
        },
        alone,
    );
}

#[test]
fn users_send_signals_to_their_own_processes_only() {
    passes(
        |a| {
            a.call(Call::Setuid, &[1000.into()])
                .answers(0)
                .fork()
                .jump_if_zero(CALL as u8, "child");
            a.call(Call::Kill, &[2.into(), 9.into()]).answers(0);
            a.call(Call::Wait4, &[2.into(), 0.into(), 0.into(), 0.into()]).answers(2).exit(0);
            a.label("child").call(Call::SchedYield, &[]).jump("child");
        },
        alone,
    );
    passes(
        |a| {
            a.fork().jump_if_zero(CALL as u8, "child");
            let status = a.words(&[0]);
            a.call(Call::Wait4, &[2.into(), status.into(), 0.into(), 0.into()]).answers(2);
            a.holds(status, 0).exit(0);
            a.label("child").call(Call::Setuid, &[1000.into()]).answers(0);
            a.call(Call::Kill, &[1.into(), 0.into()]).answers(-1);
            a.call(Call::Kill, &[u64::MAX.into(), 9.into()]).answers(-3).exit(0);
        },
        alone,
    );
}

#[test]
fn who_writes_to_a_pipe_that_nobody_reads_ends() {
    passes(
        |a| {
            let (ends, status) = (a.words(&[0]), a.words(&[0]));
            a.fork().jump_if_zero(CALL as u8, "child");
            a.call(Call::Wait4, &[2.into(), status.into(), 0.into(), 0.into()]).answers(2);
            a.holds(status, 13).exit(0);
            a.label("child").call(Call::Pipe2, &[ends.into(), 0.into()]).answers(0);
            a.call(Call::Close, &[3.into()]).answers(0);
            a.call(Call::Write, &[4.into(), ends.into(), 1.into()]).exit(100);
        },
        alone,
    );
}

#[test]
fn to_go_on_takes_back_a_stop_that_waits_and_the_other_way_round() {
    passes(
        |a| {
            // SIGCONT and SIGTSTP, as bits.
            let (go_on, stop) = (1 << 17, 1 << 19);
            let (set, now) = (a.words(&[go_on | stop]), a.words(&[0]));
            let pending = |a: &mut Assembler, bits: u64| {
                a.call(Call::RtSigpending, &[now.into(), 8.into()]).answers(0).holds(now, bits);
            };
            a.call(Call::RtSigprocmask, &[0.into(), set.into(), 0.into(), 8.into()]).answers(0);
            kill_self(a, 20);
            pending(a, stop);
            kill_self(a, 18);
            pending(a, go_on);
            kill_self(a, 20);
            pending(a, stop);
            a.exit(0);
        },
        alone,
    );
}
