/* sched_yield, sched_block and timer_set. */

#include "suite.h"

/* A moment: many calls long, and still short. */
static uint64_t moment(void) { return info->ticks_per_second / 4000; }

static void set_timer(uint64_t deadline) {
  undo(OWN, PV_NUMBER_TIMER_SET, UINT64_MAX, 0, 0);
  if (pv_timer_set(deadline).status != PV_STATUS_SUCCESS) {
    failed(__FILE__, __LINE__, "the timer can be set");
  }
}

/* Yields until the timer is pending; false: it was not for so many ticks. */
static bool timer_comes(uint64_t ticks) {
  uint64_t end = now() + ticks;
  while (!is_pending(OWN, PV_PORT_TIMER)) {
    if (now() > end) return false;
    pv_sched_yield();
  }
  return true;
}

/* ---- sched_yield ---- */

static void returns(void) {
  PvResult result = pv_sched_yield();
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, 0);
}

static void of_the_peer(void) {
  NEED_PEER();
  OK(call_on(PEER, PV_NUMBER_SCHED_YIELD, 0, 0, 0));
}

static void arguments_are_ignored(void) {
  OK(pv_call(PV_NUMBER_SCHED_YIELD, 1, 2, 3, 4, 5, UINT64_MAX));
}

const Test sched_yield_tests[] = {
    TEST(sched_yield, returns, "SCHED_YIELD.1 SCHED_YIELD.2"),
    TEST(sched_yield, of_the_peer, "SCHED_YIELD.1"),
    TEST(sched_yield, arguments_are_ignored, "SCHED_YIELD.2"),
    END,
};

/* ---- sched_block ---- */

static void pending_already(void) {
  Loop loop = loop_channel();
  OK(pv_event_send(loop.send));
  PvResult result = pv_sched_block();
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, 0);
  EQUAL(*vcpu_word(PV_VCPU_EVENTS_MASKED), 0);
  CHECK(take_event(loop.other));
}

static void until_the_timer(void) {
  uint64_t deadline = now() + moment();
  set_timer(deadline);
  OK(pv_sched_block());
  CHECK(now() >= deadline);
  CHECK(take_event(PV_PORT_TIMER));
}

static void masked_port_does_not_wake(void) {
  Loop loop = loop_channel();
  OK(pv_event_mask(loop.other, 1));
  OK(pv_event_send(loop.send));
  uint64_t deadline = now() + moment();
  set_timer(deadline);
  OK(pv_sched_block());
  CHECK(now() >= deadline);
  CHECK(is_pending(OWN, loop.other));
  CHECK(!take_event(loop.other));
}

const Test sched_block_tests[] = {
    TEST(sched_block, pending_already, "SCHED_BLOCK.1 SCHED_BLOCK.2 SCHED_BLOCK.3"),
    TEST(sched_block, until_the_timer, "SCHED_BLOCK.2 TIMER_SET.2"),
    TEST(sched_block, masked_port_does_not_wake, "SCHED_BLOCK.2 EVENT_SEND.5"),
    END,
};

/* ---- timer_set ---- */

static void passed(void) {
  set_timer(0);
  CHECK(is_pending(OWN, PV_PORT_TIMER));
  quieten();
  set_timer(1);
  CHECK(is_pending(OWN, PV_PORT_TIMER));
}

static void none(void) {
  set_timer(UINT64_MAX);
  CHECK(!timer_comes(2 * moment()));
}

static void replaced(void) {
  set_timer(now() + moment());
  set_timer(UINT64_MAX);
  CHECK(!timer_comes(2 * moment()));
  uint64_t deadline = now() + moment();
  set_timer(deadline + (1ull << 50));
  set_timer(deadline);
  CHECK(timer_comes(100 * moment()));
}

static void comes(void) {
  uint64_t deadline = now() + moment();
  set_timer(deadline);
  CHECK(timer_comes(100 * moment()));
  CHECK(now() >= deadline);
}

static void once(void) {
  set_timer(0);
  quieten();
  CHECK(!timer_comes(2 * moment()));
}

const Test timer_set_tests[] = {
    TEST(timer_set, passed, "TIMER_SET.3"),
    TEST(timer_set, none, "TIMER_SET.4"),
    TEST(timer_set, replaced, "TIMER_SET.1"),
    TEST(timer_set, comes, "TIMER_SET.2"),
    TEST(timer_set, once, "TIMER_SET.2"),
    END,
};
