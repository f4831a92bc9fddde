//! Domains from the bundle, every byte of which is untrusted.

use crate::arch::{self, Platform, Registers};
use crate::control::Claim;
use crate::heap::SWAP_PER_FRAME;
use crate::secret;
use alloc::vec::Vec;
use balloon::control::{Admission, Refusal};
use balloon::policy::{Bounds, Pages};
use bare_machine::memory::Layout;
use core::ops::Range;
use hypercall_abi::{Features, Mfn, PAGE_SIZE};
use pv_bundle::{Bundle, BundleError, Domain, GuestImage, ImageError, Manifest, Options};
use pv_core::Machine;
use pv_core::share::{HashKind, ScanConfig};
use pv_core::{
    BuildError, Config, ConfigError, DomainSpec, Image, Region, RegionKind, Segment, Slot, State,
};

/// Why the bundle was not loaded.
pub enum LoadError<'a> {
    /// The bundle itself breaks a rule.
    Bundle(BundleError),
    /// The core cannot run on this machine.
    Config(ConfigError),
    /// A domain's image breaks a rule.
    Image(&'a str, ImageError),
    /// A domain's image wants features that this hypervisor has not.
    Features(&'a str, u64),
    /// The machine cannot promise every domain its minimum.
    Admission(&'a str, Refusal),
    /// The machine cannot give every domain what it is to start with.
    Start {
        /// The first that it cannot.
        name: &'a str,
        /// Frames that it is to start with.
        wanted: u64,
        /// Frames that those before it leave, and the reserve.
        left: u64,
    },
    /// The core did not build a domain.
    Build(&'a str, BuildError),
}

impl core::fmt::Display for LoadError<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            LoadError::Bundle(error) => write!(f, "the bundle: {error}"),
            LoadError::Config(error) => write!(f, "{error}"),
            LoadError::Image(name, error) => write!(f, "domain '{name}': its image: {error}"),
            LoadError::Features(name, missing) => write!(
                f,
                "domain '{name}': its image needs features {missing:#x}, which this hypervisor \
                 has not: build it without them"
            ),
            LoadError::Admission(name, refusal) => {
                write!(f, "domain '{name}' is not admitted: {refusal}")
            }
            LoadError::Start { name, wanted, left } => write!(
                f,
                "domain '{name}' is not admitted: it is to start with {wanted} frames, and the \
                 domains before it and the reserve leave {left}: lower its memory, which may grow to \
                 its maximum later, or give the machine more"
            ),
            LoadError::Build(name, error) => write!(f, "domain '{name}' was not built: {error}"),
        }
    }
}

/// What is asked of the hypervisor beside the bundle.
pub struct Asked<'a> {
    /// On its command line.
    pub options: crate::options::Options,
    /// Random bytes of the firmware's, if it has given any.
    pub firmware_seed: &'a [u8],
}

/// What was loaded.
pub struct Loaded {
    /// The core, with every domain in it.
    pub state: State<Platform>,
    /// The vCPUs, with the registers that they start with.
    pub vcpus: Vec<(Slot, Registers)>,
    /// What the manifest asks of the hypervisor.
    pub options: Options,
    /// Frames that nobody owned before the first domain was built.
    pub frames_before: u64,
    /// What was promised to each domain.
    pub claims: Vec<Claim>,
}

/// Builds the core and every domain of the bundle.
///
/// # Errors
/// [`LoadError`]; the run cannot begin.
pub fn load<'a>(
    bytes: &'a [u8],
    bundle: &'a mut Option<Bundle<'a>>,
    machine: &mut impl Machine,
    layout: &Layout,
    ticks_per_second: u64,
    asked: Asked<'_>,
) -> Result<Loaded, LoadError<'a>> {
    let bundle: &'a Bundle<'a> = bundle.insert(Bundle::parse(bytes).map_err(LoadError::Bundle)?);
    let manifest = bundle.manifest();
    let options = manifest.options;
    let mut features = Features::empty();
    features.set(Features::FLOATING_POINT, arch::FloatingPoint::is_present());
    features.set(Features::AUDIT, cfg!(feature = "audit") && options.audit_period != 0);
    features.set(Features::SHARING, asked.options.moves_pages());
    features.set(Features::SPARE, asked.options.spare != 0);
    let per_millisecond = ticks_per_second / 1000;
    let config = Config {
        ticks_per_second,
        slice_ticks: u64::from(options.slice_ms) * per_millisecond,
        scatter_stride: options.scatter_seed.max(1),
        features,
    };
    let mut state = State::new(config, &regions(layout)).map_err(LoadError::Config)?;
    let frames_before = state.frames.unowned();
    if asked.options.moves_pages() && !move_pages(&mut state, machine, &asked, &options) {
        return Err(LoadError::Config(ConfigError::NoHeap));
    }
    let kept = asked.options.spare_pages(state.frames.len() as u64) as usize;
    let secret = || secret::draw(asked.firmware_seed, options.scatter_seed);
    if kept != 0 && !state.enable_spare(kept, secret()) {
        return Err(LoadError::Config(ConfigError::NoHeap));
    }
    admit(manifest, frames_before.saturating_sub(asked.options.reserve))?;
    let (mut vcpus, mut claims) = (Vec::new(), Vec::new());
    for domain in &manifest.domains {
        let vcpu = build(&mut state, machine, bundle, domain, per_millisecond)?;
        let limit = (domain.limit < domain.max_memory).then_some(domain.limit / PAGE_SIZE);
        let claim = Claim {
            domain: state.domain(vcpu.0).id,
            minimum: domain.min_memory / PAGE_SIZE,
            shares: domain.shares,
            limit,
        };
        state.set_sharing_group(vcpu.0, domain.group);
        // It was built a moment ago.
        let _ = state.set_forced_limit(claim.domain, limit);
        claims.push(claim);
        vcpus.push(vcpu);
    }
    Ok(Loaded { state, vcpus, options, frames_before, claims })
}

/// Whether the machine can promise every domain its minimum, and give it what it starts with, without
/// what is kept in reserve. What a domain costs the hypervisor besides is in the heap, where there has
/// been room for as many as the machine can have since boot.
fn admit<'a>(manifest: &'a Manifest<'a>, frames: u64) -> Result<(), LoadError<'a>> {
    let mut admission = Admission::new(Pages(frames), None);
    for domain in &manifest.domains {
        let minimum = Pages(domain.min_memory / PAGE_SIZE);
        let maximum = Pages(domain.max_memory.max(domain.memory) / PAGE_SIZE);
        let admitted =
            Bounds::new(minimum, maximum).map(|bounds| admission.admit(bounds, Pages::ZERO));
        match admitted {
            // What is promised stays so until the run ends.
            Ok(Ok(_reservation)) => {}
            Ok(Err(refusal)) => return Err(LoadError::Admission(domain.name, refusal)),
            Err(_) => return Err(LoadError::Build(domain.name, BuildError::NoHeap)),
        }
    }
    let mut left = frames;
    for domain in &manifest.domains {
        let (name, wanted) = (domain.name, domain.memory / PAGE_SIZE);
        left = left.checked_sub(wanted).ok_or(LoadError::Start { name, wanted, left })?;
    }
    Ok(())
}

/// Lets pages be without a frame of their own: share one, which a scanner looks for, or be put away.
/// False when the heap has no room.
fn move_pages(
    state: &mut State<Platform>,
    machine: &impl Machine,
    asked: &Asked<'_>,
    options: &Options,
) -> bool {
    let frames = state.frames.len();
    let Asked { options: words, firmware_seed } = asked;
    let config = ScanConfig {
        pages_per_second: words.share,
        host_pages_per_second: words.share.saturating_mul(4),
        hints: frames / 2,
        secret: secret::draw(firmware_seed, options.scatter_seed),
        hash_bits: 64,
    };
    if !state.enable_sharing(frames / 2, words.reserve) {
        return false;
    }
    if words.share != 0 && !state.enable_scanner(config) {
        return false;
    }
    for group in options.keyed_groups() {
        state.set_group_hash(group, HashKind::SipHash);
    }
    let bytes = words.store as usize;
    let places = machine.swap_pages().min(frames as u64 * SWAP_PER_FRAME);
    words.store == 0 || state.enable_reclaim(bytes, places, options.scatter_seed)
}

fn build<'a>(
    state: &mut State<Platform>,
    machine: &mut impl Machine,
    bundle: &'a Bundle<'a>,
    domain: &Domain<'a>,
    ticks_per_millisecond: u64,
) -> Result<(Slot, Registers), LoadError<'a>> {
    let name = domain.name;
    let file = bundle.image(domain.image).unwrap_or_default();
    let image_error = |error| LoadError::Image(name, error);
    let image = GuestImage::parse(file, arch::ARCHITECTURE).map_err(image_error)?;
    let module = domain.module.and_then(|index| bundle.image(index));
    let module_bytes = module.unwrap_or_default().len() as u64;
    image.check_memory(domain.memory, domain.max_memory, module_bytes).map_err(image_error)?;
    let missing = image.note.required_features & !state.config.features.bits();
    if missing != 0 {
        return Err(LoadError::Features(name, missing));
    }
    let segments: Vec<Segment<'_>> = image
        .segments
        .iter()
        .map(|segment| Segment {
            address: segment.address,
            memory_size: segment.memory_size,
            data: segment.data,
            writable: segment.writable,
            executable: segment.executable,
        })
        .collect();
    let spec = DomainSpec {
        name,
        frames: domain.memory / PAGE_SIZE,
        max_frames: domain.max_memory / PAGE_SIZE,
        contiguous: domain.contiguous,
        command_line: domain.command_line,
        watchdog_ticks: u64::from(domain.watchdog_ms) * ticks_per_millisecond,
        image: Image {
            entry: image.entry,
            physmap_base: image.physmap_base.0,
            segments: &segments,
        },
        module,
    };
    state.create_domain(machine, &spec).map_err(|error| LoadError::Build(name, error))
}

fn regions(layout: &Layout) -> Vec<Region> {
    let region = |kind| {
        move |range: &Range<u64>| Region {
            start: Mfn::containing(range.start),
            count: (range.end - range.start) / PAGE_SIZE,
            kind,
        }
    };
    let mut regions: Vec<Region> = layout.free.iter().map(region(RegionKind::Free)).collect();
    regions.extend(layout.own.iter().map(region(RegionKind::Hypervisor)));
    regions.extend(layout.reserved.iter().map(region(RegionKind::Reserved)));
    regions
}
