//! What a guest writes before it makes a call: registers, and its argument frame.

use super::{KERNEL_PC, KERNEL_SP, SOON, World};
use crate::action::{Made, Root, Side, Value, When, Where};
use hypercall_abi::addr::Level;
use hypercall_abi::calls::batch::BatchEntry;
use hypercall_abi::calls::grant_share::Access;
use hypercall_abi::calls::pt_switch::RootChange;
use hypercall_abi::calls::pte_update::Update;
use hypercall_abi::calls::shutdown::ShutdownReason;
use hypercall_abi::calls::tlb_flush::FlushScope;
use hypercall_abi::calls::*;
use hypercall_abi::extent::Order;
use hypercall_abi::trap::TrapFlags;
use hypercall_abi::vcpu_page::{TRAP_DEPTH_OFFSET, TRAP_FRAMES_OFFSET};
use hypercall_abi::{GrantHandle, GrantRef, Mfn, Port, VirtAddr};
use pv_core::{Machine, Registers};

impl World {
    /// The argument registers of a call; its list, if it has one, goes into the argument
    /// frame.
    pub(super) fn arguments(&mut self, side: Side, call: Made) -> Args {
        let frame = |frame: u8| Mfn(frame.into());
        let level = |level: u8| Level::new(level.into());
        let access = |write| if write { Access::ReadWrite } else { Access::Read };
        let peer = self.domains[1 - side].id;
        match call {
            Made::PtCreate { frame: table, level: number } => match level(number) {
                Some(level) => PtCreate { frame: frame(table), level }.encode(),
                None => [table.into(), number.into(), 0, 0, 0, 0],
            },
            Made::PtPin { frame: table, level: number } => match level(number) {
                Some(level) => PtPin { frame: frame(table), level }.encode(),
                None => [table.into(), number.into(), 0, 0, 0, 0],
            },
            Made::PtUnpin { frame: table } => PtUnpin { frame: frame(table) }.encode(),
            Made::PtSwitch { kernel, user } => {
                let change = |root| match root {
                    Root::Keep => RootChange::Keep,
                    Root::Clear => RootChange::Clear,
                    Root::Set(root) => RootChange::Set(frame(root)),
                };
                PtSwitch { kernel_root: change(kernel), user_root: change(user) }.encode()
            }
            Made::PteUpdate { at, value } => PteUpdate::One(update(at, value)).encode(),
            Made::PteUpdates(updates) => {
                self.list_updates(side, &updates);
                PteUpdate::Many(updates.len() as u64).encode()
            }
            Made::TlbFlush { page } => {
                let address = |page| VirtAddr(u64::from(page) << 12);
                let scope = page.map_or(FlushScope::All, |page| FlushScope::Page(address(page)));
                TlbFlush { scope }.encode()
            }
            Made::BalloonInflate { frames, count } => {
                for (word, number) in frames.iter().take(count.into()).enumerate() {
                    self.machine.write(self.domains[side].arguments, word, (*number).into());
                }
                BalloonInflate::frames(count.into()).encode()
            }
            Made::BalloonDeflate { count } => BalloonDeflate::frames(count.into()).encode(),
            Made::BalloonReport { frame } => {
                self.machine.write(self.domains[side].arguments, 0, frame.into());
                BalloonReport::Free { count: 1, order: Order::Frame }.encode()
            }
            Made::GrantShare { frame: page, write } => {
                GrantShare { domain: peer, frame: frame(page), access: access(write) }.encode()
            }
            Made::GrantRevoke { grant } => GrantRevoke { grant: GrantRef(grant.into()) }.encode(),
            Made::GrantMap { grant, write } => {
                let (grant, access) = (GrantRef(grant.into()), access(write));
                GrantMap { domain: peer, grant, access }.encode()
            }
            Made::GrantUnmap { slot, stale } => {
                GrantUnmap { handle: self.handle(side, slot, stale) }.encode()
            }
            Made::EventAlloc => EventAlloc { domain: peer }.encode(),
            Made::EventBind { port } => {
                EventBind { domain: peer, port: Port(port.into()) }.encode()
            }
            Made::EventSend { port } => EventSend { port: Port(port.into()) }.encode(),
            Made::EventMask { port, masked } => {
                EventMask { port: Port(port.into()), masked }.encode()
            }
            Made::EventClose { port } => EventClose { port: Port(port.into()) }.encode(),
            Made::TrapRegister => {
                let (entry, stack) = (VirtAddr(KERNEL_PC), VirtAddr(KERNEL_SP));
                TrapRegister { entry, stack }.encode()
            }
            Made::TrapReturn { update } => {
                if let Some(update) = update {
                    self.list_updates(side, &[update]);
                }
                TrapReturn { count: u64::from(update.is_some()) }.encode()
            }
            Made::SchedYield | Made::SchedBlock => [0; 6],
            Made::TimerSet(when) => {
                let deadline = match when {
                    When::Passed => 0,
                    When::Soon => self.machine.now() + SOON,
                    When::Never => u64::MAX,
                };
                TimerSet { deadline }.encode()
            }
            Made::Shutdown => Shutdown { reason: ShutdownReason::PowerOff }.encode(),
            Made::Batch(calls) => {
                for (index, call) in calls.iter().enumerate() {
                    let call = Made::from(*call);
                    let args = self.arguments(side, call);
                    let base = index * size_of::<BatchEntry>() / 8;
                    let arguments = self.domains[side].arguments;
                    self.machine.write(arguments, base, call.number() as u64);
                    self.machine.write_block(arguments, base + 1, &args);
                }
                Batch { count: calls.len() as u64 }.encode()
            }
        }
    }

    fn list_updates(&mut self, side: Side, updates: &[(Where, Value)]) {
        for (index, (at, value)) in updates.iter().enumerate() {
            let Update { target, value } = update(*at, *value);
            self.machine.write_block(self.domains[side].arguments, 2 * index, &[target.0, value]);
        }
    }

    /// The name of the live handle in a slot, or the one before it.
    fn handle(&self, side: Side, slot: u8, stale: bool) -> GrantHandle {
        let handles = &self.state.domain(self.slot(side)).handles;
        let live = handles.iter().find(|(name, _)| name.slot() == u16::from(slot));
        let generation = live.map_or(0, |(name, _)| name.generation());
        GrantHandle::new(slot.into(), generation.wrapping_sub(u16::from(stale)))
    }

    pub(super) fn forge_trap_frame(&mut self, side: Side) {
        let page = self.domains[side].page;
        let header = u64::from(TrapFlags::USER.bits()) << 32;
        self.machine.write_block(page, TRAP_FRAMES_OFFSET / 8, &[header, 0, 0, 0]);
        let registers = Self::at_rest();
        self.machine.write_block(page, TRAP_FRAMES_OFFSET / 8 + 4, registers.words());
        self.machine.write(page, TRAP_DEPTH_OFFSET / 8, 1);
    }
}

fn update(at: Where, value: Value) -> Update {
    Update::new(at.target(), value.0.into())
}
