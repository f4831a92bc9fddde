//! What the device does with its queues, a bounded piece at a time.
//!
//! The order on the way out: the page is marked, its frame is out of the guest's map and flushed
//! ([`Backing::take`]), then the driver gets its buffer back. On the way in: the page has a frame, then the
//! driver gets its buffer back, and not before: it was made to promise that it waits.

use super::device::{Interrupts, Step};
use super::queue::{Chain, Queue};
use super::statistics::{ENTRY_BYTES, MAX_ENTRIES};
use super::{Backing, Device, Fault, GuestMemory, PageMap, Place, Told, Untouchable, queues};
use crate::Answer;
use heapless::Vec;
use hypercall_abi::{Error, Pfn};

/// Pages that one step moves at most: an array of Linux's.
pub const STEP_PAGES: usize = 256;

/// Bytes of a page's number.
const NUMBER_BYTES: usize = 4;

/// What came of looking at one queue.
enum Served {
    Nothing,
    Something,
    Waits(Error),
}

type Pages = Vec<Pfn, STEP_PAGES>;

impl<W: AsRef<[u64]> + AsMut<[u64]>> Device<W> {
    /// Does a bounded piece of what is to be done: at most [`STEP_PAGES`] pages, of one chain.
    pub fn step<H: GuestMemory + Backing>(&mut self, host: &mut H) -> Step {
        if self.reset_step() {
            return Step::Busy;
        }
        if let Some(fault) = self.fault() {
            return Step::Broken(fault);
        }
        if !self.is_running() {
            return Step::Idle;
        }
        let mut step = Step::Idle;
        for index in (self.turn..queues::COUNT).chain(0..self.turn) {
            match self.serve(index, host) {
                Ok(Served::Nothing) => {}
                Ok(Served::Waits(why)) => step = Step::Waits(why),
                Ok(Served::Something) => {
                    // A guest that fills one queue without end does not keep the others waiting.
                    self.turn = (index + 1) % queues::COUNT;
                    return Step::Busy;
                }
                Err(fault) => {
                    self.fail(fault);
                    return Step::Broken(fault);
                }
            }
        }
        step
    }

    /// The guest has touched a page that has no frame: gives it one of zeros. A page of the balloon stays
    /// in the balloon, as the driver thinks it is.
    ///
    /// # Errors
    /// [`Untouchable`].
    pub fn touch<H: Backing>(&mut self, host: &mut H, page: Pfn) -> Result<(), Untouchable> {
        let place = match self.map.get(page) {
            None => return Err(Untouchable::NoSuchPage),
            // Another processor's touch was first.
            Some(Place::Backed | Place::Kept) => return Ok(()),
            Some(Place::Absent) => Place::Backed,
            Some(Place::Ballooned) => Place::Kept,
        };
        let Answer { done, refused } = host.give(&[page]);
        if done == 0 {
            return Err(Untouchable::Refused(refused.unwrap_or(Error::NoMemory)));
        }
        self.map.set(page, place);
        self.counters.touched += 1;
        self.counters.popped += u64::from(place == Place::Kept);
        Ok(())
    }

    /// Asks the driver how its guest stands, at a time in nanoseconds; `false`, if it has not answered
    /// yet, or cannot.
    pub fn ask_statistics<H: GuestMemory>(&mut self, host: &mut H, now: u64) -> bool {
        let slot = usize::from(queues::STATISTICS);
        let (true, Some(head)) = (self.is_running(), self.held) else { return false };
        match self.give_back(slot, host, head) {
            Ok(()) => {
                self.held = None;
                let since = self.asked.map_or(0, |(before, _)| now.saturating_sub(before));
                self.asked = Some((now, since));
                true
            }
            Err(fault) => {
                self.fail(fault);
                false
            }
        }
    }

    fn serve<H: GuestMemory + Backing>(
        &mut self,
        index: usize,
        host: &mut H,
    ) -> Result<Served, Fault> {
        let slot = &mut self.slots[index];
        let Some(mut queue) = slot.queue else { return Ok(Served::Nothing) };
        let chain = match slot.chain {
            Some(chain) => chain,
            None if !slot.kicked => return Ok(Served::Nothing),
            None => {
                let Some(chain) = queue.pop(host)? else {
                    slot.kicked = false;
                    return Ok(Served::Nothing);
                };
                slot.queue = Some(queue);
                slot.chain = Some(chain);
                self.begin(index);
                chain
            }
        };
        match index as u16 {
            queues::INFLATE => self.inflate(index, &queue, chain, host),
            queues::DEFLATE => self.deflate(index, &queue, chain, host),
            queues::STATISTICS => self.listen(index, &queue, chain, host),
            _ => self.report(index, &queue, chain, host),
        }
    }

    fn begin(&mut self, index: usize) {
        let wanted = u64::from(self.config.num_pages);
        let is_early = index == usize::from(queues::DEFLATE) && self.map.in_balloon() <= wanted;
        self.counters.below_target += u64::from(is_early);
    }

    /// A piece of an array of pages that the guest gives.
    fn inflate<H: GuestMemory + Backing>(
        &mut self,
        index: usize,
        queue: &Queue,
        mut chain: Chain,
        host: &mut H,
    ) -> Result<Served, Fault> {
        let mut frames = Pages::new();
        let map = &mut self.map;
        let read = numbers(&mut chain, queue, host, |page| {
            match map.get(page).ok_or(Fault::NoSuchPage(page))? {
                Place::Backed => {
                    map.set(page, Place::Kept);
                    // There is room: a piece has no more numbers.
                    let _ = frames.push(page);
                }
                Place::Absent => map.set(page, Place::Ballooned),
                Place::Ballooned | Place::Kept => return Err(Fault::InBalloonAlready(page)),
            }
            Ok(())
        });
        // What came before a fault has gone: the driver has given it, and means it.
        let taken = take(map, host, &frames, Place::Ballooned, Place::Kept);
        self.counters.taken += taken;
        self.counters.kept += frames.len() as u64 - taken;
        read?;
        self.go_on(index, chain, host)
    }

    /// A piece of an array of pages that the guest wants back.
    fn deflate<H: GuestMemory + Backing>(
        &mut self,
        index: usize,
        queue: &Queue,
        mut chain: Chain,
        host: &mut H,
    ) -> Result<Served, Fault> {
        if self.giving.is_empty() {
            let (map, giving) = (&mut self.map, &mut self.giving);
            numbers(&mut chain, queue, host, |page| {
                match map.get(page).ok_or(Fault::NoSuchPage(page))? {
                    Place::Ballooned => {
                        map.set(page, Place::Absent);
                        let _ = giving.push(page);
                    }
                    Place::Kept => map.set(page, Place::Backed),
                    Place::Backed | Place::Absent => return Err(Fault::NotInBalloon(page)),
                }
                Ok(())
            })?;
            self.slots[index].chain = Some(chain);
        }
        // While they waited for frames, some may have been touched.
        let map = &self.map;
        self.giving.retain(|&page| map.get(page) == Some(Place::Absent));
        if !self.giving.is_empty() {
            let Answer { done, refused } = host.give(&self.giving);
            let done = (done as usize).min(self.giving.len());
            self.giving[..done].iter().for_each(|&page| self.map.set(page, Place::Backed));
            self.counters.given += done as u64;
            self.giving = self.giving[done..].iter().copied().collect();
            if !self.giving.is_empty() {
                return Ok(match refused {
                    Some(why) if done == 0 => Served::Waits(why),
                    None if done == 0 => Served::Waits(Error::NoMemory),
                    _ => Served::Something,
                });
            }
        }
        self.go_on(index, chain, host)
    }

    /// What the driver tells. The buffer stays with the device until it asks again.
    fn listen<H: GuestMemory>(
        &mut self,
        index: usize,
        queue: &Queue,
        mut chain: Chain,
        host: &mut H,
    ) -> Result<Served, Fault> {
        if self.held.is_some() {
            return Err(Fault::SecondStatistics);
        }
        let mut bytes = [0; ENTRY_BYTES * MAX_ENTRIES];
        let length = chain.read(queue, host, &mut bytes)?;
        let told = Told::from_bytes(&bytes[..length]);
        if let (Some(before), Some((_, since))) = (self.told, self.asked)
            && since > 0
        {
            self.refaults = told.refaults_since(&before, since);
        }
        self.told = Some(told);
        self.held = Some(chain.head());
        self.slots[index].chain = None;
        Ok(Served::Something)
    }

    /// A piece of a report of free pages.
    fn report<H: GuestMemory + Backing>(
        &mut self,
        index: usize,
        queue: &Queue,
        mut chain: Chain,
        host: &mut H,
    ) -> Result<Served, Fault> {
        // A guest that has filled free pages with a value finds zeros in them if they go.
        let keeps = self.config.poison_val != 0;
        let mut frames = Pages::new();
        let mut fault = None;
        if let Some((first, count)) = chain.pages(queue, host, STEP_PAGES as u64)? {
            for page in (first.0..).take(count as usize).map(Pfn) {
                match self.map.get(page) {
                    Some(Place::Backed) if !keeps => {
                        self.map.set(page, Place::Absent);
                        let _ = frames.push(page);
                    }
                    Some(Place::Backed | Place::Absent) => {}
                    Some(Place::Ballooned | Place::Kept) => {
                        fault = Some(Fault::FreeInBalloon(page));
                    }
                    None => fault = Some(Fault::NoSuchPage(page)),
                }
                if fault.is_some() {
                    break;
                }
            }
        }
        let taken = take(&mut self.map, host, &frames, Place::Absent, Place::Backed);
        self.counters.reported += taken;
        self.counters.kept += frames.len() as u64 - taken;
        match fault {
            Some(fault) => Err(fault),
            None => self.go_on(index, chain, host),
        }
    }

    /// Keeps the chain for the next step, or gives it back if it is over.
    fn go_on<H: GuestMemory>(
        &mut self,
        index: usize,
        chain: Chain,
        host: &mut H,
    ) -> Result<Served, Fault> {
        if chain.is_over() {
            self.slots[index].chain = None;
            self.give_back(index, host, chain.head())?;
        } else {
            self.slots[index].chain = Some(chain);
        }
        Ok(Served::Something)
    }

    fn give_back<H: GuestMemory>(
        &mut self,
        index: usize,
        host: &mut H,
        head: u16,
    ) -> Result<(), Fault> {
        if let Some(queue) = &mut self.slots[index].queue {
            self.counters.chains[index] += 1;
            if queue.put_used(host, head)? {
                self.interrupts |= Interrupts::USED;
            }
        }
        Ok(())
    }
}

/// Reads the next piece of an array of page numbers, and has each looked at.
fn numbers<H: GuestMemory>(
    chain: &mut Chain,
    queue: &Queue,
    host: &H,
    mut look: impl FnMut(Pfn) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut bytes = [0; NUMBER_BYTES * STEP_PAGES];
    let length = chain.read(queue, host, &mut bytes)?;
    let (numbers, rest) = bytes[..length].as_chunks::<NUMBER_BYTES>();
    if !rest.is_empty() {
        return Err(Fault::PartialNumber);
    }
    numbers.iter().try_for_each(|number| look(Pfn(u32::from_le_bytes(*number).into())))
}

/// Has frames taken, and puts their pages in one place or, where a frame stays, in another: how many went.
fn take<W: AsRef<[u64]> + AsMut<[u64]>, H: Backing>(
    map: &mut PageMap<W>,
    host: &mut H,
    pages: &[Pfn],
    gone: Place,
    stays: Place,
) -> u64 {
    let mut taken = 0;
    let mut rest = pages;
    while !rest.is_empty() {
        let Answer { done, .. } = host.take(rest);
        let (went, others) = rest.split_at((done as usize).min(rest.len()));
        went.iter().for_each(|&page| map.set(page, gone));
        taken += went.len() as u64;
        let Some((&refused, others)) = others.split_first() else { break };
        map.set(refused, stays);
        rest = others;
    }
    taken
}
