//! What was typed and can be read: [`Queue`], in lines, or in one piece.

use alloc::collections::VecDeque;

/// Bytes, and the lengths of the lines that they make. A line may have none: the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    bytes: VecDeque<u8>,
    lines: VecDeque<usize>,
}

impl Queue {
    /// Bytes of all lines.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is no line, not even one without a byte.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// What counts against the room: lines do too, as some have no byte.
    pub fn taken(&self) -> usize {
        self.bytes.len() + self.lines.len()
    }

    /// Bytes of the first line.
    pub fn first(&self) -> usize {
        self.lines.front().copied().unwrap_or(0)
    }

    /// A line more.
    pub fn push(&mut self, line: &[u8]) {
        self.bytes.extend(line);
        self.lines.push_back(line.len());
    }

    /// Bytes more, without lines.
    pub fn append(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.bytes.extend(bytes);
            self.join();
        }
    }

    /// Makes one piece of all lines; what had no byte is gone.
    pub fn join(&mut self) {
        self.lines.clear();
        if !self.bytes.is_empty() {
            self.lines.push_back(self.bytes.len());
        }
    }

    /// Takes from the first line, which goes with its last byte: how many bytes.
    pub fn take_line(&mut self, to: &mut [u8]) -> usize {
        let Some(line) = self.lines.front_mut() else { return 0 };
        let count = to.len().min(*line);
        *line -= count;
        if *line == 0 {
            self.lines.pop_front();
        }
        self.pop(&mut to[..count]);
        count
    }

    /// Takes bytes, whatever lines they are of: how many.
    pub fn take(&mut self, to: &mut [u8]) -> usize {
        let count = to.len().min(self.bytes.len());
        self.pop(&mut to[..count]);
        self.join();
        count
    }

    fn pop(&mut self, to: &mut [u8]) {
        let count = to.len();
        to.iter_mut().zip(self.bytes.drain(..count)).for_each(|(to, byte)| *to = byte);
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.lines.clear();
    }
}
