//! The state of a process: `/proc/<pid>/{stat,statm,status}`.

use super::{TICK, kib};
use crate::{
    PAGE, Platform, Registers,
    fs::{DESCRIPTORS, DeviceNumber},
    memory::{Rights, Source, Usage},
    process::{Action, Process, Resource, Signal, SignalSet, State, View},
};
use alloc::{format, string::String, vec::Vec};

/// The terminal's device.
const TERMINAL: DeviceNumber = DeviceNumber { major: 5, minor: 1 };

/// What a process does, as a letter and as a word.
fn state<P: Platform>(process: &Process<P>) -> (char, &'static str) {
    match process.state {
        State::Ready => ('R', "running"),
        State::Waiting(_) => ('S', "sleeping"),
        State::Lending => ('D', "disk sleep"),
        State::Stopped => ('T', "stopped"),
        State::Ended(_) => ('Z', "zombie"),
    }
}

/// The signals that are ignored, and those that are caught.
fn dispositions<P: Platform>(process: &Process<P>) -> (u64, u64) {
    let (mut ignored, mut caught) = (0, 0);
    for number in 1..=64 {
        let Some(signal) = Signal::with_number(number) else { continue };
        match process.signals.action(signal).handler {
            Action::DEFAULT => {}
            Action::IGNORE => ignored |= SignalSet::of(&[signal]).0,
            _ => caught |= SignalSet::of(&[signal]).0,
        }
    }
    (ignored, caught)
}

/// The name, on one line.
fn name<P: Platform>(process: &Process<P>) -> String {
    String::from_utf8_lossy(&process.name).replace('\n', "\\n")
}

/// Figures of the memory; all zero when there is none.
fn usage<P: Platform>(process: &Process<P>) -> Usage {
    process.space.as_ref().map_or(Usage::default(), |space| space.usage())
}

/// Pages of the private areas that can be written, but the stack; the stack; and the code.
fn sizes<P: Platform>(process: &Process<P>) -> (u64, u64, u64) {
    let (mut data, mut stack, mut code) = (0, 0, 0);
    let areas = process.space.iter().flat_map(|space| space.areas());
    for area in areas {
        let pages = area.pages.len();
        if area.pages.addresses().contains(&process.image.stack) {
            stack += pages;
        } else if area.rights.contains(Rights::WRITE) && !area.shared {
            data += pages;
        } else if area.rights.contains(Rights::EXECUTE)
            && matches!(area.source, Source::File { .. })
        {
            code += pages;
        }
    }
    (data, stack, code)
}

/// All in one line: 52 fields.
pub fn stat<P: Platform>(view: &View<'_, P>, process: &Process<P>) -> Vec<u8> {
    let (image, times, usage) = (&process.image, &process.times, usage(process));
    let here = view.system.terminal.session == Some(process.session);
    let (device, foreground) = match view.system.terminal.foreground {
        Some(group) if here => (crate::calls::device_number(TERMINAL), i64::from(group.0)),
        _ if here => (crate::calls::device_number(TERMINAL), 0),
        _ => (0, -1),
    };
    let (minor, major) = process.faults();
    let (ignored, caught) = dispositions(process);
    let limit = process.limits.get(Resource::Resident).soft;
    // The register of a process that waits or is ready to run: nobody else reads them.
    let (sp, pc) = (process.registers.sp(), process.registers.pc());
    let status = if let State::Ended(status) = process.state { status } else { 0 };
    let low = |set: u64| set & 0x7fff_ffff;
    let heap = process.space.as_ref().map_or(image.heap, |space| space.heap().0);
    let text = format!(
        "{} ({}) {} {} {} {} {device} {foreground} 0 {minor} {} {major} {} {} {} {} {} {} {} 1 0 \
         {} {} {} {limit} {} {} {} {sp} {pc} {} {} {} {} {} 0 0 {} 0 0 0 0 0 0 {} {} {heap} {} {} \
         {} {} {status}\n",
        process.pid.0,
        name(process),
        state(process).0,
        process.parent.0,
        process.group.0,
        process.session.0,
        times.children_faults,
        times.children_major_faults,
        times.user / TICK,
        times.system / TICK,
        times.children_user / TICK,
        times.children_system / TICK,
        20 + process.nice,
        process.nice,
        times.started / TICK,
        usage.mapped * PAGE as u64,
        usage.resident(),
        image.code.start,
        image.code.end,
        image.stack,
        low(process.signals.pending().0),
        low(process.signals.blocked.0),
        low(ignored),
        low(caught),
        u8::from(matches!(process.state, State::Waiting(_))),
        process.end_signal,
        image.data.start,
        image.data.end,
        image.arguments.start,
        image.arguments.end,
        image.environment.start,
        image.environment.end,
    );
    text.into()
}

/// Memory in pages, in one line.
pub fn statm<P: Platform>(process: &Process<P>) -> Vec<u8> {
    let (usage, (data, stack, code)) = (usage(process), sizes(process));
    let shared = usage.file + usage.shared;
    let (mapped, resident) = (usage.mapped, usage.resident());
    format!("{mapped} {resident} {shared} {code} 0 {} 0\n", data + stack).into()
}

/// All of it for people.
pub fn status<P: Platform>(process: &Process<P>) -> Vec<u8> {
    let (letter, word) = state(process);
    let (user, group) = (process.credentials.user, process.credentials.group);
    let pid = process.pid.0;
    let groups: String =
        process.credentials.groups.iter().map(|group| format!("{group} ")).collect();
    let mut text = format!(
        "Name:\t{}\nUmask:\t{:04o}\nState:\t{letter} ({word})\nTgid:\t{pid}\nPid:\t{pid}\n\
         PPid:\t{}\nTracerPid:\t0\nUid:\t{}\t{}\t{}\t{}\nGid:\t{}\t{}\t{}\t{}\nFDSize:\t{}\n\
         Groups:\t{groups}\n",
        name(process),
        process.ids.umask,
        process.parent.0,
        user.real,
        user.effective,
        user.saved,
        user.effective,
        group.real,
        group.effective,
        group.saved,
        group.effective,
        DESCRIPTORS,
    );
    if process.space.is_some() {
        let (usage, (data, stack, code)) = (usage(process), sizes(process));
        for (name, pages) in [
            ("VmPeak", usage.peak_mapped),
            ("VmSize", usage.mapped),
            ("VmLck", 0),
            ("VmPin", 0),
            ("VmHWM", usage.peak_resident),
            ("VmRSS", usage.resident()),
            ("RssAnon", usage.anonymous),
            ("RssFile", usage.file),
            ("RssShmem", usage.shared),
            ("VmData", data),
            ("VmStk", stack),
            ("VmExe", code),
            ("VmLib", 0),
            ("VmPTE", usage.tables),
            ("VmSwap", usage.swapped),
        ] {
            text += &format!("{name}:\t{:>8} kB\n", kib(pages));
        }
    }
    let (ignored, caught) = dispositions(process);
    text += &format!(
        "Threads:\t1\nSigPnd:\t{:016x}\nShdPnd:\t{:016x}\nSigBlk:\t{:016x}\nSigIgn:\t{ignored:016x}\n\
         SigCgt:\t{caught:016x}\nvoluntary_ctxt_switches:\t{}\n\
         nonvoluntary_ctxt_switches:\t{}\n",
        process.signals.pending().0,
        0,
        process.signals.blocked.0,
        process.times.voluntary_switches,
        process.times.involuntary_switches,
    );
    text.into()
}

impl<P: Platform> Process<P> {
    /// Faults that were served from memory, and those that read a page back.
    pub(crate) fn faults(&self) -> (u64, u64) {
        let usage = usage(self);
        let major = usage.major_faults + self.times.past_major_faults;
        let all = usage.faults + self.times.past_faults;
        (all.saturating_sub(major), major)
    }
}
