// SPDX-License-Identifier: GPL-2.0

//! Pseudorandom numbers that are the same in each run.

/// Numbers by SplitMix64.
pub struct Random(u64);

impl Random {
    /// The sequence for this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// The index of an element of a slice; `None` if that is empty.
    pub fn index<T>(&mut self, of: &[T]) -> Option<usize> {
        (!of.is_empty()).then(|| self.below(of.len()))
    }

    /// An element of a slice; `None` if that is empty.
    pub fn choose<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        Some(&of[self.index(of)?])
    }
}
