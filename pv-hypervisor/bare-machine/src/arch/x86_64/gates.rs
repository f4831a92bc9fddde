//! The interrupt descriptor table.
#![allow(unsafe_code, reason = "a descriptor table is loaded")]

use super::processor::TRAP_STACKS;
use core::arch::asm;
use core::cell::UnsafeCell;

/// Present interrupt gate: ring 3 can use it with `int`, or cannot.
const GATE: u64 = 0x8e00;
const GATE_FOR_USERS: u64 = 0xee00;

/// Vectors with a stack of their own, in the order of those stacks: #DB, NMI, #DF, #MC.
const OWN_STACK: [usize; TRAP_STACKS] = [1, 2, 8, 18];

#[repr(C, align(16))]
struct Gates(UnsafeCell<[[u64; 2]; 256]>);

// SAFETY: written once, before any second processor.
unsafe impl Sync for Gates {}

static GATES: Gates = Gates(UnsafeCell::new([[0; 2]; 256]));

/// Builds and loads the interrupt descriptor table: one entry every 16 bytes from `stubs` on.
///
/// # Safety
/// The entries are there, and handle what the vectors are for.
pub unsafe fn load(stubs: u64) {
    let mut gates = [[0; 2]; 256];
    for (vector, gate) in gates.iter_mut().enumerate() {
        let address = stubs + 16 * vector as u64;
        // `int3` and `int 4` are for anyone; any other `int` is a protection fault.
        let kind = if matches!(vector, 3 | 4) { GATE_FOR_USERS } else { GATE };
        let own = OWN_STACK.iter().position(|own| *own == vector).map_or(0, |index| index + 1);
        gate[0] = address & 0xffff
            | 0x08 << 16
            | (own as u64) << 32
            | kind << 32
            | (address >> 16 & 0xffff) << 48;
        gate[1] = address >> 32;
    }
    let pointer = [0u16; 5];
    let mut pointer = pointer;
    pointer[0] = size_of::<[[u64; 2]; 256]>() as u16 - 1;
    let base = GATES.0.get() as u64;
    for (index, part) in pointer[1..].iter_mut().enumerate() {
        *part = (base >> (16 * index)) as u16;
    }
    // SAFETY: the gates name the caller's entries; nothing else writes them.
    unsafe {
        GATES.0.get().write(gates);
        asm!("lidt [{}]", in(reg) &pointer, options(readonly, nostack));
    }
}
