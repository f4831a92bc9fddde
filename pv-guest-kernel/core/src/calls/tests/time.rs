//! Time.

use super::*;
use crate::calls::layout::{u32_at, u64_at};

const SECOND: u64 = 1_000_000_000;

fn pass(world: &mut World, until: u64) {
    world.kernel.platform.set_alarm(Some(until));
    world.kernel.platform.idle();
}

#[test]
fn clocks_tell_the_time() {
    let mut world = World::new();
    pass(&mut world, 5 * SECOND + 6000);
    let at = world.space(16);
    let mut read = |call, args: &[u64]| {
        world.ok(call, args);
        (world.word(at), world.word(at + 8))
    };
    assert_eq!(read(Call::ClockGettime, &[1, at]), (5, 6000));
    assert_eq!(read(Call::ClockGettime, &[0, at]), (1_000_000_005, 6000));
    assert_eq!(read(Call::ClockGettime, &[2, at]), (0, 0));
    assert_eq!(read(Call::ClockGetres, &[1, at]), (0, 1));
    assert_eq!(read(Call::Gettimeofday, &[at, 0]), (1_000_000_005, 6));
    assert_eq!(world.ok(Call::Time, &[at]), 1_000_000_005);
    assert_eq!((world.word(at), world.ok(Call::Time, &[0])), (1_000_000_005, 1_000_000_005));
    for clock in [8, 11, 99, u64::MAX] {
        assert_eq!(world.errno(Call::ClockGettime, &[clock, at]), Errno::EINVAL);
    }
    assert_eq!(world.errno(Call::Settimeofday, &[at, 0]), Errno::EPERM);
    assert_eq!(world.errno(Call::ClockSettime, &[0, at]), Errno::EPERM);
    let timex = world.put(&[0; 208]);
    assert_eq!(world.ok(Call::Adjtimex, &[timex]), 5);
    let bytes = world.load(timex, 208);
    assert_eq!(
        (u32_at(&bytes, 40), u64_at(&bytes, 72), u64_at(&bytes, 88)),
        (64, 1_000_000_005, 10_000)
    );
    assert_eq!(world.ok(Call::ClockAdjtime, &[0, timex]), 5);
    assert_eq!(world.errno(Call::ClockAdjtime, &[1, timex]), Errno::EOPNOTSUPP);
    world.store(timex, &[1]);
    assert_eq!(world.errno(Call::Adjtimex, &[timex]), Errno::EPERM);
    world.finish();
}

#[test]
fn a_sleep_ends_when_it_was_to() {
    let mut world = World::new();
    let span = world.put(&[2, 500_000_000_u64].map(u64::to_le_bytes).concat());
    let waiting = world.waits(Call::Nanosleep, &[span, 0]);
    assert_eq!((waiting.until, waiting.once), (Some(SECOND * 5 / 2), true));
    pass(&mut world, SECOND);
    assert_eq!(world.waits(Call::Nanosleep, &[span, 0]).until, Some(SECOND * 5 / 2));
    pass(&mut world, SECOND * 5 / 2);
    assert_eq!(world.ok(Call::Nanosleep, &[span, 0]), 0);
    // Until a time that is past, or to come.
    assert_eq!(world.ok(Call::ClockNanosleep, &[1, 1, span, 0]), 0);
    let later = world.put(&[1_000_000_009, 0_u64].map(u64::to_le_bytes).concat());
    assert_eq!(world.waits(Call::ClockNanosleep, &[0, 1, later, 0]).until, Some(9 * SECOND));
    world.kernel.finish_call(INIT);
    assert_eq!(world.errno(Call::ClockNanosleep, &[2, 0, span, 0]), Errno::EOPNOTSUPP);
    assert_eq!(world.errno(Call::ClockNanosleep, &[9, 0, span, 0]), Errno::EINVAL);
    let wrong = world.put(&[0, SECOND].map(u64::to_le_bytes).concat());
    assert_eq!(world.errno(Call::Nanosleep, &[wrong, 0]), Errno::EINVAL);
    let wrong = world.put(&[u64::MAX, 0].map(u64::to_le_bytes).concat());
    assert_eq!(world.errno(Call::Nanosleep, &[wrong, 0]), Errno::EINVAL);
    world.finish();
}

#[test]
fn who_is_woken_early_learns_what_was_left() {
    let mut world = World::new();
    let child = world.fork();
    world.become_(child);
    let (span, left) = (world.put(&[2, 0_u64].map(u64::to_le_bytes).concat()), world.space(16));
    let due = world.kernel.platform.now() + 2 * SECOND;
    world.waits(Call::Nanosleep, &[span, left]);
    pass(&mut world, SECOND / 2);
    world.kernel.signal(child, crate::process::Signal::TERM);
    let rest = due - world.kernel.platform.now();
    assert_eq!(world.errno(Call::Nanosleep, &[span, left]), Errno::EINTR);
    assert_eq!((world.word(left), world.word(left + 8)), (1, rest - SECOND));
}
