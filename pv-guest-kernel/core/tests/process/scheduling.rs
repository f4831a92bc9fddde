//! Who runs when.

use crate::world::*;
use kernel_core::{FLOAT_BYTES, FloatState, Platform, fs::Pid};
use std::collections::BTreeMap;

/// Children that run for ever, so many of them, and a first process that waits.
fn with_hogs(hogs: u64, more: impl FnOnce(&mut Assembler)) -> Kernel<Model<false>> {
    let mut a = program::<false>();
    more(&mut a);
    a.set(KEEP, hogs).label("more").fork().jump_if_zero(CALL as u8, "hog");
    a.put(Instruction::Add(KEEP, KEEP, u64::MAX)).jump_if_zero(KEEP, "wait").jump("more");
    a.label("wait").call(Call::Wait4, &[u64::MAX.into(), 0.into(), 0.into(), 0.into()]);
    a.exit(100).label("hog").jump("hog");
    kernel::<false>(&[("init", a.elf())])
}

fn time_of(kernel: &Kernel<Model<false>>, pid: u32) -> u64 {
    let times = &kernel.processes.get(Pid(pid)).unwrap().times;
    times.user + times.system
}

#[test]
fn those_who_only_run_have_equal_shares() {
    let mut kernel = with_hogs(4, |_| ());
    while kernel.switches < 100 {
        assert_eq!(kernel.turn(), None);
    }
    let times: Vec<u64> = (2..6).map(|pid| time_of(&kernel, pid)).collect();
    let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(*least > 0 && most - least <= SLICE * 11 / 10, "{times:?}");
    finish(kernel);
}

#[test]
fn who_sleeps_is_served_soon_although_others_only_run() {
    let mut kernel = with_hogs(3, |a| {
        let (time, count) = (a.words(&[0, SLICE / 10]), a.words(&[0]));
        a.fork().jump_if_zero(CALL as u8, "sleeper").jump("behind");
        a.label("sleeper").call(Call::Nanosleep, &[time.into(), 0.into()]).answers(0);
        a.set(8, count).put(Instruction::Load(7, 8, 0)).put(Instruction::Add(7, 7, 1));
        a.put(Instruction::Store(7, 8, 0)).jump("sleeper").label("behind");
    });
    while kernel.platform.now() < 30 * SLICE {
        assert_eq!(kernel.turn(), None);
    }
    // It slept a tenth of a slice at a time, and not the three slices that a round of the others takes.
    let switches = kernel.processes.get(Pid(2)).unwrap().times.voluntary_switches;
    assert!(switches > 250, "{switches}");
    finish(kernel);
}

#[test]
fn two_who_wake_each_other_do_not_starve_a_third() {
    let mut kernel = with_hogs(1, |a| {
        let (there, back) = (a.words(&[0]), a.words(&[0]));
        let byte = a.words(&[0]);
        a.call(Call::Pipe2, &[there.into(), 0.into()]).answers(0);
        a.call(Call::Pipe2, &[back.into(), 0.into()]).answers(0);
        for (child, behind, read, write) in [("one", "a", 3_u64, 6_u64), ("two", "b", 5, 4)] {
            a.fork().jump_if_zero(CALL as u8, child).jump(behind).label(child);
            if read == 5 {
                a.call(Call::Write, &[write.into(), byte.into(), 1.into()]);
            }
            let again = if read == 5 { "again two" } else { "again one" };
            a.label(again).call(Call::Read, &[read.into(), byte.into(), 1.into()]);
            a.call(Call::Write, &[write.into(), byte.into(), 1.into()]).jump(again);
            a.label(behind);
        }
    });
    while kernel.platform.now() < 40 * SLICE {
        assert_eq!(kernel.turn(), None);
    }
    let times = [2, 3, 4].map(|pid| time_of(&kernel, pid));
    let hog = times[2];
    assert!(hog > 10 * SLICE, "{times:?}");
    assert!(times[0] + times[1] > 5 * SLICE, "{times:?}");
    finish(kernel);
}

#[test]
fn nobody_runs_and_time_passes() {
    let mut a = program::<false>();
    let time = a.words(&[3, 0]);
    a.call(Call::Nanosleep, &[time.into(), 0.into()]).answers(0).exit(0);
    let mut kernel = kernel::<false>(&[("init", a.elf())]);
    assert_eq!(run(&mut kernel), End::Init(0));
    assert!(kernel.idle_time >= 2_900_000_000, "{}", kernel.idle_time);
    finish(kernel);
}

#[test]
fn each_process_finds_its_own_floating_point_registers() {
    let mut kernel = with_hogs(3, |_| ());
    let mut expected: BTreeMap<u32, FloatState> = BTreeMap::new();
    let mut ran = BTreeMap::new();
    for turn in 0..60 {
        let before: Vec<u64> = (2..5).map(|pid| user_time(&kernel, pid)).collect();
        assert_eq!(kernel.turn(), None);
        let found = (2..5).zip(before).find(|(pid, before)| user_time(&kernel, *pid) != *before);
        let Some((pid, _)) = found else { continue };
        *ran.entry(pid).or_insert(0) += 1;
        // The processor still has what it left there; then it computes something else.
        let mut there = FloatState([0xee; FLOAT_BYTES]);
        kernel.platform.save_float(&mut there);
        let should = expected.entry(pid).or_insert(FloatState([0; FLOAT_BYTES]));
        assert_eq!(there, *should, "process {pid} in turn {turn}");
        *should = FloatState([turn + 1; FLOAT_BYTES]);
        kernel.platform.load_float(should);
    }
    assert!(ran.len() == 3 && ran.values().all(|times| *times > 5), "{ran:?}");
    finish(kernel);
}

fn user_time(kernel: &Kernel<Model<false>>, pid: u32) -> u64 {
    kernel.processes.get(Pid(pid)).map_or(0, |process| process.times.user)
}
