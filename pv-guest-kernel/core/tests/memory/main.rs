//! Memory as processes see it, on the model of a machine: whatever happens, each finds what it
//! wrote, and everything comes back.

mod contents;
mod faults;
mod forks;
mod mappings;
mod random;
mod swapping;
mod user;
mod world;
