/* pte_update. */

#include "suite.h"

/* The leaf of a page. */
static uint64_t leaf_of(PvPfn page, Permit permit) { return leaf(frame_of(page), permit); }

/* Notes that the page at SCRATCH is to be unmapped. */
static void will_map_scratch(void) {
  undo(OWN, PV_NUMBER_PTE_UPDATE, 0, page_target(SCRATCH), 0);
}

/* Lays an update out in the argument frame. */
static void set_update(uint64_t index, uint64_t target, uint64_t value) {
  argument()[2 * index] = target;
  argument()[2 * index + 1] = value;
}

/* A call with one update is refused, and none took effect. */
#define REFUSED_UPDATE(target, value, error) REFUSED(pv_pte_update(0, target, value), error)

static void entry(void) {
  PvPfn table = empty_table(1);
  uint64_t value = leaf_of(fresh_page(), FOR_READING);
  PvResult result = pv_pte_update(0, entry_target(frame_of(table), 5), value);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, 1);
  EQUAL(read_entry(table, 5), value);
}

static void page(void) {
  PvPfn page = fresh_page();
  Fault fault;
  words_of(page)[0] = 0x77;
  load(SCRATCH, &fault);
  CHECK(fault.faulted);
  will_map_scratch();
  OK(pv_pte_update(0, page_target(SCRATCH), leaf_of(page, FOR_WRITING)));
  EQUAL(load(SCRATCH, &fault), 0x77);
  CHECK(!fault.faulted);
  store(SCRATCH, 0x78, &fault);
  EQUAL(words_of(page)[0], 0x78);
  OK(pv_pte_update(0, page_target(SCRATCH), 0));
  load(SCRATCH, &fault);
  CHECK(fault.faulted);
}

static void page_of_user_root(void) {
  Space space = empty_space();
  undo(OWN, PV_NUMBER_PT_SWITCH, PV_ROOT_KEEP, PV_ROOT_CLEAR, 0);
  OK(pv_pt_switch(PV_ROOT_KEEP, space.root));
  OK(pv_pte_update(0, process_target(PROCESS_ADDRESS), leaf_of(fresh_page(), FOR_WRITING)));
  REFUSED_UPDATE(process_target(PROCESS_ADDRESS + (1 << 30)), 0, PV_ERROR_NOT_MAPPED);
}

static void many(void) {
  PvPfn table = empty_table(1);
  uint64_t value = leaf_of(fresh_page(), FOR_READING);
  for (uint64_t i = 0; i < 20; i++) set_update(i, entry_target(frame_of(table), i), value);
  PvResult result = pv_pte_update(20, 0, 0);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, 20);
  for (uint64_t i = 0; i < 21; i++) EQUAL(read_entry(table, i), i < 20 ? value : 0);
}

static void largest_count(void) {
  PvPfn table = empty_table(1);
  uint64_t value = leaf_of(fresh_page(), FOR_READING);
  for (uint64_t i = 0; i < PV_PTE_UPDATE_MAX; i++) {
    set_update(i, entry_target(frame_of(table), i), value);
  }
  PvResult result = pv_pte_update(PV_PTE_UPDATE_MAX, 0, 0);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, PV_PTE_UPDATE_MAX);
}

static void permissions(void) {
  PvPfn page = fresh_page();
  Fault fault;
  will_map_scratch();
  OK(pv_pte_update(0, page_target(SCRATCH), leaf_of(page, FOR_WRITING)));
  store(SCRATCH, 1, &fault);
  CHECK(!fault.faulted);
  OK(pv_pte_update(0, page_target(SCRATCH), leaf_of(page, FOR_READING)));
  store(SCRATCH, 2, &fault);
  CHECK(fault.faulted);
  EQUAL(words_of(page)[0], 1);
}

static void link_validates(void) {
  PvPfn above = empty_table(2), below = quiet_page();
  OK(pv_pte_update(0, entry_target(frame_of(above), 3), table_entry(frame_of(below))));
  EQUAL(remap(below, FOR_WRITING), PV_ERROR_TYPE_CONFLICT);
  REFUSED(pv_pt_unpin(frame_of(below)), PV_ERROR_NOT_PINNED);
}

static void unlink_demotes(void) {
  PvPfn above = empty_table(2), below = quiet_page();
  uint64_t target = entry_target(frame_of(above), 3);
  OK(pv_pte_update(0, target, table_entry(frame_of(below))));
  OK(pv_pte_update(0, target, 0));
  REFUSED(pv_pt_unpin(frame_of(below)), PV_ERROR_NOT_TABLE);
  EQUAL(remap(below, FOR_WRITING), PV_STATUS_SUCCESS);
}

static void frame_is_free_once_unmapped(void) {
  PvPfn table = empty_table(1), page = unmapped_page();
  uint64_t target = entry_target(frame_of(table), 0);
  OK(pv_pte_update(0, target, leaf_of(page, FOR_WRITING)));
  REFUSED(pv_pt_create(frame_of(page), 1), PV_ERROR_TYPE_CONFLICT);
  OK(pv_pte_update(0, target, 0));
  undo(OWN, PV_NUMBER_PT_UNPIN, frame_of(page), 0, 0);
  OK(pv_pt_create(frame_of(page), 1));
}

static void prefix(void) {
  PvPfn table = empty_table(1);
  uint64_t value = leaf_of(fresh_page(), FOR_READING);
  set_update(0, entry_target(frame_of(table), 0), value);
  set_update(1, entry_target(frame_of(table), 1), value);
  set_update(2, entry_target(frame_of(table), 2), leaf(BEYOND, FOR_READING));
  set_update(3, entry_target(frame_of(table), 3), value);
  PvResult result = pv_pte_update(4, 0, 0);
  EQUAL(result.status, PV_ERROR_BAD_FRAME);
  EQUAL(result.value, 2);
  EQUAL(read_entry(table, 1), value);
  EQUAL(read_entry(table, 2), 0);
  EQUAL(read_entry(table, 3), 0);
}

static void bad_count(void) {
  REFUSED(pv_pte_update(PV_PTE_UPDATE_MAX + 1, 0, 0), PV_ERROR_BAD_ARGUMENT);
  REFUSED(pv_pte_update(UINT64_MAX, 0, 0), PV_ERROR_BAD_ARGUMENT);
}

static void bad_target(void) {
  PvPfn table = empty_table(1);
  uint64_t target = entry_target(frame_of(table), 0);
  REFUSED_UPDATE(target | 7, 0, PV_ERROR_BAD_ARGUMENT);
  REFUSED_UPDATE(target | PV_TARGET_FLUSH, 0, PV_ERROR_BAD_ARGUMENT);
  REFUSED_UPDATE(page_target(SCRATCH + 16), 0, PV_ERROR_BAD_ARGUMENT);
}

static void bad_table_frame(void) {
  REFUSED_UPDATE(entry_target(BEYOND, 0), 0, PV_ERROR_BAD_FRAME);
}

static void table_not_owned(void) {
  REFUSED_UPDATE(entry_target(hypervisor_frame(), 0), 0, PV_ERROR_NOT_OWNER);
  REFUSED_UPDATE(entry_target(foreign_frame(), 0), 0, PV_ERROR_NOT_OWNER);
}

static void not_a_table(void) {
  REFUSED_UPDATE(entry_target(frame_of(fresh_page()), 0), 0, PV_ERROR_NOT_TABLE);
}

static void hypervisor_slot(void) {
  PvPfn root = empty_table(root_level());
  REFUSED_UPDATE(entry_target(frame_of(root), PV_TABLE_ENTRIES / 2), 0,
                 PV_ERROR_HYPERVISOR_RANGE);
  REFUSED_UPDATE(entry_target(info->root, PV_TABLE_ENTRIES - 1), 0, PV_ERROR_HYPERVISOR_RANGE);
}

static void hypervisor_address(void) {
  const uint64_t addresses[] = {info->guest_end, 1ull << 63, UINT64_MAX << PV_PAGE_SHIFT};
  for (int i = 0; i < 3; i++) {
    REFUSED_UPDATE(page_target(addresses[i]), 0, PV_ERROR_HYPERVISOR_RANGE);
  }
}

static void no_user_root(void) {
  REFUSED_UPDATE(process_target(PROCESS_ADDRESS), 0, PV_ERROR_NOT_REGISTERED);
}

static void not_mapped(void) {
  REFUSED_UPDATE(page_target(info->guest_end - PV_PAGE_SIZE), 0, PV_ERROR_NOT_MAPPED);
}

static void bad_entry(void) {
  PvPfn table = empty_table(1), page = fresh_page();
  uint64_t target = entry_target(frame_of(table), 0);
  uint64_t good = leaf_of(page, FOR_READING);
  REFUSED_UPDATE(target, forbidden(good), PV_ERROR_BAD_ENTRY);
  /* Bit 0 is present, or valid: an absent entry names no frame. */
  REFUSED_UPDATE(target, good & ~1ull, PV_ERROR_BAD_ENTRY);
  EQUAL(read_entry(table, 0), 0);
}

static void entry_beyond_memory(void) {
  PvPfn table = empty_table(1);
  REFUSED_UPDATE(entry_target(frame_of(table), 0), leaf(BEYOND, FOR_READING),
                 PV_ERROR_BAD_FRAME);
}

static void entry_not_owned(void) {
  PvPfn table = empty_table(1);
  uint64_t target = entry_target(frame_of(table), 0);
  REFUSED_UPDATE(target, leaf(hypervisor_frame(), FOR_READING), PV_ERROR_NOT_OWNER);
  REFUSED_UPDATE(target, leaf(hypervisor_frame(), FOR_WRITING), PV_ERROR_NOT_OWNER);
  REFUSED_UPDATE(target, leaf(foreign_frame(), FOR_READING), PV_ERROR_NOT_OWNER);
}

static void entry_of_other_level(void) {
  PvPfn table = empty_table(2), other = empty_table(2);
  uint64_t target = entry_target(frame_of(table), 0);
  REFUSED_UPDATE(target, table_entry(frame_of(other)), PV_ERROR_BAD_LEVEL);
  REFUSED_UPDATE(target, table_entry(frame_of(table)), PV_ERROR_BAD_LEVEL);
}

static void entry_maps_table_writable(void) {
  PvPfn table = empty_table(1), other = empty_table(1);
  REFUSED_UPDATE(entry_target(frame_of(table), 0), leaf_of(other, FOR_WRITING),
                 PV_ERROR_TYPE_CONFLICT);
  REFUSED_UPDATE(page_target(address_of(other)), leaf_of(other, FOR_WRITING),
                 PV_ERROR_TYPE_CONFLICT);
}

static void entry_names_writable_frame(void) {
  PvPfn table = empty_table(2);
  REFUSED_UPDATE(entry_target(frame_of(table), 0), table_entry(frame_of(fresh_page())),
                 PV_ERROR_TYPE_CONFLICT);
}

const Test pte_update_tests[] = {
    TEST(pte_update, entry, "PTE_UPDATE.11 PTE_UPDATE.12"),
    TEST(pte_update, page, "PTE_UPDATE.12 PTE_UPDATE.14"),
    TEST(pte_update, page_of_user_root, "PTE_UPDATE.8 PTE_UPDATE.9"),
    TEST(pte_update, many, "PTE_UPDATE.11"),
    TEST(pte_update, largest_count, "PTE_UPDATE.1"),
    TEST(pte_update, permissions, "PTE_UPDATE.14"),
    TEST(pte_update, link_validates, "PTE_UPDATE.13 PTE.8"),
    TEST(pte_update, unlink_demotes, "PTE_UPDATE.13"),
    TEST(pte_update, frame_is_free_once_unmapped, "PTE_UPDATE.11 PTE_UPDATE.15"),
    TEST(pte_update, prefix, "ERROR.2"),
    TEST(pte_update, bad_count, "PTE_UPDATE.1"),
    TEST(pte_update, bad_target, "PTE_UPDATE.2"),
    TEST(pte_update, bad_table_frame, "PTE_UPDATE.3"),
    TEST(pte_update, table_not_owned, "PTE_UPDATE.4"),
    TEST(pte_update, not_a_table, "PTE_UPDATE.5"),
    TEST(pte_update, hypervisor_slot, "PTE_UPDATE.6"),
    TEST(pte_update, hypervisor_address, "PTE_UPDATE.7"),
    TEST(pte_update, no_user_root, "PTE_UPDATE.8"),
    TEST(pte_update, not_mapped, "PTE_UPDATE.9"),
    TEST(pte_update, bad_entry, "PTE_UPDATE.10 PTE.1"),
    TEST(pte_update, entry_beyond_memory, "PTE_UPDATE.10 PTE.2"),
    TEST(pte_update, entry_not_owned, "PTE_UPDATE.10 PTE.3"),
    TEST(pte_update, entry_of_other_level, "PTE_UPDATE.10 PTE.7"),
    TEST(pte_update, entry_maps_table_writable, "PTE_UPDATE.10 PTE.6"),
    TEST(pte_update, entry_names_writable_frame, "PTE_UPDATE.10 PTE.8"),
    END,
};
