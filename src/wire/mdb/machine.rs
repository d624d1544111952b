//! The gateway's end of the adapter's line.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::master::Master;
use super::slave::Slave;
use super::text::{Lines, Piece, Said};
use crate::types::Tally;
use crate::wire::vend::{Board, Heard, VendAction};
use crate::wire::{Input, Machine, Output, Showing, Way};

/// What the gateway is on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The cashless device of an existing machine: the machine asks us for money and says whether the product fell.
    Slave,
    /// The machine of a card reader: we ask it for money.
    Master,
}

/// What the profile says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MdbSettings {
    /// What we are on the bus.
    pub role: Role,
    /// Decimal places of the currency.
    pub decimals: u8,
    /// How long a line may pause in its middle.
    pub line_gap: Duration,
    /// How long the adapter may take to answer anything.
    pub answer_timeout: Duration,
    /// How often an adapter that does not answer is asked again.
    pub retry_interval: Duration,
    /// How long the shopper may take to choose what is paid.
    pub selection_timeout: Duration,
    /// How long the gateway may take to say whether a choice is paid; shorter than the machine's own patience.
    pub decision_timeout: Duration,
    /// How long the machine may take from the approval to its word on the product, or a reader to its bank's.
    pub vend_timeout: Duration,
}

impl Default for MdbSettings {
    fn default() -> Self {
        Self {
            role: Role::Slave,
            decimals: 2,
            line_gap: Duration::from_millis(200),
            answer_timeout: Duration::from_secs(2),
            retry_interval: Duration::from_secs(5),
            selection_timeout: Duration::from_secs(60),
            decision_timeout: Duration::from_secs(30),
            vend_timeout: Duration::from_secs(60),
        }
    }
}

/// What a role does with what is heard and asked.
pub(super) trait Playing: std::fmt::Debug + Send {
    /// Tells the adapter what we are.
    fn begin(&mut self, board: &mut Board);
    fn said(&mut self, now: Instant, said: &Said, board: &mut Board);
    fn act(&mut self, now: Instant, action: VendAction, board: &mut Board);
    fn tick(&mut self, now: Instant, board: &mut Board);
    fn deadline(&self) -> Option<Instant>;
    fn in_flight(&self) -> bool;
    /// Whether it waits for what it has said to be on disk.
    fn awaits_storage(&self) -> bool {
        false
    }
    /// It is.
    fn stored(&mut self, _now: Instant, _board: &mut Board) {}
}

/// A machine or a reader behind an adapter.
#[derive(Debug)]
pub struct MdbMachine {
    settings: MdbSettings,
    lines: Lines,
    board: Board,
    playing: Box<dyn Playing>,
    /// When an answer to our greeting is overdue; `None`: the adapter has answered.
    greet_at: Option<Instant>,
}

impl MdbMachine {
    /// The greeting is ready to be polled.
    pub fn new(settings: MdbSettings, now: Instant) -> Self {
        let playing: Box<dyn Playing> = match settings.role {
            Role::Slave => Box::new(Slave::new(settings.clone(), now)),
            Role::Master => Box::new(Master::new(settings.clone())),
        };
        let lines = Lines::new(settings.line_gap, now);
        let greet_at = Some(now + settings.answer_timeout);
        let mut machine = Self { settings, lines, board: Board::default(), playing, greet_at };
        machine.playing.begin(&mut machine.board);
        machine
    }

    fn piece(&mut self, now: Instant, piece: Piece) {
        match piece {
            Piece::Noise(bytes) => self.board.noise(now, bytes),
            Piece::Line(line) => match Said::read(&line, self.settings.decimals) {
                Some(said) => {
                    self.board.good();
                    self.greet_at = None;
                    self.board.count(Tally::FramesUnknown, u64::from(said == Said::Other));
                    self.playing.said(now, &said, &mut self.board);
                }
                None => {
                    self.board.count(Tally::FramesMalformed, 1);
                    self.board.noise(now, line.len() as u64);
                }
            },
        }
    }

    fn tick(&mut self, now: Instant) {
        self.board.tick(now);
        self.playing.tick(now, &mut self.board);
        if self.greet_at.is_some_and(|at| now >= at) {
            self.board.silent(true);
            self.board.count(Tally::Unanswered, 1);
            self.playing.begin(&mut self.board);
            self.greet_at = Some(now + self.settings.retry_interval);
        }
    }
}

impl Machine for MdbMachine {
    type Action = VendAction;
    type Observation = Heard;
    type Error = Infallible;

    fn handle(&mut self, now: Instant, input: Input<'_, VendAction>) -> Result<(), Infallible> {
        let mut pieces = Vec::new();
        match input {
            Input::Bytes(bytes) => self.lines.push(now, bytes, |piece| pieces.push(piece)),
            Input::Action(action) => self.playing.act(now, action, &mut self.board),
            Input::Tick => {
                self.lines.tick(now, |piece| pieces.push(piece));
                self.tick(now);
            }
        }
        for piece in pieces {
            self.piece(now, piece);
        }
        Ok(())
    }

    fn poll(&mut self) -> Option<Output<Heard>> {
        self.board.poll()
    }

    fn deadline(&self) -> Option<Instant> {
        let due = [self.lines.deadline(), self.playing.deadline(), self.greet_at, self.board.deadline()];
        due.into_iter().flatten().min()
    }

    fn in_flight(&self) -> bool {
        self.playing.in_flight()
    }

    fn awaits_storage(&self) -> bool {
        self.playing.awaits_storage()
    }

    fn stored(&mut self, now: Instant) {
        self.playing.stored(now, &mut self.board);
    }

    /// A reader may tell of cards.
    fn shows(&self, _way: Way) -> Showing {
        Showing::Shape
    }
}

#[cfg(test)]
mod tests;
