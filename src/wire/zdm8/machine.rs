//! The gateway's end of the line: we ask, the board answers.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::board::{Ask, BoardState, Doing, Zdm8Settings, exception};
use super::frame::Reply;
use super::job::{Job, Look, Step};
use crate::types::{Climate, Ended, PartState, Reason, Tally};
use crate::wire::framer::{Framer, Piece};
use crate::wire::vend::{Board, Dispense, Heard, Unclaimed, VendAction};
use crate::wire::{Input, Machine, Output, Showing, Way};

/// How often a question without consequences is repeated before the board counts as silent.
const ATTEMPTS: u32 = 3;
/// So long after a question was given up its answer may still come.
const LATE: Duration = Duration::from_secs(5);
/// Questions that wait.
const WAITING: usize = 8;

#[derive(Debug)]
struct Asked {
    ask: Ask,
    until: Instant,
}

/// A lane board, seen from the gateway.
#[derive(Debug)]
pub struct Zdm8Machine {
    settings: Zdm8Settings,
    framer: Framer<Reply>,
    board: Board,
    waiting: VecDeque<Ask>,
    asked: Option<Asked>,
    /// The last question that was given up: its answer may still come, and may be a final state, which is said once.
    late: Option<Asked>,
    /// Questions in a row that were not answered.
    misses: u32,
    /// The line rests until then.
    quiet_until: Instant,
    job: Option<Job>,
    /// The last dispense that ended as indeterminate: its truth may still come.
    unresolved: Option<Dispense>,
    unclaimed: Unclaimed,
    next_status: Instant,
}

impl Zdm8Machine {
    /// The first question is ready to be polled.
    pub fn new(settings: Zdm8Settings, now: Instant) -> Self {
        let mut machine = Self {
            framer: Reply::framer(settings.address, settings.frame_gap, now),
            board: Board::default(),
            waiting: VecDeque::from([Ask::Hardware, Ask::Software, Ask::State, Ask::Climate, Ask::Door]),
            asked: None,
            late: None,
            misses: 0,
            quiet_until: now,
            job: None,
            unresolved: None,
            unclaimed: Unclaimed::new(now),
            next_status: now + settings.status_interval,
            settings,
        };
        machine.go_on(now);
        machine
    }

    fn act(&mut self, now: Instant, action: VendAction) {
        match action {
            VendAction::Dispense(asked) => self.dispense(now, asked),
            VendAction::Approve(asked) => self.board.dispensed(asked.refused("not-supported")),
            VendAction::Recover { command, slot } => {
                let asked = Dispense { command, slot, price_minor: 0, drop_sensor: false, until: now };
                self.recover(now, asked);
            }
            other => self.board.refused(other.command().clone(), "not-supported"),
        }
        self.go_on(now);
    }

    fn dispense(&mut self, now: Instant, asked: Dispense) {
        let refusal = match u8::try_from(asked.slot) {
            _ if self.job.is_some() => "busy",
            Ok(0..=99) => {
                self.job = Some(Job::new(asked, now, now + self.settings.dispense_timeout));
                return;
            }
            _ => "no-such-slot",
        };
        self.board.dispensed(asked.refused(refusal));
    }

    /// The board keeps a result until it is read; what was read at the start is kept here.
    fn recover(&mut self, now: Instant, asked: Dispense) {
        if self.job.is_some() {
            return self.board.dispensed(asked.end(Ended::Indeterminate(Reason::new("busy"))));
        }
        match self.unclaimed.claim(None) {
            Some(ended) => self.board.dispensed(asked.end(ended)),
            None => self.job = Some(Job::recovered(asked, now, now + self.settings.dispense_timeout)),
        }
    }

    /// Asks the next question when the line is free. A dispense goes before everything else.
    fn go_on(&mut self, now: Instant) {
        if self.asked.is_some() || now < self.quiet_until {
            return;
        }
        let ask = match &mut self.job {
            Some(job) => match job.next(now) {
                Step::Ask(ask) => Some(ask),
                Step::Wait => None,
                Step::End(ended) => {
                    self.end(ended);
                    self.waiting.pop_front()
                }
            },
            None => self.waiting.pop_front(),
        };
        if let Some(ask) = ask {
            self.ask(now, ask);
        }
    }

    fn ask(&mut self, now: Instant, ask: Ask) {
        if let Ask::Dispense { .. } = ask {
            // What was asked before the order says nothing of it.
            self.late = None;
        }
        self.board.send(ask.request(&self.settings).encode(self.settings.address));
        self.asked = Some(Asked { ask, until: now + self.settings.reply_timeout });
    }

    fn piece(&mut self, now: Instant, piece: Piece<Reply>) {
        match piece {
            Piece::Noise(bytes) => self.board.noise(now, bytes),
            Piece::Frame(reply) => {
                self.board.good();
                self.reply(now, &reply);
            }
        }
    }

    fn reply(&mut self, now: Instant, reply: &Reply) {
        let fits = |ask: &Ask| match reply {
            Reply::Read(bytes) => bytes.len() == ask.bytes() && !bytes.is_empty(),
            Reply::Written { .. } => matches!(ask, Ask::Dispense { .. }),
            Reply::Exception { .. } => true,
        };
        if let Some(Asked { ask, .. }) = self.asked.take_if(|asked| fits(&asked.ask)) {
            // A board answers in order: what comes no more if this is not it.
            self.late.take_if(|late| !fits(&late.ask));
            self.misses = 0;
            self.quiet_until = now + self.settings.turnaround;
            self.answered(now, ask, reply);
        } else if let Some(ask) = self.late.take_if(|late| now < late.until && fits(&late.ask)).map(|late| late.ask) {
            self.answered_late(now, ask, reply);
        } else {
            self.board.count(Tally::RepeatsSuppressed, 1);
        }
    }

    fn answered(&mut self, now: Instant, ask: Ask, reply: &Reply) {
        match (ask, reply) {
            (ask, Reply::Exception { code, .. }) => self.refused(ask, *code),
            (Ask::Dispense { .. }, _) => {
                if let Some(job) = &mut self.job {
                    job.accepted(now, &self.settings);
                }
            }
            (Ask::State, Reply::Read(bytes)) => self.looked(now, bytes),
            (ask, Reply::Read(bytes)) => self.learn(ask, bytes),
            (_, Reply::Written { .. }) => {}
        }
    }

    /// To a question that had been given up.
    fn answered_late(&mut self, now: Instant, ask: Ask, reply: &Reply) {
        self.board.count(Tally::FramesOdd, 1);
        match (&mut self.job, ask, reply) {
            (Some(job), Ask::Dispense { .. }, Reply::Written { .. }) => job.accepted_late(now, &self.settings),
            (None, Ask::Dispense { .. }, Reply::Written { .. }) => {}
            _ => self.answered(now, ask, reply),
        }
    }

    /// What is said of a final state is said before anything is asked again: the board says it only once.
    fn looked(&mut self, now: Instant, bytes: &[u8]) {
        let Some(state) = BoardState::read(bytes, self.settings.codes) else { return };
        let fault = PartState::Fault(u16::from(state.fault));
        let part = if state.fault == 0 { PartState::Works } else { fault };
        self.board.status(|known| known.board = Some(part));
        self.board.count(Tally::FramesOdd, u64::from(state.doing == Doing::Unknown));
        match self.job.as_mut().map(|job| job.looked(now, state, &self.settings)) {
            Some(Look::Ended(ended)) => self.end(ended),
            Some(Look::GoesOn) => {}
            Some(Look::Ready) => {
                let command = self.job.as_ref().map(|job| job.asked.command.clone());
                command.into_iter().for_each(|command| self.board.hear(Heard::Driving(command)));
            }
            Some(Look::Older(ended)) => self.unclaimed_result(now, ended),
            None => {
                if let Some(ended) = Job::verdict(state) {
                    self.unclaimed_result(now, ended);
                }
            }
        }
    }

    fn unclaimed_result(&mut self, now: Instant, ended: Ended) {
        match self.unresolved.take() {
            Some(asked) => self.board.hear(Heard::Late(asked.end(ended))),
            None => self.unclaimed.offer(now, None, ended, &mut self.board),
        }
    }

    fn learn(&mut self, ask: Ask, bytes: &[u8]) {
        match (ask, bytes) {
            (Ask::Hardware, [year, month, rows, columns]) => {
                let serial = format!("{year:02x}-{month:02x}, {rows} x {columns} lanes");
                self.board.status(|known| known.serial = Some(serial));
            }
            (Ask::Software, [century, year, month, day]) => {
                let firmware = format!("{century:02x}{year:02x}-{month:02x}-{day:02x}");
                self.board.status(|known| known.firmware = Some(firmware));
            }
            (Ask::Climate, [a, b, c, d]) => {
                let temperature_dc = Some(i16::from_be_bytes([*a, *b]));
                let humidity_dpct = Some(u16::from_be_bytes([*c, *d]));
                self.board.status(|known| known.climate = vec![Climate { temperature_dc, humidity_dpct }]);
            }
            (Ask::Door, [_, closed]) => self.board.status(|known| known.door_open = Some(*closed == 0)),
            _ => {}
        }
    }

    fn refused(&mut self, ask: Ask, code: u8) {
        self.board.count(Tally::FramesOdd, 1);
        if let (Ask::Dispense { .. } | Ask::State, Some(job)) = (ask, &mut self.job) {
            let is_order = matches!(ask, Ask::Dispense { .. });
            if let Some(ended) = job.refused(is_order, code, exception(code)) {
                self.end(ended);
            }
        }
    }

    fn lost(&mut self, now: Instant, asked: &Asked) {
        self.board.count(Tally::Unanswered, 1);
        self.late = Some(Asked { ask: asked.ask, until: now + LATE });
        // A late answer shall not meet the next question.
        self.quiet_until = now + self.settings.turnaround.max(self.settings.frame_gap);
        self.misses += 1;
        if self.misses >= ATTEMPTS {
            self.board.silent(true);
        }
        match (&mut self.job, asked.ask) {
            (Some(job), Ask::State | Ask::Dispense { .. }) => job.lost(now, asked.ask, &self.settings),
            (None, ask) if self.misses < ATTEMPTS => self.waiting.push_front(ask),
            _ => {}
        }
    }

    fn end(&mut self, ended: Ended) {
        let Some(job) = self.job.take() else { return };
        if matches!(ended, Ended::Indeterminate(_)) {
            self.unresolved = Some(job.asked.clone());
        }
        let mut dispensed = job.asked.end(ended);
        let seen = job.asked.drop_sensor && dispensed.ended == Ended::Done;
        dispensed.dropped = seen.then_some(true);
        self.board.dispensed(dispensed);
    }

    fn tick(&mut self, now: Instant) {
        self.board.tick(now);
        self.unclaimed.tick(now, &mut self.board);
        if let Some(asked) = self.asked.take_if(|asked| now >= asked.until) {
            self.lost(now, &asked);
        }
        if now >= self.next_status {
            self.next_status = now + self.settings.status_interval;
            for ask in [Ask::State, Ask::Climate, Ask::Door] {
                if self.waiting.len() < WAITING && !self.waiting.contains(&ask) {
                    self.waiting.push_back(ask);
                }
            }
        }
        self.go_on(now);
    }

    /// When the next question can be asked.
    fn next_ask(&self) -> Option<Instant> {
        let wanted = match &self.job {
            Some(job) => Some(job.wants_at()),
            None => (!self.waiting.is_empty()).then_some(self.quiet_until),
        };
        wanted.map(|at| at.max(self.quiet_until))
    }
}

impl Machine for Zdm8Machine {
    type Action = VendAction;
    type Observation = Heard;
    type Error = Infallible;

    fn handle(&mut self, now: Instant, input: Input<'_, VendAction>) -> Result<(), Infallible> {
        let mut pieces = Vec::new();
        match input {
            Input::Bytes(bytes) => self.framer.push(now, bytes, |piece| pieces.push(piece)),
            Input::Action(action) => self.act(now, action),
            Input::Tick => self.framer.tick(now, |piece| pieces.push(piece)),
        }
        for piece in pieces {
            self.piece(now, piece);
        }
        self.tick(now);
        Ok(())
    }

    fn poll(&mut self) -> Option<Output<Heard>> {
        self.board.poll()
    }

    fn deadline(&self) -> Option<Instant> {
        let asked = self.asked.as_ref().map(|asked| asked.until);
        let next = if asked.is_some() { asked } else { self.next_ask() };
        let due = [next, self.framer.deadline(), self.unclaimed.deadline(), self.board.deadline()];
        due.into_iter().flatten().chain([self.next_status]).min()
    }

    fn in_flight(&self) -> bool {
        self.job.is_some()
    }

    fn awaits_storage(&self) -> bool {
        self.job.as_ref().is_some_and(Job::is_recording)
    }

    fn stored(&mut self, now: Instant) {
        if let Some(job) = &mut self.job {
            job.recorded();
        }
        self.go_on(now);
    }

    /// A lane board knows nothing of people: all of it.
    fn shows(&self, _way: Way) -> Showing {
        Showing::Bytes
    }
}

#[cfg(test)]
mod tests;
