//! What guests' programs print: our own of `pv-guest-kernel/programs`, and busybox with the scripts of
//! `pv-guest-kernel/rootfs/test/scripts`.
//!
//! A file of `pv-guest-kernel/programs/expected` is one call: in its first line the command, as a
//! shell shows it, with all that is in the environment before the program; after it all that the
//! program prints, to its output and to its error output. It is started in `/tmp` with nothing to
//! read, and exits with 0.

use crate::workspace;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// Folders of a guest that commands name: what is tested, busybox, and where files are made.
const FOLDERS: [&str; 3] = ["/test", "/bin", "/tmp"];

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
    let is_ours = words.first().is_some_and(|word| moved(word, Path::new("/x")) != *word);
    ensure!(is_ours, "`{command}` does not name a program in one of {FOLDERS:?}");
    let pair = |word: &&str| word.split_once('=').map(|(key, value)| (key.into(), value.into()));
    Ok(Case {
        name,
        environment: variables.iter().filter_map(pair).collect(),
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        output: output.to_owned(),
    })
}

/// A word that names folders of a guest, with `:` between them, where those lie in `root`.
fn moved(word: &str, root: &Path) -> String {
    let is_in = |path: &str, folder: &str| {
        path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let one = |path: &str| {
        if FOLDERS.iter().any(|folder| is_in(path, folder)) {
            format!("{}{path}", root.display())
        } else {
            path.to_owned()
        }
    };
    word.split(':').map(one).collect::<Vec<_>>().join(":")
}

impl Case {
    /// The command on the host, where the guest's root is a folder.
    pub fn command(&self, root: &Path) -> Command {
        let mut words = self.words.iter().map(|word| moved(word, root));
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).current_dir(root.join("tmp")).env_clear();
        command.envs(self.environment.iter().map(|(key, value)| (key, moved(value, root))));
        command
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
        assert_eq!(moved("/test/two", Path::new("/x")), "/x/test/two");
        assert_eq!(moved("/bin:/usr:/test", Path::new("/x")), "/x/bin:/usr:/x/test");
        assert_eq!(moved("/tester one", Path::new("/x")), "/tester one");
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
        for bad in ["", "$ /test/x", "/test/x\n", "$ /etc/x\n", "$ A=/bin/x\n"] {
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
            assert!(tested.contains(format!("/test/{program}").as_str()), "{program}");
        }
        let scripts = workspace::root().join("pv-guest-kernel/rootfs/test/scripts");
        for script in std::fs::read_dir(scripts).expect("they are there") {
            let name = script.expect("an entry").file_name().to_string_lossy().into_owned();
            let is_tested =
                cases.iter().any(|case| case.words[1..].iter().any(|word| word.ends_with(&name)));
            // This one is what the others make their files with.
            assert!(is_tested || name == "tree.sh", "{name}");
        }
    }
}
