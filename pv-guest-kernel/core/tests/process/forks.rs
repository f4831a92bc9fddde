//! Processes that make others, and wait for them.

use crate::world::*;

const ECHILD: i64 = -10;
const EINVAL: i64 = -22;

#[test]
fn a_parent_learns_how_its_child_ended() {
    passes(
        |a| {
            let status = a.words(&[0]);
            a.fork().jump_if_zero(CALL as u8, "child").set(KEEP, r(CALL as u8));
            a.call(Call::Wait4, &[r(KEEP), status.into(), 0.into(), 0.into()]);
            // The child's number is the answer.
            a.put(Instruction::Add(11, KEEP, 0)).set(8, u64::MAX);
            a.expect(CALL as u8, 2).expect(KEEP, 2).holds(status, 0x2a00);
            a.call(Call::Wait4, &[u64::MAX.into(), 0.into(), 0.into(), 0.into()]);
            a.answers(ECHILD).exit(0);
            a.label("child").exit(42);
        },
        alone,
    );
}

#[test]
fn a_child_has_its_own_copy_of_memory() {
    passes(
        |a| {
            let word = a.words(&[1]);
            let status = a.words(&[0]);
            a.fork().jump_if_zero(CALL as u8, "child");
            a.call(Call::Wait4, &[u64::MAX.into(), status.into(), 0.into(), 0.into()]);
            a.holds(status, 0).holds(word, 1).exit(0);
            a.label("child").holds(word, 1).set(8, word).set(7, 5);
            a.put(Instruction::Store(7, 8, 0)).holds(word, 5).exit(0);
        },
        alone,
    );
}

#[test]
fn wait_does_not_wait_if_told_so() {
    passes(
        |a| {
            let wait = |a: &mut Assembler, options: u64| {
                a.call(Call::Wait4, &[u64::MAX.into(), 0.into(), options.into(), 0.into()]);
            };
            wait(a, 1);
            a.answers(ECHILD);
            wait(a, 0x40);
            a.answers(EINVAL).fork().jump_if_zero(CALL as u8, "child");
            wait(a, 1);
            a.answers(0);
            wait(a, 0);
            a.answers(2).exit(0);
            a.label("child").exit(0);
        },
        alone,
    );
}

#[test]
fn orphans_are_the_first_processs() {
    passes(
        |a| {
            let status = a.words(&[0]);
            let wait = |a: &mut Assembler| {
                a.call(Call::Wait4, &[u64::MAX.into(), status.into(), 0.into(), 0.into()]);
            };
            a.fork().jump_if_zero(CALL as u8, "child");
            wait(a);
            a.answers(2).holds(status, 0x100);
            wait(a);
            a.answers(3).holds(status, 0x700);
            wait(a);
            a.answers(ECHILD).exit(0);
            a.label("child").fork().jump_if_zero(CALL as u8, "grandchild").exit(1);
            // It goes on until its parent is gone.
            a.label("grandchild").call(Call::SchedYield, &[]).call(Call::Getppid, &[]);
            a.put(Instruction::Add(8, CALL as u8, u64::MAX));
            a.jump_if_zero(8, "orphan").jump("grandchild");
            a.label("orphan").exit(7);
        },
        alone,
    );
}

#[test]
fn a_child_of_vfork_has_its_parents_memory_and_the_parent_waits() {
    passes(
        |a| {
            let word = a.words(&[0]);
            let status = a.words(&[0]);
            a.call(Call::Clone, &[0x4111.into(), 0.into()]);
            a.jump_if_zero(CALL as u8, "child").expect(CALL as u8, 2).holds(word, 9);
            a.call(Call::Wait4, &[2.into(), status.into(), 0.into(), 0.into()]);
            a.answers(2).holds(status, 0x300).exit(0);
            // The parent does not go on, however often others could.
            a.label("child").call(Call::SchedYield, &[]).call(Call::SchedYield, &[]);
            a.holds(word, 0).set(8, word).set(7, 9).put(Instruction::Store(7, 8, 0)).exit(3);
        },
        alone,
    );
}

#[test]
fn a_child_of_vfork_that_executes_gives_the_memory_back() {
    passes(
        |a| {
            let status = a.words(&[0]);
            let path = a.string("/bin/three");
            let argv = a.words(&[path, 0]);
            a.call(Call::Clone, &[0x4111.into(), 0.into()]);
            a.jump_if_zero(CALL as u8, "child").expect(CALL as u8, 2);
            a.call(Call::Wait4, &[2.into(), status.into(), 0.into(), 0.into()]);
            a.answers(2).holds(status, 0x300).exit(0);
            a.label("child").call(Call::Execve, &[path.into(), argv.into(), 0.into()]);
            a.exit(99);
        },
        |machine| {
            let mut three = Assembler::new(machine);
            three.exit(3);
            vec![("bin/three", three.elf())]
        },
    );
}

#[test]
fn memory_that_was_lent_twice_comes_back_when_the_one_between_is_killed() {
    passes(
        |a| {
            let word = a.words(&[0]);
            let own = a.words(&[0]);
            a.call(Call::Clone, &[0x4111.into(), 0.into()]);
            a.jump_if_zero(CALL as u8, "child").holds(word, 4);
            a.call(Call::Wait4, &[2.into(), own.into(), 0.into(), 0.into()]);
            a.answers(2).holds(own, 9).exit(0);
            a.label("child").call(Call::Clone, &[0x4111.into(), 0.into()]);
            a.jump_if_zero(CALL as u8, "grandchild").exit(50);
            // It kills its parent, which waits for it, and goes on.
            a.label("grandchild").call(Call::Kill, &[2.into(), 9.into()]).answers(0);
            a.call(Call::SchedYield, &[]).set(8, word).set(7, 4);
            a.put(Instruction::Store(7, 8, 0)).exit(0);
        },
        alone,
    );
}

#[test]
fn threads_are_refused() {
    passes(
        |a| {
            for flags in [0x1_0f00, 0x100, 0x400, 0x200, 0x800, 0x1000, 1 << 31, 0x11 | 1 << 28] {
                a.call(Call::Clone, &[Operand::Value(flags), 0.into()]).answers(EINVAL);
            }
            a.call(Call::Clone3, &[0.into(), 64.into()]).answers(-38);
            a.call(Call::Clone, &[65.into(), 0.into()]).answers(EINVAL).exit(0);
        },
        alone,
    );
}

#[test]
fn a_child_knows_its_number_where_it_was_told_to() {
    passes(
        |a| {
            let parents = a.words(&[0]);
            let childs = a.words(&[0]);
            let status = a.words(&[0]);
            let (fourth, fifth) = (childs.into(), childs.into());
            let flags: u64 = 17 | 0x10_0000 | 0x100_0000 | 0x20_0000;
            a.call(Call::Clone, &[flags.into(), 0.into(), parents.into(), fourth, fifth]);
            a.jump_if_zero(CALL as u8, "child").holds(parents, 2).holds(childs, 0);
            a.call(Call::Wait4, &[2.into(), status.into(), 0.into(), 0.into()]);
            a.holds(status, 0).exit(0);
            a.label("child").holds(childs, 2).exit(0);
        },
        alone,
    );
}

#[test]
fn a_fork_bomb_ends_at_the_limit_and_leaves_nothing() {
    let mut init = program::<false>();
    let status = init.words(&[0]);
    // The bomb counts nothing and stops at nothing but a refusal.
    init.fork().jump_if_zero(CALL as u8, "bomb");
    init.call(Call::Wait4, &[2.into(), status.into(), 0.into(), 0.into()]);
    init.holds(status, 0).call(Call::Kill, &[u64::MAX.into(), 9.into()]);
    init.label("reap").call(Call::Wait4, &[u64::MAX.into(), 0.into(), 0.into(), 0.into()]);
    init.put(Instruction::Add(8, CALL as u8, 10)).jump_if_zero(8, "done").jump("reap");
    init.label("done").exit(0);
    init.label("bomb").fork();
    init.put(Instruction::Add(8, CALL as u8, 11)).jump_if_zero(8, "full").jump("bomb");
    init.label("full").exit(0);
    let mut kernel = kernel_of::<false>(4096, &[("init", init.elf())], "", |settings| {
        settings.processes = 40;
    });
    assert_eq!(run(&mut kernel), End::Init(0));
    assert_eq!(kernel.processes.len(), 1);
    assert!(kernel.processes.made() >= 40);
    finish(kernel);
}

#[test]
fn a_users_limit_of_processes_holds() {
    passes(
        |a| {
            let limit = a.words(&[2, 2]);
            let none = a.words(&[0]);
            a.call(Call::Prlimit64, &[0.into(), 6.into(), limit.into(), 0.into()]).answers(0);
            a.call(Call::Setuid, &[1000.into()]).answers(0);
            a.fork().jump_if_zero(CALL as u8, "child").answers(2);
            a.fork().jump_if_zero(CALL as u8, "child").answers(-11).exit(0);
            a.label("child").call(Call::RtSigsuspend, &[none.into(), 8.into()]).exit(0);
        },
        alone,
    );
}

#[test]
fn children_that_nobody_wants_to_know_of_are_gone() {
    passes(
        |a| {
            let ignore = a.words(&[1, 0, 0, 0]);
            a.call(Call::RtSigaction, &[17.into(), ignore.into(), 0.into(), 8.into()]).answers(0);
            a.fork().jump_if_zero(CALL as u8, "child");
            a.call(Call::Wait4, &[u64::MAX.into(), 0.into(), 0.into(), 0.into()]);
            a.answers(ECHILD).exit(0);
            a.label("child").exit(5);
        },
        alone,
    );
}

#[test]
fn what_a_child_used_is_its_parents_when_it_was_waited_for() {
    passes(
        |a| {
            let usage = a.words(&[0; 18]);
            let all = a.words(&[0; 18]);
            a.fork().jump_if_zero(CALL as u8, "child");
            a.call(Call::Wait4, &[2.into(), 0.into(), 0.into(), usage.into()]).answers(2);
            a.call(Call::Getrusage, &[(-1_i64 as u64).into(), all.into()]).answers(0);
            a.set(8, usage).put(Instruction::Load(7, 8, 8)).set(6, all);
            a.put(Instruction::Load(5, 6, 8)).jump_if_zero(7, "no_time");
            a.put(Instruction::Set(4, 0)).expect(4, 0).exit(0);
            a.label("no_time").exit(90);
            a.label("child").set(8, 5000);
            a.label("spin").put(Instruction::Add(8, 8, u64::MAX)).jump_if_zero(8, "end");
            a.jump("spin").label("end").exit(0);
        },
        alone,
    );
}
