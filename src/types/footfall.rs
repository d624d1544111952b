//! What a footfall sensor says: counts of a stretch of time. Nobody can be found in it.

use super::{DeviceId, Dwell, Timestamp};

/// A number of people in tenths: an average over time is no whole number, and the vocabulary has no floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tenths(pub u32);

impl Tenths {
    /// The nearest; what is below nothing or is no number is nothing.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, and no number is 0")]
    pub fn of(people: f64) -> Self {
        Self((people * 10.0).round() as u32)
    }

    /// As a number.
    pub fn value(self) -> f64 {
        f64::from(self.0) / 10.0
    }
}

/// One place's counts of one window: what a sensor heard, and those that it counts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FootfallWindow {
    /// Its start: a multiple of its length since 1970-01-01T00:00:00Z.
    pub start: Timestamp,
    /// Its end, which is no part of it.
    pub end: Timestamp,
    /// Devices that were heard, the shop's own left out: the sum of `passed`, `visited` and `stayed`.
    pub devices: u32,
    /// At least so many.
    pub devices_low: u32,
    /// At most so many.
    pub devices_high: u32,
    /// Of these, never near enough to have come in.
    pub passed: u32,
    /// Of these, came in and have not stayed (yet).
    pub visited: u32,
    /// Of these, came in and stayed.
    pub stayed: u32,
    /// People who were there, on the average.
    pub people: Tenths,
    /// Nine times of ten at least so many.
    pub people_low: Tenths,
    /// Nine times of ten at most so many.
    pub people_high: Tenths,
    /// Whether a door count or the like stands behind `people`.
    pub calibrated: bool,
    /// Frames or entries that counted.
    pub frames: u64,
    /// Frames or entries that could not be read.
    pub rejected: u64,
    /// Frames that the kernel had no room for.
    pub missed: u64,
    /// Whether every sensor listened from start to end under one key. If not, somebody may be missing or counted twice.
    pub complete: bool,
    /// Of windows of an hour or longer: the devices by zone and dwell, as far as that may be published.
    pub breakdown: Option<FootfallBreakdown>,
}

/// Devices by zone and dwell. A cell that is not there counts fewer than `least`, or none, or would give away one that
/// does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FootfallBreakdown {
    /// No cell counts fewer.
    pub least: u32,
    /// At most one for each zone and dwell.
    pub cells: Vec<FootfallCell>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FootfallCell {
    /// The sensor that heard them best.
    pub zone: DeviceId,
    /// How long they were there.
    pub dwell: Dwell,
    /// How many devices.
    pub devices: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_kept_to_a_tenth_and_nonsense_is_nobody() {
        assert_eq!(Tenths::of(12.34), Tenths(123));
        assert_eq!(Tenths(123).value().to_string(), "12.3");
        assert_eq!((Tenths::of(-3.0), Tenths::of(f64::NAN)), (Tenths(0), Tenths(0)));
        assert_eq!(Tenths::of(f64::INFINITY), Tenths(u32::MAX));
    }
}
