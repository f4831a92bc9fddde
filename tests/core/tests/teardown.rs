//! A domain ends while others run: what they do between two steps of its being taken apart.

use core_tests::World;
use hypercall_abi::calls::grant_map::MappedGrant;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::calls::*;
use hypercall_abi::{DomainId, Error, GrantRef, Port};
use pv_core::domain::Life;
use pv_core::{EndReason, X86_64};

/// Steps that the end of a domain may take.
const STEPS: u32 = 1_000;

/// Ends a domain, and takes it apart one step at a time until `enough` says so. The other
/// domain has the processor.
fn end_until(
    world: &mut World<X86_64>,
    (ending, other): (usize, usize),
    enough: impl Fn(&Life) -> bool,
) {
    let id = world.state.domain(world.slots[ending]).id;
    world.switch_to(other);
    world.state.end_domain(&mut world.machine, id, EndReason::Destroyed);
    for _ in 0..STEPS {
        if enough(&world.state.domain(world.slots[ending]).life) {
            return;
        }
        let _ = world.state.schedule(&mut world.machine);
        world.audit();
    }
    panic!("in {STEPS} steps the end does not come to that point");
}

/// Takes apart what ends until it is gone or has to wait for others.
fn settle(world: &mut World<X86_64>) {
    for _ in 0..1000 {
        let _ = world.state.schedule(&mut world.machine);
        world.audit();
    }
}

fn share(world: &mut World<X86_64>, from: usize, to: usize, pfn: u64) -> GrantRef {
    let domain = world.state.domain(world.slots[to]).id;
    let frame = world.p2m(from, pfn);
    let share = GrantShare { domain, frame, access: Access::Read };
    GrantRef(world.call(from, &share).unwrap() as u32)
}

/// A frame that another domain has mapped is passed over when the frames go; its handle is
/// closed before the last of them has gone.
#[test]
fn a_handle_closed_while_the_frames_go_leaves_no_frame_behind() {
    // So many frames that they do not go in one step.
    let mut world = World::<X86_64>::with_memory(2, 1024, 4096);
    let first = (100..500).min_by_key(|pfn| world.p2m(0, *pfn)).unwrap();
    let grant = share(&mut world, 0, 1, first);
    let map = GrantMap { domain: DomainId(1), grant, access: Access::Read };
    let handle = MappedGrant::from_value(world.call(1, &map).unwrap()).handle;
    end_until(&mut world, (0, 1), |life| format!("{life:?}").contains("Frames { cursor: 960 }"));
    assert_eq!(world.call(1, &GrantUnmap { handle }), Ok(0));
    settle(&mut world);
    assert!(world.state.domain_of(DomainId(1)).is_none(), "it is wholly gone");
    world.finish();
}

/// The other end of a channel is closed, and its number used for another channel, between the
/// end of a domain and the closing of its ports.
#[test]
fn a_port_that_was_closed_meanwhile_is_not_opened_again() {
    let mut world = World::<X86_64>::new(3, 128);
    let [first, second, third] = [DomainId(1), DomainId(2), DomainId(3)];
    let port = Port(world.call(0, &EventAlloc { domain: second }).unwrap() as u32);
    let bound = world.call(1, &EventBind { domain: first, port }).unwrap();
    let own = Port(bound as u32);
    end_until(&mut world, (0, 1), |_| true);
    assert_eq!(world.call(1, &EventClose { port: own }), Ok(0));
    let again = world.call(1, &EventAlloc { domain: third });
    assert_eq!(again, Ok(bound), "the number is used again");
    let far = Port(world.call(2, &EventBind { domain: second, port: own }).unwrap() as u32);
    settle(&mut world);
    assert_eq!(world.call(1, &EventSend { port: own }), Ok(0));
    assert_eq!(world.call(2, &EventSend { port: far }), Ok(0));
    world.finish();
}

/// Identities come again once all have been used: what was given to one who bore it before is
/// not the new bearer's.
/// Clauses: SHUTDOWN.8
/// Advisories: XSA-322
#[test]
fn a_later_domain_of_the_same_identity_inherits_nothing() {
    let mut world = World::<X86_64>::new(2, 64);
    let second = DomainId(2);
    let grant = share(&mut world, 0, 1, 50);
    let port = Port(world.call(0, &EventAlloc { domain: second }).unwrap() as u32);
    world.switch_to(0);
    let mut id = second;
    while {
        world.state.end_domain(&mut world.machine, id, EndReason::Destroyed);
        while world.state.domain_of(id).is_some() {
            let _ = world.state.schedule(&mut world.machine);
        }
        let slot = world.create(64).unwrap();
        id = world.state.domain(slot).id;
        id != second
    } {}
    let late = world.slots.len() - 1;
    let first = DomainId(1);
    let map = GrantMap { domain: first, grant, access: Access::Read };
    assert_eq!(world.call(late, &map), Err((Error::NoGrant, 0)));
    let bind = EventBind { domain: first, port };
    assert_eq!(world.call(late, &bind), Err((Error::PortState, 0)));
    // Both are still the granter's own to give up.
    assert_eq!(world.call(0, &GrantRevoke { grant }), Ok(0));
    assert_eq!(world.call(0, &EventClose { port }), Ok(0));
    world.finish();
}
