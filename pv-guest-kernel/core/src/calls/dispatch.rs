//! From the number of a system call to what serves it: [`dispatch`].

use super::{Answer, Call, Stop, decode};
use crate::{
    Platform,
    fs::{Errno, Pid},
    kernel::Kernel,
};
use alloc::format;

/// What serves a call: it gets the caller and the call's arguments, all of them hostile.
type Handler<P> = fn(&mut Kernel<P>, Pid, [u64; 6]) -> Answer;

/// Makes a call of a process.
pub(crate) fn dispatch<P: Platform>(
    kernel: &mut Kernel<P>,
    who: Pid,
    number: u64,
    args: [u64; 6],
) -> Answer {
    match decode(P::MACHINE, number).and_then(handler) {
        Some(handle) => handle(kernel, who, args),
        None => missing(kernel, who, number),
    }
}

fn handler<P: Platform>(call: Call) -> Option<Handler<P>> {
    let _ = call;
    None
}

/// A call that the kernel does not have: it says so, the first time.
fn missing<P: Platform>(kernel: &mut Kernel<P>, who: Pid, number: u64) -> Answer {
    // What a program asks for must not fill the kernel's heap.
    if kernel.missing.len() < 512 && kernel.missing.insert(number) {
        let name = decode(P::MACHINE, number).map_or("unknown", Call::name);
        let line = format!("process {}: no system call {number} ({name})\n", who.0);
        kernel.platform.console_write(line.as_bytes());
    }
    Err(Stop::Errno(Errno::ENOSYS))
}
