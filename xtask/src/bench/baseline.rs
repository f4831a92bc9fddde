//! Xen's figures and ours to reach, in guest instructions.
//!
//! Xen 4.17.7 with a 64-bit PV kernel as its first domain, QEMU 7.2, `-cpu qemu64 -smp 1
//! -icount shift=0,sleep=off`, no mitigations; medians, an empty `rdtsc` pair subtracted,
//! the guest's own stub included. Two runs are identical.

/// One operation.
pub struct Baseline {
    /// The name in a [`BenchRow`](pv_wire::BenchRow).
    pub key: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// Xen's figure.
    pub xen: u64,
    /// Ours, at most.
    pub target: u64,
}

const fn line(key: &'static str, title: &'static str, xen: u64, target: u64) -> Baseline {
    Baseline { key, title, xen, target }
}

/// Every operation that Xen was measured at.
pub const BASELINE: &[Baseline] = &[
    line("null_hypercall", "null hypercall", 280, 90),
    line("invalid_hypercall", "invalid hypercall number", 235, 80),
    line("batch_null_64", "batch of 64 nulls, per call", 207, 40),
    line("pte_change", "one PTE update: change frame, writable", 1153, 260),
    line("pte_unmap", "one PTE update: present to 0", 876, 200),
    line("pte_map", "one PTE update: 0 to present", 971, 220),
    line("pte_protect", "one PTE update: writable to read-only", 1063, 220),
    line("pte_by_address", "one PTE update by virtual address, invalidated", 1007, 240),
    line("pte_change_512", "batch of 512 PTE changes, per entry", 702, 130),
    line("pte_unmap_512", "batch of 512 PTE unmaps, per entry", 462, 80),
    line("pte_map_512", "batch of 512 PTE maps, per entry", 557, 90),
    line("pin_empty", "pin a level-1 table, empty", 9940, 2500),
    line("unpin_empty", "unpin a level-1 table, empty", 8936, 2500),
    line("pin_512", "pin a level-1 table, 512 writable entries", 105_684, 25_000),
    line("unpin_512", "unpin a level-1 table, 512 writable entries", 83_176, 20_000),
    line("pin_tree_1", "pin a 4-level tree that maps 1 page", 57_654, 12_000),
    line("unpin_tree_1", "unpin a 4-level tree that maps 1 page", 60_275, 12_000),
    line("pin_tree_1024", "pin a 4-level tree that maps 1024 pages", 258_478, 65_000),
    line("unpin_tree_1024", "unpin a 4-level tree that maps 1024 pages", 217_058, 50_000),
    line("link_table", "link a level-1 table already pinned", 1041, 250),
    line("unlink_table", "unlink a level-1 table still pinned", 1376, 250),
    line("switch_kernel", "page-table root switch, kernel", 1058, 200),
    line("switch_space", "address-space switch, both roots", 1722, 300),
    line("fault_kernel", "page fault in the kernel and back", 719, 260),
    line("fault_process", "page fault in a process and back", 842, 320),
    line("fault_process_map", "page fault in a process, with one PTE update", 1783, 500),
    line("system_call", "system call of a process and back", 696, 250),
    line("event_self_masked", "event to oneself, masked", 484, 140),
    line("event_self", "event to oneself, delivered, returned from", 902, 330),
    line("event_round_trip", "event round trip between two domains", 7863, 1500),
    line("yield_round_trip", "yield round trip between two domains", 5356, 900),
    line("grant_map", "grant map, another domain's page", 1327, 300),
    line("grant_unmap", "grant unmap, another domain's page", 1504, 300),
    line("grant_map_32", "grant map, batch of 32, per grant", 1007, 150),
    line("grant_unmap_32", "grant unmap, batch of 32, per grant", 975, 150),
    line("balloon_inflate_1", "balloon inflate, 1 page, scrubbing apart", 1123, 300),
    line("balloon_deflate_1", "balloon deflate, 1 page, scrubbing apart", 1649, 350),
    line("balloon_inflate_512", "balloon inflate, batch of 512, per page", 788, 90),
    line("balloon_deflate_512", "balloon deflate, batch of 512, per page", 1099, 110),
    line("timer_set", "set a one-shot timer", 555, 180),
    line("console_write_1", "console write, 1 byte", 1014, 400),
];
