//! From a node back to a path.

use super::{Errno, FileSystem, Node, inode::Content};
use alloc::{format, vec::Vec};

impl FileSystem {
    /// The path of a node that has a name, for `getcwd` and `/proc`. It may be longer than
    /// [`PATH_MAX`](super::PATH_MAX).
    ///
    /// # Errors
    /// `ENOENT` if it has none any more.
    pub fn path_of(&self, node: Node) -> Result<Vec<u8>, Errno> {
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut here = node;
        while here != Node::Inode(self.root) {
            match here {
                Node::Proc(node) => match node.parent() {
                    Some(parent) => {
                        names.push(node.name());
                        here = Node::Proc(parent);
                    }
                    None => here = Node::Inode(self.proc_at.ok_or(Errno::ENOENT)?),
                },
                Node::Inode(ino) => {
                    let inode = &self.inodes[ino];
                    // The parent of what is no directory is a guess, and what is removed has a
                    // parent too: the parent's own names decide.
                    let parent = self.inodes.get(inode.parent).ok_or(Errno::ENOENT)?;
                    let Content::Directory(entries) = &parent.content else {
                        return Err(Errno::ENOENT);
                    };
                    names.push(entries.name_of(ino).ok_or(Errno::ENOENT)?.to_vec());
                    here = Node::Inode(inode.parent);
                }
            }
        }
        let mut path = Vec::new();
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        if path.is_empty() {
            path.push(b'/');
        }
        Ok(path)
    }

    /// What a link of `/proc` to a node says.
    pub(super) fn describe(&self, node: Node) -> Vec<u8> {
        match (self.path_of(node), node) {
            (Ok(path), _) => path,
            (Err(_), Node::Inode(ino)) if self.inodes[ino].anonymous => {
                format!("pipe:[{}]", ino.number()).into_bytes()
            }
            (Err(_), _) => b"(deleted)".to_vec(),
        }
    }
}
