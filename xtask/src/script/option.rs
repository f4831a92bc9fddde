//! `--script [DOMAIN:]FILE`.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::str::FromStr;

/// One `--script`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptOption {
    /// The domain whose script it is, from 1.
    pub domain: usize,
    /// The script.
    pub file: PathBuf,
}

impl FromStr for ScriptOption {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<ScriptOption> {
        let numbered = text.split_once(':').and_then(|(number, file)| {
            let domain = number.parse().ok()?;
            Some((domain, file))
        });
        let (domain, file) = numbered.unwrap_or((1, text));
        if domain == 0 {
            bail!("`{text}`: domains are counted from 1");
        }
        if file.is_empty() {
            bail!("`{text}` names no file: write --script FILE, or --script 2:FILE for domain 2");
        }
        Ok(ScriptOption { domain, file: file.into() })
    }
}

impl ScriptOption {
    /// What is in the file.
    pub fn read(&self) -> Result<Vec<u8>> {
        std::fs::read(&self.file)
            .with_context(|| format!("cannot read the script {}", self.file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_of_a_domain() {
        let parsed = |text: &str| text.parse::<ScriptOption>().map_err(|error| error.to_string());
        let option = |domain, file: &str| Ok(ScriptOption { domain, file: file.into() });
        assert_eq!(parsed("a.sh"), option(1, "a.sh"));
        assert_eq!(parsed("2:a.sh"), option(2, "a.sh"));
        assert_eq!(parsed("C:a.sh"), option(1, "C:a.sh"));
        assert!(parsed("0:a").expect_err("no domain").contains("counted from 1"));
        assert!(parsed("").expect_err("no file").contains("names no file"));
        assert!(parsed("3:").expect_err("no file").contains("domain 2"));
        let error = option(1, "/nowhere/a.sh")
            .and_then(|option: ScriptOption| option.read().map_err(|error| error.to_string()));
        assert!(error.expect_err("not there").contains("/nowhere/a.sh"));
    }
}
