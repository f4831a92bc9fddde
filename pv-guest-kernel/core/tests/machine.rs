//! The machine test, on the model: the test itself is tested, and the model kept honest.

use kernel_core::{
    Exit,
    machine_test::{self, Programs},
    model::{
        Model,
        program::{ARGUMENT, CALL, Instruction, THREAD, assemble},
    },
};

const CODE: u64 = 0x1_0000;
const FIRST: u8 = ARGUMENT as u8;
const SECOND: u8 = FIRST + 1;
const THIRD: u8 = FIRST + 2;

fn run<const RISCV: bool>() {
    let call = assemble(&[
        Instruction::Call,
        Instruction::Store(CALL as u8, SECOND, 0),
        Instruction::Jump(CODE),
    ]);
    let load = assemble(&[Instruction::Load(THIRD, FIRST, 0), Instruction::Call]);
    let store = assemble(&[Instruction::Store(THIRD, FIRST, 0), Instruction::Call]);
    let jump = assemble(&[Instruction::JumpTo(FIRST)]);
    let spin = assemble(&[Instruction::Jump(CODE)]);
    let breakpoint = assemble(&[Instruction::Break]);
    let divide = assemble(&[Instruction::Divide(0, 0, 0)]);
    let thread = assemble(&[Instruction::Load(THIRD, THREAD as u8, 0), Instruction::Call]);
    let programs = Programs {
        call: &call,
        load: &load,
        store: &store,
        jump: &jump,
        spin: &spin,
        illegal: &[0xff; 16],
        privileged: &[0xfe; 16],
        privileged_exit: Exit::Illegal,
        breakpoint: &breakpoint,
        divide: Some(&divide),
        float: None,
        thread: &thread,
    };
    let mut model: Model<RISCV> = Model::new(512);
    let mut frames = model.frames();
    let mut names = Vec::new();
    let count =
        machine_test::run(&mut model, &mut frames, &programs, &mut |_, name| names.push(name));
    assert_eq!(count, Ok(names.len()), "in `{}`", names.last().unwrap());
    let soaked = machine_test::soak(&mut model, frames, &programs, 1500).unwrap();
    assert!(soaked.forks > 10 && soaked.swapped_in > 10 && soaked.faults > 300, "{soaked:?}");
}

#[test]
fn the_model_of_x86_64_is_a_machine() {
    run::<false>();
}

#[test]
fn the_model_of_riscv64_is_a_machine() {
    run::<true>();
}
