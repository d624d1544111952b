//! Exponential back-off with full jitter.

use std::time::{Duration, Instant};

use crate::clock::Clock;

/// How long to wait before the next try.
///
/// Full jitter: a uniformly random span up to a ceiling that doubles from `first` to `cap`, so that 200,000 gateways
/// do not knock on a returning broker's door together. After `healthy` without failure the ceiling starts anew.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    healthy: Duration,
    failures: u32,
}

impl Backoff {
    /// First ceiling, highest ceiling, and how long a run must last to count as healthy.
    pub const fn new(first: Duration, cap: Duration, healthy: Duration) -> Self {
        Self { first, cap, healthy, failures: 0 }
    }

    /// For devices: 1 s to 60 s, anew after five healthy minutes.
    pub const fn device() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(60), Duration::from_secs(300))
    }

    /// The span to wait after a run that began at `started` has failed.
    pub fn after(&mut self, started: Instant, clock: &Clock) -> Duration {
        if clock.now().saturating_duration_since(started) >= self.healthy {
            self.failures = 0;
        }
        let ceiling = self.first.saturating_mul(1 << self.failures.min(16)).min(self.cap);
        self.failures = self.failures.saturating_add(1);
        ceiling.mul_f64(clock.random_fraction())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Timestamp;

    #[tokio::test(start_paused = true)]
    async fn the_ceiling_doubles_is_capped_and_starts_anew_after_health() {
        let clock = Clock::manual(Timestamp::default(), 3);
        let mut backoff = Backoff::device();
        let mut longest = Duration::ZERO;
        for failure in 0..200u32 {
            let ceiling = Duration::from_secs(1 << failure.min(6)).min(Duration::from_secs(60));
            let wait = backoff.after(clock.now(), &clock);
            assert!(wait <= ceiling, "after {failure} failures waited {wait:?}");
            longest = longest.max(wait);
        }
        assert!(longest > Duration::from_secs(50), "jitter fills the range, longest was {longest:?}");
        let started = clock.now();
        tokio::time::advance(Duration::from_secs(300)).await;
        assert!(backoff.after(started, &clock) <= Duration::from_secs(1));
    }
}
