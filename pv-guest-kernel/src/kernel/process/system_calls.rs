//! System calls of processes: the same registers as hypercalls, numbers and meanings of this
//! kernel's own. An error is a result of `u64::MAX`.
//!
//! | number | call | result |
//! |---:|---|---|
//! | 1 | `write(address, length)`: a line of text, at most 128 bytes | 0 |
//! | 2 | `grow(bytes)`: makes the heap longer by whole pages | address of what is new |
//! | 3 | `number()` | the process's number |
//! | 4 | `yield()`: ends the turn | 0 |
//! | 5 | `exit(code)` | |

use super::{super::surprise::Surprise, End, HEAP_BASE, HEAP_LIMIT, Next, Process};
use pv_guest::{
    abi::{PAGE_SIZE, VirtAddr, trap::FaultAccess},
    arch::TrapFrameExt,
    memory::Memory,
    println,
};

pub const WRITE: u64 = 1;
pub const GROW: u64 = 2;
pub const NUMBER: u64 = 3;
pub const YIELD: u64 = 4;
pub const EXIT: u64 = 5;

const FAILED: u64 = u64::MAX;
const TEXT_BYTES: usize = 128;

impl Process {
    /// Answers the system call that its frame tells of.
    pub(super) fn system_call(&mut self, memory: &mut Memory) -> Result<Next, Surprise> {
        self.system_calls += 1;
        let (number, arguments) = self.frame.system_call();
        let mut next = Next::Continue;
        let result = match number {
            WRITE => self.write(memory, arguments[0], arguments[1])?,
            GROW => self.grow(arguments[0]),
            NUMBER => self.number,
            YIELD => {
                next = Next::Yield;
                0
            }
            EXIT => return Ok(Next::End(End::Exit(arguments[0]))),
            _ => FAILED,
        };
        self.frame.finish_system_call(result);
        Ok(next)
    }

    fn write(&mut self, memory: &mut Memory, address: u64, length: u64) -> Result<u64, Surprise> {
        let mut bytes = [0; TEXT_BYTES];
        let Some(bytes) = usize::try_from(length).ok().and_then(|length| bytes.get_mut(..length))
        else {
            return Ok(FAILED);
        };
        // Memory that the process may have and has not touched yet is there for the kernel too.
        let Some(end) = address.checked_add(length) else { return Ok(FAILED) };
        let first = address & !(PAGE_SIZE - 1);
        for page in (first..end).step_by(PAGE_SIZE as usize) {
            let missing = self.space.find(memory, VirtAddr(page)).is_none();
            if missing && !self.serve(memory, page.max(address), FaultAccess::READ)? {
                return Ok(FAILED);
            }
        }
        if self.space.read(memory, VirtAddr(address), bytes).is_err() {
            return Ok(FAILED);
        }
        let text = core::str::from_utf8(bytes).unwrap_or("(bytes that are no text)");
        println!("      process {}: {text}", self.number);
        Ok(0)
    }

    fn grow(&mut self, bytes: u64) -> u64 {
        let room = HEAP_BASE + HEAP_LIMIT - self.heap_end;
        if bytes > room {
            return FAILED;
        }
        let start = self.heap_end;
        self.heap_end += bytes.next_multiple_of(PAGE_SIZE);
        start
    }
}
