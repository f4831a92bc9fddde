//! A guest from which half of its memory is taken: by its balloon, or by force.
//!
//! With a balloon the guest chooses what it does without: pages that are free, then by a clock with
//! a second chance what was not used lately, as `pv-guest-kernel` does. By force the hypervisor
//! chooses, which sees neither what is free nor what is used, so that any page is as good as another
//! (Waldspurger 2002, 3.1); and when both page, the guest moves to its disk what the hypervisor must
//! fetch from its own for that: the double paging of Goldberg and Hassinger (1974).
//!
//! What is counted is pages read from and written to disks. A page that was never written costs
//! nothing, a page with a good copy on the disk is not written again.
//!
//! The naive way is there to be compared with: the hypervisor takes pages and keeps them nowhere.
//! That moves nothing, and what the guest finds in such a page is not what it left there. What it
//! writes to its disk from there is lost on the disk too.

use fastrand::Rng;

/// How memory is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// The guest gives it.
    Balloon,
    /// The hypervisor takes pages at random, and keeps what is in them on its disk.
    Forced,
    /// The hypervisor takes pages at random, and what is in them is lost.
    Stolen,
}

/// A guest, and what it does.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Workload {
    /// Pages that the guest believes it has.
    pub size: usize,
    /// Pages that it is left with.
    pub left: usize,
    /// Pages that its processes use, of which some may be more than it ever had.
    pub used: usize,
    /// Accesses that are counted; half as many come before.
    pub accesses: usize,
    /// Of 100 accesses, those that write.
    pub writes: u8,
    /// Exponent of the distribution of accesses, Zipf's.
    pub exponent: f64,
    /// What everything random follows from.
    pub seed: u64,
}

/// What it costs that memory is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Toll {
    /// Pages that went from and to the guest's disk.
    pub guest: u64,
    /// Pages that went from and to the hypervisor's.
    pub hypervisor: u64,
    /// Times that something was looked for in a page, and was lost.
    pub lost: u64,
    /// Accesses to pages whose data are gone, or that something was written to after they were.
    pub gone: u64,
}

impl Toll {
    /// Pages that went from and to both disks.
    pub const fn transfers(self) -> u64 {
        self.guest + self.hypervisor
    }
}

/// What pages live in, from below: frames that are too few, and a disk.
///
/// The guest is one over its own pages, with a clock; the hypervisor is one over the guest's pages,
/// with a die.
struct Pager {
    /// For each page: where it is.
    places: Vec<Place>,
    /// For each frame: the page in it.
    frames: Vec<Option<usize>>,
    free: Vec<usize>,
    hand: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// Never written, or forgotten.
    Nowhere,
    Memory {
        frame: usize,
        used: bool,
        /// Whether a copy on the disk is missing or old.
        dirty: bool,
    },
    Disk,
}

/// What had to be done so that a page is in memory.
struct Brought {
    frame: usize,
    /// The page that went, from the same frame, and whether it had to be written.
    evicted: Option<(usize, bool)>,
    /// Whether the page was read from the disk.
    read: bool,
}

impl Pager {
    fn new(pages: usize, frames: usize) -> Pager {
        Pager {
            places: vec![Place::Nowhere; pages],
            frames: vec![None; frames],
            free: (0..frames).rev().collect(),
            hand: 0,
        }
    }

    /// A clock with a second chance.
    fn clock(&mut self) -> usize {
        loop {
            let frame = self.hand;
            self.hand = (self.hand + 1) % self.frames.len();
            let Some(page) = self.frames[frame] else { continue };
            match &mut self.places[page] {
                Place::Memory { used: used @ true, .. } => *used = false,
                _ => return frame,
            }
        }
    }

    /// The frame of a page, if it is in memory; it is used now.
    fn touch(&mut self, page: usize, write: bool) -> Option<usize> {
        let Place::Memory { frame, used, dirty } = &mut self.places[page] else { return None };
        *used = true;
        *dirty |= write;
        Some(*frame)
    }

    /// Empties a frame: the page that was in it, and whether it had to be written.
    fn evict(&mut self, frame: usize) -> Option<(usize, bool)> {
        let page = self.frames[frame].take()?;
        let Place::Memory { dirty, .. } = self.places[page] else { return None };
        self.places[page] = Place::Disk;
        Some((page, dirty))
    }

    /// Brings a page into memory that is not there; `choose` names the frame that is emptied.
    fn bring(
        &mut self,
        page: usize,
        write: bool,
        choose: impl FnOnce(&mut Pager) -> usize,
    ) -> Brought {
        let (frame, evicted) = match self.free.pop() {
            Some(frame) => (frame, None),
            None => {
                let frame = choose(self);
                (frame, self.evict(frame))
            }
        };
        let read = self.places[page] == Place::Disk;
        self.frames[frame] = Some(page);
        self.places[page] = Place::Memory { frame, used: true, dirty: write || !read };
        Brought { frame, evicted, read }
    }

    /// A page that nobody needs any more.
    fn forget(&mut self, page: usize) {
        if let Place::Memory { frame, .. } = self.places[page] {
            self.frames[frame] = None;
            self.free.push(frame);
        }
        self.places[page] = Place::Nowhere;
    }
}

/// Where the data of a page are gone.
#[derive(Clone, Copy, Default)]
struct Gone {
    memory: bool,
    disk: bool,
}

/// What the guest does with one of its pages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Read,
    /// Some of it is written.
    Write,
    /// All of it is: what was in it does not matter.
    Fill,
}

/// A guest over what it is left with.
struct Run {
    way: Way,
    guest: Pager,
    hypervisor: Pager,
    random: Rng,
    toll: Toll,
    /// Of each page of the processes: whether its data are gone, in memory and on the guest's disk.
    gone: Vec<Gone>,
}

impl Run {
    fn new(way: Way, workload: &Workload) -> Run {
        Run {
            way,
            guest: Pager::new(workload.used, workload.size),
            hypervisor: Pager::new(workload.size, workload.size),
            random: Rng::with_seed(workload.seed),
            toll: Toll::default(),
            gone: vec![Gone::default(); workload.used.max(workload.size)],
        }
    }

    /// A process uses a page.
    fn access(&mut self, page: usize, write: bool) {
        match self.guest.touch(page, write) {
            Some(frame) => {
                let reach = if write { Reach::Write } else { Reach::Read };
                self.gone[page].memory |= !self.reach(frame, reach);
            }
            None => self.bring(page, write),
        }
        self.toll.gone += u64::from(self.gone[page].memory);
    }

    /// The guest brings a page into memory, in place of another if need be.
    fn bring(&mut self, page: usize, write: bool) {
        let brought = self.guest.bring(page, write, Pager::clock);
        if let Some((old, true)) = brought.evicted {
            self.toll.guest += 1;
            // It is read to be written: the hypervisor must have it in memory for that.
            let kept = self.reach(brought.frame, Reach::Read);
            self.gone[old].disk = self.gone[old].memory || !kept;
        }
        self.toll.guest += u64::from(brought.read);
        self.reach(brought.frame, Reach::Fill);
        let gone = &mut self.gone[page];
        gone.memory = brought.read && gone.disk;
    }

    /// The guest reads or writes one of its pages. False: what it left there is gone.
    fn reach(&mut self, page: usize, reach: Reach) -> bool {
        let write = reach != Reach::Read;
        if self.way == Way::Balloon || self.hypervisor.touch(page, write).is_some() {
            return true;
        }
        let random = &mut self.random;
        let brought =
            self.hypervisor.bring(page, write, |pager| random.usize(..pager.frames.len()));
        if self.way == Way::Stolen {
            let lost = brought.read && reach != Reach::Fill;
            self.toll.lost += u64::from(lost);
            return !lost;
        }
        let written = brought.evicted.is_some_and(|(_, written)| written);
        self.toll.hypervisor += u64::from(written) + u64::from(brought.read);
        true
    }

    /// The guest has only so many pages from here on.
    fn take(&mut self, left: usize) {
        match self.way {
            Way::Balloon => {
                let mut more = self.guest.frames.len() - left;
                let mut gone = vec![false; self.guest.frames.len()];
                while more > 0 {
                    let frame = match self.guest.free.pop() {
                        Some(frame) => frame,
                        None => {
                            let frame = self.guest.clock();
                            let written = self.guest.evict(frame).is_some_and(|(_, dirty)| dirty);
                            self.toll.guest += u64::from(written);
                            frame
                        }
                    };
                    gone[frame] = true;
                    more -= 1;
                }
                self.guest.renumber(&gone);
            }
            Way::Forced | Way::Stolen => {
                let mut frames: Vec<usize> = (0..self.hypervisor.frames.len()).collect();
                self.random.shuffle(&mut frames);
                let mut gone = vec![false; frames.len()];
                for &frame in &frames[left..] {
                    let written = self.hypervisor.evict(frame).is_some_and(|(_, dirty)| dirty);
                    let kept = self.way == Way::Forced && written;
                    self.toll.hypervisor += u64::from(kept);
                    gone[frame] = true;
                }
                self.hypervisor.free.retain(|&frame| !gone[frame]);
                self.hypervisor.renumber(&gone);
            }
        }
    }
}

impl Pager {
    /// Leaves frames out that hold nothing, and numbers the others anew.
    fn renumber(&mut self, gone: &[bool]) {
        let mut numbers = vec![0; self.frames.len()];
        let mut kept = Vec::new();
        for (frame, page) in self.frames.iter().enumerate() {
            numbers[frame] = kept.len();
            if !gone[frame] {
                kept.push(*page);
            }
        }
        self.frames = kept;
        self.free.iter_mut().for_each(|frame| *frame = numbers[*frame]);
        for place in &mut self.places {
            if let Place::Memory { frame, .. } = place {
                *frame = numbers[*frame];
            }
        }
        self.hand = 0;
    }
}

/// Ranks of pages, by Zipf's distribution.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(pages: usize, exponent: f64) -> Zipf {
        let mut sum = 0.0;
        let sums = (1..=pages).map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        });
        Zipf(sums.collect())
    }

    fn next(&self, random: &mut Rng) -> usize {
        let at = random.f64() * self.0.last().copied().unwrap_or(0.0);
        self.0.partition_point(|sum| *sum <= at).min(self.0.len() - 1)
    }
}

/// What it costs a guest that goes on with its work when half its memory is gone, the taking
/// itself included.
pub fn busy(way: Way, workload: &Workload) -> Toll {
    let mut run = Run::new(way, workload);
    let mut random = Rng::with_seed(workload.seed ^ 0xbeef);
    let zipf = Zipf::new(workload.used, workload.exponent);
    // Which page has which rank says nothing of where it lies.
    let mut pages: Vec<usize> = (0..workload.used).collect();
    random.shuffle(&mut pages);
    let mut step = |run: &mut Run| {
        let page = pages[zipf.next(&mut random)];
        run.access(page, random.u8(..100) < workload.writes);
    };
    (0..workload.accesses / 2).for_each(|_| step(&mut run));
    run.toll = Toll::default();
    run.take(workload.left);
    (0..workload.accesses).for_each(|_| step(&mut run));
    run.toll
}

/// What it costs to take memory from a guest that has written all of it and needs only what it is
/// left with: the rest its processes have given back.
pub fn stale(way: Way, workload: &Workload) -> Toll {
    let mut run = Run::new(way, workload);
    (0..workload.size).for_each(|page| run.access(page, true));
    (workload.left..workload.size).for_each(|page| run.guest.forget(page));
    run.take(workload.left);
    (0..workload.left).for_each(|page| run.access(page, false));
    run.toll
}
