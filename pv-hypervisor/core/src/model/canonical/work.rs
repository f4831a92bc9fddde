//! What is left of a call, as bytes.

use super::{ARGUMENT_WORDS, Encoder};
use crate::balloon::{Giving, Taking};
use crate::call::Work;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::pt::entry::Place;
use crate::pt::update::{Phase, UpdateWork};
use crate::pt::walk::{Direction, Step, Walk};
use crate::pt::{Source, Then};
use hypercall_abi::calls::pte_update::TargetBits;
use hypercall_abi::extent::Order;
use hypercall_abi::{Error, Mfn};

impl<P: Platform> Encoder<'_, P> {
    pub(super) fn work(&mut self, arguments: Mfn, work: &Work, in_batch: bool) {
        if in_batch {
            // Entries of any call: as they are.
            for word in 0..ARGUMENT_WORDS {
                let value = self.machine.read(arguments, word);
                self.number(value);
            }
        }
        match work {
            Work::Pin { table, walk } => {
                self.byte(1);
                self.frame(*table);
                self.walk(walk);
            }
            Work::Demote { walk, next } => {
                self.byte(2);
                self.walk(walk);
                self.optional_walk(next.as_ref());
            }
            Work::Update(update) => {
                self.byte(3);
                self.update(update);
            }
            // The model's memory is smaller than an extent: none is ever half given.
            Work::Give(Giving { done, count, order, reported, released: _, first: _ }) => {
                self.byte(4);
                self.flag(*order == Order::Extent);
                self.flag(*reported);
                self.number(*done);
                self.number(*count);
                for word in *done..*count {
                    let frame = Mfn(self.machine.read(arguments, word as usize));
                    self.frame(frame);
                }
            }
            // The model's memory is smaller than an extent: none is ever claimed.
            Work::Take(Taking { done, count, order, claim: _ }) => {
                self.byte(5);
                self.flag(*order == Order::Extent);
                self.number(*done);
                self.number(*count);
            }
            Work::Unshare { first, done, count } => {
                self.byte(7);
                self.number(*first);
                self.number(*done);
                self.number(*count);
            }
            Work::NextOfBatch => self.byte(6),
        }
    }

    fn update(&mut self, update: &UpdateWork) {
        let UpdateWork { source, count, done, phase, then } = update;
        self.number(*count);
        self.number(*done);
        self.flag(*then == Then::TrapReturn);
        match source {
            Source::One(update) => {
                self.byte(0);
                self.target(update.target);
                self.word(update.value);
            }
            Source::Arguments(_) => {
                self.byte(1);
                for index in *done..*count {
                    let update = source.fetch(self.machine, index);
                    self.target(update.target);
                    self.word(update.value);
                }
            }
        }
        match phase {
            Phase::Ready => self.byte(0),
            Phase::Promoting { walk, place: Place { table, index, level }, value } => {
                self.byte(1);
                self.walk(walk);
                self.frame(*table);
                self.length(*index);
                self.byte(level.number());
                self.word(*value);
            }
            Phase::Demoting { walk, next, result } => {
                self.byte(2);
                self.walk(walk);
                self.optional_walk(next.as_ref());
                self.error(result.err());
            }
            Phase::Refused(error) => {
                self.byte(3);
                self.error(Some(*error));
            }
        }
    }

    /// An entry's target has the frame from bit 12 on; a page's has no frame.
    fn target(&mut self, target: TargetBits) {
        self.number(target.0 & 0xfff);
        if matches!(target.0 & 3, 0 | 3) {
            self.frame(Mfn(target.0 >> 12));
        } else {
            self.number(target.0 >> 12);
        }
    }

    fn error(&mut self, error: Option<Error>) {
        self.byte(error.map_or(0, |error| error as u8));
    }

    pub(super) fn optional_walk(&mut self, walk: Option<&Walk>) {
        self.flag(walk.is_some());
        if let Some(walk) = walk {
            self.walk(walk);
        }
    }

    pub(super) fn walk(&mut self, walk: &Walk) {
        let Walk { steps, failure } = walk;
        self.length(steps.len());
        for Step { table, level, direction, cursor } in steps {
            self.frame(*table);
            self.byte(level.number());
            self.flag(*direction == Direction::Promote);
            self.number(u64::from(*cursor));
        }
        self.error(*failure);
    }
}
