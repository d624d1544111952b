//! One class on its way to the broker, in order.
//!
//! What was read from the journal waits, is cut into flights (one message each), is sent, answered, and settled from
//! the front: the class is confirmed only as far as everything before is answered too. Nothing here does I/O.

use std::collections::VecDeque;
use std::time::Instant;

use crate::types::{Class, DropReason, Event, Row, Seq, Stamp};
use crate::wire::cloud::{Encoded, Source, historical};

/// Flights of one class that are kept at once, answered or not, until those before them are answered.
const FLIGHTS: usize = 64;

/// Largest messages, in bytes of payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Of a message of several events.
    pub batch: usize,
    /// Of a message of one.
    pub event: usize,
}

/// Where a flight is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// To be sent, not before this.
    Due(Option<Instant>),
    /// On its way.
    Sent { at: Instant, bytes: usize },
    /// The broker will never take its one event; to be announced.
    Hopeless(DropReason),
    /// The broker has it, or its end is announced.
    Over { delivered: u64 },
}

/// One message.
#[derive(Debug)]
struct Flight {
    id: u64,
    /// Empty when it is over.
    events: Vec<Event>,
    last: (Row, Seq),
    state: State,
    refusals: u32,
    /// Events of any class that the broker had taken when it first refused this one.
    taken_before: u64,
}

/// An event that stands under suspicion of ending connections: see [`super::outbox::Careful`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Suspect {
    /// The first event that it can be.
    pub row: Row,
    /// How many events a message may have until it is found.
    pub events: usize,
    /// How often it, alone, was on its way when the broker ended the connection over a packet.
    pub strikes: u32,
}

/// A message to hand over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub id: u64,
    pub payload: Vec<u8>,
    /// How many events that are.
    pub events: usize,
}

/// How far a class has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settled {
    pub row: Row,
    pub seq: Seq,
    /// Events that the broker has taken since the last time.
    pub delivered: u64,
}

#[derive(Debug)]
pub(super) struct Lane {
    pub class: Class,
    /// Nothing of this class is sent before.
    pub held_until: Option<Instant>,
    batch_events: usize,
    read: Row,
    /// Up to here everything has been made a message, or was confirmed before.
    begun: Row,
    waiting: VecDeque<Event>,
    flights: VecDeque<Flight>,
    next_id: u64,
}

impl Lane {
    /// A lane that begins after `confirmed`.
    pub(super) fn new(class: Class, confirmed: Row, batch_events: usize) -> Self {
        Self {
            class,
            held_until: None,
            batch_events: batch_events.max(1),
            read: confirmed,
            begun: confirmed,
            waiting: VecDeque::new(),
            flights: VecDeque::new(),
            next_id: 0,
        }
    }

    /// After which row to read on, if there is something and a place for it. `head`: the class's last row.
    pub(super) fn wants(&self, head: Row) -> Option<Row> {
        let room = self.waiting.len() < self.batch_events && self.flights.len() < FLIGHTS;
        (room && head > self.read).then_some(self.read)
    }

    /// What was read. Nothing, though the head was at `head`, means that what is left there cannot be read.
    pub(super) fn filled(&mut self, events: Vec<Event>, head: Row) {
        self.read = events.last().map_or(self.read.max(head), |last| last.row);
        self.waiting.extend(events);
    }

    /// Whether the event of this row has its turn still to come.
    pub(super) fn comes_to(&self, row: Row) -> bool {
        row > self.begun
    }

    /// The next message, if there is one due. An event that is too large becomes hopeless and is passed over.
    pub(super) fn encode_next(
        &mut self,
        source: &Source,
        stamp: &Stamp,
        room: Room,
        suspect: Option<Suspect>,
        now: Instant,
    ) -> Option<Outgoing> {
        if self.held_until.is_some_and(|until| now < until) {
            return None;
        }
        let due = |flight: &&mut Flight| matches!(flight.state, State::Due(at) if at.is_none_or(|at| at <= now));
        if let Some(flight) = self.flights.iter_mut().find(due) {
            let (payload, events) = encode(source, stamp, room, &flight.events)?;
            return Some(Outgoing { id: flight.id, payload, events });
        }
        while self.flights.len() < FLIGHTS && !self.waiting.is_empty() {
            let most = suspect.map_or(self.batch_events, |suspect| suspect.events.clamp(1, self.batch_events));
            let most = most.min(self.waiting.len());
            let condemned = |event: &Event| suspect.is_some_and(|suspect| suspect.condemns(event));
            let events = &self.waiting.make_contiguous()[..most];
            if condemned(&events[0]) {
                self.begin(1, State::Hopeless(DropReason::Refused));
                continue;
            }
            match encode(source, stamp, room, events) {
                Some((payload, events)) => {
                    let id = self.begin(events, State::Due(None));
                    return Some(Outgoing { id, payload, events });
                }
                None => drop(self.begin(1, State::Hopeless(DropReason::Oversized))),
            }
        }
        None
    }

    /// Whether what would go next happened longer ago than a live event's way takes.
    pub(super) fn is_backfill(&self, stamp: &Stamp, now: Instant) -> bool {
        let due = |flight: &&Flight| matches!(flight.state, State::Due(at) if at.is_none_or(|at| at <= now));
        let again = self.flights.iter().find(due).and_then(|flight| flight.events.first());
        again.or_else(|| self.waiting.front()).is_some_and(|event| historical(&event.draft.at, stamp))
    }

    fn begin(&mut self, events: usize, state: State) -> u64 {
        let events: Vec<Event> = self.waiting.drain(..events).collect();
        self.begun = events.last().map_or(self.begun, |last| last.row);
        let flight = self.flight(events, state);
        let id = flight.id;
        self.flights.push_back(flight);
        id
    }

    fn flight(&mut self, events: Vec<Event>, state: State) -> Flight {
        let last = events.last().map_or((Row(0), Seq(0)), |last| (last.row, last.seq));
        self.next_id += 1;
        Flight { id: self.next_id, events, last, state, refusals: 0, taken_before: 0 }
    }

    /// The message is on its way.
    pub(super) fn sent(&mut self, id: u64, bytes: usize, at: Instant) {
        if let Some(flight) = self.flight_mut(id) {
            flight.state = State::Sent { at, bytes };
        }
    }

    /// The broker has it; how many events that are.
    pub(super) fn taken(&mut self, id: u64) -> u64 {
        let Some(flight) = self.flight_mut(id) else { return 0 };
        let delivered = std::mem::take(&mut flight.events).len() as u64;
        flight.state = State::Over { delivered };
        delivered
    }

    /// Sends it again, not before `at`.
    pub(super) fn again(&mut self, id: u64, at: Option<Instant>) {
        if let Some(flight) = self.flight_mut(id) {
            flight.state = State::Due(at);
        }
    }

    /// Sends it again in two messages, so that what is wrong is found; `false` when it is one event only.
    pub(super) fn split(&mut self, id: u64, at: Option<Instant>) -> bool {
        let Some(place) = self.flights.iter().position(|flight| flight.id == id) else { return false };
        let middle = self.flights[place].events.len() / 2;
        if middle == 0 {
            return false;
        }
        let back = self.flights[place].events.split_off(middle);
        let back = self.flight(back, State::Due(at));
        let front = &mut self.flights[place];
        front.last = front.events.last().map_or(front.last, |last| (last.row, last.seq));
        front.state = State::Due(at);
        self.flights.insert(place + 1, back);
        true
    }

    /// Counts a refusal of one event; how many there were, and how many events the broker has taken since the first.
    pub(super) fn count_refusal(&mut self, id: u64, taken: u64) -> (u32, u64) {
        let Some(flight) = self.flight_mut(id) else { return (0, 0) };
        if flight.refusals == 0 {
            flight.taken_before = taken;
        }
        flight.refusals += 1;
        (flight.refusals, taken - flight.taken_before)
    }

    /// How many single events are refused at the moment, for no reason of their own.
    pub(super) fn stubborn(&self) -> u64 {
        self.flights.iter().filter(|flight| flight.refusals > 0 && !flight.events.is_empty()).count() as u64
    }

    /// The broker will never take it.
    pub(super) fn give_up(&mut self, id: u64, reason: DropReason) {
        if let Some(flight) = self.flight_mut(id) {
            flight.state = State::Hopeless(reason);
        }
    }

    /// The first event whose end is to be announced.
    pub(super) fn hopeless(&self) -> Option<(u64, Seq, DropReason)> {
        self.flights.iter().find_map(|flight| match flight.state {
            State::Hopeless(reason) => Some((flight.id, flight.last.1, reason)),
            _ => None,
        })
    }

    /// Its end is announced.
    pub(super) fn buried(&mut self, id: u64) {
        if let Some(flight) = self.flight_mut(id) {
            flight.events.clear();
            flight.state = State::Over { delivered: 0 };
        }
    }

    /// How far everything is over, from the front; `None` when nothing new is.
    pub(super) fn settle(&mut self) -> Option<Settled> {
        let mut settled: Option<Settled> = None;
        while let Some(Flight { state: State::Over { delivered }, last: (row, seq), .. }) = self.flights.front() {
            let before = settled.map_or(0, |settled| settled.delivered);
            settled = Some(Settled { row: *row, seq: *seq, delivered: before + delivered });
            self.flights.pop_front();
        }
        settled
    }

    /// Whether a message was refused and waits to be sent again.
    pub(super) fn is_refused(&self) -> bool {
        self.held_until.is_some() || self.flights.iter().any(|flight| matches!(flight.state, State::Due(Some(_))))
    }

    /// First row and number of events of the oldest message on its way.
    pub(super) fn oldest_sent(&self) -> Option<(Row, usize)> {
        let mut sent = self.flights.iter().filter(|flight| matches!(flight.state, State::Sent { .. }));
        sent.next().and_then(|flight| Some((flight.events.first()?.row, flight.events.len())))
    }

    /// Messages on their way and their bytes.
    pub(super) fn on_the_way(&self) -> (usize, usize) {
        self.flights.iter().fold((0, 0), |(count, sum), flight| match flight.state {
            State::Sent { bytes, .. } => (count + 1, sum + bytes),
            _ => (count, sum),
        })
    }

    /// When the oldest message on its way was sent.
    pub(super) fn oldest_since(&self) -> Option<Instant> {
        self.flights
            .iter()
            .filter_map(|flight| if let State::Sent { at, .. } = flight.state { Some(at) } else { None })
            .min()
    }

    /// When the next wait is over.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let due = |flight: &Flight| if let State::Due(at) = flight.state { at } else { None };
        self.flights.iter().filter_map(due).chain(self.held_until).filter(|due| *due > now).min()
    }

    fn flight_mut(&mut self, id: u64) -> Option<&mut Flight> {
        self.flights.iter_mut().find(|flight| flight.id == id)
    }
}

impl Suspect {
    fn condemns(&self, event: &Event) -> bool {
        self.strikes >= super::limits::STRIKES && self.row == event.row
    }
}

/// A message of as many of the events as fit, and how many; `None` when the first fits into none.
fn encode(source: &Source, stamp: &Stamp, room: Room, events: &[Event]) -> Option<(Vec<u8>, usize)> {
    if let Encoded::Batch { payload, events } = source.batch(events, stamp, room.batch) {
        return Some((payload, events));
    }
    match source.batch(events.get(..1)?, stamp, room.event) {
        Encoded::Batch { payload, events } => Some((payload, events)),
        Encoded::Oversized { .. } => None,
    }
}
