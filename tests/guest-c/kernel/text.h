/* Lines of text for the operator. */

#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "paravane.h"

/* A line, cut where it does not fit. */
typedef struct {
  char bytes[480];
  size_t length;
} Text;

void put(Text *text, const char *string);
void put_number(Text *text, uint64_t number);
void put_hex(Text *text, uint64_t number);

/* Writes the line, and its end, to a stream of the console. */
void write_line(PvStream stream, const Text *text);

/* Whether `text` contains `part`. */
bool contains(const char *text, const char *part);

#endif
