/* Tests: what one is, what it checks with, and what is put back after it. */

#ifndef SUITE_H
#define SUITE_H

#include "memory.h"
#include "peer.h"
#include "text.h"
#include "traps.h"

/* A test: names and clauses are those of the suite's test that checks the same. */
typedef struct {
  const char *group, *name, *clauses;
  void (*run)(void);
} Test;

/* A file's list of tests: functions of those names, or of names of their own. */
#define TEST(group, name, clauses) {#group, #name, clauses, name}
#define TEST_AS(group, name, function, clauses) {#group, #name, clauses, function}
#define END {NULL, NULL, NULL, NULL}

/* Runs the tests whose names, such as `pt_pin::tree`, contain the text; reports each. */
void run_tests(const char *filter);

/* The running test has failed: the first report of it counts. */
void failed(const char *file, int line, const char *what);
void failed_equal(const char *file, int line, const char *what, uint64_t got, uint64_t want);

/* The running test cannot be made here. */
void skip(const char *why);

/* Ends the test as failed unless the condition holds. */
#define CHECK(condition)                         \
  do {                                           \
    if (!(condition)) {                          \
      failed(__FILE__, __LINE__, #condition);    \
      return;                                    \
    }                                            \
  } while (0)

/* Ends it unless the two numbers are equal. */
#define EQUAL(got, want)                                              \
  do {                                                                \
    uint64_t got_ = (got), want_ = (want);                            \
    if (got_ != want_) {                                              \
      failed_equal(__FILE__, __LINE__, #got, got_, want_);            \
      return;                                                         \
    }                                                                 \
  } while (0)

/* Ends it unless the call succeeds; unless it is refused with that error, and the value 0. */
#define OK(call) EQUAL((call).status, PV_STATUS_SUCCESS)
#define REFUSED(call, error)              \
  do {                                    \
    PvResult result_ = (call);            \
    EQUAL(result_.status, (error));       \
    EQUAL(result_.value, 0);              \
  } while (0)

#define NEED_PEER()                       \
  do {                                    \
    if (!has_peer()) {                    \
      skip("there is no peer");           \
      return;                             \
    }                                     \
  } while (0)

/* ---- Steps. What they change is put back when the test has ended. ---- */

/* After the test, from the last to the first: a call with three arguments on that side. */
void undo(Side side, uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2);

/* A page for the test, zero and mapped writable in the physmap. After the test it has a frame
   and is mapped so again, whatever has become of it. */
PvPfn fresh_page(void);

/* The same, but mapped for reading only, so that it can become a table; or not mapped. */
PvPfn quiet_page(void);
PvPfn unmapped_page(void);

/* A page that is a pinned, empty table of that level. */
PvPfn empty_table(uint64_t level);

/* Pins a page's table. */
PvStatus pin(PvPfn page, uint64_t level);

/* Calls with their undoing. */
PvResult share(Side side, uint64_t domain, PvMfn frame, PvAccess access);
PvResult open_grant(uint64_t domain, uint64_t grant, PvAccess access);
PvResult open_port(Side side, uint64_t domain);
PvResult bind_port(Side side, uint64_t domain, uint64_t port);

/* Of the value of grant_map. */
static inline PvGrantHandle handle_in(uint64_t value) {
  return (PvGrantHandle)(value >> PV_GRANT_HANDLE_SHIFT);
}
static inline PvMfn granted_frame_in(uint64_t value) { return value & PV_GRANT_FRAME_MASK; }

/* An address space of one page for a process, at PROCESS_ADDRESS: its root is pinned, and its
   level-1 table is empty. */
#define PROCESS_ADDRESS 0x40000000ull
typedef struct {
  PvMfn root, level_1;
} Space;
Space empty_space(void);

/* An address of the kernel's own range where nothing is mapped, but whose level-1 table is there:
   behind the image, within the same 2 MiB. */
#define SCRATCH 0x5f0000ull

/* A frame number that no memory has. */
#define BEYOND PV_MFN_MAX

/* A frame that is the peer's, or the hypervisor's if there is no peer. */
PvMfn foreign_frame(void);

/* A channel of this domain with itself: a signal of `send` arrives at `other`. */
typedef struct {
  PvPort send, other;
} Loop;
Loop loop_channel(void);

/* Whether a port of either side is pending. */
bool is_pending(Side side, uint64_t port);

/* A frame of the hypervisor's, by the root that the guest runs on. */
PvMfn hypervisor_frame(void);

/* Puts back what the test has changed: for the runner. */
void undo_all(void);

/* An entry of a table of this domain, by its frame. */
uint64_t read_entry(PvPfn table, uint64_t index);

/* The lists: one for each group. */
extern const Test abi_query_tests[], pt_create_tests[], pt_pin_tests[], pt_unpin_tests[],
    pt_switch_tests[], pte_update_tests[], tlb_flush_tests[], balloon_inflate_tests[],
    balloon_deflate_tests[], grant_share_tests[], grant_revoke_tests[], grant_map_tests[],
    grant_unmap_tests[], event_alloc_tests[], event_bind_tests[], event_send_tests[],
    event_mask_tests[], event_close_tests[], trap_register_tests[], trap_return_tests[],
    sched_yield_tests[], sched_block_tests[], timer_set_tests[], console_write_tests[],
    console_read_tests[], domain_query_tests[], batch_tests[], start_tests[], traps_tests[],
    frames_tests[], process_tests[], shutdown_tests[];

#endif
