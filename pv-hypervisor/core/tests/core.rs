//! The tests of the core as one program, which is compiled in a third of the time that one for
//! each file takes. `lifecycle` counts allocations, and so is a program of its own.

mod common;

mod accesses;
mod authority;
mod flush;
mod limits;
mod processor;
mod progress;
mod resumption;
mod sequences;
mod smoke;
mod steps;
mod teardown;
mod traps;
mod user_mode;
