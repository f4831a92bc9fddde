//! What the command line says, and what a kernel says at its end.

use crate::world::{
    Call, End, Instruction, Kernel, Model, STACK, Settings, archive, finish, kernel_of, program,
    run,
};
use kernel_core::{BootError, Machine};

#[test]
fn the_wall_clock_begins_when_the_command_line_says() {
    let mut init = program::<true>();
    let now = init.words(&[0, 0]);
    init.call(Call::ClockGettime, &[0.into(), now.into()]).answers(0);
    init.set(8, now).put(Instruction::Load(8, 8, 0));
    init.expect(8, 1_767_225_600).exit(0);
    let files = [("init", init.elf())];
    let mut kernel = kernel_of::<true>(512, &files, "time=1767225600", |_| ());
    assert_eq!(run(&mut kernel), End::Init(0));
    finish(kernel);
}

#[test]
fn words_of_the_kernel_are_not_the_first_process_s() {
    // The number of arguments lies where the stack begins.
    let mut init = program::<false>();
    init.put(Instruction::Load(8, STACK as u8, 0)).expect(8, 2).exit(0);
    let files = [("init", init.elf())];
    let mut kernel = kernel_of::<false>(512, &files, "quiet time=5 one swap=8", |_| ());
    assert_eq!(run(&mut kernel), End::Init(0));
    finish(kernel);
}

#[test]
fn what_is_no_time_is_refused() {
    for word in ["time=", "time=now", "time=-1", "time=99999999999999"] {
        let model = Model::<true>::new(512);
        let frames = model.frames();
        let settings = Settings::for_memory(Machine::Riscv64, 4096, 4 << 20);
        let line = word.as_bytes();
        let refused = Kernel::new(model, frames, &archive(&[]), line, settings).err();
        let text = word.trim_start_matches("time=").as_bytes().to_vec();
        assert_eq!(refused, Some(BootError::Time(text)));
    }
}

#[test]
fn the_last_words_tell_the_status_of_the_first_process() {
    let told = |end: End| (end.to_string(), end.is_good());
    let text = |text: &str, good| (text.to_owned(), good);
    assert_eq!(told(End::Init(0)), text("the first process ended with status 0", true));
    assert_eq!(told(End::Init(0x300)), text("the first process ended with status 3", false));
    assert_eq!(told(End::Init(9)), text("the first process was ended by signal 9", false));
    assert_eq!(told(End::PowerOff), text("switching off, as it was asked to", true));
    assert!(!End::Restart.is_good());
}
