//! The conversation with a GM65: one command at a time, each repeated a bounded number of times.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::gm65::{AIM_BIT, Check, Command, MODE_MASK, Reply, ZONE_AIM, ZONE_MODE, ZONE_TRIGGER, ZONE_VERSION};
use super::intake::{Heard, ScanAction};
use crate::types::{CommandId, Condition, Ended, Outcome, Reason, Tally};
use crate::wire::Output;

/// How long an answer may take. The module itself drops a command whose bytes are further apart than this.
const ANSWER_WITHIN: Duration = Duration::from_millis(400);
/// How often a command is sent before it counts as unanswered.
const ATTEMPTS: u32 = 3;
/// Actions that may wait.
const WAITING_ACTIONS: usize = 4;
/// A scanner that was silent and is heard again is configured again, at most this often …
const AGAIN_ROUNDS: u32 = 16;
/// … and no sooner than this after the last try. Without both limits a scanner whose receive wire is not
/// connected would be written to for ever, and a line that nobody reads fills up.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// When the scanner reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanMode {
    /// While its button is held.
    Manual,
    /// When it is told to ([`ScanAction::Trigger`]).
    Command,
    /// All the time.
    Continuous,
    /// When something moves before it.
    Sensor,
}

impl ScanMode {
    /// The two mode bits of zone 0000.
    pub const fn bits(self) -> u8 {
        match self {
            Self::Manual => 0b00,
            Self::Command => 0b01,
            Self::Continuous => 0b10,
            Self::Sensor => 0b11,
        }
    }
}

/// What a GM65 is told at each start. It is written to its RAM only, never to its flash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gm65Settings {
    /// Its mode; `None` leaves it as it is.
    pub mode: Option<ScanMode>,
    /// Whether AIM identifiers are switched on; `false` leaves them as they are.
    pub aim_ids: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Version,
    /// Read the zone, and write it only if the bits under the mask differ: the others are the owner's.
    Bits {
        zone: u16,
        mask: u8,
        bits: u8,
    },
    Write {
        zone: u16,
        value: u8,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Job {
    step: Step,
    /// The command it carries out; `None`: it is part of the configuration.
    command: Option<CommandId>,
}

#[derive(Debug)]
struct Asked {
    job: Job,
    attempts: u32,
    until: Instant,
}

/// The state of the conversation.
#[derive(Debug)]
pub(super) struct Session {
    settings: Gm65Settings,
    jobs: VecDeque<Job>,
    asked: Option<Asked>,
    /// Nothing is sent before: answers to repeated commands may still come.
    hold_until: Option<Instant>,
    version: Option<u8>,
    /// A byte has come since the configuration was begun.
    heard: bool,
    silent: bool,
    configured: bool,
    rounds: u32,
    last_round: Instant,
    out: VecDeque<Output<Heard>>,
}

impl Session {
    /// Begins with the configuration: the first command is ready to be fetched.
    pub(super) fn new(settings: Gm65Settings, now: Instant) -> Self {
        let mut session = Self {
            settings,
            jobs: VecDeque::new(),
            asked: None,
            hold_until: None,
            version: None,
            heard: false,
            silent: false,
            configured: false,
            rounds: 0,
            last_round: now,
            out: VecDeque::new(),
        };
        session.configure(now);
        session.go_on(now);
        session
    }

    pub(super) fn version(&self) -> Option<u8> {
        self.version
    }

    pub(super) fn poll(&mut self) -> Option<Output<Heard>> {
        self.out.pop_front()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.asked.as_ref().map(|asked| asked.until).or(self.hold_until)
    }

    /// An action is under way or waits.
    pub(super) fn acting(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.job.command.is_some())
            || self.jobs.iter().any(|job| job.command.is_some())
    }

    /// Bytes have come, whatever they are: somebody is there.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = true;
        if std::mem::take(&mut self.silent) {
            self.out.push_back(Output::Health(Condition::DeviceSilent, false));
        }
        let idle = self.asked.is_none() && self.jobs.is_empty();
        let due = now.saturating_duration_since(self.last_round) >= AGAIN_AFTER;
        if !self.configured && idle && due && self.rounds <= AGAIN_ROUNDS {
            self.configure(now);
            self.go_on(now);
        }
    }

    pub(super) fn act(&mut self, now: Instant, action: ScanAction) {
        let ScanAction::Trigger { command, on } = action;
        if self.jobs.iter().filter(|job| job.command.is_some()).count() >= WAITING_ACTIONS {
            return self.ended(command, Ended::Refused(Reason::new("busy")));
        }
        let step = Step::Write { zone: ZONE_TRIGGER, value: u8::from(on) };
        self.jobs.push_back(Job { step, command: Some(command) });
        self.go_on(now);
    }

    pub(super) fn reply(&mut self, now: Instant, reply: &Reply) {
        // Unasked, or a second answer to a command that was repeated: says nothing new.
        let Some(asked) = self.asked.take() else { return };
        let [value, ..] = reply.data[..] else { return };
        if asked.attempts > 1 {
            self.hold_until = Some(now + ANSWER_WITHIN);
        }
        match asked.job.step {
            Step::Version => self.version = Some(value),
            Step::Bits { zone, mask, bits } if value & mask != bits => {
                let step = Step::Write { zone, value: (value & !mask) | bits };
                self.jobs.push_front(Job { step, command: None });
            }
            Step::Bits { .. } | Step::Write { .. } => {}
        }
        if let Some(command) = asked.job.command {
            self.ended(command, Ended::Done);
        }
        self.configured |= self.jobs.iter().all(|job| job.command.is_some());
        self.go_on(now);
    }

    pub(super) fn tick(&mut self, now: Instant) {
        if self.hold_until.is_some_and(|at| now >= at) {
            self.hold_until = None;
        }
        match self.asked.take() {
            Some(asked) if now < asked.until => self.asked = Some(asked),
            Some(asked) if asked.attempts < ATTEMPTS => self.ask(now, asked.job, asked.attempts + 1),
            Some(asked) => self.unanswered(asked.job),
            None => {}
        }
        self.go_on(now);
    }

    fn configure(&mut self, now: Instant) {
        let mode = self.settings.mode.map(|mode| Step::Bits { zone: ZONE_MODE, mask: MODE_MASK, bits: mode.bits() });
        let aim = self.settings.aim_ids.then_some(Step::Bits { zone: ZONE_AIM, mask: AIM_BIT, bits: AIM_BIT });
        let steps = [Some(Step::Version), mode, aim].into_iter().flatten();
        self.jobs.extend(steps.map(|step| Job { step, command: None }));
        self.heard = false;
        self.rounds += 1;
        self.last_round = now;
    }

    fn go_on(&mut self, now: Instant) {
        if self.asked.is_none()
            && self.hold_until.is_none()
            && let Some(job) = self.jobs.pop_front()
        {
            self.ask(now, job, 1);
        }
    }

    fn ask(&mut self, now: Instant, job: Job, attempts: u32) {
        let command = match &job.step {
            Step::Version => Command::Read { zone: ZONE_VERSION, count: 1 },
            Step::Bits { zone, .. } => Command::Read { zone: *zone, count: 1 },
            Step::Write { zone, value } => Command::Write { zone: *zone, data: vec![*value] },
        };
        self.out.push_back(Output::Send(command.encode(Check::Crc)));
        self.asked = Some(Asked { job, attempts, until: now + ANSWER_WITHIN });
    }

    /// A scanner that does not answer may still read codes: nothing else changes.
    fn unanswered(&mut self, job: Job) {
        self.out.push_back(Output::Count(Tally::Unanswered, 1));
        if let Some(command) = job.command {
            // It may have been done and only the answer lost.
            return self.ended(command, Ended::Indeterminate(Reason::new("no-answer")));
        }
        self.jobs.retain(|job| job.command.is_some());
        self.configured = false;
        if !self.heard && !self.silent {
            self.silent = true;
            self.out.push_back(Output::Health(Condition::DeviceSilent, true));
        }
    }

    fn ended(&mut self, command: CommandId, ended: Ended) {
        self.out.push_back(Output::Observe(Heard::Ended(Outcome { command, ended })));
    }
}
