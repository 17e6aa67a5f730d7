//! Chance that can be had again.

/// Chance that can be had again (xorshift64*).
pub(in crate::day) struct Random(u64);

impl Random {
    pub(in crate::day) fn of(seed: u64) -> Self {
        // Nought would stay nought.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(in crate::day) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % end
    }

    pub(in crate::day) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("below a usize")
    }

    pub(in crate::day) fn of_hundred(&mut self, often: u64) -> bool {
        self.below(100) < often
    }

    pub(in crate::day) fn around(&mut self, most: i64) -> i64 {
        i64::try_from(self.below(2 * most.unsigned_abs())).expect("small") - most
    }
}
