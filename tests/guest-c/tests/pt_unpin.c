/* pt_unpin. */

#include "suite.h"

static void success(void) {
  PvPfn page = empty_table(1);
  OK(pv_pt_unpin(frame_of(page)));
  REFUSED(pv_pt_unpin(frame_of(page)), PV_ERROR_NOT_TABLE);
  EQUAL(remap(page, FOR_WRITING), PV_STATUS_SUCCESS);
}

static void content_stays(void) {
  PvPfn page = empty_table(1), mapped = fresh_page();
  uint64_t entry = leaf(frame_of(mapped), FOR_READING);
  OK(pv_pte_update(0, entry_target(frame_of(page), 9), entry));
  OK(pv_pt_unpin(frame_of(page)));
  EQUAL(read_entry(page, 9), entry);
}

static void root_slots_are_cleared(void) {
  PvPfn page = empty_table(root_level());
  OK(pv_pt_unpin(frame_of(page)));
  for (uint64_t i = 0; i < PV_TABLE_ENTRIES; i++) EQUAL(read_entry(page, i), 0);
}

static void linked_table_stays(void) {
  PvPfn below = empty_table(1), above = empty_table(2);
  uint64_t target = entry_target(frame_of(above), 0);
  OK(pv_pte_update(0, target, table_entry(frame_of(below))));
  OK(pv_pt_unpin(frame_of(below)));
  EQUAL(remap(below, FOR_WRITING), PV_ERROR_TYPE_CONFLICT);
  OK(pv_pte_update(0, target, 0));
  EQUAL(remap(below, FOR_WRITING), PV_STATUS_SUCCESS);
}

static void running_root_stays(void) {
  undo(OWN, PV_NUMBER_PT_PIN, info->root, root_level(), 0);
  OK(pv_pt_unpin(info->root));
  REFUSED(pv_pt_unpin(info->root), PV_ERROR_NOT_PINNED);
  OK(pv_pt_pin(info->root, root_level()));
}

static void writable_again(void) {
  PvPfn page = empty_table(1);
  OK(pv_pt_unpin(frame_of(page)));
  EQUAL(remap(page, FOR_WRITING), PV_STATUS_SUCCESS);
  words_of(page)[0] = 77;
  EQUAL(words_of(page)[0], 77);
}

static void bad_frame(void) { REFUSED(pv_pt_unpin(BEYOND), PV_ERROR_BAD_FRAME); }

static void not_owner(void) {
  REFUSED(pv_pt_unpin(hypervisor_frame()), PV_ERROR_NOT_OWNER);
  REFUSED(pv_pt_unpin(foreign_frame()), PV_ERROR_NOT_OWNER);
}

static void not_a_table(void) {
  REFUSED(pv_pt_unpin(frame_of(fresh_page())), PV_ERROR_NOT_TABLE);
}

static void not_pinned(void) {
  PvPfn below = empty_table(1), above = empty_table(2);
  OK(pv_pte_update(0, entry_target(frame_of(above), 0), table_entry(frame_of(below))));
  OK(pv_pt_unpin(frame_of(below)));
  REFUSED(pv_pt_unpin(frame_of(below)), PV_ERROR_NOT_PINNED);
}

const Test pt_unpin_tests[] = {
    TEST(pt_unpin, success, "PT_UNPIN.5 PT_UNPIN.6"),
    TEST(pt_unpin, content_stays, "PT_UNPIN.7"),
    TEST(pt_unpin, root_slots_are_cleared, "PT_UNPIN.7 SLOT.2"),
    TEST(pt_unpin, linked_table_stays, "PT_UNPIN.8"),
    TEST(pt_unpin, running_root_stays, "PT_UNPIN.8"),
    TEST(pt_unpin, writable_again, "PT_UNPIN.9"),
    TEST(pt_unpin, bad_frame, "PT_UNPIN.1"),
    TEST(pt_unpin, not_owner, "PT_UNPIN.2"),
    TEST(pt_unpin, not_a_table, "PT_UNPIN.3"),
    TEST(pt_unpin, not_pinned, "PT_UNPIN.4"),
    END,
};
