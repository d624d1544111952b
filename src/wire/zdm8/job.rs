//! One dispense, from the look before it to the board's last word.

use std::time::Instant;

use super::board::{Ask, BoardState, Doing, Zdm8Settings};
use crate::types::{Ended, Reason};
use crate::wire::vend::Dispense;

/// How often an order that the board itself has rejected as garbled is given again.
const GARBLED: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The board is looked at first: a result that nobody has read would pass for ours.
    Before,
    /// It is being written down that the order goes out next.
    Recording,
    /// The order goes out next.
    Order,
    /// It has gone out: from here on only the board's word says what became of it.
    Ordered,
    /// The board has taken it, or may have.
    Turning,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Ask(Ask),
    Wait,
    End(Ended),
}

/// What a look at the board said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    Ended(Ended),
    GoesOn,
    /// The lane can be driven: that is written down first.
    Ready,
    /// The result of something before this.
    Older(Ended),
}

/// The dispense that is going on.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) asked: Dispense,
    phase: Phase,
    recovering: bool,
    /// When it is given up.
    until: Instant,
    next_look: Instant,
    /// An idle board before that may not have begun yet.
    begun_by: Instant,
    /// The fault that stood before the order.
    fault_before: u8,
    /// The answer to the order itself was lost.
    order_lost: bool,
    /// An answer was lost that may have been the final state, which is said only once.
    result_lost: bool,
    looks_lost: u32,
    garbled: u32,
}

impl Job {
    pub(super) fn new(asked: Dispense, now: Instant, until: Instant) -> Self {
        Self {
            asked,
            phase: Phase::Before,
            recovering: false,
            until,
            next_look: now,
            begun_by: now,
            fault_before: 0,
            order_lost: false,
            result_lost: false,
            looks_lost: 0,
            garbled: 0,
        }
    }

    /// A dispense that an earlier process has ordered: it is only looked after.
    pub(super) fn recovered(asked: Dispense, now: Instant, until: Instant) -> Self {
        let mut job = Self::new(asked, now, until);
        job.phase = Phase::Turning;
        job.recovering = true;
        job
    }

    pub(super) fn wants_at(&self) -> Instant {
        if self.is_recording() { self.until } else { self.next_look.min(self.until) }
    }

    pub(super) fn is_recording(&self) -> bool {
        self.phase == Phase::Recording
    }

    /// It is on disk that the board is about to be told.
    pub(super) fn recorded(&mut self) {
        if self.is_recording() {
            self.phase = Phase::Order;
        }
    }

    pub(super) fn next(&mut self, now: Instant) -> Step {
        if now >= self.until {
            return Step::End(self.overdue());
        }
        match self.phase {
            Phase::Recording => Step::Wait,
            _ if now < self.next_look => Step::Wait,
            Phase::Before => Step::Ask(Ask::State),
            Phase::Order if now >= self.asked.until => Step::End(Ended::Expired),
            Phase::Order => {
                self.phase = Phase::Ordered;
                let lane = u8::try_from(self.asked.slot).unwrap_or(u8::MAX);
                Step::Ask(Ask::Dispense { lane, drop_sensor: self.asked.drop_sensor })
            }
            Phase::Ordered | Phase::Turning => Step::Ask(Ask::State),
        }
    }

    fn overdue(&self) -> Ended {
        match self.phase {
            Phase::Before | Phase::Recording | Phase::Order => Ended::Refused(Reason::new("no-answer")),
            Phase::Ordered | Phase::Turning => Ended::Indeterminate(Reason::new("no-result")),
        }
    }

    /// The board's answer to the order came after all: it has taken it.
    pub(super) fn accepted_late(&mut self, now: Instant, settings: &Zdm8Settings) {
        self.order_lost = false;
        self.begun_by = self.begun_by.max(now + settings.start_timeout);
    }

    /// The board has taken the order.
    pub(super) fn accepted(&mut self, now: Instant, settings: &Zdm8Settings) {
        self.phase = Phase::Turning;
        self.next_look = now + settings.poll_interval;
        self.begun_by = now + settings.start_timeout;
    }

    /// The board refuses. It says of some refusals that nothing was begun.
    pub(super) fn refused(&mut self, is_order: bool, code: u8, why: &'static str) -> Option<Ended> {
        if !is_order {
            return None;
        }
        match code {
            4 if self.garbled < GARBLED => {
                self.garbled += 1;
                self.phase = Phase::Order;
                None
            }
            1..=4 | 6 | 7 => Some(Ended::Refused(Reason::new(why))),
            // It is at it, or it may be.
            _ => {
                self.phase = Phase::Turning;
                self.order_lost = true;
                None
            }
        }
    }

    /// A question was not answered.
    pub(super) fn lost(&mut self, now: Instant, ask: Ask, settings: &Zdm8Settings) {
        match ask {
            Ask::Dispense { .. } => {
                self.accepted(now, settings);
                self.order_lost = true;
            }
            _ if self.phase == Phase::Turning => {
                self.result_lost = true;
                self.next_look = now + settings.poll_interval;
            }
            _ => {
                self.looks_lost += 1;
                if self.looks_lost >= 3 {
                    self.until = now;
                }
            }
        }
    }

    /// The word of a final state.
    pub(super) fn verdict(state: BoardState) -> Option<Ended> {
        match state.doing {
            Doing::Success => Some(Ended::Done),
            Doing::Failed => Some(Ended::Failed(fault(state.fault))),
            Doing::Idle | Doing::Busy | Doing::Unknown => None,
        }
    }

    pub(super) fn looked(&mut self, now: Instant, state: BoardState, settings: &Zdm8Settings) -> Look {
        self.next_look = now + settings.poll_interval;
        match self.phase {
            Phase::Before => return self.looked_before(now, state),
            // The late answer to a look before the order.
            Phase::Recording | Phase::Order => return Self::verdict(state).map_or(Look::GoesOn, Look::Older),
            Phase::Ordered | Phase::Turning => {}
        }
        if let Some(ended) = Self::verdict(state) {
            return Look::Ended(ended);
        }
        match state.doing {
            // What was lost before was no final state.
            Doing::Busy => {
                self.result_lost = false;
                self.order_lost = false;
                self.begun_by = now;
                Look::GoesOn
            }
            Doing::Idle => self.idle(now, state.fault),
            _ => Look::GoesOn,
        }
    }

    fn looked_before(&mut self, now: Instant, state: BoardState) -> Look {
        self.next_look = now;
        if let Some(ended) = Self::verdict(state) {
            return Look::Older(ended);
        }
        match state.doing {
            Doing::Idle => {
                self.fault_before = state.fault;
                self.phase = Phase::Recording;
                Look::Ready
            }
            _ => Look::Ended(Ended::Refused(Reason::new("board-busy"))),
        }
    }

    /// The board does nothing and has no result for us: it was read and lost, or there was never one.
    fn idle(&mut self, now: Instant, fault_now: u8) -> Look {
        if now < self.begun_by && !self.result_lost {
            return Look::GoesOn;
        }
        let told = fault_now != 0 && (self.recovering || fault_now != self.fault_before);
        let ended = if told {
            Ended::Failed(fault(fault_now))
        } else if self.order_lost && !self.result_lost && !self.recovering {
            // Every look since the order was answered, and the board never began.
            Ended::Failed(Reason::new("not-begun"))
        } else {
            Ended::Indeterminate(Reason::new("result-lost"))
        };
        Look::Ended(ended)
    }
}

fn fault(code: u8) -> Reason {
    Reason::new(&format!("board-fault-{code}"))
}
