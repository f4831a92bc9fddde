//! The terminal, as processes reach it: reading, `ioctl`, and job control.

use super::*;
use crate::process::{Action, Signal, SignalSet};

const TCGETS: u64 = 0x5401;
const TCSETS: u64 = 0x5402;
const TCSETSF: u64 = 0x5404;
const TCFLSH: u64 = 0x540b;
const TIOCSCTTY: u64 = 0x540e;
const TIOCGPGRP: u64 = 0x540f;
const TIOCSPGRP: u64 = 0x5410;
const TIOCGWINSZ: u64 = 0x5413;
const TIOCSWINSZ: u64 = 0x5414;
const FIONREAD: u64 = 0x541b;
const FIONBIO: u64 = 0x5421;
const TIOCNOTTY: u64 = 0x5422;
const TIOCGSID: u64 = 0x5429;

/// A world whose first process leads a session with the terminal.
fn with_terminal() -> World {
    let mut world = World::new();
    world.ok(Call::Setsid, &[]);
    world.ok(Call::Ioctl, &[0, TIOCSCTTY, 0]);
    world
}

/// A child in a group of its own: in the background.
fn in_background(world: &mut World) -> Pid {
    let child = world.fork();
    world.ok(Call::Setpgid, &[child.0.into(), 0]);
    child
}

fn pending(world: &World, who: Pid) -> SignalSet {
    world.kernel.processes.get(who).unwrap().signals.pending()
}

#[test]
fn a_line_is_read_when_it_is_typed() {
    let mut world = World::new();
    let at = world.space(64);
    assert!(world.waits(Call::Read, &[0, at, 64]).terminal);
    world.kernel.platform.take_console();
    world.kernel.platform.type_in(b"ls\n");
    assert_eq!(world.ok(Call::Read, &[0, at, 64]), 3);
    assert_eq!(
        (world.load(at, 3), world.kernel.platform.take_console()),
        (b"ls\n".into(), b"ls\r\n".into())
    );
    world.kernel.platform.type_in(b"\x04");
    assert_eq!(world.ok(Call::Read, &[0, at, 64]), 0);
    world.kernel.platform.type_in(b"one\ntwo\n");
    assert_eq!(world.errno(Call::Read, &[0, READ_ONLY, 64]), Errno::EFAULT);
    assert_eq!(world.ok(Call::Read, &[0, at, 64]), 4);
    assert_eq!(world.ok(Call::Ioctl, &[0, FIONREAD, at]), 0);
    assert_eq!(world.load(at, 4), [4, 0, 0, 0]);
    assert_eq!(world.write(1, b"a\nb"), Ok(3));
    assert!(world.kernel.platform.take_console().ends_with(b"a\r\nb"));
    assert_eq!(world.errno(Call::Lseek, &[0, 0, 1]), Errno::ESPIPE);
    let fd = world.open("/dev/console", 0o4000);
    assert_eq!(world.ok(Call::Read, &[fd, at, 64]), 4);
    assert_eq!(world.errno(Call::Read, &[fd, at, 64]), Errno::EAGAIN);
    world.finish();
}

#[test]
fn settings_are_told_and_changed() {
    let mut world = World::new();
    let at = world.space(36);
    world.ok(Call::Ioctl, &[0, TCGETS, at]);
    let mut settings = world.load(at, 36);
    // Neither lines nor echo, and one byte is enough.
    settings[12] &= !0o12;
    world.store(at, &settings);
    world.kernel.platform.type_in(b"ab");
    world.kernel.read_console();
    world.ok(Call::Ioctl, &[0, TCSETS, at]);
    assert_eq!(world.read(0, 9), Ok(b"ab".to_vec()));
    world.kernel.platform.type_in(b"cd");
    world.kernel.read_console();
    world.ok(Call::Ioctl, &[0, TCSETSF, at]);
    assert!(world.read(0, 9).is_err());
    world.kernel.finish_call(INIT);
    world.kernel.platform.type_in(b"ef");
    world.kernel.read_console();
    world.ok(Call::Ioctl, &[0, TCFLSH, 0]);
    assert_eq!(world.errno(Call::Ioctl, &[0, TCFLSH, 9]), Errno::EINVAL);
    // A read that waits a second at most.
    (settings[17 + 5], settings[17 + 6]) = (10, 0);
    world.store(at, &settings);
    world.ok(Call::Ioctl, &[0, TCSETS, at]);
    let to = world.space(9);
    let until = world.waits(Call::Read, &[0, to, 9]).until;
    assert_eq!(until, Some(world.kernel.platform.now() + 1_000_000_000));
    world.kernel.platform.set_alarm(until);
    world.kernel.platform.idle();
    assert_eq!(world.ok(Call::Read, &[0, to, 9]), 0);
    assert_eq!(world.errno(Call::Ioctl, &[0, 0x1234, 0]), Errno::ENOTTY);
    world.finish();
}

#[test]
fn other_files_are_no_terminals() {
    let mut world = World::new();
    world.file("/f", b"text");
    let (fd, at) = (world.open("/f", 0), world.space(64));
    for request in [TCGETS, TIOCGWINSZ, TIOCGPGRP, 0] {
        assert_eq!(world.errno(Call::Ioctl, &[fd, request, at]), Errno::ENOTTY);
    }
    world.ok(Call::Lseek, &[fd, 1, 0]);
    world.ok(Call::Ioctl, &[fd, FIONREAD, at]);
    assert_eq!(world.load(at, 4), [3, 0, 0, 0]);
    world.store(at, &[1, 0, 0, 0]);
    world.ok(Call::Ioctl, &[fd, FIONBIO, at]);
    assert_eq!(world.ok(Call::Fcntl, &[fd, 3]) & 0o4000, 0o4000);
    world.ok(Call::Ioctl, &[fd, 0x5451]);
    assert_eq!(world.ok(Call::Fcntl, &[fd, 1]), 1);
    world.ok(Call::Ioctl, &[fd, 0x5450]);
    assert_eq!(world.ok(Call::Fcntl, &[fd, 1]), 0);
    assert_eq!(world.errno(Call::Ioctl, &[99, TCGETS, at]), Errno::EBADF);
    world.finish();
}

#[test]
fn a_terminal_belongs_to_the_session_that_takes_it() {
    let mut world = World::new();
    let at = world.space(16);
    let path = world.string("/dev/tty");
    assert_eq!(world.errno(Call::Open, &[path, 2]), Errno::ENXIO);
    assert_eq!(world.errno(Call::Ioctl, &[0, TIOCGPGRP, at]), Errno::ENOTTY);
    world.ok(Call::Setsid, &[]);
    // Not to become its terminal, and then so.
    world.open("/dev/console", 0o402);
    assert_eq!(world.kernel.terminal.session, None);
    world.open("/dev/console", 2);
    assert_eq!(world.kernel.terminal.session, Some(INIT));
    let tty = world.ok(Call::Open, &[path, 2]);
    for request in [TIOCGPGRP, TIOCGSID] {
        world.ok(Call::Ioctl, &[tty, request, at]);
        assert_eq!(world.load(at, 4), [1, 0, 0, 0]);
    }
    assert_eq!(world.ok(Call::Ioctl, &[0, TIOCSCTTY, 0]), 0);
    let child = world.fork();
    world.become_(child);
    assert_eq!(world.errno(Call::Ioctl, &[0, TIOCSCTTY, 0]), Errno::EPERM);
    world.ok(Call::Setsid, &[]);
    assert_eq!(world.errno(Call::Ioctl, &[0, TIOCSCTTY, 0]), Errno::EPERM);
    assert_eq!(world.errno(Call::Ioctl, &[0, TIOCNOTTY]), Errno::ENOTTY);
    world.ok(Call::Ioctl, &[0, TIOCSCTTY, 1]);
    assert_eq!(world.kernel.terminal.session, Some(child));
    world.ok(Call::Ioctl, &[0, TIOCNOTTY]);
    assert_eq!(world.kernel.terminal.session, None);
}

#[test]
fn a_window_that_changes_is_a_signal() {
    let mut world = with_terminal();
    let at = world.space(8);
    let child = in_background(&mut world);
    let group = world.put(&child.0.to_le_bytes());
    world.ok(Call::Ioctl, &[0, TIOCSPGRP, group]);
    world.ok(Call::Ioctl, &[0, TIOCGWINSZ, at]);
    assert_eq!(world.load(at, 8), [24, 0, 80, 0, 0, 0, 0, 0]);
    let action = Action { handler: 0x1000, ..Action::default() };
    let signals = &mut world.kernel.processes.get_mut(child).unwrap().signals;
    signals.set_action(Signal::WINCH, action);
    world.ok(Call::Ioctl, &[0, TIOCSWINSZ, at]);
    assert!(!pending(&world, child).has(Signal::WINCH));
    world.store(at, &[50]);
    world.ok(Call::Ioctl, &[0, TIOCSWINSZ, at]);
    assert!(pending(&world, child).has(Signal::WINCH));
    assert_eq!(world.kernel.terminal.size.rows, 50);
}

#[test]
fn who_reads_in_the_background_is_stopped() {
    let mut world = with_terminal();
    let child = in_background(&mut world);
    world.kernel.platform.type_in(b"text\n");
    let (at, group) = (world.space(64), world.put(&child.0.to_le_bytes()));
    world.become_(child);
    assert!(world.waits(Call::Read, &[0, at, 64]).terminal);
    assert!(pending(&world, child).has(Signal::TTIN));
    // Who does not hear of it gets an error.
    let signals = &mut world.kernel.processes.get_mut(child).unwrap().signals;
    signals.forget(SignalSet(u64::MAX));
    signals.blocked = SignalSet::of(&[Signal::TTIN]);
    assert_eq!(world.errno(Call::Read, &[0, at, 64]), Errno::EIO);
    // In the foreground it reads.
    world.become_(INIT);
    world.ok(Call::Ioctl, &[0, TIOCSPGRP, group]);
    world.become_(child);
    assert_eq!(world.ok(Call::Read, &[0, at, 64]), 5);
}

#[test]
fn who_changes_the_terminal_in_the_background_is_stopped() {
    let mut world = with_terminal();
    let (at, group) = (world.space(36), world.space(4));
    world.ok(Call::Ioctl, &[0, TCGETS, at]);
    let child = in_background(&mut world);
    world.become_(child);
    world.store(group, &child.0.to_le_bytes());
    // Writing is free, until the settings say otherwise.
    assert_eq!(world.write(1, b"x"), Ok(1));
    assert!(world.waits(Call::Ioctl, &[0, TCSETS, at]).terminal);
    assert!(pending(&world, child).has(Signal::TTOU));
    world.kernel.processes.get_mut(child).unwrap().signals.forget(SignalSet(u64::MAX));
    world.waits(Call::Ioctl, &[0, TIOCSPGRP, group]);
    let mut settings = world.kernel.terminal.settings().clone();
    settings.local |= crate::terminal::LocalFlags::TOSTOP;
    world.kernel.terminal.set_settings(settings);
    world.waits(Call::Write, &[1, at, 1]);
    // A shell shuts the signal out and goes on.
    let signals = &mut world.kernel.processes.get_mut(child).unwrap().signals;
    signals.set_action(Signal::TTOU, Action { handler: Action::IGNORE, ..Action::default() });
    world.ok(Call::Ioctl, &[0, TIOCSPGRP, group]);
    assert_eq!(world.kernel.terminal.foreground, Some(child));
    world.store(group, &77_u32.to_le_bytes());
    assert_eq!(world.errno(Call::Ioctl, &[0, TIOCSPGRP, group]), Errno::ESRCH);
    world.store(group, &u32::MAX.to_le_bytes());
    assert_eq!(world.errno(Call::Ioctl, &[0, TIOCSPGRP, group]), Errno::EINVAL);
}
