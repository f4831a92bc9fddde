//! Where the program of a process lies in its memory: [`Image`].

use core::ops::Range;

/// Addresses that `exec` chose, for `/proc`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Image {
    /// The program's code.
    pub code: Range<u64>,
    /// The program's data, as far as it comes from its file.
    pub data: Range<u64>,
    /// Where the heap begins.
    pub heap: u64,
    /// Where the stack pointer was at the start; the area of it is the stack.
    pub stack: u64,
    /// The arguments, each with a zero byte behind it.
    pub arguments: Range<u64>,
    /// The environment, likewise.
    pub environment: Range<u64>,
    /// The page with the code that signal handlers return to; 0 if there is none.
    pub trampoline: u64,
}
