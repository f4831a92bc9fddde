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
    let options = Options::parse(info.command_line(), info.module_bytes > 0)?;
    misbehave::before_traps(options.crash);

    let mut memory = Memory::take(info).map_err(|error| surprise!("{error}"))?;
    defmt::info!(
        "domain {=u16} is up: {=u64} pages, {=u64} of them free, {=u8} levels of tables",
        info.domain.0,
        info.frames,
        memory.free_pages(),
        memory.format().root_level().number(),
    );
    map::show(info, &memory);
    trap::register(trap::fatal).map_err(|error| surprise!("trap_register: {error}"))?;
    tables::build_and_switch(&mut memory)?;
    let heap_pages = kernel_core::settings::heap_pages(info.frames);
    if !heap::init(&mut memory, heap_pages) {
        return Err(surprise!(
            "no {heap_pages} free pages in a row for the heap: give the guest more memory"
        ));
    }
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
        programs::run(info, memory, info.command_line())?;
    }
    println!("[5] power off");
    defmt::info!("domain {=u16} powers off", info.domain.0);
    Ok(())
}
