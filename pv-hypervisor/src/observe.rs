//! What is watched when the operator asks for it: every call as a trace record, and in an image
//! with the feature `audit` the core's invariants.

use crate::arch::{self, Platform, Registers};
use crate::console;
use crate::machine::Hardware;
use crate::stretch::Stretches;
use alloc::vec::Vec;
use hypercall_abi::Number;
use pv_bundle::Options;
use pv_core::domain::MAX_DOMAINS;
use pv_core::vcpu::Mode;
use pv_core::{Registers as _, Slot, State};
use pv_wire::{Kind, Source, TraceRecord, record};

/// Bytes of a trace record at most: eleven numbers of at most ten bytes, and the version.
const RECORD_BYTES: usize = 128;

/// What to watch.
pub struct Observer {
    /// The call that each vCPU is in, with the counter at its entry; empty without trace.
    open: Vec<Option<TraceRecord>>,
    /// For how long the hypervisor keeps the processor.
    pub stretches: Stretches,
    /// Entries between two audits; 0 for none.
    audit_period: u32,
    #[cfg(feature = "audit")]
    until_audit: u32,
}

impl Observer {
    /// What the manifest asks for, as far as this image can.
    pub fn new(options: &Options) -> Observer {
        let audit_period = if cfg!(feature = "audit") { options.audit_period } else { 0 };
        let mut open = Vec::new();
        if options.trace {
            open.resize(MAX_DOMAINS, None);
        }
        Observer {
            open,
            stretches: Stretches::new(options.stretches),
            audit_period,
            #[cfg(feature = "audit")]
            until_audit: audit_period,
        }
    }

    /// Whether there is anything to do.
    pub fn is_wanted(&self) -> bool {
        !self.open.is_empty() || self.audit_period != 0 || self.stretches.are_wanted()
    }

    /// A vCPU has used the instruction that makes calls.
    pub fn before_call(&mut self, state: &State<Platform>, slot: Slot, registers: &Registers) {
        let Some(open) = self.open.get_mut(slot.index()) else { return };
        if state.vcpu(slot).mode == Mode::Kernel {
            *open = Some(TraceRecord {
                domain: state.domain(slot).id.0,
                call: registers.number(),
                args: registers.args(),
                status: 0,
                value: 0,
                ticks: arch::now(),
            });
        }
    }

    /// A vCPU is about to run again: the call that it was in, if any, has been answered.
    pub fn after_call(&mut self, slot: Slot, registers: &Registers) {
        let Some(mut trace) = self.open.get_mut(slot.index()).and_then(Option::take) else {
            return;
        };
        // A return from a trap that worked has left other registers in the answer's place.
        if trace.call != Number::TrapReturn as u64 {
            let (status, value) = registers.result();
            (trace.status, trace.value) = (status.0, value);
        }
        trace.ticks = arch::now().saturating_sub(trace.ticks);
        let mut buffer = [0; RECORD_BYTES];
        if let Some(bytes) = record::encode(&trace, &mut buffer) {
            console::send(Source::HYPERVISOR, Kind::Trace, bytes);
        }
    }

    /// After an entry: the core's invariants, when it is time. A violation is fatal.
    #[cfg(feature = "audit")]
    pub fn audit(&mut self, state: &State<Platform>, machine: &Hardware, audits: &mut u64) {
        if self.audit_period == 0 {
            return;
        }
        self.until_audit -= 1;
        if self.until_audit == 0 {
            self.until_audit = self.audit_period;
            *audits += 1;
            if let Err(violation) = pv_core::audit::audit(state, machine) {
                crate::fatal::stop(format_args!("audit: {violation}"));
            }
        }
    }

    /// Without the feature there is no audit.
    #[cfg(not(feature = "audit"))]
    pub fn audit(&mut self, _: &State<Platform>, _: &Hardware, _: &mut u64) {}
}
