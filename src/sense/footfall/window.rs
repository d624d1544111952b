//! What a counter says of a stretch of time. No address, no pseudonym, no device number is in it.

use std::time::Duration;

use super::cells::Cells;

/// One window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Its start, in microseconds since 1970-01-01T00:00:00Z; a multiple of its length.
    pub start_us: i64,
    /// Its end, which is no part of it.
    pub end_us: i64,
    /// Devices that were heard, the shop's own left out: the sum of the next three.
    pub devices: u32,
    /// At least so many: a device of the same model that may be one is one.
    pub devices_low: u32,
    /// At most so many: whatever is not known to be one device is two.
    pub devices_high: u32,
    /// Of these, never strong enough to have come in.
    pub passed: u32,
    /// Of these, came in, and are not (yet) there for as long as it takes to have stayed.
    pub visited: u32,
    /// Of these, came in and stayed.
    pub stayed: u32,
    /// People who were there, on the average: the site's calibrated estimate, or the devices that came in if there is
    /// none.
    pub people: f64,
    /// Nine times of ten there are at least so many.
    pub people_low: f64,
    /// Nine times of ten there are at most so many.
    pub people_high: f64,
    /// Whether a door count or the like stands behind `people`. If not, it may be off by a factor of four.
    pub calibrated: bool,
    /// Probe requests that counted.
    pub frames: u64,
    /// Frames that were no probe request or were damaged.
    pub rejected: u64,
    /// Probe requests that were too weak to count.
    pub weak: u64,
    /// Probe requests of listed devices (opted out, or the shop's own): nothing else of them is kept.
    pub listed: u64,
    /// The devices by zone and dwell. Not for publication as they are: see [`Cells::published`].
    pub cells: Cells,
}

impl Window {
    /// Its length.
    pub fn length(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.end_us - self.start_us).unwrap_or(0))
    }
}
