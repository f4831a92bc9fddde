//! Files on the whole system.

use super::{TICK, kib};
use crate::{
    Machine, Platform,
    calls::{RELEASE, SYSTEM, VERSION},
    fs::{Errno, FileSystem, SystemFile},
    process::{State, View},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// What a file on the system says.
pub fn system<P: Platform>(
    view: &View<'_, P>,
    fs: &FileSystem,
    file: SystemFile,
) -> Result<Vec<u8>, Errno> {
    let text = match file {
        SystemFile::Cmdline => {
            return Ok([view.system.command_line, b"\n"].concat());
        }
        SystemFile::Cpuinfo => cpuinfo(P::MACHINE).into(),
        SystemFile::Filesystems => "nodev\tproc\nnodev\ttmpfs\n".into(),
        SystemFile::Loadavg => loadavg(view),
        SystemFile::Meminfo => meminfo(view),
        SystemFile::Mounts => {
            let size = kib(fs.limits().file_pages);
            format!("tmpfs / tmpfs rw,size={size}k 0 0\nproc /proc proc rw 0 0\n")
        }
        SystemFile::Stat => stat(view),
        SystemFile::Swaps => swaps(view),
        SystemFile::Uptime => {
            format!("{} {}\n", hundredths(view.now), hundredths(view.system.idle_time))
        }
        SystemFile::Version => format!("{SYSTEM} version {RELEASE} {VERSION}\n"),
        SystemFile::Vmstat => vmstat(view),
    };
    Ok(text.into())
}

/// Seconds with two digits behind the point.
fn hundredths(nanoseconds: u64) -> String {
    format!("{}.{:02}", nanoseconds / 1_000_000_000, nanoseconds / TICK % 100)
}

fn cpuinfo(machine: Machine) -> &'static str {
    match machine {
        Machine::X86_64 => "processor\t: 0\nmodel name\t: x86-64\n\n",
        Machine::Riscv64 => "processor\t: 0\nhart\t\t: 0\nisa\t\t: rv64imafdc\n\n",
    }
}

/// How many processes want to run, who asks included.
fn running<P: Platform>(view: &View<'_, P>) -> usize {
    view.processes.iter().filter(|process| process.state == State::Ready).count()
}

fn loadavg<P: Platform>(view: &View<'_, P>) -> String {
    let loads = view.system.load.hundredths();
    let [one, five, fifteen] = loads.map(|load| format!("{}.{:02}", load / 100, load % 100));
    let (running, all) = (running(view), view.processes.len());
    format!("{one} {five} {fifteen} {running}/{all} {}\n", view.processes.last().0)
}

/// Appends a line of a table of figures in KiB.
fn line(text: &mut String, name: &str, value: u64) {
    let name = name.to_string() + ":";
    *text += &format!("{name:<15} {value:>8} kB\n");
}

fn meminfo<P: Platform>(view: &View<'_, P>) -> String {
    let info = &view.info;
    let mut text = String::new();
    let slab = info.slab_bytes.div_ceil(1024);
    for (name, value) in [
        ("MemTotal", kib(info.total)),
        ("MemFree", kib(info.free)),
        ("MemAvailable", kib(info.available)),
        ("Buffers", 0),
        ("Cached", kib(info.cached + info.shared)),
        ("SwapCached", kib(info.swap_cached)),
        ("Unevictable", kib(info.cached)),
        ("SwapTotal", kib(info.swap_total)),
        ("SwapFree", kib(info.swap_free)),
        ("AnonPages", kib(info.anonymous)),
        ("Shmem", kib(info.shared + info.cached)),
        ("Slab", slab),
        ("SReclaimable", 0),
        ("SUnreclaim", slab),
        ("PageTables", kib(info.tables)),
        ("Balloon", kib(info.ballooned)),
    ] {
        line(&mut text, name, value);
    }
    text
}

fn stat<P: Platform>(view: &View<'_, P>) -> String {
    let system = &view.system;
    let busy = view.now.saturating_sub(system.idle_time);
    let user: u64 =
        view.processes.iter().map(|process| process.times.user + process.times.children_user).sum();
    let user = user.min(busy);
    let cpu = format!(
        "{} 0 {} {} 0 0 0 0 0 0",
        user / TICK,
        (busy - user) / TICK,
        system.idle_time / TICK
    );
    format!(
        "cpu  {cpu}\ncpu0 {cpu}\nintr {}\nctxt {}\nbtime {}\nprocesses {}\nprocs_running {}\n\
         procs_blocked 0\n",
        system.interrupts,
        system.switches,
        system.clock.start / 1_000_000_000,
        view.processes.made(),
        running(view),
    )
}

fn swaps<P: Platform>(view: &View<'_, P>) -> String {
    let mut text = String::from("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    let info = &view.info;
    if info.swap_total > 0 {
        let (size, used) = (kib(info.swap_total), kib(info.swap_total - info.swap_free));
        text += &format!("{:<40}partition\t{size}\t\t{used}\t\t-2\n", "swap");
    }
    text
}

fn vmstat<P: Platform>(view: &View<'_, P>) -> String {
    let info = &view.info;
    let (mut faults, mut major) = (0, 0);
    for process in view.processes.iter() {
        let (minor_now, major_now) = process.faults();
        faults += minor_now + major_now + process.times.children_faults;
        faults += process.times.children_major_faults;
        major += major_now + process.times.children_major_faults;
    }
    let mut text = String::new();
    for (name, value) in [
        ("nr_free_pages", info.free),
        ("nr_anon_pages", info.anonymous),
        ("nr_file_pages", info.cached + info.shared),
        ("nr_shmem", info.shared),
        ("nr_page_table_pages", info.tables),
        ("pswpin", view.swapping.read),
        ("pswpout", view.swapping.written),
        ("pgfault", faults),
        ("pgmajfault", major),
    ] {
        text += &format!("{name} {value}\n");
    }
    text
}
