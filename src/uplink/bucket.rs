//! A token bucket: so many a second, and a tenth of a second's worth at once. Nothing here does I/O.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// A token is an event. A message takes as many as it has, on credit if it must: what follows waits the longer.
#[derive(Debug)]
pub(super) struct Bucket {
    per_s: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(per_s: NonZeroU32, now: Instant) -> Self {
        let per_s = f64::from(per_s.get());
        Self { per_s, tokens: per_s / 10.0, filled: now }
    }

    /// Whether something may go now.
    pub(super) fn is_open(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled);
        self.filled = self.filled.max(now);
        self.tokens = (self.tokens + passed.as_secs_f64() * self.per_s).min(self.per_s / 10.0);
        self.tokens > 0.0
    }

    /// Something has gone.
    pub(super) fn take(&mut self, events: usize) {
        self.tokens -= f64::from(u32::try_from(events).unwrap_or(u32::MAX));
    }

    /// When something may go again, at the latest; a millisecond on, so that nobody spins.
    pub(super) fn opens_at(&self) -> Instant {
        self.filled + Duration::from_secs_f64((-self.tokens).max(0.0) / self.per_s) + Duration::from_millis(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_time_it_lets_through_what_it_promises_whatever_the_messages() {
        let begun = crate::clock::Clock::manual(crate::types::Timestamp::from_unix_ms(0), 1).now();
        for (per_s, events) in [(1_000, 100), (1_000, 7), (50, 100), (25_000, 100)] {
            let mut bucket = Bucket::new(NonZeroU32::new(per_s).unwrap(), begun);
            let (mut now, mut sent, mut looks) = (begun, 0_usize, 0);
            while now < begun + Duration::from_secs(20) {
                while bucket.is_open(now) {
                    bucket.take(events);
                    sent += events;
                }
                now = bucket.opens_at();
                looks += 1;
            }
            let promised = per_s as usize * 20;
            let burst = per_s as usize / 10 + events;
            assert!((promised * 9 / 10..=promised + burst).contains(&sent), "{sent} of {promised}");
            assert!(looks <= 20_001, "{looks} looks");
        }
    }
}
