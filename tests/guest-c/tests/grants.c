/* grant_share, grant_revoke, grant_map and grant_unmap. */

#include "suite.h"

/* An identity that no domain has. */
#define NOBODY 0x7000

/* The peer grants a page; `page` is its number there, `grant` the grant's. */
typedef struct {
  PvPfn page;
  PvMfn frame;
  uint64_t grant;
} Granted;

static Granted peer_grants(PvAccess access) {
  Granted granted = {.page = test_page(PEER, 1)};
  granted.frame = frame_on(PEER, granted.page);
  PvResult result = share(PEER, info->domain, granted.frame, access);
  if (result.status != PV_STATUS_SUCCESS) failed(__FILE__, __LINE__, "the peer can grant a page");
  granted.grant = result.value;
  return granted;
}

/* ---- grant_share ---- */

static void share_success(void) {
  NEED_PEER();
  uint64_t before = query(OWN).grants;
  OK(share(OWN, peer(), frame_of(fresh_page()), PV_ACCESS_READ));
  EQUAL(query(OWN).grants, before + 1);
}

static void lowest_number(void) {
  NEED_PEER();
  PvMfn frame = frame_of(fresh_page());
  PvResult first = share(OWN, peer(), frame, PV_ACCESS_READ);
  PvResult second = share(OWN, peer(), frame, PV_ACCESS_READ);
  EQUAL(first.value, 0);
  EQUAL(second.value, 1);
  OK(pv_grant_revoke(first.value));
  EQUAL(share(OWN, peer(), frame, PV_ACCESS_READ).value, 0);
}

static void page_table_for_reading(void) {
  NEED_PEER();
  OK(share(OWN, peer(), frame_of(empty_table(1)), PV_ACCESS_READ));
}

static void domain_range(void) {
  REFUSED(pv_grant_share(1 << 16, frame_of(fresh_page()), PV_ACCESS_READ), PV_ERROR_BAD_ARGUMENT);
}

static void share_bad_access(void) {
  REFUSED(pv_grant_share(NOBODY, frame_of(fresh_page()), 2), PV_ERROR_BAD_ARGUMENT);
}

static void oneself(void) {
  PvMfn frame = frame_of(fresh_page());
  REFUSED(pv_grant_share(PV_DOMAIN_SELF, frame, PV_ACCESS_READ), PV_ERROR_BAD_ARGUMENT);
  REFUSED(pv_grant_share(info->domain, frame, PV_ACCESS_READ), PV_ERROR_BAD_ARGUMENT);
}

static void share_no_domain(void) {
  REFUSED(pv_grant_share(NOBODY, frame_of(fresh_page()), PV_ACCESS_READ), PV_ERROR_NO_DOMAIN);
}

static void bad_frame(void) {
  NEED_PEER();
  REFUSED(pv_grant_share(peer(), BEYOND, PV_ACCESS_READ), PV_ERROR_BAD_FRAME);
}

static void not_owner(void) {
  NEED_PEER();
  REFUSED(pv_grant_share(peer(), hypervisor_frame(), PV_ACCESS_READ), PV_ERROR_NOT_OWNER);
  REFUSED(pv_grant_share(peer(), foreign_frame(), PV_ACCESS_READ), PV_ERROR_NOT_OWNER);
}

static void page_table_for_writing(void) {
  NEED_PEER();
  PvMfn frame = frame_of(empty_table(1));
  REFUSED(pv_grant_share(peer(), frame, PV_ACCESS_READ_WRITE), PV_ERROR_TYPE_CONFLICT);
}

static void granted_frame_is_no_table(void) {
  NEED_PEER();
  PvPfn page = quiet_page();
  PvResult grant = share(OWN, peer(), frame_of(page), PV_ACCESS_READ_WRITE);
  EQUAL(grant.status, PV_STATUS_SUCCESS);
  REFUSED(pv_pt_pin(frame_of(page), 1), PV_ERROR_TYPE_CONFLICT);
  OK(pv_grant_revoke(grant.value));
  EQUAL(pin(page, 1), PV_STATUS_SUCCESS);
}

const Test grant_share_tests[] = {
    TEST_AS(grant_share, success, share_success, "GRANT_SHARE.10 GRANT_SHARE.12"),
    TEST(grant_share, lowest_number, "GRANT_SHARE.13"),
    TEST(grant_share, page_table_for_reading, "GRANT_SHARE.7"),
    TEST(grant_share, domain_range, "GRANT_SHARE.1"),
    TEST_AS(grant_share, bad_access, share_bad_access, "GRANT_SHARE.2"),
    TEST(grant_share, oneself, "GRANT_SHARE.3"),
    TEST_AS(grant_share, no_domain, share_no_domain, "GRANT_SHARE.4"),
    TEST(grant_share, bad_frame, "GRANT_SHARE.5"),
    TEST(grant_share, not_owner, "GRANT_SHARE.6"),
    TEST(grant_share, page_table_for_writing, "GRANT_SHARE.7"),
    TEST(grant_share, granted_frame_is_no_table, "GRANT_SHARE.10"),
    END,
};

/* ---- grant_revoke ---- */

static void revoke_success(void) {
  NEED_PEER();
  PvPfn page = unmapped_page();
  PvResult grant = share(OWN, peer(), frame_of(page), PV_ACCESS_READ_WRITE);
  OK(pv_grant_revoke(grant.value));
  REFUSED(pv_grant_revoke(grant.value), PV_ERROR_NO_GRANT);
}

static void cannot_be_mapped_after(void) {
  NEED_PEER();
  Granted granted = peer_grants(PV_ACCESS_READ);
  OK(call_on(PEER, PV_NUMBER_GRANT_REVOKE, granted.grant, 0, 0));
  REFUSED(pv_grant_map(peer(), granted.grant, PV_ACCESS_READ), PV_ERROR_NO_GRANT);
}

static void grant_range(void) {
  REFUSED(pv_grant_revoke(1ull << 32), PV_ERROR_BAD_ARGUMENT);
}

static void revoke_no_grant(void) {
  REFUSED(pv_grant_revoke(255), PV_ERROR_NO_GRANT);
  REFUSED(pv_grant_revoke(UINT32_MAX), PV_ERROR_NO_GRANT);
}

static void revoke_mapped(void) {
  NEED_PEER();
  Granted granted = peer_grants(PV_ACCESS_READ);
  PvResult opened = open_grant(peer(), granted.grant, PV_ACCESS_READ);
  EQUAL(opened.status, PV_STATUS_SUCCESS);
  REFUSED(call_on(PEER, PV_NUMBER_GRANT_REVOKE, granted.grant, 0, 0), PV_ERROR_BUSY);
  OK(pv_grant_unmap(handle_in(opened.value)));
  OK(call_on(PEER, PV_NUMBER_GRANT_REVOKE, granted.grant, 0, 0));
}

const Test grant_revoke_tests[] = {
    TEST_AS(grant_revoke, success, revoke_success, "GRANT_REVOKE.4"),
    TEST(grant_revoke, cannot_be_mapped_after, "GRANT_REVOKE.5"),
    TEST(grant_revoke, grant_range, "GRANT_REVOKE.1"),
    TEST_AS(grant_revoke, no_grant, revoke_no_grant, "GRANT_REVOKE.2"),
    TEST_AS(grant_revoke, mapped, revoke_mapped, "GRANT_REVOKE.3"),
    END,
};

/* ---- grant_map ---- */

static void map_success(void) {
  NEED_PEER();
  uint64_t before = query(OWN).handles;
  Granted granted = peer_grants(PV_ACCESS_READ);
  PvResult opened = open_grant(peer(), granted.grant, PV_ACCESS_READ);
  EQUAL(opened.status, PV_STATUS_SUCCESS);
  EQUAL(granted_frame_in(opened.value), granted.frame);
  EQUAL(query(OWN).handles, before + 1);
}

static void read_and_write(void) {
  NEED_PEER();
  Fault fault;
  Granted granted = peer_grants(PV_ACCESS_READ_WRITE);
  write_word(PEER, granted.page, 0, 0x1111);
  PvResult opened = open_grant(peer(), granted.grant, PV_ACCESS_READ_WRITE);
  EQUAL(opened.status, PV_STATUS_SUCCESS);
  undo(OWN, PV_NUMBER_PTE_UPDATE, 0, page_target(SCRATCH), 0);
  uint64_t entry = leaf(granted_frame_in(opened.value), FOR_WRITING);
  OK(pv_pte_update(0, page_target(SCRATCH), entry));
  EQUAL(load(SCRATCH, &fault), 0x1111);
  store(SCRATCH + 8, 0x2222, &fault);
  CHECK(!fault.faulted);
  EQUAL(read_word(PEER, granted.page, 1), 0x2222);
}

static void narrower_access(void) {
  NEED_PEER();
  Fault fault;
  Granted granted = peer_grants(PV_ACCESS_READ_WRITE);
  PvResult opened = open_grant(peer(), granted.grant, PV_ACCESS_READ);
  EQUAL(opened.status, PV_STATUS_SUCCESS);
  PvMfn frame = granted_frame_in(opened.value);
  undo(OWN, PV_NUMBER_PTE_UPDATE, 0, page_target(SCRATCH), 0);
  REFUSED(pv_pte_update(0, page_target(SCRATCH), leaf(frame, FOR_WRITING)),
          PV_ERROR_READ_ONLY_GRANT);
  OK(pv_pte_update(0, page_target(SCRATCH), leaf(frame, FOR_READING)));
  load(SCRATCH, &fault);
  CHECK(!fault.faulted);
}

static void ranges(void) {
  REFUSED(pv_grant_map(1 << 16, 0, PV_ACCESS_READ), PV_ERROR_BAD_ARGUMENT);
  REFUSED(pv_grant_map(NOBODY, 1ull << 32, PV_ACCESS_READ), PV_ERROR_BAD_ARGUMENT);
}

static void map_bad_access(void) {
  REFUSED(pv_grant_map(NOBODY, 0, 2), PV_ERROR_BAD_ARGUMENT);
}

static void map_no_domain(void) {
  REFUSED(pv_grant_map(NOBODY, 0, PV_ACCESS_READ), PV_ERROR_NO_DOMAIN);
}

static void map_no_grant(void) {
  NEED_PEER();
  REFUSED(pv_grant_map(peer(), 255, PV_ACCESS_READ), PV_ERROR_NO_GRANT);
  REFUSED(pv_grant_map(peer(), UINT32_MAX, PV_ACCESS_READ), PV_ERROR_NO_GRANT);
}

static void read_only_grant(void) {
  NEED_PEER();
  Granted granted = peer_grants(PV_ACCESS_READ);
  REFUSED(pv_grant_map(peer(), granted.grant, PV_ACCESS_READ_WRITE), PV_ERROR_READ_ONLY_GRANT);
}

static void already_mapped(void) {
  NEED_PEER();
  Granted granted = peer_grants(PV_ACCESS_READ);
  OK(open_grant(peer(), granted.grant, PV_ACCESS_READ));
  REFUSED(pv_grant_map(peer(), granted.grant, PV_ACCESS_READ), PV_ERROR_ALREADY_MAPPED);
}

static void handles_differ(void) {
  NEED_PEER();
  Granted granted = peer_grants(PV_ACCESS_READ);
  PvResult first = pv_grant_map(peer(), granted.grant, PV_ACCESS_READ);
  OK(pv_grant_unmap(handle_in(first.value)));
  PvResult second = open_grant(peer(), granted.grant, PV_ACCESS_READ);
  EQUAL(second.status, PV_STATUS_SUCCESS);
  CHECK(handle_in(first.value) != handle_in(second.value));
  REFUSED(pv_grant_unmap(handle_in(first.value)), PV_ERROR_NO_HANDLE);
}

const Test grant_map_tests[] = {
    TEST_AS(grant_map, success, map_success, "GRANT_MAP.9 GRANT_MAP.12"),
    TEST(grant_map, read_and_write, "GRANT_MAP.10"),
    TEST(grant_map, narrower_access, "GRANT_MAP.10"),
    TEST(grant_map, handles_differ, "GRANT_MAP.11"),
    TEST(grant_map, ranges, "GRANT_MAP.1"),
    TEST_AS(grant_map, bad_access, map_bad_access, "GRANT_MAP.2"),
    TEST_AS(grant_map, no_domain, map_no_domain, "GRANT_MAP.3"),
    TEST_AS(grant_map, no_grant, map_no_grant, "GRANT_MAP.4"),
    TEST(grant_map, read_only_grant, "GRANT_MAP.5"),
    TEST(grant_map, already_mapped, "GRANT_MAP.6"),
    END,
};

/* ---- grant_unmap ---- */

static void frame_cannot_be_named_after(void) {
  NEED_PEER();
  Granted granted = peer_grants(PV_ACCESS_READ);
  PvResult opened = open_grant(peer(), granted.grant, PV_ACCESS_READ);
  EQUAL(opened.status, PV_STATUS_SUCCESS);
  OK(pv_grant_unmap(handle_in(opened.value)));
  uint64_t entry = leaf(granted.frame, FOR_READING);
  REFUSED(pv_pte_update(0, page_target(SCRATCH), entry), PV_ERROR_NOT_OWNER);
}

static void handle_range(void) {
  REFUSED(pv_grant_unmap(PV_HANDLE_MASK + 1), PV_ERROR_BAD_ARGUMENT);
}

static void no_handle(void) { REFUSED(pv_grant_unmap(PV_HANDLE_MASK), PV_ERROR_NO_HANDLE); }

static void entry_names_it(void) {
  NEED_PEER();
  Granted granted = peer_grants(PV_ACCESS_READ);
  PvResult opened = open_grant(peer(), granted.grant, PV_ACCESS_READ);
  EQUAL(opened.status, PV_STATUS_SUCCESS);
  undo(OWN, PV_NUMBER_PTE_UPDATE, 0, page_target(SCRATCH), 0);
  OK(pv_pte_update(0, page_target(SCRATCH), leaf(granted.frame, FOR_READING)));
  REFUSED(pv_grant_unmap(handle_in(opened.value)), PV_ERROR_BUSY);
  OK(pv_pte_update(0, page_target(SCRATCH), 0));
  OK(pv_grant_unmap(handle_in(opened.value)));
}

const Test grant_unmap_tests[] = {
    TEST(grant_unmap, frame_cannot_be_named_after, "GRANT_UNMAP.5 GRANT_MAP.10"),
    TEST(grant_unmap, handle_range, "GRANT_UNMAP.1"),
    TEST(grant_unmap, no_handle, "GRANT_UNMAP.2"),
    TEST(grant_unmap, entry_names_it, "GRANT_UNMAP.3"),
    END,
};
