//! We are the card reader of an existing machine.

use std::time::Instant;

use super::machine::{MdbSettings, Playing};
use super::text::{Said, SlaveState, amount};
use crate::types::{CommandId, Ended, Reason, Tally};
use crate::wire::vend::{Board, Dispense, Dispensed, Heard, Unclaimed, VendAction};

/// The MDB rule that decides when a machine is reset in the middle of a sale.
const RESET_RULE: &str = "mdb-reset";

/// How far a paid sale has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The adapter has not said yet that the machine takes cards: it was opened just now, or the machine has just
    /// been switched on.
    Opening { until: Instant },
    /// The session is open, the shopper chooses. `opened`: the adapter has said so.
    Selecting { until: Instant, opened: bool },
    /// It has chosen; it is being written down that the machine will be told to give it out.
    Recording { until: Instant },
    /// The machine has been told to give the product out: only its word says what became of it.
    Approved { until: Instant },
    /// As before, by an earlier process.
    Recovering { until: Instant },
}

#[derive(Debug)]
struct Job {
    asked: Dispense,
    phase: Phase,
}

/// What the machine asked and nobody has answered.
#[derive(Debug, Clone, Copy)]
struct Choice {
    item: u16,
    price_minor: u32,
    until: Instant,
}

/// The cashless device.
#[derive(Debug)]
pub(super) struct Slave {
    settings: MdbSettings,
    state: SlaveState,
    /// Whether the adapter has said its state since we are here.
    is_told: bool,
    /// When a session is ended that an earlier process may have left open, and of which nobody here knows.
    stop_at: Option<Instant>,
    choice: Option<Choice>,
    job: Option<Job>,
    /// The last dispense that ended as indeterminate: its truth may still come.
    unresolved: Option<Dispense>,
    unclaimed: Unclaimed,
}

impl Slave {
    pub(super) fn new(settings: MdbSettings, now: Instant) -> Self {
        let unclaimed = Unclaimed::new(now);
        Self {
            settings,
            state: SlaveState::Inactive,
            is_told: false,
            stop_at: None,
            choice: None,
            job: None,
            unresolved: None,
            unclaimed,
        }
    }

    /// The shopper has paid for an item and shall now choose it.
    fn dispense(&mut self, now: Instant, asked: Dispense, board: &mut Board) {
        if self.choice.is_some_and(|choice| choice.item == asked.slot) {
            return self.approve(now, asked, board);
        }
        if self.job.is_some() {
            return board.dispensed(asked.refused("busy"));
        }
        match self.state {
            SlaveState::Inactive | SlaveState::Disabled => {
                let until = now + self.settings.answer_timeout;
                self.job = Some(Job { asked, phase: Phase::Opening { until } });
            }
            SlaveState::Vend { .. } => board.dispensed(asked.refused("other-choice")),
            SlaveState::Enabled | SlaveState::Idle => self.open(now, asked, board),
        }
    }

    /// A session for what was paid: the shopper shall choose it now.
    fn open(&mut self, now: Instant, asked: Dispense, board: &mut Board) {
        self.end_stale_session(board);
        say(board, &format!("C,START,{}", amount(asked.price_minor, self.settings.decimals)));
        let until = now + self.settings.selection_timeout;
        self.job = Some(Job { asked, phase: Phase::Selecting { until, opened: false } });
    }

    /// The order that waited for the machine to take cards goes on, if it does now.
    fn go_on(&mut self, now: Instant, board: &mut Board) {
        if let SlaveState::Enabled | SlaveState::Idle = self.state
            && let Some(Job { asked, .. }) = self.job.take_if(|job| matches!(job.phase, Phase::Opening { .. }))
        {
            self.open(now, asked, board);
        }
    }

    /// Whether the choice is what was paid, and then the machine is told.
    fn approve(&mut self, now: Instant, asked: Dispense, board: &mut Board) {
        let refusal = match self.choice {
            _ if self.job.is_some() => Some("busy"),
            None => Some("no-choice"),
            Some(choice) if choice.item != asked.slot => Some("other-choice"),
            Some(choice) if choice.price_minor > asked.price_minor => Some("price"),
            Some(_) if now >= asked.until => return board.dispensed(asked.end(Ended::Expired)),
            Some(_) => None,
        };
        match refusal {
            Some(why) => board.dispensed(asked.refused(why)),
            None => self.record(now, asked, board),
        }
    }

    /// The machine is told when it is on disk that it will be.
    fn record(&mut self, now: Instant, asked: Dispense, board: &mut Board) {
        self.choice = None;
        board.hear(Heard::Driving(asked.command.clone()));
        let until = now + self.settings.decision_timeout;
        self.job = Some(Job { asked, phase: Phase::Recording { until } });
    }

    /// It is on disk. The machine may have thought better of it meanwhile.
    fn recorded(&mut self, now: Instant, board: &mut Board) {
        let Some(Job { asked, phase: phase @ Phase::Recording { .. } }) = &mut self.job else { return };
        match self.state {
            SlaveState::Vend { item, price_minor } if item == asked.slot && price_minor <= asked.price_minor => {
                if now < asked.until {
                    say(board, &format!("C,VEND,{}", amount(price_minor, self.settings.decimals)));
                    *phase = Phase::Approved { until: now + self.settings.vend_timeout };
                } else {
                    say(board, "C,STOP");
                    self.end(Ended::Expired, None, board);
                }
            }
            _ => {
                say(board, "C,STOP");
                self.end(Ended::Refused(Reason::new("other-choice")), None, board);
            }
        }
    }

    /// A choice that an earlier process has left unanswered would keep the machine from opening a session.
    fn end_stale_session(&mut self, board: &mut Board) {
        if self.stop_at.take().is_some() {
            say(board, "C,STOP");
        }
    }

    fn decline(&mut self, command: CommandId, board: &mut Board) {
        if self.choice.take().is_some() {
            say(board, "C,STOP");
            board.ended(command, Ended::Done);
        } else {
            board.refused(command, "no-choice");
        }
    }

    fn recover(&mut self, now: Instant, command: CommandId, slot: u16, board: &mut Board) {
        let asked = Dispense { command, slot, price_minor: 0, drop_sensor: false, until: now };
        if self.job.is_some() {
            return board.dispensed(asked.end(Ended::Indeterminate(Reason::new("busy"))));
        }
        match self.unclaimed.claim(None) {
            Some(ended) => board.dispensed(asked.end(ended)),
            None => {
                let until = now + self.settings.vend_timeout;
                self.job = Some(Job { asked, phase: Phase::Recovering { until } });
            }
        }
    }

    fn state(&mut self, now: Instant, state: SlaveState, board: &mut Board) {
        self.state = state;
        self.is_told = true;
        self.stop_at = None;
        match state {
            SlaveState::Vend { price_minor, item } => self.chosen(now, item, price_minor, board),
            SlaveState::Inactive | SlaveState::Disabled | SlaveState::Enabled => {
                if self.choice.take().is_some() {
                    board.hear(Heard::ChoiceGone);
                }
                self.session_over(state, board);
                self.go_on(now, board);
            }
            SlaveState::Idle => {
                self.go_on(now, board);
                if let Some(Job { phase: Phase::Selecting { opened, .. }, .. }) = &mut self.job {
                    *opened = true;
                }
            }
        }
    }

    /// An adapter that was told to be a cashless device by an earlier process answers our greeting with an error, and
    /// says its state only when it changes: until then a session may be asked for. One that is open, and may wait for
    /// an answer that nobody here knows the question of, is ended; but not before whoever asks after an approved sale
    /// has had the time to.
    fn is_on_already(&mut self, now: Instant, board: &mut Board) {
        if !self.is_told {
            self.state = SlaveState::Enabled;
            self.stop_at = Some(now + self.settings.answer_timeout);
        }
        self.go_on(now, board);
    }

    fn session_over(&mut self, state: SlaveState, board: &mut Board) {
        let Some(job) = &self.job else { return };
        match job.phase {
            // What stood before the session was asked for is no end of it.
            Phase::Selecting { opened: false, .. } if state == SlaveState::Enabled => {}
            Phase::Selecting { .. } | Phase::Recording { .. } => {
                self.end(Ended::Refused(Reason::new("session-ended")), None, board);
            }
            // A reset between the approval and the success counts as success (MDB/ICP 4.2, 7.4.7).
            Phase::Approved { .. } if state == SlaveState::Inactive => self.end(Ended::Done, Some(RESET_RULE), board),
            Phase::Opening { .. } | Phase::Approved { .. } | Phase::Recovering { .. } => {}
        }
    }

    fn chosen(&mut self, now: Instant, item: u16, price_minor: u32, board: &mut Board) {
        let until = now + self.settings.decision_timeout;
        let known = self.choice.is_some_and(|choice| choice.item == item && choice.price_minor == price_minor);
        match &self.job {
            Some(Job { asked, phase: Phase::Selecting { .. } }) => {
                let fits = asked.slot == item && price_minor <= asked.price_minor;
                let asked = asked.clone();
                if !fits || now >= asked.until {
                    say(board, "C,STOP");
                    let why = if fits { Ended::Expired } else { Ended::Refused(Reason::new("other-choice")) };
                    return self.end(why, None, board);
                }
                self.record(now, asked, board);
            }
            // Repeated while we wait for its word.
            Some(_) => {}
            None if known => {}
            None => {
                self.choice = Some(Choice { item, price_minor, until });
                board.hear(Heard::Chosen { slot: item, price_minor });
            }
        }
    }

    fn result(&mut self, now: Instant, ended: Ended, board: &mut Board) {
        // It has been answered, even before the adapter says that the session is over.
        if let SlaveState::Vend { .. } = self.state {
            self.state = SlaveState::Idle;
        }
        let told = |job: &Job| matches!(job.phase, Phase::Approved { .. } | Phase::Recovering { .. });
        let waiting = self.job.as_ref().is_some_and(told);
        if waiting {
            self.end(ended, None, board);
        } else if let Some(asked) = self.unresolved.take() {
            board.hear(Heard::Late(asked.end(ended)));
        } else {
            self.unclaimed.offer(now, None, ended, board);
        }
    }

    fn end(&mut self, ended: Ended, rule: Option<&'static str>, board: &mut Board) {
        let Some(job) = self.job.take() else { return };
        board.dispensed(Dispensed { rule, ..job.asked.end(ended) });
    }

    fn overdue(&mut self, board: &mut Board) {
        let Some(job) = &self.job else { return };
        let untold = match job.phase {
            Phase::Opening { .. } if self.state == SlaveState::Disabled => Some("machine-disabled"),
            Phase::Opening { .. } => Some("machine-inactive"),
            Phase::Selecting { .. } => Some("no-selection"),
            Phase::Recording { .. } => Some("not-recorded"),
            Phase::Approved { .. } | Phase::Recovering { .. } => None,
        };
        if let Some(why) = untold {
            if !matches!(job.phase, Phase::Opening { .. }) {
                say(board, "C,STOP");
            }
            self.end(Ended::Refused(Reason::new(why)), None, board);
        } else {
            self.unresolved = Some(job.asked.clone());
            self.end(Ended::Indeterminate(Reason::new("no-result")), None, board);
        }
    }

    fn job_deadline(&self) -> Option<Instant> {
        self.job.as_ref().map(|job| match job.phase {
            Phase::Opening { until } | Phase::Selecting { until, .. } | Phase::Recording { until } => until,
            Phase::Approved { until } | Phase::Recovering { until } => until,
        })
    }
}

impl Playing for Slave {
    fn begin(&mut self, board: &mut Board) {
        say(board, "C,1");
    }

    fn said(&mut self, now: Instant, said: &Said, board: &mut Board) {
        match said {
            Said::Slave(state) => self.state(now, *state, board),
            Said::VendSuccess => self.result(now, Ended::Done, board),
            Said::VendFailure => self.result(now, Ended::Failed(Reason::new("vend-failed")), board),
            Said::SlaveError => {
                board.count(Tally::FramesOdd, 1);
                self.is_on_already(now, board);
            }
            Said::Nack => board.count(Tally::FramesOdd, 1),
            _ => {}
        }
    }

    fn act(&mut self, now: Instant, action: VendAction, board: &mut Board) {
        match action {
            VendAction::Dispense(asked) => self.dispense(now, asked, board),
            VendAction::Approve(asked) => self.approve(now, asked, board),
            VendAction::Decline { command } => self.decline(command, board),
            VendAction::Recover { command, slot } => self.recover(now, command, slot, board),
            other => board.refused(other.command().clone(), "not-supported"),
        }
    }

    fn tick(&mut self, now: Instant, board: &mut Board) {
        self.unclaimed.tick(now, board);
        if self.choice.is_some_and(|choice| now >= choice.until) {
            self.choice = None;
            say(board, "C,STOP");
            board.hear(Heard::ChoiceGone);
        }
        if self.job_deadline().is_some_and(|at| now >= at) {
            self.overdue(board);
        }
        if self.stop_at.is_some_and(|at| now >= at) {
            // An approved sale that is asked after may still be going on.
            if self.job.is_some() { self.stop_at = None } else { self.end_stale_session(board) }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let choice = self.choice.map(|choice| choice.until);
        [self.job_deadline(), choice, self.unclaimed.deadline(), self.stop_at].into_iter().flatten().min()
    }

    fn awaits_storage(&self) -> bool {
        matches!(self.job, Some(Job { phase: Phase::Recording { .. }, .. }))
    }

    fn stored(&mut self, now: Instant, board: &mut Board) {
        self.recorded(now, board);
    }

    fn in_flight(&self) -> bool {
        self.job.is_some()
    }
}

pub(super) fn say(board: &mut Board, line: &str) {
    board.send(format!("{line}\r\n").into_bytes());
}
