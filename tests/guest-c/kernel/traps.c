/* Traps. */

#include "traps.h"

#include "text.h"

#define STACK_BYTES 16384

/* entry_*.S */
extern void trap_entry(void);
extern uint64_t touch_read(uint64_t address), touch_write(uint64_t address, uint64_t value);
extern const char touch_read_at[], touch_write_at[], touch_failed[];
extern uint64_t enter_process(void);
extern _Noreturn void leave_process(void);

/* Called from there. */
_Noreturn void on_trap(void);
uint64_t resume(void);

/* The stack of traps that come from a process. */
static _Alignas(16) uint8_t stack[STACK_BYTES];

static Fault last, mended;
static uint64_t mending;
static uint64_t taken[PV_VCPU_EVENT_WORDS];
static Process *running;

uint64_t trap_entry_address(void) { return (uint64_t)trap_entry; }
uint64_t trap_stack_end(void) { return (uint64_t)stack + STACK_BYTES; }

PvStatus register_traps(void) {
  return pv_trap_register(trap_entry_address(), trap_stack_end()).status;
}

static TrapFrame *frame_at(uint64_t index) {
  uint64_t offset = PV_VCPU_TRAP_FRAMES + index * sizeof(TrapFrame);
  return (TrapFrame *)(address_of(PV_VCPU_PAGE_PFN) + offset);
}

static _Noreturn void die(const char *why, const TrapFrame *frame, uint64_t number) {
  Text text = {.length = 0};
  put(&text, why);
  put(&text, ": ");
  put_number(&text, number);
  put(&text, ", pc ");
  put_hex(&text, frame->registers.PC);
  put(&text, ", address ");
  put_hex(&text, frame->header.address);
  write_line(PV_STREAM_TEXT, &text);
  pv_shutdown(PV_SHUTDOWN_REASON_CRASH);
  for (;;) {
  }
}

/* ANCHOR: events */
/* Takes every pending event of a port that is not masked. The summary goes first, by an exchange
 * that acquires: a plain store could pass the loads behind it, and wipe out the summary of an
 * event whose bit was not seen. */
static void take_events(void) {
  __atomic_exchange_n(vcpu_word(PV_VCPU_EVENTS_PENDING), 0, __ATOMIC_ACQ_REL);
  for (uint64_t word = 0; word < PV_VCPU_EVENT_WORDS; word++) {
    uint64_t mask = *vcpu_word(PV_VCPU_MASK + 8 * word);
    volatile uint64_t *pending = vcpu_word(PV_VCPU_PENDING + 8 * word);
    taken[word] |= __atomic_fetch_and(pending, mask, __ATOMIC_ACQ_REL) & ~mask;
  }
}
/* ANCHOR_END: events */

/* What a process's trap comes to: the updates to return with. */
static uint64_t on_process_trap(TrapFrame *frame) {
  Process *process = running;
  uint64_t here = (uint64_t)__builtin_frame_address(0), first = (uint64_t)stack;
  process->is_on_trap_stack = here > first && here <= first + STACK_BYTES;
  if (frame->header.cause == PV_CAUSE_PAGE_FAULT && frame->header.address == process->data) {
    if (process->faults++ == 0) process->first_fault = frame->header;
    argument()[0] = process_target(process->data);
    argument()[1] = leaf(process->data_frame, FOR_WRITING);
    return 1;
  }
  if (frame->header.cause != PV_CAUSE_SYSTEM_CALL) {
    die("a trap of the process", frame, frame->header.cause);
  }
  process->system_calls++;
  frame->registers.PC += CALL_SKIP;
  if (frame->registers.CALL_NUMBER == 1) {
    frame->registers.CALL_RESULT = frame->registers.CALL_ARGUMENT + 1;
    return 0;
  }
  process->exit_value = frame->registers.CALL_ARGUMENT;
  /* The frame is given up, and the kernel goes on by itself, where it entered the process. */
  *vcpu_word(PV_VCPU_TRAP_DEPTH) -= 1;
  running = NULL;
  leave_process();
}

_Noreturn void on_trap(void) {
  TrapFrame *frame = frame_at(*vcpu_word(PV_VCPU_TRAP_DEPTH) - 1);
  uint64_t updates = 0;
  if (frame->header.cause == PV_CAUSE_EVENT) {
    take_events();
  } else if (frame->header.flags & PV_TRAP_USER) {
    updates = on_process_trap(frame);
  } else if (frame->registers.PC == (uint64_t)touch_read_at ||
             frame->registers.PC == (uint64_t)touch_write_at) {
    Fault fault = {true, frame->header};
    if (mending != 0) {
      mended = fault;
      updates = mending;
      mending = 0;
    } else {
      last = fault;
      frame->registers.PC = (uint64_t)touch_failed;
    }
  } else {
    die("a trap of the kernel", frame, frame->header.cause);
  }
  PvResult result = pv_trap_return(updates);
  die("trap_return was refused", frame, result.status);
}

uint64_t load(uint64_t address, Fault *fault) {
  last = (Fault){0};
  uint64_t value = touch_read(address);
  *fault = last;
  return value;
}

void store(uint64_t address, uint64_t value, Fault *fault) {
  last = (Fault){0};
  touch_write(address, value);
  *fault = last;
}

void store_mending(uint64_t address, uint64_t value, uint64_t updates, Fault *first,
                   Fault *second) {
  mended = (Fault){0};
  mending = updates;
  store(address, value, second);
  mending = 0;
  *first = mended;
}

bool take_event(PvPort port) {
  uint64_t bit = 1ull << port % 64;
  bool was = taken[port / 64] & bit;
  taken[port / 64] &= ~bit;
  return was;
}

void mask_events(void) { *vcpu_word(PV_VCPU_EVENTS_MASKED) = 1; }

void unmask_events(void) {
  for (;;) {
    __atomic_exchange_n(vcpu_word(PV_VCPU_EVENTS_MASKED), 0, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(vcpu_word(PV_VCPU_EVENTS_PENDING), __ATOMIC_SEQ_CST) == 0) return;
    /* What came meanwhile is taken masked: a trap in between would change `taken` too. */
    mask_events();
    take_events();
  }
}

void quieten(void) {
  mask_events();
  *vcpu_word(PV_VCPU_EVENTS_PENDING) = 0;
  for (uint64_t word = 0; word < PV_VCPU_EVENT_WORDS; word++) {
    *vcpu_word(PV_VCPU_PENDING + 8 * word) = 0;
    taken[word] = 0;
  }
}

/* ANCHOR: process */
/* Goes on from the topmost frame. */
uint64_t resume(void) { return pv_trap_return(0).status; }

PvStatus run_process(Process *process) {
  uint64_t depth = *vcpu_word(PV_VCPU_TRAP_DEPTH);
  TrapFrame *frame = frame_at(depth);
  *frame = (TrapFrame){0};
  frame->header.flags = PV_TRAP_USER | PV_TRAP_EVENTS_MASKED;
  frame->registers.PC = process->code;
  frame->registers.SP = process->stack;
  frame->registers.PROGRAM_ADDRESS = process->data;
  running = process;
  *vcpu_word(PV_VCPU_TRAP_DEPTH) = depth + 1;
  PvStatus status = enter_process();
  if (status != PV_STATUS_SUCCESS) *vcpu_word(PV_VCPU_TRAP_DEPTH) = depth;
  return status;
}
/* ANCHOR_END: process */
