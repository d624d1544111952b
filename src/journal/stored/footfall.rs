//! The stored form of what footfall sensors say.

use serde::{Deserialize, Serialize};

use crate::types::{DeviceId, Dwell, FootfallBreakdown, FootfallCell, FootfallWindow, Tenths, Timestamp};

/// Keys: start, length, devices (count, low, high), passed, visited, stayed, people (in tenths, low, high),
/// calibrated, frames, rejected, missed, complete, breakdown (least; cells as zone, dwell, devices).
#[derive(Serialize, Deserialize)]
pub(super) struct WindowForm {
    s: i64,
    l: i64,
    d: [u32; 3],
    v: [u32; 3],
    p: [u32; 3],
    c: bool,
    f: u64,
    r: u64,
    m: u64,
    w: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    b: Option<BreakdownForm>,
}

/// Least, cells.
type BreakdownForm = (u32, Vec<(String, u8, u32)>);

fn breakdown_form(breakdown: &FootfallBreakdown) -> BreakdownForm {
    let cell = |cell: &FootfallCell| {
        (cell.zone.as_str().to_owned(), u8::try_from(cell.dwell.number()).unwrap_or(u8::MAX), cell.devices)
    };
    (breakdown.least, breakdown.cells.iter().map(cell).collect())
}

/// A cell that nobody could have written is left out: it is a cell that says nothing.
fn read_breakdown((least, cells): BreakdownForm) -> FootfallBreakdown {
    let cell = |(zone, dwell, devices): (String, u8, u32)| {
        let dwell = *Dwell::ALL.get(usize::from(dwell))?;
        Some(FootfallCell { zone: DeviceId::new(&zone).ok()?, dwell, devices })
    };
    FootfallBreakdown { least, cells: cells.into_iter().filter_map(cell).collect() }
}

impl From<&FootfallWindow> for WindowForm {
    fn from(window: &FootfallWindow) -> Self {
        Self {
            s: window.start.unix_ms(),
            l: window.end.unix_ms().saturating_sub(window.start.unix_ms()),
            d: [window.devices, window.devices_low, window.devices_high],
            v: [window.passed, window.visited, window.stayed],
            p: [window.people.0, window.people_low.0, window.people_high.0],
            c: window.calibrated,
            f: window.frames,
            r: window.rejected,
            m: window.missed,
            w: window.complete,
            b: window.breakdown.as_ref().map(breakdown_form),
        }
    }
}

impl WindowForm {
    pub(super) fn read(self) -> FootfallWindow {
        let ([devices, devices_low, devices_high], [passed, visited, stayed]) = (self.d, self.v);
        let [people, people_low, people_high] = self.p.map(Tenths);
        FootfallWindow {
            start: Timestamp::from_unix_ms(self.s),
            end: Timestamp::from_unix_ms(self.s.saturating_add(self.l)),
            devices,
            devices_low,
            devices_high,
            passed,
            visited,
            stayed,
            people,
            people_low,
            people_high,
            calibrated: self.c,
            frames: self.f,
            rejected: self.r,
            missed: self.m,
            complete: self.w,
            breakdown: self.b.map(read_breakdown),
        }
    }
}
