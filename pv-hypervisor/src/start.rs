//! Boot, in order: processor, memory, clock, domains.
#![allow(unsafe_code, reason = "heap and bundle are raw memory; the hooks are found by name")]

use crate::disk::Disk;
use crate::machine::Hardware;
use crate::options::{Options, SwapOption};
use crate::swap::Swap;
use crate::{arch, fatal, heap, loader, run};
use alloc::boxed::Box;
use bare_machine::{BootInfo, direct_map, memory};
use hypercall_abi::{AbiVersion, DomainId};
use pv_wire::RunTotals;

bare_machine::image!(start: start, stop: fatal::stop);

/// What boot code calls, on the boot stack, with the serial line open.
fn start(boot: &BootInfo) -> ! {
    let began = arch::now();
    arch::init_processor();
    defmt::info!(
        "hypervisor {=str}, interface {=u16}.{=u16}",
        env!("CARGO_PKG_VERSION"),
        AbiVersion::CURRENT.major,
        AbiVersion::CURRENT.minor
    );
    let options = Options::parse(&boot.command_line).unwrap_or_else(|word| {
        fatal::stop(format_args!(
            "'{word}' on the command line: known are focus=N, policy=NAME, round=MS, share=N, \
             reserve=N, store=BYTES, swap=BYTES, swap=disk and spare=BYTES"
        ))
    });
    let layout = memory::init(boot, |frames| heap::bytes_for(frames, &options));
    defmt::info!(
        "own page tables: {=u64} pages executable, {=u64} writable, none both",
        layout.checked.executable,
        layout.checked.writable
    );
    // SAFETY: the layout has set the range aside for the heap.
    unsafe { heap::init(&layout.heap) };
    let ticks_per_second = arch::init_timer();
    let Some(bundle) = &boot.module else {
        fatal::stop(format_args!("no bundle of guests: pass one as the boot module (-initrd)"));
    };
    // SAFETY: the bundle lies in memory of its own, which the layout keeps reserved: nobody
    // writes it.
    let bytes = unsafe { direct_map::bytes(bundle) };
    let focus = DomainId(options.focus);
    let mut machine = Hardware::new(ticks_per_second, focus != run::NOBODY);
    let swap = match options.swap {
        SwapOption::Memory(bytes) => Swap::memory(bytes).unwrap_or_else(|| {
            fatal::stop(format_args!("no room for {bytes} bytes of swap: ask for less"))
        }),
        SwapOption::Disk => Disk::open()
            .map(|disk| Swap::Disk(Box::new(disk)))
            .unwrap_or_else(|why| fatal::stop(format_args!("{why}"))),
    };
    machine.add_swap(swap);
    let mut parsed = None;
    let asked = loader::Asked { options, firmware_seed: &boot.seed };
    let loaded = loader::load(bytes, &mut parsed, &mut machine, &layout, ticks_per_second, asked)
        .unwrap_or_else(|error| fatal::stop(format_args!("{error}")));
    let totals = RunTotals {
        frames_before: loaded.frames_before,
        frame_table_bytes: size_of::<pv_core::frame::Frame>() as u32,
        ticks: began,
        ticks_per_second,
        ..RunTotals::default()
    };
    defmt::info!(
        "{=usize} domains, {=u64} frames free before them",
        loaded.vcpus.len(),
        loaded.frames_before
    );
    run::run(loaded, machine, &options, totals)
}
