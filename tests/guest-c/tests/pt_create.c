/* pt_create. */

#include "suite.h"

static void success(void) {
  PvPfn page = fresh_page();
  words_of(page)[3] = 0x1234;
  remap(page, FOR_READING);
  undo(OWN, PV_NUMBER_PT_UNPIN, frame_of(page), 0, 0);
  PvResult result = pv_pt_create(frame_of(page), 1);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, 0);
  for (uint64_t i = 0; i < PV_TABLE_ENTRIES; i++) EQUAL(read_entry(page, i), 0);
  REFUSED(pv_pt_pin(frame_of(page), 1), PV_ERROR_ALREADY_PINNED);
}

static void every_level(void) {
  for (uint64_t level = 1; level <= root_level(); level++) {
    PvPfn page = empty_table(level);
    REFUSED(pv_pt_pin(frame_of(page), level), PV_ERROR_ALREADY_PINNED);
    uint64_t other = level == 1 ? 2 : level - 1;
    REFUSED(pv_pt_pin(frame_of(page), other), PV_ERROR_BAD_LEVEL);
  }
}

static void canonical_slots(void) {
  PvPfn page = empty_table(root_level());
  PvPfn first = info->tables_pfn;
  while (first < info->free_pfn && frame_of(first) != info->root) first++;
  CHECK(first < info->free_pfn);
  /* The processor may set bits of its own in an entry: what counts is the frame. */
  for (uint64_t i = 0; i < PV_TABLE_ENTRIES; i++) {
    uint64_t want = i < PV_TABLE_ENTRIES / 2 ? 0 : read_entry(first, i);
    EQUAL(frame_in(read_entry(page, i)), frame_in(want));
    EQUAL(is_present(read_entry(page, i)), is_present(want));
  }
}

static void read_only_mappings_stay(void) {
  PvPfn page = empty_table(1);
  Fault fault;
  EQUAL(load(address_of(page), &fault), 0);
  CHECK(!fault.faulted);
  store(address_of(page), 1, &fault);
  CHECK(fault.faulted);
}

static void bad_level(void) {
  PvPfn page = quiet_page();
  const uint64_t levels[] = {0, root_level() + 1, 5, 1ull << 32, UINT64_MAX};
  for (int i = 0; i < 5; i++) {
    REFUSED(pv_pt_create(frame_of(page), levels[i]), PV_ERROR_BAD_LEVEL);
  }
}

static void bad_frame(void) {
  const uint64_t frames[] = {BEYOND, BEYOND + 1, 1ull << 52, PV_MFN_NONE};
  for (int i = 0; i < 4; i++) REFUSED(pv_pt_create(frames[i], 1), PV_ERROR_BAD_FRAME);
}

static void not_owner(void) {
  REFUSED(pv_pt_create(hypervisor_frame(), 1), PV_ERROR_NOT_OWNER);
  REFUSED(pv_pt_create(foreign_frame(), 1), PV_ERROR_NOT_OWNER);
}

static void mapped_writable(void) {
  PvPfn page = fresh_page();
  words_of(page)[1] = 0x1234;
  REFUSED(pv_pt_create(frame_of(page), 1), PV_ERROR_TYPE_CONFLICT);
  EQUAL(words_of(page)[1], 0x1234);
}

static void already_a_table(void) {
  PvPfn page = empty_table(1);
  REFUSED(pv_pt_create(frame_of(page), 1), PV_ERROR_TYPE_CONFLICT);
  REFUSED(pv_pt_create(frame_of(page), 2), PV_ERROR_TYPE_CONFLICT);
}

static void granted_for_writing(void) {
  NEED_PEER();
  PvPfn page = quiet_page();
  PvResult grant = share(OWN, peer(), frame_of(page), PV_ACCESS_READ_WRITE);
  EQUAL(grant.status, PV_STATUS_SUCCESS);
  REFUSED(pv_pt_create(frame_of(page), 1), PV_ERROR_TYPE_CONFLICT);
}

static void registered_pages(void) {
  REFUSED(pv_pt_create(frame_of(PV_VCPU_PAGE_PFN), 1), PV_ERROR_TYPE_CONFLICT);
  REFUSED(pv_pt_create(frame_of(PV_ARGUMENT_PFN), 1), PV_ERROR_TYPE_CONFLICT);
}

const Test pt_create_tests[] = {
    TEST(pt_create, success, "PT_CREATE.7 PT_CREATE.8"),
    TEST(pt_create, every_level, "PT_CREATE.1 PT_CREATE.8"),
    TEST(pt_create, canonical_slots, "PT_CREATE.7 SLOT.1"),
    TEST(pt_create, read_only_mappings_stay, "PT_CREATE.9"),
    TEST(pt_create, bad_level, "PT_CREATE.1"),
    TEST(pt_create, bad_frame, "PT_CREATE.2"),
    TEST(pt_create, not_owner, "PT_CREATE.3"),
    TEST(pt_create, mapped_writable, "PT_CREATE.4"),
    TEST(pt_create, already_a_table, "PT_CREATE.4"),
    TEST(pt_create, granted_for_writing, "PT_CREATE.4"),
    TEST(pt_create, registered_pages, "PT_CREATE.4 VCPU.1 FRAME.13"),
    END,
};
