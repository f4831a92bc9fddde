//! A test of a machine: whether a [`Platform`] keeps what the trait promises, told by tiny
//! programs in the machine's own code.
//!
//! It runs where the platform runs: on the host against the model, and in a booted kernel when
//! its command line says `machine-test`. It takes pages as the kernel does, and gives all of
//! them back.

mod events;
mod faults;
mod programs;
mod soak;
mod spaces;
mod state;
mod world;

pub use programs::Programs;
pub use soak::{Soaked, soak};
pub use world::Broken;

use crate::{Platform, memory::Frames};
use world::World;

type Check<P> = fn(&mut World<'_, P>) -> Result<(), Broken>;

/// Every check, by name, in the order in which they build upon one another.
fn checks<P: Platform>() -> [(&'static str, Check<P>); 24] {
    [
        ("pages are cleared, copied, read and written", state::pages),
        ("a program makes a call and gets its answer", state::call),
        ("a call is made again", state::again),
        ("registers go through a signal frame", state::signal_frame),
        ("a signal frame of ones does no harm", state::hostile_signal_frame),
        ("thread-local storage has its base", state::thread_base),
        ("floating-point registers are kept apart", state::float),
        ("what is not mapped faults, with address and access", faults::not_mapped),
        ("what is mapped for less faults", faults::not_allowed),
        ("the kernel's own addresses fault", faults::not_for_processes),
        ("a program goes on behind a fault that is served", faults::served),
        ("instructions that are none are told apart", faults::instructions),
        ("a mapping that changes leaves nothing stale", spaces::nothing_stale),
        ("many changes come in one batch", spaces::batch),
        ("address spaces are apart", spaces::apart),
        ("what the processor used is told, once", spaces::used),
        ("an address space gives every page back", spaces::given_back),
        ("a page becomes a table at once", spaces::page_becomes_table),
        ("no page for a table leaves nothing undone", spaces::no_page),
        ("address spaces come and go in any order", spaces::any_order),
        ("the alarm interrupts a loop", events::alarm),
        ("an alarm that the kernel missed interrupts", events::missed_alarm),
        ("the alarm ends an idle wait", events::idle),
        ("bytes are random", events::random),
    ]
}

/// Runs every check; `report` is told the name of each before it begins. How many there are.
///
/// # Errors
/// [`Broken`]: what the platform did not keep. The pages of that check are lost.
pub fn run<P: Platform>(
    platform: &mut P,
    frames: &mut Frames,
    programs: &Programs<'_>,
    report: &mut dyn FnMut(&mut P, &'static str),
) -> Result<usize, Broken> {
    let checks = checks::<P>();
    for (name, check) in checks {
        report(platform, name);
        let mut world = World::new(platform, frames, programs, name);
        check(&mut world)?;
        world.expect_all_pages_free()?;
    }
    Ok(checks.len())
}
