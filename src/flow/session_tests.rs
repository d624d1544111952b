use std::collections::BTreeMap;

use super::*;
use crate::clock::Clock;
use crate::types::{Action, Notice, Outcome, Reason, Row, Seq, Timestamp};

/// A station, its clock and what it has stored.
struct Corner {
    clock: Clock,
    flow: SessionFlow,
    state: BTreeMap<String, Vec<u8>>,
}

fn device(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

fn fresh() -> SessionFlow {
    SessionFlow::new(SessionSettings {
        station: StationId::new("shelf-3").unwrap(),
        screen: device("screen-1"),
        scanner: device("scanner-1"),
    })
}

impl Corner {
    fn new() -> Self {
        let clock = Clock::manual(Timestamp::from_unix_ms(1_763_776_800_000), 1);
        Self { clock, flow: fresh(), state: BTreeMap::new() }
    }

    fn event(&self, by: &str, body: Body) -> Event {
        let (id, at) = (self.clock.event_id(), self.clock.stamp());
        Event { row: Row(1), seq: Seq(1), draft: Draft { id, device: Some(device(by)), at, cause: None, body } }
    }

    fn scan(&self, by: &str, kind: CodeKind, value: &str) -> Event {
        let (value, ai) = (value.to_owned(), BTreeMap::new());
        self.event(by, Body::Observed(Observation::Code(CodeScanned { kind, symbology: None, value, gtin: None, ai })))
    }

    /// One step: what it cares about is handled, and what is to be kept is kept.
    fn step(&mut self, input: Input<'_>) -> Effects {
        if !self.flow.cares(input) {
            return Effects::default();
        }
        let (lanes, recalled) = (|_: &DeviceId, _| None, BTreeMap::new());
        let around = Around { at: self.clock.stamp(), online: false, lanes: &lanes, recalled: &recalled };
        let effects = self.flow.handle(input, &around);
        for change in &effects.state {
            match &change.value {
                Some(value) => drop(self.state.insert(change.key.clone(), value.clone())),
                None => drop(self.state.remove(&change.key)),
            }
        }
        effects
    }

    fn member(&mut self, code: &str) -> Effects {
        let scan = self.scan("scanner-1", CodeKind::Member, code);
        self.step(Input::Event(&scan))
    }

    fn restart(&mut self) {
        self.flow = fresh();
        for (key, value) in &self.state {
            self.flow.load(key, value);
        }
    }
}

fn said(effects: &Effects) -> Vec<StationSession> {
    let of = |draft: &Draft| {
        assert_eq!(draft.device, Some(device("screen-1")));
        let Body::Observed(Observation::Session(said)) = &draft.body else { panic!("{draft:?}") };
        (**said).clone()
    };
    effects.events.iter().map(of).collect()
}

/// The session of the one show.
fn told(effects: &Effects) -> Uuid {
    let [command] = &effects.commands[..] else { panic!("one show: {effects:?}") };
    let Action::Show(show) = &command.action else { panic!("it shows") };
    assert_eq!((command.device.clone(), show.scene.as_str()), (Some(device("screen-1")), "member"));
    assert!(!format!("{command:?}").contains("M0001"), "nothing of the member goes to the page");
    show.session.unwrap()
}

fn ended(said: &StationSession) -> Option<SessionEnd> {
    match said.change {
        SessionChange::Ended { how, .. } => Some(how),
        SessionChange::Bound { .. } => None,
    }
}

#[test]
fn a_member_is_bound_goes_on_when_scanned_again_and_gives_way_to_another() {
    let mut corner = Corner::new();
    let first = corner.member("M00012345");
    let session = told(&first);
    let started = corner.clock.stamp().wall;
    let bound =
        SessionChange::Bound { station: StationId::new("shelf-3").unwrap(), member: "M00012345".to_owned(), started };
    assert_eq!(said(&first), [StationSession { session, change: bound }]);
    assert!(
        !String::from_utf8_lossy(&corner.state["a/current"]).contains("M0001"),
        "no code is kept beside the journal"
    );

    corner.restart();
    corner.clock.pass(Duration::from_secs(5));
    let again = corner.member("M00012345");
    assert_eq!((told(&again), said(&again).len()), (session, 0), "the same session");

    let other = corner.member("M00099999");
    let [over, bound] = &said(&other)[..] else { panic!("{other:?}") };
    assert_eq!((over.session, ended(over)), (session, Some(SessionEnd::OtherMember)));
    assert_eq!((bound.session, ended(bound)), (told(&other), None));
    assert_ne!(bound.session, session);
}

#[test]
fn what_the_page_says_ends_it_once() {
    let mut corner = Corner::new();
    let session = told(&corner.member("M00012345"));
    let change = SessionChange::Ended { ended: corner.clock.stamp().wall, how: SessionEnd::Idle };
    let strange = StationSession { session: Uuid::nil(), change: change.clone() };
    let strange = corner.event("screen-1", Body::Observed(Observation::Session(Box::new(strange))));
    assert!(corner.step(Input::Event(&strange)).is_empty(), "another session's end");
    let end = StationSession { session, change };
    let end = corner.event("screen-1", Body::Observed(Observation::Session(Box::new(end))));
    let effects = corner.step(Input::Event(&end));
    assert_eq!((effects.events.len(), effects.commands.len(), corner.state.len()), (0, 0, 0), "it has been said");
    assert!(corner.step(Input::Event(&end)).is_empty());
    let next = corner.member("M00012345");
    assert_eq!(said(&next).len(), 1, "a new session, and nothing to end");
    assert_ne!(told(&next), session);
}

#[test]
fn a_session_that_no_page_shows_is_closed() {
    let mut corner = Corner::new();
    let command = corner.member("M00012345").commands[0].id.clone();
    let outcome =
        |command: &CommandId, ended| Body::Observed(Observation::Ended(Outcome { command: command.clone(), ended }));
    let painted = corner.event("screen-1", outcome(&command, Ended::Done));
    assert!(corner.step(Input::Event(&painted)).is_empty());
    let refused = corner.event("screen-1", outcome(&command, Ended::Refused(Reason::new("no-page"))));
    let over = said(&corner.step(Input::Event(&refused)));
    assert_eq!(over.iter().map(ended).collect::<Vec<_>>(), [Some(SessionEnd::Closed)]);
    assert!(corner.step(Input::Event(&refused)).is_empty() && corner.flow.due(&corner.clock.stamp()).is_none());
}

#[test]
fn a_page_that_goes_without_a_word_is_waited_for_and_then_no_more() {
    let mut corner = Corner::new();
    corner.member("M00012345");
    corner.restart();
    let due = corner.flow.due(&corner.clock.stamp()).unwrap();
    assert_eq!(due, corner.clock.stamp().up + limits::SESSION);
    assert!(corner.step(Input::Tick).is_empty(), "not yet");
    corner.clock.pass(limits::SESSION);
    let over = said(&corner.step(Input::Tick));
    assert_eq!(over.iter().map(ended).collect::<Vec<_>>(), [Some(SessionEnd::Closed)]);
    assert!(corner.state.is_empty() && corner.step(Input::Tick).is_empty());
}

#[test]
fn other_codes_other_scanners_and_old_scans_bind_nobody() {
    let mut corner = Corner::new();
    for scan in [
        corner.scan("scanner-1", CodeKind::Coupon, "M00012345"),
        corner.scan("scanner-2", CodeKind::Member, "M00012345"),
        corner.event("scanner-1", Body::Noticed(Notice::ConfigApplied { sha256: String::new(), devices: 1 })),
    ] {
        assert!(corner.step(Input::Event(&scan)).is_empty(), "{scan:?}");
    }
    let scan = corner.scan("scanner-1", CodeKind::Member, "M00012345");
    corner.clock.pass(limits::STALE + Duration::from_millis(1));
    assert!(corner.step(Input::Event(&scan)).is_empty(), "the member has gone");
}
