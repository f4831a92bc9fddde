//! The table of calls: one number and one name each. A number is never used again for
//! another call.

/// Number of a call, as it stands in `rax` or `a7`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u64)]
pub enum Number {
    /// [`abi_query`](crate::calls::abi_query)
    AbiQuery = 0,
    /// [`pt_create`](crate::calls::pt_create)
    PtCreate = 1,
    /// [`pt_pin`](crate::calls::pt_pin)
    PtPin = 2,
    /// [`pt_unpin`](crate::calls::pt_unpin)
    PtUnpin = 3,
    /// [`pt_switch`](crate::calls::pt_switch)
    PtSwitch = 4,
    /// [`pte_update`](crate::calls::pte_update)
    PteUpdate = 5,
    /// [`tlb_flush`](crate::calls::tlb_flush)
    TlbFlush = 6,
    /// [`balloon_inflate`](crate::calls::balloon_inflate)
    BalloonInflate = 7,
    /// [`balloon_deflate`](crate::calls::balloon_deflate)
    BalloonDeflate = 8,
    /// [`grant_share`](crate::calls::grant_share)
    GrantShare = 9,
    /// [`grant_revoke`](crate::calls::grant_revoke)
    GrantRevoke = 10,
    /// [`grant_map`](crate::calls::grant_map)
    GrantMap = 11,
    /// [`grant_unmap`](crate::calls::grant_unmap)
    GrantUnmap = 12,
    /// [`event_alloc`](crate::calls::event_alloc)
    EventAlloc = 13,
    /// [`event_bind`](crate::calls::event_bind)
    EventBind = 14,
    /// [`event_send`](crate::calls::event_send)
    EventSend = 15,
    /// [`event_mask`](crate::calls::event_mask)
    EventMask = 16,
    /// [`event_close`](crate::calls::event_close)
    EventClose = 17,
    /// [`trap_register`](crate::calls::trap_register)
    TrapRegister = 18,
    /// [`trap_return`](crate::calls::trap_return)
    TrapReturn = 19,
    /// [`sched_yield`](crate::calls::sched_yield)
    SchedYield = 20,
    /// [`sched_block`](crate::calls::sched_block)
    SchedBlock = 21,
    /// [`timer_set`](crate::calls::timer_set)
    TimerSet = 22,
    /// [`shutdown`](crate::calls::shutdown)
    Shutdown = 23,
    /// [`console_write`](crate::calls::console_write)
    ConsoleWrite = 24,
    /// [`console_read`](crate::calls::console_read)
    ConsoleRead = 25,
    /// [`domain_query`](crate::calls::domain_query)
    DomainQuery = 26,
    /// [`batch`](crate::calls::batch)
    Batch = 27,
    /// [`balloon_report`](crate::calls::balloon_report)
    BalloonReport = 28,
    /// [`p2m_register`](crate::calls::p2m_register)
    P2mRegister = 29,
    /// [`share_advise`](crate::calls::share_advise)
    ShareAdvise = 30,
    /// [`share_break`](crate::calls::share_break)
    ShareBreak = 31,
    /// [`spare_put`](crate::calls::spare_put)
    SparePut = 32,
    /// [`spare_get`](crate::calls::spare_get)
    SpareGet = 33,
    /// [`spare_drop`](crate::calls::spare_drop)
    SpareDrop = 34,
}

impl Number {
    /// Calls that there are.
    pub const COUNT: usize = 35;

    /// Every call, in the order of their numbers, which begin at 0 without a gap.
    pub const ALL: [Number; Number::COUNT] = [
        Number::AbiQuery,
        Number::PtCreate,
        Number::PtPin,
        Number::PtUnpin,
        Number::PtSwitch,
        Number::PteUpdate,
        Number::TlbFlush,
        Number::BalloonInflate,
        Number::BalloonDeflate,
        Number::GrantShare,
        Number::GrantRevoke,
        Number::GrantMap,
        Number::GrantUnmap,
        Number::EventAlloc,
        Number::EventBind,
        Number::EventSend,
        Number::EventMask,
        Number::EventClose,
        Number::TrapRegister,
        Number::TrapReturn,
        Number::SchedYield,
        Number::SchedBlock,
        Number::TimerSet,
        Number::Shutdown,
        Number::ConsoleWrite,
        Number::ConsoleRead,
        Number::DomainQuery,
        Number::Batch,
        Number::BalloonReport,
        Number::P2mRegister,
        Number::ShareAdvise,
        Number::ShareBreak,
        Number::SparePut,
        Number::SpareGet,
        Number::SpareDrop,
    ];

    /// The call of that number.
    #[inline]
    pub const fn new(number: u64) -> Option<Number> {
        match number {
            0 => Some(Number::AbiQuery),
            1 => Some(Number::PtCreate),
            2 => Some(Number::PtPin),
            3 => Some(Number::PtUnpin),
            4 => Some(Number::PtSwitch),
            5 => Some(Number::PteUpdate),
            6 => Some(Number::TlbFlush),
            7 => Some(Number::BalloonInflate),
            8 => Some(Number::BalloonDeflate),
            9 => Some(Number::GrantShare),
            10 => Some(Number::GrantRevoke),
            11 => Some(Number::GrantMap),
            12 => Some(Number::GrantUnmap),
            13 => Some(Number::EventAlloc),
            14 => Some(Number::EventBind),
            15 => Some(Number::EventSend),
            16 => Some(Number::EventMask),
            17 => Some(Number::EventClose),
            18 => Some(Number::TrapRegister),
            19 => Some(Number::TrapReturn),
            20 => Some(Number::SchedYield),
            21 => Some(Number::SchedBlock),
            22 => Some(Number::TimerSet),
            23 => Some(Number::Shutdown),
            24 => Some(Number::ConsoleWrite),
            25 => Some(Number::ConsoleRead),
            26 => Some(Number::DomainQuery),
            27 => Some(Number::Batch),
            28 => Some(Number::BalloonReport),
            29 => Some(Number::P2mRegister),
            30 => Some(Number::ShareAdvise),
            31 => Some(Number::ShareBreak),
            32 => Some(Number::SparePut),
            33 => Some(Number::SpareGet),
            34 => Some(Number::SpareDrop),
            _ => None,
        }
    }

    /// The call's name, the same everywhere: file, page, test, trace.
    pub const fn name(self) -> &'static str {
        match self {
            Number::AbiQuery => "abi_query",
            Number::PtCreate => "pt_create",
            Number::PtPin => "pt_pin",
            Number::PtUnpin => "pt_unpin",
            Number::PtSwitch => "pt_switch",
            Number::PteUpdate => "pte_update",
            Number::TlbFlush => "tlb_flush",
            Number::BalloonInflate => "balloon_inflate",
            Number::BalloonDeflate => "balloon_deflate",
            Number::GrantShare => "grant_share",
            Number::GrantRevoke => "grant_revoke",
            Number::GrantMap => "grant_map",
            Number::GrantUnmap => "grant_unmap",
            Number::EventAlloc => "event_alloc",
            Number::EventBind => "event_bind",
            Number::EventSend => "event_send",
            Number::EventMask => "event_mask",
            Number::EventClose => "event_close",
            Number::TrapRegister => "trap_register",
            Number::TrapReturn => "trap_return",
            Number::SchedYield => "sched_yield",
            Number::SchedBlock => "sched_block",
            Number::TimerSet => "timer_set",
            Number::Shutdown => "shutdown",
            Number::ConsoleWrite => "console_write",
            Number::ConsoleRead => "console_read",
            Number::DomainQuery => "domain_query",
            Number::Batch => "batch",
            Number::BalloonReport => "balloon_report",
            Number::P2mRegister => "p2m_register",
            Number::ShareAdvise => "share_advise",
            Number::ShareBreak => "share_break",
            Number::SparePut => "spare_put",
            Number::SpareGet => "spare_get",
            Number::SpareDrop => "spare_drop",
        }
    }
}
