//! The test programs of `pv-guest-kernel/programs`: how each is called, and what it prints.
//!
//! A file of `expected/` is one such call: in its first line the command, as a shell shows it,
//! with what the environment holds before the program; after it all that the program prints. It
//! exits with 0.

use crate::workspace;
use anyhow::{Context, Result, ensure};
use std::path::Path;

/// Where programs lie in a guest.
pub const FOLDER: &str = "/test/";

/// A program, how it is called, and what it prints.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// Its name: that of the file.
    pub name: String,
    /// The environment, and nothing else in it.
    pub environment: Vec<(String, String)>,
    /// The program's file in a guest, and its arguments.
    pub words: Vec<String>,
    /// All that it prints.
    pub output: String,
}

/// All of them, by name.
pub fn cases() -> Result<Vec<Case>> {
    let folder = workspace::root().join("pv-guest-kernel/programs/expected");
    let entries = std::fs::read_dir(&folder)
        .with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut cases = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        cases.push(parse(name, &text).with_context(|| format!("{}", path.display()))?);
    }
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(cases)
}

fn parse(name: String, text: &str) -> Result<Case> {
    let (command, output) = text.split_once('\n').context("it has no first line")?;
    let command =
        command.strip_prefix("$ ").context("its first line is no command: begin it with `$ `")?;
    let words: Vec<&str> = command.split_whitespace().collect();
    let variables = words.iter().take_while(|word| word.contains('=')).count();
    let (variables, words) = words.split_at(variables);
    let is_ours = words.first().is_some_and(|word| word.starts_with(FOLDER));
    ensure!(is_ours, "`{command}` does not name a program in {FOLDER}");
    let pair = |word: &&str| word.split_once('=').map(|(key, value)| (key.into(), value.into()));
    Ok(Case {
        name,
        environment: variables.iter().filter_map(pair).collect(),
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        output: output.to_owned(),
    })
}

impl Case {
    /// Its words where programs lie in another folder.
    pub fn words_in(&self, folder: &Path) -> Vec<String> {
        let moved = |word: &String| match word.strip_prefix(FOLDER) {
            Some(name) => folder.join(name).display().to_string(),
            None => word.clone(),
        };
        self.words.iter().map(moved).collect()
    }

    /// The first line that is not as it should be, or whether lines are missing.
    pub fn compare(&self, output: &str) -> Result<()> {
        let mut lines = output.lines();
        for (index, expected) in self.output.lines().enumerate() {
            let found = lines.next();
            ensure!(
                found == Some(expected),
                "line {} should be\n  {expected}\nbut is\n  {}",
                index + 1,
                found.unwrap_or("missing")
            );
        }
        let more = lines.next();
        ensure!(more.is_none(), "there is more: {}", more.unwrap_or_default());
        ensure!(output == self.output, "the end of the last line is another");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_case_is_a_command_and_its_output() {
        let case = parse("x".into(), "$ A=b C= /test/args one /test/two\n1\n2\n").expect("a case");
        assert_eq!(case.environment, [("A".into(), "b".into()), ("C".into(), String::new())]);
        assert_eq!(case.words, ["/test/args", "one", "/test/two"]);
        assert_eq!(case.words_in(Path::new("/x")), ["/x/args", "one", "/x/two"]);
        assert!(case.compare("1\n2\n").is_ok());
        for (other, why) in [
            ("1\n", "line 2 should be\n  2\nbut is\n  missing"),
            ("1\n3\n", "but is\n  3"),
            ("1\n2\n3\n", "there is more: 3"),
            ("1\n2", "the end of the last line"),
        ] {
            let error = case.compare(other).expect_err(other).to_string();
            assert!(error.contains(why), "{error}");
        }
        for bad in ["", "$ /test/x", "/test/x\n", "$ /bin/sh\n"] {
            assert!(parse("x".into(), bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_program_has_a_case() {
        let cases = cases().expect("the files are there");
        let tested: BTreeSet<&str> = cases.iter().map(|case| case.words[0].as_str()).collect();
        let manifest = workspace::root().join("pv-guest-kernel/programs/Cargo.toml");
        let manifest = std::fs::read_to_string(manifest).expect("the manifest is there");
        let programs: Vec<&str> = manifest
            .split("[[bin]]\nname = \"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert!(programs.len() > 10, "{programs:?}");
        for program in &programs {
            assert!(tested.contains(format!("{FOLDER}{program}").as_str()), "{program}");
        }
        assert_eq!(tested.len(), programs.len());
    }
}
