/* What differs between the architectures: page-table entries, trap frames, the counter. */

#ifndef ARCH_H
#define ARCH_H

#include "paravane.h"

/* What a leaf permits. A page that can be written or executed can be read. */
typedef enum { FOR_READING, FOR_WRITING, FOR_EXECUTING } Permit;

#if defined(__x86_64__)

typedef PvX86_64TrapFrame TrapFrame;

static inline uint64_t leaf(PvMfn frame, Permit permit) {
  return frame << PV_PAGE_SHIFT | PV_X86_64_PRESENT | PV_X86_64_USER | PV_X86_64_ACCESSED |
         PV_X86_64_DIRTY | (permit == FOR_WRITING ? PV_X86_64_WRITABLE : 0) |
         (permit == FOR_EXECUTING ? 0 : PV_X86_64_NO_EXECUTE);
}

static inline uint64_t table_entry(PvMfn frame) {
  return frame << PV_PAGE_SHIFT | PV_X86_64_PRESENT | PV_X86_64_WRITABLE | PV_X86_64_USER;
}

static inline PvMfn frame_in(uint64_t entry) {
  return (entry & PV_X86_64_FRAME_MASK) >> PV_PAGE_SHIFT;
}

static inline bool is_present(uint64_t entry) { return entry & PV_X86_64_PRESENT; }

/* An entry with a bit that no guest may set: global. */
static inline uint64_t forbidden(uint64_t entry) { return entry | 1ull << 8; }

/* A page of level 2 mapped by one entry. */
static inline uint64_t superpage(PvMfn frame) { return leaf(frame, FOR_READING) | 1ull << 7; }

static inline uint64_t now(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}

/* What was written as data can be executed. */
static inline void code_was_written(void) {}

#define PC rip
#define SP rsp
/* Registers of the process's program: see entry_x86_64.S. */
#define CALL_NUMBER rax
#define CALL_ARGUMENT rdi
#define CALL_RESULT rax
#define PROGRAM_ADDRESS rbx
/* Bytes from the program counter of a system call's frame to the next instruction. */
#define CALL_SKIP 0

#else

typedef PvRiscv64TrapFrame TrapFrame;

static inline uint64_t leaf(PvMfn frame, Permit permit) {
  return frame << PV_RISCV64_FRAME_SHIFT | PV_RISCV64_VALID | PV_RISCV64_READ | PV_RISCV64_USER |
         PV_RISCV64_ACCESSED | PV_RISCV64_DIRTY | (permit == FOR_WRITING ? PV_RISCV64_WRITE : 0) |
         (permit == FOR_EXECUTING ? PV_RISCV64_EXECUTE : 0);
}

static inline uint64_t table_entry(PvMfn frame) {
  return frame << PV_RISCV64_FRAME_SHIFT | PV_RISCV64_VALID;
}

static inline PvMfn frame_in(uint64_t entry) {
  return (entry & PV_RISCV64_FRAME_MASK) >> PV_RISCV64_FRAME_SHIFT;
}

static inline bool is_present(uint64_t entry) { return entry & PV_RISCV64_VALID; }

/* An entry with a bit that no guest may set: global. */
static inline uint64_t forbidden(uint64_t entry) { return entry | 1ull << 5; }

/* A page of level 2 mapped by one entry: a leaf where a table should be. */
static inline uint64_t superpage(PvMfn frame) { return leaf(frame, FOR_READING); }

static inline uint64_t now(void) {
  uint64_t time;
  __asm__ volatile("rdtime %0" : "=r"(time));
  return time;
}

/* What was written as data can be executed. */
static inline void code_was_written(void) { __asm__ volatile("fence.i" ::: "memory"); }

#define PC pc
#define SP sp
/* Registers of the process's program: see entry_riscv64.S. */
#define CALL_NUMBER a7
#define CALL_ARGUMENT a0
#define CALL_RESULT a0
#define PROGRAM_ADDRESS s1
/* Bytes from the program counter of a system call's frame to the next instruction. */
#define CALL_SKIP 4

#endif

#endif
