/* The guest's memory: the P2M, the physmap, the pages at fixed places. */

#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "paravane.h"

#include "arch.h"

/* The start information. */
extern const PvStartInfo *info;

/* ANCHOR: memory */
/* Where a page is mapped in the physmap. */
static inline uint64_t address_of(PvPfn page) {
  return info->physmap_base + page * PV_PAGE_SIZE;
}

/* The words of a page, read and written as they stand. */
static inline volatile uint64_t *words_of(PvPfn page) {
  return (volatile uint64_t *)address_of(page);
}

/* The slot of a page in the P2M. */
static inline volatile uint64_t *p2m_slot(PvPfn page) { return words_of(info->p2m_pfn) + page; }

/* The machine frame of a page. */
static inline PvMfn frame_of(PvPfn page) { return *p2m_slot(page); }

/* The argument frame. */
static inline volatile uint64_t *argument(void) { return words_of(PV_ARGUMENT_PFN); }

/* A word of the vCPU page, by its offset in bytes. */
static inline volatile uint64_t *vcpu_word(uint64_t offset) {
  return words_of(PV_VCPU_PAGE_PFN) + offset / 8;
}

/* Level of the root. */
static inline uint64_t root_level(void) {
  return info->page_table_format == PV_PAGE_TABLE_FORMAT_SV39 ? 3 : 4;
}

/* The slot of an address in a table of that level. */
static inline uint64_t slot(uint64_t address, uint64_t level) {
  return address >> (PV_PAGE_SHIFT + 9 * (level - 1)) & (PV_TABLE_ENTRIES - 1);
}

/* Targets of pte_update: an entry of a table; a page below the kernel root, or the user root,
   whose translation is then flushed. */
static inline uint64_t entry_target(PvMfn table, uint64_t index) {
  return (table << PV_PAGE_SHIFT | index * 8) | PV_TARGET_ENTRY;
}

static inline uint64_t page_target(uint64_t address) {
  return address | PV_TARGET_FLUSH | PV_TARGET_KERNEL;
}

static inline uint64_t process_target(uint64_t address) {
  return address | PV_TARGET_FLUSH | PV_TARGET_USER;
}

/* ANCHOR_END: memory */

/* Maps a page of the physmap anew; its frame stays. */
PvStatus remap(PvPfn page, Permit permit);

/* Unmaps a page of the physmap. */
PvStatus unmap(PvPfn page);

#endif
