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
    abi::start_info::StartInfo, heap, memory::Memory, paging::TableRead, println, trap,
};
use surprise::{Surprise, surprise};

pv_guest::entry!(main);

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
    if options.quiet {
        trap::register(trap::fatal).map_err(|error| surprise!("trap_register: {error}"))?;
        make_heap(info, &mut memory)?;
        return programs::run(info, memory);
    }
    map::show(info, &memory);
    trap::register(trap::fatal).map_err(|error| surprise!("trap_register: {error}"))?;
    tables::build_and_switch(&mut memory)?;
    make_heap(info, &mut memory)?;
    if options.machine_test {
        println!("[m] the machine under the kernel core");
        let passed =
            paravirtual::machine_test(info, memory).map_err(|broken| surprise!("{broken}"))?;
        println!("machine test: {passed} checks passed");
        return Ok(());
    }
    misbehave::with_traps(options.crash)?;
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
