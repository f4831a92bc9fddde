//! Content of files: holes, truncation, pages to map; and any sequence against plain bytes.

use super::*;
use proptest::prelude::*;

const RW: OpenFlags = OpenFlags::RDWR.union(OpenFlags::CREAT);

fn ino(world: &World, path: &str) -> Ino {
    match world.find(path) {
        Ok(Node::Inode(ino)) => ino,
        other => panic!("{other:?}"),
    }
}

#[test]
fn holes_read_as_zeros_and_take_nothing() {
    let mut world = World::new();
    let id = world.open("/f", RW);
    let far = 1 << 40;
    assert_eq!(world.fs.write_at(id, far, b"end", &mut world.pages), Ok(3));
    assert_eq!(world.pages.taken(), 1);
    let stat = world.stat("/f").unwrap();
    assert_eq!((stat.size, stat.blocks), ((1 << 40) + 3, 8));
    let mut to = [1; 8];
    assert_eq!(world.fs.read_at(id, far - 5, &mut to, &mut world.pages), Ok(8));
    assert_eq!(&to, b"\0\0\0\0\0end");
    assert_eq!(world.fs.seek(id, 0, Seek::Data), Ok(far as u64));
    assert_eq!(world.fs.seek(id, 0, Seek::Hole), Ok(0));
    assert_eq!(world.fs.seek(id, far, Seek::Hole), Ok(far as u64 + 3));
    assert_eq!(world.fs.seek(id, far + 3, Seek::Hole), Err(Errno::ENXIO));
    assert_eq!(world.fs.seek(id, far + 3, Seek::Data), Err(Errno::ENXIO));
    assert_eq!(world.fs.seek(id, -1, Seek::Data), Err(Errno::ENXIO));
}

#[test]
fn a_file_does_not_grow_without_end() {
    let mut world = World::new();
    let id = world.open("/f", RW);
    let last = i64::MAX - 1;
    assert_eq!(world.fs.write_at(id, last, b"xy", &mut world.pages), Ok(1));
    let beyond = world.fs.write_at(id, i64::MAX, b"x", &mut world.pages);
    assert_eq!(beyond, Err(Errno::EFBIG.into()));
    assert_eq!(world.fs.seek(id, 1, Seek::End), Err(Errno::EINVAL));
    assert_eq!(world.fs.seek(id, 0, Seek::End), Ok(MAX_FILE));
    assert_eq!(world.read(id, 5), Ok(vec![]));
    assert_eq!(world.write(id, b"x"), Err(Errno::EFBIG.into()));
    assert_eq!(world.fs.seek(id, i64::MIN, Seek::Current), Err(Errno::EINVAL));
    let mut to = [0; 4];
    assert_eq!(world.fs.read_at(id, i64::MAX, &mut to, &mut world.pages), Ok(0));
    assert_eq!(world.fs.read_at(id, -1, &mut to, &mut world.pages), Err(Errno::EINVAL.into()));
}

#[test]
fn what_was_cut_off_does_not_come_back() {
    let mut world = World::new();
    world.put("/f", &[9; 6000]);
    world.set_size("/f", 5000).unwrap();
    world.set_size("/f", 9000).unwrap();
    let mut expected = vec![9; 5000];
    expected.resize(9000, 0);
    assert_eq!(world.content("/f"), Ok(expected));
    assert_eq!(world.set_size("/f", -1), Err(Errno::EINVAL));
    world.mkdir("/d").unwrap();
    assert_eq!(world.set_size("/d", 0), Err(Errno::EISDIR));
}

#[test]
fn what_a_mapping_wrote_behind_the_end_does_not_show() {
    let mut world = World::new();
    world.put("/f", b"abc");
    let f = ino(&world, "/f");
    let page = world.fs.page_of(f, 0, false, &mut world.pages).unwrap().unwrap();
    for grow in [0, 1, 2] {
        world.set_size("/f", 3).unwrap();
        world.pages.write(page, 3, b"secret");
        match grow {
            0 => world.set_size("/f", 20).unwrap(),
            1 => {
                let id = world.open("/f", OpenFlags::WRONLY);
                assert_eq!(world.fs.write_at(id, 19, b"\0", &mut world.pages), Ok(1));
                world.close(id);
            }
            _ => {
                // Behind the next page as well: the gap in this one must be zeros.
                let id = world.open("/f", OpenFlags::WRONLY);
                assert_eq!(world.fs.write_at(id, 9000, b"\0", &mut world.pages), Ok(1));
                world.close(id);
            }
        }
        let content = world.content("/f").unwrap();
        assert_eq!(&content[..3], b"abc");
        assert!(content[3..].iter().all(|&byte| byte == 0), "{grow}");
    }
}

#[test]
fn pages_are_given_to_map() {
    let mut world = World::new();
    world.put("/f", &[5; PAGE + 1]);
    let f = ino(&world, "/f");
    let first = world.fs.page_of(f, 0, false, &mut world.pages).unwrap().unwrap();
    assert_eq!(world.fs.page_of(f, 0, true, &mut world.pages), Ok(Some(first)));
    assert_eq!(world.fs.page_of(f, 2, true, &mut world.pages), Err(Errno::ENXIO));
    assert_eq!(world.fs.page_of(f, u64::MAX, true, &mut world.pages), Err(Errno::ENXIO));
    world.set_size("/f", 4 * PAGE as i64).unwrap();
    assert_eq!(world.fs.page_of(f, 3, false, &mut world.pages), Ok(None));
    let made = world.fs.page_of(f, 3, true, &mut world.pages).unwrap().unwrap();
    let mut bytes = [1; PAGE];
    world.pages.read(made, 0, &mut bytes);
    assert_eq!(bytes, [0; PAGE]);
    // What a process stores in the page is the file's content, and the other way round.
    world.pages.write(made, 7, b"stored");
    assert_eq!(&world.content("/f").unwrap()[3 * PAGE + 7..][..6], b"stored");
    world.pages.left = 0;
    assert_eq!(world.fs.page_of(f, 2, true, &mut world.pages), Err(Errno::ENOMEM));
    world.mkdir("/d").unwrap();
    let d = ino(&world, "/d");
    assert_eq!(world.fs.page_of(d, 0, true, &mut world.pages), Err(Errno::ENODEV));
}

#[test]
fn truncation_tells_which_pages_go() {
    let mut world = World::new();
    world.put("/f", &[5; 4 * PAGE]);
    let f = ino(&world, "/f");
    let third = world.fs.page_of(f, 2, false, &mut world.pages).unwrap().unwrap();
    let fourth = world.fs.page_of(f, 3, false, &mut world.pages).unwrap().unwrap();
    let node = Node::Inode(f);
    let size = PAGE as i64 + 1;
    let gone = world.fs.set_size(caller!(world), node, size, &mut world.pages).unwrap();
    assert_eq!((gone.ino, gone.from, &*gone.pages), (f, 2, &[third, fourth][..]));
    // Until the caller gives them back they are nobody else's.
    assert_eq!(world.pages.taken(), 4);
    assert_eq!(world.fs.usage().file_pages, 2);
    gone.give(&mut world.pages);
    assert_eq!(world.pages.taken(), 2);
    let opened = world.fs.open(
        caller!(world),
        at(&world.fs, "/f"),
        OpenFlags::WRONLY | OpenFlags::TRUNC,
        0,
        &mut world.pages,
    );
    let opened = opened.unwrap();
    let gone = opened.detached.unwrap();
    assert_eq!((gone.from, gone.pages.len()), (0, 2));
    gone.give(&mut world.pages);
    world.close(opened.description);
    assert_eq!(world.content("/f"), Ok(vec![]));
}

#[test]
fn who_holds_a_file_keeps_its_pages() {
    let mut world = World::new();
    world.put("/f", &[5; PAGE]);
    let node = world.find("/f").unwrap();
    world.fs.hold(node);
    world.unlink("/f").unwrap();
    assert_eq!(world.pages.taken(), 1);
    let mut to = [0; 2];
    let Node::Inode(f) = node else { panic!() };
    assert_eq!(world.fs.read_file(f, PAGE as u64 - 1, &mut to, &world.pages), 1);
    world.fs.release(node, &mut world.pages);
    world.assert_empty();
}

#[test]
fn a_write_that_runs_out_says_how_far_it_came() {
    let mut world = World::with(Limits::default(), 2);
    let id = world.open("/f", RW);
    assert_eq!(world.write(id, &[1; 3 * PAGE]), Ok(2 * PAGE));
    assert_eq!(world.write(id, &[1; 1]), Err(Errno::ENOMEM.into()));
    assert_eq!(world.stat("/f").unwrap().size, 2 * PAGE as u64);
    world.fs.space.limits.file_pages = 2;
    world.pages.left = 10;
    assert_eq!(world.write(id, &[1; 1]), Err(Errno::ENOSPC.into()));
    assert_eq!(world.fs.write_at(id, 10, &[2; PAGE], &mut world.pages), Ok(PAGE));
    // Memory that did not come is not counted.
    assert_eq!(world.fs.usage().file_pages, 2);
}

#[derive(Clone, Debug)]
enum Step {
    Write(u16, u16, u8),
    Append(u16, u8),
    Resize(u16),
    Read(u16, u16),
    Seek(u16),
    Map(u8),
    Scarce(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..40_000u16, 0..9000u16, 1..=255u8).prop_map(|(a, b, c)| Step::Write(a, b, c)),
        (0..9000u16, 1..=255u8).prop_map(|(a, b)| Step::Append(a, b)),
        (0..40_000u16).prop_map(Step::Resize),
        (0..50_000u16, 0..9000u16).prop_map(|(a, b)| Step::Read(a, b)),
        (0..50_000u16).prop_map(Step::Seek),
        (0..12u8).prop_map(Step::Map),
        (0..20u8).prop_map(Step::Scarce),
    ]
}

/// Where data and holes are can only be told by pages: the model has it by bytes, so what is
/// said to be a hole must be zeros.
fn check_extents(world: &mut World, id: DescriptionId, model: &[u8], from: u16) {
    let from = u64::from(from);
    let (data, hole) =
        (world.fs.seek(id, from as i64, Seek::Data), world.fs.seek(id, from as i64, Seek::Hole));
    if from >= model.len() as u64 {
        assert_eq!((data, hole), (Err(Errno::ENXIO), Err(Errno::ENXIO)));
        return;
    }
    let first = data.unwrap_or(model.len() as u64);
    assert!(model[from as usize..first as usize].iter().all(|&byte| byte == 0));
    let hole = hole.expect("the end at least");
    assert!(hole >= from && hole <= model.len() as u64);
    assert!((hole == from) == (first > from), "{from} {first} {hole}");
}

proptest! {
    #[test]
    fn any_sequence_is_as_with_plain_bytes(
        steps in proptest::collection::vec(step(), 1..60),
        pages in 4..14usize,
    ) {
        let mut world = World::with(Limits::default(), pages);
        let id = world.open("/f", RW);
        let f = ino(&world, "/f");
        let mut model: Vec<u8> = Vec::new();
        for step in steps {
            match step {
                Step::Write(offset, length, byte) => {
                    let from = vec![byte; length.into()];
                    let done = world.fs.write_at(id, offset.into(), &from, &mut world.pages);
                    prop_assert!(matches!(done, Ok(_) | Err(Stop::Errno(Errno::ENOMEM))));
                    let done = done.unwrap_or(0);
                    if done > 0 {
                        let end = usize::from(offset) + done;
                        model.resize(model.len().max(end), 0);
                        model[offset.into()..end].fill(byte);
                    }
                }
                Step::Append(length, byte) => {
                    world.fs.set_flags(id, OpenFlags::APPEND);
                    let done = world.write(id, &vec![byte; length.into()]).unwrap_or(0);
                    world.fs.set_flags(id, OpenFlags::empty());
                    model.resize(model.len() + done, byte);
                }
                Step::Resize(size) => {
                    world.set_size("/f", size.into()).unwrap();
                    model.resize(size.into(), 0);
                }
                Step::Read(offset, length) => {
                    let mut to = vec![1; length.into()];
                    let done = world.fs.read_at(id, offset.into(), &mut to, &mut world.pages);
                    let rest = model.get(offset.into()..).unwrap_or(&[]);
                    let expected = &rest[..rest.len().min(length.into())];
                    prop_assert_eq!(done, Ok(expected.len()));
                    prop_assert_eq!(&to[..expected.len()], expected);
                }
                Step::Seek(from) => check_extents(&mut world, id, &model, from),
                Step::Map(index) => {
                    let page = world.fs.page_of(f, index.into(), true, &mut world.pages);
                    let last = model.len().div_ceil(PAGE);
                    match page {
                        Err(errno) => prop_assert_eq!(
                            errno,
                            if usize::from(index) < last { Errno::ENOMEM } else { Errno::ENXIO }
                        ),
                        // A process may store anywhere in what it maps.
                        Ok(page) => world.pages.write(page.unwrap(), 4000, &mapped(&mut model, index)),
                    }
                }
                Step::Scarce(left) => world.pages.left = left.into(),
            }
            prop_assert_eq!(world.stat("/f").unwrap().size, model.len() as u64);
        }
        prop_assert_eq!(world.content("/f"), Ok(model));
        world.close(id);
        world.clean("/");
        world.assert_empty();
    }
}

/// What a process stores at the end of a page, and as much of it as shows in the file.
fn mapped(model: &mut [u8], index: u8) -> [u8; 96] {
    let from = model.len().min(usize::from(index) * PAGE + 4000);
    let to = model.len().min(from + 96);
    model[from..to].fill(0x77);
    [0x77; 96]
}
