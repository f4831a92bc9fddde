//! What `/proc` says, read by a process.

use super::*;
use alloc::{format, string::String};

fn text<const RISCV: bool>(world: &mut World<RISCV>, path: &str) -> String {
    String::from_utf8(world.content(path)).expect("text")
}

/// The number behind a name in a table of KiB.
fn figure(table: &str, name: &str) -> u64 {
    let line = table.lines().find(|line| line.starts_with(name)).expect(name);
    line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect(name)
}

#[test]
fn memory_adds_up() {
    let mut world = World::new();
    world.fill();
    world.file("/large", &[1; 20 * PAGE]);
    let table = text(&mut world, "/proc/meminfo");
    let info = world.kernel.memory.info();
    assert_eq!(figure(&table, "MemTotal:"), info.total * 4);
    assert_eq!(figure(&table, "MemFree:"), info.free * 4);
    assert_eq!(figure(&table, "AnonPages:"), info.anonymous * 4);
    assert_eq!(figure(&table, "Cached:"), info.cached * 4);
    assert!(figure(&table, "Cached:") >= 80);
    let parts: u64 = ["MemFree:", "Cached:", "AnonPages:", "PageTables:"]
        .iter()
        .map(|name| figure(&table, name))
        .sum();
    assert_eq!(parts + info.kernel * 4, info.total * 4);
    // `free` looks for these.
    for name in ["Buffers:", "SReclaimable:", "MemAvailable:", "SwapTotal:", "SwapFree:", "Shmem:"]
    {
        figure(&table, name);
    }
    world.finish();
}

#[test]
fn the_state_of_a_process_is_one_line_of_52_fields() {
    let mut world = World::new();
    world.fill();
    world.kernel.processes.get_mut(INIT).unwrap().name = b"a) R (b c".to_vec();
    let line = text(&mut world, "/proc/1/stat");
    let (front, rest) = line.rsplit_once(") ").unwrap();
    assert_eq!(front, "1 (a) R (b c");
    let fields: Vec<&str> = rest.split_whitespace().collect();
    assert_eq!(fields.len(), 50);
    let process = world.kernel.processes.get(INIT).unwrap();
    let usage = process.space.as_ref().unwrap().usage();
    let expected = [
        (3, "R".into()),
        (4, "0".into()),
        (20, "1".into()),
        (23, format!("{}", usage.mapped * PAGE as u64)),
        (24, format!("{}", usage.resident())),
        (28, format!("{}", process.image.stack)),
        (47, format!("{}", process.image.heap)),
        (48, format!("{}", process.image.arguments.start)),
        (51, format!("{}", process.image.environment.end)),
        (52, "0".into()),
    ];
    for (number, value) in expected {
        assert_eq!(fields[number - 3], value, "field {number}");
    }
    world.finish();
}

#[test]
fn status_and_statm_agree_with_the_figures() {
    let mut world = World::new();
    world.ok(Call::Brk, &[0]);
    world.fill();
    let status = text(&mut world, "/proc/self/status");
    let statm = text(&mut world, "/proc/1/statm");
    let usage = world.kernel.processes.get(INIT).unwrap().space.as_ref().unwrap().usage();
    assert_eq!(figure(&status, "VmSize:"), usage.mapped * 4);
    assert_eq!(figure(&status, "VmRSS:"), usage.resident() * 4);
    assert_eq!(figure(&status, "RssAnon:"), usage.anonymous * 4);
    assert!(status.contains("Name:\tinit\n") && status.contains("Uid:\t0\t0\t0\t0\n"));
    assert!(status.contains("State:\tR (running)\n"));
    let fields: Vec<u64> = statm.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert_eq!((fields.len(), fields[0], fields[1]), (7, usage.mapped, usage.resident()));
    world.finish();
}

#[test]
fn maps_name_files_the_heap_and_the_stack() {
    let mut world = World::new();
    let start = world.ok(Call::Brk, &[0]);
    world.ok(Call::Brk, &[start + 5000]);
    world.file("/lib file", &[1; PAGE]);
    let fd = world.open("/lib file", 0);
    world.ok(Call::Mmap, &[0x2000_0000, PAGE as u64, 1, 0x12, fd, 0]);
    let maps = text(&mut world, "/proc/self/maps");
    assert!(maps.contains(&format!("{BUFFER:08x}-{:08x} rw-p 00000000 00:00 0\n", BUFFER + ROOM)));
    let named = |name: &str| {
        let line = maps.lines().find(|line| line.ends_with(name)).expect(name);
        assert_eq!(&line[73..], name, "{line}");
        line
    };
    assert!(named("/lib file").starts_with("20000000-20001000 r--p 00000000 00:01 "));
    assert!(named("[stack]").contains(" rw-p "));
    assert!(
        named("[heap]").contains(&format!("{:08x} rw-p", (start + 5000).next_multiple_of(4096)))
    );
    assert!(named("/init").contains("r-xp"));
    let path = world.string("/lib file");
    world.ok(Call::Unlink, &[path]);
    assert!(text(&mut world, "/proc/1/maps").contains(" (deleted)\n"));
    world.finish();
}

#[test]
fn maps_name_the_code_by_which_handlers_return() {
    let mut world: World<true> = World::with_pages(1024);
    let maps = text(&mut world, "/proc/self/maps");
    let lines: Vec<&str> = maps.lines().filter(|line| line.ends_with("[vdso]")).collect();
    assert!(lines.len() == 1 && lines[0].contains(" r-xp "), "{maps}");
    assert!(!maps.contains("(deleted)"), "{maps}");
    world.finish();
}

#[test]
fn arguments_and_environment_are_those_in_memory() {
    let mut world = World::new();
    assert_eq!(world.content("/proc/1/cmdline"), b"/init\0single\0");
    let environment = world.content("/proc/self/environ");
    assert!(environment.ends_with(b"x=1\0") && environment.starts_with(b"HOME=/\0"));
    let at = world.kernel.processes.get(INIT).unwrap().image.arguments.start;
    world.store(at, b"/INIT");
    assert_eq!(world.content("/proc/1/cmdline"), b"/INIT\0single\0");
    assert_eq!(world.content("/proc/1/comm"), b"init\n");
    let child = world.fork();
    world.kernel.processes.get_mut(child).unwrap().ids.uid = 5;
    world.become_(child);
    for file in ["environ", "maps"] {
        let path = world.string(&format!("/proc/1/{file}"));
        assert_eq!(world.errno(Call::Open, &[path, 0]), Errno::EACCES);
    }
    assert_eq!(world.content("/proc/1/cmdline"), b"/INIT\0single\0");
    assert_eq!(world.kernel.fs.usage().snapshot_bytes, 0);
}

#[test]
fn the_system_is_described() {
    let mut world = World::new();
    world.kernel.platform.set_alarm(Some(12_340_000_000));
    world.kernel.platform.idle();
    world.kernel.idle_time = 2_500_000_000;
    for (file, expected) in [
        ("uptime", "12.34 2.50\n"),
        ("cmdline", "single x=1\n"),
        ("filesystems", "nodev\tproc\nnodev\ttmpfs\n"),
        ("loadavg", "0.00 0.00 0.00 1/1 1\n"),
        ("mounts", "tmpfs / tmpfs rw,size=16384k 0 0\nproc /proc proc rw 0 0\n"),
        ("swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"),
        ("version", "Linux version 6.1.0 #1 Paravane guest kernel\n"),
    ] {
        assert_eq!(text(&mut world, &format!("/proc/{file}")), expected);
    }
    let stat = text(&mut world, "/proc/stat");
    assert!(stat.starts_with("cpu  0 0 984 250 0 0 0 0 0 0\ncpu0 0 0 984 250 "), "{stat}");
    assert!(stat.contains("\nbtime 1000000000\n") && stat.contains("\nprocs_running 1\n"));
    assert!(text(&mut world, "/proc/vmstat").contains("pswpout 0\n"));
    assert!(text(&mut world, "/proc/cpuinfo").starts_with("processor\t: 0\n"));
    world.finish();
}

#[test]
fn descriptors_can_be_listed_and_read() {
    let mut world = World::new();
    world.file("/f", b"text");
    let fd = world.open("/f", 0);
    let (path, at) = (world.string(&format!("/proc/self/fd/{fd}")), world.space(64));
    assert_eq!(world.ok(Call::Readlink, &[path, at, 64]), 2);
    assert_eq!(world.load(at, 2), b"/f");
    assert_eq!(world.content(&format!("/proc/1/fd/{fd}")), b"text");
    let path = world.string("/proc/self/exe");
    assert_eq!(world.ok(Call::Readlink, &[path, at, 64]), 5);
    world.finish();
}
