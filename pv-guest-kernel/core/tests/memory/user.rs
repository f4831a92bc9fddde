//! The kernel's reading and writing on behalf of a process.

use crate::world::{PAGE_BYTES, RW, World};
use kernel_core::{
    Access,
    memory::{Fault, Mapping, Place, Rights, StringError, UserMemory},
};

/// A mapping of that many pages with nothing behind it.
const AT: u64 = 300 * PAGE_BYTES;

fn world(pages: u64) -> World {
    let mut world = World::new(64, 0);
    world.map(0, Place::Fixed(AT), pages, RW, Mapping::Private).unwrap();
    world
}

fn user(world: &mut World) -> UserMemory<'_, kernel_core::model::Model> {
    let (spaces, parts) = world.parts();
    UserMemory::new(&mut spaces[0], parts)
}

#[test]
fn bytes_go_across_pages_and_are_what_the_process_sees() {
    let mut world = world(3);
    let bytes: Vec<u8> = (0..9000).map(|index| (index % 251) as u8).collect();
    let at = AT + 1000;
    user(&mut world).write(at, &bytes).unwrap();
    assert_eq!(world.load(0, at + 8999), Ok(bytes[8999]));
    world.store(0, at + 1, 77).unwrap();
    let mut back = vec![0; 9000];
    user(&mut world).read(at, &mut back).unwrap();
    assert_eq!((back[0], back[1], &back[2..]), (bytes[0], 77, &bytes[2..]));
    user(&mut world).clear(at + 2, 8000).unwrap();
    user(&mut world).read(at, &mut back).unwrap();
    assert!(back[2..8002].iter().all(|byte| *byte == 0));
    assert_eq!((back[1], back[8002]), (77, bytes[8002]));
    world.finish();
}

#[test]
fn what_cannot_be_reached_is_a_fault_and_says_how_far_it_went() {
    let mut world = world(1);
    let end = AT + PAGE_BYTES;
    let mut user = user(&mut world);
    assert_eq!(user.write_some(end - 3, &[1; 10]), (3, Err(Fault::NotMapped)));
    assert_eq!(user.read_some(end - 3, &mut [0; 10]), (3, Err(Fault::NotMapped)));
    assert_eq!(user.clear(end - 3, 10), Err(Fault::NotMapped));
    assert_eq!(user.touch(AT, PAGE_BYTES + 1, Access::Read), Err(Fault::NotMapped));
    assert_eq!(user.read(end, &mut []), Ok(()));
    world.finish();
}

#[test]
fn hostile_addresses_do_not_wrap() {
    let mut world = world(1);
    let mut user = user(&mut world);
    let mut bytes = [0; 16];
    for address in [0, u64::MAX, u64::MAX - 7, 1 << 63, 1 << 47, !4095] {
        assert_eq!(user.read(address, &mut bytes), Err(Fault::NotMapped), "{address:#x}");
        assert_eq!(user.write(address, &bytes), Err(Fault::NotMapped));
        assert_eq!(user.string(address, 9), Err(StringError::Fault(Fault::NotMapped)));
        assert_eq!(user.read_words(address, &mut [0; 3]), Err(Fault::NotMapped));
        assert_eq!(user.write_words(address, &[0; 3]), Err(Fault::NotMapped));
        assert_eq!(user.touch(address, u64::MAX, Access::Read), Err(Fault::NotMapped));
    }
    assert_eq!(user.clear(AT, u64::MAX), Err(Fault::NotMapped));
    world.finish();
}

#[test]
fn rights_hold_for_the_kernel_too() {
    let mut world = world(1);
    world.store(0, AT, 1).unwrap();
    world.protect(0, AT, 1, Rights::READ).unwrap();
    assert_eq!(user(&mut world).write(AT, &[2]), Err(Fault::NotAllowed));
    world.protect(0, AT, 1, Rights::empty()).unwrap();
    assert_eq!(user(&mut world).read(AT, &mut [0]), Err(Fault::NotAllowed));
    world.finish();
}

#[test]
fn writing_for_one_does_not_write_for_the_other() {
    let mut world = world(1);
    world.store(0, AT, 1).unwrap();
    let child = world.fork(0);
    user(&mut world).write(AT, &[2]).unwrap();
    assert_eq!(world.load(child, AT), Ok(1));
    assert_eq!(world.load(0, AT), Ok(2));
    world.audit();
    world.finish();
}

#[test]
fn strings_end_within_their_limit() {
    let mut world = world(2);
    let at = AT + PAGE_BYTES - 3;
    let mut user = user(&mut world);
    user.write(at, b"hello\0").unwrap();
    assert_eq!(user.string(at, 100), Ok(b"hello".to_vec()));
    assert_eq!(user.string(at, 6), Ok(b"hello".to_vec()));
    assert_eq!(user.string(at, 5), Err(StringError::TooLong));
    assert_eq!(user.string(at, 0), Err(StringError::TooLong));
    let end = AT + 2 * PAGE_BYTES;
    user.write(end - 2, b"xx").unwrap();
    assert_eq!(user.string(end - 2, 100), Err(StringError::Fault(Fault::NotMapped)));
    assert_eq!(user.string(end - 2, 2), Err(StringError::TooLong));
    world.finish();
}

#[test]
fn arrays_of_strings_end_with_a_zero_and_within_their_limit() {
    let mut world = world(1);
    let mut user = user(&mut world);
    user.write(AT, b"one\0three\0").unwrap();
    user.write_words(AT + 64, &[AT, AT + 4, 0]).unwrap();
    let strings = vec![b"one".to_vec(), b"three".to_vec()];
    assert_eq!(user.strings(AT + 64, 26), Ok(strings));
    assert_eq!(user.strings(AT + 64, 25), Err(StringError::TooLong));
    assert_eq!(user.strings(0, 26), Ok(vec![]));
    user.write_u64(AT + 72, 1 << 50).unwrap();
    assert_eq!(user.strings(AT + 64, 99), Err(StringError::Fault(Fault::NotMapped)));
    // An array that never ends costs no more than its limit.
    for index in 0..512 {
        user.write_u64(AT + index * 8, AT + PAGE_BYTES - 1).unwrap();
    }
    user.write(AT + PAGE_BYTES - 1, &[0]).unwrap();
    assert_eq!(user.strings(AT, 900), Err(StringError::TooLong));
    let mut word = [0; 2];
    user.write_u32(AT, 5).unwrap();
    user.write_u32(AT + 4, 6).unwrap();
    user.read_words(AT, &mut word).unwrap();
    assert_eq!((user.read_u32(AT + 4), word[0]), (Ok(6), 6 << 32 | 5));
    world.finish();
}
