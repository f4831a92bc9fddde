//! `share_advise`. Checks, in order: the P2M is registered (`NotRegistered`), and the slots of all
//! the pages (`BadArgument`). Effect: the pages may be shared, or not; those whose content is
//! identified are compared with what was identified alike before.

use crate::domain::Slot;
use crate::platform::Platform;
use crate::state::State;
use hypercall_abi::calls::ShareAdvise;
use hypercall_abi::calls::share_advise::Advice;
use hypercall_abi::{Error, Pfn};

#[inline(never)]
pub(super) fn run<P: Platform>(
    state: &mut State<P>,
    slot: Slot,
    call: &ShareAdvise,
) -> Result<u64, Error> {
    let movable = &mut state.domain_mut(slot).movable;
    if movable.p2m().is_empty() {
        return Err(Error::NotRegistered);
    }
    let ShareAdvise { first, count, advice, content } = *call;
    first.0.checked_add(count).filter(|end| *end <= movable.pages()).ok_or(Error::BadArgument)?;
    movable.set_mergeable(first.0, count, advice == Advice::Share);
    if content != 0 && advice == Advice::Share {
        for page in 0..count {
            let name = Pfn(first.0 + page);
            state.note_content(slot, name, content.wrapping_add(page));
        }
    }
    Ok(count)
}
