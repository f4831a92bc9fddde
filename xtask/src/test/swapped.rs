//! Programs that use more memory than there is, with a swap area and without: on both kernels.
//!
//! What the programs find in their memory is checked by themselves; that pages went out and came
//! back is in the kernel's own counts. Where the swap area is too small, or missing, one process
//! ends, the kernel says which and why, and the others go on.

use super::count::{Count, section};
use crate::arch::Arch;
use crate::packages::MayInstall;
use crate::script::{Kernel, Machine, Outcome};
use anyhow::{Context, Result, ensure};
use std::time::Duration;

/// Bytes of memory of the kernel.
const MEMORY: u64 = 24 << 20;

/// Real time that a machine may take.
const LIMIT: Duration = Duration::from_secs(300);

/// A swap area that holds what the programs use beyond memory, in pages; and one that does not.
const ENOUGH: &str = "swap=2560";
const TOO_LITTLE: &str = "swap=256";

/// What is run: our own program and awk with a table that is random to both, each of which needs
/// more than is free, at the same time as a shell that looks on.
const SCRIPT: &str = r#"
field() { while read -r name value rest; do [ "$name" = "$1" ] && echo "$value"; done < "$2"; }
free=$(field MemFree: /proc/meminfo)
pages=$((free / 4 + 512))
/test/big-memory $pages 3000 5 | sed "s/^/big: /"
awk 'BEGIN {
  for (i = 0; i < 30000; i++) word[i] = sprintf("%07d%0120d", (i * 7919) % 1000003, i)
  for (i = 0; i < 30000; i++) sum += substr(word[i], 1, 7) + length(word[i])
  print "awk: " sum
}'
echo "free $free kB, pages $pages"
cat /proc/vmstat > /tmp/counts
for name in pswpout pswpin pgmajfault; do echo "$name $(field $name /tmp/counts)"; done
echo "total $(field SwapTotal: /proc/meminfo) left $(field SwapFree: /proc/meminfo)"
free | sed -n 's/^Swap: */swap /p'
echo "the shell goes on"
"#;

/// What the programs print when nothing is lost.
const RIGHT: [&str; 3] =
    ["big: two processes: neither saw what the other wrote\n", "awk: ", "the shell goes on\n"];

/// The tests of an architecture.
pub fn all(arch: Arch, may: MayInstall) -> Count {
    section(&format!("more memory used than there is, {arch}"), |section| {
        let mut sums = Vec::new();
        for kernel in Kernel::ALL {
            for (words, check) in
                [(ENOUGH, swaps as fn(&Outcome) -> Result<()>), (TOO_LITTLE, full), ("", none)]
            {
                section.progress.at(&format!("{kernel}, {words}"));
                let machine = Machine { arch, kernel, may, memory: MEMORY, words, limit: LIMIT };
                let result = machine.script(SCRIPT.as_bytes(), |_| {}).and_then(|outcome| {
                    let said = String::from_utf8_lossy(&outcome.said).into_owned();
                    sums.extend(awk(&outcome).filter(|_| words == ENOUGH));
                    check(&outcome).with_context(|| format!("it said:\n{said}"))
                });
                section.test(&format!("{kernel} with `{words}`"), result);
            }
        }
        let same = sums.len() == Kernel::ALL.len() && sums.windows(2).all(|two| two[0] == two[1]);
        let what = if same { Ok(()) } else { Err(anyhow::anyhow!("awk prints {sums:?}")) };
        section.test("the same on both", what);
        Ok(())
    })
}

/// What awk prints.
fn awk(outcome: &Outcome) -> Option<String> {
    let text = String::from_utf8_lossy(&outcome.output).into_owned();
    text.lines().find_map(|line| line.strip_prefix("awk: ").map(str::to_owned))
}

/// The number in a line that begins so.
fn number(outcome: &Outcome, prefix: &str) -> Result<u64> {
    let text = String::from_utf8_lossy(&outcome.output).into_owned();
    let rest = text.lines().find_map(|line| line.strip_prefix(prefix));
    let word = rest.and_then(|rest| rest.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).with_context(|| format!("no number after `{prefix}`"))
}

/// Everything ran, and more than there is went out and came back.
fn swaps(outcome: &Outcome) -> Result<()> {
    let text = String::from_utf8_lossy(&outcome.output).into_owned();
    for line in RIGHT {
        ensure!(text.contains(line), "{line:?} is missing");
    }
    ensure!(outcome.status == Some(0), "the script ended with {:?}", outcome.status);
    let said = String::from_utf8_lossy(&outcome.said).into_owned();
    ensure!(!said.contains("out of memory"), "something was ended for its memory");
    let (out, came, major) = (
        number(outcome, "pswpout ")?,
        number(outcome, "pswpin ")?,
        number(outcome, "pgmajfault ")?,
    );
    ensure!(out >= 512 && came >= 512, "{out} pages went out, {came} came back");
    ensure!(major > 0 && major == came, "{major} faults read {came} pages back");
    let (total, kernel_s) = (number(outcome, "total ")?, number(outcome, "swap ")?);
    ensure!(total > 0 && total == kernel_s, "the area has {total} kB, `free` says {kernel_s}");
    Ok(())
}

/// One process was ended, and why was said; the shell went on.
fn ended(outcome: &Outcome, why: &str) -> Result<()> {
    let said = String::from_utf8_lossy(&outcome.said).into_owned();
    let line = said.lines().find(|line| line.contains("out of memory: ended process"));
    let line = line.context("nothing was ended for its memory")?;
    ensure!(line.contains("(big-memory)") && line.contains(why), "the kernel said: {line}");
    ensure!(!said.contains("neither saw what"), "it did all the same");
    ensure!(outcome.status == Some(0), "the script ended with {:?}", outcome.status);
    ensure!(said.contains("the shell goes on"), "the shell did not go on");
    Ok(())
}

fn full(outcome: &Outcome) -> Result<()> {
    ended(outcome, "the swap area is full")
}

fn none(outcome: &Outcome) -> Result<()> {
    ended(outcome, "there is no swap area")?;
    ensure!(number(outcome, "pswpout ")? == 0, "pages went where nothing is");
    Ok(())
}
