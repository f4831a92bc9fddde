/* The ELF note of a guest: write it once, at the top level of one file. `features` are those
   that the guest cannot do without, `physmap` where its memory is to be mapped (0: the
   default). The linker script keeps `.note.paravane` in a PT_NOTE segment. */
#define PV_GUEST_NOTE(features, physmap)                                                   \
  __attribute__((section(".note.paravane"), used, aligned(4))) static const struct         \
      __attribute__((packed, aligned(4))) {                                                \
    uint32_t name_size;                                                                    \
    uint32_t descriptor_size;                                                              \
    uint32_t note_type;                                                                    \
    char name[12];                                                                         \
    PvGuestNote descriptor;                                                                \
  } pv_guest_note = {9,                                                                    \
                     sizeof(PvGuestNote),                                                  \
                     PV_NOTE_TYPE,                                                         \
                     "Paravane",                                                           \
                     {{PV_VERSION_MAJOR, PV_VERSION_MINOR}, 0, (features), (physmap)}}

