//! The machine that tests run on, and the domains in it.

use conformance::{Side, module};
use hypercall_abi::{
    DomainId, Features, Mfn, PAGE_SIZE, VirtAddr, start_info::DEFAULT_PHYSMAP_BASE,
};
use pv_core::{
    Config, DomainSpec, Image, Region, RegionKind, Segment, Slot, State, frame::Frame,
    model::ModelMachine,
};

use crate::cpu::Cpu;

/// Where the domains' trap entries are: an address of the image.
pub const TRAP_ENTRY: u64 = IMAGE + 0x800;
/// Where the domains make their calls.
pub const CALL_SITE: u64 = IMAGE + 0x100;
/// Stack for traps from processes.
pub const TRAP_STACK: u64 = DEFAULT_PHYSMAP_BASE + 0x10000;
/// Ticks that a call takes.
pub const CALL_TICKS: u64 = 1000;
/// Ticks that a domain runs before the other has its turn.
pub const SLICE_TICKS: u64 = 50_000;
/// Pages at the end of a domain's memory that tests use.
pub const TEST_PAGES: u64 = 64;
/// A frame of the hypervisor's.
pub const HYPERVISOR_FRAME: Mfn = Mfn(0x120);

const IMAGE: u64 = 0x1000_0000;
const FRAMES: u64 = 192;
/// Frames that are free when two domains are there: fewer than the domain under test may have.
const SPARE: u64 = 150;
/// Pages that domains may keep in them.
const SPARE_PAGES: usize = 64;

/// One domain, as its own kernel knows it.
pub struct Domain<P: Cpu> {
    /// Its place.
    pub slot: Slot,
    /// Who it is.
    pub id: DomainId,
    /// Its registers.
    pub registers: P::Registers,
    /// Frames of its first pages: start information, vCPU page, argument frame.
    pub first_frames: [Mfn; 3],
    /// Frames of the pages of its P2M.
    pub p2m: Vec<Mfn>,
    /// Events that its trap entry has taken, one bit a port.
    pub taken: [u64; 16],
}

/// A machine with some memory, and the hypervisor on it.
pub fn machine<P: Cpu>() -> (State<P>, ModelMachine<P::Format>) {
    let config = Config {
        ticks_per_second: 1_000_000_000,
        slice_ticks: SLICE_TICKS,
        scatter_stride: 37,
        features: Features::AUDIT,
    };
    let memory = [
        Region { start: Mfn(0x100), count: 2 * FRAMES + SPARE + 8, kind: RegionKind::Free },
        Region { start: HYPERVISOR_FRAME, count: 4, kind: RegionKind::Hypervisor },
        Region { start: Mfn(0x130), count: 4, kind: RegionKind::Reserved },
    ];
    let mut state = State::new(config, &memory).expect("the model has memory");
    assert!(state.enable_spare(SPARE_PAGES, [1, 2]), "the host has memory");
    (state, ModelMachine::default())
}

/// Builds a domain.
pub fn domain<P: Cpu>(
    state: &mut State<P>,
    machine: &mut ModelMachine<P::Format>,
    side: Side,
) -> Domain<P> {
    let segment = Segment {
        address: VirtAddr(IMAGE),
        memory_size: PAGE_SIZE,
        data: b"code",
        writable: false,
        executable: true,
    };
    let Size(frames, max_frames) = Size::of(side);
    let file = module::bytes();
    let spec = DomainSpec {
        name: "conformance",
        frames,
        max_frames,
        contiguous: false,
        command_line: "",
        watchdog_ticks: 0,
        image: Image {
            entry: VirtAddr(IMAGE),
            physmap_base: DEFAULT_PHYSMAP_BASE,
            segments: &[segment],
        },
        module: (side == Side::Own).then_some(&file[..]),
    };
    let (slot, registers) = state.create_domain(machine, &spec).expect("the domain fits");
    let id = state.domain(slot).id;
    let (first_frames, p2m) = first_frames(state, machine, id, max_frames);
    Domain { slot, id, registers, first_frames, p2m, taken: [0; 16] }
}

/// Frames that a domain has, and may have at most.
pub struct Size(u64, u64);

impl Size {
    /// What is free bounds the domain under test, its limit the peer; a third fits what is free.
    pub const fn of(side: Side) -> Size {
        match side {
            Side::Own => Size(FRAMES, 4 * FRAMES),
            Side::Peer => Size(FRAMES, FRAMES + 4),
            Side::Third => Size(FRAMES / 2, FRAMES / 2),
        }
    }
}

/// Finds the start-information page among the domain's frames, and by it the P2M.
fn first_frames<P: Cpu>(
    state: &State<P>,
    machine: &ModelMachine<P::Format>,
    id: DomainId,
    max_frames: u64,
) -> ([Mfn; 3], Vec<Mfn>) {
    use pv_core::Machine;
    let owned = |frame: &Frame| matches!(frame, Frame::Owned(owned) if owned.owner == id);
    let frames: Vec<Mfn> =
        state.frames.iter().filter(|(_, frame)| owned(frame)).map(|(number, _)| number).collect();
    let start = *frames
        .iter()
        .find(|frame| machine.read(**frame, 0) == hypercall_abi::start_info::MAGIC)
        .expect("a domain has start information");
    // The map is of pages of which number 0 is that one, and the map's own come after
    // number 2.
    let map = *frames
        .iter()
        .find(|frame| machine.read(**frame, 0) == start.0 && machine.read(**frame, 3) == frame.0)
        .expect("a domain has a P2M");
    let entry = |page: usize| Mfn(machine.read(map, page));
    let pages = max_frames.div_ceil(512) as usize;
    ([start, entry(1), entry(2)], (0..pages).map(|page| entry(3 + page)).collect())
}
