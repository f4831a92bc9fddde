//! The tests of this crate as one program, which is compiled in half the time that one for each
//! file takes.

mod activity;
mod conservation;
mod control;
mod extents;
mod follower;
mod policies;
