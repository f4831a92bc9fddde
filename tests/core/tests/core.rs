//! The tests of the core as one program, which is compiled in a third of the time that one for
//! each file takes. `lifecycle` counts allocations, and so is a program of its own.

/// Makes a test for each platform of each of these functions.
macro_rules! for_each_platform {
    ($($test:ident)*) => {$(
        mod $test {
            #[test]
            fn x86_64() {
                super::$test::<pv_core::X86_64>();
            }
            #[test]
            fn sv39() {
                super::$test::<pv_core::Riscv64Sv39>();
            }
            #[test]
            fn sv48() {
                super::$test::<pv_core::Riscv64Sv48>();
            }
        }
    )*};
}

mod accesses;
mod authority;
mod census;
mod extents;
mod flush;
mod limits;
mod merge_during_calls;
mod merge_order;
mod processor;
mod progress;
mod reclaim;
mod resumption;
mod scanner;
mod sequences;
mod sharing;
mod sharing_limits;
mod smoke;
mod spare;
mod steps;
mod swap_device;
mod sweep;
mod teardown;
mod together;
mod traps;
mod user_mode;
