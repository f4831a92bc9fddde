//! Guest images: one test for each rule, and no panic whatever the bytes.

mod common;

use common::{EXECUTE, File, READ, WRITE, good, load, note};
use hypercall_abi::note::GuestNote;
use hypercall_abi::{AbiVersion, VirtAddr};
use proptest::prelude::*;
use pv_bundle::{Architecture, GUEST_END, GuestImage, ImageError};

fn refusal(file: &File) -> ImageError {
    let bytes = file.write();
    let error = GuestImage::parse(&bytes, Architecture::X86_64).expect_err("a rule is broken");
    assert!(error.to_string().contains(": "), "names the rule and the mend: {error}");
    error
}

fn with(change: impl FnOnce(&mut File)) -> ImageError {
    let mut file = good();
    change(&mut file);
    refusal(&file)
}

fn with_note(change: impl FnOnce(&mut GuestNote)) -> ImageError {
    let mut descriptor = GuestNote::CURRENT;
    change(&mut descriptor);
    with(|file| file.parts[3] = note(descriptor))
}

#[test]
fn a_good_image_is_read() {
    let bytes = good().write();
    let image = GuestImage::parse(&bytes, Architecture::X86_64).expect("good");
    assert_eq!(image.entry, VirtAddr(0x1000_0010));
    assert_eq!(image.physmap_base, VirtAddr(0x20_0000_0000));
    let rights: Vec<_> = image.segments.iter().map(|s| (s.writable, s.executable)).collect();
    assert_eq!(rights, [(false, true), (false, false), (true, false)]);
    assert_eq!(image.segments[2].data, [2; 0x20]);
    assert_eq!(image.segments[2].memory_size, 0x9000);
    assert_eq!(image.segments[2].end(), 0x1000_c000);
}

#[test]
fn segments_come_in_the_order_of_their_addresses() {
    let mut file = good();
    file.parts.swap(0, 2);
    let bytes = file.write();
    let image = GuestImage::parse(&bytes, Architecture::X86_64).expect("good");
    assert!(image.segments.is_sorted_by_key(|segment| segment.address));
}

/// Clauses: START.1
#[test]
fn other_files_and_machines() {
    assert_eq!(GuestImage::parse(b"", Architecture::X86_64), Err(ImageError::NotElf));
    let script = b"#!/bin/sh\necho this is no kernel\n";
    assert_eq!(GuestImage::parse(script, Architecture::X86_64), Err(ImageError::NotElf));
    assert_eq!(with(|f| f.class = 1), ImageError::Not64BitLittleEndian);
    assert_eq!(with(|f| f.endian = 2), ImageError::Not64BitLittleEndian);
    let error = with(|f| f.machine = 243);
    assert_eq!(error, ImageError::WrongMachine { found: 243, wanted: Architecture::X86_64 });
    assert!(error.to_string().contains("--arch riscv64"));
    let arm = ImageError::WrongMachine { found: 183, wanted: Architecture::X86_64 };
    assert_eq!(with(|f| f.machine = 183), arm);
    assert_eq!(with(|f| f.kind = 3), ImageError::NotExecutable(3));
    assert_eq!(with(|f| f.parts[1].kind = 3), ImageError::NeedsLoader);
    assert_eq!(with(|f| f.parts[1].kind = 2), ImageError::NeedsLoader);
}

/// Clauses: START.1
/// Advisories: XSA-2 XSA-55
#[test]
fn truncated_files() {
    let bytes = good().write();
    let parse = |end: usize| GuestImage::parse(&bytes[..end], Architecture::X86_64);
    assert_eq!(parse(40), Err(ImageError::Damaged));
    assert_eq!(parse(100), Err(ImageError::Damaged));
    assert_eq!(parse(0x1000), Err(ImageError::SegmentTruncated(0)));
    for end in 0..bytes.len() {
        assert!(parse(end).is_err(), "cut at {end}");
    }
}

/// Clauses: START.1
/// Advisories: XSA-25 XSA-55
#[test]
fn segments() {
    assert_eq!(with(|f| f.parts.drain(..3).for_each(drop)), ImageError::NoSegments);
    assert_eq!(
        with(|f| for i in 0..33 {
            f.parts.push(load(READ, 0x2000_0000 + i * 0x1000, 1, &[]));
        }),
        ImageError::TooManySegments
    );
    assert_eq!(with(|f| f.parts[1].memory = 8), ImageError::SegmentSizes(1));
    assert_eq!(
        with(|f| f.parts[1].address += 8),
        ImageError::SegmentAlignment { index: 1, address: 0x1000_2008 }
    );
    for (address, size) in
        [(0, 0x10), (GUEST_END - 0x1000, 0x1001), (GUEST_END, 0x10), (!0xfff, 0x2000)]
    {
        let error = with(|f| {
            f.parts[1].address = address;
            f.parts[1].memory = size;
        });
        assert_eq!(error, ImageError::SegmentRange { index: 1, address, size });
    }
    assert_eq!(
        with(|f| f.parts[0].flags = READ | WRITE | EXECUTE),
        ImageError::WritableExecutable { index: 0, address: 0x1000_0000 }
    );
    assert_eq!(
        with(|f| f.parts[0].memory = 0x2001),
        ImageError::SegmentsOverlap(0x1000_0000, 0x1000_2000)
    );
    assert_eq!(
        with(|f| f.parts[2].address = 0x1000_2000),
        ImageError::SegmentsOverlap(0x1000_2000, 0x1000_2000)
    );
}

/// Clauses: START.1
#[test]
fn the_entry_is_executable() {
    for entry in [0, 0x1000_1800, 0x1000_2000, 0x1000_3000, u64::MAX] {
        assert_eq!(with(|f| f.entry = entry), ImageError::Entry(entry));
    }
}

/// Clauses: START.1 VERSION.1 VERSION.5
#[test]
fn the_note() {
    assert_eq!(with(|f| drop(f.parts.pop())), ImageError::NoNote);
    assert_eq!(with(|f| f.parts.push(note(GuestNote::CURRENT))), ImageError::SeveralNotes);
    assert_eq!(with(|f| f.parts[3].data[20] = b'x'), ImageError::NoNote);
    assert_eq!(with(|f| f.parts[3].data[4] = 16), ImageError::NoteDamaged);
    assert_eq!(with_note(|n| n.reserved = 1), ImageError::NoteDamaged);
    for version in [
        AbiVersion { major: AbiVersion::CURRENT.major + 1, minor: 0 },
        AbiVersion { major: 0, minor: 0 },
        AbiVersion { minor: AbiVersion::CURRENT.minor + 1, ..AbiVersion::CURRENT },
    ] {
        assert_eq!(with_note(|n| n.version = version), ImageError::Version(version));
    }
    assert_eq!(
        with_note(|n| n.required_features = 1 | 1 << 60),
        ImageError::UnknownFeatures(1 << 60)
    );
}

/// Clauses: START.1
#[test]
fn the_map_of_memory() {
    for base in [0x1000, GUEST_END, u64::MAX] {
        assert_eq!(with_note(|n| n.physmap_base = base), ImageError::PhysmapBase(base));
    }
    let base = 0x1000_0000;
    assert_eq!(
        with_note(|n| n.physmap_base = base),
        ImageError::PhysmapOverlap { base, segment: base }
    );
    let bytes = good().write();
    let image = GuestImage::parse(&bytes, Architecture::X86_64).expect("good");
    assert_eq!(image.check_memory(8 << 20, 64 << 20, 0), Ok(()));
    assert!(matches!(
        image.check_memory(64 << 10, 64 << 10, 0),
        Err(ImageError::TooLarge { memory: 0x10000, .. })
    ));
    let bytes = 200 << 30;
    assert_eq!(
        image.check_memory(8 << 20, bytes, 0),
        Err(ImageError::PhysmapEnd { base: 0x20_0000_0000, bytes })
    );
}

/// Clauses: START.1
#[test]
fn the_module() {
    let bytes = good().write();
    let image = GuestImage::parse(&bytes, Architecture::X86_64).expect("good");
    assert_eq!(image.check_memory(8 << 20, 8 << 20, 7 << 20), Ok(()));
    let module = (8 << 20) - 1;
    let error = image.check_memory(8 << 20, 8 << 20, module).expect_err("it fills the memory");
    let ImageError::TooLarge { needed, module: told, memory } = error else {
        panic!("{error}");
    };
    assert!(needed > memory && (told, memory) == (module, 8 << 20));
    let text = error.to_string();
    assert!(text.contains("with its module of 8192 KiB, the domain has 8192 KiB"), "{text}");
    assert!(text.contains("give it more, `memory=10M`"), "{text}");
    for module in [u64::MAX, u64::MAX - 4095, u64::MAX - 4096] {
        assert!(image.check_memory(8 << 20, 8 << 20, module).is_err());
    }
}

/// Clauses: VERSION.2
#[test]
fn a_guest_of_an_older_minor_version_is_accepted() {
    for minor in 0..=AbiVersion::CURRENT.minor {
        let mut file = good();
        let version = AbiVersion { minor, ..AbiVersion::CURRENT };
        file.parts[3] = note(GuestNote { version, ..GuestNote::CURRENT });
        let bytes = file.write();
        assert!(GuestImage::parse(&bytes, Architecture::X86_64).is_ok(), "{version:?}");
    }
}

proptest! {
    #[test]
    fn mutated_images_never_panic(
        changes in prop::collection::vec((0usize..0x600, any::<u8>()), 1..12),
        end in 0usize..0x3000,
    ) {
        let mut bytes = good().write();
        for (at, value) in changes {
            bytes[at] = value;
        }
        let end = end.max(0x100).min(bytes.len());
        for file in [&bytes[..], &bytes[..end]] {
            if let Ok(image) = GuestImage::parse(file, Architecture::X86_64) {
                for segment in &image.segments {
                    prop_assert!(segment.address.0 >= 0x1000 && segment.end() <= GUEST_END);
                    prop_assert!(!(segment.writable && segment.executable));
                    prop_assert!(segment.data.len() as u64 <= segment.memory_size);
                }
                let _ = image.check_memory(32 << 20, u64::MAX, u64::MAX);
            }
        }
    }

    #[test]
    fn headers_of_garbage_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 64..600)) {
        bytes[..8].copy_from_slice(&good().write()[..8]);
        let _ = GuestImage::parse(&bytes, Architecture::Riscv64);
        bytes[..64].copy_from_slice(&good().write()[..64]);
        let _ = GuestImage::parse(&bytes, Architecture::X86_64);
    }
}
