//! Events and the status on their way up.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Serialize};

use super::packed::unpacked;
use super::payload::{Data, EventV1, StatusV1, notice};
use crate::types::{Body, DeviceId, Encoding, Epoch, Event, GatewayId, Observation, Stamp, StoreId};

/// Most events in one message.
pub const BATCH_EVENTS: usize = 100;

/// An event sent later than this after it happened is marked `historical`.
pub const HISTORICAL_AFTER: Duration = Duration::from_secs(60);

/// Whether an event that happened at `at` is backfill by `now`.
///
/// Within one boot the uptime tells, whatever the wall clock does. Across boots the wall clock tells if it was
/// right at both ends; if it was not, the event is from another boot and counts as old.
pub fn historical(at: &Stamp, now: &Stamp) -> bool {
    if at.boot == now.boot {
        return now.up.saturating_sub(at.up) > HISTORICAL_AFTER;
    }
    !(at.synced && now.synced) || now.wall.since(at.wall) > HISTORICAL_AFTER
}

/// A part of a batch that fits, or the one event that never will.
#[derive(Debug, PartialEq, Eq)]
pub enum Encoded {
    /// A JSON array of the first `events` of those given.
    Batch {
        /// The message.
        payload: Vec<u8>,
        /// How many of the events given it holds; at least 1.
        events: usize,
    },
    /// The first event alone is larger than the budget.
    Oversized {
        /// Bytes the message would have had.
        bytes: usize,
    },
}

/// Whether the gateway is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is.
    Online,
    /// It is not.
    Offline,
}

/// Who speaks: turns the events of one journal of one gateway into the cloud's form.
#[derive(Debug, Clone)]
pub struct Source {
    source: String,
    gateway: GatewayId,
    epoch: Epoch,
}

impl Source {
    /// The gateway and its journal's epoch.
    pub fn new(store: &StoreId, gateway: &GatewayId, epoch: Epoch) -> Self {
        Self { source: format!("/smartstore/{store}/{gateway}"), gateway: gateway.clone(), epoch }
    }

    /// As many of `events`, from the first on, as fit into `budget` bytes and [`BATCH_EVENTS`]. All must be of one
    /// class, and there must be at least one. `now` decides which are `historical`.
    pub fn batch(&self, events: &[Event], now: &Stamp, budget: usize) -> Encoded {
        let mut payload = Vec::with_capacity(budget.min(events.len().min(BATCH_EVENTS) * 512 + 2));
        let mut taken = 0;
        for event in events.iter().take(BATCH_EVENTS) {
            let kept = payload.len();
            payload.push(if taken == 0 { b'[' } else { b',' });
            self.write(&mut payload, event, historical(&event.draft.at, now));
            if payload.len() + 1 > budget {
                if taken == 0 {
                    return Encoded::Oversized { bytes: payload.len() + 1 };
                }
                payload.truncate(kept);
                break;
            }
            taken += 1;
        }
        payload.push(b']');
        Encoded::Batch { payload, events: taken }
    }

    /// One event as a line of JSON, with its local `row` in front: for reading the journal on the box.
    pub fn event_line(&self, event: &Event) -> String {
        let mut line = format!("{{\"row\":{},", event.row).into_bytes();
        let brace = line.len();
        self.write(&mut line, event, false);
        line.remove(brace);
        String::from_utf8(line).unwrap_or_default()
    }

    /// The status message, also the last will. `version` is the software's, `encoding` that of messages of events.
    pub fn status(state: State, now: &Stamp, version: &str, encoding: Encoding) -> Vec<u8> {
        let state = match state {
            State::Online => "online",
            State::Offline => "offline",
        };
        let mut payload = Vec::with_capacity(160);
        let encoding = (encoding != Encoding::Json).then(|| encoding.as_str());
        append(&mut payload, &StatusV1 { state, since: now.wall, boot: now.boot, version, encoding });
        payload
    }

    fn write(&self, out: &mut Vec<u8>, event: &Event, historical: bool) {
        let draft = &event.draft;
        let (r#type, data) = typed(&draft.body);
        let subject = subject(&draft.body, draft.device.as_ref()).map_or(self.gateway.as_str(), DeviceId::as_str);
        let event = EventV1 {
            specversion: "1.0",
            id: draft.id,
            source: &self.source,
            r#type,
            subject,
            time: draft.at.wall,
            epoch: self.epoch,
            seq: event.seq.0,
            boot: draft.at.boot,
            up_ms: u64::try_from(draft.at.up.as_millis()).unwrap_or(u64::MAX),
            synced: draft.at.synced,
            historical,
            cause: draft.cause.as_ref(),
            data,
        };
        append(out, &event);
    }
}

/// The device an event is about. A health change names its own, for it is the gateway that says it.
fn subject<'a>(body: &'a Body, device: Option<&'a DeviceId>) -> Option<&'a DeviceId> {
    match body {
        Body::Noticed(crate::types::Notice::Health(change)) => change.device.as_ref().or(device),
        Body::Observed(_) | Body::Noticed(_) => device,
    }
}

fn typed(body: &Body) -> (&'static str, Data<'_>) {
    match body {
        Body::Observed(said) => observation(said),
        Body::Noticed(said) => notice(said),
    }
}

fn observation(observation: &Observation) -> (&'static str, Data<'_>) {
    match observation {
        Observation::Code(code) => ("scan.code.v1", Data::ScanCode(code.into())),
        Observation::Ended(outcome) => ("command.ended.v1", Data::CommandEnded(outcome.into())),
        Observation::Sale(step) => ("vend.sale.v1", Data::VendSale(step.into())),
        Observation::Stock(stock) => ("vend.stock.v1", Data::VendStock(stock.into())),
        Observation::Machine(status) => ("vend.machine.v1", Data::VendMachine(Box::new((&**status).into()))),
        Observation::Selection(selection) => ("vend.selection.v1", Data::VendSelection(selection.into())),
        Observation::Footfall(window) => ("footfall.window.v1", Data::FootfallWindow(Box::new((&**window).into()))),
        Observation::FaceVisit(visit) => ("face.visit.v1", Data::FaceVisit(Box::new((&**visit).into()))),
        Observation::FaceWindow(window) => ("face.window.v1", Data::FaceWindow(Box::new((&**window).into()))),
        Observation::FaceMember(seen) => ("face.member.v1", Data::FaceMember(seen.into())),
        Observation::ScreenPlay(play) => ("screen.play.v1", Data::ScreenPlay(Box::new((&**play).into()))),
        Observation::ScreenAction(action) => ("screen.action.v1", Data::ScreenAction(Box::new((&**action).into()))),
        Observation::Session(said) => ("station.session.v1", Data::StationSession((&**said).into())),
        Observation::Cash(cash) => ("vend.cash.v1", Data::VendCash(cash.into())),
    }
}

/// An event's type and its data as JSON, for a line that people read.
pub fn type_and_data(event: &Event) -> (&'static str, String) {
    let (r#type, data) = typed(&event.draft.body);
    let mut json = Vec::new();
    append(&mut json, &data);
    (r#type, String::from_utf8(json).unwrap_or_default())
}

#[expect(clippy::expect_used, reason = "writing to memory does not fail, and no map here has a key that is not text")]
fn append(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("plain data is always JSON");
}

/// What a receiver needs of an event to de-duplicate and to find gaps. Used by instruments and by the demo's count.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EventHead {
    /// Unique for ever.
    pub id: String,
    /// What happened.
    pub r#type: String,
    /// The device or the gateway.
    pub subject: String,
    /// The journal.
    pub epoch: String,
    /// Its number in its epoch and class.
    pub seq: u64,
    /// Whether it came late.
    pub historical: bool,
}

/// Reads a message of events, packed or not.
pub fn read_batch(payload: &[u8]) -> Result<Vec<EventHead>, serde_json::Error> {
    serde_json::from_slice(&unpacked(payload).map_err(serde_json::Error::custom)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::clock::{Clock, Trust};
    use crate::types::{CodeKind, CodeScanned, Draft, Row, Seq, Timestamp};

    fn scanned(seq: u64, value: String, clock: &Clock) -> Event {
        let code = CodeScanned { kind: CodeKind::Unknown, symbology: None, value, gtin: None, ai: BTreeMap::new() };
        let draft = Draft {
            id: clock.event_id(),
            device: Some(DeviceId::new("scanner-1").unwrap()),
            at: clock.stamp(),
            cause: None,
            body: Body::Observed(Observation::Code(code)),
        };
        Event { row: Row(i64::try_from(seq).unwrap()), seq: Seq(seq), draft }
    }

    fn source() -> Source {
        Source::new(&StoreId::new("s").unwrap(), &GatewayId::new("g").unwrap(), Epoch(uuid::Uuid::nil()))
    }

    fn clock() -> Clock {
        Clock::manual(Timestamp::from_unix_ms(1_763_776_800_000), 1)
    }

    #[test]
    fn a_batch_stops_at_the_budget_and_at_a_hundred_events() {
        let clock = clock();
        let events: Vec<_> = (1..=150).map(|seq| scanned(seq, "x".repeat(20), &clock)).collect();
        for budget in [1_000, 5_000, 1_000_000] {
            let Encoded::Batch { payload, events: taken } = source().batch(&events, &clock.stamp(), budget) else {
                panic!("an event of 20 characters fits into {budget} bytes");
            };
            assert!(payload.len() <= budget && taken <= 100, "{taken} events in {} bytes", payload.len());
            let seqs: Vec<_> = read_batch(&payload).unwrap().into_iter().map(|head| head.seq).collect();
            assert_eq!(seqs, (1..=taken as u64).collect::<Vec<_>>());
            let next = source().batch(&events[..=taken.min(149)], &clock.stamp(), usize::MAX);
            let Encoded::Batch { payload: next, .. } = next else { panic!("no budget, no limit") };
            assert!(taken == 100 || next.len() > budget, "one more would have fitted");
        }
    }

    #[test]
    fn one_event_above_the_budget_is_named_with_its_size_and_fits_exactly_into_it() {
        let clock = clock();
        let events = [scanned(1, "\u{1}\"é".repeat(400), &clock), scanned(2, String::new(), &clock)];
        let Encoded::Oversized { bytes } = source().batch(&events, &clock.stamp(), 1_000) else {
            panic!("that cannot fit");
        };
        assert!(matches!(source().batch(&events, &clock.stamp(), bytes), Encoded::Batch { events: 1, .. }));
        assert_eq!(source().batch(&events, &clock.stamp(), bytes - 1), Encoded::Oversized { bytes });
    }

    #[test]
    fn a_line_is_the_event_with_its_row() {
        let clock = clock();
        let line = source().event_line(&scanned(7, "a\nb".into(), &clock));
        assert!(line.starts_with("{\"row\":7,\"specversion\":\"1.0\",") && !line.contains('\n'), "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&value["seq"], &value["data"]["value"]), (&7.into(), &"a\nb".into()));
    }

    #[test]
    fn an_event_is_historical_by_uptime_in_one_boot_and_by_a_right_clock_across_boots() {
        let here = clock();
        let at = here.stamp();
        here.pass(Duration::from_secs(60));
        assert!(!historical(&at, &here.stamp()));
        here.pass(Duration::from_millis(1));
        assert!(historical(&at, &here.stamp()));
        here.set(at.wall, true);
        assert!(historical(&at, &here.stamp()), "a clock set back does not make it young");

        let after_boot = Clock::manual(at.wall, 2);
        after_boot.pass(Duration::from_secs(59));
        assert!(!historical(&at, &after_boot.stamp()));
        after_boot.pass(Duration::from_secs(2));
        assert!(historical(&at, &after_boot.stamp()));
        after_boot.set(at.wall, false);
        assert!(historical(&at, &after_boot.stamp()), "nobody knows how long the boot took");
    }

    #[test]
    fn two_hundred_thousand_events_a_second_are_not_held_up_by_building_trees() {
        // A floor a tenth of the aim, so that a busy machine and an unoptimised build do not fail it; a tree of
        // values, or a copy per field, would.
        let clock = clock();
        let events: Vec<_> = (1..=100).map(|seq| scanned(seq, "M12345678".into(), &clock)).collect();
        let timer = Clock::system(Trust::Trusted);
        let begun = timer.now();
        for _ in 0..100 {
            std::hint::black_box(source().batch(&events, &clock.stamp(), 1 << 20));
        }
        let elapsed = timer.now() - begun;
        assert!(elapsed < Duration::from_millis(500), "10,000 events took {elapsed:?}");
        eprintln!("encoded {:.0} events/s", 10_000.0 / elapsed.as_secs_f64());
    }
}
