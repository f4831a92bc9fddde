/* abi_query. */

#include "suite.h"

static void version(void) {
  PvResult result = pv_abi_query(PV_QUERY_VERSION);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value >> 16, info->version.major);
  EQUAL(result.value & 0xffff, info->version.minor);
  EQUAL(info->version.major, PV_VERSION_MAJOR);
  CHECK(info->version.minor >= PV_VERSION_MINOR);
}

static void features(void) {
  PvResult result = pv_abi_query(PV_QUERY_FEATURES);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, info->features);
}

static void page_table_format(void) {
  PvResult result = pv_abi_query(PV_QUERY_PAGE_TABLE_FORMAT);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, info->page_table_format);
#if defined(__x86_64__)
  EQUAL(result.value, PV_PAGE_TABLE_FORMAT_X86_64);
#else
  CHECK(result.value == PV_PAGE_TABLE_FORMAT_SV39 || result.value == PV_PAGE_TABLE_FORMAT_SV48);
#endif
}

static void call_count(void) {
  PvResult result = pv_abi_query(PV_QUERY_CALL_COUNT);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  CHECK(result.value >= PV_CALL_COUNT);
}

static void unknown_query(void) {
  REFUSED(pv_abi_query(PV_QUERY_CALL_COUNT + 1), PV_ERROR_BAD_ARGUMENT);
  REFUSED(pv_abi_query(1ull << 32), PV_ERROR_BAD_ARGUMENT);
  REFUSED(pv_abi_query(UINT64_MAX), PV_ERROR_BAD_ARGUMENT);
}

static void unknown_calls(void) {
  uint64_t count = pv_abi_query(PV_QUERY_CALL_COUNT).value;
  const uint64_t numbers[] = {count, 1000, 1ull << 32, UINT64_MAX};
  for (int i = 0; i < 4; i++) {
    REFUSED(pv_call(numbers[i], 0, 0, 0, 0, 0, 0), PV_ERROR_UNKNOWN_CALL);
  }
}

static void other_arguments_are_ignored(void) {
  PvResult result = pv_call(PV_NUMBER_ABI_QUERY, PV_QUERY_VERSION, 1, 2, 3, 4, UINT64_MAX);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, pv_abi_query(PV_QUERY_VERSION).value);
}

const Test abi_query_tests[] = {
    TEST(abi_query, version, "ABI_QUERY.2 VERSION.1"),
    TEST(abi_query, features, "ABI_QUERY.3 VERSION.5"),
    TEST(abi_query, page_table_format, "ABI_QUERY.4"),
    TEST(abi_query, call_count, "ABI_QUERY.5"),
    TEST(abi_query, unknown_query, "ABI_QUERY.1 ERROR.3"),
    TEST(abi_query, unknown_calls, "ERROR.1 ERROR.3 CALL.2"),
    TEST(abi_query, other_arguments_are_ignored, "ABI_QUERY.2 CALL.3"),
    END,
};
