//! How a sensor counts, or for which other one it hears.

use std::path::PathBuf;
use std::time::Duration;

use super::hours::Hours;
use crate::sense::footfall::{Calibration, Settings};
use crate::types::{DeviceId, Span};
use crate::wire::dot11::Address;

/// What of a sensor's hearing counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Threshold {
    /// What is weaker does not.
    pub(super) rssi_min_dbm: i8,
    /// Who is once this strong has come in.
    pub(super) visit_rssi_min_dbm: i8,
}

impl Threshold {
    pub(super) fn of(settings: &Settings) -> Self {
        Self { rssi_min_dbm: settings.rssi_min_dbm, visit_rssi_min_dbm: settings.visit_rssi_min_dbm }
    }
}

/// The sensor that counts what another one hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CountedBy {
    pub(super) device: DeviceId,
    /// Where the configuration says so.
    pub(super) span: Span,
}

/// How one sensor counts.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    pub(super) settings: Settings,
    pub(super) hours: Hours,
    pub(super) calibration: Option<Calibration>,
    /// The shop's own devices, which are not counted.
    pub(super) own_devices: Vec<Address>,
    /// The shop's own access points: whoever is connected to one is not counted.
    pub(super) own_access_points: Vec<Address>,
    /// The site's list of devices that are not counted.
    pub(super) opt_out: Option<PathBuf>,
    /// After this long without a sign of life the sensor counts as silent.
    pub(super) silent_after: Duration,
    /// No published cell counts fewer devices.
    pub(super) least: u32,
    /// `None`: it counts for itself.
    pub(super) counted_by: Option<CountedBy>,
}
