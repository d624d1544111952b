//! One dispense, from the question whether the lane is ready to the machine's last word.

use std::time::{Duration, Instant};

use super::code::{self, DispenseWord};
use crate::types::{CommandId, Ended, Reason};
use crate::wire::vend::{Dispense, Dispensed};

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The machine is asked whether the lane is ready; nothing moves.
    Checking {
        /// When it is given up.
        until: Instant,
    },
    /// It is; the motor command waits for a poll.
    Ready {
        /// When it is given up.
        until: Instant,
    },
    /// The motor command has been sent: from here on only the machine's word says what became of it.
    Driving {
        /// When silence makes it indeterminate.
        silent_at: Instant,
        /// When it is indeterminate whatever the machine goes on saying.
        limit: Instant,
    },
}

/// The dispense that is going on.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) command: CommandId,
    pub(super) slot: u16,
    pub(super) drop_sensor: bool,
    /// The motor must not be started later.
    pub(super) start_by: Instant,
    pub(super) phase: Phase,
    pub(super) record: Record,
}

/// Whether it is on disk that the motor is about to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// Nobody has been asked to write it down.
    Missing,
    /// It is being written.
    Begun {
        /// Until when the poll waits that will be answered with the motor command; `None`: it has been answered.
        poll_until: Option<Instant>,
    },
    /// It is.
    Stored,
}

/// How long the machine may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) silence: Duration,
    pub(super) whole: Duration,
}

impl Job {
    pub(super) fn new(asked: Dispense, until: Instant) -> Self {
        let Dispense { command, slot, drop_sensor, until: start_by, .. } = asked;
        Self { command, slot, drop_sensor, start_by, phase: Phase::Checking { until }, record: Record::Missing }
    }

    /// A dispense that an earlier process has begun: it can only be listened for.
    pub(super) fn recovered(command: CommandId, slot: u16, now: Instant, patience: Patience) -> Self {
        let (drop_sensor, phase, record) = (false, Phase::Ready { until: now }, Record::Stored);
        let mut job = Self { command, slot, drop_sensor, start_by: now, phase, record };
        job.driven(now, patience);
        job
    }

    /// The motor command goes out.
    pub(super) fn driven(&mut self, now: Instant, patience: Patience) {
        self.phase = Phase::Driving { silent_at: now + patience.silence, limit: now + patience.whole };
    }

    pub(super) fn is_driving(&self) -> bool {
        matches!(self.phase, Phase::Driving { .. })
    }

    /// The machine is still at it; `left`: how long it says that it will be.
    pub(super) fn progress(&mut self, now: Instant, patience: Patience, left: Duration) {
        if let Phase::Driving { silent_at, limit } = &mut self.phase {
            *silent_at = (now + patience.silence + left).min(*limit).max(*silent_at);
        }
    }

    /// The poll that was held back for the record, if there is one.
    pub(super) fn poll_until(&self) -> Option<Instant> {
        match self.record {
            Record::Begun { poll_until } => poll_until,
            Record::Missing | Record::Stored => None,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        match self.phase {
            Phase::Checking { until } | Phase::Ready { until } => until,
            Phase::Driving { silent_at, limit } => silent_at.min(limit),
        }
    }

    /// How it ends by the clock alone.
    pub(super) fn overdue(&self) -> Ended {
        match self.phase {
            Phase::Checking { .. } | Phase::Ready { .. } => Ended::Refused(Reason::new("no-answer")),
            Phase::Driving { .. } => Ended::Indeterminate(Reason::new("no-result")),
        }
    }

    /// Whether a word of 04 is about it. The lane of status 23 is a time.
    pub(super) fn is_about(&self, status: u8, slot: u16) -> bool {
        self.is_driving() && (slot == self.slot || status == code::SECONDS_LEFT)
    }

    pub(super) fn end(&self, ended: Ended) -> Dispensed {
        let dropped = (self.drop_sensor && ended == Ended::Done).then_some(true);
        Dispensed { command: self.command.clone(), slot: self.slot, ended, dropped, rule: None }
    }
}

/// How a final word of 04 ends a dispense; `None`: it is none.
pub(super) fn verdict(status: u8) -> Option<Ended> {
    match code::dispense_word(status) {
        DispenseWord::Good => Some(Ended::Done),
        DispenseWord::Bad(why) => Some(Ended::Failed(Reason::new(why))),
        DispenseWord::Progress => None,
    }
}
