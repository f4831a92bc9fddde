//! Byte-exact layouts: every type that crosses the border, as a value and as the bytes that
//! it must be. A change here is a change of the interface.

use hypercall_abi::{
    AbiVersion, DomainId, Error, Features, GrantHandle, Mfn, Number, Pfn, Port, Status, VirtAddr,
    addr::Level,
    balloon_statistics::BalloonStatistics,
    calls::{
        batch::BatchEntry,
        grant_map::MappedGrant,
        pte_update::{Space, Target, TargetBits, Update},
    },
    domain_info::DomainInfo,
    note::{ElfNote, GuestNote, NAME, NOTE_TYPE},
    registers::{Riscv64Registers, X86_64Registers},
    start_info::{MAGIC, PageTableFormat, StartInfo},
    trap::{Cause, FaultAccess, Riscv64TrapFrame, TrapFlags, TrapHeader, X86_64TrapFrame},
    vcpu_page::{self, VcpuHeader},
};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

/// The words that a value consists of, little end first.
fn words<T: IntoBytes + Immutable>(value: &T) -> Vec<u64> {
    let bytes = value.as_bytes();
    assert_eq!(bytes.len() % 8, 0);
    bytes.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// A value whose words are 1, 2, 3 and so on.
fn counted<T: FromBytes>() -> T {
    let bytes: Vec<u8> =
        (1..=size_of::<T>() as u64 / 8).flat_map(|word| word.to_le_bytes()).collect();
    T::read_from_bytes(&bytes).unwrap()
}

#[test]
fn call_numbers_begin_at_zero_without_a_gap() {
    assert_eq!(Number::ALL.len(), Number::COUNT);
    for (number, call) in Number::ALL.into_iter().enumerate() {
        assert_eq!(call as usize, number);
        assert_eq!(Number::new(number as u64), Some(call));
    }
    for number in [Number::COUNT as u64, 1 << 32, u64::MAX] {
        assert_eq!(Number::new(number), None);
    }
}

/// Clauses: VERSION.3
#[test]
fn calls_keep_their_numbers() {
    let names = "abi_query pt_create pt_pin pt_unpin pt_switch pte_update tlb_flush \
                 balloon_inflate balloon_deflate grant_share grant_revoke grant_map grant_unmap \
                 event_alloc event_bind event_send event_mask event_close trap_register \
                 trap_return sched_yield sched_block timer_set shutdown console_write \
                 console_read domain_query batch balloon_report p2m_register share_advise \
                 share_break spare_put spare_get spare_drop";
    let table: Vec<&str> = Number::ALL.iter().map(|call| call.name()).collect();
    assert_eq!(table, names.split_whitespace().collect::<Vec<_>>());
}

/// Clauses: VERSION.3
#[test]
fn errors_keep_their_numbers() {
    let names = "UnknownCall BadArgument BadFrame NotOwner TypeConflict BadEntry BadLevel \
                 NotTable HypervisorRange NotMapped Busy AlreadyPinned NotPinned CountOverflow \
                 NoMemory QuotaExceeded NoDomain NoGrant ReadOnlyGrant AlreadyMapped NoHandle \
                 NoPort PortState NotPermitted NotInBatch NotRegistered BadTrapFrame Moved";
    let table: Vec<&str> = Error::ALL.iter().map(|error| error.name()).collect();
    assert_eq!(table, names.split_whitespace().collect::<Vec<_>>());
    for (index, error) in Error::ALL.into_iter().enumerate() {
        let number = index as u64 + 1;
        assert_eq!(error as u64, number);
        assert_eq!(Error::new(number), Some(error));
        assert_eq!(Status::from(Err(error)), Status(number));
        assert_eq!(Status(number).decode(), Some(Err(error)));
    }
    assert_eq!(Error::new(0), None);
    assert_eq!(Status(0).decode(), Some(Ok(())));
    for number in [Error::ALL.len() as u64 + 1, u64::MAX] {
        assert_eq!(Status(number).decode(), None);
    }
}

#[test]
fn version() {
    let version = AbiVersion { major: 0x1234, minor: 0x5678 };
    assert_eq!(version.as_bytes(), [0x34, 0x12, 0x78, 0x56]);
    assert_eq!(version.to_value(), 0x1234_5678);
    assert_eq!(AbiVersion::from_value(0xffff_0000_1234_5678), version);
    assert_eq!(AbiVersion::CURRENT, AbiVersion { major: 1, minor: 3 });
    let of = |major, minor| AbiVersion { major, minor };
    assert!(of(1, 3).accepts(of(1, 3)) && of(1, 3).accepts(of(1, 0)));
    assert!(!of(1, 3).accepts(of(1, 4)) && !of(1, 3).accepts(of(0, 3)));
    assert!(!of(1, 3).accepts(of(2, 0)));
}

#[test]
fn features_keep_unknown_bits() {
    assert_eq!(Features::FLOATING_POINT.bits(), 1);
    assert_eq!(Features::AUDIT.bits(), 2);
    let bytes = 0x8000_0000_0000_0001u64.to_le_bytes();
    let features = Features::read_from_bytes(&bytes).unwrap();
    assert_eq!(features.as_bytes(), bytes);
    assert!(!Features::KNOWN.contains(features));
}

#[test]
fn numbers_are_plain_words() {
    assert_eq!(Mfn(0x0102).as_bytes(), [2, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(Pfn(0x0102).as_bytes(), [2, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(VirtAddr(0x0102).as_bytes(), [2, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(DomainId(0x0102).as_bytes(), [2, 1]);
    assert_eq!(Port(0x0102).as_bytes(), [2, 1, 0, 0]);
    assert_eq!(Status(0x0102).as_bytes(), [2, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!((DomainId::SELF.0, DomainId::FIRST.0, DomainId::LAST.0), (0x7ff0, 1, 0x7fef));
    assert_eq!((Mfn::NONE.0, Mfn::MAX.0), (u64::MAX, 0xff_ffff_ffff));
    assert_eq!(Mfn::MAX.address(), Some(0xf_ffff_ffff_f000));
    assert_eq!(Mfn(Mfn::MAX.0 + 1).address(), None);
    assert_eq!(Mfn::containing(0x1fff), Mfn(1));
    let ports = [Port::TIMER, Port::CONSOLE, Port::BALLOON, Port::FIRST_DYNAMIC];
    assert_eq!(ports, [Port(1), Port(2), Port(3), Port(4)]);
    for (number, level) in [Level::L1, Level::L2, Level::L3, Level::L4].into_iter().enumerate() {
        assert_eq!(Level::new(number as u64 + 1), Some(level));
    }
    assert_eq!((Level::new(0), Level::new(5)), (None, None));
}

#[test]
fn grant_handle() {
    let handle = GrantHandle::new(0xabc, 0x123);
    assert_eq!(handle.0, 0x12_3abc);
    assert_eq!((handle.slot(), handle.generation()), (0xabc, 0x123));
    assert_eq!(GrantHandle::new(0xfabc, 0xf123), handle);
    assert_eq!(GrantHandle::MASK, 0xff_ffff);
}

#[test]
fn mapped_grant() {
    let mapped = MappedGrant { handle: GrantHandle(0x12_3abc), frame: Mfn(0x45_6789) };
    assert_eq!(mapped.to_value(), 0x123a_bc00_0045_6789);
    assert_eq!(MappedGrant::from_value(mapped.to_value()), mapped);
}

#[test]
fn update() {
    let entry = Target::Entry { table: Mfn(0x1234), index: 0x1ff };
    let update = Update::new(entry, 0x5566_7788_99aa_bbcc);
    assert_eq!(words(&update), [0x123_4ff8, 0x5566_7788_99aa_bbcc]);
    let page = |space, flush| {
        let target = Target::Page { space, address: VirtAddr(0x7000), flush };
        assert_eq!(target.encode().decode(), Ok(target));
        target.encode().0
    };
    assert_eq!([page(Space::Kernel, false), page(Space::Kernel, true)], [0x7001, 0x7005]);
    assert_eq!([page(Space::User, false), page(Space::User, true)], [0x7002, 0x7006]);
    for bits in [0x7003, 0x7007, 0x7004, 0x7009, 0x7802] {
        assert_eq!(TargetBits(bits).decode(), Err(Error::BadArgument), "{bits:#x}");
    }
}

#[test]
fn batch_entry() {
    let entry = BatchEntry { number_or_status: 1, args: [2, 3, 4, 5, 6, 7], reserved: 8 };
    assert_eq!(words(&entry), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!((entry.status(), entry.value()), (Status(1), 2));
}

#[test]
fn domain_info() {
    let info = DomainInfo {
        domain: DomainId(0x0102),
        reserved: [0x0304, 0x0506, 0x0708],
        frames: 2,
        max_frames: 3,
        table_frames: 4,
        pinned_tables: 5,
        grants: 6,
        handles: 7,
        ports: 8,
        calls: 9,
        refusals: 10,
        traps: 11,
        target_frames: 12,
        reported_frames: 13,
    };
    assert_eq!(words(&info), [0x0708_0506_0304_0102, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
}

#[test]
fn balloon_statistics() {
    let words = words(&counted::<BalloonStatistics>());
    assert_eq!(words, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    let record = counted::<BalloonStatistics>();
    let told = (record.version, record.generation, record.free, record.available, record.cache);
    assert_eq!(told, (1, 2, 3, 4, 5));
    let told = (record.needed, record.balloon, record.faults, record.refaults);
    assert_eq!(told, (6, 7, 8, 9));
    let told = (record.swapped_in, record.swapped_out, record.shortages);
    assert_eq!(told, (10, 11, 12));
    assert_eq!((record.some_over_10_s, record.reserved), (13, 14));
}

#[test]
fn start_info() {
    assert_eq!(MAGIC.to_le_bytes(), *b"PARAVANE");
    let mut info = StartInfo::new_zeroed();
    info.magic = MAGIC;
    info.version = AbiVersion { major: 1, minor: 2 };
    info.domain = DomainId(3);
    info.vcpus = 4;
    info.features = Features::AUDIT;
    info.page_table_format = PageTableFormat::Sv48 as u64;
    info.frames = 16;
    info.max_frames = 17;
    info.guest_end = 18;
    info.ticks_per_second = 19;
    info.physmap_base = 20;
    info.root = Mfn(21);
    info.p2m_pfn = Pfn(22);
    info.image_pfn = Pfn(23);
    info.stack_pfn = Pfn(24);
    info.tables_pfn = Pfn(25);
    info.free_pfn = Pfn(26);
    info.command_line_length = 2;
    info.name_length = 3;
    info.name[..3].copy_from_slice(b"one");
    info.module_pfn = Pfn(27);
    info.module_bytes = 28;
    info.command_line[..2].copy_from_slice(b"ab");
    let words = words(&info);
    assert_eq!(words.len(), 157);
    let head =
        [MAGIC, 0x0004_0003_0002_0001, 2, 3, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 2, 3];
    assert_eq!(words[..17], head);
    assert_eq!(words[17], u64::from_le_bytes(*b"one\0\0\0\0\0"));
    assert_eq!(words[18..23], [0, 0, 0, 27, 28]);
    assert!(words[23..29].iter().all(|&word| word == 0));
    assert_eq!(words[29], u64::from_le_bytes(*b"ab\0\0\0\0\0\0"));
    assert_eq!((info.command_line(), info.name()), ("ab", "one"));
    // Lengths are the hypervisor's, but a guest may have written over them.
    info.command_line_length = u64::MAX;
    info.name_length = 1 << 32;
    info.name[1] = 0xff;
    assert_eq!((info.command_line().len(), info.name()), (1024, "o"));
}

#[test]
fn vcpu_page() {
    let words = words(&counted::<VcpuHeader>());
    assert_eq!(words, [1, 2, 3, 4, 5, 6, 7, 8]);
    let header = counted::<VcpuHeader>();
    let told =
        (header.events_pending, header.events_masked, header.trap_depth, header.target_frames);
    assert_eq!(told, (1, 2, 3, 4));
    assert_eq!((vcpu_page::PENDING_OFFSET, vcpu_page::MASK_OFFSET), (64, 192));
    assert_eq!((vcpu_page::EVENT_WORDS, vcpu_page::TRAP_FRAMES_OFFSET), (16, 1024));
}

#[test]
fn trap_frames() {
    let header = TrapHeader {
        cause: Cause::PageFault.into(),
        flags: TrapFlags::USER | TrapFlags::EVENTS_MASKED,
        code: (FaultAccess::WRITE | FaultAccess::PRESENT).bits(),
        address: 0x1234,
        reserved: 0,
    };
    assert_eq!(words(&header), [0x0000_0003_0000_0002, 0b1010, 0x1234, 0]);
    for (number, cause) in Cause::ALL.into_iter().enumerate() {
        assert_eq!(cause as usize, number);
    }
    assert_eq!(hypercall_abi::trap::CauseBits(11).decode(), None);
    let x86 = counted::<X86_64TrapFrame>();
    assert_eq!(words(&x86).len(), 28);
    assert_eq!(x86.registers.fs_base, 5);
    let riscv = counted::<Riscv64TrapFrame>();
    assert_eq!(words(&riscv).len(), 36);
    assert_eq!(riscv.registers.ra, 5);
}

#[test]
fn x86_64_registers() {
    let r = counted::<X86_64Registers>();
    let order = [
        r.fs_base,
        r.gs_base,
        r.r15,
        r.r14,
        r.r13,
        r.r12,
        r.r11,
        r.r10,
        r.r9,
        r.r8,
        r.rbp,
        r.rdi,
        r.rsi,
        r.rdx,
        r.rcx,
        r.rbx,
        r.rax,
        r.reserved_vector,
        r.reserved_error,
        r.rip,
        r.cs,
        r.rflags,
        r.rsp,
        r.ss,
    ];
    assert!(order.into_iter().eq(1..=24));
}

#[test]
fn riscv64_registers() {
    let r = counted::<Riscv64Registers>();
    let order = [
        r.ra, r.sp, r.gp, r.tp, r.t0, r.t1, r.t2, r.s0, r.s1, r.a0, r.a1, r.a2, r.a3, r.a4, r.a5,
        r.a6, r.a7, r.s2, r.s3, r.s4, r.s5, r.s6, r.s7, r.s8, r.s9, r.s10, r.s11, r.t3, r.t4, r.t5,
        r.t6, r.pc,
    ];
    assert!(order.into_iter().eq(1..=32));
}

#[test]
fn note() {
    let note = GuestNote {
        version: AbiVersion { major: 1, minor: 2 },
        reserved: 3,
        required_features: 4,
        physmap_base: 5,
    };
    assert_eq!(words(&note), [0x0000_0003_0002_0001, 4, 5]);
    let mut bytes = vec![9, 0, 0, 0, 24, 0, 0, 0, 1, 0, 0, 0];
    bytes.extend_from_slice(b"Paravane\0\0\0\0");
    bytes.extend_from_slice(note.as_bytes());
    assert_eq!(ElfNote::new(note).as_bytes(), bytes);
    assert_eq!((NAME, NOTE_TYPE), ("Paravane", 1));
}

#[test]
fn page_table_entries() {
    use hypercall_abi::pte::{riscv64, x86_64};
    assert_eq!(x86_64::Flags::all().bits(), 0x87f0_0000_0000_0e67);
    assert_eq!(x86_64::FRAME_MASK, 0x000f_ffff_ffff_f000);
    assert_eq!(riscv64::Flags::all().bits(), 0x3df);
    assert_eq!(riscv64::TABLE_ALLOWED.bits(), 0x301);
    assert_eq!((riscv64::FRAME_MASK, riscv64::FRAME_SHIFT), (0x003f_ffff_ffff_fc00, 10));
    for (number, format) in
        [(1, PageTableFormat::X86_64), (2, PageTableFormat::Sv39), (3, PageTableFormat::Sv48)]
    {
        assert_eq!(PageTableFormat::new(number), Some(format));
    }
    assert_eq!((PageTableFormat::new(0), PageTableFormat::new(4)), (None, None));
}
