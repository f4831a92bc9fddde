//! Where compressed pages lie: chunks of a fixed size, of which each parcel has a list. Nothing is
//! moved, nothing is lost to gaps, and half a chunk is wasted for a parcel on average.

use alloc::vec::Vec;

/// Bytes of a chunk.
const CHUNK: usize = 256;

/// Bytes of a parcel at most.
pub(super) const MAX_PARCEL: usize = 3 * 1024;

/// A compressed page.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Parcel {
    first: Chunk,
    length: u16,
}

impl Parcel {
    fn chunks(self) -> usize {
        usize::from(self.length).div_ceil(CHUNK)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Chunk(core::num::NonZeroU32);

impl Chunk {
    fn position(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// All parcels.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Parcels {
    bytes: Vec<[u8; CHUNK]>,
    /// The next chunk of the same parcel, or the next that nobody has.
    next: Vec<Option<Chunk>>,
    vacant: Option<Chunk>,
    left: usize,
}

impl Parcels {
    pub(crate) const NONE: Parcels =
        Parcels { bytes: Vec::new(), next: Vec::new(), vacant: None, left: 0 };

    /// With room for so many bytes. `None`: the heap has none.
    pub(crate) fn new(bytes: usize) -> Option<Parcels> {
        let chunks = (bytes / CHUNK).min(u32::MAX as usize - 1);
        let mut parcels = Parcels::NONE;
        parcels.bytes.try_reserve_exact(chunks).ok()?;
        parcels.bytes.resize(chunks, [0; CHUNK]);
        parcels.next.try_reserve_exact(chunks).ok()?;
        for position in 0..chunks {
            parcels.next.push(parcels.vacant);
            parcels.vacant = core::num::NonZeroU32::new(position as u32 + 1).map(Chunk);
        }
        parcels.left = chunks;
        Some(parcels)
    }

    /// Bytes of chunks that parcels have.
    pub(crate) fn used_bytes(&self) -> u64 {
        ((self.bytes.len() - self.left) * CHUNK) as u64
    }

    /// Keeps bytes, at most [`MAX_PARCEL`]. `None`: there is no room for them.
    pub(crate) fn keep(&mut self, bytes: &[u8]) -> Option<Parcel> {
        let first = self.vacant?;
        if bytes.is_empty() || bytes.len() > MAX_PARCEL || bytes.len().div_ceil(CHUNK) > self.left {
            return None;
        }
        let mut last = first;
        for piece in bytes.chunks(CHUNK) {
            last = self.vacant?;
            self.bytes[last.position()][..piece.len()].copy_from_slice(piece);
            self.vacant = self.next[last.position()];
            self.left -= 1;
        }
        self.next[last.position()] = None;
        Some(Parcel { first, length: bytes.len() as u16 })
    }

    /// Reads bytes of a parcel; what it has not is left as it is.
    pub(crate) fn read(&self, parcel: Parcel, mut offset: usize, mut to: &mut [u8]) {
        let mut link = Some(parcel.first);
        for _ in 0..parcel.chunks() {
            let Some(chunk) = link else { return };
            link = self.next[chunk.position()];
            if offset >= CHUNK {
                offset -= CHUNK;
                continue;
            }
            let length = (CHUNK - offset).min(to.len());
            let (here, rest) = to.split_at_mut(length);
            here.copy_from_slice(&self.bytes[chunk.position()][offset..offset + length]);
            (to, offset) = (rest, 0);
            if to.is_empty() {
                return;
            }
        }
    }

    /// Gives a parcel up.
    pub(crate) fn drop(&mut self, parcel: Parcel) {
        let mut last = parcel.first;
        for _ in 1..parcel.chunks() {
            match self.next[last.position()] {
                Some(next) => last = next,
                None => break,
            }
        }
        self.next[last.position()] = self.vacant;
        self.vacant = Some(parcel.first);
        self.left += parcel.chunks();
    }

    /// The chunks of a parcel, by number, and those that nobody has: for the audit.
    pub(crate) fn chunks_of(&self, parcel: Option<Parcel>) -> impl Iterator<Item = usize> {
        let mut link = parcel.map_or(self.vacant, |parcel| Some(parcel.first));
        // A list that has become a ring ends too.
        let limit = parcel.map_or(self.left + 1, Parcel::chunks);
        core::iter::from_fn(move || {
            let position = link?.position();
            link = *self.next.get(position)?;
            Some(position)
        })
        .take(limit)
    }

    /// How many chunks there are.
    pub(crate) fn chunks(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(seed: usize, length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 7 + seed * 31) as u8).collect()
    }

    #[test]
    fn what_is_kept_is_read_until_it_is_dropped() {
        let mut parcels = Parcels::new(64 * CHUNK).unwrap();
        let lengths = [1, CHUNK, CHUNK + 1, MAX_PARCEL, 700];
        let kept: Vec<(Vec<u8>, Parcel)> = lengths
            .iter()
            .enumerate()
            .map(|(seed, length)| {
                let bytes = content(seed, *length);
                let parcel = parcels.keep(&bytes).unwrap();
                (bytes, parcel)
            })
            .collect();
        assert_eq!(parcels.used_bytes(), (1 + 1 + 2 + 12 + 3) * CHUNK as u64);
        parcels.drop(kept[3].1);
        for (index, (bytes, parcel)) in kept.iter().enumerate().filter(|(index, _)| *index != 3) {
            for offset in [0, bytes.len() / 2, bytes.len() - 1] {
                let mut read = alloc::vec![0; bytes.len() - offset];
                parcels.read(*parcel, offset, &mut read);
                assert_eq!(read, bytes[offset..], "parcel {index} from {offset}");
            }
        }
        assert_eq!(parcels.chunks_of(None).count(), 64 - 7);
    }

    #[test]
    fn there_is_room_until_there_is_none() {
        let mut parcels = Parcels::new(13 * CHUNK).unwrap();
        let large = parcels.keep(&content(1, MAX_PARCEL)).unwrap();
        assert_eq!(parcels.keep(&content(2, CHUNK + 1)), None);
        let small = parcels.keep(&content(2, CHUNK)).unwrap();
        assert_eq!(parcels.keep(&[1]), None);
        parcels.drop(large);
        parcels.drop(small);
        assert_eq!((parcels.used_bytes(), parcels.chunks_of(None).count()), (0, 13));
        assert_eq!(parcels.keep(&[0; MAX_PARCEL + 1]), None);
    }
}
