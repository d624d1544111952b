//! We are the machine of a card reader.

use std::time::Instant;

use super::machine::{MdbSettings, Playing};
use super::slave::say;
use super::text::{MasterState, Said, amount};
use crate::types::{CommandId, Ended, Reason, Tally};
use crate::wire::vend::{Board, VendAction};

/// What is going on with the reader.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// It has not said yet that it is ready.
    Away,
    /// It waits for us.
    Ready,
    /// It asks its bank.
    Charging { command: CommandId, until: Instant },
    /// The money is promised; it waits to hear whether the product fell.
    Charged,
    /// It has been told so.
    Ending { command: CommandId, until: Instant },
}

/// The machine of a card reader.
#[derive(Debug)]
pub(super) struct Master {
    settings: MdbSettings,
    phase: Phase,
    /// When an adapter that refused to be told what we are is told again.
    again_at: Option<Instant>,
}

impl Master {
    pub(super) fn new(settings: MdbSettings) -> Self {
        Self { settings, phase: Phase::Away, again_at: None }
    }

    /// An adapter that an earlier process has told what we are says no to being told again, and nothing of its reader:
    /// it is switched off and on. What that process had promised is gone with it.
    fn refused(&mut self, now: Instant, board: &mut Board) {
        board.count(Tally::FramesOdd, 1);
        if self.phase == Phase::Away && self.again_at.is_none() {
            self.switch_on_anew(now, board);
        }
    }

    fn switch_on_anew(&mut self, now: Instant, board: &mut Board) {
        self.again_at = Some(now + self.settings.retry_interval);
        say(board, "D,0");
        say(board, "D,2");
    }

    fn charge(&mut self, now: Instant, command: CommandId, item: u16, price_minor: u32, board: &mut Board) {
        match self.phase {
            Phase::Ready => {
                say(board, &format!("D,REQ,{},{item}", amount(price_minor, self.settings.decimals)));
                self.phase = Phase::Charging { command, until: now + self.settings.vend_timeout };
            }
            Phase::Away => board.refused(command, "reader-away"),
            _ => board.refused(command, "busy"),
        }
    }

    fn end_charge(&mut self, now: Instant, command: CommandId, dispensed: bool, board: &mut Board) {
        if self.phase != Phase::Charged {
            return board.refused(command, "nothing-charged");
        }
        say(board, if dispensed { "D,END" } else { "D,END,-1" });
        self.phase = Phase::Ending { command, until: now + self.settings.answer_timeout };
    }

    fn state(&mut self, state: MasterState, board: &mut Board) {
        match state {
            MasterState::Init => say(board, "D,READER,1"),
            MasterState::Reset => self.reset(board),
            MasterState::Idle => self.idle(board),
            MasterState::Result { approved_minor } => self.answered(approved_minor.is_some(), board),
            MasterState::Vend | MasterState::Other => {}
        }
    }

    /// What it had promised is gone with its memory; what it was asked last nobody knows.
    fn reset(&mut self, board: &mut Board) {
        let before = std::mem::replace(&mut self.phase, Phase::Away);
        if let Phase::Charging { command, .. } | Phase::Ending { command, .. } = before {
            board.ended(command, Ended::Indeterminate(Reason::new("reader-reset")));
        }
    }

    fn idle(&mut self, board: &mut Board) {
        match std::mem::replace(&mut self.phase, Phase::Ready) {
            Phase::Ending { command, .. } => board.ended(command, Ended::Done),
            // It has not begun yet, or it waits for us: only its answer changes that.
            before @ (Phase::Charging { .. } | Phase::Charged) => self.phase = before,
            Phase::Away | Phase::Ready => {}
        }
    }

    fn answered(&mut self, approved: bool, board: &mut Board) {
        match std::mem::replace(&mut self.phase, Phase::Ready) {
            Phase::Charging { command, .. } if approved => {
                board.ended(command, Ended::Done);
                self.phase = Phase::Charged;
            }
            Phase::Charging { command, .. } => {
                board.ended(command, Ended::Failed(Reason::new("denied")));
                say(board, "D,END,-1");
            }
            // Repeated.
            before @ (Phase::Charged | Phase::Ending { .. }) => self.phase = before,
            // An answer that nobody waits for any more: what it promised is given back.
            before => {
                self.phase = before;
                if approved {
                    say(board, "D,END,-1");
                }
            }
        }
    }
}

impl Playing for Master {
    fn begin(&mut self, board: &mut Board) {
        say(board, "D,2");
    }

    fn said(&mut self, now: Instant, said: &Said, board: &mut Board) {
        match said {
            Said::Master(state) => {
                self.again_at = None;
                self.state(*state, board);
            }
            Said::MasterError => self.refused(now, board),
            Said::Nack => board.count(Tally::FramesOdd, 1),
            _ => {}
        }
    }

    fn act(&mut self, now: Instant, action: VendAction, board: &mut Board) {
        match action {
            VendAction::Charge { command, slot, price_minor } => self.charge(now, command, slot, price_minor, board),
            VendAction::EndCharge { command, dispensed } => self.end_charge(now, command, dispensed, board),
            VendAction::Dispense(asked) | VendAction::Approve(asked) => board.dispensed(asked.refused("not-supported")),
            VendAction::Recover { command, slot } => {
                let asked =
                    crate::wire::vend::Dispense { command, slot, price_minor: 0, drop_sensor: false, until: now };
                board.dispensed(asked.end(Ended::Indeterminate(Reason::new("not-supported"))));
            }
            other => board.refused(other.command().clone(), "not-supported"),
        }
    }

    fn tick(&mut self, now: Instant, board: &mut Board) {
        if self.again_at.is_some_and(|at| now >= at) {
            self.switch_on_anew(now, board);
        }
        match &self.phase {
            Phase::Charging { command, until } if now >= *until => {
                board.ended(command.clone(), Ended::Indeterminate(Reason::new("no-answer")));
                say(board, "D,STOP");
                self.phase = Phase::Ready;
            }
            Phase::Ending { command, until } if now >= *until => {
                board.ended(command.clone(), Ended::Indeterminate(Reason::new("no-answer")));
                self.phase = Phase::Ready;
            }
            _ => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let job = match self.phase {
            Phase::Charging { until, .. } | Phase::Ending { until, .. } => Some(until),
            _ => None,
        };
        [job, self.again_at].into_iter().flatten().min()
    }

    fn in_flight(&self) -> bool {
        matches!(self.phase, Phase::Charging { .. } | Phase::Ending { .. })
    }
}
