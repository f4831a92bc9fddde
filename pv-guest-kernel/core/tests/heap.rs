//! Processes take all that limits leave them, of everything at once, in a small machine: what the
//! kernel's heap holds stays below what there is, and no call takes more for itself than is kept
//! for that.
//!
//! The allocator counts for the whole program, so that there is one test in this file.

#[path = "process/world.rs"]
#[allow(dead_code, unused_imports, reason = "another program's world")]
mod world;

use kernel_core::{
    PAGE,
    fs::{At, Caller, Errno, FileSystem, Node, OpenFlags, Pid},
    kernel::Store,
    settings::heap_pages,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use world::*;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Pages of the machine: 16 MiB.
const PAGES: u64 = 4096;

type Machine = Model<false>;

/// Bytes that are allocated now.
fn held() -> usize {
    let stats = HEAP.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// The heap of the small machine, and what is measured of it.
struct Heap {
    bytes: usize,
    /// What was held before the kernel was.
    base: usize,
    most: usize,
    most_at_once: usize,
}

impl Heap {
    /// Does something that a call does, and measures.
    fn during<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let before = HEAP.stats().bytes_allocated;
        let result = act();
        self.most_at_once = self.most_at_once.max(HEAP.stats().bytes_allocated - before);
        self.most = self.most.max(held() - self.base);
        result
    }
}

const MAP_SHARED_ANONYMOUS: u64 = 0x21;
const MAP_PRIVATE_ANONYMOUS: u64 = 0x22;
const READ_WRITE: u64 = 3;
const PIPES: u64 = 30;
const EAGAIN: u64 = 11;
const ENOMEM: u64 = 12;
/// Descriptors of the first pipe, at which children wait until there are as many as there may be.
const GATE: (u64, u64) = (3, 4);

/// Waits, and never ends.
fn rest(a: &mut Assembler) {
    a.label("rest").call(Call::Ppoll, &[0.into(), 0.into(), 0.into(), 0.into()]).jump("rest");
}

/// The first process, and what its children do.
fn init(arguments: u64) -> Assembler {
    let mut a = program::<false>();
    let (pair, byte, all) = (a.words(&[0]), a.words(&[0; 8]), a.words(&[u64::MAX]));
    // All but the terminal and the gate, which has bytes left over.
    let polled: Vec<u8> = (5..2 * PIPES as u32 + 3)
        .flat_map(|fd| [&fd.to_le_bytes()[..], &[1, 0, 0, 0]].concat())
        .collect();
    let polled_count = polled.len() as u64 / 8;
    let (polled, groups) = (a.data(&polled), a.words(&[0; 32]));
    let (next, one) = (a.string("/sleeper"), a.string("x"));
    a.zeros(64 << 10);

    a.set(KEEP, PIPES).label("pipe").call(Call::Pipe2, &[pair.into(), 0.into()]).answers(0);
    a.put(Instruction::Add(KEEP, KEEP, u64::MAX)).jump_if_zero(KEEP, "piped").jump("pipe");
    a.label("piped").fork().jump_if_zero(CALL as u8, "touch");
    a.fork().jump_if_zero(CALL as u8, "arguments");
    a.label("more").fork().jump_if_zero(CALL as u8, "child");
    a.put(Instruction::Add(8, CALL as u8, EAGAIN)).jump_if_zero(8, "full").jump("more");
    a.label("full").call(Call::Write, &[GATE.1.into(), byte.into(), 64.into()]).answers(64);
    a.call(Call::Wait4, &[2.into(), 0.into(), 0.into(), 0.into()]).answers(2).exit(0);

    // Pages two mebibytes apart, until it is ended.
    let length: u64 = 8 << 30;
    let any = u64::MAX.into();
    let map = [0.into(), length.into(), READ_WRITE.into(), MAP_PRIVATE_ANONYMOUS.into(), any];
    a.label("touch").call(Call::Mmap, &map).set(8, r(CALL as u8));
    a.call(Call::Read, &[0.into(), byte.into(), 8.into()]).answers(3);
    a.label("next").put(Instruction::Store(8, 8, 0)).put(Instruction::Add(8, 8, 2 << 20));
    a.jump("next");

    // As many arguments as there may be, each of one byte.
    a.label("arguments").set(8, ZEROS).set(7, arguments).set(6, one);
    a.label("fill").put(Instruction::Store(6, 8, 0)).put(Instruction::Add(8, 8, 8));
    a.put(Instruction::Add(7, 7, u64::MAX)).jump_if_zero(7, "execute").jump("fill");
    a.label("execute").call(Call::Execve, &[next.into(), ZEROS.into(), 0.into()]).exit(99);

    // Signals, groups, descriptors, areas, things to wait for: all that a process may have.
    a.label("child").call(Call::Read, &[GATE.0.into(), byte.into(), 1.into()]).answers(1);
    a.call(Call::RtSigprocmask, &[0.into(), all.into(), 0.into(), 8.into()]).answers(0);
    a.call(Call::Getpid, &[]).set(8, r(CALL as u8));
    for signal in (1..32_u64).filter(|signal| ![9, 19].contains(signal)) {
        a.call(Call::Kill, &[r(8), signal.into()]);
    }
    a.label("queue").call(Call::Kill, &[r(8), 34.into()]).jump_if_zero(CALL as u8, "queue");
    a.call(Call::Setgroups, &[64.into(), groups.into()]).answers(0);
    a.call(Call::Dup3, &[0.into(), 255.into(), 0.into()]).answers(255);
    let map = [0.into(), 4096.into(), READ_WRITE.into(), MAP_SHARED_ANONYMOUS.into(), any];
    a.label("map").call(Call::Mmap, &map);
    a.put(Instruction::Add(8, CALL as u8, ENOMEM)).jump_if_zero(8, "poll").jump("map");
    a.label("poll").call(Call::Poll, &[polled.into(), polled_count.into(), any]);
    rest(&mut a);
    a
}

/// Fills the file system: pages, inodes, names, open files, what is open of `/proc`.
fn fill_files(kernel: &mut Kernel<Machine>, heap: &mut Heap) {
    let limits = kernel.fs.limits();
    let caller = Caller::KERNEL;
    let (fs, mut store) = (
        &mut kernel.fs,
        Store { platform: &mut kernel.platform, frames: &mut kernel.memory.frames },
    );
    let root = fs.root();
    fn at(start: Node, path: &[u8]) -> At<'_> {
        At { start, path }
    }
    let create = OpenFlags::CREAT | OpenFlags::RDWR;
    let file = fs.open(&caller, at(root, b"/file"), create, 0o644, &mut store).unwrap();
    while heap.during(|| fs.write(file.description, &[1; 4096], &mut store)).is_ok() {}
    assert_eq!(fs.usage().file_pages, limits.file_pages);
    let mut here = root;
    let full = loop {
        if let Err(errno) = heap.during(|| fs.mkdir(&caller, at(here, b"d"), 0o755)) {
            break errno;
        }
        here = fs.find(&caller, at(here, b"d"), kernel_core::fs::Follow::No).unwrap();
    };
    assert_eq!((full, fs.usage().inodes), (Errno::ENOSPC, limits.inodes));
    let mut names = 0;
    let follow = kernel_core::fs::Follow::No;
    let link = |fs: &mut FileSystem, name: &str| {
        fs.link(&caller, at(root, b"/file"), follow, at(root, name.as_bytes()))
    };
    while heap.during(|| link(fs, &format!("/{names}"))).is_ok() {
        names += 1;
    }
    assert!(limits.name_bytes - fs.usage().name_bytes < 256);
    let mut open = Vec::new();
    while let Ok(opened) =
        heap.during(|| fs.open(&caller, at(root, b"/file"), create, 0, &mut store))
    {
        open.push(opened.description);
    }
    assert_eq!(fs.usage().open_files, limits.open_files);
    let mut text = 1000;
    while heap.during(|| fs.set_snapshot(open[text % open.len()], vec![0; text])).is_ok() {
        text += 1;
    }
    assert!(limits.snapshot_bytes - fs.usage().snapshot_bytes < 2 * text);
    open.into_iter().chain([file.description]).for_each(|id| fs.close(id, &mut store));
    heap.during(|| fs.set_size(&caller, root_file(fs), 0, &mut store)).unwrap().give(&mut store);
}

fn root_file(fs: &FileSystem) -> Node {
    let at = At { start: fs.root(), path: b"/file" };
    fs.find(&Caller::KERNEL, at, kernel_core::fs::Follow::No).unwrap()
}

#[test]
fn processes_at_all_their_limits_leave_the_heap_its_room() {
    let heap_bytes = heap_pages(PAGES) * PAGE as u64;
    let settings = Settings::for_memory(kernel_core::Machine::X86_64, PAGES, heap_bytes);
    let mut sleeper = program::<false>();
    rest(&mut sleeper);
    // Of each argument its byte, its zero and its address count.
    let arguments = settings.arguments as u64 / 10 - 1;
    let files = archive(&[("init", init(arguments).elf()), ("sleeper", sleeper.elf())]);
    // More pages than the kernel is told of: none of its limits is to be hidden by their end.
    let model = Machine::new(3 * PAGES);
    let mut heap = Heap { bytes: heap_bytes as usize, base: held(), most: 0, most_at_once: 0 };
    let frames = model.frames();
    let mut kernel = Kernel::new(model, frames, &files, b"", settings).unwrap();
    for _ in 0..20_000 {
        assert_eq!(heap.during(|| kernel.turn()), None);
    }

    assert_eq!(kernel.processes.len(), settings.processes);
    let sum = |of: &dyn Fn(&kernel_core::process::Process<Machine>) -> usize| {
        kernel.processes.iter().map(of).sum::<usize>()
    };
    let areas = sum(&|process| process.space.as_ref().map_or(0, |space| space.areas().len()));
    assert_eq!(areas, settings.memory.areas);
    let waits = sum(&|process| match &process.state {
        kernel_core::process::State::Waiting(waiting) => waiting.files.len(),
        _ => 0,
    });
    assert!(waits + 2 * PIPES as usize > settings.waits && waits <= settings.waits, "{waits}");
    let executed = kernel.processes.get(Pid(3)).unwrap();
    assert_eq!((executed.name.as_slice(), executed.executed), (&b"sleeper"[..], true));

    fill_files(&mut kernel, &mut heap);
    kernel.platform.type_in(b"go\n");
    let mut end = None;
    while end.is_none() {
        end = heap.during(|| kernel.turn());
    }
    assert_eq!(end, Some(End::Init(0)));
    let console = String::from_utf8(kernel.platform.take_console()).unwrap();
    assert!(console.contains("out of memory: ended process 2"), "{console}");

    let Heap { bytes, most, most_at_once, .. } = heap;
    println!("of {bytes} bytes {most} at most were held, and {most_at_once} taken by one call");
    assert!(most <= bytes / 4 * 3, "{most} of {bytes} bytes were held");
    assert!(most_at_once <= bytes / 4, "one call took {most_at_once} of {bytes} bytes");
    finish(kernel);
}
