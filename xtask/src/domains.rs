//! Which domains a machine boots: names, memory, images; and the bundle made of them,
//! after every check that the hypervisor would make.

use crate::arch::Arch;
use crate::build::read;
use crate::guest_option::GuestOption;
use crate::images::{Builder, GUEST};
use crate::modules::{Module, Modules};
use crate::packages::MayInstall;
use crate::size;
use crate::strip::strip;
use anyhow::{Context, Result, bail};
use hypercall_abi::PAGE_SIZE;
use pv_bundle::{Domain, GuestImage, NamedImage, Options, manifest};
use std::path::{Path, PathBuf};

/// Bytes of memory of a machine, unless something else is asked for.
pub const DEFAULT_MEMORY: u64 = 512 << 20;

/// Memory of the machine for debug images, whose audit takes time in proportion to it.
pub const DEBUG_MEMORY: u64 = 128 << 20;

/// Bytes that the hypervisor, its frame table, the firmware and the bundle get of a machine.
const RESERVE: u64 = 48 << 20;

/// Milliseconds of the machine's time that a guest may run without a call.
const DEFAULT_WATCHDOG_MS: u32 = 2000;

/// Where a guest's image comes from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Source {
    /// Our guest kernel.
    BuiltIn,
    /// A package of this workspace.
    Package(&'static str),
    /// The guest in C of this workspace.
    CGuest,
    /// An ELF file, or the folder of a crate.
    Path(PathBuf),
}

/// A domain as somebody asks for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Its name; `guest-N` if none is given.
    pub name: Option<String>,
    /// Its image.
    pub source: Source,
    /// Bytes of memory; a share of the machine's if none is given.
    pub memory: Option<u64>,
    /// Bytes of memory at most; as much as it starts with if none is given.
    pub max_memory: Option<u64>,
    /// Bytes of memory that no policy takes from it; a quarter of its memory if none is given.
    pub min_memory: Option<u64>,
    /// Bytes of memory that are left to it: what it has beyond is taken by force.
    pub limit: Option<u64>,
    /// Its shares; one for each MiB that it may have if none are given.
    pub shares: Option<u32>,
    /// Whether its memory is made of aligned runs of 2 MiB.
    pub contiguous: bool,
    /// Its sharing group; 0 is none.
    pub group: u8,
    /// Its command line; for our guest kernel `peer=N` if none is given.
    pub command_line: Option<String>,
    /// Milliseconds of its watchdog.
    pub watchdog_ms: Option<u32>,
    /// A file that it is given beside its image.
    pub module: Option<Module>,
}

impl Request {
    /// A domain with nothing said about it but its image.
    pub fn of(source: Source) -> Request {
        Request {
            name: None,
            source,
            memory: None,
            max_memory: None,
            min_memory: None,
            limit: None,
            shares: None,
            contiguous: false,
            group: 0,
            command_line: None,
            watchdog_ms: None,
            module: None,
        }
    }
}

impl From<GuestOption> for Request {
    fn from(option: GuestOption) -> Request {
        Request {
            name: option.name,
            source: Source::Path(option.path),
            memory: option.memory,
            max_memory: option.max_memory,
            min_memory: option.min_memory,
            limit: option.limit,
            shares: option.shares,
            contiguous: option.contiguous.unwrap_or(false),
            group: option.group.unwrap_or(0),
            command_line: option.command_line,
            watchdog_ms: option.watchdog_ms,
            module: option.module.map(Module::from),
        }
    }
}

/// A domain as it will be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Planned {
    /// Its name.
    pub name: String,
    /// Its image.
    pub source: Source,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of memory at most.
    pub max_memory: u64,
    /// Bytes of memory that no policy takes from it.
    pub min_memory: u64,
    /// Bytes of memory that are left to it; as much as it may have at most: nothing is taken.
    pub limit: u64,
    /// Its shares.
    pub shares: u32,
    /// Whether its memory is made of aligned runs of 2 MiB.
    pub contiguous: bool,
    /// Its sharing group; 0 is none.
    pub group: u8,
    /// Its command line.
    pub command_line: String,
    /// Milliseconds of its watchdog.
    pub watchdog_ms: u32,
    /// A file that it is given beside its image.
    pub module: Option<Module>,
}

/// A machine's domains.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The domains; the first has identity 1.
    pub domains: Vec<Planned>,
    /// Bytes of the machine's memory.
    pub memory: u64,
    /// What is asked of the hypervisor.
    pub options: Options,
}

impl Plan {
    /// Has the pages of these sharing groups hashed with a key.
    pub fn hash_with_key(&mut self, groups: &[u8]) -> Result<()> {
        for &group in groups {
            if group == 0 || !self.domains.iter().any(|domain| domain.group == group) {
                bail!(
                    "no guest is in group {group}: put one into it with group={group}, 1 to 127, or leave it out"
                );
            }
            self.options.keyed_groups |= 1 << group;
        }
        Ok(())
    }
}

/// What a machine boots, ready.
pub struct Prepared {
    /// The bundle.
    pub bundle: Vec<u8>,
    /// The ELF file of each domain, in their order.
    pub files: Vec<PathBuf>,
}

impl Planned {
    /// Completes what was asked for into a plan for a machine of `memory` bytes.
    pub fn from_requests(requests: Vec<Request>, memory: Option<u64>) -> Result<Plan> {
        let memory = memory.unwrap_or(DEFAULT_MEMORY);
        let count = requests.len();
        if count > manifest::MAX_DOMAINS {
            bail!(
                "{count} domains; a machine boots at most {}: ask for fewer",
                manifest::MAX_DOMAINS
            );
        }
        let share = share(memory, &requests)?;
        let built_in: Vec<bool> =
            requests.iter().map(|request| request.source == Source::BuiltIn).collect();
        let domains: Vec<Planned> = requests
            .into_iter()
            .enumerate()
            .map(|(index, request)| {
                let memory = request.memory.unwrap_or(share);
                let peer = peer(index, &built_in);
                let max_memory = request.max_memory.unwrap_or(memory);
                Planned {
                    name: request.name.unwrap_or_else(|| format!("guest-{}", index + 1)),
                    source: request.source,
                    memory,
                    max_memory,
                    min_memory: request.min_memory.unwrap_or_else(|| least(memory)),
                    limit: request.limit.unwrap_or(max_memory),
                    shares: request.shares.unwrap_or((max_memory >> 20).max(1) as u32),
                    contiguous: request.contiguous,
                    group: request.group,
                    command_line: request.command_line.unwrap_or(peer),
                    watchdog_ms: request.watchdog_ms.unwrap_or(DEFAULT_WATCHDOG_MS),
                    module: request.module,
                }
            })
            .collect();
        let total = needed(&domains);
        if total > memory {
            bail!(
                "the domains need {} with the hypervisor's share, the machine has {}: give it more with --memory {}M, or the domains less",
                size::show(total),
                size::show(memory),
                total.div_ceil(1 << 20)
            );
        }
        Ok(Plan { domains, memory, options: Options::default() })
    }
}

/// Bytes that domains need of a machine, with the hypervisor's share.
fn needed(domains: &[Planned]) -> u64 {
    domains.iter().fold(RESERVE, |sum, domain| sum.saturating_add(domain.memory))
}

/// Memory of a domain that does not ask for any: its share, a power of two from 4 to 32 MiB.
fn share(memory: u64, requests: &[Request]) -> Result<u64> {
    let asked: u64 =
        requests.iter().filter_map(|request| request.memory).fold(0, u64::saturating_add);
    let takers = requests.iter().filter(|request| request.memory.is_none()).count() as u64;
    if takers == 0 {
        return Ok(0);
    }
    let each = memory.saturating_sub(RESERVE).saturating_sub(asked) / takers;
    if each < 4 << 20 {
        bail!(
            "{} domains do not fit {} of memory: give the machine more with --memory {}M, or ask for fewer",
            requests.len(),
            size::show(memory),
            (RESERVE + asked.saturating_add(takers * (8 << 20))).div_ceil(1 << 20)
        );
    }
    Ok((1 << each.ilog2()).min(32 << 20))
}

/// What is left to a domain in any case that asks for nothing: a quarter of what it starts with.
fn least(memory: u64) -> u64 {
    ((memory / 4) & !(PAGE_SIZE - 1)).max(manifest::MIN_MEMORY)
}

/// The command line that makes neighbours of our guest kernel partners: 1 and 2, 3 and 4.
fn peer(index: usize, built_in: &[bool]) -> String {
    let other = index ^ 1;
    if built_in[index] && built_in.get(other) == Some(&true) {
        format!("peer={}", other + 1)
    } else {
        String::new()
    }
}

impl Plan {
    /// Builds the modules that have to be built.
    pub fn build_modules(&mut self, arch: Arch, may: MayInstall) -> Result<()> {
        for domain in &mut self.domains {
            domain.module =
                domain.module.take().map(|module| module.built(arch, may)).transpose()?;
        }
        Ok(())
    }

    /// Whether memory is taken by force from some domain.
    pub fn is_forced(&self) -> bool {
        self.domains.iter().any(|domain| domain.limit < domain.max_memory)
    }

    /// Looks at the ELF files and the modules that the user names: before anything is installed
    /// or built.
    pub fn check_files(&self, elf: pv_bundle::Architecture) -> Result<()> {
        let modules = self.modules()?;
        modules.check_machine(needed(&self.domains), self.memory)?;
        for (index, domain) in self.domains.iter().enumerate() {
            let Source::Path(path) = &domain.source else { continue };
            if !path.exists() {
                bail!(
                    "guest {} is not there: check the path, relative paths start where you are, or at the manifest's folder",
                    path.display()
                );
            }
            if !path.is_dir() {
                check(index, domain, modules.bytes_of(index), path, &read(path)?, elf)?;
            }
        }
        Ok(())
    }

    fn modules(&self) -> Result<Modules<'_>> {
        Modules::read(
            self.domains.iter().map(|domain| (domain.name.as_str(), domain.module.as_ref())),
        )
    }

    /// Builds what has to be built, makes every check of every image, and packs the bundle.
    pub fn prepare(&self, builder: &Builder, elf: pv_bundle::Architecture) -> Result<Prepared> {
        let mut sources: Vec<&Source> = self.domains.iter().map(|domain| &domain.source).collect();
        sources.sort();
        sources.dedup();
        let modules = self.modules()?;
        let mut images = Vec::new();
        for source in &sources {
            let file = match source {
                Source::BuiltIn => builder.package(GUEST)?,
                Source::Package(package) => builder.package(package)?,
                Source::CGuest => builder.c_guest()?,
                Source::Path(path) if path.is_dir() => builder.folder(path)?,
                Source::Path(path) => path.clone(),
            };
            let bytes = strip(&read(&file)?);
            let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            images.push((file, image_name(&name.unwrap_or_default()), bytes));
        }
        let place =
            |source: &Source| sources.iter().position(|other| *other == source).unwrap_or(0);
        for (index, domain) in self.domains.iter().enumerate() {
            let (file, _, bytes) = &images[place(&domain.source)];
            check(index, domain, modules.bytes_of(index), file, bytes, elf)?;
        }
        let domains: Vec<Domain<'_>> = self
            .domains
            .iter()
            .enumerate()
            .map(|(index, domain)| Domain {
                name: &domain.name,
                memory: domain.memory,
                max_memory: domain.max_memory,
                min_memory: domain.min_memory,
                limit: domain.limit,
                shares: domain.shares,
                contiguous: domain.contiguous,
                group: domain.group,
                command_line: &domain.command_line,
                image: place(&domain.source) as u16,
                module: modules.of(index).map(|module| (images.len() + module) as u16),
                watchdog_ms: domain.watchdog_ms,
            })
            .collect();
        let names: Vec<String> = modules.iter().map(|(name, _)| image_name(&name)).collect();
        let modules = names.iter().zip(modules.iter().map(|(_, bytes)| bytes));
        let named: Vec<NamedImage<'_>> = images
            .iter()
            .map(|(_, name, bytes)| NamedImage { name, bytes })
            .chain(modules.map(|(name, bytes)| NamedImage { name, bytes }))
            .collect();
        let bundle = pv_bundle::pack(&domains, &named, self.options)
            .context("these domains make no bundle (domains and images are counted from 0 here)")?;
        let files =
            self.domains.iter().map(|domain| images[place(&domain.source)].0.clone()).collect();
        Ok(Prepared { bundle, files })
    }
}

/// The checks of one domain's image and its `module` bytes, those that the hypervisor makes too.
fn check(
    index: usize,
    domain: &Planned,
    module: u64,
    file: &Path,
    bytes: &[u8],
    elf: pv_bundle::Architecture,
) -> Result<()> {
    let image =
        GuestImage::parse(bytes, elf).with_context(|| format!("guest image {}", file.display()))?;
    image
        .check_memory(domain.memory, domain.max_memory, module)
        .with_context(|| format!("domain {} ({})", index + 1, domain.name))
}

/// A file's name as a bundle takes it.
fn image_name(name: &str) -> String {
    let mut text: String = name.chars().filter(|c| !c.is_control()).collect();
    while text.len() > manifest::MAX_NAME {
        text.pop();
    }
    if text.is_empty() { "image".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in(count: usize, memory: Option<u64>) -> Result<Plan> {
        Planned::from_requests(vec![Request::of(Source::BuiltIn); count], memory)
    }

    #[test]
    fn neighbours_are_partners_and_an_odd_one_is_alone() {
        let plan = built_in(3, None).expect("fits");
        let lines: Vec<_> =
            plan.domains.iter().map(|domain| domain.command_line.as_str()).collect();
        assert_eq!(lines, ["peer=2", "peer=1", ""]);
    }

    #[test]
    fn a_foreign_neighbour_is_no_partner() {
        let requests = vec![Request::of(Source::BuiltIn), Request::of(Source::Path("k".into()))];
        let plan = Planned::from_requests(requests, None).expect("fits");
        assert_eq!(plan.domains[0].command_line, "");
        assert_eq!(plan.domains[1].command_line, "");
    }

    #[test]
    fn memory_is_shared_sensibly() {
        assert_eq!(built_in(2, None).expect("fits").domains[0].memory, 32 << 20);
        assert_eq!(built_in(32, None).expect("fits").domains[31].memory, 8 << 20);
        let error = built_in(128, Some(128 << 20)).expect_err("too many").to_string();
        assert!(error.contains("--memory"), "{error}");
        assert!(
            built_in(129, Some(64 << 30))
                .expect_err("too many")
                .to_string()
                .contains("at most 128")
        );
        assert!(built_in(1, Some(32 << 20)).is_err());
    }

    #[test]
    fn image_names_fit_the_bundle() {
        assert_eq!(image_name("pv-guest-kernel"), "pv-guest-kernel");
        assert_eq!(image_name(""), "image");
        assert_eq!(image_name("\n"), "image");
        assert!(image_name(&"é".repeat(40)).len() <= manifest::MAX_NAME);
    }
}
