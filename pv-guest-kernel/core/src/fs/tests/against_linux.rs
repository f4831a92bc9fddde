//! The same calls to this file system and to the host's: where the host is Linux, it says what
//! is right.

#![cfg(target_os = "linux")]

use super::{audit::audit, *};
use proptest::prelude::*;
use std::{
    fs as host,
    io::{self, Read, Seek as _, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, symlink},
    path::{Path, PathBuf},
    string::String,
};

/// A directory of the host, gone when the test is.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        use core::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // A file system in memory, as ours is: others count links of directories otherwise.
        let base = Path::new("/dev/shm");
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = base.join(format!("paravane-files-{}-{number}", std::process::id()));
        host::create_dir(&path)?;
        Ok(Self(path))
    }

    /// A path of a test, from the root or not, on the host. It is not normalized.
    fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.0.display())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind is in a directory of temporary files.
        host::remove_dir_all(&self.0).unwrap_or(());
    }
}

#[derive(Clone, Debug)]
enum Step {
    Mkdir(String),
    Rmdir(String),
    Unlink(String),
    Rename(String, String),
    Link(String, String),
    Symlink(String, String),
    Readlink(String),
    Stat(String, bool),
    List(String),
    Open(String, u32, u16, u8),
    Resize(String, u16),
}

/// Few names, so that steps meet.
fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        8 => prop::sample::select(vec!["a", "b", "c", "d"]),
        1 => Just("."),
        1 => Just(".."),
    ];
    let parts = prop::collection::vec(part, 1..4);
    (parts, prop::sample::select(vec!["", "", "", "", "/", "//"])).prop_map(|(parts, slash)| {
        // No way out of the scratch directory by its own `..`: what is above it differs.
        let mut depth = 0;
        let mut kept: Vec<&str> = Vec::new();
        for part in parts {
            match part {
                ".." if depth == 0 => continue,
                ".." => depth -= 1,
                "." => {}
                _ => depth += 1,
            }
            kept.push(part);
        }
        if kept.is_empty() {
            kept.push("a");
        }
        kept.join("/") + slash
    })
}

fn step() -> impl Strategy<Value = Step> {
    // Flags by their numbers: both sides get the same.
    let flags = prop::sample::select(vec![
        0, 0o1, 0o2, 0o101, 0o301, 0o1001, 0o1102, 0o2101, 0o200_000, 0o400_000, 0o400_101, 0o1000,
        0o200_001, 0o100, 0o300, 0o202,
    ]);
    // What a link says leads down only: then no path leads out of the scratch directory.
    let names = prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "d"]), 1..3);
    let target = (names, prop::sample::select(vec!["", "", "/"]))
        .prop_map(|(names, slash)| names.join("/") + slash);
    prop_oneof![
        4 => path().prop_map(Step::Mkdir),
        2 => path().prop_map(Step::Rmdir),
        2 => path().prop_map(Step::Unlink),
        4 => (path(), path()).prop_map(|(a, b)| Step::Rename(a, b)),
        2 => (path(), path()).prop_map(|(a, b)| Step::Link(a, b)),
        2 => (target, path()).prop_map(|(a, b)| Step::Symlink(a, b)),
        1 => path().prop_map(Step::Readlink),
        2 => (path(), any::<bool>()).prop_map(|(a, b)| Step::Stat(a, b)),
        1 => path().prop_map(Step::List),
        5 => (path(), flags, 0..9000u16, any::<u8>()).prop_map(|(a, b, c, d)| Step::Open(a, b, c, d)),
        1 => (path(), 0..20_000u16).prop_map(|(a, b)| Step::Resize(a, b)),
    ]
}

/// What a call said: bytes, or an error number.
type Answer = Result<Vec<u8>, i32>;

fn ours(world: &mut World, step: &Step) -> Answer {
    let done = |result: Result<(), Errno>| result.map(|()| Vec::new());
    let answer = match step {
        Step::Mkdir(path) => done(world.mkdir(path)),
        Step::Rmdir(path) => done(world.rmdir(path)),
        Step::Unlink(path) => done(world.unlink(path)),
        Step::Rename(from, to) => done(world.rename(from, to)),
        Step::Link(from, to) => done(world.link(from, to)),
        Step::Symlink(text, path) => done(world.symlink(text, path)),
        Step::Readlink(path) => world.readlink(path),
        Step::Stat(path, follow) => {
            let follow = if *follow { Follow::Yes } else { Follow::No };
            let at = world.at(path);
            world.fs.find(caller!(world), at, follow).map(|node| {
                let stat = world.fs.stat(caller!(world), node);
                let kind = stat.mode & FileType::MASK;
                let directory = kind == FileType::Directory.mode_bits();
                let size = if directory { 0 } else { stat.size };
                format!("{kind:o} {} {size}", stat.links).into_bytes()
            })
        }
        Step::List(path) => world.try_open(path, OpenFlags::DIRECTORY).map(|id| {
            world.close(id);
            let mut names = world.names(path);
            names.retain(|name| !matches!(&**name, "." | ".."));
            names.sort();
            names.join(" ").into_bytes()
        }),
        Step::Open(path, flags, offset, byte) => our_open(world, path, *flags, *offset, *byte),
        Step::Resize(path, size) => world
            .try_open(path, OpenFlags::WRONLY)
            .and_then(|id| {
                let detached = world.fs.set_size_of(id, (*size).into(), &mut world.pages);
                world.close(id);
                detached.map(|detached| detached.give(&mut world.pages))
            })
            .map(|()| Vec::new()),
    };
    answer.map_err(Errno::number)
}

/// Opens, writes ten bytes at an offset, and reads all.
fn our_open(
    world: &mut World,
    path: &str,
    flags: u32,
    offset: u16,
    byte: u8,
) -> Result<Vec<u8>, Errno> {
    let id = world.try_open(path, OpenFlags::from_bits_retain(flags))?;
    let errno = |stop| match stop {
        Stop::Errno(errno) => errno,
        other => panic!("{other:?}"),
    };
    let mut answer = Vec::new();
    world.fs.seek(id, offset.into(), Seek::Start)?;
    let written = world.write(id, &[byte; 10]).map_err(errno);
    answer.extend(format!("{:?} ", written.map_err(Errno::number)).into_bytes());
    world.fs.seek(id, 0, Seek::Start)?;
    let read = world.read(id, 1 << 17).map_err(errno);
    answer.extend(format!("{:?}", read.map_err(Errno::number)).into_bytes());
    world.close(id);
    Ok(answer)
}

fn theirs(scratch: &Scratch, step: &Step) -> Answer {
    let on = |path: &str| scratch.path(path);
    let done = |result: io::Result<()>| result.map(|()| Vec::new());
    let answer = match step {
        Step::Mkdir(path) => {
            use std::os::unix::fs::DirBuilderExt;
            done(host::DirBuilder::new().mode(0o755).create(on(path)))
        }
        Step::Rmdir(path) => done(host::remove_dir(on(path))),
        Step::Unlink(path) => done(host::remove_file(on(path))),
        Step::Rename(from, to) => done(host::rename(on(from), on(to))),
        Step::Link(from, to) => done(host::hard_link(on(from), on(to))),
        Step::Symlink(text, path) => done(symlink(text, on(path))),
        Step::Readlink(path) => {
            host::read_link(on(path)).map(|text| text.into_os_string().into_encoded_bytes())
        }
        Step::Stat(path, follow) => {
            let path = on(path);
            let stat = if *follow { host::metadata(path) } else { host::symlink_metadata(path) };
            stat.map(|stat| {
                let size = if stat.is_dir() { 0 } else { stat.size() };
                format!("{:o} {} {size}", stat.mode() & FileType::MASK, stat.nlink()).into_bytes()
            })
        }
        Step::List(path) => host::read_dir(on(path)).map(|entries| {
            let mut names: Vec<_> = entries
                .map(|entry| entry.map(|entry| entry.file_name().into_string()))
                .map(|name| name.expect("an entry").expect("a name of a test"))
                .collect();
            names.sort();
            names.join(" ").into_bytes()
        }),
        Step::Open(path, flags, offset, byte) => their_open(&on(path), *flags, *offset, *byte),
        Step::Resize(path, size) => {
            let file = host::OpenOptions::new().write(true).open(on(path));
            done(file.and_then(|file| file.set_len((*size).into())))
        }
    };
    answer.map_err(|error| error.raw_os_error().expect("an error of the system"))
}

fn their_open(path: &str, flags: u32, offset: u16, byte: u8) -> io::Result<Vec<u8>> {
    let mut options = host::OpenOptions::new();
    // The library insists on an access mode of its own; the rest of the flags are ours.
    options.read(flags & 1 == 0).write(flags & 3 != 0).mode(0o644);
    options.custom_flags((flags & !3) as i32);
    let mut file = options.open(path)?;
    let number = |error: io::Error| error.raw_os_error().expect("an error of the system");
    let mut answer = Vec::new();
    file.seek(SeekFrom::Start(offset.into()))?;
    let written = file.write(&[byte; 10]).map_err(number);
    answer.extend(format!("{written:?} ").into_bytes());
    file.seek(SeekFrom::Start(0))?;
    let mut content = vec![0; 1 << 17];
    let read = file.read(&mut content).map_err(number);
    let read = read.map(|length| &content[..length]);
    answer.extend(format!("{read:?}").into_bytes());
    Ok(answer)
}

fn compare(steps: &[Step]) -> Result<(), TestCaseError> {
    // Without such a directory there is nothing to compare with.
    let Ok(scratch) = Scratch::new() else { return Ok(()) };
    let mut world = World::new();
    for (index, step) in steps.iter().enumerate() {
        let (ours, theirs) = (ours(&mut world, step), theirs(&scratch, step));
        prop_assert!(
            ours == theirs,
            "step {index} {step:?}\n ours: {}\n theirs: {}\n of {steps:?}",
            show(&ours),
            show(&theirs)
        );
        audit(&world, &[]);
    }
    world.clean("/");
    world.assert_empty();
    Ok(())
}

fn show(answer: &Answer) -> String {
    match answer {
        Ok(bytes) => String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned(),
        Err(number) => match Errno::ALL.iter().find(|errno| errno.number() == *number) {
            Some(errno) => errno.name().into(),
            None => format!("{number}"),
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_sequence_is_as_on_the_host(steps in prop::collection::vec(step(), 1..60)) {
        compare(&steps)?;
    }
}
