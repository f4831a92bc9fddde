//! Bundles: packed and read back, one test for each rule, and no panic whatever the bytes.

use proptest::prelude::*;
use pv_bundle::{Bundle, BundleError, Domain, Image, Manifest, NamedImage, Options, VERSION, pack};

const MIB: u64 = 1 << 20;

fn domain(name: &'static str) -> Domain<'static> {
    Domain {
        name,
        memory: 8 * MIB,
        max_memory: 16 * MIB,
        min_memory: 4 * MIB,
        limit: 16 * MIB,
        shares: 1,
        contiguous: false,
        group: 0,
        command_line: "peer=2 noisy",
        image: 0,
        module: None,
        watchdog_ms: 0,
    }
}

fn options() -> Options {
    // The lowest bit is no group's.
    Options { keyed_groups: 1 << 127 | 0b1011, ..Options::default() }
}

fn packed() -> Vec<u8> {
    let images =
        [NamedImage { name: "kernel", bytes: &[1; 5000] }, NamedImage { name: "b", bytes: &[2] }];
    let other = Domain { image: 1, module: Some(0), ..domain("two") };
    pack(&[domain("one"), other], &images, options()).expect("packs")
}

/// A bundle around a manifest that `pack` would refuse.
fn raw(manifest: &Manifest<'_>, length: usize) -> Vec<u8> {
    let text = postcard::to_allocvec(manifest).expect("encodes");
    let mut bytes = b"PVBUNDLE".to_vec();
    bytes.extend([VERSION, 0, 0, 0]);
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text);
    bytes.resize(length.max(bytes.len()), 0);
    bytes
}

fn manifest() -> Manifest<'static> {
    Manifest {
        domains: vec![domain("one"), domain("two")],
        images: vec![Image { name: "kernel", offset: 4096, length: 10 }],
        options: Options::default(),
    }
}

fn with(change: impl FnOnce(&mut Manifest<'static>)) -> BundleError {
    let mut manifest = manifest();
    change(&mut manifest);
    let bytes = raw(&manifest, 16384);
    let error = Bundle::parse(&bytes).expect_err("a rule is broken");
    assert!(error.to_string().contains(": ") || error.to_string().contains("; "));
    error
}

#[test]
fn a_bundle_is_read_as_it_was_packed() {
    let mut bytes = packed();
    bytes.extend([0xff; 100]);
    let bundle = Bundle::parse(&bytes).expect("reads");
    assert_eq!(bundle.image(0), Some(&[1; 5000][..]));
    assert_eq!(bundle.image(1), Some(&[2][..]));
    assert_eq!(bundle.image(2), None);
    assert_eq!(bundle.manifest().domains[0], domain("one"));
    assert_eq!(bundle.manifest().domains[1].module, Some(0));
    assert_eq!(bundle.manifest().options, options());
    assert_eq!(bundle.manifest().options.keyed_groups().collect::<Vec<_>>(), [1, 3, 127]);
    assert!(bundle.manifest().images.iter().all(|image| image.offset % 4096 == 0));
}

#[test]
fn the_header() {
    let bytes = packed();
    assert_eq!(Bundle::parse(b""), Err(BundleError::Magic));
    assert_eq!(Bundle::parse(&bytes[1..]), Err(BundleError::Magic));
    let mut other = bytes.clone();
    other[8] = 1;
    assert_eq!(Bundle::parse(&other), Err(BundleError::Version(1)));
    for end in [8, 15, 16, 40] {
        assert_eq!(Bundle::parse(&bytes[..end]), Err(BundleError::Truncated));
    }
    let mut longer = bytes.clone();
    longer[12] += 1;
    assert_eq!(Bundle::parse(&longer), Err(BundleError::Manifest));
    assert_eq!(Bundle::parse(&bytes[..5000]), Err(BundleError::ImageRange(0)));
}

#[test]
fn domains() {
    assert_eq!(with(|m| m.domains.clear()), BundleError::NoDomain);
    assert_eq!(with(|m| m.domains[1].name = ""), BundleError::DomainName(1));
    assert_eq!(with(|m| m.domains[1].name = "a\n"), BundleError::DomainName(1));
    assert_eq!(
        with(|m| m.domains[1].name = "123456789012345678901234567890123"),
        BundleError::DomainName(1)
    );
    assert_eq!(with(|m| m.domains[1].name = "one"), BundleError::SameName(0, 1));
    assert_eq!(with(|m| m.domains[0].command_line = "a\0"), BundleError::CommandLine(0));
    let long = "x".repeat(1025).leak();
    assert_eq!(with(|m| m.domains[0].command_line = long), BundleError::CommandLine(0));
    for memory in [0, 4096, 8 * MIB + 1, u64::MAX, 65 << 30] {
        assert_eq!(with(|m| m.domains[0].memory = memory), BundleError::Memory(0, memory));
    }
    for memory in [0, 7 * MIB, 8 * MIB + 1, 65 << 30] {
        assert_eq!(with(|m| m.domains[0].max_memory = memory), BundleError::MaxMemory(0, memory));
    }
    for memory in [0, 4096, 8 * MIB + 4096, 5 * MIB + 1] {
        assert_eq!(with(|m| m.domains[0].min_memory = memory), BundleError::LeastMemory(0, memory));
    }
    for memory in [0, 4096, 16 * MIB + 4096, 5 * MIB + 1] {
        assert_eq!(with(|m| m.domains[0].limit = memory), BundleError::Limit(0, memory));
    }
    assert_eq!(with(|m| m.domains[1].shares = 0), BundleError::Shares(1));
    assert_eq!(with(|m| m.domains[1].image = 1), BundleError::NoImage(1, 1));
    assert_eq!(with(|m| m.domains[1].module = Some(1)), BundleError::NoModule(1, 1));
    assert_eq!(with(|m| m.options.slice_ms = 0), BundleError::Slice(0));
    assert_eq!(with(|m| m.options.slice_ms = 1001), BundleError::Slice(1001));
}

/// Advisories: XSA-2
#[test]
fn images() {
    assert_eq!(with(|m| m.images[0].name = ""), BundleError::ImageName(0));
    let places = [(0, 10), (4097, 10), (4096, 0), (16384, 1), (4096, 12289), (!0xfff, 4096)];
    for (offset, length) in places {
        let error = with(|m| m.images[0] = Image { name: "kernel", offset, length });
        assert_eq!(error, BundleError::ImageRange(0));
    }
    assert_eq!(
        with(|m| {
            m.images[0].length = 5000;
            m.images.push(Image { name: "other", offset: 8192, length: 1 });
        }),
        BundleError::ImagesOverlap(0, 1)
    );
}

#[test]
fn lists_stop_at_their_limits() {
    assert_eq!(
        with(|m| m.domains = (0..129).map(|_| domain("same")).collect()),
        BundleError::Manifest
    );
    assert_eq!(
        with(|m| m.images = (0..65).map(|_| m.images[0].clone()).collect()),
        BundleError::Manifest
    );
    let many: Vec<_> = (0..129).map(|_| domain("same")).collect();
    let image = NamedImage { name: "kernel", bytes: &[1] };
    assert_eq!(pack(&many, &[image], Options::default()), Err(BundleError::TooManyDomains));
    assert_eq!(
        pack(&[domain("one")], &[image; 65], Options::default()),
        Err(BundleError::TooManyImages)
    );
    let empty = NamedImage { name: "kernel", bytes: &[] };
    assert_eq!(
        pack(&[domain("one")], &[empty], Options::default()),
        Err(BundleError::ImageRange(0))
    );
}

proptest! {
    /// Advisories: XSA-55
    #[test]
    fn mutated_bundles_never_panic(
        changes in prop::collection::vec((0usize..160, any::<u8>()), 1..10),
        end in 0usize..20_000,
    ) {
        let mut bytes = packed();
        for (at, value) in changes {
            bytes[at] = value;
        }
        let end = end.min(bytes.len());
        for bytes in [&bytes[..], &bytes[..end]] {
            if let Ok(bundle) = Bundle::parse(bytes) {
                for index in 0..bundle.manifest().images.len() {
                    prop_assert!(bundle.image(index as u16).is_some());
                }
                for domain in &bundle.manifest().domains {
                    let module = domain.module.map(|module| bundle.image(module));
                    prop_assert!(module.is_none_or(|module| module.is_some()));
                }
            }
        }
    }

    #[test]
    fn manifests_of_garbage_never_panic(text in prop::collection::vec(any::<u8>(), 0..500)) {
        let mut bytes = b"PVBUNDLE\x04\0\0\0".to_vec();
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text);
        let _ = Bundle::parse(&bytes);
    }
}
