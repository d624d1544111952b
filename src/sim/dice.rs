//! Chance that a seed repeats.

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// `0..below`.
    pub(super) fn below(&mut self, below: u64) -> u64 {
        self.word() % below.max(1)
    }

    /// `from..=to`.
    pub(super) fn within(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.below(u64::try_from(to - from + 1).unwrap_or(1))).unwrap_or(0)
    }

    /// `0.0..1.0`.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a float holds")]
    pub(super) fn fraction(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A time until the next of events that come at random, so many microseconds apart on the average.
    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
    pub(super) fn until_next_us(&mut self, mean_us: f64) -> i64 {
        (-(1.0 - self.fraction()).ln() * mean_us) as i64
    }

    pub(super) fn octets(&mut self) -> [u8; 6] {
        let [a, b, c, d, e, f, ..] = self.word().to_le_bytes();
        [a, b, c, d, e, f]
    }
}
