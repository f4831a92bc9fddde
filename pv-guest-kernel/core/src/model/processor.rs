//! The model's processor: fetches from the memory of the process, and stops for what is not
//! its own to decide.

use super::{Model, ModelRegisters, ModelSpace, program::Instruction, registers::INSTRUCTION};
use crate::{Access, Exit};

/// Nanoseconds of an instruction.
pub(super) const TICK: u64 = 10;

/// Instructions behind which a process is interrupted even without an alarm, so that a test
/// whose program does not end does.
const MOST: u64 = 1_000_000;

impl<const RISCV: bool> Model<RISCV> {
    pub(super) fn execute(&mut self, space: &ModelSpace, registers: &mut ModelRegisters) -> Exit {
        for _ in 0..MOST {
            if self.alarm.is_some_and(|alarm| alarm <= self.now) {
                self.alarm = None;
                return Exit::Interrupt;
            }
            if !self.typed.is_empty() && !self.noticed {
                self.noticed = true;
                return Exit::Interrupt;
            }
            self.now += TICK;
            if let Err(exit) = self.step(space, registers) {
                return exit;
            }
        }
        Exit::Interrupt
    }

    fn step(&mut self, space: &ModelSpace, registers: &mut ModelRegisters) -> Result<(), Exit> {
        let fault = |access| move |address| Exit::Fault { address, access };
        if !registers.pc.is_multiple_of(INSTRUCTION) {
            return Err(Exit::Misaligned);
        }
        let mut bytes = [0; 16];
        self.load(space, registers.pc, &mut bytes, Access::Execute)
            .map_err(fault(Access::Execute))?;
        let instruction = Instruction::decode(bytes).ok_or(Exit::Illegal)?;
        let r = &mut registers.r;
        let mut next = registers.pc.wrapping_add(INSTRUCTION);
        let at = |base: u64, offset: u64| base.wrapping_add(offset);
        match instruction {
            Instruction::Set(a, value) => r[a as usize] = value,
            Instruction::Add(a, b, value) => r[a as usize] = at(r[b as usize], value),
            Instruction::Sum(a, b, c) => r[a as usize] = at(r[b as usize], r[c as usize]),
            Instruction::Divide(a, b, c) => {
                r[a as usize] = r[b as usize].checked_div(r[c as usize]).ok_or(Exit::Arithmetic)?;
            }
            Instruction::Load(a, b, offset) => {
                let mut word = [0; 8];
                self.load(space, at(r[b as usize], offset), &mut word, Access::Read)
                    .map_err(fault(Access::Read))?;
                r[a as usize] = u64::from_le_bytes(word);
            }
            Instruction::LoadByte(a, b, offset) => {
                let mut byte = [0; 1];
                self.load(space, at(r[b as usize], offset), &mut byte, Access::Read)
                    .map_err(fault(Access::Read))?;
                r[a as usize] = byte[0].into();
            }
            Instruction::Store(a, b, offset) => {
                let word = r[a as usize].to_le_bytes();
                self.store(space, at(r[b as usize], offset), &word)
                    .map_err(fault(Access::Write))?;
            }
            Instruction::StoreByte(a, b, offset) => {
                let byte = [r[a as usize] as u8];
                self.store(space, at(r[b as usize], offset), &byte)
                    .map_err(fault(Access::Write))?;
            }
            Instruction::Jump(to) => next = to,
            Instruction::JumpIfZero(a, to) => {
                if r[a as usize] == 0 {
                    next = to;
                }
            }
            Instruction::JumpTo(a) => next = r[a as usize],
            Instruction::Call => {
                registers.pc = next;
                return Err(Exit::Call);
            }
            Instruction::Break => return Err(Exit::Breakpoint),
        }
        registers.pc = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Change, NoPage, PAGE, Pfn, Platform, Protection, Registers, VirtAddr,
        model::program::{CALL, assemble},
    };

    const CODE: u64 = 0x10000;
    const DATA: u64 = 0x20000;

    fn machine(program: &[Instruction]) -> (Model, ModelSpace) {
        let mut model: Model = Model::new(16);
        let mut frames = (8..16).map(Pfn);
        let mut space = model.new_space(&mut || frames.next()).unwrap();
        let map =
            |page, to, protection| Change { page: VirtAddr(page), to: Some((Pfn(to), protection)) };
        let changes = [
            map(CODE, 0, Protection::EXECUTE),
            map(DATA, 1, Protection::WRITE),
            map(DATA + PAGE as u64, 2, Protection::empty()),
        ];
        model.change(&mut space, &changes, &mut || frames.next()).unwrap();
        (0..3).for_each(|page| model.clear(Pfn(page)));
        model.write(Pfn(0), 0, &assemble(program));
        (model, space)
    }

    #[test]
    fn a_program_runs_to_its_call_and_again() {
        let program = [
            Instruction::Set(2, 40),
            Instruction::Set(3, DATA),
            Instruction::Add(2, 2, 2),
            Instruction::Store(2, 3, 8),
            Instruction::Load(CALL as u8, 3, 8),
            Instruction::Call,
        ];
        let (mut model, mut space) = machine(&program);
        let mut registers = ModelRegisters::start(CODE, 0);
        assert_eq!(model.run(&mut space, &mut registers), Exit::Call);
        assert_eq!((registers.call(), registers.args()[1]), (42, 42));
        registers.again();
        assert_eq!(model.run(&mut space, &mut registers), Exit::Call);
        registers.answer(-2);
        assert_eq!(registers.r[CALL], u64::MAX - 1);
        assert_eq!(model.run(&mut space, &mut registers), Exit::Illegal);
    }

    #[test]
    fn faults_name_the_address_and_leave_the_program_where_it_is() {
        let program = [Instruction::Set(3, DATA + PAGE as u64 - 4), Instruction::Store(2, 3, 0)];
        let (mut model, mut space) = machine(&program);
        let mut registers = ModelRegisters::start(CODE, 0);
        let address = DATA + PAGE as u64;
        let fault = Exit::Fault { address, access: Access::Write };
        assert_eq!(model.run(&mut space, &mut registers), fault);
        assert_eq!(registers.pc, CODE + INSTRUCTION);
        let at = |page| VirtAddr(page);
        assert!(model.take_used(&mut space, at(DATA)).dirty);
        assert!(!model.take_used(&mut space, at(DATA)).accessed);
        registers.pc = DATA;
        let fault = Exit::Fault { address: DATA, access: Access::Execute };
        assert_eq!(model.run(&mut space, &mut registers), fault);
    }

    #[test]
    fn the_alarm_interrupts_a_loop() {
        let (mut model, mut space) = machine(&[Instruction::Jump(CODE)]);
        let mut registers = ModelRegisters::start(CODE, 0);
        model.set_alarm(Some(1000));
        assert_eq!(model.run(&mut space, &mut registers), Exit::Interrupt);
        assert_eq!(model.now(), 1000);
    }

    #[test]
    fn tables_are_pages_that_come_back() {
        let mut model: Model = Model::new(16);
        let mut left = alloc::vec![Pfn(3), Pfn(4), Pfn(5)];
        let mut space = model.new_space(&mut || left.pop()).unwrap();
        let far = Change { page: VirtAddr(1 << 30), to: Some((Pfn(9), Protection::WRITE)) };
        let near = Change { page: VirtAddr(0), ..far };
        let changes = [far, near];
        assert_eq!(model.change(&mut space, &changes, &mut || left.pop()), Err(1));
        assert_eq!(model.mappings_of(Pfn(9)), 1);
        model.drop_space(space, &mut |page| left.push(page));
        left.sort();
        assert_eq!(left, [Pfn(3), Pfn(4), Pfn(5)]);
        assert_eq!(model.new_space(&mut || None), Err(NoPage));
    }

    #[test]
    #[should_panic(expected = "becomes a table and is mapped")]
    fn a_page_that_is_mapped_is_no_table() {
        let (mut model, _) = machine(&[]);
        let _ = model.new_space(&mut || Some(Pfn(1)));
    }
}
