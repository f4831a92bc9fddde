//! cpio archives: what is unpacked, and what is refused, whole.

use super::*;
use crate::fs::cpio::{Refused, Rule, unpack};
use proptest::prelude::*;
use std::string::{String, ToString};

const FILE: u32 = 0o100_644;
const DIRECTORY: u32 = 0o040_755;
const SYMLINK: u32 = 0o120_777;

/// An archive being written.
#[derive(Clone, Default)]
struct Archive(Vec<u8>);

impl Archive {
    fn add(self, name: &str, mode: u32, content: &[u8]) -> Self {
        self.linked(name, mode, content, 0, 1)
    }

    fn linked(self, name: &str, mode: u32, content: &[u8], ino: u32, links: u32) -> Self {
        let numbers = [ino, mode, 3, 4, links, 1_000_000, content.len() as u32, 0, 0, 1, 3];
        self.raw(&numbers, &[name.as_bytes(), b"\0"].concat(), content)
    }

    fn raw(mut self, numbers: &[u32; 11], name: &[u8], content: &[u8]) -> Self {
        self.0.extend(b"070701");
        for number in numbers.iter().chain(&[name.len() as u32, 0]) {
            self.0.extend(format!("{number:08x}").into_bytes());
        }
        self.0.extend(name);
        self.pad();
        self.0.extend(content);
        self.pad();
        self
    }

    fn pad(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn end(self) -> Self {
        self.add("TRAILER!!!", 0, b"")
    }
}

fn world(archive: &[u8]) -> World {
    let mut world = World::new();
    world.fs = unpack(archive, Limits::default(), &mut world.pages).unwrap();
    world
}

fn refused(archive: &[u8]) -> Refused {
    let mut world = World::new();
    let refused = unpack(archive, Limits::default(), &mut world.pages).unwrap_err();
    assert_eq!(world.pages.taken(), 0);
    refused
}

#[test]
fn a_tree_is_unpacked() {
    let content: Vec<u8> = (0..10_000).map(|number| (number % 251) as u8).collect();
    let archive = Archive::default()
        .add(".", 0o040_700, b"")
        .add("bin", DIRECTORY, b"")
        .linked("bin/busybox", 0o100_755, b"", 9, 2)
        .add("bin/sh", SYMLINK, b"busybox")
        .linked("./bin/ls", 0o100_755, &content, 9, 2)
        .add("dev", DIRECTORY, b"")
        .add("dev/null", 0o020_666, b"")
        .add("pipe", 0o010_600, b"")
        .add("empty", FILE, b"")
        .end();
    let mut world = world(&archive.0);
    assert_eq!(world.content("/bin/sh"), Ok(content));
    let stat = world.stat("/bin/busybox").unwrap();
    assert_eq!((stat.links, stat.mode, stat.uid, stat.gid), (2, 0o100_755, 3, 4));
    assert_eq!(stat.mtime, Time { seconds: 1_000_000, nanoseconds: 0 });
    assert_eq!(world.stat("/bin").unwrap().mtime, stat.mtime);
    assert_eq!(world.stat("/").unwrap().mode, 0o040_700);
    assert_eq!(world.stat("/dev/null").unwrap().number, Some(Device::Null.number()));
    assert_eq!(world.stat("/pipe").unwrap().mode, 0o010_600);
    assert_eq!(world.names("/bin"), [".", "..", "busybox", "sh", "ls"]);
    world.clean("/");
    assert_eq!(world.pages.taken(), 0);
    assert_eq!(world.fs.usage(), Usage { inodes: 1, ..Usage::default() });
}

#[test]
fn the_last_content_of_a_file_counts() {
    let archive = Archive::default()
        .linked("a", FILE, &[1; 9000], 9, 3)
        .linked("b", FILE, b"last", 9, 3)
        .linked("c", FILE, b"", 9, 3)
        .end();
    let mut world = world(&archive.0);
    assert_eq!(world.content("/a"), Ok(b"last".to_vec()));
    assert_eq!((world.stat("/c").unwrap().links, world.pages.taken()), (3, 1));
}

/// Pages of files get the same number exactly if they are alike, wherever they lie.
#[test]
fn pages_that_are_alike_are_named_alike() {
    let page = |seed: usize| (0..PAGE).map(move |at| (at * seed % 253) as u8);
    let two: Vec<u8> = page(3).chain(page(5)).collect();
    let moved: Vec<u8> = page(5).chain(page(7)).chain(*b"tail").collect();
    let archive = Archive::default()
        .add("first", FILE, &two)
        .add("second", FILE, &moved)
        .add("third", FILE, b"tail")
        .end();
    let world = world(&archive.0);
    let numbers: Vec<u64> = world.pages.named.iter().map(|(_, number)| *number).collect();
    let [three, five, again, seven, tail, tail_again] = numbers[..] else {
        panic!("six pages hold content: {numbers:?}")
    };
    assert_eq!((five, tail), (again, tail_again));
    let different = std::collections::BTreeSet::from([0, three, five, seven, tail]);
    assert_eq!(different.len(), 5);
}

#[test]
fn archives_can_follow_one_another() {
    let first = Archive::default().add("a", DIRECTORY, b"").linked("f", FILE, b"1", 5, 2).end();
    let second = Archive::default().add("a", 0o040_711, b"").linked("a/g", FILE, b"2", 5, 2).end();
    let mut both = first.0;
    both.resize(both.len().next_multiple_of(512), 0);
    both.extend(&second.0);
    both.resize(both.len().next_multiple_of(512), 0);
    let mut world = world(&both);
    assert_eq!(world.content("/f"), Ok(b"1".to_vec()));
    assert_eq!(world.content("/a/g"), Ok(b"2".to_vec()));
    assert_eq!(world.stat("/a").unwrap().mode, 0o040_711);
}

#[test]
fn hostile_names_are_refused() {
    let long = "n".repeat(256);
    let longer = "d/".repeat(2048);
    for (name, rule) in [
        ("/etc/passwd", Rule::Absolute),
        ("../x", Rule::DotDot),
        ("d/../../x", Rule::DotDot),
        ("d/..", Rule::DotDot),
        ("", Rule::NameEmpty),
        (&long, Rule::NameLong),
        (&longer, Rule::NameLong),
        ("none/x", Rule::Parent),
        ("f/x", Rule::Parent),
        // A link that leads out, or just elsewhere, is not followed.
        ("s/x", Rule::Parent),
        ("f", Rule::Twice),
        ("s", Rule::Twice),
        ("d", Rule::Twice),
        ("d/", Rule::Twice),
        (".", Rule::Twice),
        ("nul\0l", Rule::NameForm),
    ] {
        let archive = Archive::default()
            .add("d", DIRECTORY, b"")
            .add("f", FILE, b"content")
            .add("s", SYMLINK, b"/d")
            .add(name, FILE, b"x")
            .end();
        let refused = refused(&archive.0);
        assert_eq!((refused.entry, refused.rule), (4, rule), "{name}");
    }
}

#[test]
fn hostile_entries_are_refused() {
    let base = Archive::default().add("f", FILE, b"content");
    for (mode, content, rule) in [
        (0o060_600, &b""[..], Rule::Type),
        (0o140_600, b"", Rule::Type),
        (0, b"", Rule::Type),
        (DIRECTORY, b"content", Rule::Content),
        (0o010_600, b"content", Rule::Content),
        (SYMLINK, b"", Rule::Target),
        (SYMLINK, b"a\0b", Rule::Target),
        (SYMLINK, &[b'a'; PATH_MAX], Rule::Target),
    ] {
        let refused = refused(&base.clone().add("x", mode, content).end().0);
        assert_eq!((refused.entry, &*refused.name, refused.rule), (2, &b"x"[..], rule), "{mode:o}");
    }
    assert_eq!(refused(&base.0).rule, Rule::Truncated);
    assert_eq!(refused(b"").rule, Rule::Truncated);
    assert_eq!(refused(b"not an archive").rule, Rule::Magic);
    assert_eq!(refused(&[base.0.clone(), b"070702".to_vec()].concat()).rule, Rule::Magic);
    let mut after = base.clone().end().0;
    after.extend(b"rubbish");
    assert_eq!(refused(&after).rule, Rule::Magic);
    for (place, what, rule) in [
        (6, b"0000000g", Rule::Number),
        (6, b"+0000001", Rule::Number),
        (54, b"ffffffff", Rule::ContentEnd),
        (94, b"ffffffff", Rule::NameLong),
        (94, b"00000800", Rule::NameEnd),
        (94, b"00000000", Rule::NameForm),
        (94, b"00000001", Rule::NameForm),
    ] {
        let mut bytes = base.clone().end().0;
        bytes[place..place + 8].copy_from_slice(what);
        let refused = refused(&bytes);
        assert_eq!((refused.entry, refused.offset, refused.rule), (1, 0, rule), "{what:?}");
    }
}

#[test]
fn too_much_is_refused() {
    let unpack = |archive: &Archive, limits, pages| {
        let mut world = World::with(limits, pages);
        let result = unpack(&archive.0, limits, &mut world.pages);
        assert_eq!(world.pages.taken(), 0);
        result.unwrap_err()
    };
    let mut archive = Archive::default();
    for number in 0..20 {
        archive = archive.add(&format!("f{number}"), FILE, &[1; 3 * PAGE]);
    }
    let archive = archive.end();
    let few = Limits { inodes: 11, ..Limits::default() };
    let refused = unpack(&archive, few, 1000);
    assert_eq!((refused.entry, refused.rule), (11, Rule::Room(Errno::ENOSPC)));
    let small = Limits { file_pages: 30, ..Limits::default() };
    assert_eq!(unpack(&archive, small, 1000).rule, Rule::Room(Errno::ENOSPC));
    let terse = Limits { name_bytes: 1000, ..Limits::default() };
    assert_eq!(unpack(&archive, terse, 1000).rule, Rule::Room(Errno::ENOSPC));
    assert_eq!(unpack(&archive, Limits::default(), 40).rule, Rule::Room(Errno::ENOMEM));
}

#[test]
fn a_refusal_says_what_and_why() {
    let archive = Archive::default().add("etc", DIRECTORY, b"").add("etc/../x", FILE, b"").end();
    let text: String = refused(&archive.0).to_string();
    assert_eq!(
        text,
        "cpio archive: entry 2 \"etc/../x\" at byte 116 has `..` in its name: \
         write names that stay below the root"
    );
}

proptest! {
    #[test]
    fn damage_is_refused_or_harmless(
        damage in proptest::collection::vec((0..2000usize, 0..128u8), 1..4),
        cut in 0..4000usize,
    ) {
        let archive = Archive::default()
            .add("d", DIRECTORY, b"")
            .add("d/f", FILE, &[7; 300])
            .linked("d/g", FILE, b"", 4, 2)
            .linked("d/h", FILE, b"shared", 4, 2)
            .add("s", SYMLINK, b"d/f")
            .end();
        let mut bytes = archive.0;
        for (place, byte) in damage {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        bytes.truncate(cut.max(1));
        let mut world = World::new();
        match unpack(&bytes, Limits::default(), &mut world.pages) {
            Ok(fs) => {
                world.fs = fs;
                world.clean("/");
                prop_assert_eq!(world.fs.usage(), Usage { inodes: 1, ..Usage::default() });
            }
            Err(refused) => prop_assert!(refused.to_string().starts_with("cpio archive: entry")),
        }
        prop_assert_eq!(world.pages.taken(), 0);
    }
}
