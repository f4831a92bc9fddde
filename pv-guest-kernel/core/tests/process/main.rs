//! Processes on the model: programs of its small processor, in ELF files, make system calls.

mod exec;
mod forks;
mod handlers;
mod jobs;
mod limits;
mod random;
mod scheduling;
mod signals;
mod starting;
mod waiting;
mod world;
