//! Calls that wait for one another, made by programs: the terminal in the background, pipes that
//! are full, `poll`, FIFOs.

use crate::world::*;

const CWD: u64 = -100_i64 as u64;
const UNTRACED: u64 = 2;
const TIOCSCTTY: u64 = 0x540e;
const TIOCSPGRP: u64 = 0x5410;

fn wait(a: &mut Assembler, status: u64, options: u64) {
    a.call(Call::Wait4, &[u64::MAX.into(), status.into(), options.into(), 0.into()]);
}

/// The first process has the terminal.
fn take_terminal(a: &mut Assembler) {
    a.call(Call::Setsid, &[]).answers(1);
    a.call(Call::Ioctl, &[0.into(), TIOCSCTTY.into(), 0.into()]).answers(0);
}

#[test]
fn a_job_that_reads_in_the_background_stops_and_reads_on_in_the_foreground() {
    let mut a = program::<false>();
    let (status, group, buffer) = (a.words(&[0]), a.words(&[2]), a.words(&[0, 0]));
    take_terminal(&mut a);
    a.fork().jump_if_zero(CALL as u8, "child");
    a.call(Call::Setpgid, &[2.into(), 2.into()]).answers(0);
    // It stops by SIGTTIN.
    wait(&mut a, status, UNTRACED);
    a.answers(2).holds(status, 0x157f);
    a.call(Call::Ioctl, &[0.into(), TIOCSPGRP.into(), group.into()]).answers(0);
    a.call(Call::Kill, &[2.into(), 18.into()]).answers(0);
    wait(&mut a, status, 0);
    a.answers(2).holds(status, 0x700).exit(0);
    a.label("child").call(Call::Setpgid, &[0.into(), 0.into()]);
    a.call(Call::Read, &[0.into(), buffer.into(), 16.into()]).answers(3);
    a.holds(buffer, u64::from_le_bytes(*b"ok\n\0\0\0\0\0")).exit(7);
    let mut kernel = kernel::<false>(&[("init", a.elf())]);
    for _ in 0..40 {
        assert_eq!(kernel.turn(), None);
    }
    kernel.platform.type_in(b"ok\n");
    assert_eq!(run(&mut kernel), End::Init(0));
    finish(kernel);
}

#[test]
fn one_write_fills_a_pipe_many_times_over_and_loses_nothing() {
    const LENGTH: u64 = 300_000;
    passes(
        |a| {
            let (pipe, status) = (a.words(&[0]), a.words(&[0]));
            let at = 0x5000_0000;
            let map = [at, LENGTH, 3, 0x32, u64::MAX, 0].map(Operand::Value);
            a.call(Call::Mmap, &map).answers(at as i64);
            a.call(Call::Pipe2, &[pipe.into(), 0.into()]).answers(0);
            a.fork().jump_if_zero(CALL as u8, "child");
            a.call(Call::Close, &[3.into()]).set(8, at + LENGTH - 8).set(7, 0x1234_5678);
            a.put(Instruction::Store(7, 8, 0));
            a.call(Call::Write, &[4.into(), at.into(), LENGTH.into()]).answers(LENGTH as i64);
            a.call(Call::Close, &[4.into()]);
            wait(a, status, 0);
            a.answers(2).holds(status, 0).exit(0);
            // The child reads in pieces of an odd length, and adds up.
            a.label("child").call(Call::Close, &[4.into()]).set(KEEP, 0);
            a.label("read").call(Call::Read, &[3.into(), at.into(), 7777.into()]);
            a.jump_if_zero(CALL as u8, "end").put(Instruction::Sum(KEEP, KEEP, CALL as u8));
            a.set(KEEP_TOO, r(CALL as u8)).jump("read");
            a.label("end").expect(KEEP, LENGTH).put(Instruction::Add(8, KEEP_TOO, at - 8));
            a.put(Instruction::Load(7, 8, 0)).expect(7, 0x1234_5678).exit(0);
        },
        alone,
    );
}

#[test]
fn poll_waits_for_a_pipe_and_for_the_time() {
    passes(
        |a| {
            let (pipe, status) = (a.words(&[0]), a.words(&[0]));
            // The reading end, for something to read.
            let polled = a.words(&[0x1_0000_0003]);
            let (short, long) = (a.words(&[0, 1_000_000]), a.words(&[9, 0]));
            let (before, after) = (a.words(&[0, 0]), a.words(&[0, 0]));
            a.call(Call::Pipe2, &[pipe.into(), 0.into()]).answers(0);
            a.call(Call::ClockGettime, &[1.into(), before.into()]).answers(0);
            let poll = |a: &mut Assembler, span: u64| {
                a.call(Call::Ppoll, &[polled.into(), 1.into(), span.into(), 0.into()]);
            };
            poll(a, short);
            a.answers(0).call(Call::ClockGettime, &[1.into(), after.into()]).answers(0);
            a.fork().jump_if_zero(CALL as u8, "child");
            poll(a, long);
            a.answers(1).holds(polled, 0x1_0001_0000_0003);
            wait(a, status, 0);
            a.answers(2).holds(status, 0);
            // With the last writer gone it is at its end; with a byte there, it can be read too.
            a.call(Call::Close, &[4.into()]);
            poll(a, long);
            a.answers(1).holds(polled, 0x11_0001_0000_0003).exit(0);
            a.label("child").call(Call::Nanosleep, &[short.into(), 0.into()]).answers(0);
            a.call(Call::Write, &[4.into(), status.into(), 1.into()]).answers(1).exit(0);
        },
        alone,
    );
}

#[test]
fn both_ends_of_a_fifo_wait_for_each_other() {
    passes(
        |a| {
            let (path, status, word) = (a.string("/fifo"), a.words(&[0]), a.words(&[0]));
            let short = a.words(&[0, 1_000_000]);
            let make = [CWD.into(), path.into(), 0o010_600.into(), 0.into()];
            a.call(Call::Mknodat, &make).answers(0).fork().jump_if_zero(CALL as u8, "child");
            a.call(Call::Openat, &[CWD.into(), path.into(), 0.into()]).answers(3);
            a.call(Call::Read, &[3.into(), word.into(), 8.into()]).answers(8).holds(word, 42);
            a.call(Call::Read, &[3.into(), word.into(), 8.into()]).answers(0);
            wait(a, status, 0);
            a.answers(2).holds(status, 0).exit(0);
            a.label("child").call(Call::Nanosleep, &[short.into(), 0.into()]).answers(0);
            a.call(Call::Openat, &[CWD.into(), path.into(), 1.into()]).answers(3);
            a.set(8, word).set(7, 42).put(Instruction::Store(7, 8, 0));
            a.call(Call::Write, &[3.into(), word.into(), 8.into()]).answers(8).exit(0);
        },
        alone,
    );
}

#[test]
fn who_is_killed_while_it_opens_a_fifo_leaves_nothing_open() {
    passes(
        |a| {
            let (path, status) = (a.string("/fifo"), a.words(&[0]));
            let short = a.words(&[0, 1_000_000]);
            let make = [CWD.into(), path.into(), 0o010_600.into(), 0.into()];
            a.call(Call::Mknodat, &make).answers(0).fork().jump_if_zero(CALL as u8, "child");
            a.call(Call::Nanosleep, &[short.into(), 0.into()]).answers(0);
            a.call(Call::Kill, &[2.into(), 15.into()]).answers(0);
            wait(a, status, 0);
            a.answers(2).holds(status, 15).exit(0);
            a.label("child").call(Call::Openat, &[CWD.into(), path.into(), 0.into()]).exit(1);
        },
        alone,
    );
}

#[test]
fn a_read_of_the_terminal_without_lines_ends_with_its_time() {
    passes(
        |a| {
            let (settings, word) = (a.data(&[0; 40]), a.words(&[0]));
            a.call(Call::Ioctl, &[0.into(), 0x5401.into(), settings.into()]).answers(0);
            // No lines, no echo; half a second, and no byte is enough.
            a.set(8, settings + 8).set(7, 0).put(Instruction::StoreByte(7, 8, 4));
            a.set(7, 5).put(Instruction::StoreByte(7, 8, 14));
            a.set(7, 0).put(Instruction::StoreByte(7, 8, 15));
            a.call(Call::Ioctl, &[0.into(), 0x5402.into(), settings.into()]).answers(0);
            a.call(Call::Read, &[0.into(), word.into(), 8.into()]).answers(0);
            a.call(Call::Read, &[0.into(), word.into(), 8.into()]).answers(0).exit(0);
        },
        alone,
    );
}
