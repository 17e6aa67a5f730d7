//! Chance that can be had again: a seed is printed, and `TURNOUT_SEED` gives it back.

/// A small generator (xorshift64*), the same on every machine.
pub(crate) struct Random(u64);

impl Random {
    /// From `TURNOUT_SEED`, or from the system; the seed is printed.
    pub(crate) fn seeded() -> Self {
        let asked = std::env::var("TURNOUT_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = asked.unwrap_or_else(|| {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).expect("the system has randomness");
            u64::from_le_bytes(bytes)
        });
        println!("TURNOUT_SEED={seed}");
        Self::from(seed)
    }

    /// A generator of its own for somebody, so that what others draw does not matter to them.
    pub(crate) fn fork(&mut self) -> Self {
        Self::from(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// An index into something of that length.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("below a usize")
    }

    /// Another order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }
}

impl From<u64> for Random {
    fn from(seed: u64) -> Self {
        // Nought would stay nought.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }
}
