/* A process in virtual user mode: what the suite in Rust has no test of. */

#include "suite.h"

/* entry_*.S */
extern const uint8_t process_program[], process_program_end[];

/* An address space with the program in it, and the user root. */
static Process new_process(void) {
  Space space = empty_space();
  PvPfn code = fresh_page(), data = fresh_page();
  volatile uint8_t *bytes = (volatile uint8_t *)address_of(code);
  for (uint64_t i = 0; process_program + i < process_program_end; i++) {
    bytes[i] = process_program[i];
  }
  code_was_written();
  undo(OWN, PV_NUMBER_PT_SWITCH, PV_ROOT_KEEP, PV_ROOT_CLEAR, 0);
  PvResult switched = pv_pt_switch(PV_ROOT_KEEP, space.root);
  PvResult mapped = pv_pte_update(0, process_target(PROCESS_ADDRESS),
                                  leaf(frame_of(code), FOR_EXECUTING));
  if (switched.status != PV_STATUS_SUCCESS || mapped.status != PV_STATUS_SUCCESS) {
    failed(__FILE__, __LINE__, "an address space can be made");
  }
  return (Process){.code = PROCESS_ADDRESS,
                   .data = PROCESS_ADDRESS + PV_PAGE_SIZE,
                   .data_frame = frame_of(data)};
}

static void system_calls(void) {
  Process process = new_process();
  EQUAL(run_process(&process), PV_STATUS_SUCCESS);
  EQUAL(process.system_calls, 2);
  /* What it was told, written where it had no page, and read back. */
  EQUAL(process.exit_value, 43);
}

static void page_fault(void) {
  Process process = new_process();
  EQUAL(run_process(&process), PV_STATUS_SUCCESS);
  EQUAL(process.faults, 1);
  EQUAL(process.first_fault.flags, PV_TRAP_USER | PV_TRAP_EVENTS_MASKED);
  EQUAL(process.first_fault.code, PV_FAULT_WRITE);
  CHECK(process.is_on_trap_stack);
}

static void runs_again(void) {
  Process process = new_process();
  for (int i = 0; i < 3; i++) EQUAL(run_process(&process), PV_STATUS_SUCCESS);
  EQUAL(process.system_calls, 6);
  EQUAL(process.faults, 1);
  EQUAL(*vcpu_word(PV_VCPU_TRAP_DEPTH), 0);
}

const Test process_tests[] = {
    TEST(process, system_calls, "CALL.1 X86.2 RISCV.2 TRAP_RETURN.10"),
    TEST(process, page_fault, "TRAP.1 TRAP.4 TRAP_RETURN.7"),
    TEST(process, runs_again, "TRAP.3 TRAP_RETURN.8"),
    END,
};
