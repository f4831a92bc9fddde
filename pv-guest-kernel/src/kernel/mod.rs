//! The kernel: one module a step.
//!
//! | file | step |
//! |---|---|
//! | `map` | 1: the pseudo-physical map |
//! | `tables`, `refusals` | 2: its own page tables; what the hypervisor refuses |
//! | `process/` | 3: processes, their system calls and page faults |
//! | `memory`, `share` | 4: the balloon; a page and signals between two domains |
//! | `options`, `surprise`, `misbehave` | the command line; what went wrong; going wrong on purpose |

mod map;
mod memory;
mod misbehave;
mod options;
mod process;
mod programs;
mod refusals;
mod share;
mod surprise;
mod tables;

use crate::paravirtual;
use options::Options;
use pv_guest::{
    abi::start_info::StartInfo,
    heap,
    memory::Memory,
    paging::TableRead,
    println,
    stack::{self, Stack},
    trap,
};
use surprise::{Surprise, surprise};

pv_guest::entry!(main);

/// Pages of the kernel's stack: 128 KiB, as lists of the balloon's are on it, or 256 in a build that is
/// not optimized, which keeps many values twice.
const STACK_PAGES: u64 = if cfg!(debug_assertions) { 64 } else { 32 };

fn main(info: &'static StartInfo) -> Result<(), Surprise> {
    let options = Options::parse(info.command_line(), info.module_bytes > 0)?;
    if !options.quiet {
        introduce(info);
    }
    misbehave::before_traps(options.crash);

    let mut memory = Memory::take(info).map_err(|error| surprise!("{error}"))?;
    defmt::info!(
        "domain {=u16} is up: {=u64} pages, {=u64} of them free, {=u8} levels of tables",
        info.domain.0,
        info.frames,
        memory.free_pages(),
        memory.format().root_level().number(),
    );
    if !options.quiet {
        map::show(info, &memory);
    }
    trap::register(trap::fatal).map_err(|error| surprise!("trap_register: {error}"))?;
    if !options.quiet {
        tables::build_and_switch(&mut memory)?;
    }
    make_heap(info, &mut memory)?;
    let (_, error) = stack::leave_boot_stack(memory, STACK_PAGES, |memory, stack| {
        if options.quiet {
            programs::run(info, memory)
        } else {
            show(info, memory, &options, stack)
        }
    });
    Err(surprise!("{error}"))
}

/// Shows one step after the other, once the kernel has tables, heap and stack of its own.
fn show(
    info: &StartInfo,
    mut memory: Memory,
    options: &Options,
    stack: Stack,
) -> Result<(), Surprise> {
    if options.machine_test {
        println!("[m] the machine under the kernel core");
        let passed =
            paravirtual::machine_test(info, memory).map_err(|broken| surprise!("{broken}"))?;
        println!("machine test: {passed} checks passed");
        return Ok(());
    }
    misbehave::with_traps(options.crash, stack)?;
    refusals::show(info, &mut memory)?;
    process::run_all(info, &mut memory)?;
    memory::inflate_and_deflate(&mut memory)?;
    match options.peer {
        Some(peer) => share::with_peer(info, &mut memory, peer)?,
        None => println!("    no partner (`peer=N`): no page is shared"),
    }
    if info.module_bytes > 0 {
        println!("[6] programs, from a file system of {} bytes", info.module_bytes);
        programs::run(info, memory)?;
    }
    println!("[5] power off");
    defmt::info!("domain {=u16} powers off", info.domain.0);
    Ok(())
}

/// Says who this is.
fn introduce(info: &StartInfo) {
    println!(
        "guest kernel {}: domain {} \"{}\", {} KiB in {} pages, interface {}.{}",
        env!("CARGO_PKG_VERSION"),
        info.domain.0,
        info.name(),
        info.frames * 4,
        info.frames,
        info.version.major,
        info.version.minor,
    );
}

fn make_heap(info: &StartInfo, memory: &mut Memory) -> Result<(), Surprise> {
    let pages = programs::heap_pages_of(info);
    if heap::init(memory, pages) {
        return Ok(());
    }
    Err(surprise!("no {pages} free pages in a row for the heap: give the guest more memory"))
}
