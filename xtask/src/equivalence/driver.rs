//! All cases of a guest in one boot: the script that runs them, and what it says of each.
//!
//! Output is told in hexadecimal, in lines between two marks: so whatever it is, and whatever the
//! kernel has to say in between, is told apart.

use crate::programs::Case;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Runs one case as `cargo test` does on the host: in `/tmp`, with nothing to read, in an
/// environment that is empty but for what the case says. Nothing of it is left to the next.
const RUN: &str = r#"
echo "[busybox $(sha256sum < /bin/busybox | cut -d' ' -f1)]"
run() {
  name=$1; shift
  cd /tmp
  read -r began rest < /proc/uptime
  { env -i "$@" < /dev/null; echo $? > /mnt/status; } 2>&1 | cat > /mnt/output
  read -r ended rest < /proc/uptime
  cd /
  kill -KILL -1
  echo "[case $name $(cat /mnt/status) $began $ended]"
  xxd -p /mnt/output
  echo "[end]"
  rm -rf /mnt/* /tmp
  mkdir -m 1777 /tmp
}
"#;

/// What a guest says of all cases.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Told {
    /// The hash of the busybox that it ran.
    pub busybox: String,
    /// What came of each case that ended, by name.
    pub cases: BTreeMap<String, Ran>,
}

/// What came of a case in a guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ran {
    /// Its exit status.
    pub status: u8,
    /// What it printed.
    pub output: Vec<u8>,
    /// Hundredths of a second of the machine's time that it took.
    pub time: u64,
}

/// The script that runs cases.
pub fn script(cases: &[Case]) -> String {
    let mut script = RUN.to_owned();
    for case in cases {
        let variables = case.environment.iter().map(|(key, value)| format!("{key}={value}"));
        let words: Vec<String> =
            variables.chain(case.words.iter().cloned()).map(|word| quoted(&word)).collect();
        let _ = writeln!(script, "run {} {}", quoted(&case.name), words.join(" "));
    }
    script
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Reads what the script says.
pub fn told(output: &[u8]) -> Told {
    let text = String::from_utf8_lossy(output);
    let mut told = Told::default();
    let mut open: Option<(String, Ran)> = None;
    for line in text.lines() {
        let line = line.trim_end();
        if let Some(hash) = line.strip_prefix("[busybox ").and_then(|rest| rest.strip_suffix(']')) {
            told.busybox = hash.to_owned();
        } else if let Some(case) = line.strip_prefix("[case ").and_then(begun) {
            open = Some(case);
        } else if line == "[end]" {
            told.cases.extend(open.take());
        } else if let (Some((_, ran)), Some(bytes)) = (&mut open, bytes(line)) {
            ran.output.extend(bytes);
        }
    }
    told
}

fn begun(rest: &str) -> Option<(String, Ran)> {
    let mut words = rest.strip_suffix(']')?.split(' ');
    let name = words.next()?.to_owned();
    let status = words.next()?.parse().ok()?;
    let (began, ended) = (hundredths(words.next()?)?, hundredths(words.next()?)?);
    Some((name, Ran { status, output: Vec::new(), time: ended.checked_sub(began)? }))
}

/// `12.34` in hundredths.
fn hundredths(seconds: &str) -> Option<u64> {
    let (whole, part) = seconds.split_once('.')?;
    Some(whole.parse::<u64>().ok()? * 100 + part.parse::<u64>().ok()?)
}

/// Hexadecimal digits.
fn bytes(line: &str) -> Option<Vec<u8>> {
    let digits = line.as_bytes().chunks(2).map(std::str::from_utf8);
    digits.map(|pair| u8::from_str_radix(pair.ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_a_line_of_the_script() {
        let case = Case {
            name: "a".into(),
            environment: vec![("A".into(), "it's".into())],
            words: vec!["/test/args".into(), "b".into()],
            output: String::new(),
        };
        let script = script(&[case]);
        assert!(script.ends_with("\nrun 'a' 'A=it'\\''s' '/test/args' 'b'\n"), "{script}");
    }

    #[test]
    fn what_is_told_is_read() {
        let told = told(
            b"[busybox 12ab]\n[case a 0 1.02 11.00]\n0a00ff\nout of memory: x\n5b\n[end]\n\
              5b\n[case b 3 2.00 2.00]\n[end]\n[case c 0 3.00 4.00]\n61\n",
        );
        assert_eq!(told.busybox, "12ab");
        let ran = |status, output: &[u8], time| Ran { status, output: output.to_vec(), time };
        let expected =
            [("a".to_owned(), ran(0, &[10, 0, 255, 0x5b], 998)), ("b".to_owned(), ran(3, &[], 0))];
        assert_eq!(told.cases, BTreeMap::from(expected));
    }
}
