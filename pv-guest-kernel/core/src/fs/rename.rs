//! `rename`: a file gets another name, in place of what had that name.

use super::{
    At, Caller, Errno, FileSystem, FileType, Follow, Ino, Node, Permission, Storage,
    inode::Content, space::entry_bytes,
};
use bitflags::bitflags;

bitflags! {
    /// How to rename. Exchanging two files is not supported.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct RenameFlags: u32 {
        /// Not if the new name is there.
        const NOREPLACE = 1;
    }
}

impl FileSystem {
    /// Gives a file another name.
    ///
    /// # Errors
    /// `EEXIST` with `NOREPLACE`; `EBUSY` of what has no name of its own, and of `/proc`; `EXDEV`
    /// into or out of `/proc`; `EINVAL` of a directory into itself; `ENOTEMPTY`, `EISDIR` and
    /// `ENOTDIR` of what would be replaced; `ENOSPC`; and those of [`find`](Self::find).
    pub fn rename(
        &mut self,
        caller: &Caller<'_>,
        from: At<'_>,
        to: At<'_>,
        flags: RenameFlags,
        storage: &mut dyn Storage,
    ) -> Result<(), Errno> {
        let from = self.walk(caller, from, Follow::Never)?;
        let to = self.walk(caller, to, Follow::Never)?;
        let (from_in, to_in) = match (from.directory, to.directory) {
            (Node::Inode(from), Node::Inode(to)) => (from, to),
            (Node::Proc(_), Node::Proc(_)) => return Err(Errno::EPERM),
            _ => return Err(Errno::EXDEV),
        };
        if from.is_special() {
            return Err(Errno::EBUSY);
        }
        let keep = flags.contains(RenameFlags::NOREPLACE);
        if to.is_special() {
            return Err(if keep { Errno::EEXIST } else { Errno::EBUSY });
        }
        let node = from.node.ok_or(Errno::ENOENT)?;
        if keep && to.node.is_some() {
            return Err(Errno::EEXIST);
        }
        let is_directory = self.kind(node) == FileType::Directory;
        if !is_directory && (from.slash || to.slash) {
            return Err(Errno::ENOTDIR);
        }
        if is_directory && self.is_within(to_in, node) {
            return Err(Errno::EINVAL);
        }
        if let Some(old) = to.node
            && self.is_within(from_in, old)
        {
            return Err(Errno::ENOTEMPTY);
        }
        if to.node == Some(node) {
            return Ok(());
        }
        if self.inodes[to_in].links == 0 {
            return Err(Errno::ENOENT);
        }
        self.permit(caller, from.directory, Permission::WRITE)?;
        self.permit(caller, to.directory, Permission::WRITE)?;
        if let Some(old) = to.node {
            match (is_directory, self.kind(old) == FileType::Directory) {
                (true, false) => return Err(Errno::ENOTDIR),
                (false, true) => return Err(Errno::EISDIR),
                _ => {}
            }
        }
        // What `/proc` covers can neither go nor be replaced.
        let Node::Inode(ino) = node else { return Err(Errno::EBUSY) };
        let old = match to.node {
            Some(Node::Inode(old)) => Some(old),
            Some(Node::Proc(_)) => return Err(Errno::EBUSY),
            None => None,
        };
        match old {
            Some(old) => {
                if let Content::Directory(entries) = &self.inodes[old].content
                    && !entries.is_empty()
                {
                    return Err(Errno::ENOTEMPTY);
                }
                self.space.give_name(entry_bytes(from.name()));
                self.entries(to_in).replace(to.name(), ino);
            }
            None => {
                // Only a longer name takes more: a full file system can still be put in order.
                let (new, old) = (entry_bytes(to.name()), entry_bytes(from.name()));
                self.space.take_name(new.saturating_sub(old))?;
                self.space.give_name(old.saturating_sub(new));
                self.entries(to_in).insert(to.name(), ino);
            }
        }
        self.entries(from_in).remove(from.name());
        self.touch(from_in);
        self.touch(to_in);
        self.inodes[ino].ctime = self.clock;
        self.inodes[ino].parent = to_in;
        if is_directory {
            // Both live: one had this name, the other has it now.
            self.inodes[from_in].links -= 1;
            self.inodes[from_in].uses -= 1;
            self.inodes[to_in].links += 1;
            self.inodes[to_in].uses += 1;
        }
        if let Some(old) = old {
            self.unname(old, storage);
        }
        Ok(())
    }

    /// Whether a directory is a node or below it.
    fn is_within(&self, directory: Ino, node: Node) -> bool {
        let mut here = directory;
        loop {
            if Node::Inode(here) == node {
                return true;
            }
            if here == self.root {
                return false;
            }
            here = self.inodes[here].parent;
        }
    }
}
