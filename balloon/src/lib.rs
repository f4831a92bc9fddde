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
//! Beside the driver stands what decides how much each guest is to have: [`activity`], [`policy`] and [`control`];
//! and the device that a guest with a driver of another make has instead: [`virtio`].
//!
//! # Two vocabularies
//!
//! *Inflate* and *deflate* are the field's words (Waldspurger, 2002): the balloon grows inside the
//! guest, and the guest's memory shrinks. Some lecture notes have them the other way round: there a
//! guest inflates its balloon to be given memory. Who does not want to think of which is meant says
//! what becomes of the memory: [`Balloon::reclaim`] takes it from the guest, [`Balloon::give`] gives
//! it back.
//!
//! | what happens to the guest's memory | here, and in the field | those notes |
//! |---|---|---|
//! | it shrinks: the hypervisor reclaims frames | inflate | deflate |
//! | it grows: the hypervisor gives frames | deflate | inflate |
//!
//! A kernel of sixteen pages, with its balloon:
//!
//! ```
//! use balloon::{Answer, Balloon, BalloonPort};
//! use hypercall_abi::{Mfn, Pfn};
//!
//! struct Kernel {
//!     free: Vec<Pfn>,
//!     map: Vec<Option<Mfn>>,
//!     /// Frames that the hypervisor has.
//!     machine: Vec<Mfn>,
//! }
//!
//! impl BalloonPort for Kernel {
//!     // ...
//! #   fn take_page(&mut self) -> Option<Pfn> {
//! #       self.free.pop()
//! #   }
//! #   fn give_page(&mut self, page: Pfn) {
//! #       self.free.push(page);
//! #   }
//! #   fn frame_of(&self, page: Pfn) -> Option<Mfn> {
//! #       self.map[page.0 as usize]
//! #   }
//! #   fn unmap(&mut self, pages: &[Pfn]) -> usize {
//! #       pages.len()
//! #   }
//! #   fn flush(&mut self) {}
//! #   fn map(&mut self, pages: &[Pfn]) -> usize {
//! #       pages.len()
//! #   }
//! #   fn release(&mut self, frames: &[Mfn]) -> Answer {
//! #       self.machine.extend(frames);
//! #       Answer { done: frames.len() as u64, refused: None }
//! #   }
//! #   fn make_hole(&mut self, page: Pfn) {
//! #       self.map[page.0 as usize] = None;
//! #   }
//! #   fn obtain(&mut self, frames: &mut [Mfn]) -> Answer {
//! #       for frame in frames.iter_mut() {
//! #           *frame = self.machine.pop().expect("the machine has as many");
//! #       }
//! #       Answer { done: frames.len() as u64, refused: None }
//! #   }
//! #   fn fill_hole(&mut self, frame: Mfn) -> Option<Pfn> {
//! #       let hole = self.map.iter().position(Option::is_none)?;
//! #       self.map[hole] = Some(frame);
//! #       Some(Pfn(hole as u64))
//! #   }
//! #   fn owned_frames(&mut self) -> u64 {
//! #       self.map.iter().flatten().count() as u64
//! #   }
//! #   fn target_frames(&mut self) -> u64 {
//! #       self.map.len() as u64
//! #   }
//! }
//!
//! let frames = (0..16).map(|page| Some(Mfn(1000 + 7 * page)));
//! let mut kernel = Kernel {
//!     free: (4..16).map(Pfn).collect(),
//!     map: frames.collect(),
//!     machine: Vec::new(),
//! };
//! let mut balloon = Balloon::new();
//!
//! // The balloon inflates: the guest has less.
//! balloon.inflate(&mut kernel, 4);
//! assert_eq!((balloon.size(), kernel.owned_frames()), (4, 12));
//! // The same by the other verb, and how it comes back.
//! balloon.reclaim(&mut kernel, 2);
//! assert_eq!((balloon.size(), kernel.owned_frames()), (6, 10));
//! balloon.give(&mut kernel, 5);
//! assert_eq!((balloon.size(), kernel.owned_frames()), (1, 15));
//! // The balloon deflates: the guest has more.
//! balloon.deflate(&mut kernel, 1);
//! assert_eq!((balloon.size(), kernel.owned_frames()), (0, 16));
//! ```

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
pub mod virtio;

pub use driver::{Balloon, MAX_SET_ASIDE, STEP_EXTENTS, STEP_PAGES};
pub use follower::{Follower, KernelCounts, Step};
pub use port::{Answer, BalloonPort};
pub use pressure::PressureMeter;
pub use report::{Report, Statistics, Stop};
