//! What goes next: money first, always; then what happened now, records before telemetry; then what is older than a
//! minute, through a token bucket, with window and bytes left over for the others. Within a class the order is kept,
//! as the contract promises: an event overtakes the backlog of other classes, not that of its own. Nothing here does
//! I/O.
//!
//! What the broker's answer to one message means, by the reason in its PUBACK:
//!
//! | reason | whose fault | what follows |
//! |---|---|---|
//! | `0x00` success, `0x10` no subscribers | | the broker has it |
//! | `0x97` quota exceeded | the gateway's share | everything waits with back-off, the same again; `cloud.quota` |
//! | `0x87` not authorised, `0x90` topic name | the topic's | its class waits with back-off, the same again; `cloud.refused`; nothing is given up |
//! | `0x91` packet identifier in use | the connection's | a new connection |
//! | `0x99` payload format | an event's | halves, until the one event is found; that is given up |
//! | `0x80` unspecified, `0x83` implementation specific | nobody knows | halves, with back-off; one event is given up after [`limits::REFUSALS`] refusals if the broker has meanwhile taken [`limits::TAKEN_MEANWHILE`] events for every one that it so refuses; else `cloud.refused` |
//!
//! Giving up is announced by `journal.dropped` before the class is confirmed past the event, which stays in the journal
//! for local readers. Around a message that was halved the order within the class is by redelivery only: messages that
//! were on their way already arrive before the halves.

use std::time::{Duration, Instant};

use rumqttc::PubAckReason;

use super::bucket::Bucket;
use super::lane::{Lane, Outgoing, Room, Settled, Suspect};
use super::limits;
use super::settings::Pace;
use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::types::{Class, DropReason, Event, Row, Seq};
use crate::wire::cloud::Source;

/// What is remembered over connections that the broker ended over a packet: from the second on, one message at a time,
/// so that it is known which; then smaller ones, until it is one event.
#[derive(Debug, Default)]
pub(super) struct Careful {
    /// Messages to be taken before this is over.
    left: u32,
    suspects: [Option<Suspect>; 3],
}

/// What a refusal means for whoever looks after the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Everything waits.
    Quota,
    /// The class waits.
    Topic,
    /// A part of the message is sought or given up; nothing else waits.
    Part,
    /// The connection is confused.
    Confused,
}

/// An event whose end is to be announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hopeless {
    pub class: Class,
    pub id: u64,
    pub seq: Seq,
    pub reason: DropReason,
}

#[derive(Debug)]
pub(super) struct Outbox {
    lanes: [Lane; 3],
    room: Room,
    window: usize,
    /// For what happened more than a minute ago.
    bucket: Bucket,
    /// Something waits for the bucket.
    throttled: bool,
    /// Nothing is sent before.
    paused_until: Option<Instant>,
    quota: Backoff,
    refused: [Backoff; 3],
    /// Events taken on this connection.
    taken: u64,
}

const fn place(class: Class) -> usize {
    match class {
        Class::Money => 0,
        Class::Record => 1,
        Class::Telemetry => 2,
    }
}

impl Outbox {
    /// A new one for a new connection, from what the journal says is confirmed.
    pub(super) fn new(confirmed: [Row; 3], room: Room, pace: &Pace, now: Instant) -> Self {
        let backoff = || Backoff::new(pace.backoff, pace.backoff_cap);
        Self {
            lanes: Class::ALL.map(|class| Lane::new(class, confirmed[place(class)], pace.batch_events)),
            room,
            window: pace.window.max(limits::KEPT_FROM_TELEMETRY + 1),
            bucket: Bucket::new(pace.backfill_per_s, now),
            throttled: false,
            paused_until: None,
            quota: backoff(),
            refused: [backoff(), backoff(), backoff()],
            taken: 0,
        }
    }

    /// The class to read next, and after which row.
    pub(super) fn wants(&self, head: impl Fn(Class) -> Row) -> Option<(Class, Row)> {
        self.lanes.iter().find_map(|lane| Some((lane.class, lane.wants(head(lane.class))?)))
    }

    /// What was read of a class.
    pub(super) fn filled(&mut self, class: Class, events: Vec<Event>, head: Row) {
        self.lane(class).filled(events, head);
    }

    /// Whether this event has its turn still to come.
    pub(super) fn comes_to(&self, event: &Event) -> bool {
        self.lanes[place(event.class())].comes_to(event.row)
    }

    /// The next message, most important first. `others`: messages on their way that are none of the lanes'.
    pub(super) fn next(
        &mut self,
        source: &Source,
        clock: &Clock,
        careful: &Careful,
        others: usize,
    ) -> Option<(Class, Outgoing)> {
        let now = clock.now();
        if self.paused_until.is_some_and(|until| now < until) {
            return None;
        }
        self.paused_until = None;
        let window = if careful.left > 0 { 1 } else { self.window };
        let stamp = clock.stamp();
        self.throttled = false;
        for backfill in [false, true] {
            for class in Class::ALL {
                let behind = class != Class::Money && self.lane(class).is_backfill(&stamp, now);
                if behind != backfill || self.is_full(class, backfill, window, others) {
                    continue;
                }
                if backfill && !self.bucket.is_open(now) {
                    self.throttled = true;
                    continue;
                }
                let (room, suspect) = (self.room, careful.suspects[place(class)]);
                let next = self.lane(class).encode_next(source, &stamp, room, suspect, now);
                if let Some(outgoing) = next {
                    self.lane(class).sent(outgoing.id, outgoing.payload.len(), now);
                    if backfill {
                        self.bucket.take(outgoing.events);
                    }
                    return Some((class, outgoing));
                }
            }
        }
        None
    }

    /// Whether the window has no place for such a message.
    fn is_full(&self, class: Class, backfill: bool, window: usize, others: usize) -> bool {
        let (on_the_way, bulk) = self.on_the_way();
        let (kept, bytes) = match class {
            Class::Money => (0, usize::MAX),
            _ if backfill => (limits::KEPT_FROM_BACKFILL, limits::BACKFILL_BYTES),
            Class::Record => (limits::KEPT_FROM_RECORD, limits::BULK_BYTES),
            Class::Telemetry => (limits::KEPT_FROM_TELEMETRY, limits::BULK_BYTES),
        };
        on_the_way + others >= window.saturating_sub(kept).max(1) || bulk >= bytes
    }

    /// The broker has taken a message.
    pub(super) fn taken(&mut self, class: Class, id: u64, careful: &mut Careful) {
        self.lane(class).held_until = None;
        self.refused[place(class)].reset();
        self.taken += self.lane(class).taken(id);
        careful.left = careful.left.saturating_sub(1);
        if careful.left == 0 {
            careful.suspects = [None; 3];
        }
    }

    /// The broker has refused a message.
    pub(super) fn refused(&mut self, class: Class, id: u64, reason: PubAckReason, clock: &Clock) -> Verdict {
        let now = clock.now();
        match reason {
            PubAckReason::QuotaExceeded => {
                if self.paused_until.is_none() {
                    self.paused_until = Some(now + self.quota.next(clock));
                }
                self.lane(class).again(id, None);
                Verdict::Quota
            }
            PubAckReason::PacketIdentifierInUse => Verdict::Confused,
            PubAckReason::PayloadFormatInvalid => {
                if !self.lane(class).split(id, None) {
                    self.lane(class).give_up(id, DropReason::Refused);
                }
                Verdict::Part
            }
            PubAckReason::UnspecifiedError | PubAckReason::ImplementationSpecificError => {
                let wait = Some(now + self.refused[place(class)].next(clock));
                self.perhaps_an_event(class, id, wait)
            }
            // Not authorised, topic name invalid, and the two that are no refusal and do not come here.
            _ => {
                let wait = self.refused[place(class)].next(clock);
                self.lane(class).again(id, None);
                self.lane(class).held_until = Some(now + wait);
                Verdict::Topic
            }
        }
    }

    fn perhaps_an_event(&mut self, class: Class, id: u64, wait: Option<Instant>) -> Verdict {
        let taken = self.taken;
        let lane = self.lane(class);
        if lane.split(id, wait) {
            return Verdict::Topic;
        }
        let (refusals, taken_since) = lane.count_refusal(id, taken);
        // A broker in trouble refuses many, one that dislikes an event takes many.
        if refusals >= limits::REFUSALS && taken_since >= limits::TAKEN_MEANWHILE * lane.stubborn() {
            lane.give_up(id, DropReason::Refused);
            return Verdict::Part;
        }
        lane.again(id, wait);
        Verdict::Topic
    }

    /// A message was taken that was sent after the quota was used up: it is not any more.
    pub(super) fn quota_is_back(&mut self) -> bool {
        let back = self.paused_until.is_none();
        if back {
            self.quota.reset();
        }
        back
    }

    /// Whether anything of a class was refused and waits.
    pub(super) fn is_refused(&self, class: Class) -> bool {
        self.lanes[place(class)].is_refused()
    }

    /// The next event whose end is to be announced.
    pub(super) fn hopeless(&self) -> Option<Hopeless> {
        self.lanes.iter().find_map(|lane| {
            let (id, seq, reason) = lane.hopeless()?;
            Some(Hopeless { class: lane.class, id, seq, reason })
        })
    }

    /// Its end is announced.
    pub(super) fn buried(&mut self, hopeless: Hopeless, careful: &mut Careful) {
        self.lane(hopeless.class).buried(hopeless.id);
        let suspect = &mut careful.suspects[place(hopeless.class)];
        if suspect.is_some_and(|suspect| suspect.strikes >= limits::STRIKES) {
            *suspect = None;
        }
    }

    /// The next class of which more is over than before.
    pub(super) fn settle(&mut self) -> Option<(Class, Settled)> {
        self.lanes.iter_mut().find_map(|lane| Some((lane.class, lane.settle()?)))
    }

    /// The broker has ended the connection over a packet.
    pub(super) fn ended_over_a_packet(&self, careful: &mut Careful) {
        let was_careful = careful.left > 0;
        careful.left = limits::CAREFUL_FLIGHTS;
        if !was_careful {
            return;
        }
        for lane in &self.lanes {
            let Some((row, events)) = lane.oldest_sent() else { continue };
            let suspect = &mut careful.suspects[place(lane.class)];
            let before = suspect.filter(|suspect| suspect.row == row && suspect.events == 1);
            let strikes = if events == 1 { before.map_or(0, |before| before.strikes) + 1 } else { 0 };
            *suspect = Some(Suspect { row, events: events.div_ceil(2), strikes });
        }
    }

    /// Messages on their way, and bytes of records and telemetry among them.
    pub(super) fn on_the_way(&self) -> (usize, usize) {
        self.lanes.iter().fold((0, 0), |(count, bulk), lane| {
            let (messages, bytes) = lane.on_the_way();
            (count + messages, if lane.class == Class::Money { bulk } else { bulk + bytes })
        })
    }

    /// When something is to be looked at again: a wait is over, or an answer is overdue.
    pub(super) fn deadline(&self, acknowledgement: Duration, now: Instant) -> Option<Instant> {
        let due = self.lanes.iter().filter_map(|lane| lane.due(now));
        let paused = self.paused_until.filter(|until| *until > now);
        let throttled = self.throttled.then(|| self.bucket.opens_at());
        due.chain(paused).chain(throttled).chain(self.overdue(acknowledgement)).min()
    }

    /// When the oldest answer is overdue.
    pub(super) fn overdue(&self, acknowledgement: Duration) -> Option<Instant> {
        self.lanes.iter().filter_map(Lane::oldest_since).min().map(|since| since + acknowledgement)
    }

    fn lane(&mut self, class: Class) -> &mut Lane {
        &mut self.lanes[place(class)]
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
