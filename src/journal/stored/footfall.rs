//! The stored form of what footfall sensors say.

use serde::{Deserialize, Serialize};

use crate::types::{FootfallWindow, Tenths, Timestamp};

/// Keys: start, length, devices (count, low, high), passed, visited, stayed, people (in tenths, low, high),
/// calibrated, frames, rejected, missed, complete.
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
        }
    }
}
