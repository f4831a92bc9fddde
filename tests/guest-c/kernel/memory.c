/* The guest's memory. */

#include "memory.h"


const PvStartInfo *info;

PvStatus remap(PvPfn page, Permit permit) {
  uint64_t entry = leaf(frame_of(page), permit);
  return pv_pte_update(0, page_target(address_of(page)), entry).status;
}

PvStatus unmap(PvPfn page) { return pv_pte_update(0, page_target(address_of(page)), 0).status; }

/* A compiler may call these four, in a freestanding program too. */

void *memset(void *to, int byte, size_t count) {
  volatile uint8_t *bytes = to;
  for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)byte;
  return to;
}

void *memcpy(void *to, const void *from, size_t count) {
  volatile uint8_t *bytes = to;
  for (size_t i = 0; i < count; i++) bytes[i] = ((const uint8_t *)from)[i];
  return to;
}

void *memmove(void *to, const void *from, size_t count) {
  volatile uint8_t *bytes = to;
  const uint8_t *source = from;
  if (bytes < source) return memcpy(to, from, count);
  while (count-- > 0) bytes[count] = source[count];
  return to;
}

int memcmp(const void *left, const void *right, size_t count) {
  const uint8_t *a = left, *b = right;
  for (size_t i = 0; i < count; i++)
    if (a[i] != b[i]) return a[i] - b[i];
  return 0;
}
