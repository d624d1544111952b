//! What every dialect's machine says, and the conditions that stand behind it.

use std::collections::VecDeque;
use std::time::Instant;

use super::{Dispensed, Heard};
use crate::types::{CommandId, Condition, Ended, MachineStatus, Outcome, Reason, Tally};
use crate::wire::Output;
use crate::wire::noise::NoiseMeter;

/// What a machine has to say, and the conditions behind it.
#[derive(Debug, Default)]
pub(crate) struct Board {
    out: VecDeque<Output<Heard>>,
    noise: NoiseMeter,
    silent: bool,
    status: MachineStatus,
}

impl Board {
    pub(crate) fn poll(&mut self) -> Option<Output<Heard>> {
        self.out.pop_front()
    }

    pub(crate) fn send(&mut self, bytes: Vec<u8>) {
        self.out.push_back(Output::Send(bytes));
    }

    pub(crate) fn hear(&mut self, heard: Heard) {
        self.out.push_back(Output::Observe(heard));
    }

    pub(crate) fn count(&mut self, tally: Tally, count: u64) {
        if count > 0 {
            self.out.push_back(Output::Count(tally, count));
        }
    }

    pub(crate) fn dispensed(&mut self, dispensed: Dispensed) {
        self.hear(Heard::Dispensed(dispensed));
    }

    pub(crate) fn ended(&mut self, command: CommandId, ended: Ended) {
        self.hear(Heard::Ended(Outcome { command, ended }));
    }

    pub(crate) fn refused(&mut self, command: CommandId, why: &str) {
        self.ended(command, Ended::Refused(Reason::new(why)));
    }

    /// Something is known of the machine; said when it is new.
    pub(crate) fn status(&mut self, change: impl FnOnce(&mut MachineStatus)) {
        let mut status = self.status.clone();
        change(&mut status);
        if status != self.status {
            self.status = status.clone();
            self.hear(Heard::Machine(Box::new(status)));
        }
    }

    /// Bytes that belong to no frame.
    pub(crate) fn noise(&mut self, now: Instant, bytes: u64) {
        self.count(Tally::NoiseBytes, bytes);
        let raised = self.noise.noise(now, bytes);
        self.line_noise(raised);
    }

    /// A frame that makes sense: somebody is there.
    pub(crate) fn good(&mut self) {
        self.count(Tally::FramesGood, 1);
        self.silent(false);
        let raised = self.noise.good();
        self.line_noise(raised);
    }

    pub(crate) fn tick(&mut self, now: Instant) {
        let raised = self.noise.tick(now);
        self.line_noise(raised);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.noise.deadline()
    }

    pub(crate) fn silent(&mut self, silent: bool) {
        if self.silent != silent {
            self.silent = silent;
            self.out.push_back(Output::Health(Condition::DeviceSilent, silent));
        }
    }

    pub(crate) const fn is_silent(&self) -> bool {
        self.silent
    }

    fn line_noise(&mut self, raised: Option<bool>) {
        if let Some(raised) = raised {
            self.out.push_back(Output::Health(Condition::LineNoise, raised));
        }
    }
}
