//! I34 and I49: events between processors. One or two hypervisor processors make ports pending
//! while the guest takes events on its own; nothing is lost, nothing comes twice, and what a
//! sender wrote before it sent is seen.

use concurrency::{GuestPage, Shared, fails, holds, holds_within};
use hypercall_abi::{Mfn, Port};
use loom::sync::atomic::AtomicU64;
use loom::sync::{Arc, Mutex};
use loom::thread;
use pv_core::event::{any_pending, make_pending, set_mask};
use pv_core::{ATOMIC_ORDER, Machine, X86_64};
use pv_guest::pending::{self, EventPage, EventWord};
use std::sync::atomic::Ordering;

const PAGE: Mfn = GuestPage::FRAME;
/// Two ports in different words of the page.
const PORTS: [Port; 2] = [Port(5), Port(70)];

/// How a hypervisor's processor makes a port pending: the core's way, or one with a fault.
type Send = fn(&mut Shared<X86_64>, Port);
/// How the guest takes events: the runtime's way, or one with a fault.
type Take = fn(&GuestPage, &mut dyn FnMut(Port));

fn core_sends(machine: &mut Shared<X86_64>, port: Port) {
    make_pending(machine, PAGE, port);
}

fn runtime_takes(page: &GuestPage, handle: &mut dyn FnMut(Port)) {
    pending::take(page, handle);
}

/// A fault: the summary before the bit.
fn summary_first(machine: &mut Shared<X86_64>, port: Port) {
    machine.fetch_or(PAGE, 0, 1);
    machine.fetch_or(PAGE, 8 + port.0 as usize / 64, 1 << (port.0 % 64));
}

/// A fault: the summary by a plain write.
fn plain_summary(machine: &mut Shared<X86_64>, port: Port) {
    machine.fetch_or(PAGE, 8 + port.0 as usize / 64, 1 << (port.0 % 64));
    machine.write(PAGE, 0, 1);
}

/// A fault: the summary is cleared by a plain write, which may come late.
fn takes_with_plain_clear(page: &GuestPage, handle: &mut dyn FnMut(Port)) {
    page.events_pending().store(0, Ordering::SeqCst);
    take_bits(page, handle);
}

/// A fault: the bits are looked at before the summary is cleared.
fn takes_then_clears(page: &GuestPage, handle: &mut dyn FnMut(Port)) {
    take_bits(page, handle);
    page.events_pending().swap(0, Ordering::AcqRel);
}

fn take_bits(page: &GuestPage, handle: &mut dyn FnMut(Port)) {
    for index in [0, 1] {
        if page.pending(index).load(Ordering::Relaxed) != 0 {
            let mut bits = page.pending(index).fetch_and(0, Ordering::AcqRel);
            while bits != 0 {
                handle(Port(index as u32 * 64 + bits.trailing_zeros()));
                bits &= bits - 1;
            }
        }
    }
}

/// Each of `ports` is sent once, on a processor of its own, after its sender has written a word;
/// the guest looks once meanwhile, and again as long as it is told that something is pending.
fn sends_and_takes(ports: &[Port], order: Ordering, send: Send, take: Take) {
    let page = GuestPage::new(0);
    let data: Arc<Vec<AtomicU64>> = Arc::new(ports.iter().map(|_| AtomicU64::new(0)).collect());
    let senders: Vec<_> = ports
        .iter()
        .copied()
        .enumerate()
        .map(|(index, port)| {
            let (words, data) = (page.0.clone(), data.clone());
            thread::spawn(move || {
                data[index].store(1, Ordering::Relaxed);
                send(&mut Shared::ordered(&words, order), port);
            })
        })
        .collect();
    let mut taken = Vec::new();
    let mut look = || {
        take(&page, &mut |port| {
            let index = ports.iter().position(|sent| *sent == port).expect("a port that was sent");
            assert_eq!(data[index].load(Ordering::Relaxed), 1, "what was written before is seen");
            taken.push(port);
        });
    };
    look();
    for sender in senders {
        sender.join().unwrap();
    }
    // The way back from the interrupt that the senders would send.
    while page.events_pending().load(Ordering::SeqCst) != 0 {
        look();
    }
    taken.sort();
    assert_eq!(taken, ports, "none is lost, and none comes twice");
}

#[test]
fn no_event_is_lost_or_comes_twice() {
    holds(|| sends_and_takes(&PORTS[..1], ATOMIC_ORDER, core_sends, runtime_takes));
    holds_within(5, || sends_and_takes(&PORTS, ATOMIC_ORDER, core_sends, runtime_takes));
}

#[test]
fn the_summary_before_the_bit_loses_events() {
    assert!(fails(|| sends_and_takes(&PORTS[..1], ATOMIC_ORDER, summary_first, runtime_takes)));
}

#[test]
fn a_plain_write_of_the_summary_loses_events() {
    assert!(fails(|| sends_and_takes(&PORTS[..1], ATOMIC_ORDER, plain_summary, runtime_takes)));
}

#[test]
fn a_plain_clear_of_the_summary_loses_events() {
    let take = takes_with_plain_clear;
    assert!(fails(move || sends_and_takes(&PORTS[..1], ATOMIC_ORDER, core_sends, take)));
}

#[test]
fn a_clear_after_the_look_loses_events() {
    let take = takes_then_clears;
    assert!(fails(move || sends_and_takes(&PORTS[..1], ATOMIC_ORDER, core_sends, take)));
}

#[test]
fn without_release_and_acquire_the_senders_words_are_not_seen() {
    assert!(fails(|| {
        sends_and_takes(&PORTS[..1], Ordering::Relaxed, core_sends, runtime_takes);
    }));
}

/// A port is sent twice: it is taken once or twice, and both senders' words are seen by the end.
#[test]
fn events_of_one_port_merge_and_none_is_lost() {
    holds_within(5, || {
        let page = GuestPage::new(0);
        let data = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let senders = [0, 1].map(|index| {
            let (words, data) = (page.0.clone(), data.clone());
            thread::spawn(move || {
                data[index].store(1, Ordering::Relaxed);
                core_sends(&mut Shared::ordered(&words, ATOMIC_ORDER), PORTS[0]);
            })
        });
        let (mut taken, mut seen) = (0, 0);
        let mut look = || {
            pending::take(&page, |_| {
                taken += 1;
                seen = data.iter().map(|word| word.load(Ordering::Relaxed)).sum();
            });
        };
        look();
        for sender in senders {
            sender.join().unwrap();
        }
        while page.events_pending().load(Ordering::SeqCst) != 0 {
            look();
        }
        assert!((1..=2).contains(&taken), "taken {taken} times");
        assert_eq!(seen, 2, "the last look sees what both wrote");
    });
}

/// A port is unmasked by a call while it is sent: whoever comes second tells the vCPU.
fn unmasks_while_sent(locked: bool) {
    let page = GuestPage::new(BIT);
    let lock = Arc::new(Mutex::new(()));
    let (words, other) = (page.0.clone(), lock.clone());
    let sender = thread::spawn(move || {
        let held = locked.then(|| other.lock().unwrap());
        let due =
            make_pending(&mut Shared::<X86_64>::ordered(&words, ATOMIC_ORDER), PAGE, PORTS[0]);
        drop(held);
        due
    });
    let mut machine = Shared::<X86_64>::ordered(&page.0, ATOMIC_ORDER);
    let held = locked.then(|| lock.lock().unwrap());
    let due = set_mask(&mut machine, PAGE, PORTS[0], false);
    drop(held);
    let sent = sender.join().unwrap();
    assert!(any_pending(&machine, PAGE));
    assert!(due || sent, "somebody wakes the vCPU");
    assert_ne!(page.events_pending().load(Ordering::SeqCst), 0, "and the guest is told");
}

#[test]
fn unmasking_by_a_call_misses_nothing_under_the_lock() {
    holds(|| unmasks_while_sent(true));
}

#[test]
fn unmasking_without_the_lock_would_miss_events() {
    assert!(fails(|| unmasks_while_sent(false)));
}

/// The bit of the first of them in its word.
const BIT: u64 = 1 << PORTS[0].0;

/// A guest clears a mask bit by itself and then looks at the pending bit.
fn unmasks_by_itself(look: fn(&GuestPage) -> u64) {
    let page = GuestPage::new(BIT);
    let words = page.0.clone();
    let sender = thread::spawn(move || {
        core_sends(&mut Shared::ordered(&words, ATOMIC_ORDER), PORTS[0]);
    });
    page.mask(0).fetch_and(!BIT, Ordering::AcqRel);
    let mut taken = look(&page) != 0;
    sender.join().unwrap();
    if page.events_pending().load(Ordering::SeqCst) != 0 {
        pending::take(&page, |_| taken = true);
    }
    assert!(taken, "it is found by the guest, or the guest is told");
}

#[test]
fn a_guest_that_unmasks_by_itself_looks_by_an_atomic_step() {
    holds(|| unmasks_by_itself(|page| page.pending(0).fetch_and(!BIT, Ordering::AcqRel) & BIT));
    assert!(fails(|| unmasks_by_itself(|page| page.pending(0).load(Ordering::Relaxed) & BIT)));
}

/// The guest unmasks event traps while a port is sent: the runtime's loop takes it, or the way
/// back from the interrupt finds traps unmasked and the summary set.
#[test]
fn unmasking_event_traps_misses_nothing() {
    holds(|| {
        let page = GuestPage::new(0);
        page.events_masked().swap(1, Ordering::SeqCst);
        let words = page.0.clone();
        let sender = thread::spawn(move || {
            core_sends(&mut Shared::ordered(&words, ATOMIC_ORDER), PORTS[0]);
        });
        let mut taken = 0;
        pending::unmask(&page, || pending::take(&page, |_| taken += 1));
        sender.join().unwrap();
        assert_eq!(page.events_masked().load(Ordering::SeqCst), 0, "a trap can be taken");
        if page.events_pending().load(Ordering::SeqCst) != 0 {
            pending::take(&page, |_| taken += 1);
        }
        assert_eq!(taken, 1);
    });
}
