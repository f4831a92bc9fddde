//! Step 3: processes. Each has an address space of its own, in which the kernel does not appear;
//! the kernel takes its system calls, serves its page faults and shares the processor out.
//!
//! ```text
//! 0x0040_0000  program, mapped for executing
//! 0x1000_0000  (here the kernel is linked; in a process nothing is)
//! 0x4000_0000  heap, grown by a system call, backed when it is touched
//! 0x7fff_0000  top of the stack, backed when it is touched, at most 256 KiB
//! ```

mod faults;
mod programs;
mod system_calls;

use super::surprise::{Surprise, surprise};
use alloc::{collections::VecDeque, vec::Vec};
use faults::Faults;
use programs::Program;
use pv_guest::{
    abi::{
        DomainId, PAGE_SIZE, Port, VirtAddr,
        calls::abi_query::Query,
        start_info::StartInfo,
        trap::{Cause, TrapFrame},
    },
    arch::TrapFrameExt,
    calls, events,
    memory::Memory,
    paging::Protection,
    println,
    space::AddressSpace,
    time, trap, user,
};

/// Where a program is loaded.
const PROGRAM_BASE: u64 = 0x40_0000;
/// Where the heap begins.
const HEAP_BASE: u64 = 0x4000_0000;
/// Bytes of heap at most.
const HEAP_LIMIT: u64 = 1 << 20;
/// Behind the highest byte of the stack.
const STACK_TOP: u64 = 0x7fff_0000;
/// Bytes of stack at most.
const STACK_LIMIT: u64 = 256 * 1024;

/// A process's turn, in microseconds, unless calls are so slow that it would be over before it
/// began: then that many times the cost of one.
const SLICE: u64 = 200;
const SLICE_CALLS: u64 = 8;

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// It said so.
    Exit(u64),
    /// It touched what it must not.
    Killed,
}

/// What a process does next.
enum Next {
    /// It goes on.
    Continue,
    /// It waits for its next turn.
    Yield,
    /// It is over.
    End(End),
}

struct Process {
    number: u64,
    name: &'static str,
    space: AddressSpace,
    frame: TrapFrame,
    /// First address behind the heap.
    heap_end: u64,
    faults: Faults,
    system_calls: u64,
    preemptions: u64,
    end: Option<End>,
}

impl Process {
    fn new(
        memory: &mut Memory,
        number: u64,
        program: &Program,
        argument: u64,
    ) -> Result<Process, Surprise> {
        let paging = |error| surprise!("process {number}: {error}");
        let mut space = AddressSpace::new(memory).map_err(paging)?;
        for (index, bytes) in program.image().chunks(PAGE_SIZE as usize).enumerate() {
            let mut page = memory.allocate_zeroed().ok_or_else(|| surprise!("no free page"))?;
            page.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
            let address = VirtAddr(PROGRAM_BASE + index as u64 * PAGE_SIZE);
            space.map(memory, address, page, Protection::EXECUTE).map_err(paging)?;
        }
        memory.flush().map_err(paging)?;
        Ok(Process {
            number,
            name: program.name,
            space,
            frame: TrapFrame::new_user(PROGRAM_BASE, STACK_TOP, [number, argument]),
            heap_end: HEAP_BASE,
            faults: Faults::default(),
            system_calls: 0,
            preemptions: 0,
            end: None,
        })
    }

    /// Runs it for one turn.
    fn take_turn(&mut self, memory: &mut Memory, slice: u64) -> Result<(), Surprise> {
        self.space.activate(memory).map_err(|error| surprise!("pt_switch: {error}"))?;
        time::set_timer(slice);
        loop {
            self.frame.header = user::run(&mut self.frame.registers, memory.updates())
                .map_err(|refused| surprise!("process {}: {refused}", self.number))?;
            let next = match self.frame.header.cause.decode() {
                Some(Cause::Event) => Next::Continue,
                Some(Cause::SystemCall) => self.system_call(memory)?,
                Some(Cause::PageFault) => self.page_fault(memory)?,
                _ => {
                    println!("      process {}: {}", self.number, trap::Description(&self.frame));
                    Next::End(End::Killed)
                }
            };
            let over = events::take(Port::TIMER);
            match next {
                Next::End(end) => {
                    self.end = Some(end);
                    return Ok(());
                }
                Next::Yield => return Ok(()),
                Next::Continue if over => {
                    self.preemptions += 1;
                    return Ok(());
                }
                Next::Continue => {}
            }
        }
    }
}

/// A turn that leaves a process time to run, however slow the hypervisor's audit makes calls.
fn slice() -> Result<u64, Surprise> {
    let start = time::now();
    calls::abi_query(Query::Version).map_err(|error| surprise!("abi_query: {error}"))?;
    let call = time::microseconds(time::now() - start);
    Ok(SLICE.max(call * SLICE_CALLS))
}

/// Runs two workers side by side, then two programs that reach for memory that is not theirs.
pub fn run_all(info: &StartInfo, memory: &mut Memory) -> Result<(), Surprise> {
    let slice = slice()?;
    println!("[3] processes, each in an address space of its own; turns of {slice} us");
    let free = memory.free_pages();
    let traps = calls::domain_query(DomainId::SELF).map_or(0, |info| info.traps);
    let (image, _) = pv_guest::fresh::image_range();
    let worker = programs::WORKER;
    let intruder = programs::INTRUDER;
    // Two instructions a round, and about one a nanosecond: some four turns each.
    let rounds = slice * 1_000 / 2 * 4;
    let plan = [
        (&worker, rounds),
        (&worker, rounds),
        (&intruder, image.0),
        (&intruder, info.guest_end.wrapping_neg()),
    ];
    let mut queue = VecDeque::new();
    for (index, (program, argument)) in plan.into_iter().enumerate() {
        queue.push_back(Process::new(memory, index as u64 + 1, program, argument)?);
    }
    let mut ended = Vec::new();
    while let Some(mut process) = queue.pop_front() {
        process.take_turn(memory, slice)?;
        if process.end.is_some() {
            ended.push(process);
        } else {
            queue.push_back(process);
        }
    }
    time::clear_timer();
    ended.sort_by_key(|process| process.number);
    report(memory, &ended);
    check(memory, &ended)?;
    let faults: u64 = ended.iter().map(|process| process.faults.served()).sum();
    for process in ended {
        process.space.destroy(memory).map_err(|error| surprise!("destroy: {error}"))?;
    }
    if memory.free_pages() != free {
        return Err(surprise!("{} pages free before, {} after", free, memory.free_pages()));
    }
    let traps = calls::domain_query(DomainId::SELF).map_or(0, |info| info.traps) - traps;
    println!(
        "    {faults} page faults served by this kernel alone, one trap in and one call out each; {traps} traps in all; every page is free again",
    );
    defmt::info!("processes are over: {=u64} faults, {=u64} traps", faults, traps);
    Ok(())
}

fn report(memory: &Memory, ended: &[Process]) {
    println!("      process      heap  stack  calls  preempted  root mfn  end");
    for process in ended {
        println!(
            "      {} {:<9} {:>5} {:>6} {:>6} {:>10} {:>#9x}  {}",
            process.number,
            process.name,
            process.faults.heap,
            process.faults.stack,
            process.system_calls,
            process.preemptions,
            process.space.root().0,
            match process.end {
                Some(End::Exit(0)) => "exit",
                Some(End::Exit(_)) => "exit with failure",
                Some(End::Killed) => "killed by this kernel",
                None => "still there",
            },
        );
    }
    let frame = |process: &Process| process.space.find(memory, VirtAddr(HEAP_BASE));
    if let [first, second, ..] = ended
        && let (Some((first, _)), Some((second, _))) = (frame(first), frame(second))
    {
        println!(
            "    address {HEAP_BASE:#x}: mfn {:#x} in process 1, mfn {:#x} in process 2",
            first.0, second.0
        );
    }
}

/// What must have come of the plan of [`run_all`].
fn check(memory: &Memory, ended: &[Process]) -> Result<(), Surprise> {
    for process in ended {
        let expected = if process.number <= 2 { End::Exit(0) } else { End::Killed };
        if process.end != Some(expected) {
            return Err(surprise!("process {} ended with {:?}", process.number, process.end));
        }
        if process.number <= 2 && process.preemptions == 0 {
            return Err(surprise!("process {} was never preempted", process.number));
        }
        if process.number <= 2 && process.faults.heap != programs::HEAP_PAGES {
            return Err(surprise!("{} heap faults", process.faults.heap));
        }
        let (image, _) = pv_guest::fresh::image_range();
        if process.space.find(memory, image).is_some() {
            return Err(surprise!("process {} maps the kernel", process.number));
        }
    }
    Ok(())
}
