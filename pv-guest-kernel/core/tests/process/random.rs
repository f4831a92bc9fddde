//! Any calls with any arguments: the kernel and the other processes go on, and everything that
//! was taken comes back.

use crate::world::*;
use kernel_core::fs::Pid;
use proptest::prelude::*;

/// Arguments that calls treat in different ways: small numbers, descriptors, addresses that are
/// good, bad, read-only, at the end of what is mapped, and numbers at the ends of their ranges.
fn argument() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..8_u64,
        2 => 0..300_u64,
        3 => (0..2048_u64).prop_map(|at| DATA + at),
        2 => (0..3_u64).prop_map(|page| ZEROS + page * 4096 - 8),
        1 => Just(CODE),
        1 => Just(0x7fff_ffff_f000),
        1 => prop::sample::select(vec![u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 31, (1 << 32) - 1]),
        1 => (0..64_u32).prop_map(|bit| 1 << bit),
        1 => any::<u64>(),
        1 => Just(-100_i64 as u64),
    ]
}

/// Calls, those more often that change most.
fn call() -> impl Strategy<Value = Call> {
    let often = [
        Call::Clone,
        Call::Mmap,
        Call::Munmap,
        Call::Mprotect,
        Call::Mremap,
        Call::Brk,
        Call::Openat,
        Call::Dup3,
        Call::Pipe2,
        Call::Read,
        Call::Write,
        Call::Close,
        Call::Wait4,
        Call::RtSigaction,
        Call::RtSigprocmask,
        Call::Kill,
        Call::Setitimer,
        Call::Ppoll,
        Call::Nanosleep,
        Call::Execve,
    ];
    // What ends the machine is not for this.
    let all: Vec<Call> = Call::ALL.iter().copied().filter(|call| *call != Call::Reboot).collect();
    prop_oneof![1 => prop::sample::select(often.to_vec()), 2 => prop::sample::select(all)]
}

fn calls() -> impl Strategy<Value = Vec<(Call, [u64; 6])>> {
    prop::collection::vec((call(), prop::array::uniform6(argument())), 1..40)
}

/// A child makes the calls, and perhaps its own children do.
fn make<const RISCV: bool>(calls: &[(Call, [u64; 6])], swap: bool) {
    let mut init = program::<RISCV>();
    let machine = init.machine();
    let time = init.words(&[0, 4_000_000]);
    // Names and structures, in which arguments find something.
    let texts = ["/init", "/dev/console", "/proc/self/stat", "/proc", "name", "/dev/zero"];
    for text in texts {
        init.string(text);
    }
    init.words(&[DATA, DATA + 8, 0, 1, 2, 4096, ZEROS, 8, 0, 3, 100]);
    init.zeros(3 * 4096);
    init.fork().jump_if_zero(CALL as u8, "child");
    init.call(Call::Nanosleep, &[time.into(), 0.into()]).answers(0);
    init.label("reap").call(Call::Kill, &[u64::MAX.into(), 9.into()]);
    init.call(Call::Wait4, &[u64::MAX.into(), 0.into(), 0.into(), 0.into()]);
    init.put(Instruction::Add(8, CALL as u8, 10)).jump_if_zero(8, "done").jump("reap");
    init.label("done").exit(0).label("child");
    for (call, arguments) in calls {
        if let Some(number) = call.number(machine) {
            init.call_number(number.into(), &arguments.map(Operand::Value));
        }
    }
    init.exit(0);
    let command_line = if swap { "swap=64" } else { "" };
    let mut kernel = kernel_of::<RISCV>(400, &[("init", init.elf())], command_line, |settings| {
        settings.processes = 24;
    });
    let end = if swap { run(&mut kernel) } else { run_audited(&mut kernel, 64) };
    let console = String::from_utf8_lossy(&kernel.platform.take_console()).into_owned();
    assert_eq!(end, End::Init(0), "{console}");
    assert!(kernel.processes.get(Pid(2)).is_none());
    finish(kernel);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_calls_of_one_process_leave_the_others_alone(calls in calls(), swap: bool) {
        make::<false>(&calls, swap);
        make::<true>(&calls, swap);
    }
}
