//! The guest's balloon: how a running guest kernel gives memory to the hypervisor and takes
//! it back.
//!
//! *Inflate*: the balloon takes free pages from the guest's own allocator and gives the machine
//! frames behind them to the hypervisor. The pages stay in the guest's numbering as *holes*.
//! *Deflate*: the hypervisor gives frames, the holes are backed again and go back to the
//! allocator.
//!
//! The driver knows the order in which this is safe, what a partial answer means and what
//! becomes of a page that the hypervisor refuses; everything else (the allocator, the
//! map, the page tables, the calls) is the kernel's, behind [`BalloonPort`].
//!
//! ```text
//!            take_page       unmap, flush         release
//!  allocator ---------> page ------------> page ---------> hole
//!      ^                                    | Busy           |
//!      |                 map                v                | obtain, fill, map
//!      +---------------------------------- set aside         |
//!      +-----------------------------------------------------+
//! ```
//!
//! From 512 pages on, whole extents go the same way by one number each, where the kernel knows of such.
//!
//! Beside the driver stands what decides how much each guest is to have: [`activity`], [`policy`] and [`control`].

#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod activity;
pub mod control;
mod driver;
mod follower;
pub mod policy;
mod port;
mod pressure;
mod report;

pub use driver::{Balloon, MAX_SET_ASIDE, STEP_EXTENTS, STEP_PAGES};
pub use follower::{Follower, KernelCounts, Step};
pub use port::{Answer, BalloonPort};
pub use pressure::PressureMeter;
pub use report::{Report, Statistics, Stop};
