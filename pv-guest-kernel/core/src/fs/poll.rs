//! Whether a call would wait: `poll`, `select`.

use super::{DescriptionId, Device, FileSystem, OpenFlags, Wait, space::PIPE_ATOMIC};
use bitflags::bitflags;

bitflags! {
    /// What can be done at once, in Linux's numbers.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct PollEvents: u16 {
        /// Read.
        const IN = 0x001;
        /// Write.
        const OUT = 0x004;
        /// Nobody reads any more.
        const ERR = 0x008;
        /// Nobody writes any more.
        const HUP = 0x010;
        /// No such descriptor.
        const NVAL = 0x020;
        /// Read.
        const RDNORM = 0x040;
        /// Write.
        const WRNORM = 0x100;
    }
}

const READ: PollEvents = PollEvents::IN.union(PollEvents::RDNORM);
const WRITE: PollEvents = PollEvents::OUT.union(PollEvents::WRNORM);

/// What can be done with an open file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Polled {
    /// The terminal knows.
    Terminal,
    /// This.
    File {
        /// What can be done now.
        events: PollEvents,
        /// What changes it.
        waits: [Option<Wait>; 2],
    },
}

impl FileSystem {
    /// What can be done with an open file without waiting.
    pub fn poll(&self, id: DescriptionId) -> Polled {
        let description = self.description(id);
        let flags = description.flags;
        let (mut events, mut waits) = (PollEvents::empty(), [None; 2]);
        if flags.contains(OpenFlags::PATH) {
            events = PollEvents::NVAL;
        } else if self.device(description.node).is_some_and(Device::is_terminal) {
            return Polled::Terminal;
        } else if let Some((ino, pipe)) = self.pipe_of(description.node) {
            if flags.is_read() {
                events.set(READ, pipe.length() > 0);
                events.set(PollEvents::HUP, pipe.writers == 0 && pipe.writer_opens > 0);
                waits[0] = Some(Wait::Readable(ino));
            }
            if flags.is_write() {
                events.set(WRITE, pipe.room() >= PIPE_ATOMIC);
                events.set(PollEvents::ERR, pipe.readers == 0);
                waits[1] = Some(Wait::Writable(ino));
            }
        } else {
            // As in Linux, a file is always ready, whatever it was opened for.
            events = READ | WRITE;
        }
        Polled::File { events, waits }
    }
}
