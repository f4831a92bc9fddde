/* domain_query, start information and shutdown. */

#include "suite.h"

/* ---- domain_query ---- */

static void oneself(void) {
  PvDomainInfo self = query(OWN);
  EQUAL(self.domain, info->domain);
  EQUAL(self.max_frames, info->max_frames);
  OK(pv_domain_query(info->domain));
  CHECK(self.frames <= self.max_frames);
  CHECK(self.table_frames > 0 && self.pinned_tables > 0 && self.ports >= 3);
}

static void calls_and_refusals(void) {
  PvDomainInfo before = query(OWN);
  REFUSED(pv_abi_query(UINT64_MAX), PV_ERROR_BAD_ARGUMENT);
  OK(pv_abi_query(PV_QUERY_VERSION));
  PvDomainInfo after = query(OWN);
  EQUAL(after.calls, before.calls + 3);
  EQUAL(after.refusals, before.refusals + 1);
}

static void every_byte(void) {
  for (int i = 0; i < 512; i++) argument()[i] = UINT64_MAX;
  OK(pv_domain_query(PV_DOMAIN_SELF));
  EQUAL(argument()[0], info->domain);
  for (uint64_t i = 0; i < sizeof(PvDomainInfo) / 8; i++) CHECK(argument()[i] != UINT64_MAX);
  for (uint64_t i = sizeof(PvDomainInfo) / 8; i < 512; i++) EQUAL(argument()[i], UINT64_MAX);
}

static void domain_range(void) { REFUSED(pv_domain_query(1 << 16), PV_ERROR_BAD_ARGUMENT); }

static void another(void) {
  NEED_PEER();
  REFUSED(pv_domain_query(peer()), PV_ERROR_NOT_PERMITTED);
}

static void no_domain(void) { REFUSED(pv_domain_query(0x7000), PV_ERROR_NOT_PERMITTED); }

const Test domain_query_tests[] = {
    TEST(domain_query, oneself, "DOMAIN_QUERY.3 CALL.8"),
    TEST(domain_query, calls_and_refusals, "DOMAIN_QUERY.3 CALL.10"),
    TEST(domain_query, every_byte, "DOMAIN_QUERY.4"),
    TEST(domain_query, domain_range, "DOMAIN_QUERY.1"),
    TEST(domain_query, another, "DOMAIN_QUERY.2"),
    TEST(domain_query, no_domain, "DOMAIN_QUERY.2"),
    END,
};

/* ---- start ---- */

static void information(void) {
  EQUAL(info->magic, PV_START_MAGIC);
  EQUAL(info->vcpus, 1);
  CHECK(info->frames <= info->max_frames);
  CHECK(info->command_line_length <= PV_COMMAND_LINE_BYTES);
  CHECK(info->name_length <= PV_NAME_BYTES);
  for (int i = 0; i < 6; i++) EQUAL(info->reserved[i], 0);
  for (uint64_t i = sizeof(PvStartInfo) / 8; i < 512; i++) {
    EQUAL(words_of(PV_START_INFO_PFN)[i], 0);
  }
}

static void pages_are_mapped(void) {
  PvPfn page = fresh_page();
  Fault fault;
  store(address_of(page), 0x1357, &fault);
  CHECK(!fault.faulted);
  EQUAL(load(address_of(page), &fault), 0x1357);
}

static void tables_are_read_only(void) {
  Fault fault;
  CHECK(info->tables_pfn < info->free_pfn);
  for (PvPfn page = info->tables_pfn; page < info->free_pfn; page++) {
    load(address_of(page), &fault);
    CHECK(!fault.faulted);
    store(address_of(page), 0, &fault);
    CHECK(fault.faulted);
  }
}

static void nothing_else_is_mapped(void) {
  const uint64_t addresses[] = {0, 8, SCRATCH, info->physmap_base - 8, address_of(info->frames),
                                info->guest_end - 8};
  for (int i = 0; i < 6; i++) {
    Fault fault;
    load(addresses[i], &fault);
    CHECK(fault.faulted);
  }
}

static void first_root(void) {
  REFUSED(pv_pt_pin(info->root, root_level()), PV_ERROR_ALREADY_PINNED);
  REFUSED(pv_pte_update(0, process_target(PROCESS_ADDRESS), 0), PV_ERROR_NOT_REGISTERED);
}

static void p2m(void) {
  for (PvPfn page = 0; page < info->frames; page++) CHECK(frame_of(page) <= PV_MFN_MAX);
  uint64_t slots = (info->max_frames + 511) / 512 * 512;
  for (PvPfn page = info->frames; page < slots; page++) EQUAL(frame_of(page), PV_MFN_NONE);
}

/* What the module holds: see the suite in Rust. */
static uint64_t module_word(uint64_t index) {
  uint64_t word = 0x9e3779b97f4a7c15 * (index + 1);
  uint64_t bytes = 8 * index < 5003 ? 5003 - 8 * index : 0;
  return bytes >= 8 ? word : word & (((uint64_t)1 << (8 * bytes)) - 1);
}

static void module(void) {
  if (info->module_bytes == 0) {
    skip("the domain was given no module");
    return;
  }
  EQUAL(info->module_bytes, 5003);
  EQUAL(info->stack_pfn - info->module_pfn, 2);
  for (uint64_t i = 0; i < 1024; i++) EQUAL(words_of(info->module_pfn)[i], module_word(i));
}

const Test start_tests[] = {
    TEST(start, information, "START.6"),
    TEST(start, pages_are_mapped, "START.2"),
    TEST(start, tables_are_read_only, "START.2"),
    TEST(start, nothing_else_is_mapped, "START.4"),
    TEST(start, first_root, "START.5"),
    TEST(start, p2m, "START.7"),
    TEST(start, module, "START.9"),
    END,
};

/* ---- shutdown ---- */

static void bad_reason(void) {
  REFUSED(pv_shutdown(2), PV_ERROR_BAD_ARGUMENT);
  REFUSED(pv_shutdown(UINT64_MAX), PV_ERROR_BAD_ARGUMENT);
}

const Test shutdown_tests[] = {
    TEST(shutdown, bad_reason, "SHUTDOWN.1"),
    END,
};
