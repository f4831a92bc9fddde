//! The places of the swap device: a bit for each.

use alloc::vec::Vec;

/// A place of the swap device, for one page.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct SwapPlace(u32);

impl SwapPlace {
    /// Its number, from 0 on.
    pub(crate) fn number(self) -> u64 {
        self.0.into()
    }
}

/// Which places are taken.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct SwapPlaces {
    taken: Vec<u64>,
    places: u64,
    in_use: u64,
    /// The word that is looked at first.
    next: usize,
}

impl SwapPlaces {
    pub(crate) const NONE: SwapPlaces =
        SwapPlaces { taken: Vec::new(), places: 0, in_use: 0, next: 0 };

    /// So many places. `None`: the heap has no room.
    pub(crate) fn new(places: u64) -> Option<SwapPlaces> {
        let places = places.min(u32::MAX.into());
        let words = places.div_ceil(u64::BITS.into()) as usize;
        let mut taken = Vec::new();
        taken.try_reserve_exact(words).ok()?;
        taken.resize(words, 0);
        Some(SwapPlaces { taken, places, ..SwapPlaces::NONE })
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> u64 {
        self.in_use
    }

    /// Takes a place. `None`: all are taken.
    pub(crate) fn take(&mut self) -> Option<SwapPlace> {
        if self.in_use == self.places {
            return None;
        }
        for turn in 0..self.taken.len() {
            let word = (self.next + turn) % self.taken.len();
            let bit = self.taken[word].trailing_ones();
            let place = word as u64 * u64::from(u64::BITS) + u64::from(bit);
            if bit < u64::BITS && place < self.places {
                self.taken[word] |= 1 << bit;
                self.in_use += 1;
                self.next = word;
                return Some(SwapPlace(place as u32));
            }
        }
        None
    }

    pub(crate) fn give_back(&mut self, place: SwapPlace) {
        let (word, bit) = (place.0 / u64::BITS, place.0 % u64::BITS);
        if let Some(word) = self.taken.get_mut(word as usize) {
            *word &= !(1 << bit);
            self.in_use -= 1;
        }
    }

    /// Whether a place is taken.
    pub(crate) fn is_taken(&self, place: SwapPlace) -> bool {
        let (word, bit) = (place.0 / u64::BITS, place.0 % u64::BITS);
        self.taken.get(word as usize).is_some_and(|word| word >> bit & 1 != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_taken_once() {
        let mut places = SwapPlaces::new(70).unwrap();
        let taken: Vec<SwapPlace> = core::iter::from_fn(|| places.take()).collect();
        let mut numbers: Vec<u64> = taken.iter().map(|place| place.number()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..70).collect::<Vec<_>>());
        places.give_back(taken[66]);
        assert!(!places.is_taken(taken[66]) && places.is_taken(taken[65]));
        assert_eq!(places.take(), Some(taken[66]));
        assert_eq!((places.take(), places.taken()), (None, 70));
    }
}
