//! From the first instruction to a program's main function: what lies on the first stack.
#![allow(unsafe_code, reason = "the kernel leaves lists on the stack")]

use core::ffi::CStr;

/// Names the main function, `fn(&Start) -> i32`, whose result is the program's status.
#[macro_export]
macro_rules! program {
    ($main:path) => {
        #[allow(unsafe_code, reason = "the start calls this symbol")]
        #[unsafe(no_mangle)]
        fn __program_main(start: &$crate::Start) -> i32 {
            $main(start)
        }
    };
}

unsafe extern "Rust" {
    /// The program's main function, made by [`program!`](crate::program).
    safe fn __program_main(start: &Start) -> i32;
}

/// What the kernel gives a program: words that lie on its stack.
pub struct Start {
    stack: *const usize,
}

impl Start {
    fn word(&self, index: usize) -> usize {
        // SAFETY: the lists on the stack end with zeros; nothing behind them is asked for.
        unsafe { *self.stack.add(index) }
    }

    /// The address of the stack at the first instruction.
    pub fn stack(&self) -> usize {
        self.stack as usize
    }

    /// How many arguments there are, the program's name among them.
    pub fn count(&self) -> usize {
        self.word(0)
    }

    /// An argument; number 0 is the program's name.
    pub fn argument(&self, index: usize) -> Option<&CStr> {
        (index < self.count()).then(|| self.text(self.word(1 + index)))
    }

    /// An argument that is a number.
    pub fn number(&self, index: usize) -> Option<usize> {
        self.argument(index)?.to_str().ok()?.parse().ok()
    }

    /// The environment.
    pub fn environment(&self) -> impl Iterator<Item = &CStr> {
        (0..)
            .map(|index| self.word(self.environment_at() + index))
            .take_while(|text| *text != 0)
            .map(|text| self.text(text))
    }

    /// A value of the auxiliary vector.
    pub fn auxiliary(&self, key: usize) -> Option<usize> {
        let at = self.environment_at() + self.environment().count() + 1;
        let pairs = (0..).map(|index| (self.word(at + 2 * index), self.word(at + 2 * index + 1)));
        pairs
            .take_while(|(found, _)| *found != 0)
            .find(|(found, _)| *found == key)
            .map(|(_, value)| value)
    }

    /// The zero after the arguments.
    pub fn arguments_end(&self) -> usize {
        self.word(1 + self.count())
    }

    fn environment_at(&self) -> usize {
        2 + self.count()
    }

    /// A text that the kernel has put somewhere.
    pub fn text(&self, address: usize) -> &CStr {
        // SAFETY: what the lists name are texts that end, and nobody writes them.
        unsafe { CStr::from_ptr(address as *const _) }
    }
}

/// Called by the architecture's first instructions with the address of the stack.
pub(crate) extern "C" fn begin(stack: *const usize) -> ! {
    crate::calls::exit(__program_main(&Start { stack }))
}
