//! A kernel on a model, for tests.

use kernel_core::{
    Machine, Pfn, Platform, Protection, VirtAddr,
    memory::{Kind, Outside, audit},
    model::ModelSpace,
};
pub use kernel_core::{
    calls::Call,
    kernel::{End, Kernel},
    model::{
        Model,
        assembler::{Assembler, CODE, DATA, Operand, ZEROS, archive},
        program::{ARGUMENT, CALL, Instruction, LINK, STACK},
    },
    settings::Settings,
};

/// Turns after which a test is stuck.
const TURNS: u32 = 2_000_000;

/// Nanoseconds of a time slice: five thousand instructions.
pub const SLICE: u64 = 50_000;

/// A register that no call changes.
pub const KEEP: u8 = 10;
/// Another.
pub const KEEP_TOO: u8 = 9;

/// What a register holds.
pub fn r(register: u8) -> Operand {
    Operand::Register(register)
}

/// A place in the code.
pub fn l(name: &'static str) -> Operand {
    Operand::Label(name)
}

/// A new program for a model.
pub fn program<const RISCV: bool>() -> Assembler {
    Assembler::new(<Model<RISCV> as Platform>::MACHINE)
}

/// A kernel with these files and so many pages.
pub fn kernel_of<const RISCV: bool>(
    pages: u64,
    files: &[(&str, Vec<u8>)],
    command_line: &str,
    change: impl FnOnce(&mut Settings),
) -> Kernel<Model<RISCV>> {
    let model = Model::new(pages);
    let frames = model.frames();
    let mut settings = Settings::for_memory(<Model<RISCV> as Platform>::MACHINE, 1 << 15, 32 << 20);
    // The model's processor is slow: so are its clock, and what is measured by it.
    settings.slice = SLICE;
    change(&mut settings);
    Kernel::new(model, frames, &archive(files), command_line.as_bytes(), settings)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// A kernel with these files.
pub fn kernel<const RISCV: bool>(files: &[(&str, Vec<u8>)]) -> Kernel<Model<RISCV>> {
    kernel_of(2048, files, "", |_| ())
}

/// Runs until the end.
pub fn run<const RISCV: bool>(kernel: &mut Kernel<Model<RISCV>>) -> End {
    for _ in 0..TURNS {
        if let Some(end) = kernel.turn() {
            return end;
        }
    }
    panic!("the processes do not end");
}

/// Runs so many turns.
pub fn run_for<const RISCV: bool>(kernel: &mut Kernel<Model<RISCV>>, turns: u32) {
    for _ in 0..turns {
        assert_eq!(kernel.turn(), None);
    }
}

/// What the model and its files know of pages: each page of a file has one use by it. There is
/// no swap area.
struct Known<'a, const RISCV: bool>(&'a Kernel<Model<RISCV>>);

impl<const RISCV: bool> Outside<Model<RISCV>> for Known<'_, RISCV> {
    fn uses(&self, page: Pfn) -> u32 {
        u32::from(self.0.memory.frames.kind(page) == Kind::File)
    }
    fn entry(&self, space: &ModelSpace, page: VirtAddr) -> Option<(Pfn, Protection)> {
        self.0.platform.entry(space, page)
    }
    fn entries(&self, space: &ModelSpace) -> usize {
        self.0.platform.entries(space)
    }
}

/// Runs until the end, and checks memory against all processes every so many turns.
pub fn run_audited<const RISCV: bool>(kernel: &mut Kernel<Model<RISCV>>, every: u32) -> End {
    for turn in 0..TURNS {
        if turn % every == 0 {
            let spaces: Vec<_> =
                kernel.processes.iter().filter_map(|process| process.space.as_ref()).collect();
            audit(&kernel.memory, &spaces, &Known(kernel)).unwrap_or_else(|what| panic!("{what}"));
        }
        if let Some(end) = kernel.turn() {
            return end;
        }
    }
    panic!("the processes do not end");
}

/// Ends what is left, and checks that every page came back.
pub fn finish<const RISCV: bool>(kernel: Kernel<Model<RISCV>>) {
    let (_, memory) = kernel.dispose();
    for kind in [Kind::Table, Kind::Anonymous, Kind::File, Kind::Shared] {
        assert_eq!(memory.frames.count(kind), 0, "pages of {kind:?} are left");
    }
    let swap = memory.swap.total();
    assert_eq!(memory.frames.count(Kind::Kernel), 1 + swap, "pages of the kernel's are left");
    assert_eq!(memory.swap.free(), swap, "slots of the swap area are left");
    assert_eq!(memory.info().leaves, 0, "leaves are left");
}

/// Runs a program as the first process, on both machines, with further files; it ends with 0,
/// or with the number of the check that failed.
pub fn passes(
    write: impl Fn(&mut Assembler),
    more: impl Fn(Machine) -> Vec<(&'static str, Vec<u8>)>,
) {
    passes_on::<false>(&write, &more);
    passes_on::<true>(&write, &more);
}

fn passes_on<const RISCV: bool>(
    write: &impl Fn(&mut Assembler),
    more: &impl Fn(Machine) -> Vec<(&'static str, Vec<u8>)>,
) {
    let mut init = program::<RISCV>();
    write(&mut init);
    let mut files = more(<Model<RISCV> as Platform>::MACHINE);
    files.push(("init", init.elf()));
    let mut kernel = kernel::<RISCV>(&files);
    let end = run(&mut kernel);
    let console = String::from_utf8_lossy(&kernel.platform.take_console()).into_owned();
    assert_eq!(end, End::Init(0), "riscv: {RISCV}; {console}");
    finish(kernel);
}

/// No further files.
pub fn alone(_: Machine) -> Vec<(&'static str, Vec<u8>)> {
    Vec::new()
}
