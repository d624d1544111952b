//! How far the uplink has come, for whoever looks.

use tokio::sync::watch;

use super::usage::Usage;
use crate::journal::{Head, Mark};
use crate::types::{Class, Seq};

/// How far the uplink has come since it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Whether events can be sent now.
    pub connected: bool,
    /// Whether commands can be received now.
    pub listening: bool,
    /// Connections for events that came about; all but the first are reconnections.
    pub connections: u64,
    /// Connections for events that ended other than by our own leave.
    pub disconnections: u64,
    /// Messages that the broker refused, again or for the first time.
    pub refusals: u64,
    /// Events given up: announced and never sent again.
    pub given_up: u64,
    /// Commands filed.
    pub commands: u64,
    /// Messages on the command topic that are no command.
    pub commands_unreadable: u64,
    /// Outcomes sent once more because their command came again.
    pub repeats: u64,
    /// What the line has carried since the start, ten seconds ago or less.
    pub usage: Usage,
    /// What it has carried today (UTC).
    pub usage_today: Usage,
    confirmed: [Seq; 3],
    delivered: [u64; 3],
    head: [Seq; 3],
}

impl Progress {
    /// Events of a class that the broker has acknowledged since the start.
    pub const fn delivered(&self, class: Class) -> u64 {
        self.delivered[place(class)]
    }

    /// Number of the last event of a class that the cloud has.
    pub const fn confirmed(&self, class: Class) -> Seq {
        self.confirmed[place(class)]
    }

    /// Events of a class that are on disk and not yet confirmed.
    pub const fn backlog(&self, class: Class) -> u64 {
        self.head[place(class)].0.saturating_sub(self.confirmed[place(class)].0)
    }

    /// [`Progress::delivered`] of all classes.
    pub fn delivered_total(&self) -> u64 {
        self.delivered.iter().sum()
    }

    /// [`Progress::backlog`] of all classes.
    pub fn backlog_total(&self) -> u64 {
        Class::ALL.into_iter().map(|class| self.backlog(class)).sum()
    }
}

const fn place(class: Class) -> usize {
    match class {
        Class::Money => 0,
        Class::Record => 1,
        Class::Telemetry => 2,
    }
}

/// Where progress is noted.
#[derive(Debug, Default)]
pub(super) struct Meter {
    progress: watch::Sender<Progress>,
}

impl Meter {
    pub(super) fn subscribe(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(super) fn note(&self, change: impl FnOnce(&mut Progress)) {
        self.progress.send_modify(change);
    }

    /// What the line has carried; the same again wakes nobody.
    pub(super) fn note_usage(&self, usage: Usage, usage_today: Usage) {
        self.progress.send_if_modified(|progress| {
            let changed = (progress.usage, progress.usage_today) != (usage, usage_today);
            (progress.usage, progress.usage_today) = (usage, usage_today);
            changed
        });
    }

    /// The journal has grown.
    pub(super) fn head(&self, head: &Head) {
        self.note(|progress| {
            for class in Class::ALL {
                let Mark { seq, .. } = head.of(class);
                progress.head[place(class)] = seq;
            }
        });
    }

    /// The cloud has a class up to `seq`; `delivered` events of it since the last call.
    pub(super) fn confirmed(&self, class: Class, seq: Seq, delivered: u64) {
        self.note(|progress| {
            progress.confirmed[place(class)] = seq;
            progress.delivered[place(class)] += delivered;
        });
    }
}
