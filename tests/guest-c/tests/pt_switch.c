/* pt_switch. */

#include "suite.h"

/* A root with the tables of the running one: the guest's half is copied, and pinned. */
static PvPfn root_like_the_first(void) {
  PvPfn first = info->tables_pfn;
  while (first < info->free_pfn && frame_of(first) != info->root) first++;
  PvPfn copy = empty_table(root_level());
  for (uint64_t i = 0; i < PV_TABLE_ENTRIES / 2; i++) {
    uint64_t entry = read_entry(first, i), target = entry_target(frame_of(copy), i);
    if (!is_present(entry)) continue;
    if (pv_pte_update(0, target, table_entry(frame_in(entry))).status != PV_STATUS_SUCCESS) {
      failed(__FILE__, __LINE__, "two roots can name the same tables");
    }
  }
  return copy;
}

static void keep_both(void) {
  PvResult result = pv_pt_switch(PV_ROOT_KEEP, PV_ROOT_KEEP);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, 0);
}

static void same_kernel_root(void) { OK(pv_pt_switch(info->root, PV_ROOT_KEEP)); }

static void new_kernel_root(void) {
  PvPfn root = root_like_the_first(), page = fresh_page();
  undo(OWN, PV_NUMBER_PT_SWITCH, info->root, PV_ROOT_KEEP, 0);
  OK(pv_pt_switch(frame_of(root), PV_ROOT_KEEP));
  words_of(page)[0] = 5;
  EQUAL(words_of(page)[0], 5);
  /* It is held by being the root, pinned or not. */
  OK(pv_pt_unpin(frame_of(root)));
  EQUAL(remap(root, FOR_WRITING), PV_ERROR_TYPE_CONFLICT);
  OK(pv_pt_switch(info->root, PV_ROOT_KEEP));
  EQUAL(remap(root, FOR_WRITING), PV_STATUS_SUCCESS);
}

static void user_root(void) {
  Space space = empty_space();
  undo(OWN, PV_NUMBER_PT_SWITCH, PV_ROOT_KEEP, PV_ROOT_CLEAR, 0);
  OK(pv_pt_switch(PV_ROOT_KEEP, space.root));
  /* Entries below it can be named by their address now. */
  OK(pv_pte_update(0, process_target(PROCESS_ADDRESS), 0));
}

static void clear_user_root(void) {
  Space space = empty_space();
  OK(pv_pt_switch(PV_ROOT_KEEP, space.root));
  OK(pv_pt_switch(PV_ROOT_KEEP, PV_ROOT_CLEAR));
  REFUSED(pv_pte_update(0, process_target(PROCESS_ADDRESS), 0), PV_ERROR_NOT_REGISTERED);
}

static void no_kernel_root(void) {
  REFUSED(pv_pt_switch(PV_ROOT_CLEAR, PV_ROOT_KEEP), PV_ERROR_BAD_ARGUMENT);
}

static void bad_frame(void) {
  REFUSED(pv_pt_switch(BEYOND, PV_ROOT_KEEP), PV_ERROR_BAD_FRAME);
  REFUSED(pv_pt_switch(PV_ROOT_KEEP, BEYOND), PV_ERROR_BAD_FRAME);
}

static void not_owner(void) {
  REFUSED(pv_pt_switch(hypervisor_frame(), PV_ROOT_KEEP), PV_ERROR_NOT_OWNER);
  REFUSED(pv_pt_switch(PV_ROOT_KEEP, foreign_frame()), PV_ERROR_NOT_OWNER);
}

static void not_a_table(void) {
  PvMfn frame = frame_of(fresh_page());
  REFUSED(pv_pt_switch(frame, PV_ROOT_KEEP), PV_ERROR_NOT_TABLE);
  REFUSED(pv_pt_switch(PV_ROOT_KEEP, frame), PV_ERROR_NOT_TABLE);
}

static void bad_level(void) {
  PvMfn frame = frame_of(empty_table(1));
  REFUSED(pv_pt_switch(frame, PV_ROOT_KEEP), PV_ERROR_BAD_LEVEL);
  REFUSED(pv_pt_switch(PV_ROOT_KEEP, frame), PV_ERROR_BAD_LEVEL);
}

static void both_or_neither(void) {
  Space space = empty_space();
  PvMfn table = frame_of(empty_table(1));
  REFUSED(pv_pt_switch(table, space.root), PV_ERROR_BAD_LEVEL);
  REFUSED(pv_pte_update(0, process_target(PROCESS_ADDRESS), 0), PV_ERROR_NOT_REGISTERED);
}

const Test pt_switch_tests[] = {
    TEST(pt_switch, keep_both, "PT_SWITCH.7"),
    TEST(pt_switch, same_kernel_root, "PT_SWITCH.7 PT_SWITCH.8"),
    TEST(pt_switch, new_kernel_root, "PT_SWITCH.7 PT_SWITCH.8"),
    TEST(pt_switch, user_root, "PT_SWITCH.7"),
    TEST(pt_switch, clear_user_root, "PT_SWITCH.7"),
    TEST(pt_switch, no_kernel_root, "PT_SWITCH.1"),
    TEST(pt_switch, bad_frame, "PT_SWITCH.2"),
    TEST(pt_switch, not_owner, "PT_SWITCH.3"),
    TEST(pt_switch, not_a_table, "PT_SWITCH.4"),
    TEST(pt_switch, bad_level, "PT_SWITCH.5"),
    TEST(pt_switch, both_or_neither, "PT_SWITCH.10 ERROR.2"),
    END,
};
