//! A guest's file: what the checks of `pv-bundle` accept the core's builder can build, and what
//! it has built is as the audit wants it.

use crate::{Found, ensure};
use hypercall_abi::{Features, Mfn, PAGE_SIZE};
use pv_bundle::{Architecture, GuestImage};
use pv_core::model::ModelMachine;
use pv_core::{
    BuildError, Config, DomainSpec, Image, Platform, Region, RegionKind, Riscv64Sv39, Segment,
    State, X86_64, audit,
};

/// Frames of the domain, and what it may own.
const FRAMES: u64 = 64;
const MAX_FRAMES: u64 = 80;

/// Its module: a page and a byte.
const MODULE: [u8; 4097] = [7; 4097];

pub(crate) fn run(bytes: &[u8]) -> Found {
    if let Ok(image) = GuestImage::parse(bytes, Architecture::X86_64) {
        build::<X86_64>(&image)?;
    }
    if let Ok(image) = GuestImage::parse(bytes, Architecture::Riscv64) {
        build::<Riscv64Sv39>(&image)?;
    }
    Ok(())
}

fn build<P: Platform>(image: &GuestImage<'_>) -> Found {
    if image.check_memory(FRAMES * PAGE_SIZE, MAX_FRAMES * PAGE_SIZE, MODULE.len() as u64).is_err()
    {
        return Ok(());
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
        name: "guest",
        frames: FRAMES,
        max_frames: MAX_FRAMES,
        contiguous: false,
        command_line: "",
        watchdog_ticks: 0,
        image: Image {
            entry: image.entry,
            physmap_base: image.physmap_base.0,
            segments: &segments,
        },
        module: Some(&MODULE),
    };
    let config = Config {
        ticks_per_second: 1000,
        slice_ticks: 10,
        scatter_stride: 7,
        features: Features::empty(),
    };
    let memory = [Region { start: Mfn(16), count: 2 * FRAMES, kind: RegionKind::Free }];
    let mut state = State::<P>::new(config, &memory).map_err(|error| error.to_string())?;
    let mut machine = ModelMachine::<P::Format>::default();
    match state.create_domain(&mut machine, &spec) {
        // Tables take more pages than the check of the file can know.
        Ok(_) | Err(BuildError::TooSmall { .. }) => {}
        Err(error) => return Err(format!("accepted as a file, but {error}")),
    }
    let sound = audit::audit(&state, &machine);
    ensure(sound.is_ok(), || format!("after building: {sound:?}"))
}
