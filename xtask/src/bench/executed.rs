//! What QEMU executed, from its log: `-d in_asm,exec,nochain` writes each translated block when it
//! is made, with its instructions, and a line each time that it is executed.

use std::collections::HashMap;
use std::io::{BufRead, Result};

/// The options that make QEMU write that log, to its error output.
pub const LOG: [&str; 2] = ["-d", "in_asm,exec,nochain"];

/// Instructions that follow one another: the address of the first, and how many.
pub type Block = (u64, u64);

/// How often each block was executed.
#[derive(Default)]
pub struct Executed(pub HashMap<Block, i64>);

/// A log that is being read.
#[derive(Default)]
struct Reader {
    /// The block that was translated last.
    translated: Option<Block>,
    /// The number of the block at each of the host's addresses.
    known: HashMap<Vec<u8>, usize>,
    counts: Vec<(Block, i64)>,
}

impl Reader {
    fn line(&mut self, line: &[u8]) {
        if let Some(trace) = line.strip_prefix(b"Trace ") {
            self.executed(trace);
        } else if line.starts_with(b"IN:") {
            self.translated = None;
        } else if let Some(rest) = line.strip_prefix(b"0x")
            && let Some(address) = rest.split(|byte| *byte == b':').next().and_then(hexadecimal)
        {
            let (_, length) = self.translated.get_or_insert((address, 0));
            *length += 1;
        }
    }

    /// `0: 0xHOST [BASE/ADDRESS/FLAGS/FLAGS] NAME`
    fn executed(&mut self, trace: &[u8]) {
        let mut words = trace.split(|byte| *byte == b' ').skip(1);
        let (Some(host), Some(state)) = (words.next(), words.next()) else { return };
        let Some(address) = state.split(|byte| *byte == b'/').nth(1).and_then(hexadecimal) else {
            return;
        };
        if let Some(block) = self.translated.take_if(|(start, _)| *start == address) {
            self.known.insert(host.to_vec(), self.counts.len());
            self.counts.push((block, 1));
        } else if let Some(index) = self.known.get(host) {
            self.counts[*index].1 += 1;
        } else {
            self.known.insert(host.to_vec(), self.counts.len());
            self.counts.push(((address, 1), 1));
        }
    }
}

fn hexadecimal(text: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

impl Executed {
    /// Reads a log to its end.
    pub fn read(mut log: impl BufRead) -> Result<Executed> {
        let mut reader = Reader::default();
        let mut line = Vec::new();
        while log.read_until(b'\n', &mut line)? != 0 {
            reader.line(&line);
            line.clear();
        }
        let mut executed = Executed::default();
        for (block, count) in reader.counts {
            *executed.0.entry(block).or_default() += count;
        }
        Ok(executed)
    }

    /// How much oftener than in another run.
    pub fn more_than(mut self, other: &Executed) -> Executed {
        for (block, count) in &other.0 {
            *self.0.entry(*block).or_default() -= count;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_counted_by_what_they_are_when_they_are_executed() {
        let log = b"----------------
IN: start
0x0000000000001000:  90                       nop
0x0000000000001001:  c3                       retq

Trace 0: 0x7f0000000100 [0000000000000000/0000000000001000/0040c0b0/ff020000] start
Trace 0: 0x7f0000000100 [0000000000000000/0000000000001000/0040c0b0/ff020000] start
----------------
IN:
0x0000000000002000:  90                       nop

Trace 0: 0x7f0000000100 [0000000000000000/0000000000002000/0040c0b0/ff020000]
Trace 0: 0x7f0000000200 [0000000000000000/0000000000003000/0040c0b0/ff020000]
Stopped execution of TB chain before 0x7f0000000200 [0000000000003000]
";
        let executed = Executed::read(&log[..]).expect("reads");
        let expected = [((0x1000, 2), 2), ((0x2000, 1), 1), ((0x3000, 1), 1)];
        assert_eq!(executed.0, HashMap::from(expected));
        let other = Executed(HashMap::from([((0x1000, 2), 1), ((0x4000, 1), 1)]));
        let more = executed.more_than(&other);
        assert_eq!((more.0[&(0x1000, 2)], more.0[&(0x4000, 1)]), (1, -1));
    }
}
