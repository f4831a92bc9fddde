//! The system as a whole.

use super::*;
use crate::kernel::End;

#[test]
fn names_are_told_and_changed() {
    let mut world = World::new();
    let (at, name) = (world.space(390), world.string("guest"));
    let field = |world: &mut World, index: u64| {
        world.ok(Call::Uname, &[at]);
        let bytes = world.load(at + 65 * index, 65);
        let end = bytes.iter().position(|byte| *byte == 0).unwrap();
        alloc::string::String::from_utf8(bytes[..end].to_vec()).unwrap()
    };
    assert_eq!(field(&mut world, 0), "Linux");
    assert_eq!(field(&mut world, 4), "x86_64");
    world.ok(Call::Sethostname, &[name, 5]);
    world.ok(Call::Setdomainname, &[name, 3]);
    assert_eq!((field(&mut world, 1), field(&mut world, 5)), ("guest".into(), "gue".into()));
    assert_eq!(world.errno(Call::Sethostname, &[name, 65]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Sethostname, &[name, u64::MAX]), Errno::EINVAL);
    world.kernel.processes.get_mut(INIT).unwrap().ids.uid = 5;
    assert_eq!(world.errno(Call::Sethostname, &[name, 5]), Errno::EPERM);
    assert_eq!(world.errno(Call::Reboot, &[0xfee1_dead, 0x2812_1969, 0]), Errno::EPERM);
    world.finish();
}

#[test]
fn figures_are_those_of_memory() {
    let mut world = World::new();
    world.fill();
    let at = world.space(112);
    world.ok(Call::Sysinfo, &[at]);
    let info = world.kernel.memory.info();
    assert_eq!(world.word(at + 32), info.total * PAGE as u64);
    assert_eq!(world.word(at + 40), info.free * PAGE as u64);
    assert_eq!(world.load(at + 80, 2), [1, 0]);
    assert_eq!(world.ok(Call::Getcpu, &[at, 0]), 0);
    world.finish();
}

#[test]
fn random_bytes_fill_what_can_be_reached() {
    let mut world = World::new();
    let at = world.put(&[0; 40]);
    assert_eq!(world.ok(Call::Getrandom, &[at, 32, 1]), 32);
    let bytes = world.load(at, 40);
    assert_ne!(bytes[..32], [0; 32]);
    assert_eq!(bytes[32..], [0; 8]);
    assert_eq!(world.ok(Call::Getrandom, &[BUFFER + ROOM - 20_000, 1 << 40, 0]), 20_000);
    assert_eq!(world.ok(Call::Getrandom, &[0, 0, 0]), 0);
    assert_eq!(world.errno(Call::Getrandom, &[READ_ONLY, 1, 0]), Errno::EFAULT);
    assert_eq!(world.errno(Call::Getrandom, &[at, 1, 8]), Errno::EINVAL);
    assert_eq!(world.ok(Call::Syslog, &[3, at, 5]), 0);
    assert_eq!(world.errno(Call::Syslog, &[11, at, 5]), Errno::EINVAL);
    world.finish();
}

#[test]
fn reboot_ends_the_kernel() {
    let mut world = World::new();
    assert_eq!(world.errno(Call::Reboot, &[1, 2, 3]), Errno::EINVAL);
    assert_eq!(world.errno(Call::Reboot, &[0xfee1_dead, 0x2812_1969, 3]), Errno::EINVAL);
    assert_eq!(world.ok(Call::Reboot, &[0xfee1_dead, 0x2812_1969, 0]), 0);
    assert_eq!(world.kernel.end, None);
    world.ok(Call::Reboot, &[0xfee1_dead, 0x2812_1969, 0x4321_fedc]);
    assert_eq!(world.kernel.end, Some(End::PowerOff));
    world.ok(Call::Reboot, &[0xfee1_dead, 0x2812_1969, 0x0123_4567]);
    assert_eq!(world.kernel.end, Some(End::Restart));
    world.finish();
}

#[test]
fn what_the_kernel_has_not_it_names_once() {
    let mut world = World::new();
    world.kernel.platform.take_console();
    for _ in 0..3 {
        assert_eq!(world.errno(Call::InotifyInit1, &[0]), Errno::ENOSYS);
    }
    let said = world.kernel.platform.take_console();
    assert_eq!(said, b"process 1: no system call 294 (inotify_init1)\n");
    world.finish();
}
