//! Figures that every measurement shares: percentiles, the machine, the disk's own floor.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::clock::Clock;

/// Percentiles of a latency, in microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Percentiles {
    pub(super) count: usize,
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
    pub(super) max_us: u64,
}

impl Percentiles {
    /// Of at least one sample; all zeros of none.
    pub(super) fn of(mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        let at = |hundredth: usize| {
            let index = (samples.len() * hundredth).div_ceil(100).saturating_sub(1);
            samples.get(index).map_or(0, |span| u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
        };
        Self { count: samples.len(), p50_us: at(50), p99_us: at(99), max_us: at(100) }
    }
}

/// How busy the machine was: one-minute load average and its cores.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Load {
    pub(super) load_1min: f64,
    pub(super) cores: usize,
}

impl Load {
    pub(super) fn now() -> Self {
        let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load_1min = text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN);
        Self { load_1min, cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get) }
    }
}

/// The floor under every durable write: how long this disk takes to append 4 KiB and `fdatasync`.
pub(super) fn fsync_floor(directory: &Path, rounds: usize, clock: &Clock) -> std::io::Result<Percentiles> {
    let path = directory.join("fsync-floor");
    let mut file = File::create(&path)?;
    let page = [0x5a; 4096];
    let mut samples = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let began = clock.now();
        file.write_all(&page)?;
        file.sync_data()?;
        samples.push(clock.now() - began);
    }
    std::fs::remove_file(&path)?;
    Ok(Percentiles::of(samples))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_samples() {
        let samples = (1..=200).rev().map(Duration::from_micros).collect();
        let Percentiles { count, p50_us, p99_us, max_us } = Percentiles::of(samples);
        assert_eq!((count, p50_us, p99_us, max_us), (200, 100, 198, 200));
        assert_eq!(Percentiles::of(Vec::new()).max_us, 0);
    }
}
