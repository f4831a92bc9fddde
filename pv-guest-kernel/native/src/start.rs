//! Boot, in order: processor, memory, clock; then the kernel.
#![allow(unsafe_code, reason = "heap and first file system are raw memory; hooks found by name")]

use crate::arch::Processor;
use crate::pages::Pages;
use crate::platform::Native;
use crate::{crash, fatal, heap, say};
use bare_machine::memory::{self, Layout};
use bare_machine::{BootInfo, arch, direct_map};
use core::ops::Range;
use kernel_core::kernel::Kernel;
use kernel_core::memory::{Frames, Kind};
use kernel_core::settings::Settings;
use kernel_core::{PAGE, Platform, machine_test};

bare_machine::image!(start: start, stop: fatal::stop);

/// What boot code calls, on the boot stack, with the serial line open.
fn start(boot: &BootInfo) -> ! {
    Processor::init();
    let layout = memory::init(boot, heap::bytes_for);
    // SAFETY: the layout has set the range aside for the heap.
    unsafe { heap::init(&layout.heap) };
    let mut platform = Native::new(Pages::new(boot), arch::init_timer());
    let module = boot.module.as_ref();
    let frames = platform.pages().frames(&layout, module);
    let told = !boot.command_line.split_whitespace().any(|word| word == "quiet");
    if told {
        introduce(&frames, &layout, module);
    }
    let well = match Task::of(&boot.command_line) {
        Task::MachineTest => test_machine(&mut platform, frames),
        Task::Crash(how) => !crash::crash(how),
        Task::Kernel => {
            let pages = memory_pages(boot);
            let heap_bytes = layout.heap.end - layout.heap.start;
            let settings = Settings::for_memory(Native::MACHINE, pages, heap_bytes);
            run_kernel(platform, frames, module, &boot.command_line, settings)
        }
    };
    arch::power_off(well)
}

/// Says what there is.
fn introduce(frames: &Frames, layout: &Layout, module: Option<&Range<u64>>) {
    say!(
        "kernel {}, native: {} KiB of memory free, {} KiB of heap, first file system of {} bytes",
        env!("CARGO_PKG_VERSION"),
        frames.count(Kind::Free) * (PAGE as u64 / 1024),
        (layout.heap.end - layout.heap.start) / 1024,
        module.map_or(0, |module| module.end - module.start)
    );
}

/// What the command line asks for.
enum Task<'a> {
    MachineTest,
    Crash(&'a str),
    Kernel,
}

impl Task<'_> {
    fn of(command_line: &str) -> Task<'_> {
        let mut words = command_line.split_whitespace();
        let task = words.find_map(|word| match word {
            "machine-test" => Some(Task::MachineTest),
            _ => word.strip_prefix("crash=").map(Task::Crash),
        });
        task.unwrap_or(Task::Kernel)
    }
}

/// Pages of the machine.
fn memory_pages(boot: &BootInfo) -> u64 {
    boot.memory.iter().map(|range| (range.end - range.start) / PAGE as u64).sum()
}

/// Runs programs until the first process ends; whether it ended well. The first file system's
/// archive is memory like any other once it is unpacked.
fn run_kernel(
    platform: Native,
    frames: Frames,
    module: Option<&Range<u64>>,
    line: &str,
    settings: Settings,
) -> bool {
    let pages = platform.pages();
    let archive = module.map_or(&[][..], |module| {
        // SAFETY: it lies in memory of its own, which the layout keeps reserved: nobody writes it
        // before its pages are the kernel's, and then `archive` is used no more.
        unsafe { direct_map::bytes(module) }
    });
    match Kernel::new(platform, frames, archive, line.as_bytes(), settings) {
        Ok(mut kernel) => {
            kernel.add_pages(module.into_iter().flat_map(|module| pages.within(module)));
            let end = kernel.run();
            say!("kernel: {end}");
            end.is_good()
        }
        Err(error) => {
            say!("{error}");
            false
        }
    }
}

/// Things that processes do at random in the machine test.
const STEPS: u64 = 5000;

/// Tests what the kernel expects of the machine; whether all of it is so.
fn test_machine(platform: &mut Native, mut frames: Frames) -> bool {
    let programs = machine_test::Programs::of(Native::MACHINE);
    let report = &mut |_: &mut Native, name| say!("machine test: {name}");
    let count = machine_test::run(platform, &mut frames, &programs, report);
    let soaked = count.and_then(|count| {
        machine_test::soak(platform, frames, &programs, STEPS).map(|soaked| (count, soaked))
    });
    match soaked {
        Ok((count, soaked)) => {
            say!("machine test: {soaked:?}");
            say!("machine test: {count} passed");
            true
        }
        Err(broken) => {
            say!("machine test: FAILED: {broken}");
            false
        }
    }
}
