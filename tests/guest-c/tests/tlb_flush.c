/* tlb_flush. */

#include "suite.h"

/* Maps a page at SCRATCH, and another in its place without a flush. */
static void replace_without_flush(PvPfn first, PvPfn second) {
  Fault fault;
  words_of(first)[0] = 1;
  words_of(second)[0] = 2;
  undo(OWN, PV_NUMBER_PTE_UPDATE, 0, page_target(SCRATCH), 0);
  uint64_t target = SCRATCH | PV_TARGET_KERNEL;
  if (pv_pte_update(0, target, leaf(frame_of(first), FOR_READING)).status != PV_STATUS_SUCCESS) {
    failed(__FILE__, __LINE__, "a page can be mapped");
  }
  load(SCRATCH, &fault);
  if (pv_pte_update(0, target, leaf(frame_of(second), FOR_READING)).status != PV_STATUS_SUCCESS) {
    failed(__FILE__, __LINE__, "a page can be mapped in the place of another");
  }
}

static void all(void) {
  Fault fault;
  replace_without_flush(fresh_page(), fresh_page());
  OK(pv_tlb_flush(PV_FLUSH_ALL, 0));
  EQUAL(load(SCRATCH, &fault), 2);
}

static void page(void) {
  Fault fault;
  replace_without_flush(fresh_page(), fresh_page());
  OK(pv_tlb_flush(PV_FLUSH_PAGE, SCRATCH + 8));
  EQUAL(load(SCRATCH, &fault), 2);
}

static void bad_scope(void) {
  REFUSED(pv_tlb_flush(2, 0), PV_ERROR_BAD_ARGUMENT);
  REFUSED(pv_tlb_flush(UINT64_MAX, 0), PV_ERROR_BAD_ARGUMENT);
}

static void hypervisor_address(void) {
  REFUSED(pv_tlb_flush(PV_FLUSH_PAGE, info->guest_end), PV_ERROR_HYPERVISOR_RANGE);
  REFUSED(pv_tlb_flush(PV_FLUSH_PAGE, UINT64_MAX), PV_ERROR_HYPERVISOR_RANGE);
}

const Test tlb_flush_tests[] = {
    TEST(tlb_flush, all, "TLB_FLUSH.3"),
    TEST(tlb_flush, page, "TLB_FLUSH.4"),
    TEST(tlb_flush, bad_scope, "TLB_FLUSH.1"),
    TEST(tlb_flush, hypervisor_address, "TLB_FLUSH.2"),
    END,
};
