//! Which page answers which number; the calls with one paragraph; batches.

use super::{Answer, Oracle, fits, within};
use hypercall_abi::calls::Args;
use hypercall_abi::{DomainId, Error, Mfn, Number};

/// Words of an entry of a batch.
const ENTRY: usize = 8;

impl Oracle {
    /// CALL.10: makes a call and counts it. `None`: it does not return here.
    pub(super) fn call(
        &mut self,
        caller: DomainId,
        number: u64,
        args: &Args,
        given: &[u64],
    ) -> Option<Answer> {
        self.domain(caller).calls += 1;
        let answer = self.answer(caller, number, args, given)?;
        if answer.is_err() {
            self.domain(caller).refusals += 1;
        }
        Some(answer)
    }

    fn answer(
        &mut self,
        caller: DomainId,
        number: u64,
        args: &Args,
        given: &[u64],
    ) -> Option<Answer> {
        let Some(number) = Number::new(number) else {
            return Some(Err((Error::UnknownCall, 0)));
        };
        let a = *args;
        Some(match number {
            Number::PteUpdate => self.pte_update(caller, args),
            Number::BalloonInflate => {
                self.balloon_inflate(caller, a[0], a[1]).map(|(done, _)| done)
            }
            Number::BalloonDeflate => self.balloon_deflate(caller, a[0], a[1], given),
            Number::BalloonReport => self.balloon_report(caller, a),
            Number::TrapReturn => return self.trap_return(caller, a[0]),
            Number::Batch => self.batch(caller, a[0], given),
            Number::Shutdown if a[0] <= 1 => {
                self.end(caller);
                return None;
            }
            number => self.plain(caller, number, args).map_err(|error| (error, 0)),
        })
    }

    /// The calls that change no more than one thing.
    fn plain(&mut self, caller: DomainId, number: Number, args: &Args) -> Result<u64, Error> {
        let a = *args;
        match number {
            Number::AbiQuery => self.abi_query(a[0]),
            Number::PtCreate => self.pt_create(caller, Mfn(a[0]), a[1]),
            Number::PtPin => self.pt_pin(caller, Mfn(a[0]), a[1]),
            Number::PtUnpin => self.pt_unpin(caller, Mfn(a[0])),
            Number::PtSwitch => self.pt_switch(caller, a[0], a[1]),
            Number::TlbFlush => self.tlb_flush(a[0], a[1]),
            Number::GrantShare => self.grant_share(caller, args),
            Number::GrantRevoke => self.grant_revoke(caller, a[0]),
            Number::GrantMap => self.grant_map(caller, args),
            Number::GrantUnmap => self.grant_unmap(caller, a[0]),
            Number::EventAlloc => self.event_alloc(caller, a[0]),
            Number::EventBind => self.event_bind(caller, a[0], a[1]),
            Number::EventSend => self.event_send(caller, a[0]),
            Number::EventMask => self.event_mask(caller, a[0], a[1]),
            Number::EventClose => self.event_close(caller, a[0]),
            Number::TrapRegister => self.trap_register(caller, a[0], a[1]),
            Number::SchedYield => Ok(0),
            Number::SchedBlock => {
                self.sched_block(caller);
                Ok(0)
            }
            Number::TimerSet => {
                self.timer_set(caller, a[0]);
                Ok(0)
            }
            Number::ConsoleWrite => self.console_write(caller, a[0], a[1]),
            Number::ConsoleRead => self.console_read(caller, a[0]),
            Number::DomainQuery => self.domain_query(caller, a[0]),
            Number::P2mRegister => self.p2m_register(caller, a[0]),
            Number::ShareAdvise => self.share_advise(caller, args),
            Number::ShareBreak => self.share_break(caller, a[0], a[1]),
            Number::SparePut => self.spare_put(caller, args),
            Number::SpareGet => self.spare_get(caller, args),
            Number::SpareDrop => Ok(self.spare_drop(caller, a[0], a[1])),
            Number::Shutdown => Err(Error::BadArgument),
            Number::PteUpdate
            | Number::BalloonInflate
            | Number::BalloonDeflate
            | Number::BalloonReport
            | Number::TrapReturn
            | Number::Batch => unreachable!("answered above"),
        }
    }

    fn abi_query(&self, query: u64) -> Result<u64, Error> {
        match query {
            0 => Ok(1 << 16 | 3),
            1 => Ok(self.features.bits()),
            2 => Ok(self.layout.0 as u64),
            3 => Ok(Number::COUNT as u64),
            _ => Err(Error::BadArgument),
        }
    }

    fn console_write(&mut self, caller: DomainId, stream: u64, length: u64) -> Result<u64, Error> {
        within(stream, 0..=2)?;
        within(length, 1..=512)?;
        let arguments = self.domains[&caller].arguments;
        let bytes = self.content[&arguments].iter().flat_map(|word| word.to_le_bytes());
        let bytes = bytes.take(length as usize).collect();
        self.console.push((caller, stream, bytes));
        Ok(0)
    }

    /// Bytes at the start of the argument frame.
    fn tell(&mut self, caller: DomainId, bytes: &[u8]) {
        let arguments = self.domains[&caller].arguments;
        for (at, byte) in bytes.iter().enumerate() {
            let mut word = self.word(arguments, at / 8).to_le_bytes();
            word[at % 8] = *byte;
            self.set_word(arguments, at / 8, u64::from_le_bytes(word));
        }
    }

    fn console_read(&mut self, caller: DomainId, capacity: u64) -> Result<u64, Error> {
        within(capacity, 1..=4096)?;
        let input = &mut self.domain(caller).input;
        let count = input.len().min(capacity as usize);
        let bytes: Vec<u8> = input.drain(..count).collect();
        self.tell(caller, &bytes);
        Ok(count as u64)
    }

    fn domain_query(&mut self, caller: DomainId, domain: u64) -> Result<u64, Error> {
        fits(domain, 16)?;
        let asked = DomainId(domain as u16);
        if asked != DomainId::SELF && asked != caller {
            return Err(Error::NotPermitted);
        }
        let mine = |frame: &Mfn| self.owners[frame] == caller;
        let frames = self.owners.keys().filter(|frame| mine(frame)).count();
        let tables = self.tables.keys().filter(|frame| mine(frame)).count();
        let pinned = self.tables.iter().filter(|(frame, table)| mine(frame) && table.pinned);
        let domain = &self.domains[&caller];
        let numbers = [
            caller.0.into(),
            frames as u64,
            domain.max_frames,
            tables as u64,
            pinned.count() as u64,
            domain.grants.len() as u64,
            domain.handles.len() as u64,
            domain.ports.len() as u64,
            domain.calls,
            domain.refusals,
            domain.traps,
            domain.target_frames,
            domain.reported_frames,
        ];
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.tell(caller, &bytes);
        Ok(0)
    }

    /// BATCH.2: whether the call may stand in a batch.
    fn may_stand_in_batch(number: u64, args: &Args) -> bool {
        match Number::new(number) {
            Some(Number::PteUpdate) => args[0] == 0,
            Some(
                Number::BalloonInflate
                | Number::BalloonDeflate
                | Number::BalloonReport
                | Number::ConsoleWrite
                | Number::ConsoleRead
                | Number::DomainQuery
                | Number::P2mRegister
                | Number::TrapReturn
                | Number::SchedYield
                | Number::SchedBlock
                | Number::Shutdown
                | Number::Batch,
            ) => false,
            _ => true,
        }
    }

    /// `given` is the argument frame afterwards: it holds the values that the core has chosen.
    fn batch(&mut self, caller: DomainId, count: u64, given: &[u64]) -> Answer {
        within(count, 1..=64).map_err(|error| (error, 0))?;
        let arguments = self.domains[&caller].arguments;
        for entry in 0..count as usize {
            let first = ENTRY * entry;
            let number = self.word(arguments, first);
            let args: Args = std::array::from_fn(|at| self.word(arguments, first + 1 + at));
            self.told = given[first + 1];
            let (status, value) = if Self::may_stand_in_batch(number, &args) {
                match self.call(caller, number, &args, given).expect("it returns") {
                    Ok(value) => (0, value),
                    Err((error, value)) => (error as u64, value),
                }
            } else {
                let domain = self.domain(caller);
                domain.calls += 1;
                domain.refusals += 1;
                (Error::NotInBatch as u64, 0)
            };
            self.set_word(arguments, first, status);
            self.set_word(arguments, first + 1, value);
        }
        Ok(count)
    }
}
