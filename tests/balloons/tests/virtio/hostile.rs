//! Rings that break a rule: each is an error by name, the device asks for a reset, and whatever was right
//! before has happened and is not lost.

use super::arena::{self, PAGE, PAGES};
use super::rings::{ARRAYS, Descriptor, INDIRECT, NEXT, PLACES, Rings, WRITE, buffer, setup};
use balloon::virtio::{Counters, Fault, Interrupts, Status, Step, queues};
use hypercall_abi::Pfn;
use virtio_drivers::transport::{DeviceStatus, Transport};

const INFLATE: u16 = queues::INFLATE;
const DEFLATE: u16 = queues::DEFLATE;
const STATISTICS: u16 = queues::STATISTICS;
const REPORTING: u16 = queues::REPORTING;

fn counters(rings: &Rings) -> Counters {
    rings.link.device.borrow().counters()
}

/// The device is broken by name, serves nothing, and is well again after a reset.
fn is_broken(rings: Rings, fault: Fault) {
    let Rings { mut link, .. } = rings;
    let mut device = link.device.borrow_mut();
    assert_eq!(device.fault(), Some(fault));
    assert!(device.status().contains(Status::NEEDS_RESET | Status::DRIVER_OK));
    assert!(device.take_interrupts().contains(Interrupts::CONFIG), "the driver is told");
    device.notify(INFLATE);
    let before = device.counters();
    assert_eq!(device.step(&mut *link.machine.borrow_mut()), Step::Broken(fault));
    assert_eq!(device.counters(), before);
    drop(device);
    link.check();
    link.set_status(DeviceStatus::empty());
    let mut rings = Rings::on(link);
    let array = rings.array(0, &[3000, 3001]);
    assert_eq!(rings.play(INFLATE, &[array]), Step::Idle);
    assert_eq!(rings.used(INFLATE), 1);
}

#[test]
fn an_index_that_runs_away() {
    for ahead in [PLACES + 1, 0x8000, u16::MAX] {
        let mut rings = Rings::new();
        rings.set_index(INFLATE, ahead);
        rings.link.notify(INFLATE);
        let fault = Fault::IndexRunsAway { ahead };
        assert_eq!(rings.link.run(), Step::Broken(fault));
        is_broken(rings, fault);
    }
}

#[test]
fn an_index_goes_round_after_65536_chains() {
    let mut rings = Rings::new();
    for _ in 0..70_000 / 8 {
        for _ in 0..8 {
            rings.offer(INFLATE, 0);
        }
        rings.link.notify(INFLATE);
        let mut machine = rings.link.machine.borrow_mut();
        assert_eq!(machine.run(&mut rings.link.device.borrow_mut()), Step::Idle);
    }
    assert_eq!(counters(&rings).chains[0], 70_000);
    assert_eq!(rings.used(INFLATE), (70_000 % 65_536) as u16);
}

#[test]
fn a_descriptor_beyond_the_table() {
    for index in [PLACES, 0x7fff, u16::MAX] {
        let mut rings = Rings::new();
        rings.offer(INFLATE, index);
        rings.link.notify(INFLATE);
        let fault = Fault::NoSuchDescriptor { index };
        assert_eq!(rings.link.run(), Step::Broken(fault));
        is_broken(rings, fault);
        let mut rings = Rings::new();
        let first = Descriptor { flags: NEXT, next: index, ..rings.array(0, &[500, 501]) };
        assert_eq!(rings.fault(INFLATE, &[first]), fault);
        assert_eq!(counters(&rings).taken, 0, "the piece ends with the fault");
        is_broken(rings, fault);
    }
}

#[test]
fn a_chain_without_an_end() {
    for queue in [INFLATE, DEFLATE, STATISTICS] {
        for length in [0, 4] {
            let mut rings = Rings::new();
            let turn = |next| Descriptor { flags: NEXT, next, ..buffer(ARRAYS, length) };
            assert_eq!(rings.fault(queue, &[turn(0)]), Fault::EndlessChain, "itself");
            let mut rings = Rings::new();
            let circle: Vec<_> = (0..PLACES).map(|at| turn((at + 1) % PLACES)).collect();
            assert_eq!(rings.fault(queue, &circle), Fault::EndlessChain);
            is_broken(rings, Fault::EndlessChain);
        }
    }
}

#[test]
fn an_indirect_descriptor() {
    let mut rings = Rings::new();
    let table = Descriptor { flags: INDIRECT, ..buffer(ARRAYS, 32) };
    assert_eq!(rings.fault(INFLATE, &[table]), Fault::Indirect);
    is_broken(rings, Fault::Indirect);
}

#[test]
fn buffers_of_the_wrong_direction() {
    for queue in [INFLATE, DEFLATE, STATISTICS] {
        let mut rings = Rings::new();
        let array = Descriptor { flags: WRITE, ..rings.array(0, &[500]) };
        assert_eq!(rings.fault(queue, &[array]), Fault::NotReadable);
        is_broken(rings, Fault::NotReadable);
        // In the middle of a chain, too.
        let mut rings = Rings::new();
        let first = Descriptor { flags: NEXT, next: 1, ..rings.array(0, &[600]) };
        assert_eq!(rings.fault(queue, &[first, array]), Fault::NotReadable);
        is_broken(rings, Fault::NotReadable);
    }
    let mut rings = Rings::new();
    assert_eq!(rings.fault(REPORTING, &[buffer(600 * PAGE, 4096)]), Fault::NotWritable);
    is_broken(rings, Fault::NotWritable);
}

#[test]
fn an_array_that_ends_within_a_number() {
    for length in [1, 2, 3, 5, 1023, 1025] {
        let mut rings = Rings::new();
        rings.array(0, &(500..800).collect::<Vec<_>>());
        assert_eq!(rings.fault(INFLATE, &[buffer(ARRAYS, length)]), Fault::PartialNumber);
        let whole_pieces = u64::from(length / 1024 * 256);
        assert_eq!(counters(&rings).taken, whole_pieces, "of a whole piece before, all");
        is_broken(rings, Fault::PartialNumber);
    }
}

#[test]
fn a_number_may_lie_across_descriptors() {
    let mut rings = Rings::new();
    rings.array(0, &[0x0000_0a01, 0x0000_0a02]);
    let part =
        |from, length, next| Descriptor { flags: NEXT, next, ..buffer(ARRAYS + from, length) };
    let chain = [part(0, 1, 1), part(1, 0, 2), part(1, 5, 3), buffer(ARRAYS + 6, 2)];
    assert_eq!(rings.play(INFLATE, &chain), Step::Idle);
    assert!(!rings.link.is_backed(0xa01) && !rings.link.is_backed(0xa02));
    assert_eq!((counters(&rings).taken, rings.used(INFLATE)), (2, 1));
}

#[test]
fn pages_that_there_are_not() {
    for page in [PAGES as u32, u32::MAX] {
        for queue in [INFLATE, DEFLATE] {
            let mut rings = Rings::new();
            let before = rings.array(64, &[100, 101]);
            rings.play(INFLATE, &[before]);
            let array = rings.array(0, &[if queue == INFLATE { 500 } else { 100 }, page, 501]);
            let fault = Fault::NoSuchPage(Pfn(page.into()));
            assert_eq!(rings.fault(queue, &[array]), fault);
            assert!(rings.link.is_backed(501), "nothing after it");
            is_broken(rings, fault);
        }
    }
    let mut rings = Rings::new();
    let beyond = Descriptor { flags: WRITE, ..buffer((PAGES - 1) * PAGE, 8192) };
    let fault = Fault::NoSuchPage(Pfn(PAGES));
    assert_eq!(rings.fault(REPORTING, &[beyond]), fault);
    assert_eq!(counters(&rings).reported, 1, "the one that there is");
    is_broken(rings, fault);
}

#[test]
fn pages_given_twice() {
    let fault = Fault::InBalloonAlready(Pfn(500));
    let mut rings = Rings::new();
    let array = rings.array(0, &[500, 501, 500]);
    assert_eq!(rings.fault(INFLATE, &[array]), fault, "in one array");
    assert_eq!(counters(&rings).taken, 2);
    is_broken(rings, fault);
    let mut rings = Rings::new();
    let array = rings.array(0, &[500]);
    assert_eq!(rings.play(INFLATE, &[array]), Step::Idle);
    assert_eq!(rings.fault(INFLATE, &[array]), fault, "later");
    is_broken(rings, fault);
}

#[test]
fn pages_taken_that_were_not_given() {
    let fault = Fault::NotInBalloon(Pfn(500));
    let mut rings = Rings::new();
    let array = rings.array(0, &[500]);
    assert_eq!(rings.fault(DEFLATE, &[array]), fault);
    is_broken(rings, fault);
    // Twice in one array: one frame for one page, not two.
    let mut rings = Rings::new();
    let given = rings.array(0, &[500, 501]);
    rings.play(INFLATE, &[given]);
    let array = rings.array(0, &[500, 500]);
    assert_eq!(rings.fault(DEFLATE, &[array]), fault);
    assert_eq!(counters(&rings).given, 0);
    assert!(rings.link.touch(500), "it is the guest's, and has a frame when it is touched");
    is_broken(rings, fault);
}

#[test]
fn reports_of_parts_and_of_the_balloon() {
    for (address, length) in [(600 * PAGE + 8, 4096), (600 * PAGE, 4095), (600 * PAGE, 1)] {
        let mut rings = Rings::new();
        let part = Descriptor { flags: WRITE, ..buffer(address, length) };
        assert_eq!(rings.fault(REPORTING, &[part]), Fault::PartialPage);
        is_broken(rings, Fault::PartialPage);
    }
    let mut rings = Rings::new();
    let given = rings.array(0, &[602]);
    rings.play(INFLATE, &[given]);
    let run = Descriptor { flags: WRITE, ..buffer(600 * PAGE, 5 * 4096) };
    let fault = Fault::FreeInBalloon(Pfn(602));
    assert_eq!(rings.fault(REPORTING, &[run]), fault);
    assert_eq!(counters(&rings).reported, 2);
    is_broken(rings, fault);
    // The same page twice in a chain goes once.
    let mut rings = Rings::new();
    let page = Descriptor { flags: WRITE, ..buffer(600 * PAGE, 4096) };
    let first = Descriptor { flags: WRITE | NEXT, next: 1, ..page };
    assert_eq!(rings.play(REPORTING, &[first, page]), Step::Idle);
    assert_eq!((counters(&rings).reported, rings.used(REPORTING)), (1, 1));
}

#[test]
fn a_second_buffer_of_statistics() {
    let mut rings = Rings::new();
    assert_eq!(rings.play(STATISTICS, &[buffer(ARRAYS, 100)]), Step::Idle);
    assert_eq!(rings.used(STATISTICS), 0, "the device keeps it");
    assert_eq!(rings.fault(STATISTICS, &[buffer(ARRAYS, 100)]), Fault::SecondStatistics);
    is_broken(rings, Fault::SecondStatistics);
    // One of 4 GiB is read as far as it may count, and no further.
    let mut rings = Rings::new();
    assert_eq!(rings.play(STATISTICS, &[buffer(ARRAYS, u32::MAX)]), Step::Idle);
}

#[test]
fn buffers_and_rings_outside_of_memory() {
    for address in [PAGES * PAGE, PAGES * PAGE - 2, u64::MAX - 2, u64::MAX] {
        let mut rings = Rings::new();
        assert_eq!(rings.fault(INFLATE, &[buffer(address, 8)]), Fault::OutsideMemory);
        is_broken(rings, Fault::OutsideMemory);
    }
    // A guest that gives away the page that its used ring is in.
    let mut rings = Rings::new();
    let own = (setup(INFLATE).device_area.0 / PAGE) as u32;
    let array = rings.array(0, &[700, own]);
    assert_eq!(rings.fault(INFLATE, &[array]), Fault::OutsideMemory);
    assert_eq!(counters(&rings).taken, 2, "it has what it wanted");
    assert!(rings.link.touch(own));
    is_broken(rings, Fault::OutsideMemory);
}

#[test]
fn an_array_that_is_exchanged_behind_the_device_changes_nothing() {
    let mut rings = Rings::new();
    let pages: Vec<u32> = (1000..1600).collect();
    let array = rings.array(0, &pages);
    rings.describe(INFLATE, 0, array);
    rings.offer(INFLATE, 0);
    rings.link.notify(INFLATE);
    let (device, machine) = (rings.link.device.clone(), rings.link.machine.clone());
    assert_eq!(device.borrow_mut().step(&mut *machine.borrow_mut()), Step::Busy);
    assert_eq!(counters(&rings).taken, 256, "a step is bounded");
    // Numbers that were read, and a descriptor that is under way.
    rings.array(0, &[1; 256]);
    rings.describe(INFLATE, 0, Descriptor { flags: INDIRECT, ..buffer(u64::MAX, u32::MAX) });
    arena::write(ARRAYS + 4 * 256, &2000u32.to_le_bytes());
    assert_eq!(rings.link.run(), Step::Idle);
    assert_eq!((counters(&rings).taken, rings.used(INFLATE)), (600, 1));
    assert!(!rings.link.is_backed(2000) && rings.link.is_backed(1256));
}

#[test]
fn one_queue_without_an_end_does_not_keep_the_others_waiting() {
    let mut rings = Rings::new();
    let empty = buffer(ARRAYS, 0);
    rings.describe(INFLATE, 0, empty);
    let array = rings.array(0, &[900]);
    rings.describe(REPORTING, 0, Descriptor { flags: WRITE, ..buffer(900 * PAGE, 4096) });
    rings.describe(DEFLATE, 0, array);
    rings.offer(REPORTING, 0);
    rings.link.notify(REPORTING);
    for step in 0.. {
        assert!(step < 5, "the report comes to its turn");
        rings.offer(INFLATE, 0);
        rings.link.notify(INFLATE);
        let mut machine = rings.link.machine.borrow_mut();
        rings.link.device.borrow_mut().step(&mut *machine);
        if counters(&rings).reported == 1 {
            break;
        }
    }
}
