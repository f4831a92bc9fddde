//! Jobs: groups, sessions, stopping and going on; keys that mean signals; pipes between
//! processes.

use crate::world::*;

const NO_HANG: u64 = 1;
const UNTRACED: u64 = 2;
const CONTINUED: u64 = 8;

fn wait(a: &mut Assembler, status: u64, options: u64) {
    a.call(Call::Wait4, &[u64::MAX.into(), status.into(), options.into(), 0.into()]);
}

#[test]
fn a_parent_learns_that_a_child_stopped_and_went_on() {
    passes(
        |a| {
            let status = a.words(&[0]);
            a.fork().jump_if_zero(CALL as u8, "child");
            a.call(Call::Kill, &[2.into(), 19.into()]).answers(0);
            wait(a, status, UNTRACED);
            a.answers(2).holds(status, 0x137f);
            // Once learnt, it is not learnt again; and who does not ask for it does not learn it.
            wait(a, status, UNTRACED | CONTINUED | NO_HANG);
            a.answers(0).call(Call::Kill, &[2.into(), 18.into()]).answers(0);
            wait(a, status, NO_HANG);
            a.answers(0);
            wait(a, status, CONTINUED);
            a.answers(2).holds(status, 0xffff).call(Call::Kill, &[2.into(), 15.into()]);
            wait(a, status, 0);
            a.answers(2).holds(status, 15).exit(0);
            a.label("child").call(Call::SchedYield, &[]).jump("child");
        },
        alone,
    );
}

#[test]
fn a_stopped_process_can_be_killed_and_nothing_else() {
    passes(
        |a| {
            let status = a.words(&[0]);
            a.fork().jump_if_zero(CALL as u8, "child");
            a.call(Call::Kill, &[2.into(), 20.into()]).answers(0);
            wait(a, status, UNTRACED);
            // Its group is an orphan: the key of a terminal does not stop it.
            a.answers(2).holds(status, 15).exit(0);
            a.label("child").call(Call::Kill, &[2.into(), 20.into()]);
            a.call(Call::Kill, &[2.into(), 15.into()]).jump("child");
        },
        alone,
    );
    passes(
        |a| {
            let status = a.words(&[0]);
            a.fork().jump_if_zero(CALL as u8, "child");
            a.call(Call::Kill, &[2.into(), 19.into()]).answers(0);
            wait(a, status, UNTRACED);
            a.answers(2).call(Call::Kill, &[2.into(), 15.into()]).answers(0);
            wait(a, status, NO_HANG);
            a.answers(0).call(Call::Kill, &[2.into(), 9.into()]).answers(0);
            wait(a, status, 0);
            a.answers(2).holds(status, 9).exit(0);
            a.label("child").call(Call::SchedYield, &[]).jump("child");
        },
        alone,
    );
}

#[test]
fn groups_and_sessions_are_as_their_rules_say() {
    const EPERM: i64 = -1;
    const ESRCH: i64 = -3;
    passes(
        |a| {
            let status = a.words(&[0]);
            a.call(Call::Setsid, &[]).answers(1).call(Call::Setsid, &[]).answers(EPERM);
            a.fork().jump_if_zero(CALL as u8, "child");
            a.call(Call::Getpgid, &[2.into()]).answers(1);
            a.call(Call::Setpgid, &[2.into(), 99.into()]).answers(EPERM);
            a.call(Call::Setpgid, &[2.into(), 2.into()]).answers(0);
            a.call(Call::Getpgid, &[2.into()]).answers(2);
            a.call(Call::Setpgid, &[0.into(), 2.into()]).answers(EPERM);
            a.call(Call::Setpgid, &[77.into(), 1.into()]).answers(ESRCH);
            a.call(Call::Kill, &[(-2_i64 as u64).into(), 10.into()]).answers(0);
            wait(a, status, 0);
            a.answers(2).holds(status, 10).exit(0);
            a.label("child").call(Call::SchedYield, &[]).jump("child");
        },
        alone,
    );
}

#[test]
fn a_stopped_group_that_nobody_can_continue_gets_a_hangup() {
    passes(
        |a| {
            let status = a.words(&[0]);
            a.call(Call::Setsid, &[]).answers(1);
            a.fork().jump_if_zero(CALL as u8, "leader");
            wait(a, status, 0);
            a.answers(2).holds(status, 0);
            // The orphan was stopped; it ends by the hangup.
            wait(a, status, 0);
            a.answers(3).holds(status, 1).exit(0);
            a.label("leader").call(Call::Setsid, &[]).answers(2);
            a.fork().jump_if_zero(CALL as u8, "job");
            a.call(Call::Setpgid, &[3.into(), 3.into()]).answers(0);
            a.call(Call::Kill, &[3.into(), 19.into()]).answers(0);
            wait(a, status, UNTRACED);
            a.answers(3).holds(status, 0x137f).exit(0);
            a.label("job").call(Call::SchedYield, &[]).jump("job");
        },
        alone,
    );
}

#[test]
fn a_stopped_process_does_not_mind_the_end_of_another_in_its_group() {
    passes(
        |a| {
            let status = a.words(&[0]);
            a.fork().jump_if_zero(CALL as u8, "stopped");
            a.call(Call::Kill, &[2.into(), 19.into()]).answers(0);
            wait(a, status, UNTRACED);
            a.answers(2).holds(status, 0x137f);
            // Its group has been an orphan before, and nobody's end made it one.
            a.fork().jump_if_zero(CALL as u8, "other");
            wait(a, status, 0);
            a.answers(3).holds(status, 0);
            a.call(Call::Kill, &[2.into(), 9.into()]).answers(0);
            wait(a, status, 0);
            a.answers(2).holds(status, 9).exit(0);
            a.label("stopped").call(Call::SchedYield, &[]).jump("stopped");
            a.label("other").exit(0);
        },
        alone,
    );
}

#[test]
fn a_key_ends_what_is_in_the_foreground() {
    let mut a = program::<false>();
    let status = a.words(&[0]);
    // The terminal is the session's.
    a.call(Call::Setsid, &[]).answers(1).call(Call::Ioctl, &[0.into(), 0x540e.into(), 0.into()]);
    a.answers(0).fork().jump_if_zero(CALL as u8, "child");
    wait(&mut a, status, 0);
    a.answers(2).holds(status, 2).exit(0);
    a.label("child").set(8, 0);
    a.label("loop").jump("loop");
    let mut kernel = kernel::<false>(&[("init", a.elf())]);
    for _ in 0..40 {
        assert_eq!(kernel.turn(), None);
    }
    kernel.platform.type_in(b"\x03");
    assert_eq!(run(&mut kernel), End::Init(0));
    finish(kernel);
}

#[test]
fn two_processes_talk_by_pipes() {
    passes(
        |a| {
            let (there, back) = (a.words(&[0]), a.words(&[0]));
            let (byte, status) = (a.words(&[0]), a.words(&[0]));
            a.call(Call::Pipe2, &[there.into(), 0.into()]).answers(0);
            a.call(Call::Pipe2, &[back.into(), 0.into()]).answers(0);
            a.fork().jump_if_zero(CALL as u8, "child").set(KEEP, 50);
            a.label("ping").call(Call::Write, &[4.into(), byte.into(), 8.into()]).answers(8);
            a.call(Call::Read, &[5.into(), byte.into(), 8.into()]).answers(8);
            a.put(Instruction::Add(KEEP, KEEP, u64::MAX)).jump_if_zero(KEEP, "enough").jump("ping");
            a.label("enough").holds(byte, 50).call(Call::Close, &[4.into()]).answers(0);
            wait(a, status, 0);
            a.answers(2).holds(status, 0).exit(0);
            a.label("child").call(Call::Close, &[4.into()]).answers(0);
            a.label("pong").call(Call::Read, &[3.into(), byte.into(), 8.into()]);
            a.jump_if_zero(CALL as u8, "end").answers(8).set(8, byte);
            a.put(Instruction::Load(7, 8, 0)).put(Instruction::Add(7, 7, 1));
            a.put(Instruction::Store(7, 8, 0));
            a.call(Call::Write, &[6.into(), byte.into(), 8.into()]).answers(8).jump("pong");
            a.label("end").exit(0);
        },
        alone,
    );
}

#[test]
fn a_restarted_wait_still_finds_the_child() {
    passes(
        |a| {
            let (count, status) = (a.words(&[0]), a.words(&[0]));
            let time = a.words(&[0, 5_000_000]);
            let timer = a.words(&[0, 0, 0, 1000]);
            a.handle(14, "handler", 0x1000_0000).answers(0);
            a.fork().jump_if_zero(CALL as u8, "child");
            a.call(Call::Setitimer, &[0.into(), timer.into(), 0.into()]).answers(0);
            wait(a, status, 0);
            a.answers(2).holds(count, 1).holds(status, 0x500).exit(0);
            a.label("child").call(Call::Nanosleep, &[time.into(), 0.into()]).exit(5);
            a.label("handler").set(8, count).put(Instruction::Load(7, 8, 0));
            a.put(Instruction::Add(7, 7, 1)).put(Instruction::Store(7, 8, 0));
            a.put(Instruction::JumpTo(LINK as u8)).restorer();
        },
        alone,
    );
}

#[test]
fn a_parent_is_told_of_stops_only_if_it_wants() {
    const NO_CHILD_STOP: u64 = 1;
    for (flags, told) in [(0, 3), (NO_CHILD_STOP, 1)] {
        passes(
            |a| {
                let (count, status) = (a.words(&[0]), a.words(&[0]));
                a.handle(17, "handler", flags | 0x1000_0000).answers(0);
                a.fork().jump_if_zero(CALL as u8, "child");
                a.call(Call::Kill, &[2.into(), 19.into()]).answers(0);
                wait(a, status, UNTRACED);
                a.answers(2).call(Call::Kill, &[2.into(), 18.into()]).answers(0);
                wait(a, status, CONTINUED);
                a.answers(2).call(Call::Kill, &[2.into(), 9.into()]).answers(0);
                wait(a, status, 0);
                a.answers(2).holds(count, told).exit(0);
                a.label("child").call(Call::SchedYield, &[]).jump("child");
                a.label("handler").expect(ARGUMENT as u8, 17);
                a.set(8, count).put(Instruction::Load(7, 8, 0));
                a.put(Instruction::Add(7, 7, 1)).put(Instruction::Store(7, 8, 0));
                a.put(Instruction::JumpTo(LINK as u8)).restorer();
            },
            alone,
        );
    }
}

#[test]
fn a_parent_that_does_not_wait_has_no_children_left() {
    const NO_CHILD_WAIT: u64 = 2;
    passes(
        |a| {
            let (count, status) = (a.words(&[0]), a.words(&[0]));
            a.handle(17, "handler", NO_CHILD_WAIT | 0x1000_0000).answers(0);
            a.fork().jump_if_zero(CALL as u8, "child");
            wait(a, status, 0);
            a.answers(-10).holds(count, 1).holds(status, 0).exit(0);
            a.label("child").exit(3);
            a.label("handler").set(8, count).put(Instruction::Load(7, 8, 0));
            a.put(Instruction::Add(7, 7, 1)).put(Instruction::Store(7, 8, 0));
            a.put(Instruction::JumpTo(LINK as u8)).restorer();
        },
        alone,
    );
}
