//! `--guest PATH[,memory=64M][,max=128M][,min=16M][,limit=32M][,shares=N][,contiguous=1][,name=NAME][,watchdog=MS][,module=FILE][,cmdline=...]`.

use crate::size;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::str::FromStr;

/// One `--guest`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GuestOption {
    /// An ELF file, or the folder of a crate.
    pub path: PathBuf,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Bytes of memory at most.
    pub max_memory: Option<u64>,
    /// Bytes of memory that no policy takes from it.
    pub min_memory: Option<u64>,
    /// Bytes of memory that are left to it: what it has beyond is taken by force.
    pub limit: Option<u64>,
    /// Its shares.
    pub shares: Option<u32>,
    /// Whether its memory is made of aligned runs of 2 MiB.
    pub contiguous: Option<bool>,
    /// Its sharing group.
    pub group: Option<u8>,
    /// The domain's name.
    pub name: Option<String>,
    /// Milliseconds of the watchdog.
    pub watchdog_ms: Option<u32>,
    /// A file that it is given beside its image.
    pub module: Option<PathBuf>,
    /// The guest's command line.
    pub command_line: Option<String>,
}

impl FromStr for GuestOption {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<GuestOption> {
        // A command line may hold commas: it is the last part, and reaches to the end.
        let (text, command_line) = match text.split_once(",cmdline=") {
            Some((text, line)) => (text, Some(line.to_owned())),
            None => (text, None),
        };
        let mut parts = text.split(',');
        let path = parts.next().unwrap_or_default();
        if path.is_empty() {
            bail!("no path: write --guest PATH, an ELF file or a crate's folder");
        }
        let mut option = GuestOption { path: path.into(), command_line, ..GuestOption::default() };
        for part in parts {
            let Some((key, value)) = part.split_once('=') else {
                bail!("`{part}` has no value: write key=value, such as memory=64M");
            };
            let twice = match key {
                "memory" => option.memory.replace(size::parse(value).context("memory")?).is_some(),
                "max" => option.max_memory.replace(size::parse(value).context("max")?).is_some(),
                "min" => option.min_memory.replace(size::parse(value).context("min")?).is_some(),
                "limit" => option.limit.replace(size::parse(value).context("limit")?).is_some(),
                "shares" => {
                    let shares = value.parse().ok().filter(|shares| *shares > 0);
                    let shares = shares
                        .with_context(|| format!("shares={value}: write a number above 0"))?;
                    option.shares.replace(shares).is_some()
                }
                "contiguous" => {
                    let contiguous = match value {
                        "0" => false,
                        "1" => true,
                        _ => bail!("contiguous={value}: write 0 or 1"),
                    };
                    option.contiguous.replace(contiguous).is_some()
                }
                "group" => {
                    let group = value.parse().ok().filter(|group| *group < 128);
                    let group = group.with_context(|| format!("group={value}: write 0 to 127"))?;
                    option.group.replace(group).is_some()
                }
                "name" => option.name.replace(value.to_owned()).is_some(),
                "module" => option.module.replace(value.into()).is_some(),
                "watchdog" => {
                    let ms = value.parse().ok().with_context(|| {
                        format!("watchdog={value}: write milliseconds, 0 for no watchdog")
                    })?;
                    option.watchdog_ms.replace(ms).is_some()
                }
                _ => bail!(
                    "`{key}` is not a key of --guest: there are memory, max, min, limit, shares, contiguous, group, name, watchdog, module and, last, cmdline"
                ),
            };
            if twice {
                bail!("`{key}` is given twice: give it once");
            }
        }
        Ok(option)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        format!("{:#}", text.parse::<GuestOption>().expect_err(text))
    }

    #[test]
    fn every_key_is_read() {
        let option: GuestOption =
            "my/kernel.elf,memory=64M,max=1G,min=32M,limit=48M,shares=7,contiguous=1,group=3,name=mine,watchdog=500,module=a/root.cpio,cmdline=a=1,b memory=2"
                .parse()
                .expect("reads");
        assert_eq!(
            option,
            GuestOption {
                path: "my/kernel.elf".into(),
                memory: Some(64 << 20),
                max_memory: Some(1 << 30),
                min_memory: Some(32 << 20),
                limit: Some(48 << 20),
                shares: Some(7),
                contiguous: Some(true),
                group: Some(3),
                name: Some("mine".into()),
                watchdog_ms: Some(500),
                module: Some("a/root.cpio".into()),
                command_line: Some("a=1,b memory=2".into()),
            }
        );
        assert_eq!("k".parse::<GuestOption>().expect("reads").path, PathBuf::from("k"));
    }

    #[test]
    fn errors_name_the_key_and_the_mend() {
        assert!(refusal("").contains("--guest PATH"));
        assert!(refusal("k,64M").contains("memory=64M"));
        assert!(refusal("k,memory=lots").contains("memory: `lots` is not a size"));
        assert!(refusal("k,ram=64M").contains("`ram` is not a key"));
        assert!(refusal("k,max=1M,max=2M").contains("given twice"));
        assert!(refusal("k,shares=0").contains("above 0"));
        assert!(refusal("k,contiguous=yes").contains("0 or 1"));
        assert!(refusal("k,watchdog=soon").contains("milliseconds"));
    }
}
