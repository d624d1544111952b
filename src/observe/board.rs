//! The state of every device, for people.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::types::{DeviceId, Timestamp};

/// Frames of a device that are kept.
pub const FRAMES: usize = 256;

/// Where a device stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceState {
    /// Its line has not been looked at yet.
    Idle,
    /// Its line is not there, or not open yet.
    Waiting,
    /// Its line is open and its driver runs.
    Running,
    /// Its driver failed and will be started again.
    BackingOff,
    /// It was told to stop.
    Stopped,
}

impl DeviceState {
    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::BackingOff => "backing-off",
            Self::Stopped => "stopped",
        }
    }
}

/// What is known of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceStatus {
    /// The profile it was configured with.
    pub profile: String,
    /// Where it stands.
    pub state: DeviceState,
    /// When it was last heard of.
    pub last_seen: Option<Timestamp>,
    /// What it last showed, in few words: a fact, not a judgement. No personal data.
    pub evidence: String,
}

/// What one read or one write of a device's line carried, as far as others may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// When.
    pub at: Timestamp,
    /// To the device, rather than from it.
    pub out: bool,
    /// How many bytes.
    pub bytes: usize,
    /// Their shape, or the bytes of what is nobody's secret.
    pub shown: String,
}

/// The last [`FRAMES`] of each device, the oldest first.
type Frames = Arc<Mutex<BTreeMap<DeviceId, VecDeque<Frame>>>>;

/// All devices of the gateway. Cheap to clone; every clone is the same board.
#[derive(Debug, Clone, Default)]
pub struct Board {
    devices: Arc<Mutex<BTreeMap<DeviceId, DeviceStatus>>>,
    changed: watch::Sender<()>,
    frames: Frames,
}

impl Board {
    /// Adds a device.
    pub fn add(&self, device: DeviceId, profile: String) {
        let status = DeviceStatus { profile, state: DeviceState::Idle, last_seen: None, evidence: String::new() };
        self.devices.lock().unwrap_or_else(PoisonError::into_inner).insert(device, status);
    }

    /// Takes a device away.
    pub fn remove(&self, device: &DeviceId) {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner).remove(device);
        self.frames.lock().unwrap_or_else(PoisonError::into_inner).remove(device);
    }

    /// Keeps a frame, and forgets the oldest when there are more than [`FRAMES`].
    pub fn frame(&self, device: &DeviceId, frame: Frame) {
        let mut all = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        let frames = all.entry(device.clone()).or_default();
        if frames.len() >= FRAMES {
            frames.pop_front();
        }
        frames.push_back(frame);
    }

    /// The last frames of a device, the oldest first.
    pub fn frames(&self, device: &DeviceId) -> Vec<Frame> {
        let all = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(device).map(|frames| frames.iter().cloned().collect()).unwrap_or_default()
    }

    /// Where a device stands, if there is one of that name.
    pub fn state(&self, device: &DeviceId) -> Option<DeviceState> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner).get(device).map(|status| status.state)
    }

    /// Changes what is known of one device; one that is not there is left alone.
    pub fn update(&self, device: &DeviceId, change: impl FnOnce(&mut DeviceStatus)) {
        if let Some(status) = self.devices.lock().unwrap_or_else(PoisonError::into_inner).get_mut(device) {
            change(status);
        }
        self.changed.send_replace(());
    }

    /// Waits until the line of every device has been looked at once: it is open, or known not to be there.
    pub async fn looked_at(&self) {
        let mut changed = self.changed.subscribe();
        while self.list().iter().any(|(_, status)| status.state == DeviceState::Idle) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Everything, by name.
    pub fn list(&self) -> Vec<(DeviceId, DeviceStatus)> {
        let devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        devices.iter().map(|(device, status)| (device.clone(), status.clone())).collect()
    }
}
