/* Lines of text. */

#include "text.h"

#include "memory.h"

static void put_byte(Text *text, char byte) {
  if (text->length < sizeof text->bytes) text->bytes[text->length++] = byte;
}

void put(Text *text, const char *string) {
  while (*string != 0) put_byte(text, *string++);
}

static void put_in_base(Text *text, uint64_t number, uint64_t base) {
  char digits[20];
  size_t count = 0;
  do {
    digits[count++] = "0123456789abcdef"[number % base];
    number /= base;
  } while (number != 0);
  while (count > 0) put_byte(text, digits[--count]);
}

void put_number(Text *text, uint64_t number) { put_in_base(text, number, 10); }

void put_hex(Text *text, uint64_t number) {
  put(text, "0x");
  put_in_base(text, number, 16);
}

void write_line(PvStream stream, const Text *text) {
  volatile char *bytes = (volatile char *)argument();
  for (size_t i = 0; i < text->length; i++) bytes[i] = text->bytes[i];
  bytes[text->length] = '\n';
  pv_console_write(stream, text->length + 1);
}

bool contains(const char *text, const char *part) {
  for (; *text != 0; text++) {
    size_t i = 0;
    while (part[i] != 0 && text[i] == part[i]) i++;
    if (part[i] == 0) return true;
  }
  return *part == 0;
}
