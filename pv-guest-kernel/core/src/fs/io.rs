//! Reading and writing what is open.

use super::{
    DescriptionId, Device, Errno, FileSystem, Node, OpenFlags, Storage, Wait, inode::Content,
    pipe::Stuck, spare,
};

/// Why a call moved nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stop {
    /// It failed. `EPIPE` of a write means the signal as well.
    Errno(Errno),
    /// It waits: make it again when that has happened.
    Wait(Wait),
    /// It is the terminal's business. Whether it may wait say the description's flags.
    Terminal,
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl FileSystem {
    /// Reads where the description is, and moves it: how many bytes; none at the end.
    ///
    /// # Errors
    /// `EBADF` if it does not read, `EISDIR`, `EAGAIN`, or what it waits for.
    pub fn read(
        &mut self,
        id: DescriptionId,
        to: &mut [u8],
        storage: &mut dyn Storage,
    ) -> Result<usize, Stop> {
        let offset = self.description(id).offset;
        let done = self.read_from(id, offset, to, storage)?;
        self.description_mut(id).offset = offset + done as u64;
        Ok(done)
    }

    /// Reads from an offset: `pread`.
    ///
    /// # Errors
    /// As [`read`](Self::read); `ESPIPE` of a pipe or terminal, `EINVAL` of a negative offset.
    pub fn read_at(
        &mut self,
        id: DescriptionId,
        offset: i64,
        to: &mut [u8],
        storage: &mut dyn Storage,
    ) -> Result<usize, Stop> {
        let offset = self.positional(id, offset)?;
        self.read_from(id, offset, to, storage)
    }

    /// Writes where the description is, or at the end with `APPEND`, and moves it: how many
    /// bytes. A write to a pipe that may wait and got fewer is to go on with the rest.
    ///
    /// # Errors
    /// `EBADF` if it does not write, `ENOSPC`, `EFBIG`, `ENOMEM`, `EPIPE`, `EAGAIN`, or what it
    /// waits for.
    pub fn write(
        &mut self,
        id: DescriptionId,
        from: &[u8],
        storage: &mut dyn Storage,
    ) -> Result<usize, Stop> {
        let offset = self.description(id).offset;
        let (end, done) = self.write_to(id, offset, from, storage)?;
        self.description_mut(id).offset = end;
        Ok(done)
    }

    /// Writes at an offset: `pwrite`. With `APPEND` it writes at the end all the same, as Linux
    /// does.
    ///
    /// # Errors
    /// As [`write`](Self::write); `ESPIPE` of a pipe or terminal, `EINVAL` of a negative offset.
    pub fn write_at(
        &mut self,
        id: DescriptionId,
        offset: i64,
        from: &[u8],
        storage: &mut dyn Storage,
    ) -> Result<usize, Stop> {
        let offset = self.positional(id, offset)?;
        self.write_to(id, offset, from, storage).map(|(_, done)| done)
    }

    fn positional(&self, id: DescriptionId, offset: i64) -> Result<u64, Errno> {
        let offset = u64::try_from(offset).map_err(|_| Errno::EINVAL)?;
        if self.has_no_position(self.node_of(id)) {
            return Err(Errno::ESPIPE);
        }
        Ok(offset)
    }

    /// Whether a file is a stream: bytes have no place in it.
    pub(super) fn has_no_position(&self, node: Node) -> bool {
        self.pipe_of(node).is_some() || self.device(node).is_some_and(Device::is_terminal)
    }

    fn read_from(
        &mut self,
        id: DescriptionId,
        offset: u64,
        to: &mut [u8],
        storage: &mut dyn Storage,
    ) -> Result<usize, Stop> {
        let description = self.description(id);
        if !description.flags.is_read() {
            return Err(Errno::EBADF.into());
        }
        let (node, flags) = (description.node, description.flags);
        let ino = match node {
            Node::Inode(ino) => ino,
            Node::Proc(_) => {
                let Some(snapshot) = &description.snapshot else {
                    return Err(Errno::EISDIR.into());
                };
                let rest = snapshot.get(offset.min(usize::MAX as u64) as usize..).unwrap_or(&[]);
                let length = rest.len().min(to.len());
                to[..length].copy_from_slice(&rest[..length]);
                return Ok(length);
            }
        };
        let device = self.device(node);
        let clock = self.clock;
        let inode = &mut self.inodes[ino];
        let done = match &mut inode.content {
            Content::Directory(_) => return Err(Errno::EISDIR.into()),
            Content::Symlink(_) => return Err(Errno::EINVAL.into()),
            Content::File(content) => content.read(offset, to, storage),
            Content::Device(_) => return read_device(device, offset, to, storage),
            Content::Fifo(pipe) => {
                let done = match pipe.read(to, storage) {
                    Ok(done) => done,
                    Err(stuck) => return Err(stop(stuck, flags, Wait::Readable(ino))),
                };
                if done > 0 {
                    self.wake(Wait::Writable(ino));
                }
                done
            }
        };
        self.inodes[ino].atime = clock;
        Ok(done)
    }

    /// Where the write ended, and how many bytes it wrote.
    fn write_to(
        &mut self,
        id: DescriptionId,
        offset: u64,
        from: &[u8],
        storage: &mut dyn Storage,
    ) -> Result<(u64, usize), Stop> {
        let description = self.description(id);
        let (node, flags) = (description.node, description.flags);
        if !flags.is_write() {
            return Err(Errno::EBADF.into());
        }
        let Node::Inode(ino) = node else { return Err(Errno::EBADF.into()) };
        let device = self.device(node);
        let clock = self.clock;
        let inode = &mut self.inodes[ino];
        match &mut inode.content {
            Content::Directory(_) | Content::Symlink(_) => Err(Errno::EBADF.into()),
            Content::Device(_) => {
                let done = write_device(device, offset, from, storage)?;
                let moves = device == Some(Device::Spare);
                Ok((offset + if moves { done as u64 } else { 0 }, done))
            }
            Content::File(content) => {
                let append = flags.contains(OpenFlags::APPEND);
                let offset = if append { content.size() } else { offset };
                let done = content.write(offset, from, storage, &mut self.space)?;
                if done > 0 {
                    (inode.mtime, inode.ctime) = (clock, clock);
                }
                Ok((offset + done as u64, done))
            }
            Content::Fifo(pipe) => {
                let done = match pipe.write(from, storage) {
                    Ok(done) => done,
                    Err(stuck) => return Err(stop(stuck, flags, Wait::Writable(ino))),
                };
                if done > 0 {
                    (inode.mtime, inode.ctime) = (clock, clock);
                    self.wake(Wait::Readable(ino));
                }
                Ok((offset, done))
            }
        }
    }
}

fn stop(stuck: Stuck, flags: OpenFlags, wait: Wait) -> Stop {
    match stuck {
        Stuck::Errno(errno) => errno.into(),
        Stuck::Wait if flags.contains(OpenFlags::NONBLOCK) => Errno::EAGAIN.into(),
        Stuck::Wait => Stop::Wait(wait),
    }
}

fn read_device(
    device: Option<Device>,
    offset: u64,
    to: &mut [u8],
    storage: &mut dyn Storage,
) -> Result<usize, Stop> {
    match device.ok_or(Errno::ENXIO)? {
        Device::Null => return Ok(0),
        Device::Spare => return spare::read(offset, to, storage),
        Device::Zero | Device::Full => to.fill(0),
        Device::Random | Device::Urandom => storage.random(to),
        Device::Console | Device::Tty => return Err(Stop::Terminal),
    }
    Ok(to.len())
}

fn write_device(
    device: Option<Device>,
    offset: u64,
    from: &[u8],
    storage: &mut dyn Storage,
) -> Result<usize, Stop> {
    match device.ok_or(Errno::ENXIO)? {
        Device::Spare => spare::write(offset, from, storage),
        Device::Full => Err(Errno::ENOSPC.into()),
        Device::Console | Device::Tty => Err(Stop::Terminal),
        Device::Null | Device::Zero | Device::Random | Device::Urandom => Ok(from.len()),
    }
}
