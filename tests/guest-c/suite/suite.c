/* Runs the tests, and reports them in the lines of the Test Anything Protocol. */

#include "suite.h"

static const Test *const LISTS[] = {
    abi_query_tests,       pt_create_tests,      pt_pin_tests,      pt_unpin_tests,
    pt_switch_tests,       pte_update_tests,     tlb_flush_tests,   balloon_inflate_tests,
    balloon_deflate_tests, grant_share_tests,    grant_revoke_tests, grant_map_tests,
    grant_unmap_tests,     event_alloc_tests,    event_bind_tests,  event_send_tests,
    event_mask_tests,      event_close_tests,    trap_register_tests, trap_return_tests,
    sched_yield_tests,     sched_block_tests,    timer_set_tests,   console_write_tests,
    console_read_tests,    domain_query_tests,   batch_tests,       start_tests,
    traps_tests,           frames_tests,         process_tests,     shutdown_tests,
};

/* What came of the running test. */
static Text reason;
static bool has_failed, is_skipped;

void failed(const char *file, int line, const char *what) {
  if (has_failed) return;
  has_failed = true;
  reason.length = 0;
  put(&reason, file);
  put(&reason, ":");
  put_number(&reason, (uint64_t)line);
  put(&reason, ": not so: ");
  put(&reason, what);
}

void failed_equal(const char *file, int line, const char *what, uint64_t got, uint64_t want) {
  if (has_failed) return;
  failed(file, line, what);
  put(&reason, ": got ");
  put_hex(&reason, got);
  put(&reason, ", want ");
  put_hex(&reason, want);
}

void skip(const char *why) {
  is_skipped = true;
  reason.length = 0;
  put(&reason, why);
}

static void put_name(Text *text, const Test *test) {
  put(text, test->group);
  put(text, "::");
  put(text, test->name);
}

static void report(uint64_t number, const Test *test) {
  Text line = {.length = 0};
  put(&line, has_failed ? "not ok " : "ok ");
  put_number(&line, number);
  put(&line, " - ");
  put_name(&line, test);
  if (has_failed || is_skipped) {
    put(&line, has_failed ? " # " : " # SKIP ");
    reason.bytes[reason.length < sizeof reason.bytes ? reason.length : sizeof reason.bytes - 1] = 0;
    put(&line, reason.bytes);
  }
  write_line(PV_STREAM_REPORT, &line);
}

/* What a domain has, and must have again after each test. */
typedef struct {
  const char *name;
  size_t offset;
} Count;

#define COUNT(field) {#field, offsetof(PvDomainInfo, field)}
static const Count COUNTS[] = {COUNT(frames), COUNT(table_frames), COUNT(pinned_tables),
                               COUNT(grants), COUNT(handles),      COUNT(ports)};

static uint64_t count_in(const PvDomainInfo *domain, const Count *count) {
  return *(const uint64_t *)((const char *)domain + count->offset);
}

static void compare(const char *whose, const PvDomainInfo *before, const PvDomainInfo *after) {
  for (size_t i = 0; i < sizeof COUNTS / sizeof *COUNTS; i++) {
    uint64_t was = count_in(before, &COUNTS[i]), is = count_in(after, &COUNTS[i]);
    if (is != was) {
      failed_equal(whose, 0, COUNTS[i].name, is, was);
    }
  }
}

static void run(uint64_t number, const Test *test) {
  Text line = {.length = 0};
  put(&line, "# test ");
  put_name(&line, test);
  put(&line, ": ");
  put(&line, test->clauses);
  write_line(PV_STREAM_REPORT, &line);
  has_failed = is_skipped = false;
  quieten();
  PvDomainInfo own = query(OWN), peer = query(PEER);
  test->run();
  mask_events();
  undo_all();
  PvDomainInfo own_after = query(OWN), peer_after = query(PEER);
  compare("left behind", &own, &own_after);
  compare("left behind in the peer", &peer, &peer_after);
  report(number, test);
}

void run_tests(const char *filter) {
  Text line = {.length = 0};
  put(&line, "TAP version 14");
  write_line(PV_STREAM_REPORT, &line);
  uint64_t number = 0;
  for (size_t list = 0; list < sizeof LISTS / sizeof *LISTS; list++) {
    for (const Test *test = LISTS[list]; test->name != NULL; test++) {
      Text name = {.length = 0};
      put_name(&name, test);
      name.bytes[name.length] = 0;
      if (contains(name.bytes, filter)) run(++number, test);
    }
  }
  line.length = 0;
  put(&line, "1..");
  put_number(&line, number);
  write_line(PV_STREAM_REPORT, &line);
}
