/* Rules of frames that span calls. */

#include "suite.h"

static void superpages(void) {
  PvPfn table = empty_table(2);
  uint64_t target = entry_target(frame_of(table), 0);
  uint64_t entry = superpage(frame_of(fresh_page()));
  REFUSED(pv_pte_update(0, target, entry), PV_ERROR_BAD_ENTRY);
  REFUSED(pv_pte_update(0, target, superpage(512)), PV_ERROR_BAD_ENTRY);
}

static void no_recursive_tables(void) {
  for (uint64_t level = 2; level <= root_level(); level++) {
    PvMfn table = frame_of(empty_table(level));
    REFUSED(pv_pte_update(0, entry_target(table, 1), table_entry(table)), PV_ERROR_BAD_LEVEL);
  }
}

static void hypervisor_is_out_of_reach(void) {
  const uint64_t addresses[] = {info->guest_end, 1ull << 63, UINT64_MAX << PV_PAGE_SHIFT};
  for (int i = 0; i < 3; i++) {
    Fault fault;
    load(addresses[i], &fault);
    CHECK(fault.faulted);
    store(addresses[i], 1, &fault);
    CHECK(fault.faulted);
  }
  PvMfn frame = hypervisor_frame();
  REFUSED(pv_pte_update(0, page_target(SCRATCH), leaf(frame, FOR_READING)), PV_ERROR_NOT_OWNER);
  REFUSED(pv_pte_update(0, page_target(SCRATCH), leaf(frame, FOR_WRITING)), PV_ERROR_NOT_OWNER);
}

static void peer_is_out_of_reach(void) {
  NEED_PEER();
  for (PvPfn page = 0; page < 4; page++) {
    uint64_t entry = leaf(frame_on(PEER, page), FOR_READING);
    REFUSED(pv_pte_update(0, page_target(SCRATCH), entry), PV_ERROR_NOT_OWNER);
  }
}

static void type_changes_at_zero(void) {
  PvPfn page = fresh_page();
  undo(OWN, PV_NUMBER_PTE_UPDATE, 0, page_target(SCRATCH), 0);
  OK(pv_pte_update(0, page_target(SCRATCH), leaf(frame_of(page), FOR_WRITING)));
  REFUSED(pv_pt_pin(frame_of(page), 1), PV_ERROR_TYPE_CONFLICT);
  remap(page, FOR_READING);
  REFUSED(pv_pt_pin(frame_of(page), 1), PV_ERROR_TYPE_CONFLICT);
  OK(pv_pte_update(0, page_target(SCRATCH), 0));
  EQUAL(pin(page, 1), PV_STATUS_SUCCESS);
}

const Test frames_tests[] = {
    TEST(frames, superpages, "PTE_UPDATE.10 PT_PIN.9 PTE.1"),
    TEST(frames, no_recursive_tables, "PTE_UPDATE.10 PTE.7"),
    TEST(frames, hypervisor_is_out_of_reach, "PTE_UPDATE.10 X86.6 RISCV.5"),
    TEST(frames, peer_is_out_of_reach, "PTE_UPDATE.10 FRAME.14"),
    TEST(frames, type_changes_at_zero, "PT_PIN.6 PT_CREATE.4 FRAME.5"),
    END,
};
