//! Files: one subject each, so not long; and each says first what it is for.

use super::{Findings, Source};

/// Lines above which a file is looked at, and above which it fails.
const SOFT: usize = 400;
const HARD: usize = 600;

/// Lines of a `build.rs` that needs no introduction.
const TRIVIAL: usize = 15;

/// Checks every file. Tests beside the code count as much as the code does.
pub fn check(sources: &[Source], findings: &mut Findings) {
    for source in sources {
        let lines = source.text.lines().count();
        let path = source.path.display();
        if lines > HARD {
            findings
                .errors
                .push(format!("{path} has {lines} lines; {HARD} is the most: divide it"));
        } else if lines > SOFT {
            findings.warnings.push(format!("{path} has {lines} lines; divide it before {HARD}"));
        }
        let trivial = source.path.ends_with("build.rs") && lines <= TRIVIAL;
        let first = source.text.lines().find(|line| !line.trim().is_empty());
        if !trivial && !first.is_some_and(|line| line.starts_with("//!")) {
            findings
                .errors
                .push(format!("{path} does not begin with `//!`: say first what it is for"));
        }
        for (index, line) in source.text.lines().enumerate() {
            // In two parts, so that this file does not find itself.
            if line.contains(concat!("TO", "DO")) || line.contains(concat!("FIX", "ME")) {
                findings.errors.push(format!(
                    "{path}:{}: a note of what is left to do: do it, or open an issue",
                    index + 1
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: String) -> Findings {
        let mut findings = Findings::default();
        check(&[Source { path: path.into(), text }], &mut findings);
        findings
    }

    #[test]
    fn long_files_warn_and_then_fail() {
        let lines = |count: usize| "//! x\n".repeat(count);
        assert!(findings("a.rs", lines(400)).warnings.is_empty());
        assert_eq!(findings("a.rs", lines(401)).warnings.len(), 1);
        assert_eq!(findings("a.rs", lines(601)).errors.len(), 1);
    }

    #[test]
    fn a_file_begins_with_what_it_is_for() {
        assert_eq!(findings("a.rs", "use x;\n".into()).errors.len(), 1);
        assert_eq!(findings("a.rs", "\n//! x\nuse x;\n".into()).errors.len(), 0);
        assert_eq!(findings("p/build.rs", "fn main() {}\n".into()).errors.len(), 0);
        assert_eq!(
            findings("a.rs", format!("//! x\n// {}: y\n", concat!("TO", "DO"))).errors.len(),
            1
        );
    }
}
