/* Paravane: the contract between the hypervisor and guest kernels, for C.

   Generated from the Rust crate hypercall-abi, whose documentation and the book say what
   everything means. Not to be edited: change the crate, then run
   PARAVANE_BLESS=1 cargo test -p abi-header */

#ifndef PARAVANE_H
#define PARAVANE_H

#include <stdint.h>

/* Version and features. */
#define PV_VERSION_MAJOR 1ull
#define PV_VERSION_MINOR 3ull
#define PV_FEATURE_FLOATING_POINT 1ull
#define PV_FEATURE_AUDIT 2ull
#define PV_FEATURE_SHARING 4ull
#define PV_FEATURE_SPARE 8ull

/* Sizes and numbers. */
#define PV_CALL_COUNT 35ull
#define PV_STATUS_SUCCESS 0ull
#define PV_PAGE_SHIFT 12ull
#define PV_PAGE_SIZE 0x1000ull
#define PV_TABLE_ENTRIES 512ull
#define PV_MFN_NONE 0xffffffffffffffffull
#define PV_MFN_MAX 0xffffffffffull
#define PV_DOMAIN_SELF 0x7ff0ull
#define PV_PORT_COUNT 1024ull
#define PV_PORT_TIMER 1ull
#define PV_PORT_CONSOLE 2ull
#define PV_PORT_BALLOON 3ull
#define PV_PORT_FIRST_DYNAMIC 4ull
#define PV_HANDLE_MASK 0xffffffull

/* Limits and special arguments of calls. */
#define PV_PTE_UPDATE_MAX 256ull
#define PV_BALLOON_INFLATE_MAX 512ull
#define PV_BALLOON_DEFLATE_MAX 512ull
#define PV_BALLOON_REPORT_MAX 512ull
#define PV_REPORT_STATISTICS 0ull
#define PV_REPORT_FREE 1ull
#define PV_ORDER_FRAME 0ull
#define PV_ORDER_EXTENT 9ull
#define PV_EXTENT_FRAMES 512ull
#define PV_STATISTICS_VERSION 1ull
#define PV_STATISTICS_WHOLE 0x2710ull
#define PV_CONSOLE_WRITE_MAX 512ull
#define PV_BATCH_MAX 64ull
#define PV_ROOT_KEEP 0xffffffffffffffffull
#define PV_ROOT_CLEAR 0xfffffffffffffffeull
#define PV_GRANT_HANDLE_SHIFT 40ull
#define PV_GRANT_FRAME_MASK 0xffffffffffull
#define PV_FLUSH_ALL 0ull
#define PV_FLUSH_PAGE 1ull
#define PV_TARGET_ENTRY 0ull
#define PV_TARGET_KERNEL 1ull
#define PV_TARGET_USER 2ull
#define PV_TARGET_FLUSH 4ull
#define PV_TARGET_ENTRY_BY_PAGE 3ull
#define PV_TARGET_BY_PAGE 8ull
#define PV_P2M_REGISTER_MAX 64ull
#define PV_SHARE_ADVISE_MAX 0x8000ull
#define PV_SHARE_ADVISE_CONTENT_MAX 64ull
#define PV_SHARE_BREAK_MAX 512ull

/* Start information. */
#define PV_NAME_BYTES 32ull
#define PV_COMMAND_LINE_BYTES 1024ull
#define PV_START_MAGIC 0x454e415641524150ull
#define PV_START_INFO_PFN 0ull
#define PV_VCPU_PAGE_PFN 1ull
#define PV_ARGUMENT_PFN 2ull
#define PV_DEFAULT_PHYSMAP_BASE 0x2000000000ull
#define PV_BOOT_STACK_BYTES 0x10000ull

/* vCPU page: byte offsets. */
#define PV_VCPU_EVENTS_PENDING 0ull
#define PV_VCPU_EVENTS_MASKED 8ull
#define PV_VCPU_TRAP_DEPTH 16ull
#define PV_VCPU_TARGET_FRAMES 24ull
#define PV_VCPU_PENDING 64ull
#define PV_VCPU_MASK 192ull
#define PV_VCPU_EVENT_WORDS 16ull
#define PV_VCPU_TRAP_FRAMES 1024ull

/* Traps. */
#define PV_TRAP_FRAMES 8ull
#define PV_TRAP_USER 1ull
#define PV_TRAP_EVENTS_MASKED 2ull
#define PV_FAULT_READ 1ull
#define PV_FAULT_WRITE 2ull
#define PV_FAULT_EXECUTE 4ull
#define PV_FAULT_PRESENT 8ull

/* Page-table entries of x86-64. */
#define PV_X86_64_PRESENT 1ull
#define PV_X86_64_WRITABLE 2ull
#define PV_X86_64_USER 4ull
#define PV_X86_64_ACCESSED 32ull
#define PV_X86_64_DIRTY 64ull
#define PV_X86_64_SOFTWARE_LOW 3584ull
#define PV_X86_64_SOFTWARE_HIGH 0x7f0000000000000ull
#define PV_X86_64_NO_EXECUTE 0x8000000000000000ull
#define PV_X86_64_FRAME_MASK 0xffffffffff000ull

/* Page-table entries of riscv64. */
#define PV_RISCV64_VALID 1ull
#define PV_RISCV64_READ 2ull
#define PV_RISCV64_WRITE 4ull
#define PV_RISCV64_EXECUTE 8ull
#define PV_RISCV64_USER 16ull
#define PV_RISCV64_ACCESSED 64ull
#define PV_RISCV64_DIRTY 128ull
#define PV_RISCV64_SOFTWARE 768ull
#define PV_RISCV64_FRAME_MASK 0x3ffffffffffc00ull
#define PV_RISCV64_FRAME_SHIFT 10ull

/* ELF note. */
#define PV_NOTE_TYPE 1ull

// Number of a call, as it stands in `rax` or `a7`.
enum PvNumber {
  // `abi_query`
  PV_NUMBER_ABI_QUERY = 0,
  // `pt_create`
  PV_NUMBER_PT_CREATE = 1,
  // `pt_pin`
  PV_NUMBER_PT_PIN = 2,
  // `pt_unpin`
  PV_NUMBER_PT_UNPIN = 3,
  // `pt_switch`
  PV_NUMBER_PT_SWITCH = 4,
  // `pte_update`
  PV_NUMBER_PTE_UPDATE = 5,
  // `tlb_flush`
  PV_NUMBER_TLB_FLUSH = 6,
  // `balloon_inflate`
  PV_NUMBER_BALLOON_INFLATE = 7,
  // `balloon_deflate`
  PV_NUMBER_BALLOON_DEFLATE = 8,
  // `grant_share`
  PV_NUMBER_GRANT_SHARE = 9,
  // `grant_revoke`
  PV_NUMBER_GRANT_REVOKE = 10,
  // `grant_map`
  PV_NUMBER_GRANT_MAP = 11,
  // `grant_unmap`
  PV_NUMBER_GRANT_UNMAP = 12,
  // `event_alloc`
  PV_NUMBER_EVENT_ALLOC = 13,
  // `event_bind`
  PV_NUMBER_EVENT_BIND = 14,
  // `event_send`
  PV_NUMBER_EVENT_SEND = 15,
  // `event_mask`
  PV_NUMBER_EVENT_MASK = 16,
  // `event_close`
  PV_NUMBER_EVENT_CLOSE = 17,
  // `trap_register`
  PV_NUMBER_TRAP_REGISTER = 18,
  // `trap_return`
  PV_NUMBER_TRAP_RETURN = 19,
  // `sched_yield`
  PV_NUMBER_SCHED_YIELD = 20,
  // `sched_block`
  PV_NUMBER_SCHED_BLOCK = 21,
  // `timer_set`
  PV_NUMBER_TIMER_SET = 22,
  // `shutdown`
  PV_NUMBER_SHUTDOWN = 23,
  // `console_write`
  PV_NUMBER_CONSOLE_WRITE = 24,
  // `console_read`
  PV_NUMBER_CONSOLE_READ = 25,
  // `domain_query`
  PV_NUMBER_DOMAIN_QUERY = 26,
  // `batch`
  PV_NUMBER_BATCH = 27,
  // `balloon_report`
  PV_NUMBER_BALLOON_REPORT = 28,
  // `p2m_register`
  PV_NUMBER_P2M_REGISTER = 29,
  // `share_advise`
  PV_NUMBER_SHARE_ADVISE = 30,
  // `share_break`
  PV_NUMBER_SHARE_BREAK = 31,
  // `spare_put`
  PV_NUMBER_SPARE_PUT = 32,
  // `spare_get`
  PV_NUMBER_SPARE_GET = 33,
  // `spare_drop`
  PV_NUMBER_SPARE_DROP = 34,
};
typedef uint64_t PvNumber;

// Why a call was refused.
enum PvError {
  // No call has this number.
  PV_ERROR_UNKNOWN_CALL = 1,
  // An argument is outside its range or has reserved bits set.
  PV_ERROR_BAD_ARGUMENT = 2,
  // No frame of memory has this number: it lies beyond the end, in a hole or in a device.
  PV_ERROR_BAD_FRAME = 3,
  // The frame belongs to another domain, to the hypervisor or to nobody, and no live
  // grant handle of the caller names it.
  PV_ERROR_NOT_OWNER = 4,
  // What the frame is used as now forbids what is asked: a page table cannot be mapped
  // writable, a frame that is mapped writable cannot become a page table.
  PV_ERROR_TYPE_CONFLICT = 5,
  // The page-table entry sets bits that the format reserves or the hypervisor forbids.
  PV_ERROR_BAD_ENTRY = 6,
  // The level is not one of the page-table format, or not the level that the table has.
  PV_ERROR_BAD_LEVEL = 7,
  // The frame is not a validated page table.
  PV_ERROR_NOT_TABLE = 8,
  // The slot or the address lies in the hypervisor's range, or is not canonical.
  PV_ERROR_HYPERVISOR_RANGE = 9,
  // No page table of the address space reaches this virtual page.
  PV_ERROR_NOT_MAPPED = 10,
  // The frame, grant or handle is still referenced: take the references away first. Or
  // another vCPU's call is validating the table or taking it apart: try again.
  PV_ERROR_BUSY = 11,
  // The table is pinned already.
  PV_ERROR_ALREADY_PINNED = 12,
  // The table is not pinned.
  PV_ERROR_NOT_PINNED = 13,
  // A reference count has reached its largest value.
  PV_ERROR_COUNT_OVERFLOW = 14,
  // The hypervisor has no free frame.
  PV_ERROR_NO_MEMORY = 15,
  // The domain has reached its limit of this resource.
  PV_ERROR_QUOTA_EXCEEDED = 16,
  // No such domain, or it is being destroyed.
  PV_ERROR_NO_DOMAIN = 17,
  // The domain has no such grant, or it is not for the caller.
  PV_ERROR_NO_GRANT = 18,
  // The grant is for reading only.
  PV_ERROR_READ_ONLY_GRANT = 19,
  // The caller already has this frame mapped through a handle.
  PV_ERROR_ALREADY_MAPPED = 20,
  // No such live handle.
  PV_ERROR_NO_HANDLE = 21,
  // No such open port.
  PV_ERROR_NO_PORT = 22,
  // The port is not of the kind or in the state that the call needs.
  PV_ERROR_PORT_STATE = 23,
  // The caller has not the right to do this.
  PV_ERROR_NOT_PERMITTED = 24,
  // The call may not stand in a batch.
  PV_ERROR_NOT_IN_BATCH = 25,
  // The vCPU has not registered what the call needs (trap entry, user root).
  PV_ERROR_NOT_REGISTERED = 26,
  // The trap frame to return to cannot be used: none is held, its flags are not known, its
  // program counter lies outside the guest's range, or (x86-64) the base of `fs` or `gs` is
  // not canonical.
  PV_ERROR_BAD_TRAP_FRAME = 27,
  // The frame is one that several pages share, to be read only. It is no page's own: read the
  // P2M again, name the page instead of the frame, or have it made a frame of the caller's own
  // by `share_break`.
  PV_ERROR_MOVED = 28,
};
typedef uint64_t PvError;

// Why a trap was delivered.
enum PvCause {
  // An unmasked port is pending.
  PV_CAUSE_EVENT = 0,
  // `syscall` or `ecall` in virtual user mode. On riscv64 the program counter is that of
  // the `ecall` itself; on x86-64 of the instruction after `syscall`.
  PV_CAUSE_SYSTEM_CALL = 1,
  // Address translation failed; `address` is the address, `code` a `FaultAccess`.
  PV_CAUSE_PAGE_FAULT = 2,
  // The instruction does not exist or is privileged.
  PV_CAUSE_ILLEGAL_INSTRUCTION = 3,
  // A breakpoint instruction.
  PV_CAUSE_BREAKPOINT = 4,
  // Division by zero or overflow (x86-64).
  PV_CAUSE_DIVIDE_ERROR = 5,
  // An access that is not aligned as it must be; `address` is the address on riscv64.
  PV_CAUSE_MISALIGNED = 6,
  // A floating-point exception (x86-64).
  PV_CAUSE_FLOATING_POINT = 7,
  // A protection fault that is none of the others (x86-64 #GP, #NP, #SS); `code` is the
  // processor's error code.
  PV_CAUSE_PROTECTION = 8,
  // A single step or a hardware breakpoint (x86-64 #DB).
  PV_CAUSE_DEBUG = 9,
  // The address has a translation but no memory answers there; `address` is the address.
  PV_CAUSE_ACCESS_FAULT = 10,
};
typedef uint32_t PvCause;

// Level of a page table: 1 holds leaf entries, the root is level 3 (Sv39) or 4
// (x86-64, Sv48).
enum PvLevel {
  // Its entries map pages.
  PV_LEVEL_L1 = 1,
  // Its entries name level-1 tables.
  PV_LEVEL_L2 = 2,
  // Its entries name level-2 tables; the root of Sv39.
  PV_LEVEL_L3 = 3,
  // Its entries name level-3 tables; the root of x86-64 and Sv48.
  PV_LEVEL_L4 = 4,
};
typedef uint8_t PvLevel;

// The processor's page-table format.
enum PvPageTableFormat {
  // x86-64 with four levels.
  PV_PAGE_TABLE_FORMAT_X86_64 = 1,
  // RISC-V Sv39, three levels.
  PV_PAGE_TABLE_FORMAT_SV39 = 2,
  // RISC-V Sv48, four levels.
  PV_PAGE_TABLE_FORMAT_SV48 = 3,
};
typedef uint64_t PvPageTableFormat;

// What `abi_query` can be asked.
enum PvQuery {
  // The version: the major number above bit 16, the minor number below it.
  PV_QUERY_VERSION = 0,
  // The features that this hypervisor has: the bits of `Features`.
  PV_QUERY_FEATURES = 1,
  // The page-table format: a `PageTableFormat`.
  PV_QUERY_PAGE_TABLE_FORMAT = 2,
  // One more than the highest call number that this hypervisor knows.
  PV_QUERY_CALL_COUNT = 3,
};
typedef uint64_t PvQuery;

// A stream of bytes from a domain to its operator.
enum PvStream {
  // Text, UTF-8 as a rule.
  PV_STREAM_TEXT = 0,
  // defmt frames (`encoding-raw`), one whole frame a call.
  PV_STREAM_LOG = 1,
  // Test results and measurements, in a format of the two ends' own.
  PV_STREAM_REPORT = 2,
};
typedef uint64_t PvStream;

// What a granted frame may be used for.
enum PvAccess {
  // Reading only.
  PV_ACCESS_READ = 0,
  // Reading and writing.
  PV_ACCESS_READ_WRITE = 1,
};
typedef uint64_t PvAccess;

// Why a domain ends itself.
enum PvShutdownReason {
  // It has done what it was started for.
  PV_SHUTDOWN_REASON_POWER_OFF = 0,
  // Something went wrong in it: the run counts as failed.
  PV_SHUTDOWN_REASON_CRASH = 1,
};
typedef uint64_t PvShutdownReason;

// Number of a page in a guest's own contiguous memory `0..n`.
typedef uint64_t PvPfn;

// Number of a 4 KiB frame of real memory: its machine address divided by 4096.
//
// A guest may hold any number; only one that the domain owns, or that a live grant
// handle names, is worth anything. Range: below 2^40 (a 52-bit machine address).
typedef uint64_t PvMfn;

// A virtual address of the guest kernel or of one of its processes.
//
// The guest may use the low half of the address space, see
// `StartInfo::guest_end`.
typedef uint64_t PvVirtAddr;

// Identity of a domain. Never used again for another domain while the hypervisor runs,
// unless all of them have been used once.
typedef uint16_t PvDomainId;

// Number of an event channel's end within its domain, 1 to `Port::COUNT` − 1.
typedef uint32_t PvPort;

// Number of a grant within the domain that gives it.
typedef uint32_t PvGrantRef;

// Name of a mapped grant within the domain that mapped it: 24 bits, of which the upper
// twelve are a generation, so that an old handle does not name a new mapping.
typedef uint32_t PvGrantHandle;

// A status as it travels: 0 is success, any other value an `Error` or unknown.
typedef uint64_t PvStatus;

// Version of the interface.
typedef struct PvAbiVersion {
  // Changes when something that worked no longer does.
  uint16_t major;
  // Changes when something is added.
  uint16_t minor;
} PvAbiVersion;

// Set of optional parts of the interface. Unknown bits are kept.
typedef uint64_t PvFeatures;

// The page. Written once by the hypervisor, before the guest starts; the guest may do with
// it as it likes.
typedef struct PvStartInfo {
  // The bytes `PARAVANE`: `MAGIC`.
  uint64_t magic;
  // Version of the hypervisor's interface.
  struct PvAbiVersion version;
  // Who the guest is.
  PvDomainId domain;
  // vCPUs of the domain.
  uint16_t vcpus;
  // What the hypervisor has.
  PvFeatures features;
  // A `PageTableFormat`.
  uint64_t page_table_format;
  // Pages of the guest: pfns `0..frames`, each backed by a machine frame now.
  uint64_t frames;
  // Frames that the domain may own at most, through its balloon too.
  uint64_t max_frames;
  // First address that is the hypervisor's: the guest may use `0..guest_end`.
  uint64_t guest_end;
  // Ticks of the counter (`rdtsc`, `rdtime`) in a second.
  uint64_t ticks_per_second;
  // Where the guest's memory is mapped.
  uint64_t physmap_base;
  // Frame of the root of the page tables that the guest starts on; pinned.
  PvMfn root;
  // First page of the P2M.
  PvPfn p2m_pfn;
  // First page of the image.
  PvPfn image_pfn;
  // First page of the boot stack.
  PvPfn stack_pfn;
  // First page of the page tables.
  PvPfn tables_pfn;
  // First page that nothing uses.
  PvPfn free_pfn;
  // Bytes of `command_line` in use.
  uint64_t command_line_length;
  // Bytes of `name` in use.
  uint64_t name_length;
  // Name of the domain, UTF-8.
  uint8_t name[PV_NAME_BYTES];
  // First page of the module, which zeros follow to the end of its last page; 0 if there is
  // none. This field and the next are of version 1.1.
  PvPfn module_pfn;
  // Bytes of the module; 0 if there is none.
  uint64_t module_bytes;
  // Reserved: 0.
  uint64_t reserved[6];
  // Command line, UTF-8.
  uint8_t command_line[PV_COMMAND_LINE_BYTES];
} PvStartInfo;

// The first 64 bytes of the page. Each field has a word of its own.
typedef struct PvVcpuHeader {
  // Not 0: some unmasked port became pending. Set by the hypervisor, cleared by the guest.
  uint64_t events_pending;
  // Not 0: no event traps. Set by a trap; set and cleared by the guest, after which it
  // looks at `events_pending` itself.
  uint64_t events_masked;
  // Trap frames held, 0 to `TRAP_FRAMES`.
  uint64_t trap_depth;
  // Frames that the operator would like the domain to own, as `domain_query` tells them: set by
  // the hypervisor before it raises `Port::BALLOON`.
  uint64_t target_frames;
  // Reserved: 0.
  uint64_t reserved[4];
} PvVcpuHeader;

// x86-64: 24 words, 192 bytes.
typedef struct PvX86_64Registers {
  uint64_t fs_base;
  uint64_t gs_base;
  uint64_t r15;
  uint64_t r14;
  uint64_t r13;
  uint64_t r12;
  uint64_t r11;
  uint64_t r10;
  uint64_t r9;
  uint64_t r8;
  uint64_t rbp;
  uint64_t rdi;
  uint64_t rsi;
  uint64_t rdx;
  uint64_t rcx;
  uint64_t rbx;
  uint64_t rax;
  // Reserved: 0 in a trap frame, ignored on return.
  uint64_t reserved_vector;
  // Reserved: 0 in a trap frame, ignored on return.
  uint64_t reserved_error;
  uint64_t rip;
  // 0 in a trap frame, ignored on return: the guest's segments are fixed.
  uint64_t cs;
  // On return, only the arithmetic, direction, trap, AC and ID flags count.
  uint64_t rflags;
  uint64_t rsp;
  // 0 in a trap frame, ignored on return.
  uint64_t ss;
} PvX86_64Registers;

// riscv64: 32 words, 256 bytes.
typedef struct PvRiscv64Registers {
  uint64_t ra;
  uint64_t sp;
  uint64_t gp;
  uint64_t tp;
  uint64_t t0;
  uint64_t t1;
  uint64_t t2;
  uint64_t s0;
  uint64_t s1;
  uint64_t a0;
  uint64_t a1;
  uint64_t a2;
  uint64_t a3;
  uint64_t a4;
  uint64_t a5;
  uint64_t a6;
  uint64_t a7;
  uint64_t s2;
  uint64_t s3;
  uint64_t s4;
  uint64_t s5;
  uint64_t s6;
  uint64_t s7;
  uint64_t s8;
  uint64_t s9;
  uint64_t s10;
  uint64_t s11;
  uint64_t t3;
  uint64_t t4;
  uint64_t t5;
  uint64_t t6;
  uint64_t pc;
} PvRiscv64Registers;

// Why a trap was delivered, as it lies in the frame.
typedef uint32_t PvCauseBits;

// State of the vCPU that a trap interrupted. Unknown bits are kept, and refused on return.
typedef uint32_t PvTrapFlags;

// What a page fault tried to do: `code` of the frame.
typedef uint64_t PvFaultAccess;

// The first 32 bytes of a trap frame; the registers follow.
typedef struct PvTrapHeader {
  // A `Cause`. Ignored on return.
  PvCauseBits cause;
  // State of the interrupted vCPU, and to return to.
  PvTrapFlags flags;
  // A `FaultAccess` for a page fault, the processor's error code for a protection
  // fault, else 0. Ignored on return.
  uint64_t code;
  // The address that faulted, else 0. Ignored on return.
  uint64_t address;
  // Reserved: 0 in a trap frame, ignored on return.
  uint64_t reserved;
} PvTrapHeader;

// A trap frame of x86-64: 224 bytes.
typedef struct PvX86_64TrapFrame {
  // What happened.
  struct PvTrapHeader header;
  // The registers at that moment.
  struct PvX86_64Registers registers;
} PvX86_64TrapFrame;

// A trap frame of riscv64: 288 bytes.
typedef struct PvRiscv64TrapFrame {
  // What happened.
  struct PvTrapHeader header;
  // The registers at that moment.
  struct PvRiscv64Registers registers;
} PvRiscv64TrapFrame;

// Counts of a domain: 104 bytes at the start of the argument frame.
typedef struct PvDomainInfo {
  // The domain.
  PvDomainId domain;
  // Reserved: 0.
  uint16_t reserved[3];
  // Frames that it owns.
  uint64_t frames;
  // Frames that it may own at most.
  uint64_t max_frames;
  // Frames that it owns and that are validated page tables.
  uint64_t table_frames;
  // Page tables that are pinned.
  uint64_t pinned_tables;
  // Grants that it gives.
  uint64_t grants;
  // Grants of others that it has mapped.
  uint64_t handles;
  // Ports that are open, the well-known ones included.
  uint64_t ports;
  // Calls that it has made, elements of batches included.
  uint64_t calls;
  // Calls that were refused.
  uint64_t refusals;
  // Traps delivered to its kernel.
  uint64_t traps;
  // Frames that the operator would like it to own: where its balloon should go.
  uint64_t target_frames;
  // Frames that its kernel has reported as free and that have not come back.
  uint64_t reported_frames;
} PvDomainInfo;

// Counts of a kernel's memory in pages, and rates: 112 bytes at the start of the argument frame.
//
// Rates are events since the report before, divided by the seconds since. Pressure is as in
// Linux's pressure stall information: the part of the time in which some task, or every task that
// could run, waited for memory.
typedef struct PvBalloonStatistics {
  // `STATISTICS_VERSION`.
  uint64_t version;
  // Which report of the kernel's this is: it grows.
  uint64_t generation;
  // Pages that nobody uses.
  uint64_t free;
  // Pages that could be had without swapping: free pages and clean cache.
  uint64_t available;
  // Pages of files.
  uint64_t cache;
  // Pages that the kernel says it needs.
  uint64_t needed;
  // Holes that the balloon keeps.
  uint64_t balloon;
  // Page faults a second.
  uint64_t faults;
  // Pages a second that were read again after they had been let go.
  uint64_t refaults;
  // Pages a second that came from swap.
  uint64_t swapped_in;
  // Pages a second that went to swap.
  uint64_t swapped_out;
  // Times that the kernel was about to kill a process for want of memory, since it started.
  uint64_t shortages;
  // Some task waited: over 10 seconds, in parts of `WHOLE`.
  uint16_t some_over_10_s;
  // Some task waited: over 60 seconds.
  uint16_t some_over_60_s;
  // All tasks waited: over 10 seconds.
  uint16_t full_over_10_s;
  // All tasks waited: over 60 seconds.
  uint16_t full_over_60_s;
  // Reserved: 0.
  uint64_t reserved;
} PvBalloonStatistics;

// Descriptor of the note: 24 bytes.
typedef struct PvGuestNote {
  // The version that the guest was built for.
  struct PvAbiVersion version;
  // Reserved: 0.
  uint32_t reserved;
  // Features that the guest cannot do without: bits of `Features`.
  uint64_t required_features;
  // Where its memory is to be mapped: a multiple of 2 MiB, or 0 for
  // `DEFAULT_PHYSMAP_BASE`.
  uint64_t physmap_base;
} PvGuestNote;

// The six argument registers of a call, in order.
typedef uint64_t PvArgs[6];

// One call of a batch: 64 bytes.
typedef struct PvBatchEntry {
  // In: the call's number. Out: its `Status`.
  uint64_t number_or_status;
  // In: its arguments. Out: argument 0 holds the value; the others are as they were.
  PvArgs args;
  // Reserved: ignored.
  uint64_t reserved;
} PvBatchEntry;

// A `Target` as it travels: an address with three bits below it.
//
// | bits | meaning |
// |---|---|
// | 63:3 | `Target::Entry`: machine address of the entry. Else: virtual address of the page |
// | 3 | with a virtual address: the value names a page, see `TargetBits::by_page` |
// | 2 | flush the page's translation afterwards; only with a virtual address |
// | 1:0 | 0 entry, 1 virtual address below the kernel root, 2 below the user root, 3 entry whose value names a page |
typedef uint64_t PvTargetBits;

// One update: 16 bytes.
typedef struct PvUpdate {
  // Which entry.
  PvTargetBits target;
  // Its new value: an entry in the format of the architecture.
  uint64_t value;
} PvUpdate;

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

/* Calls. */

/* Status and value of a call. */
typedef struct PvResult {
  PvStatus status;
  uint64_t value;
} PvResult;

/* Makes a call. What it does to memory is for the caller to know. */
#if defined(__x86_64__)
static inline PvResult pv_call(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2,
                               uint64_t a3, uint64_t a4, uint64_t a5) {
  PvResult result;
  register uint64_t r10 __asm__("r10") = a3;
  register uint64_t r8 __asm__("r8") = a4;
  register uint64_t r9 __asm__("r9") = a5;
  __asm__ volatile("syscall"
                   : "=a"(result.status), "=d"(result.value)
                   : "a"(number), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory", "cc");
  return result;
}
#elif defined(__riscv) && __riscv_xlen == 64
static inline PvResult pv_call(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2,
                               uint64_t a3, uint64_t a4, uint64_t a5) {
  PvResult result;
  register uint64_t r0 __asm__("a0") = a0;
  register uint64_t r1 __asm__("a1") = a1;
  register uint64_t r2 __asm__("a2") = a2;
  register uint64_t r3 __asm__("a3") = a3;
  register uint64_t r4 __asm__("a4") = a4;
  register uint64_t r5 __asm__("a5") = a5;
  register uint64_t r7 __asm__("a7") = number;
  __asm__ volatile("ecall"
                   : "+r"(r0), "+r"(r1)
                   : "r"(r2), "r"(r3), "r"(r4), "r"(r5), "r"(r7)
                   : "memory");
  result.status = r0;
  result.value = r1;
  return result;
}
#else
#error "Paravane runs guests on x86-64 and riscv64"
#endif

static inline PvResult pv_abi_query(uint64_t query) {
  return pv_call(PV_NUMBER_ABI_QUERY, query, 0, 0, 0, 0, 0);
}

static inline PvResult pv_pt_create(uint64_t frame, uint64_t level) {
  return pv_call(PV_NUMBER_PT_CREATE, frame, level, 0, 0, 0, 0);
}

static inline PvResult pv_pt_pin(uint64_t frame, uint64_t level) {
  return pv_call(PV_NUMBER_PT_PIN, frame, level, 0, 0, 0, 0);
}

static inline PvResult pv_pt_unpin(uint64_t frame) {
  return pv_call(PV_NUMBER_PT_UNPIN, frame, 0, 0, 0, 0, 0);
}

static inline PvResult pv_pt_switch(uint64_t kernel_root, uint64_t user_root) {
  return pv_call(PV_NUMBER_PT_SWITCH, kernel_root, user_root, 0, 0, 0, 0);
}

static inline PvResult pv_pte_update(uint64_t count, uint64_t target, uint64_t value) {
  return pv_call(PV_NUMBER_PTE_UPDATE, count, target, value, 0, 0, 0);
}

static inline PvResult pv_tlb_flush(uint64_t scope, uint64_t address) {
  return pv_call(PV_NUMBER_TLB_FLUSH, scope, address, 0, 0, 0, 0);
}

static inline PvResult pv_balloon_inflate(uint64_t count, uint64_t order) {
  return pv_call(PV_NUMBER_BALLOON_INFLATE, count, order, 0, 0, 0, 0);
}

static inline PvResult pv_balloon_deflate(uint64_t count, uint64_t order) {
  return pv_call(PV_NUMBER_BALLOON_DEFLATE, count, order, 0, 0, 0, 0);
}

static inline PvResult pv_grant_share(uint64_t domain, uint64_t frame, uint64_t access) {
  return pv_call(PV_NUMBER_GRANT_SHARE, domain, frame, access, 0, 0, 0);
}

static inline PvResult pv_grant_revoke(uint64_t grant) {
  return pv_call(PV_NUMBER_GRANT_REVOKE, grant, 0, 0, 0, 0, 0);
}

static inline PvResult pv_grant_map(uint64_t domain, uint64_t grant, uint64_t access) {
  return pv_call(PV_NUMBER_GRANT_MAP, domain, grant, access, 0, 0, 0);
}

static inline PvResult pv_grant_unmap(uint64_t handle) {
  return pv_call(PV_NUMBER_GRANT_UNMAP, handle, 0, 0, 0, 0, 0);
}

static inline PvResult pv_event_alloc(uint64_t domain) {
  return pv_call(PV_NUMBER_EVENT_ALLOC, domain, 0, 0, 0, 0, 0);
}

static inline PvResult pv_event_bind(uint64_t domain, uint64_t port) {
  return pv_call(PV_NUMBER_EVENT_BIND, domain, port, 0, 0, 0, 0);
}

static inline PvResult pv_event_send(uint64_t port) {
  return pv_call(PV_NUMBER_EVENT_SEND, port, 0, 0, 0, 0, 0);
}

static inline PvResult pv_event_mask(uint64_t port, uint64_t masked) {
  return pv_call(PV_NUMBER_EVENT_MASK, port, masked, 0, 0, 0, 0);
}

static inline PvResult pv_event_close(uint64_t port) {
  return pv_call(PV_NUMBER_EVENT_CLOSE, port, 0, 0, 0, 0, 0);
}

static inline PvResult pv_trap_register(uint64_t entry, uint64_t stack) {
  return pv_call(PV_NUMBER_TRAP_REGISTER, entry, stack, 0, 0, 0, 0);
}

static inline PvResult pv_trap_return(uint64_t count) {
  return pv_call(PV_NUMBER_TRAP_RETURN, count, 0, 0, 0, 0, 0);
}

static inline PvResult pv_sched_yield(void) {
  return pv_call(PV_NUMBER_SCHED_YIELD, 0, 0, 0, 0, 0, 0);
}

static inline PvResult pv_sched_block(void) {
  return pv_call(PV_NUMBER_SCHED_BLOCK, 0, 0, 0, 0, 0, 0);
}

static inline PvResult pv_timer_set(uint64_t deadline) {
  return pv_call(PV_NUMBER_TIMER_SET, deadline, 0, 0, 0, 0, 0);
}

static inline PvResult pv_shutdown(uint64_t reason) {
  return pv_call(PV_NUMBER_SHUTDOWN, reason, 0, 0, 0, 0, 0);
}

static inline PvResult pv_console_write(uint64_t stream, uint64_t length) {
  return pv_call(PV_NUMBER_CONSOLE_WRITE, stream, length, 0, 0, 0, 0);
}

static inline PvResult pv_console_read(uint64_t capacity) {
  return pv_call(PV_NUMBER_CONSOLE_READ, capacity, 0, 0, 0, 0, 0);
}

static inline PvResult pv_domain_query(uint64_t domain) {
  return pv_call(PV_NUMBER_DOMAIN_QUERY, domain, 0, 0, 0, 0, 0);
}

static inline PvResult pv_batch(uint64_t count) {
  return pv_call(PV_NUMBER_BATCH, count, 0, 0, 0, 0, 0);
}

static inline PvResult pv_balloon_report(uint64_t what, uint64_t count, uint64_t order) {
  return pv_call(PV_NUMBER_BALLOON_REPORT, what, count, order, 0, 0, 0);
}

static inline PvResult pv_p2m_register(uint64_t count) {
  return pv_call(PV_NUMBER_P2M_REGISTER, count, 0, 0, 0, 0, 0);
}

static inline PvResult pv_share_advise(uint64_t first, uint64_t count, uint64_t advice, uint64_t content) {
  return pv_call(PV_NUMBER_SHARE_ADVISE, first, count, advice, content, 0, 0);
}

static inline PvResult pv_share_break(uint64_t first, uint64_t count) {
  return pv_call(PV_NUMBER_SHARE_BREAK, first, count, 0, 0, 0, 0);
}

static inline PvResult pv_spare_put(uint64_t frame, uint64_t object, uint64_t index) {
  return pv_call(PV_NUMBER_SPARE_PUT, frame, object, index, 0, 0, 0);
}

static inline PvResult pv_spare_get(uint64_t frame, uint64_t object, uint64_t index) {
  return pv_call(PV_NUMBER_SPARE_GET, frame, object, index, 0, 0, 0);
}

static inline PvResult pv_spare_drop(uint64_t object, uint64_t index) {
  return pv_call(PV_NUMBER_SPARE_DROP, object, index, 0, 0, 0, 0);
}

#endif /* PARAVANE_H */
