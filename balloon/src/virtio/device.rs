//! The device: its registers as a transport reaches them, its target, how it stands. What it does with its
//! queues is in `serve`.

use super::config::Config;
use super::queue::{Chain, MAX_QUEUE_SIZE, Queue, QueueSetup};
use super::{Fault, Features, PageMap, STEP_PAGES, Status, Told, queues};
use crate::activity::{GuestStatistics, Refaults};
use crate::policy::Pages;
use bitflags::bitflags;
use heapless::Vec;
use hypercall_abi::{Error, Pfn};

bitflags! {
    /// Why the driver is to be interrupted.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Interrupts: u8 {
        /// Buffers were used.
        const USED = 1;
        /// The configuration space, or the status, has changed.
        const CONFIG = 2;
    }
}

/// What came of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// There is nothing to do.
    Idle,
    /// Something was done; there may be more.
    Busy,
    /// There is no frame for a page that the guest wants back: it waits, and the device asks again in the
    /// next step.
    Waits(Error),
    /// The device needs a reset, which only the driver can make.
    Broken(Fault),
}

/// Why a queue is not set up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueueRefused {
    /// There is no such queue, or its feature was not negotiated.
    NoSuchQueue,
    /// Its size or its alignment is not as it has to be.
    Malformed,
    /// Features are not agreed on yet, or the driver said already that it is ready.
    NotNow,
}

/// Counts since the device was made; a reset leaves them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Kicks, by queue.
    pub kicks: [u64; queues::COUNT],
    /// Chains that were given back to the driver, by queue.
    pub chains: [u64; queues::COUNT],
    /// Frames that the balloon took.
    pub taken: u64,
    /// Frames that went to pages which left the balloon.
    pub given: u64,
    /// Frames taken of pages that were reported free.
    pub reported: u64,
    /// Frames that went to pages which were touched.
    pub touched: u64,
    /// Of those, pages that are in the balloon: the driver used them and did not say so.
    pub popped: u64,
    /// Times that a frame was asked for and refused, and stays with its page.
    pub kept: u64,
    /// Times that the driver began to deflate although the balloon was no larger than it is to be: the
    /// guest is short of memory, or the target has just changed.
    pub below_target: u64,
}

/// A queue, and what the device is doing with it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    pub(super) queue: Option<Queue>,
    pub(super) chain: Option<Chain>,
    pub(super) kicked: bool,
}

/// The balloon device of one guest. It holds where the guest's pages are, in words that the caller lends,
/// and the pages of one array.
#[derive(Debug)]
pub struct Device<W> {
    pub(super) map: PageMap<W>,
    pub(super) config: Config,
    pub(super) features: Features,
    pub(super) slots: [Slot; queues::COUNT],
    /// The queue that is looked at first.
    pub(super) turn: usize,
    /// Pages that have left the balloon and have no frame yet.
    pub(super) giving: Vec<Pfn, STEP_PAGES>,
    /// The buffer for statistics that the device holds.
    pub(super) held: Option<u16>,
    pub(super) told: Option<Told>,
    pub(super) refaults: Refaults,
    /// When statistics were asked for last, and how long after the time before.
    pub(super) asked: Option<(u64, u64)>,
    pub(super) counters: Counters,
    pub(super) interrupts: Interrupts,
    status: Status,
    wanted: u64,
    generation: u32,
    fault: Option<Fault>,
    /// Words of the map that have forgotten the balloon, while the device is being reset.
    resetting: Option<usize>,
}

/// Words of the map that one step of a reset goes over: 32,768 pages.
const RESET_WORDS: usize = 1024;

impl<W: AsRef<[u64]> + AsMut<[u64]>> Device<W> {
    /// A device that no driver has seen, and which wants nothing.
    pub fn new(map: PageMap<W>) -> Device<W> {
        Device {
            map,
            config: Config::default(),
            features: Features::empty(),
            slots: [Slot::default(); queues::COUNT],
            turn: 0,
            giving: Vec::new(),
            held: None,
            told: None,
            refaults: Refaults::default(),
            asked: None,
            counters: Counters::default(),
            interrupts: Interrupts::empty(),
            status: Status::empty(),
            wanted: 0,
            generation: 0,
            fault: None,
            resetting: None,
        }
    }

    // What a hypervisor asks and sets.

    /// Where the guest's pages are.
    pub const fn map(&self) -> &PageMap<W> {
        &self.map
    }

    /// Counts.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Frames that the guest has: what a policy sees as allocated.
    pub const fn owned(&self) -> Pages {
        Pages(self.map.backed())
    }

    /// Sets what the guest is to have; whether that is new, and the driver is to be told. What it has
    /// reported as free is no matter of the target.
    pub fn set_target(&mut self, target: Pages) -> bool {
        let pages = self.map.pages().saturating_sub(target.0);
        let pages = u32::try_from(pages).unwrap_or(u32::MAX);
        if pages == self.config.num_pages {
            return false;
        }
        self.config.num_pages = pages;
        self.config_changed();
        true
    }

    /// Pages that the balloon is still to take: with what [`Counters::taken`] has grown by, what a
    /// [`StallDetector`](crate::control::StallDetector) is told. The driver's own count is not asked.
    pub const fn asked_for(&self) -> Pages {
        Pages((self.config.num_pages as u64).saturating_sub(self.map.in_balloon()))
    }

    /// What the driver says of its guest, as [`Evidence`](crate::activity::Evidence) has it. `None` until
    /// it has said something.
    pub fn statistics(&self) -> Option<GuestStatistics> {
        // A driver that may deflate by itself leaves the balloon in its total; others take it out.
        let counted = match self.features.contains(Features::DEFLATE_ON_OOM) {
            true => self.map.in_balloon(),
            false => 0,
        };
        self.told.map(|told| told.statistics(self.map.pages(), counted, self.refaults))
    }

    /// What the driver told, as it did.
    pub const fn told(&self) -> Option<Told> {
        self.told
    }

    /// What went wrong, if the device needs a reset.
    pub const fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// What the driver is to be interrupted for, once.
    pub fn take_interrupts(&mut self) -> Interrupts {
        core::mem::take(&mut self.interrupts)
    }

    // What a transport does with registers.

    /// What the device offers.
    pub const fn device_features(&self) -> u64 {
        Features::all().bits()
    }

    /// What the driver wants of that; it is looked at when the driver sets [`Status::FEATURES_OK`].
    pub fn set_driver_features(&mut self, bits: u64) {
        if !self.status.contains(Status::FEATURES_OK) {
            self.wanted = bits;
        }
    }

    /// How far the driver has come.
    pub const fn status(&self) -> Status {
        self.status
    }

    /// The driver sets the status. Bits that it leaves out stay; [`Status::FEATURES_OK`] does not come up
    /// when it wants what is not offered, or not what is required; 0 is a reset.
    ///
    /// The reset is over when the status is 0: at once, or after some steps when pages are in the balloon.
    /// The next driver knows nothing of those and may use them: they come back when they are touched.
    pub fn set_status(&mut self, bits: u8) {
        if bits == 0 {
            return self.begin_reset();
        }
        if self.resetting.is_some() {
            return;
        }
        let mut new = Status::from_bits_truncate(bits) - Status::NEEDS_RESET;
        if new.contains(Status::FEATURES_OK) && !self.status.contains(Status::FEATURES_OK) {
            match Features::accepts(self.wanted) {
                Some(features) => self.features = features,
                None => new -= Status::FEATURES_OK,
            }
        }
        if !(self.status | new).contains(Status::FEATURES_OK) {
            new -= Status::DRIVER_OK;
        }
        self.status |= new;
    }

    /// Places that a queue may have; 0 if there is no such.
    pub const fn max_queue_size(&self, index: u16) -> u16 {
        if (index as usize) < queues::COUNT { MAX_QUEUE_SIZE } else { 0 }
    }

    /// The driver has set a queue up.
    ///
    /// # Errors
    /// [`QueueRefused`]; nothing has changed then.
    pub fn set_queue(&mut self, index: u16, setup: QueueSetup) -> Result<(), QueueRefused> {
        let negotiated = match index {
            queues::INFLATE | queues::DEFLATE => true,
            queues::STATISTICS => self.features.contains(Features::STATS_VQ),
            queues::REPORTING_AS_LINUX | queues::REPORTING => {
                self.features.contains(Features::PAGE_REPORTING)
            }
            _ => return Err(QueueRefused::NoSuchQueue),
        };
        let agreed = self.status.contains(Status::FEATURES_OK) && self.resetting.is_none();
        if !agreed || self.status.contains(Status::DRIVER_OK) {
            return Err(QueueRefused::NotNow);
        }
        if !negotiated {
            return Err(QueueRefused::NoSuchQueue);
        }
        if !setup.is_well_formed() {
            return Err(QueueRefused::Malformed);
        }
        self.slots[usize::from(index)] = Slot { queue: Some(Queue::new(setup)), ..Slot::default() };
        Ok(())
    }

    /// The driver has kicked a queue.
    pub fn notify(&mut self, index: u16) {
        let index = usize::from(index);
        if self.is_running() && index < queues::COUNT {
            self.slots[index].kicked = true;
            self.counters.kicks[index] += 1;
        }
    }

    /// The configuration space; zeros beyond it.
    pub fn read_config(&self, offset: usize, to: &mut [u8]) {
        to.fill(0);
        let bytes = self.config.bytes();
        let there = bytes.get(offset..).unwrap_or_default();
        to.iter_mut().zip(there).for_each(|(to, from)| *to = *from);
    }

    /// The driver writes to the configuration space. What is not its own stays, as does everything if a
    /// part lies beyond the space.
    pub fn write_config(&mut self, offset: usize, data: &[u8]) {
        self.config.write(offset, data, self.status.contains(Status::DRIVER_OK));
    }

    /// Changes whenever the configuration space does, but by the driver.
    pub const fn config_generation(&self) -> u32 {
        self.generation
    }

    // What both share with the queues.

    /// Whether queues are served.
    pub(super) fn is_running(&self) -> bool {
        self.status.contains(Status::DRIVER_OK)
            && !self.status.intersects(Status::NEEDS_RESET | Status::FAILED)
            && self.resetting.is_none()
    }

    /// The driver broke a rule: no queue is served until it resets the device.
    pub(super) fn fail(&mut self, fault: Fault) {
        self.fault = Some(fault);
        self.status |= Status::NEEDS_RESET;
        self.leave_queues();
        self.config_changed();
    }

    /// One step of a reset; whether there was something to do.
    pub(super) fn reset_step(&mut self) -> bool {
        let Some(from) = self.resetting else { return false };
        self.resetting = self.map.forget_balloon(from, RESET_WORDS);
        if self.resetting.is_none() {
            self.status = Status::empty();
        }
        true
    }

    fn begin_reset(&mut self) {
        if self.resetting.is_some() {
            return;
        }
        self.leave_queues();
        self.slots = [Slot::default(); queues::COUNT];
        self.features = Features::empty();
        self.wanted = 0;
        self.fault = None;
        self.interrupts = Interrupts::empty();
        (self.told, self.refaults, self.asked) = (None, Refaults::default(), None);
        (self.config.actual, self.config.poison_val) = (0, 0);
        self.resetting = Some(0);
        if self.map.in_balloon() == 0 {
            (self.resetting, self.status) = (None, Status::empty());
        }
    }

    /// Forgets what was under way. Pages that have left the balloon and have no frame get one when they
    /// are touched.
    fn leave_queues(&mut self) {
        self.slots.iter_mut().for_each(|slot| (slot.chain, slot.kicked) = (None, false));
        self.giving.clear();
        self.held = None;
    }

    fn config_changed(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        if self.status.contains(Status::DRIVER_OK) {
            self.interrupts |= Interrupts::CONFIG;
        }
    }
}
