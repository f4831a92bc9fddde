//! What cbindgen does not see, as names and values: constants of methods, of macros, of
//! modules that use the same name; and the arguments of each call.

use hypercall_abi::{
    AbiVersion, DomainId, Features, GrantHandle, Mfn, Number, PAGE_SHIFT, PAGE_SIZE, Port, Status,
    addr::TABLE_ENTRIES,
    balloon_statistics,
    calls::{
        balloon_deflate, balloon_inflate, balloon_report, batch, console_write,
        grant_map::MappedGrant, pt_switch::RootChange, pte_update,
    },
    extent::{EXTENT_FRAMES, Order},
    note, pte, start_info,
    trap::{FaultAccess, TRAP_FRAMES, TrapFlags},
    vcpu_page,
};

/// A group of constants: its heading, then names (after `PV_`) and values.
pub type Group = (&'static str, Vec<(&'static str, u64)>);

/// Each call with the names of its arguments.
pub const CALLS: &[(Number, &[&str])] = &[
    (Number::AbiQuery, &["query"]),
    (Number::PtCreate, &["frame", "level"]),
    (Number::PtPin, &["frame", "level"]),
    (Number::PtUnpin, &["frame"]),
    (Number::PtSwitch, &["kernel_root", "user_root"]),
    (Number::PteUpdate, &["count", "target", "value"]),
    (Number::TlbFlush, &["scope", "address"]),
    (Number::BalloonInflate, &["count", "order"]),
    (Number::BalloonDeflate, &["count", "order"]),
    (Number::GrantShare, &["domain", "frame", "access"]),
    (Number::GrantRevoke, &["grant"]),
    (Number::GrantMap, &["domain", "grant", "access"]),
    (Number::GrantUnmap, &["handle"]),
    (Number::EventAlloc, &["domain"]),
    (Number::EventBind, &["domain", "port"]),
    (Number::EventSend, &["port"]),
    (Number::EventMask, &["port", "masked"]),
    (Number::EventClose, &["port"]),
    (Number::TrapRegister, &["entry", "stack"]),
    (Number::TrapReturn, &["count"]),
    (Number::SchedYield, &[]),
    (Number::SchedBlock, &[]),
    (Number::TimerSet, &["deadline"]),
    (Number::Shutdown, &["reason"]),
    (Number::ConsoleWrite, &["stream", "length"]),
    (Number::ConsoleRead, &["capacity"]),
    (Number::DomainQuery, &["domain"]),
    (Number::Batch, &["count"]),
    (Number::BalloonReport, &["what", "count", "order"]),
];

/// Every constant.
pub fn groups() -> Vec<Group> {
    use pte::{riscv64::Flags as R, x86_64::Flags as X};
    vec![
        (
            "Version and features",
            vec![
                ("VERSION_MAJOR", AbiVersion::CURRENT.major.into()),
                ("VERSION_MINOR", AbiVersion::CURRENT.minor.into()),
                ("FEATURE_FLOATING_POINT", Features::FLOATING_POINT.bits()),
                ("FEATURE_AUDIT", Features::AUDIT.bits()),
            ],
        ),
        (
            "Sizes and numbers",
            vec![
                ("CALL_COUNT", Number::COUNT as u64),
                ("STATUS_SUCCESS", Status::SUCCESS.0),
                ("PAGE_SHIFT", PAGE_SHIFT.into()),
                ("PAGE_SIZE", PAGE_SIZE),
                ("TABLE_ENTRIES", TABLE_ENTRIES),
                ("MFN_NONE", Mfn::NONE.0),
                ("MFN_MAX", Mfn::MAX.0),
                ("DOMAIN_SELF", DomainId::SELF.0.into()),
                ("PORT_COUNT", Port::COUNT.into()),
                ("PORT_TIMER", Port::TIMER.0.into()),
                ("PORT_CONSOLE", Port::CONSOLE.0.into()),
                ("PORT_BALLOON", Port::BALLOON.0.into()),
                ("PORT_FIRST_DYNAMIC", Port::FIRST_DYNAMIC.0.into()),
                ("HANDLE_MASK", GrantHandle::MASK.into()),
            ],
        ),
        (
            "Limits and special arguments of calls",
            vec![
                ("PTE_UPDATE_MAX", pte_update::MAX_UPDATES),
                ("BALLOON_INFLATE_MAX", balloon_inflate::MAX_FRAMES),
                ("BALLOON_DEFLATE_MAX", balloon_deflate::MAX_FRAMES),
                ("BALLOON_REPORT_MAX", balloon_report::MAX_FRAMES),
                ("REPORT_STATISTICS", 0),
                ("REPORT_FREE", 1),
                ("ORDER_FRAME", Order::Frame.encode()),
                ("ORDER_EXTENT", Order::Extent.encode()),
                ("EXTENT_FRAMES", EXTENT_FRAMES),
                ("STATISTICS_VERSION", balloon_statistics::STATISTICS_VERSION),
                ("STATISTICS_WHOLE", balloon_statistics::WHOLE.into()),
                ("CONSOLE_WRITE_MAX", console_write::MAX_BYTES),
                ("BATCH_MAX", batch::MAX_ENTRIES),
                ("ROOT_KEEP", RootChange::Keep.to_value()),
                ("ROOT_CLEAR", RootChange::Clear.to_value()),
                ("GRANT_HANDLE_SHIFT", MappedGrant::HANDLE_SHIFT.into()),
                ("GRANT_FRAME_MASK", MappedGrant::FRAME_MASK),
                ("FLUSH_ALL", 0),
                ("FLUSH_PAGE", 1),
                ("TARGET_ENTRY", 0),
                ("TARGET_KERNEL", 1),
                ("TARGET_USER", 2),
                ("TARGET_FLUSH", 4),
            ],
        ),
        (
            "Start information",
            vec![
                ("NAME_BYTES", start_info::NAME_BYTES as u64),
                ("COMMAND_LINE_BYTES", start_info::COMMAND_LINE_BYTES as u64),
                ("START_MAGIC", start_info::MAGIC),
                ("START_INFO_PFN", start_info::START_INFO_PFN.0),
                ("VCPU_PAGE_PFN", start_info::VCPU_PAGE_PFN.0),
                ("ARGUMENT_PFN", start_info::ARGUMENT_PFN.0),
                ("DEFAULT_PHYSMAP_BASE", start_info::DEFAULT_PHYSMAP_BASE),
                ("BOOT_STACK_BYTES", start_info::BOOT_STACK_BYTES),
            ],
        ),
        (
            "vCPU page: byte offsets",
            vec![
                ("VCPU_EVENTS_PENDING", vcpu_page::EVENTS_PENDING_OFFSET as u64),
                ("VCPU_EVENTS_MASKED", vcpu_page::EVENTS_MASKED_OFFSET as u64),
                ("VCPU_TRAP_DEPTH", vcpu_page::TRAP_DEPTH_OFFSET as u64),
                ("VCPU_TARGET_FRAMES", vcpu_page::TARGET_FRAMES_OFFSET as u64),
                ("VCPU_PENDING", vcpu_page::PENDING_OFFSET as u64),
                ("VCPU_MASK", vcpu_page::MASK_OFFSET as u64),
                ("VCPU_EVENT_WORDS", vcpu_page::EVENT_WORDS as u64),
                ("VCPU_TRAP_FRAMES", vcpu_page::TRAP_FRAMES_OFFSET as u64),
            ],
        ),
        (
            "Traps",
            vec![
                ("TRAP_FRAMES", TRAP_FRAMES.into()),
                ("TRAP_USER", TrapFlags::USER.bits().into()),
                ("TRAP_EVENTS_MASKED", TrapFlags::EVENTS_MASKED.bits().into()),
                ("FAULT_READ", FaultAccess::READ.bits()),
                ("FAULT_WRITE", FaultAccess::WRITE.bits()),
                ("FAULT_EXECUTE", FaultAccess::EXECUTE.bits()),
                ("FAULT_PRESENT", FaultAccess::PRESENT.bits()),
            ],
        ),
        (
            "Page-table entries of x86-64",
            vec![
                ("X86_64_PRESENT", X::PRESENT.bits()),
                ("X86_64_WRITABLE", X::WRITABLE.bits()),
                ("X86_64_USER", X::USER.bits()),
                ("X86_64_ACCESSED", X::ACCESSED.bits()),
                ("X86_64_DIRTY", X::DIRTY.bits()),
                ("X86_64_SOFTWARE_LOW", X::SOFTWARE_LOW.bits()),
                ("X86_64_SOFTWARE_HIGH", X::SOFTWARE_HIGH.bits()),
                ("X86_64_NO_EXECUTE", X::NO_EXECUTE.bits()),
                ("X86_64_FRAME_MASK", pte::x86_64::FRAME_MASK),
            ],
        ),
        (
            "Page-table entries of riscv64",
            vec![
                ("RISCV64_VALID", R::VALID.bits()),
                ("RISCV64_READ", R::READ.bits()),
                ("RISCV64_WRITE", R::WRITE.bits()),
                ("RISCV64_EXECUTE", R::EXECUTE.bits()),
                ("RISCV64_USER", R::USER.bits()),
                ("RISCV64_ACCESSED", R::ACCESSED.bits()),
                ("RISCV64_DIRTY", R::DIRTY.bits()),
                ("RISCV64_SOFTWARE", R::SOFTWARE.bits()),
                ("RISCV64_FRAME_MASK", pte::riscv64::FRAME_MASK),
                ("RISCV64_FRAME_SHIFT", pte::riscv64::FRAME_SHIFT.into()),
            ],
        ),
        ("ELF note", vec![("NOTE_TYPE", note::NOTE_TYPE.into())]),
    ]
}
