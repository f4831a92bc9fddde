//! I51: pages in spare memory.

use super::{Audit, domain_violation, frame_violation};
use crate::frame::Frame;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::{DomainId, Mfn};

/// I51: a frame that keeps a page and the record of the page name each other; a record is of a domain that exists,
/// and is found by its name; all of these frames stand in the queue once; domains have as many as is counted.
pub(super) fn i51_spare_memory<P: Platform>(state: &State<P>) -> Audit {
    let table = &state.frames;
    let number = |link: core::num::NonZeroU32| Mfn(table.base().0 + u64::from(link.get()) - 1);
    let mut records = 0u32;
    for (index, record) in table.kept.iter() {
        let frame = number(record.frame);
        if !matches!(table.get(frame), Ok(Frame::Spare { record, .. }) if *record == index) {
            return Err(frame_violation(51, "the frame of a record does not keep its page", frame));
        }
        if state.domain_of(record.domain).is_none() {
            return Err(frame_violation(51, "it keeps a page of a domain that is gone", frame));
        }
        if table.kept.find(record.domain, record.name) != Some(index) {
            return Err(frame_violation(51, "a page is not found where it is kept", frame));
        }
        records += 1;
    }
    let spare = table.iter().filter(|(_, frame)| matches!(frame, Frame::Spare { .. })).count();
    let (mut met, mut before) = (0, None);
    for frame in table.walk_spare() {
        let Ok(Frame::Spare { previous, .. }) = table.get(frame) else {
            return Err(frame_violation(51, "the queue holds a frame of another state", frame));
        };
        if previous.map(number) != before {
            return Err(frame_violation(51, "the queue is not the same backwards", frame));
        }
        before = Some(frame);
        met += 1;
    }
    if met != table.spare_length() || spare != met as usize || records != met {
        let what = "the queue, its frames and their records are not as many";
        return Err(frame_violation(51, what, table.base()));
    }
    let held =
        |id: DomainId| table.kept.iter().filter(|(_, record)| record.domain == id).count() as u32;
    let mut users = 0;
    for (_, domain) in state.domains() {
        let held = held(domain.id);
        if held != table.kept.held_by(domain.id) {
            return Err(domain_violation(51, "it does not keep what is counted", domain.id));
        }
        users += u32::from(held > 0);
    }
    if table.kept.counts() != (records, users) {
        return Err(frame_violation(51, "the sum of what is kept is wrong", table.base()));
    }
    Ok(())
}
