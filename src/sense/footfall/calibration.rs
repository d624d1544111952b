//! From devices to people: what a site's door count teaches.

use serde::{Deserialize, Serialize};

/// A site's calibration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// People without any device.
    pub(super) offset: f64,
    /// People for each device.
    pub(super) scale: f64,
    /// Nine times of ten the truth is this near, in people.
    pub(super) spread: f64,
}

/// How many people were there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub(super) people: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// Without a calibration a count may be off by this factor.
const UNKNOWN: f64 = 4.0;

impl Calibration {
    /// The estimate for what was heard.
    pub(super) fn estimate(&self, devices: u32) -> Estimate {
        let people = (self.offset + self.scale * f64::from(devices)).max(0.0);
        Estimate { people, low: (people - self.spread).max(0.0), high: people + self.spread }
    }
}

/// The devices themselves, for want of a calibration.
pub(super) fn uncalibrated(devices: u32) -> Estimate {
    let people = f64::from(devices);
    Estimate { people, low: people / UNKNOWN, high: people * UNKNOWN }
}
