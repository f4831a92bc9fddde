/* Steps of tests, and their undoing. */

#include "suite.h"

/* Pages that a test can take, and changes that it can make. */
#define PAGES 60
#define CHANGES 96

/* A change, by the call that undoes it. */
typedef struct {
  Side side;
  uint64_t number, a0, a1, a2;
} Change;

static Change changes[CHANGES];
static uint64_t change_count, page_count;

void undo(Side side, uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2) {
  if (change_count == CHANGES) {
    failed(__FILE__, __LINE__, "the test makes no more changes than can be noted");
    return;
  }
  changes[change_count++] = (Change){side, number, a0, a1, a2};
}

/* Gives a page a frame if it has none, and maps it writable. */
static void restore(PvPfn page) {
  if (frame_of(page) == PV_MFN_NONE) {
    if (pv_balloon_deflate(1, PV_ORDER_FRAME).status != PV_STATUS_SUCCESS) return;
    *p2m_slot(page) = argument()[0];
  }
  if (remap(page, FOR_WRITING) != PV_STATUS_SUCCESS) {
    failed(__FILE__, __LINE__, "a page that the test took can be mapped writable again");
  }
}

void undo_all(void) {
  while (change_count > 0) {
    Change change = changes[--change_count];
    /* Refused where the test has undone it itself. */
    call_on(change.side, change.number, change.a0, change.a1, change.a2);
  }
  /* Last, as a table that another names is one until that other goes. */
  while (page_count > 0) restore(test_page(OWN, --page_count));
}

PvPfn fresh_page(void) {
  if (page_count == PAGES) failed(__FILE__, __LINE__, "the test takes no more pages than there are");
  PvPfn page = test_page(OWN, page_count < PAGES ? page_count++ : PAGES - 1);
  for (int i = 0; i < 512; i++) words_of(page)[i] = 0;
  return page;
}

/* A page whose mapping in the physmap is changed for the test. */
static PvPfn changed_page(PvStatus (*change)(PvPfn page)) {
  PvPfn page = fresh_page();
  if (change(page) != PV_STATUS_SUCCESS) failed(__FILE__, __LINE__, "the physmap can be changed");
  return page;
}

static PvStatus protect(PvPfn page) { return remap(page, FOR_READING); }

PvPfn quiet_page(void) { return changed_page(protect); }
PvPfn unmapped_page(void) { return changed_page(unmap); }

PvStatus pin(PvPfn page, uint64_t level) {
  PvStatus status = pv_pt_pin(frame_of(page), level).status;
  if (status == PV_STATUS_SUCCESS) undo(OWN, PV_NUMBER_PT_UNPIN, frame_of(page), 0, 0);
  return status;
}

PvPfn empty_table(uint64_t level) {
  PvPfn page = quiet_page();
  PvStatus status = pv_pt_create(frame_of(page), level).status;
  if (status != PV_STATUS_SUCCESS) {
    failed_equal(__FILE__, __LINE__, "pt_create of a page for a table", status, 0);
  }
  undo(OWN, PV_NUMBER_PT_UNPIN, frame_of(page), 0, 0);
  return page;
}

PvResult share(Side side, uint64_t domain, PvMfn frame, PvAccess access) {
  PvResult result = call_on(side, PV_NUMBER_GRANT_SHARE, domain, frame, access);
  if (result.status == PV_STATUS_SUCCESS) {
    undo(side, PV_NUMBER_GRANT_REVOKE, result.value, 0, 0);
  }
  return result;
}

PvResult open_grant(uint64_t domain, uint64_t grant, PvAccess access) {
  PvResult result = pv_grant_map(domain, grant, access);
  if (result.status == PV_STATUS_SUCCESS) {
    undo(OWN, PV_NUMBER_GRANT_UNMAP, handle_in(result.value), 0, 0);
  }
  return result;
}

PvResult open_port(Side side, uint64_t domain) {
  PvResult result = call_on(side, PV_NUMBER_EVENT_ALLOC, domain, 0, 0);
  if (result.status == PV_STATUS_SUCCESS) undo(side, PV_NUMBER_EVENT_CLOSE, result.value, 0, 0);
  return result;
}

PvResult bind_port(Side side, uint64_t domain, uint64_t port) {
  PvResult result = call_on(side, PV_NUMBER_EVENT_BIND, domain, port, 0);
  if (result.status == PV_STATUS_SUCCESS) undo(side, PV_NUMBER_EVENT_CLOSE, result.value, 0, 0);
  return result;
}

/* ANCHOR: tables */
Space empty_space(void) {
  /* From the bottom up: an entry names a table that is there. */
  PvPfn table = empty_table(1);
  Space space = {.level_1 = frame_of(table)};
  for (uint64_t level = 2; level <= root_level(); level++) {
    PvPfn above = empty_table(level);
    uint64_t target = entry_target(frame_of(above), slot(PROCESS_ADDRESS, level));
    PvResult result = pv_pte_update(0, target, table_entry(frame_of(table)));
    undo(OWN, PV_NUMBER_PTE_UPDATE, 0, target, 0);
    if (result.status != PV_STATUS_SUCCESS) failed(__FILE__, __LINE__, "a table can be linked");
    table = above;
  }
  space.root = frame_of(table);
  return space;
}
/* ANCHOR_END: tables */

PvMfn hypervisor_frame(void) {
  /* The upper half of every root holds the hypervisor's own entries. */
  for (PvPfn page = info->tables_pfn; page < info->free_pfn; page++) {
    if (frame_of(page) != info->root) continue;
    for (uint64_t index = PV_TABLE_ENTRIES / 2; index < PV_TABLE_ENTRIES; index++) {
      uint64_t entry = words_of(page)[index];
      PvMfn frame = frame_in(entry);
      if (is_present(entry) && pv_pt_unpin(frame).status == PV_ERROR_NOT_OWNER) return frame;
    }
  }
  failed(__FILE__, __LINE__, "the root names a frame of the hypervisor");
  return 0;
}

uint64_t read_entry(PvPfn table, uint64_t index) { return words_of(table)[index]; }

PvMfn foreign_frame(void) {
  return has_peer() ? frame_on(PEER, test_page(PEER, 0)) : hypervisor_frame();
}

Loop loop_channel(void) {
  PvResult first = open_port(OWN, PV_DOMAIN_SELF);
  PvResult second = bind_port(OWN, PV_DOMAIN_SELF, first.value);
  if (first.status != PV_STATUS_SUCCESS || second.status != PV_STATUS_SUCCESS) {
    failed(__FILE__, __LINE__, "a channel to oneself can be opened");
  }
  /* A port is pending once when it has been bound. */
  quieten();
  return (Loop){(PvPort)first.value, (PvPort)second.value};
}

bool is_pending(Side side, uint64_t port) {
  uint64_t word = PV_VCPU_PENDING / 8 + port / 64;
  return read_word(side, PV_VCPU_PAGE_PFN, word) & 1ull << port % 64;
}
