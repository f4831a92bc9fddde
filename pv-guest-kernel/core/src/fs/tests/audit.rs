//! What must hold of a file system at any time, computed from scratch; and any sequence of calls
//! under small limits, with that checked after each.

use super::*;
use crate::fs::space::entry_bytes;
use proptest::prelude::*;

/// Checks links, uses, pipes and usage. `held` is who keeps nodes beside descriptions.
pub fn audit(world: &World, held: &[Node]) {
    let pages = audit_files(&world.fs, held);
    assert_eq!(world.pages.taken(), pages.len());
}

/// The same of a file system alone. The pages that it has are returned.
pub fn audit_files(fs: &FileSystem, held: &[Node]) -> Vec<Pfn> {
    let mut pages = Vec::new();
    let mut usage = Usage::default();
    let mut links: BTreeMap<Ino, u32> = BTreeMap::from([(fs.root, 2)]);
    let mut uses: BTreeMap<Ino, u32> = BTreeMap::new();
    let mut pipes: BTreeMap<Ino, (u32, u32)> = BTreeMap::new();
    let mut pipe_bytes = 0;
    let mut pipe_pages = 0;
    for (ino, inode) in fs.inodes.iter() {
        if !inode.anonymous {
            usage.inodes += 1;
        }
        match &inode.content {
            Content::File(content) => {
                usage.file_pages += content.page_count() as u64;
                pages.extend(content.pages());
            }
            Content::Symlink(text) => usage.name_bytes += text.len() as u64,
            Content::Fifo(pipe) => {
                usage.pipe_pages += pipe.promised_pages();
                pipe_pages += pipe.pages().count();
                pages.extend(pipe.pages());
                pipe_bytes += pipe.length();
            }
            Content::Device(_) => {}
            Content::Directory(entries) => {
                if ino != fs.root {
                    *uses.entry(inode.parent).or_default() += 1;
                }
                assert!(inode.links > 0 || entries.is_empty(), "{ino:?} is gone with names");
                let mut place = 0;
                while let Some((next, name, entry)) = entries.at(place) {
                    assert_eq!(entries.find(name), Some(entry));
                    usage.name_bytes += entry_bytes(name);
                    let directory = fs.kind(Node::Inode(entry)) == FileType::Directory;
                    *links.entry(entry).or_default() += if directory { 2 } else { 1 };
                    if directory {
                        *links.entry(ino).or_default() += 1;
                        assert_eq!(fs.inodes[entry].parent, ino);
                    }
                    place = next;
                }
            }
        }
    }
    for (_, description) in &fs.descriptions {
        usage.open_files += 1;
        usage.snapshot_bytes += description.snapshot.as_ref().map_or(0, |bytes| bytes.len());
        if let Node::Inode(ino) = description.node {
            *uses.entry(ino).or_default() += 1;
            let counts = pipes.entry(ino).or_default();
            counts.0 += u32::from(description.flags.is_read());
            counts.1 += u32::from(description.flags.is_write());
        }
    }
    for node in held {
        if let Node::Inode(ino) = node {
            *uses.entry(*ino).or_default() += 1;
        }
    }
    for (ino, inode) in fs.inodes.iter() {
        let count = |counts: &BTreeMap<Ino, u32>| counts.get(&ino).copied().unwrap_or(0);
        assert_eq!((inode.links, inode.uses), (count(&links), count(&uses)), "{ino:?}");
        assert!(inode.links > 0 || inode.uses > 0, "{ino:?} should be gone");
        if let Content::Fifo(pipe) = &inode.content {
            let counts = pipes.get(&ino).copied().unwrap_or((0, 0));
            assert_eq!((pipe.readers, pipe.writers), counts, "{ino:?}");
        }
    }
    assert_eq!(fs.usage(), usage);
    assert_eq!(pages.len() as u64, usage.file_pages + pipe_pages as u64);
    assert!(pipe_bytes <= pipe_pages * PAGE && pipe_pages <= usage.pipe_pages as usize);
    let limits = fs.limits();
    assert!(usage.file_pages <= limits.file_pages && usage.name_bytes <= limits.name_bytes);
    assert!(usage.inodes <= limits.inodes && usage.open_files <= limits.open_files);
    pages
}

#[derive(Clone, Debug)]
enum Step {
    Open(usize, u32),
    Close(usize),
    Share(usize),
    Hold(usize),
    Release(usize),
    Write(usize, usize),
    Read(usize, usize),
    Pipe,
    Mkdir(usize),
    Mkfifo(usize),
    Symlink(usize, usize),
    Link(usize, usize),
    Rename(usize, usize),
    Remove(usize),
    Resize(usize, u16),
    Memory(usize),
}

const PATHS: [&str; 8] =
    ["/a", "/b", "/a/c", "/a/long", "/a/c/e", "/b/c", "/proc/stat", "/b/c/longer"];
const FLAGS: [u32; 8] = [0, 0o101, 0o102, 0o1102, 0o4000, 0o4001, 0o4002, 0o10_000_000];

fn step() -> impl Strategy<Value = Step> {
    let path = || 0..PATHS.len();
    let flags = prop::sample::select(FLAGS.to_vec());
    prop_oneof![
        6 => (path(), flags).prop_map(|(path, flags)| Step::Open(path, flags)),
        4 => (0..9usize).prop_map(Step::Close),
        1 => (0..9usize).prop_map(Step::Share),
        1 => path().prop_map(Step::Hold),
        1 => (0..9usize).prop_map(Step::Release),
        4 => (0..9usize, 0..20_000usize).prop_map(|(id, length)| Step::Write(id, length)),
        3 => (0..9usize, 0..20_000usize).prop_map(|(id, length)| Step::Read(id, length)),
        1 => Just(Step::Pipe),
        4 => path().prop_map(Step::Mkdir),
        2 => path().prop_map(Step::Mkfifo),
        1 => (path(), path()).prop_map(|(text, path)| Step::Symlink(text, path)),
        1 => (path(), path()).prop_map(|(from, to)| Step::Link(from, to)),
        3 => (path(), path()).prop_map(|(from, to)| Step::Rename(from, to)),
        3 => path().prop_map(Step::Remove),
        1 => (path(), any::<u16>()).prop_map(|(path, size)| Step::Resize(path, size)),
        1 => (0..12usize).prop_map(Step::Memory),
    ]
}

/// What a sequence of calls keeps.
#[derive(Default)]
struct Kept {
    open: Vec<DescriptionId>,
    held: Vec<Node>,
}

fn take(world: &mut World, kept: &mut Kept, step: Step) {
    let chosen = |index: usize| kept.open.get(index % kept.open.len().max(1)).copied();
    // What fails changes nothing: the audit sees it.
    match step {
        Step::Open(path, flags) => {
            let at = At { start: world.fs.root(), path: PATHS[path].as_bytes() };
            let flags = OpenFlags::from_bits_retain(flags);
            let opened = world.fs.open(caller!(world), at, flags, 0o644, &mut world.pages);
            if let Ok(opened) = opened {
                opened.detached.into_iter().for_each(|gone| gone.give(&mut world.pages));
                kept.open.push(opened.description);
            }
        }
        Step::Close(index) => {
            if let Some(id) = chosen(index) {
                kept.open.swap_remove(index % kept.open.len());
                world.close(id);
            }
        }
        Step::Share(index) => {
            if let Some(id) = chosen(index) {
                world.fs.share(id);
                kept.open.push(id);
            }
        }
        Step::Hold(path) => {
            if let Ok(node) = world.find(PATHS[path]) {
                world.fs.hold(node);
                kept.held.push(node);
            }
        }
        Step::Release(index) if index < kept.held.len() => {
            let node = kept.held.swap_remove(index);
            world.fs.release(node, &mut world.pages);
        }
        Step::Release(_) => {}
        Step::Write(index, length) => {
            if let Some(id) = chosen(index) {
                world.write(id, &vec![1; length]).unwrap_or(0);
            }
        }
        Step::Read(index, length) => {
            if let Some(id) = chosen(index) {
                world.read(id, length).unwrap_or_default();
            }
        }
        Step::Pipe => {
            if let Ok((read, write)) = world.fs.pipe(caller!(world), OpenFlags::empty()) {
                kept.open.extend([read, write]);
            }
        }
        Step::Mkdir(path) => world.mkdir(PATHS[path]).unwrap_or(()),
        Step::Mkfifo(path) => world.mkfifo(PATHS[path]).unwrap_or(()),
        Step::Symlink(text, path) => world.symlink(PATHS[text], PATHS[path]).unwrap_or(()),
        Step::Link(from, to) => world.link(PATHS[from], PATHS[to]).unwrap_or(()),
        Step::Rename(from, to) => world.rename(PATHS[from], PATHS[to]).unwrap_or(()),
        Step::Remove(path) => {
            if world.unlink(PATHS[path]) == Err(Errno::EISDIR) {
                world.rmdir(PATHS[path]).unwrap_or(());
            }
        }
        Step::Resize(path, size) => world.set_size(PATHS[path], size.into()).unwrap_or(()),
        Step::Memory(left) => world.pages.left = left,
    }
}

proptest! {
    #[test]
    fn counts_agree_after_any_call_and_all_comes_back(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let limits = Limits {
            file_pages: 12,
            name_bytes: 4400,
            inodes: 19,
            open_files: 9,
            pipe_pages: 20,
            snapshot_bytes: 8,
        };
        let mut world = World::with(limits, 14);
        world.fs.set_up().unwrap();
        let empty = world.fs.usage();
        let mut kept = Kept::default();
        for step in steps {
            take(&mut world, &mut kept, step);
            world.wakes();
            audit(&world, &kept.held);
        }
        kept.open.into_iter().for_each(|id| world.close(id));
        for node in kept.held {
            world.fs.release(node, &mut world.pages);
        }
        for path in world.names("/") {
            if !matches!(&*path, "." | ".." | "dev" | "proc") && world.unlink(&path).is_err() {
                world.clean(&path);
                prop_assert_eq!(world.rmdir(&path), Ok(()));
            }
        }
        audit(&world, &[]);
        prop_assert_eq!(world.fs.usage(), empty);
        prop_assert_eq!(world.pages.taken(), 0);
    }
}
