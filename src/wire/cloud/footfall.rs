//! What footfall sensors counted, as the cloud reads it.

use schemars::JsonSchema;
use serde::Serialize;

use super::payload::{number, shown};
use crate::types::{FootfallBreakdown, FootfallCell, FootfallWindow, Tenths, Timestamp};

/// `footfall.window.v1`: what was counted in one place in one window, by the sensor that is the subject and by those
/// that it counts for. Windows of several lengths overlap: add up those of one length only.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FootfallWindowV1 {
    /// Start of the window: a multiple of its length since 1970-01-01T00:00:00Z.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    start: Timestamp,
    /// Its end, which is no part of it.
    #[serde(serialize_with = "shown")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    end: Timestamp,
    /// Devices that were heard, the shop's own left out: the sum of `passed`, `visited` and `stayed`.
    devices: u32,
    /// At least so many.
    devices_low: u32,
    /// At most so many.
    devices_high: u32,
    /// Of these, never near enough to have come in.
    passed: u32,
    /// Of these, came in and have not stayed (yet).
    visited: u32,
    /// Of these, came in and stayed.
    stayed: u32,
    /// People who were there, on the average.
    #[serde(serialize_with = "number")]
    #[schemars(with = "f64", range(min = 0))]
    people: Tenths,
    /// Nine times of ten there were at least so many.
    #[serde(serialize_with = "number")]
    #[schemars(with = "f64", range(min = 0))]
    people_low: Tenths,
    /// Nine times of ten there were at most so many.
    #[serde(serialize_with = "number")]
    #[schemars(with = "f64", range(min = 0))]
    people_high: Tenths,
    /// Whether a door count or the like stands behind `people`; without it `people` may be off by a factor of four.
    calibrated: bool,
    /// Frames, or entries of a probe box, that counted.
    frames: u64,
    /// Frames or entries that could not be read.
    rejected: u64,
    /// Frames that the gateway was too busy to take.
    missed: u64,
    /// Whether every sensor listened from start to end without forgetting whom it had heard. If not, somebody may be
    /// missing or counted twice.
    complete: bool,
    /// Of windows of an hour or longer: devices by zone and dwell. Small cells are left out, and others with them where
    /// a small one could be subtracted out of `passed`, `visited` or `stayed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    breakdown: Option<BreakdownV1>,
}

/// Devices by zone and dwell.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct BreakdownV1 {
    /// No cell counts fewer. A cell that is not there counts fewer than this, or none.
    least: u32,
    /// At most one for each zone and dwell.
    cells: Vec<CellV1>,
}

/// One cell.
#[derive(Debug, Serialize, JsonSchema)]
struct CellV1 {
    /// The sensor that heard them best.
    zone: String,
    /// `passed` and `visited` as in the window; those who stayed by how long: `stayed` (less than 15 minutes),
    /// `stayed-15min`, `stayed-60min`.
    #[schemars(extend("enum" = ["passed", "visited", "stayed", "stayed-15min", "stayed-60min"]))]
    dwell: &'static str,
    /// How many devices.
    devices: u32,
}

impl From<&FootfallBreakdown> for BreakdownV1 {
    fn from(breakdown: &FootfallBreakdown) -> Self {
        let cell = |cell: &FootfallCell| CellV1 {
            zone: cell.zone.as_str().to_owned(),
            dwell: cell.dwell.as_str(),
            devices: cell.devices,
        };
        Self { least: breakdown.least, cells: breakdown.cells.iter().map(cell).collect() }
    }
}

impl From<&FootfallWindow> for FootfallWindowV1 {
    fn from(window: &FootfallWindow) -> Self {
        let FootfallWindow { start, end, devices, devices_low, devices_high, passed, visited, stayed, .. } = *window;
        let FootfallWindow { people, people_low, people_high, calibrated, frames, rejected, missed, complete, .. } =
            *window;
        Self {
            start,
            end,
            devices,
            devices_low,
            devices_high,
            passed,
            visited,
            stayed,
            people,
            people_low,
            people_high,
            calibrated,
            frames,
            rejected,
            missed,
            complete,
            breakdown: window.breakdown.as_ref().map(BreakdownV1::from),
        }
    }
}
