/* A guest kernel in C that runs a part of the conformance suite, built from the published
   contract alone: the header `paravane.h` and the book.

   Command line:
     role=tester   run the tests and report on them; what a domain without a role does
     role=peer     do what the tester asks for
     peer=N        the other domain; a tester without one skips the tests that need it
     filter=TEXT   only tests whose name, such as pt_pin::tree, contains the text */

#include "suite.h"

PV_GUEST_NOTE(0, 0);

_Noreturn void start(const PvStartInfo *start_info);

static void say(const char *line) {
  Text text = {.length = 0};
  put(&text, line);
  write_line(PV_STREAM_TEXT, &text);
}

static _Noreturn void end(const char *trouble) {
  if (trouble != NULL) say(trouble);
  pv_shutdown(trouble == NULL ? PV_SHUTDOWN_REASON_POWER_OFF : PV_SHUTDOWN_REASON_CRASH);
  for (;;) {
  }
}

/* What stands behind `key=` on the command line, to the next space; false: nothing does. */
static bool option(const char *key, Text *value) {
  const uint8_t *line = info->command_line;
  uint64_t length = info->command_line_length;
  for (uint64_t at = 0; at < length; at++) {
    if (at > 0 && line[at - 1] != ' ') continue;
    uint64_t i = 0;
    while (key[i] != 0 && at + i < length && line[at + i] == (uint8_t)key[i]) i++;
    if (key[i] != 0) continue;
    value->length = 0;
    for (at += i; at < length && line[at] != ' ' && value->length < 100; at++) {
      value->bytes[value->length++] = (char)line[at];
    }
    value->bytes[value->length] = 0;
    return true;
  }
  return false;
}

static uint64_t number_in(const Text *text) {
  uint64_t number = 0;
  for (size_t i = 0; i < text->length; i++) number = number * 10 + (uint64_t)(text->bytes[i] - '0');
  return number;
}

/* Called by the entry. */
_Noreturn void start(const PvStartInfo *start_info) {
  info = start_info;
  if (info->magic != PV_START_MAGIC) pv_shutdown(PV_SHUTDOWN_REASON_CRASH);
  Text role, peer, filter;
  bool is_peer = option("role=", &role) && contains(role.bytes, "peer");
  bool has_other = option("peer=", &peer);
  if (!option("filter=", &filter)) filter.bytes[0] = 0;
  mask_events();
  if (register_traps() != PV_STATUS_SUCCESS) end("trap_register was refused");
  if (is_peer) {
    if (!has_other) end("a peer wants peer=N, the domain that tests");
    end(serve(number_in(&peer)) ? NULL : "the page for the tester cannot be granted");
  }
  if (has_other && !meet(number_in(&peer))) end("the peer has granted no page");
  run_tests(filter.bytes);
  stop_peer();
  end(NULL);
}
