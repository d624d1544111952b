//! What must be there when the power is back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use smartstore::clock::{Clock, Trust};
use smartstore::journal::{Accepted, Intake, Journal, Opened, ReadOnly, Settings};
use smartstore::types::{Body, Class, CommandId, CommandState, Event, Notice, Observation, Reason, Row};

use super::writer::{FLOW, scan};

/// What the writer had tried, and what it had been told, when the power went.
#[derive(Debug, Default)]
pub struct Told {
    tried: BTreeSet<String>,
    stored: BTreeMap<String, i64>,
    commands: BTreeMap<String, String>,
    advance_tried: BTreeMap<i64, String>,
    advanced: i64,
    confirmed: i64,
}

impl Told {
    pub fn note(&mut self, lines: &[u8]) {
        for line in std::str::from_utf8(lines).unwrap().lines() {
            let words: Vec<_> = line.split(' ').collect();
            match words[..] {
                ["try", id] => drop(self.tried.insert(id.to_owned())),
                ["event", id, row] => drop(self.stored.insert(id.to_owned(), row.parse().unwrap())),
                ["advance-try", row, id] => drop(self.advance_tried.insert(row.parse().unwrap(), id.to_owned())),
                ["advanced", row] => self.advanced = row.parse().unwrap(),
                ["confirm", row] => self.confirmed = row.parse().unwrap(),
                [step, id] => drop(self.commands.insert(id.to_owned(), step.to_owned())),
                _ => panic!("no note: {line}"),
            }
        }
    }

    pub fn stored(&self) -> usize {
        self.stored.len()
    }
}

async fn all(journal: &Journal) -> Vec<Event> {
    let (mut events, mut at) = (Vec::new(), Row(0));
    loop {
        let page = journal.after(at, 1000).await.unwrap();
        let Some(last) = page.last() else { return events };
        at = last.row;
        events.extend(page);
    }
}

/// Opens the journal in `dir` and compares it with what its writer knew.
pub async fn check(dir: &Path, told: &Told) {
    let clock = Clock::system(Trust::Trusted);
    let (journal, opened) = Journal::open(Settings::new(dir), clock.clone()).unwrap();
    assert!(matches!(opened, Opened::Existing | Opened::Created), "{opened:?}");
    let events = all(&journal).await;
    numbered(&events, &journal, told);
    complete(&events, told);
    commands(&journal, told, &events).await;
    flow(&journal, told, &events).await;
    let head = journal.head().borrow().row;
    assert_eq!(journal.append(vec![scan(&clock, 10)]).await.unwrap(), [Row(head.0 + 1)], "it goes on");
    journal.close().await.unwrap();
    assert_eq!(ReadOnly::open(dir).unwrap().verify().unwrap().findings, []);
}

/// No gaps, and nothing deleted that was not confirmed.
fn numbered(events: &[Event], journal: &Journal, told: &Told) {
    assert!(events.windows(2).all(|pair| pair[0].row < pair[1].row), "rows must rise");
    for class in Class::ALL {
        let of_class: Vec<_> = events.iter().filter(|event| event.class() == class).collect();
        assert!(of_class.windows(2).all(|pair| pair[0].seq.0 + 1 == pair[1].seq.0), "{class:?} has a gap");
        assert_eq!(of_class.last().map_or(0, |last| last.seq.0), journal.head().borrow().of(class).seq.0);
        if let Some(first) = of_class.first().filter(|first| first.seq.0 > 1) {
            assert!(class == Class::Record && first.row.0 <= told.confirmed + 1, "{class:?}: deleted unconfirmed");
        }
    }
}

/// Everything acknowledged, in its row; nothing that nobody wrote; nothing twice.
fn complete(events: &[Event], told: &Told) {
    let present: BTreeMap<_, _> = events.iter().map(|event| (event.draft.id.to_string(), event.row.0)).collect();
    assert_eq!(present.len(), events.len(), "an id twice");
    for (id, row) in &told.stored {
        let found = present.get(id);
        assert!(found == Some(row) || (found.is_none() && *row <= told.confirmed), "{id}: row {row}, now {found:?}");
    }
    let is_own = |event: &Event| matches!(event.draft.body, Body::Noticed(Notice::Opened { .. }));
    let invented = events.iter().find(|event| !is_own(event) && !told.tried.contains(&event.draft.id.to_string()));
    assert_eq!(invented, None, "nobody wrote that");
}

async fn commands(journal: &Journal, told: &Told, events: &[Event]) {
    let mut ends = BTreeSet::new();
    for event in events {
        if let Body::Observed(Observation::Ended(outcome)) = &event.draft.body {
            assert!(ends.insert(outcome.command.clone()), "{}: a second outcome", outcome.command);
        }
    }
    let open = journal.open_commands().await.unwrap();
    let open: BTreeMap<_, _> = open.into_iter().map(|(command, state)| (command.id, state)).collect();
    for (id, step) in &told.commands {
        let id = CommandId::new(id).unwrap();
        let again = Intake::Refused { id: id.clone(), reason: Reason::new("again") };
        let Accepted::Seen(end) = journal.accept(again).await.unwrap() else { panic!("{id} is forgotten") };
        assert_eq!(end.is_some(), ends.contains(&id), "{id}: the ledger and the events differ");
        match step.as_str() {
            "ended" => assert!(end.is_some(), "{id}: its outcome is lost"),
            "dispatched" => assert!(end.is_some() || open[&id] == CommandState::Dispatched, "{id}"),
            _ => assert!(end.is_some() || open.contains_key(&id), "{id}"),
        }
    }
}

/// The cursor, the state and the event of a step are there together or not at all.
async fn flow(journal: &Journal, told: &Told, events: &[Event]) {
    let at = journal.cursor(FLOW).await.unwrap().0;
    assert!(at >= told.advanced, "a step of the flow is lost");
    let state = journal.state(FLOW, "at").await.unwrap();
    assert_eq!(state, (at > 0).then(|| at.to_le_bytes().to_vec()), "state and cursor differ");
    let newest = events.iter().map(|event| event.draft.id.to_string()).collect::<BTreeSet<_>>();
    for (row, id) in &told.advance_tried {
        assert!(*row <= at || !newest.contains(id), "an effect without its step");
    }
    if let Some(id) = told.advance_tried.get(&at) {
        let deleted = told.stored.get(id).is_some_and(|row| *row <= told.confirmed);
        assert!(deleted || newest.contains(id), "a step without its effect");
    }
}
