//! What passes between the cloud and whoever applies configurations: what is wanted comes down, what became of it goes
//! up. Only the newest of each counts; the uplink applies nothing itself.

use tokio::sync::watch;

use crate::types::{ConfigReport, DesiredConfig};
use crate::wire::cloud::UnreadDesired;

/// What the cloud wants, as far as it could be read.
pub type Desired = Result<DesiredConfig, UnreadDesired>;

/// Both ways. Cheap to clone; every clone is the same, so that it outlives an uplink.
#[derive(Debug, Clone, Default)]
pub struct ConfigExchange {
    desired: watch::Sender<Option<Desired>>,
    reported: watch::Sender<Option<ConfigReport>>,
}

impl ConfigExchange {
    /// Wakes whoever applies configurations.
    pub fn desired(&self) -> watch::Receiver<Option<Desired>> {
        self.desired.subscribe()
    }

    /// What the cloud shall be told, now and at every connection from now on.
    pub fn report(&self, report: ConfigReport) {
        self.reported.send_replace(Some(report));
    }

    pub(super) fn want(&self, desired: Desired) {
        self.desired.send_replace(Some(desired));
    }

    pub(super) fn reported(&self) -> watch::Receiver<Option<ConfigReport>> {
        let mut reported = self.reported.subscribe();
        reported.mark_changed();
        reported
    }
}
