/* console_write and console_read. */

#include "suite.h"

static PvResult write_text(const char *string) {
  volatile char *bytes = (volatile char *)argument();
  uint64_t length = 0;
  for (; string[length] != 0; length++) bytes[length] = string[length];
  return pv_console_write(PV_STREAM_TEXT, length);
}

/* ---- console_write ---- */

static void text(void) {
  PvResult result = write_text("a line of the C guest\n");
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, 0);
}

static void one_byte(void) { OK(write_text("\n")); }

static void longest(void) {
  volatile char *bytes = (volatile char *)argument();
  for (uint64_t i = 0; i < PV_CONSOLE_WRITE_MAX; i++) bytes[i] = i % 64 == 63 ? '\n' : '.';
  OK(pv_console_write(PV_STREAM_TEXT, PV_CONSOLE_WRITE_MAX));
}

static void bad_stream(void) {
  REFUSED(pv_console_write(3, 1), PV_ERROR_BAD_ARGUMENT);
  REFUSED(pv_console_write(UINT64_MAX, 1), PV_ERROR_BAD_ARGUMENT);
}

static void bad_length(void) {
  REFUSED(pv_console_write(PV_STREAM_TEXT, 0), PV_ERROR_BAD_ARGUMENT);
  REFUSED(pv_console_write(PV_STREAM_TEXT, PV_CONSOLE_WRITE_MAX + 1), PV_ERROR_BAD_ARGUMENT);
  REFUSED(pv_console_write(PV_STREAM_TEXT, UINT64_MAX), PV_ERROR_BAD_ARGUMENT);
}

const Test console_write_tests[] = {
    TEST(console_write, text, "CONSOLE_WRITE.3"),
    TEST(console_write, one_byte, "CONSOLE_WRITE.2 CONSOLE_WRITE.3"),
    TEST(console_write, longest, "CONSOLE_WRITE.2 CONSOLE_WRITE.3"),
    TEST(console_write, bad_stream, "CONSOLE_WRITE.1"),
    TEST(console_write, bad_length, "CONSOLE_WRITE.2"),
    END,
};

/* ---- console_read ---- */

static void nothing_waits(void) {
  for (int i = 0; i < 512; i++) argument()[i] = 0x5a5a;
  PvResult result = pv_console_read(PV_PAGE_SIZE);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, 0);
  for (int i = 0; i < 512; i++) EQUAL(argument()[i], 0x5a5a);
}

static void bad_capacity(void) {
  REFUSED(pv_console_read(0), PV_ERROR_BAD_ARGUMENT);
  REFUSED(pv_console_read(PV_PAGE_SIZE + 1), PV_ERROR_BAD_ARGUMENT);
}

const Test console_read_tests[] = {
    TEST(console_read, nothing_waits, "CONSOLE_READ.2 CONSOLE_READ.3"),
    TEST(console_read, bad_capacity, "CONSOLE_READ.1"),
    END,
};
