//! Waiting between attempts: exponential back-off with full jitter, shared by devices and uplink.

use std::time::Duration;

use crate::clock::Clock;

/// Full jitter (Brooker, "Exponential Backoff And Jitter", 2015): anything between nothing and a bound that doubles,
/// so that 200,000 gateways do not knock on a returning broker's door together.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    attempt: u32,
}

impl Backoff {
    /// The first bound, and the highest it doubles to.
    pub const fn new(first: Duration, cap: Duration) -> Self {
        Self { first, cap, attempt: 0 }
    }

    /// How long to wait before the next attempt.
    pub fn next(&mut self, clock: &Clock) -> Duration {
        let bound = self.first.saturating_mul(1 << self.attempt.min(16)).min(self.cap);
        self.attempt = self.attempt.saturating_add(1);
        bound.mul_f64(clock.random_fraction())
    }

    /// It went well.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Timestamp;

    #[test]
    fn the_bound_doubles_to_its_cap_and_begins_anew_after_success() {
        let clock = Clock::manual(Timestamp::from_unix_ms(0), 3);
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        for bound_s in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            assert!(backoff.next(&clock) < Duration::from_secs(bound_s));
        }
        let longest = (0..100).map(|_| backoff.next(&clock)).max().unwrap();
        assert!(longest > Duration::from_secs(30), "jitter uses the whole range, {longest:?}");
        backoff.reset();
        assert!(backoff.next(&clock) < Duration::from_secs(1));
    }
}
