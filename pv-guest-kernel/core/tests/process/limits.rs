//! Processes that want more than there is.

use crate::world::*;
use kernel_core::balloon::Stalled;
use kernel_core::fs::Pid;

/// A process writes a word to each of so many pages of its zeros, over and over.
fn fill(a: &mut Assembler, pages: u64, name: &'static str, again: &'static str) {
    a.label(again).set(8, ZEROS).set(7, pages);
    a.label(name).put(Instruction::Store(8, 8, 0)).put(Instruction::Add(8, 8, 4096));
    a.put(Instruction::Add(7, 7, u64::MAX));
}

#[test]
fn the_largest_ends_when_memory_does_and_the_others_go_on() {
    let mut init = program::<false>();
    let status = init.words(&[0]);
    let path = init.string("/large");
    init.fork().jump_if_zero(CALL as u8, "small").fork().jump_if_zero(CALL as u8, "large");
    init.call(Call::Wait4, &[3.into(), status.into(), 0.into(), 0.into()]).answers(3);
    init.holds(status, 9).call(Call::Kill, &[2.into(), 0.into()]).answers(0);
    init.call(Call::Kill, &[2.into(), 9.into()]).answers(0);
    init.call(Call::Wait4, &[2.into(), status.into(), 0.into(), 0.into()]).answers(2).exit(0);
    init.label("small").call(Call::SchedYield, &[]).jump("small");
    init.label("large").call(Call::Execve, &[path.into(), 0.into(), 0.into()]).exit(100);
    let mut large = program::<false>();
    large.zeros(4096 * 4096);
    fill(&mut large, 4096, "next", "again");
    large.jump_if_zero(7, "again").jump("next");
    let files = [("init", init.elf()), ("large", large.elf())];
    let mut kernel = kernel_of::<false>(512, &files, "", |_| ());
    assert_eq!(run(&mut kernel), End::Init(0));
    let console = String::from_utf8(kernel.platform.take_console()).unwrap();
    assert!(console.contains("out of memory: ended process 3 (large) with"), "{console}");
    assert_eq!(kernel.oom_kills, 1);
    finish(kernel);
}

#[test]
fn the_first_process_ends_for_its_memory_when_it_is_alone_and_that_is_said() {
    let mut init = program::<false>();
    init.zeros(4096 * 4096);
    fill(&mut init, 4096, "next", "again");
    init.jump_if_zero(7, "again").jump("next");
    let mut kernel = kernel_of::<false>(512, &[("init", init.elf())], "", |_| ());
    assert_eq!(run(&mut kernel), End::Init(9));
    let console = String::from_utf8(kernel.platform.take_console()).unwrap();
    assert!(console.contains("out of memory: ended the first process"), "{console}");
    finish(kernel);
}

#[test]
fn more_than_memory_goes_to_the_swap_area_and_comes_back_right() {
    let mut init = program::<false>();
    let pages = 300;
    init.zeros(pages * 4096);
    fill(&mut init, pages, "next", "again");
    init.jump_if_zero(7, "check").jump("next");
    // Each page has its own address in it: with its complement that is zero.
    init.label("check").set(8, ZEROS).set(7, pages).set(5, ZEROS.wrapping_neg());
    init.label("read").put(Instruction::Load(6, 8, 0)).put(Instruction::Sum(6, 6, 5));
    init.expect(6, 0).put(Instruction::Add(8, 8, 4096));
    init.put(Instruction::Add(5, 5, 4096_u64.wrapping_neg()));
    init.put(Instruction::Add(7, 7, u64::MAX)).jump_if_zero(7, "done").jump("read");
    init.label("done").exit(0);
    let mut kernel = kernel_of::<false>(512, &[("init", init.elf())], "swap=256", |_| ());
    assert_eq!(run(&mut kernel), End::Init(0));
    assert!(kernel.memory.swap.counts().written > 0);
    assert_eq!(kernel.oom_kills, 0);
    finish(kernel);
}

/// For how long processes waited for memory in a machine that has too little of it, while another
/// process wants to run all the time, or none does.
fn waited(others: bool) -> Stalled {
    let mut init = program::<false>();
    let pages = 300;
    init.zeros(pages * 4096);
    let status = init.words(&[0]);
    if others {
        init.fork().jump_if_zero(CALL as u8, "other");
    }
    for (name, again, after) in [("next", "again", "second"), ("next2", "second", "end")] {
        fill(&mut init, pages, name, again);
        init.jump_if_zero(7, after).jump(name);
    }
    init.label("end");
    if others {
        init.call(Call::Kill, &[2.into(), 9.into()]).answers(0);
        init.call(Call::Wait4, &[2.into(), status.into(), 0.into(), 0.into()]).answers(2);
    }
    init.exit(0);
    init.label("other").call(Call::SchedYield, &[]).jump("other");
    let mut kernel = kernel_of::<false>(512, &[("init", init.elf())], "swap=256", |_| ());
    assert_eq!(run(&mut kernel), End::Init(0));
    let counts = kernel.memory.swap.counts();
    assert!(counts.written > 0 && counts.read > 0, "{counts:?}");
    let stalled = kernel.stalled;
    finish(kernel);
    stalled
}

#[test]
fn all_wait_for_memory_when_nobody_else_could_run() {
    let alone = waited(false);
    assert!(alone.some > 0, "{alone:?}");
    assert_eq!(alone.full, alone.some);
    let with_another = waited(true);
    assert!(with_another.some > 0, "{with_another:?}");
    assert_eq!(with_another.full, 0);
}

#[test]
fn limits_of_files_and_memory_hold() {
    const EMFILE: i64 = -24;
    passes(
        |a| {
            let four = a.words(&[4, 4]);
            let little = a.words(&[65536, 65536]);
            let now = a.words(&[0, 0]);
            a.call(Call::Prlimit64, &[0.into(), 7.into(), four.into(), now.into()]).answers(0);
            a.holds(now, 256).call(Call::Dup, &[0.into()]).answers(3);
            a.call(Call::Dup, &[0.into()]).answers(EMFILE);
            // The heap begins anywhere, and does not grow beyond its limit.
            a.call(Call::Prlimit64, &[0.into(), 2.into(), little.into(), 0.into()]).answers(0);
            a.call(Call::Brk, &[0.into()]).set(KEEP, r(CALL as u8));
            a.put(Instruction::Add(8, KEEP, 65536)).call(Call::Brk, &[r(8)]);
            a.put(Instruction::Add(9, 8, 1)).call(Call::Brk, &[r(9)]);
            a.put(Instruction::Store(KEEP, KEEP, 0)).exit(0);
        },
        alone,
    );
}

#[test]
fn all_processes_at_once_take_what_there_is_and_give_it_back() {
    let mut init = program::<true>();
    init.zeros(64 * 4096);
    let status = init.words(&[0]);
    init.set(KEEP, 60);
    init.label("more").fork().jump_if_zero(CALL as u8, "child");
    init.put(Instruction::Add(KEEP, KEEP, u64::MAX)).jump_if_zero(KEEP, "reap").jump("more");
    init.label("reap");
    init.call(Call::Wait4, &[u64::MAX.into(), status.into(), 0.into(), 0.into()]);
    init.put(Instruction::Add(8, CALL as u8, 10)).jump_if_zero(8, "done").jump("reap");
    init.label("done").exit(0);
    init.label("child");
    fill(&mut init, 64, "next", "again");
    init.jump_if_zero(7, "end").jump("next");
    init.label("end").exit(0);
    let mut kernel = kernel_of::<true>(1024, &[("init", init.elf())], "swap=128", |_| ());
    assert_eq!(run(&mut kernel), End::Init(0));
    assert_eq!(kernel.processes.len(), 1);
    finish(kernel);
}

#[test]
fn a_call_that_finds_no_page_is_made_again_and_not_answered_with_an_error() {
    // The child wants all memory; its parent reads into pages that are not there yet.
    let mut init = program::<false>();
    init.zeros(4096 * 4096);
    let path = init.string("/init");
    init.fork().jump_if_zero(CALL as u8, "child");
    init.call(Call::Openat, &[(-100_i64 as u64).into(), path.into(), 0.into()]).answers(3);
    init.set(KEEP, ZEROS).set(9, 4000);
    init.label("read").call(Call::Pread64, &[3.into(), r(KEEP), 8.into(), 0.into()]).answers(8);
    init.call(Call::Wait4, &[2.into(), 0.into(), 1.into(), 0.into()]);
    init.put(Instruction::Add(8, CALL as u8, u64::MAX - 1)).jump_if_zero(8, "ended");
    init.put(Instruction::Add(KEEP, KEEP, 4096)).call(Call::SchedYield, &[]).jump("read");
    init.label("ended").exit(0);
    init.label("child");
    fill(&mut init, 4096, "next", "again");
    init.jump_if_zero(7, "again").jump("next");
    let mut kernel = kernel_of::<false>(600, &[("init", init.elf())], "", |_| ());
    assert_eq!(run(&mut kernel), End::Init(0));
    assert!(kernel.processes.get(Pid(2)).is_none());
    finish(kernel);
}
