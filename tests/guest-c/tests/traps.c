/* trap_register, trap_return, and traps themselves. */

#include "suite.h"

/* What the topmost of the frames that were taken off last still holds. */
static uint64_t frame_word(uint64_t offset) {
  return *vcpu_word(PV_VCPU_TRAP_FRAMES + offset);
}

static uint64_t depth(void) { return *vcpu_word(PV_VCPU_TRAP_DEPTH); }

/* Puts a frame on top that could be returned to but for what the test says. */
static void push_frame(uint32_t flags, uint64_t pc) {
  TrapFrame *frame = (TrapFrame *)(address_of(PV_VCPU_PAGE_PFN) + PV_VCPU_TRAP_FRAMES);
  *frame = (TrapFrame){0};
  frame->header.flags = flags;
  frame->registers.PC = pc;
  *vcpu_word(PV_VCPU_TRAP_DEPTH) = 1;
}

/* A return from that frame is refused with the error, and the frame stays. */
#define REFUSED_FRAME(flags, pc, error)               \
  do {                                                \
    push_frame(flags, pc);                            \
    PvResult refused_ = pv_trap_return(0);            \
    uint64_t left_ = depth();                         \
    *vcpu_word(PV_VCPU_TRAP_DEPTH) = 0;               \
    EQUAL(refused_.status, error);                    \
    EQUAL(refused_.value, 0);                         \
    EQUAL(left_, 1);                                  \
  } while (0)

/* ---- trap_register ---- */

static void traps_arrive(void) {
  Fault fault;
  load(SCRATCH, &fault);
  CHECK(fault.faulted);
  EQUAL(fault.header.cause, PV_CAUSE_PAGE_FAULT);
  EQUAL(fault.header.address, SCRATCH);
}

static void entry_range(void) {
  REFUSED(pv_trap_register(info->guest_end, trap_stack_end()), PV_ERROR_HYPERVISOR_RANGE);
  REFUSED(pv_trap_register(UINT64_MAX, trap_stack_end()), PV_ERROR_HYPERVISOR_RANGE);
}

static void stack_alignment(void) {
  REFUSED(pv_trap_register(trap_entry_address(), trap_stack_end() - 8), PV_ERROR_BAD_ARGUMENT);
}

static void stack_range(void) {
  uint64_t entry = trap_entry_address();
  REFUSED(pv_trap_register(entry, info->guest_end + 16), PV_ERROR_HYPERVISOR_RANGE);
  REFUSED(pv_trap_register(entry, UINT64_MAX - 15), PV_ERROR_HYPERVISOR_RANGE);
}

const Test trap_register_tests[] = {
    TEST(trap_register, traps_arrive, "TRAP_REGISTER.4 TRAP.3"),
    TEST(trap_register, entry_range, "TRAP_REGISTER.1"),
    TEST(trap_register, stack_alignment, "TRAP_REGISTER.2"),
    TEST(trap_register, stack_range, "TRAP_REGISTER.3"),
    END,
};

/* ---- trap_return ---- */

static void returns_to_the_access(void) {
  Fault fault;
  load(SCRATCH, &fault);
  CHECK(fault.faulted);
  EQUAL(depth(), 0);
  EQUAL(*vcpu_word(PV_VCPU_EVENTS_MASKED), 1);
}

static void updates_on_return(void) {
  PvPfn page = fresh_page();
  Fault first, second;
  undo(OWN, PV_NUMBER_PTE_UPDATE, 0, page_target(SCRATCH), 0);
  argument()[0] = page_target(SCRATCH);
  argument()[1] = leaf(frame_of(page), FOR_WRITING);
  store_mending(SCRATCH, 0x42, 1, &first, &second);
  CHECK(first.faulted);
  EQUAL(first.header.cause, PV_CAUSE_PAGE_FAULT);
  CHECK(!second.faulted);
  EQUAL(words_of(page)[0], 0x42);
}

static void events_are_delivered_on_return(void) {
  Loop loop = loop_channel();
  Fault fault;
  OK(pv_event_send(loop.send));
  CHECK(is_pending(OWN, loop.other));
  /* A fault while events are not masked: its frame says so, and the return delivers them. */
  *vcpu_word(PV_VCPU_EVENTS_MASKED) = 0;
  load(SCRATCH, &fault);
  CHECK(take_event(loop.other));
}

static void events_stay_masked(void) {
  Loop loop = loop_channel();
  Fault fault;
  OK(pv_event_send(loop.send));
  load(SCRATCH, &fault);
  CHECK(!take_event(loop.other));
  CHECK(is_pending(OWN, loop.other));
}

static void bad_count(void) {
  REFUSED(pv_trap_return(PV_PTE_UPDATE_MAX + 1), PV_ERROR_BAD_ARGUMENT);
  REFUSED(pv_trap_return(UINT64_MAX), PV_ERROR_BAD_ARGUMENT);
}

static void refused_update(void) {
  PvPfn table = empty_table(1);
  uint64_t value = leaf(frame_of(fresh_page()), FOR_READING);
  for (uint64_t i = 0; i < 3; i++) {
    argument()[2 * i] = entry_target(frame_of(table), i);
    argument()[2 * i + 1] = i == 1 ? forbidden(value) : value;
  }
  push_frame(0, 1ull << 63);
  PvResult result = pv_trap_return(3);
  uint64_t left = depth();
  *vcpu_word(PV_VCPU_TRAP_DEPTH) = 0;
  EQUAL(result.status, PV_ERROR_BAD_ENTRY);
  EQUAL(result.value, 1);
  EQUAL(left, 1);
  EQUAL(read_entry(table, 0), value);
  EQUAL(read_entry(table, 2), 0);
}

static void no_frame(void) { REFUSED(pv_trap_return(0), PV_ERROR_BAD_TRAP_FRAME); }

static void too_many_frames(void) {
  const uint64_t depths[] = {PV_TRAP_FRAMES + 1, 1ull << 32, UINT64_MAX};
  for (int i = 0; i < 3; i++) {
    *vcpu_word(PV_VCPU_TRAP_DEPTH) = depths[i];
    PvResult result = pv_trap_return(0);
    *vcpu_word(PV_VCPU_TRAP_DEPTH) = 0;
    EQUAL(result.status, PV_ERROR_BAD_TRAP_FRAME);
  }
}

static void unknown_flag(void) {
  REFUSED_FRAME(1u << 2, 0x1000, PV_ERROR_BAD_TRAP_FRAME);
  REFUSED_FRAME(1u << 31, 0x1000, PV_ERROR_BAD_TRAP_FRAME);
}

static void program_counter_range(void) {
  REFUSED_FRAME(0, info->guest_end, PV_ERROR_BAD_TRAP_FRAME);
  REFUSED_FRAME(0, 1ull << 63, PV_ERROR_BAD_TRAP_FRAME);
  REFUSED_FRAME(0, UINT64_MAX - 1, PV_ERROR_BAD_TRAP_FRAME);
}

static void no_user_root(void) { REFUSED_FRAME(PV_TRAP_USER, 0x1000, PV_ERROR_NOT_REGISTERED); }

const Test trap_return_tests[] = {
    TEST(trap_return, returns_to_the_access, "TRAP_RETURN.8 TRAP_RETURN.10"),
    TEST(trap_return, updates_on_return, "TRAP_RETURN.7"),
    TEST(trap_return, events_are_delivered_on_return, "TRAP_RETURN.9"),
    TEST(trap_return, events_stay_masked, "TRAP_RETURN.9 TRAP.6"),
    TEST(trap_return, bad_count, "TRAP_RETURN.1"),
    TEST(trap_return, refused_update, "TRAP_RETURN.2"),
    TEST(trap_return, no_frame, "TRAP_RETURN.3"),
    TEST(trap_return, too_many_frames, "TRAP_RETURN.3"),
    TEST(trap_return, unknown_flag, "TRAP_RETURN.4"),
    TEST(trap_return, program_counter_range, "TRAP_RETURN.5"),
    TEST(trap_return, no_user_root, "TRAP_RETURN.6"),
    END,
};

/* ---- traps ---- */

static void header(void) {
  Fault fault;
  load(SCRATCH + 0xff8, &fault);
  CHECK(fault.faulted);
  EQUAL(fault.header.cause, PV_CAUSE_PAGE_FAULT);
  EQUAL(fault.header.flags, PV_TRAP_EVENTS_MASKED);
  EQUAL(fault.header.code & ~PV_FAULT_PRESENT, PV_FAULT_READ);
  EQUAL(fault.header.address, SCRATCH + 0xff8);
  EQUAL(fault.header.reserved, 0);
  store(SCRATCH, 1, &fault);
  EQUAL(fault.header.code & ~PV_FAULT_PRESENT, PV_FAULT_WRITE);
}

static void flags_tell_the_mask(void) {
  Fault fault;
  unmask_events();
  load(SCRATCH, &fault);
  EQUAL(fault.header.flags, 0);
  EQUAL(*vcpu_word(PV_VCPU_EVENTS_MASKED), 0);
  mask_events();
  load(SCRATCH, &fault);
  EQUAL(fault.header.flags, PV_TRAP_EVENTS_MASKED);
  EQUAL(*vcpu_word(PV_VCPU_EVENTS_MASKED), 1);
}

static void faults_nest_by_depth(void) {
  Fault fault;
  *vcpu_word(PV_VCPU_TRAP_FRAMES + 8) = 0x7777;
  *vcpu_word(PV_VCPU_TRAP_DEPTH) = 1;
  load(SCRATCH, &fault);
  uint64_t after = depth();
  *vcpu_word(PV_VCPU_TRAP_DEPTH) = 0;
  CHECK(fault.faulted);
  EQUAL(after, 1);
  EQUAL(frame_word(8), 0x7777);
}

static void timer_is_an_event(void) {
  undo(OWN, PV_NUMBER_TIMER_SET, UINT64_MAX, 0, 0);
  unmask_events();
  OK(pv_timer_set(0));
  CHECK(take_event(PV_PORT_TIMER));
  EQUAL(*vcpu_word(PV_VCPU_EVENTS_PENDING), 0);
}

const Test traps_tests[] = {
    TEST(traps, header, "TRAP.1"),
    TEST(traps, flags_tell_the_mask, "TRAP.2 TRAP_RETURN.9"),
    TEST(traps, faults_nest_by_depth, "TRAP.1"),
    TEST(traps, timer_is_an_event, "EVENT.3 TIMER_SET.3"),
    END,
};
