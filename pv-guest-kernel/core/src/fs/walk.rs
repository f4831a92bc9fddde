//! From a path to a node: directories, `.` and `..`, symbolic links, `/proc`.

use super::{
    Caller, Errno, Fd, FileSystem, FileType, Ino, Node, Permission, ProcNode, inode::Content,
    proc::Processes,
};
use alloc::{borrow::Cow, format, vec::Vec};
use core::ops::Range;

/// Bytes of a name in a directory at most.
pub const NAME_MAX: usize = 255;
/// Bytes of a path at most, with the zero byte that ends it.
pub const PATH_MAX: usize = 4096;
/// Symbolic links on one way at most.
pub const LINKS_MAX: usize = 40;

/// A path and where it begins if it is relative.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// The directory: the working directory, or that of a descriptor.
    pub start: Node,
    /// The path.
    pub path: &'a [u8],
}

/// What is done with a symbolic link at the end of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Follow {
    /// It is followed.
    Yes,
    /// It is meant itself; with a slash behind it, what it leads to.
    No,
    /// It is meant itself, slash or not: for calls that change names.
    Never,
    /// It is followed unless a slash is behind it: for calls that make files.
    Create,
}

/// Where a path led.
#[derive(Debug)]
pub(super) struct Walked<'a> {
    text: Cow<'a, [u8]>,
    name: Range<usize>,
    /// The directory of the last name.
    pub directory: Node,
    /// What the last name means there.
    pub node: Option<Node>,
    /// Whether slashes follow the last name: it means a directory.
    pub slash: bool,
}

impl Walked<'_> {
    /// The last name; empty for the root.
    pub fn name(&self) -> &[u8] {
        &self.text[self.name.clone()]
    }

    /// Whether the path ends with no name of its own: `.`, `..`, `/`.
    pub fn is_special(&self) -> bool {
        matches!(self.name(), b"" | b"." | b"..")
    }
}

/// What a symbolic link says.
enum Link {
    Text(Vec<u8>),
    /// A link of `/proc` leads to a node that need not have a name.
    Node(Node),
}

impl FileSystem {
    /// The node that a path means.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `EACCES`, `ELOOP`, `ENAMETOOLONG`.
    pub fn find(&self, caller: &Caller<'_>, at: At<'_>, follow: Follow) -> Result<Node, Errno> {
        self.walk(caller, at, follow)?.node.ok_or(Errno::ENOENT)
    }

    pub(super) fn walk<'a>(
        &self,
        caller: &Caller<'_>,
        at: At<'a>,
        follow: Follow,
    ) -> Result<Walked<'a>, Errno> {
        if at.path.is_empty() {
            return Err(Errno::ENOENT);
        }
        if at.path.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let mut text = Cow::Borrowed(at.path);
        let mut links = 0;
        let mut directory = if text[0] == b'/' { Node::Inode(self.root) } else { at.start };
        let mut position = 0;
        loop {
            let begin = skip(&text, position, |byte| byte == b'/');
            let end = skip(&text, begin, |byte| byte != b'/');
            let next = skip(&text, end, |byte| byte == b'/');
            let last = next == text.len();
            let slash = next > end;
            self.search(caller, directory)?;
            let node = match &text[begin..end] {
                b"" | b"." => Some(directory),
                b".." => Some(self.parent(directory)),
                name if name.len() > NAME_MAX => return Err(Errno::ENAMETOOLONG),
                name => self.lookup(directory, name, caller.processes),
            };
            let Some(node) = node else {
                if !last {
                    return Err(Errno::ENOENT);
                }
                return Ok(Walked { text, name: begin..end, directory, node, slash });
            };
            let followed = match follow {
                _ if !last => true,
                Follow::Yes => true,
                Follow::No => slash,
                Follow::Never => false,
                Follow::Create => !slash,
            };
            if followed && self.kind(node) == FileType::Symlink {
                links += 1;
                if links > LINKS_MAX {
                    return Err(Errno::ELOOP);
                }
                match self.read_link(caller, node)? {
                    Link::Text(mut target) => {
                        if target.is_empty() {
                            return Err(Errno::ENOENT);
                        }
                        if target[0] == b'/' {
                            directory = Node::Inode(self.root);
                        }
                        target.extend_from_slice(&text[end..]);
                        text = Cow::Owned(target);
                        position = 0;
                        continue;
                    }
                    Link::Node(target) if last => {
                        if slash && self.kind(target) != FileType::Directory {
                            return Err(Errno::ENOTDIR);
                        }
                        let node = Some(target);
                        return Ok(Walked { text, name: begin..end, directory, node, slash });
                    }
                    Link::Node(target) => directory = target,
                }
            } else if last {
                let checked = matches!(follow, Follow::Yes | Follow::No);
                if slash && checked && self.kind(node) != FileType::Directory {
                    return Err(Errno::ENOTDIR);
                }
                let node = Some(node);
                return Ok(Walked { text, name: begin..end, directory, node, slash });
            } else {
                directory = node;
            }
            position = next;
        }
    }

    /// A directory that the caller may look into.
    fn search(&self, caller: &Caller<'_>, node: Node) -> Result<(), Errno> {
        if self.kind(node) != FileType::Directory {
            return Err(Errno::ENOTDIR);
        }
        self.permit(caller, node, Permission::EXECUTE)
    }

    fn lookup(&self, directory: Node, name: &[u8], processes: &dyn Processes) -> Option<Node> {
        match directory {
            Node::Proc(directory) => directory.find(name, processes).map(Node::Proc),
            Node::Inode(directory) => {
                let Content::Directory(entries) = &self.inodes[directory].content else {
                    return None;
                };
                entries.find(name).map(|ino| self.mounted(ino))
            }
        }
    }

    /// What is at an inode: itself, or `/proc`.
    pub(super) fn mounted(&self, ino: Ino) -> Node {
        if self.proc_at == Some(ino) { Node::Proc(ProcNode::Root) } else { Node::Inode(ino) }
    }

    /// What `..` means in a directory.
    pub(super) fn parent(&self, directory: Node) -> Node {
        match directory {
            Node::Inode(ino) => Node::Inode(self.inodes[ino].parent),
            Node::Proc(node) => match node.parent() {
                Some(parent) => Node::Proc(parent),
                None => Node::Inode(self.proc_at.map_or(self.root, |at| self.inodes[at].parent)),
            },
        }
    }

    fn read_link(&self, caller: &Caller<'_>, node: Node) -> Result<Link, Errno> {
        match node {
            Node::Inode(ino) => match &self.inodes[ino].content {
                Content::Symlink(text) => Ok(Link::Text(text.to_vec())),
                _ => Err(Errno::EINVAL),
            },
            Node::Proc(ProcNode::SelfLink) => {
                Ok(Link::Text(format!("{}", caller.processes.current().0).into_bytes()))
            }
            Node::Proc(ProcNode::Link(pid, link)) => {
                caller.processes.link(pid, link).map(Link::Node).ok_or(Errno::ENOENT)
            }
            Node::Proc(ProcNode::Descriptor(pid, fd)) => {
                let descriptors = caller.processes.descriptors(pid).ok_or(Errno::ENOENT)?;
                let description = descriptors.get(Fd(fd)).map_err(|_| Errno::ENOENT)?;
                Ok(Link::Node(self.node_of(description)))
            }
            Node::Proc(_) => Err(Errno::EINVAL),
        }
    }

    /// What a symbolic link says.
    ///
    /// # Errors
    /// `EINVAL` if it is none, and those of [`find`](Self::find).
    pub fn readlink(&self, caller: &Caller<'_>, at: At<'_>) -> Result<Vec<u8>, Errno> {
        let node = self.find(caller, at, Follow::No)?;
        self.readlink_of(caller, node)
    }

    /// What a symbolic link says: [`readlink`](Self::readlink) of a node.
    ///
    /// # Errors
    /// `EINVAL` if it is none.
    pub fn readlink_of(&self, caller: &Caller<'_>, node: Node) -> Result<Vec<u8>, Errno> {
        match self.read_link(caller, node)? {
            Link::Text(text) => Ok(text),
            Link::Node(node) => Ok(self.describe(node)),
        }
    }
}

/// The first position from another on that does not match.
fn skip(text: &[u8], from: usize, matches: impl Fn(u8) -> bool) -> usize {
    text[from..].iter().position(|&byte| !matches(byte)).map_or(text.len(), |count| from + count)
}
