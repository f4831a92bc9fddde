//! Moving within a file: `lseek`.

use super::{
    DescriptionId, Device, Errno, FileSystem, FileType, Ino, MAX_FILE, Node, inode::Content,
};

/// From where an offset counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Seek {
    /// The beginning.
    Start,
    /// Where the description is.
    Current,
    /// The end.
    End,
    /// The next data at or behind the offset.
    Data,
    /// The next hole at or behind the offset.
    Hole,
}

impl Seek {
    /// By Linux's number.
    pub const fn with_number(whence: u64) -> Option<Self> {
        match whence {
            0 => Some(Self::Start),
            1 => Some(Self::Current),
            2 => Some(Self::End),
            3 => Some(Self::Data),
            4 => Some(Self::Hole),
            _ => None,
        }
    }
}

impl FileSystem {
    /// Moves a description: where it is now.
    ///
    /// # Errors
    /// `EBADF` of a place alone; `ESPIPE` of a pipe or terminal; `EINVAL` of a place before the
    /// beginning; `ENXIO` when there is no more data.
    pub fn seek(&mut self, id: DescriptionId, offset: i64, from: Seek) -> Result<u64, Errno> {
        let description = self.description(id);
        if description.flags.contains(super::OpenFlags::PATH) {
            return Err(Errno::EBADF);
        }
        let node = description.node;
        if self.has_no_position(node) {
            return Err(Errno::ESPIPE);
        }
        let base = match from {
            Seek::Start => 0,
            Seek::Current => description.offset,
            Seek::End if self.kind(node) == FileType::Directory => return Err(Errno::EINVAL),
            Seek::End => self.length_of(id),
            Seek::Data | Seek::Hole => {
                let offset = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
                let Node::Inode(ino) = node else { return Err(Errno::EINVAL) };
                let place = self.extent(ino, offset, from == Seek::Data)?;
                self.description_mut(id).offset = place;
                return Ok(place);
            }
        };
        if self.device(node).is_some_and(|device| device != Device::Spare) {
            return Ok(0);
        }
        let place = base
            .checked_add_signed(offset)
            .filter(|place| *place <= MAX_FILE)
            .ok_or(Errno::EINVAL)?;
        self.description_mut(id).offset = place;
        Ok(place)
    }

    fn extent(&self, ino: Ino, offset: u64, data: bool) -> Result<u64, Errno> {
        let Content::File(content) = &self.inodes[ino].content else { return Err(Errno::EINVAL) };
        let place = if data { content.next_data(offset) } else { content.next_hole(offset) };
        place.ok_or(Errno::ENXIO)
    }
}
