/* batch. */

#include "suite.h"

static volatile PvBatchEntry *entries(void) { return (volatile PvBatchEntry *)argument(); }

static void set_entry(uint64_t index, uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2) {
  volatile PvBatchEntry *entry = &entries()[index];
  const uint64_t args[6] = {a0, a1, a2, 3, 4, 5};
  entry->number_or_status = number;
  for (int i = 0; i < 6; i++) entry->args[i] = args[i];
  entry->reserved = 0x77;
}

static void several(void) {
  set_entry(0, PV_NUMBER_ABI_QUERY, PV_QUERY_VERSION, 0, 0);
  set_entry(1, PV_NUMBER_ABI_QUERY, PV_QUERY_CALL_COUNT, 0, 0);
  PvResult result = pv_batch(2);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, 2);
  EQUAL(entries()[0].number_or_status, PV_STATUS_SUCCESS);
  EQUAL(entries()[0].args[0], pv_abi_query(PV_QUERY_VERSION).value);
  EQUAL(entries()[1].args[0], pv_abi_query(PV_QUERY_CALL_COUNT).value);
}

static void largest(void) {
  for (uint64_t i = 0; i < PV_BATCH_MAX; i++) {
    set_entry(i, PV_NUMBER_ABI_QUERY, PV_QUERY_VERSION, 0, 0);
  }
  PvResult result = pv_batch(PV_BATCH_MAX);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, PV_BATCH_MAX);
}

static void goes_on_after_a_refusal(void) {
  set_entry(0, PV_NUMBER_ABI_QUERY, UINT64_MAX, 0, 0);
  set_entry(1, PV_NUMBER_ABI_QUERY, PV_QUERY_VERSION, 0, 0);
  PvResult result = pv_batch(2);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, 2);
  EQUAL(entries()[0].number_or_status, PV_ERROR_BAD_ARGUMENT);
  EQUAL(entries()[0].args[0], 0);
  EQUAL(entries()[1].number_or_status, PV_STATUS_SUCCESS);
}

static void entries_see_each_other(void) {
  PvMfn frame = frame_of(quiet_page());
  undo(OWN, PV_NUMBER_PT_UNPIN, frame, 0, 0);
  set_entry(0, PV_NUMBER_PT_CREATE, frame, 1, 0);
  set_entry(1, PV_NUMBER_PT_UNPIN, frame, 0, 0);
  set_entry(2, PV_NUMBER_PT_UNPIN, frame, 0, 0);
  OK(pv_batch(3));
  EQUAL(entries()[0].number_or_status, PV_STATUS_SUCCESS);
  EQUAL(entries()[1].number_or_status, PV_STATUS_SUCCESS);
  EQUAL(entries()[2].number_or_status, PV_ERROR_NOT_TABLE);
}

static void rest_of_the_entry_stays(void) {
  set_entry(0, PV_NUMBER_ABI_QUERY, PV_QUERY_VERSION, 1, 2);
  OK(pv_batch(1));
  for (uint64_t i = 1; i < 6; i++) EQUAL(entries()[0].args[i], i);
  EQUAL(entries()[0].reserved, 0x77);
}

static void bad_count(void) {
  REFUSED(pv_batch(0), PV_ERROR_BAD_ARGUMENT);
  REFUSED(pv_batch(PV_BATCH_MAX + 1), PV_ERROR_BAD_ARGUMENT);
}

static void not_in_batch(void) {
  const uint64_t numbers[] = {
      PV_NUMBER_BALLOON_INFLATE, PV_NUMBER_BALLOON_DEFLATE, PV_NUMBER_CONSOLE_WRITE,
      PV_NUMBER_CONSOLE_READ,    PV_NUMBER_DOMAIN_QUERY,    PV_NUMBER_TRAP_RETURN,
      PV_NUMBER_SCHED_YIELD,     PV_NUMBER_SCHED_BLOCK,     PV_NUMBER_SHUTDOWN,
      PV_NUMBER_BATCH,           PV_NUMBER_PTE_UPDATE};
  uint64_t count = sizeof numbers / sizeof *numbers;
  for (uint64_t i = 0; i < count; i++) set_entry(i, numbers[i], 1, 0, 0);
  OK(pv_batch(count));
  for (uint64_t i = 0; i < count; i++) {
    EQUAL(entries()[i].number_or_status, PV_ERROR_NOT_IN_BATCH);
  }
}

static void unknown_calls(void) {
  set_entry(0, 1000, 0, 0, 0);
  set_entry(1, UINT64_MAX, 0, 0, 0);
  OK(pv_batch(2));
  EQUAL(entries()[0].number_or_status, PV_ERROR_UNKNOWN_CALL);
  EQUAL(entries()[1].number_or_status, PV_ERROR_UNKNOWN_CALL);
}

const Test batch_tests[] = {
    TEST(batch, several, "BATCH.3 BATCH.4"),
    TEST(batch, largest, "BATCH.1"),
    TEST(batch, goes_on_after_a_refusal, "BATCH.4 BATCH.5"),
    TEST(batch, entries_see_each_other, "BATCH.3"),
    TEST(batch, rest_of_the_entry_stays, "BATCH.4"),
    TEST(batch, bad_count, "BATCH.1"),
    TEST(batch, not_in_batch, "BATCH.2"),
    TEST(batch, unknown_calls, "BATCH.3"),
    END,
};
