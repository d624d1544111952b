//! One device's view of conditions, counters and the board.

use super::{Board, Conditions, DeviceState, Frame, Metrics};
use crate::clock::Clock;
use crate::types::{Condition, DeviceId, Tally};

/// Longest evidence text, in bytes.
pub const EVIDENCE_LIMIT: usize = 160;

/// What a driver may say of its own health.
#[derive(Debug, Clone)]
pub struct DeviceScope {
    device: DeviceId,
    clock: Clock,
    conditions: Conditions,
    metrics: Metrics,
    board: Board,
}

impl DeviceScope {
    /// The scope of one device.
    pub fn new(device: DeviceId, clock: Clock, conditions: Conditions, metrics: Metrics, board: Board) -> Self {
        Self { device, clock, conditions, metrics, board }
    }

    /// Whose scope this is.
    pub fn device(&self) -> &DeviceId {
        &self.device
    }

    /// Says that a condition is given or not.
    pub fn condition(&self, condition: Condition, raised: bool, detail: Option<String>) {
        self.conditions.set(condition, Some(&self.device), raised, detail);
    }

    /// Adds to a counter.
    pub fn count(&self, tally: Tally, count: u64) {
        self.metrics.count(&self.device, tally, count);
    }

    /// The device was heard of: `bytes` came in.
    pub fn seen(&self, bytes: usize) {
        self.metrics.count(&self.device, Tally::BytesIn, bytes as u64);
        let (wall, _) = self.clock.wall();
        self.board.update(&self.device, |status| status.last_seen = Some(wall));
    }

    /// Bytes crossed the line; `shown` is what others may see of them.
    pub fn wire(&self, out: bool, bytes: usize, shown: String) {
        let (at, _) = self.clock.wall();
        self.board.frame(&self.device, Frame { at, out, bytes, shown });
    }

    /// Where the device stands.
    pub fn state(&self, state: DeviceState) {
        self.board.update(&self.device, |status| status.state = state);
    }

    /// What the device last showed.
    pub fn evidence(&self, text: &str) {
        let cut = text.floor_char_boundary(EVIDENCE_LIMIT);
        self.board.update(&self.device, |status| text[..cut].clone_into(&mut status.evidence));
    }
}
