//! A scanner on a serial line.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::frame::Framing;
use super::gm65::{Parsed, Reply};
use super::intake::{Heard, Intake, ScanAction, earliest};
use super::session::{Gm65Settings, Session};
use crate::types::{Ended, Outcome, Reason};
use crate::wire::{Input, Machine, Output, Showing, Way};

/// The language a scanner takes commands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialect {
    /// None: it sends codes, and nothing is ever sent to it.
    Generic,
    /// The frames of [`super::gm65`].
    Gm65(Gm65Settings),
}

/// What a serial scanner's profile says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialSettings {
    /// How codes are delimited.
    pub framing: Framing,
    /// The same code again within this time is no news.
    pub repeat_window: Duration,
    /// The scanner's language.
    pub dialect: Dialect,
}

/// Reads codes from a serial line, and answers to commands from between them.
///
/// Configuration runs beside reading and never holds it up: codes are read before, between and after the answers,
/// and go on being read when there is never an answer.
#[derive(Debug)]
pub struct SerialScanner {
    intake: Intake,
    session: Option<Session>,
    /// The beginning of what may be a reply; at most ten bytes.
    pending: Vec<u8>,
    frame_gap: Duration,
    last_byte: Instant,
}

impl SerialScanner {
    /// The first command of the configuration, where there is one, is ready to be polled.
    pub fn new(settings: SerialSettings, now: Instant) -> Self {
        let session = match settings.dialect {
            Dialect::Generic => None,
            Dialect::Gm65(settings) => Some(Session::new(settings, now)),
        };
        let frame_gap = settings.framing.frame_gap;
        let intake = Intake::new(settings.framing, settings.repeat_window);
        Self { intake, session, pending: Vec::new(), frame_gap, last_byte: now }
    }

    /// See [`super::Framer::expect_backlog`].
    pub fn expect_backlog(&mut self, bytes: usize) {
        self.intake.expect_backlog(bytes);
    }

    /// The firmware's version byte, once the scanner has told it.
    pub fn version(&self) -> Option<u8> {
        self.session.as_ref().and_then(Session::version)
    }

    fn byte(&mut self, now: Instant, byte: u8) {
        let Some(session) = &mut self.session else { return self.intake.byte(now, byte) };
        self.pending.push(byte);
        while !self.pending.is_empty() {
            match Reply::parse(&self.pending) {
                Parsed::Incomplete => break,
                Parsed::Whole(reply, _) => {
                    session.reply(now, &reply);
                    self.intake.interrupt(now, self.pending.len());
                    self.pending.clear();
                }
                Parsed::No => {
                    let first = self.pending.remove(0);
                    self.intake.byte(now, first);
                }
            }
        }
    }

    /// What may be the beginning of a reply is given up when the line has been idle for as long as a frame may pause.
    fn pending_deadline(&self) -> Option<Instant> {
        (!self.pending.is_empty()).then(|| self.last_byte + self.frame_gap)
    }

    fn tick(&mut self, now: Instant) {
        if self.pending_deadline().is_some_and(|at| now >= at) {
            for byte in std::mem::take(&mut self.pending) {
                self.intake.byte(self.last_byte, byte);
            }
        }
        self.intake.tick(now);
        if let Some(session) = &mut self.session {
            session.tick(now);
        }
    }
}

impl Machine for SerialScanner {
    type Action = ScanAction;
    type Observation = Heard;
    type Error = Infallible;

    fn handle(&mut self, now: Instant, input: Input<'_, ScanAction>) -> Result<(), Infallible> {
        match input {
            Input::Bytes(bytes) => {
                if let (Some(session), false) = (&mut self.session, bytes.is_empty()) {
                    session.heard(now);
                }
                self.last_byte = now;
                for byte in bytes {
                    self.byte(now, *byte);
                }
            }
            Input::Action(action) => match &mut self.session {
                Some(session) => session.act(now, action),
                None => self.intake.say(refused(action)),
            },
            Input::Tick => self.tick(now),
        }
        self.intake.settle(now);
        Ok(())
    }

    fn poll(&mut self) -> Option<Output<Heard>> {
        self.intake.poll().or_else(|| self.session.as_mut()?.poll())
    }

    fn deadline(&self) -> Option<Instant> {
        let reading = earliest(self.intake.deadline(), self.pending_deadline());
        earliest(reading, self.session.as_ref().and_then(Session::deadline))
    }

    /// An action waits at most 1.2 s for its answer, and nobody could say how it ended if it were cut off.
    fn in_flight(&self) -> bool {
        self.session.as_ref().is_some_and(Session::acting)
    }

    /// What comes in is codes; what goes out is settings and triggers.
    fn shows(&self, way: Way) -> Showing {
        match way {
            Way::In => Showing::Shape,
            Way::Out => Showing::Bytes,
        }
    }
}

/// What a scanner without a command language says to an action.
pub(super) fn refused(action: ScanAction) -> Output<Heard> {
    let ScanAction::Trigger { command, .. } = action;
    let ended = Ended::Refused(Reason::new("not-supported"));
    Output::Observe(Heard::Ended(Outcome { command, ended }))
}

#[cfg(test)]
mod tests;
