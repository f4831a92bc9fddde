//! `--manifest FILE.toml`: domains described in a file.
//!
//! ```toml
//! memory = "512M"            # of the machine
//!
//! [options]                  # of the hypervisor, each may be left out
//! slice_ms = 10
//! audit_period = 1
//! scatter_seed = 1
//! keyed_groups = [3]         # sharing groups of guests that may look for pages that hash alike
//!
//! [[domain]]                 # one or more
//! name = "web"
//! image = "kernel.elf"       # or a crate's folder; left out: our guest kernel
//! memory = "64M"
//! max_memory = "128M"
//! min_memory = "16M"         # what no policy takes from it
//! limit = "32M"              # what it has beyond is taken by force, see `run --store`
//! shares = 100               # what its claim to memory weighs
//! group = 3                  # guests of one group may share frames, 1 to 127
//! contiguous = true          # its memory is made of aligned runs of 2 MiB
//! command_line = "verbose"
//! watchdog_ms = 2000
//! module = "root.cpio"       # a file for the guest; "rootfs": `cargo xtask rootfs` builds it
//! ```

use crate::domains::{Plan, Planned, Request, Source};
use crate::modules::Module;
use crate::size;
use anyhow::{Context, Result, bail};
use pv_bundle::Options;
use serde::{Deserialize, Deserializer, de::Error};
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, deserialize_with = "size")]
    memory: Option<u64>,
    #[serde(default)]
    options: OptionTable,
    #[serde(default)]
    domain: Vec<DomainTable>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct OptionTable {
    slice_ms: Option<u32>,
    audit_period: Option<u32>,
    scatter_seed: Option<u64>,
    #[serde(default)]
    keyed_groups: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DomainTable {
    name: Option<String>,
    image: Option<PathBuf>,
    #[serde(default, deserialize_with = "size")]
    memory: Option<u64>,
    #[serde(default, deserialize_with = "size")]
    max_memory: Option<u64>,
    #[serde(default, deserialize_with = "size")]
    min_memory: Option<u64>,
    #[serde(default, deserialize_with = "size")]
    limit: Option<u64>,
    shares: Option<u32>,
    #[serde(default)]
    contiguous: bool,
    #[serde(default)]
    group: u8,
    command_line: Option<String>,
    watchdog_ms: Option<u32>,
    module: Option<PathBuf>,
}

/// A size as text, or as a number of bytes.
fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a size such as \"64M\"")]
    enum Size {
        Bytes(u64),
        Text(String),
    }
    match Size::deserialize(deserializer)? {
        Size::Bytes(bytes) => Ok(Some(bytes)),
        Size::Text(text) => size::parse(&text).map(Some).map_err(D::Error::custom),
    }
}

/// Reads the file into a plan. `memory` is the machine's, if the command line gives it.
pub fn read(path: &Path, memory: Option<u64>) -> Result<Plan> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!(
            "cannot read the manifest {}: check the path, relative paths start where you are",
            path.display()
        )
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    parse(&text, folder, memory).with_context(|| format!("manifest {}", path.display()))
}

fn parse(text: &str, folder: &Path, memory: Option<u64>) -> Result<Plan> {
    let file: File = toml::from_str(text)?;
    if file.domain.is_empty() {
        bail!("it has no guest: add at least one [[domain]] table");
    }
    let requests = file
        .domain
        .into_iter()
        .map(|domain| Request {
            name: domain.name,
            source: domain.image.map_or(Source::BuiltIn, |image| Source::Path(folder.join(image))),
            memory: domain.memory,
            max_memory: domain.max_memory,
            min_memory: domain.min_memory,
            limit: domain.limit,
            shares: domain.shares,
            contiguous: domain.contiguous,
            group: domain.group,
            command_line: domain.command_line,
            watchdog_ms: domain.watchdog_ms,
            module: domain.module.map(|module| module_at(folder, module)),
        })
        .collect();
    let default = Options::default();
    let options = Options {
        slice_ms: file.options.slice_ms.unwrap_or(default.slice_ms),
        audit_period: file.options.audit_period.unwrap_or(default.audit_period),
        scatter_seed: file.options.scatter_seed.unwrap_or(default.scatter_seed),
        ..default
    };
    let domains = Planned::from_requests(requests, memory.or(file.memory))?;
    let mut plan = Plan { options, ..domains };
    plan.hash_with_key(&file.options.keyed_groups).context("keyed_groups")?;
    Ok(plan)
}

/// A module that a manifest in `folder` names.
fn module_at(folder: &Path, path: PathBuf) -> Module {
    match Module::from(path) {
        Module::Path(path) => Module::Path(folder.join(path)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        format!("{:#}", parse(text, Path::new("/m"), None).expect_err(text))
    }

    #[test]
    fn a_manifest_is_read() {
        let text = r#"
            memory = "1G"
            [options]
            slice_ms = 5
            keyed_groups = [3]
            [[domain]]
            name = "web"
            group = 3
            image = "kernel.elf"
            memory = "64M"
            max_memory = "128M"
            command_line = "verbose"
            module = "root.cpio"
            [[domain]]
        "#;
        let plan = parse(text, Path::new("/m"), None).expect("reads");
        assert_eq!(plan.memory, 1 << 30);
        assert_eq!(plan.options.slice_ms, 5);
        assert_eq!(plan.domains[0].group, 3);
        assert_eq!(plan.options.keyed_groups().collect::<Vec<_>>(), [3]);
        assert_eq!(plan.domains[0].name, "web");
        assert_eq!(plan.domains[0].source, Source::Path("/m/kernel.elf".into()));
        assert_eq!(plan.domains[0].max_memory, 128 << 20);
        assert_eq!(plan.domains[0].module, Some(Module::Path("/m/root.cpio".into())));
        assert_eq!(plan.domains[1].module, None);
        assert_eq!(plan.domains[1].name, "guest-2");
        assert_eq!(plan.domains[1].source, Source::BuiltIn);
        let plan = parse(text, Path::new("/m"), Some(2 << 30)).expect("reads");
        assert_eq!(plan.memory, 2 << 30, "the command line wins");
    }

    #[test]
    fn mistakes_are_shown_with_their_line() {
        let text = "[[domain]]\nname = \"a\"\nmemroy = \"64M\"\n";
        let error = refusal(text);
        assert!(error.contains("line 3") && error.contains("memroy"), "{error}");
        let error = refusal("[[domain]]\nmemory = \"lots\"\n");
        assert!(error.contains("line 2") && error.contains("such as 64M"), "{error}");
        let error = refusal("[[domain]]\nmemory = true\n");
        assert!(error.contains("line 2") && error.contains("a size"), "{error}");
        assert!(refusal("[options]\nspeed = 1\n").contains("line 2"));
        assert!(refusal("[[domain]\n").contains("line 1"));
        let error = refusal("[options]\nkeyed_groups = [4]\n[[domain]]\ngroup = 3\n");
        assert!(error.contains("keyed_groups") && error.contains("group=4"), "{error}");
    }

    #[test]
    fn no_guest_and_too_much_memory() {
        assert!(refusal("").contains("no guest"));
        assert!(refusal("memory = \"512M\"\n").contains("[[domain]]"));
        let error = refusal("memory = \"512M\"\n[[domain]]\nmemory = \"600M\"\n");
        assert!(error.contains("--memory"), "{error}");
    }
}
