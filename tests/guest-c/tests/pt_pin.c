/* pt_pin. */

#include "suite.h"

/* A page with one entry, made ready to be a table. */
static PvPfn page_with(uint64_t index, uint64_t entry) {
  PvPfn page = fresh_page();
  words_of(page)[index] = entry;
  remap(page, FOR_READING);
  return page;
}

static void pins_empty_table(void) {
  PvPfn page = quiet_page();
  EQUAL(pin(page, 1), PV_STATUS_SUCCESS);
  REFUSED(pv_pte_update(0, page_target(address_of(page)), leaf(frame_of(page), FOR_WRITING)),
          PV_ERROR_TYPE_CONFLICT);
}

static void mapped_pages_are_referenced(void) {
  PvPfn mapped = unmapped_page();
  PvPfn table = page_with(5, leaf(frame_of(mapped), FOR_WRITING));
  EQUAL(pin(table, 1), PV_STATUS_SUCCESS);
  argument()[0] = frame_of(mapped);
  REFUSED(pv_balloon_inflate(1, PV_ORDER_FRAME), PV_ERROR_BUSY);
}

static void tree(void) {
  PvPfn mapped = fresh_page();
  PvPfn table = page_with(0, leaf(frame_of(mapped), FOR_WRITING));
  for (uint64_t level = 2; level <= root_level(); level++) {
    table = page_with(level, table_entry(frame_of(table)));
  }
  EQUAL(pin(table, root_level()), PV_STATUS_SUCCESS);
}

static void root(void) {
  PvPfn page = quiet_page();
  EQUAL(pin(page, root_level()), PV_STATUS_SUCCESS);
  bool has_any = false;
  for (uint64_t i = PV_TABLE_ENTRIES / 2; i < PV_TABLE_ENTRIES; i++) {
    has_any = has_any || is_present(read_entry(page, i));
  }
  CHECK(has_any);
}

static void validated_but_not_pinned(void) {
  PvPfn below = quiet_page();
  PvPfn table = page_with(1, table_entry(frame_of(below)));
  EQUAL(pin(table, 2), PV_STATUS_SUCCESS);
  REFUSED(pv_pt_unpin(frame_of(below)), PV_ERROR_NOT_PINNED);
  EQUAL(pin(below, 1), PV_STATUS_SUCCESS);
}

static void bad_level(void) {
  PvPfn page = quiet_page();
  const uint64_t levels[] = {0, root_level() + 1, 1ull << 32, UINT64_MAX};
  for (int i = 0; i < 4; i++) {
    REFUSED(pv_pt_pin(frame_of(page), levels[i]), PV_ERROR_BAD_LEVEL);
  }
}

static void bad_frame(void) {
  REFUSED(pv_pt_pin(BEYOND, 1), PV_ERROR_BAD_FRAME);
  REFUSED(pv_pt_pin(PV_MFN_NONE, 1), PV_ERROR_BAD_FRAME);
}

static void not_owner(void) {
  REFUSED(pv_pt_pin(hypervisor_frame(), 1), PV_ERROR_NOT_OWNER);
  REFUSED(pv_pt_pin(foreign_frame(), 1), PV_ERROR_NOT_OWNER);
}

static void other_level(void) {
  PvPfn page = empty_table(1);
  REFUSED(pv_pt_pin(frame_of(page), 2), PV_ERROR_BAD_LEVEL);
}

static void already_pinned(void) {
  PvPfn page = empty_table(1);
  REFUSED(pv_pt_pin(frame_of(page), 1), PV_ERROR_ALREADY_PINNED);
}

static void mapped_writable(void) {
  PvPfn page = fresh_page();
  REFUSED(pv_pt_pin(frame_of(page), 1), PV_ERROR_TYPE_CONFLICT);
}

static void hypervisor_slots(void) {
  PvPfn page = page_with(PV_TABLE_ENTRIES / 2, 2);
  REFUSED(pv_pt_pin(frame_of(page), root_level()), PV_ERROR_HYPERVISOR_RANGE);
  page = page_with(PV_TABLE_ENTRIES - 1, table_entry(frame_of(quiet_page())));
  REFUSED(pv_pt_pin(frame_of(page), root_level()), PV_ERROR_HYPERVISOR_RANGE);
}

static void entry_bits(void) {
  PvPfn mapped = fresh_page();
  PvPfn table = page_with(7, forbidden(leaf(frame_of(mapped), FOR_READING)));
  REFUSED(pv_pt_pin(frame_of(table), 1), PV_ERROR_BAD_ENTRY);
  table = page_with(7, superpage(frame_of(mapped)));
  REFUSED(pv_pt_pin(frame_of(table), 2), PV_ERROR_BAD_ENTRY);
}

static void entry_beyond_memory(void) {
  PvPfn table = page_with(0, leaf(BEYOND, FOR_READING));
  REFUSED(pv_pt_pin(frame_of(table), 1), PV_ERROR_BAD_FRAME);
}

static void entry_not_owned(void) {
  PvPfn table = page_with(0, leaf(hypervisor_frame(), FOR_READING));
  REFUSED(pv_pt_pin(frame_of(table), 1), PV_ERROR_NOT_OWNER);
  table = page_with(0, leaf(foreign_frame(), FOR_READING));
  REFUSED(pv_pt_pin(frame_of(table), 1), PV_ERROR_NOT_OWNER);
}

static void entry_maps_table_writable(void) {
  PvPfn other = empty_table(1);
  PvPfn table = page_with(0, leaf(frame_of(other), FOR_WRITING));
  REFUSED(pv_pt_pin(frame_of(table), 1), PV_ERROR_TYPE_CONFLICT);
}

static void entry_names_same_level(void) {
  PvPfn other = empty_table(2);
  PvPfn table = page_with(0, table_entry(frame_of(other)));
  REFUSED(pv_pt_pin(frame_of(table), 2), PV_ERROR_BAD_LEVEL);
}

static void entry_names_writable_frame(void) {
  PvPfn other = fresh_page();
  PvPfn table = page_with(0, table_entry(frame_of(other)));
  REFUSED(pv_pt_pin(frame_of(table), 2), PV_ERROR_TYPE_CONFLICT);
}

static void refusal_gives_everything_back(void) {
  PvPfn good = quiet_page(), mapped = unmapped_page();
  PvPfn table = fresh_page();
  words_of(table)[0] = table_entry(frame_of(good));
  words_of(table)[1] = table_entry(BEYOND);
  remap(table, FOR_READING);
  REFUSED(pv_pt_pin(frame_of(table), 2), PV_ERROR_BAD_FRAME);
  /* What was promoted on the way is an ordinary frame again. */
  EQUAL(remap(good, FOR_WRITING), PV_STATUS_SUCCESS);
  EQUAL(remap(table, FOR_WRITING), PV_STATUS_SUCCESS);
  EQUAL(words_of(table)[1], table_entry(BEYOND));
  EQUAL(remap(mapped, FOR_WRITING), PV_STATUS_SUCCESS);
}

/* The suite's name for it is that of a step here. */
#define empty_table pins_empty_table
const Test pt_pin_tests[] = {
    TEST(pt_pin, empty_table, "PT_PIN.11 PT_PIN.13"),
    TEST(pt_pin, mapped_pages_are_referenced, "PT_PIN.11 BALLOON_INFLATE.4"),
    TEST(pt_pin, tree, "PT_PIN.9 PT_PIN.11"),
    TEST(pt_pin, root, "PT_PIN.12 SLOT.1"),
    TEST(pt_pin, validated_but_not_pinned, "PT_PIN.5 PT_PIN.13"),
    TEST(pt_pin, bad_level, "PT_PIN.1"),
    TEST(pt_pin, bad_frame, "PT_PIN.2"),
    TEST(pt_pin, not_owner, "PT_PIN.3"),
    TEST(pt_pin, other_level, "PT_PIN.4"),
    TEST(pt_pin, already_pinned, "PT_PIN.5"),
    TEST(pt_pin, mapped_writable, "PT_PIN.6"),
    TEST(pt_pin, hypervisor_slots, "PT_PIN.8 SLOT.2"),
    TEST(pt_pin, entry_bits, "PT_PIN.9 PTE.1"),
    TEST(pt_pin, entry_beyond_memory, "PT_PIN.9 PTE.2"),
    TEST(pt_pin, entry_not_owned, "PT_PIN.9 PTE.3"),
    TEST(pt_pin, entry_maps_table_writable, "PT_PIN.9 PTE.6"),
    TEST(pt_pin, entry_names_same_level, "PT_PIN.9 PTE.7"),
    TEST(pt_pin, entry_names_writable_frame, "PT_PIN.9 PTE.8"),
    TEST(pt_pin, refusal_gives_everything_back, "PT_PIN.14 ERROR.2"),
    END,
};
