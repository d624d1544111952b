//! The state of every device, for people.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::types::{DeviceId, Timestamp};

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

/// All devices of the gateway. Cheap to clone; every clone is the same board.
#[derive(Debug, Clone, Default)]
pub struct Board {
    devices: Arc<Mutex<BTreeMap<DeviceId, DeviceStatus>>>,
    changed: watch::Sender<()>,
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
