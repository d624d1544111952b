//! A journal whose files are damaged: every page once, the log cut off anywhere, files of zeros and of rubbish. It
//! always opens within three starts; what can be read is kept under its ids; what is gone is announced; nothing is
//! invented. Prints what each kind of damage cost.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use smartstore::clock::{Clock, Trust};
use smartstore::journal::{Change, Effects, Intake, Journal, JournalError, Opened, ReadOnly, Settings};
use smartstore::types::{
    Action, Body, Class, CodeKind, CodeScanned, Command, CommandId, Draft, DropReason, Ended, Epoch, Event, Notice,
    Observation, Origin, Outcome, Row, Timestamp,
};

const PAGE: usize = 4096;

fn draft(clock: &Clock, body: Observation) -> Draft {
    Draft { id: clock.event_id(), device: None, at: clock.stamp(), cause: None, body: Body::Observed(body) }
}

fn scan(clock: &Clock) -> Draft {
    let value = clock.random_uuid().to_string().repeat(5);
    let code = CodeScanned { kind: CodeKind::Unknown, symbology: None, value, gtin: None, ai: BTreeMap::new() };
    draft(clock, Observation::Code(code))
}

/// What was in the journal before.
struct Before {
    epoch: Epoch,
    ids: BTreeMap<Class, Vec<String>>,
}

async fn fill(dir: &Path, close: bool) -> (Before, Option<Journal>) {
    let clock = Clock::system(Trust::Trusted);
    let (journal, _) = Journal::open(Settings::new(dir), clock.clone()).unwrap();
    for group in 0..30 {
        journal.append((0..=group % 7 * 5).map(|_| scan(&clock)).collect()).await.unwrap();
        let id = CommandId::new(&format!("c-{group}")).unwrap();
        let (device, origin, not_after) = (None, Origin::Cloud, Timestamp::from_unix_ms(i64::MAX));
        let command = Command { id: id.clone(), device, action: Action::DeviceRestart, not_after, origin };
        journal.accept(Intake::Command(command)).await.unwrap();
        let outcome = Outcome { command: id, ended: Ended::Done };
        journal.append(vec![draft(&clock, Observation::Ended(outcome))]).await.unwrap();
    }
    let state = vec![Change { key: "quota".to_owned(), value: Some(vec![1]), expires: None }];
    let effects = Effects { events: vec![scan(&clock)], state, ..Effects::default() };
    journal.advance("flow.test", Row(3), effects).await.unwrap();
    let events = all(&journal).await.unwrap();
    let of = |class| events.iter().filter(move |event| event.class() == class).map(|event| event.draft.id.to_string());
    let ids = Class::ALL.into_iter().map(|class| (class, of(class).collect())).collect();
    let before = Before { epoch: journal.epoch(), ids };
    if !close {
        return (before, Some(journal));
    }
    journal.close().await.unwrap();
    (before, None)
}

async fn all(journal: &Journal) -> Result<Vec<Event>, JournalError> {
    let (mut events, mut at) = (Vec::new(), Row(0));
    loop {
        let page = journal.after(at, 1000).await?;
        let Some(last) = page.last() else { return Ok(events) };
        at = last.row;
        events.extend(page);
    }
}

/// What is left after damage.
struct After {
    epoch: Epoch,
    events: Vec<Event>,
    starts: u32,
}

/// Starts as often as the supervisor would: damage that shows while running ends the daemon.
async fn healed(dir: &Path) -> After {
    let clock = Clock::system(Trust::Trusted);
    for starts in 1..=3 {
        let (journal, _) = Journal::open(Settings::new(dir), clock.clone()).unwrap();
        match all(&journal).await {
            Ok(_) => {}
            Err(error) if error.is_damage() => {
                let _ = journal.close().await;
                continue;
            }
            Err(error) => panic!("{error}"),
        }
        if let Err(error) = journal.append(vec![scan(&clock)]).await {
            assert!(error.is_damage(), "{error}");
            let _ = journal.close().await;
            continue;
        }
        let events = all(&journal).await.unwrap();
        let epoch = journal.epoch();
        journal.close().await.unwrap();
        return After { epoch, events, starts };
    }
    panic!("three starts did not mend it");
}

/// How many events are gone, by class; panics when that was not announced or something was invented.
fn gone(before: &Before, after: &After) -> BTreeMap<Class, usize> {
    let present: BTreeSet<_> = after.events.iter().map(|event| event.draft.id.to_string()).collect();
    assert_eq!(present.len(), after.events.len(), "an id twice");
    let known: BTreeSet<&String> = before.ids.values().flatten().collect();
    let last = after.events.last().unwrap().draft.id.to_string();
    let is_own = |event: &Event| matches!(event.draft.body, Body::Noticed(_)) || event.draft.id.to_string() == last;
    let invented = after.events.iter().find(|event| !is_own(event) && !known.contains(&event.draft.id.to_string()));
    assert_eq!(invented, None);
    if after.epoch == before.epoch {
        announced(before, after, &present);
    }
    let missing = |ids: &Vec<String>| ids.iter().filter(|id| !present.contains(*id)).count();
    // The first event of an epoch speaks of that epoch only and is not taken over.
    let own = usize::from(after.epoch != before.epoch);
    before
        .ids
        .iter()
        .map(|(class, ids)| (*class, missing(ids) - if *class == Class::Record { own } else { 0 }))
        .collect()
}

/// In the same epoch each missing number stands in a notice.
fn announced(before: &Before, after: &After, present: &BTreeSet<String>) {
    let notices: Vec<_> = after.events.iter().filter_map(|event| dropped(&event.draft.body)).collect();
    for (class, ids) in &before.ids {
        for (seq, id) in (1..).zip(ids) {
            let told = notices.iter().any(|(of, from, to)| of == class && (*from..=*to).contains(&seq));
            assert!(told || present.contains(id), "{class:?} {seq} is gone and nobody was told");
        }
    }
}

fn dropped(body: &Body) -> Option<(Class, u64, u64)> {
    match body {
        Body::Noticed(Notice::Dropped { class, from, to, reason: DropReason::Damaged }) => Some((*class, from.0, to.0)),
        _ => None,
    }
}

/// Which table or index begins on which page (counted from 1).
fn roots(path: &Path) -> BTreeMap<usize, String> {
    let conn = rusqlite::Connection::open(path).unwrap();
    let mut statement = conn.prepare("SELECT rootpage, name FROM sqlite_schema WHERE rootpage > 0").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))).unwrap();
    let rows = rows.map(Result::unwrap).map(|(page, name)| (usize::try_from(page).unwrap(), name));
    rows.chain([(1, "the schema".to_owned())]).collect()
}

/// What happened to a page.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Zeros,
    Rubbish,
    OneBit,
}

impl Damage {
    fn strike(self, page: &mut [u8]) {
        match self {
            Self::Zeros => page.fill(0),
            Self::Rubbish => page.iter_mut().zip((0..=250_u8).cycle()).for_each(|(byte, n)| *byte = *byte ^ n ^ 0xa5),
            Self::OneBit => page[PAGE / 2 + 100] ^= 0x10,
        }
    }
}

#[tokio::test]
async fn any_single_damaged_page_costs_at_most_what_stood_on_it_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (before, _) = fill(dir.path(), true).await;
    let path = dir.path().join("journal.db");
    let (bytes, roots) = (fs::read(&path).unwrap(), roots(&path));
    let all: usize = before.ids.values().map(Vec::len).sum();
    eprintln!(
        "{} pages, {all} events\n| damage | page | starts | new epochs | events gone, announced |\n|---|---|---|---|---|",
        bytes.len() / PAGE
    );
    let mut others: BTreeMap<String, (u32, u32, usize, usize)> = BTreeMap::new();
    for damage in [Damage::Zeros, Damage::Rubbish, Damage::OneBit] {
        let name = format!("{damage:?}");
        for page in 1..=bytes.len() / PAGE {
            let dir = tempfile::tempdir().unwrap();
            let mut damaged = bytes.clone();
            damage.strike(&mut damaged[(page - 1) * PAGE..page * PAGE]);
            fs::write(dir.path().join("journal.db"), damaged).unwrap();
            let after = healed(dir.path()).await;
            let gone = gone(&before, &after);
            let (lost, is_new) = (gone.values().sum::<usize>(), u32::from(after.epoch != before.epoch));
            match roots.get(&page) {
                Some(table) => {
                    eprintln!("| {name} | {table} | {} | {is_new} | {lost} |", after.starts);
                    let holds = |class: Class| *table == format!("batch_{}", class.as_str());
                    let elsewhere =
                        gone.iter().filter(|(class, _)| !holds(**class)).map(|(_, lost)| lost).sum::<usize>();
                    assert!(page == 1 || elsewhere == 0, "{table}: {elsewhere} events of other tables are gone");
                }
                None => {
                    let sum = others.entry(name.clone()).or_default();
                    *sum = (sum.0 + 1, sum.1 + is_new, sum.2 + lost, sum.3.max(lost));
                    assert!(lost <= 100, "page {page} held less than {lost} events");
                }
            }
        }
    }
    for (name, (pages, new, lost, most)) in others {
        eprintln!("| {name} | {pages} other pages, one at a time | | {new} | {lost}, at most {most} a page |");
    }
}

#[tokio::test]
async fn a_log_cut_off_anywhere_leaves_a_gap_free_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let (before, journal) = fill(dir.path(), false).await;
    let (db, log) = ("journal.db", "journal.db-wal");
    let (bytes, wal) = (fs::read(dir.path().join(db)).unwrap(), fs::read(dir.path().join(log)).unwrap());
    drop(journal);
    let step = if std::env::var_os("SMARTSTORE_FULL").is_some() { 97 } else { 2003 };
    let mut cuts = 0;
    for length in (0..=wal.len()).step_by(step) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(db), &bytes).unwrap();
        fs::write(dir.path().join(log), &wal[..length]).unwrap();
        let (journal, opened) = Journal::open(Settings::new(dir.path()), Clock::system(Trust::Trusted)).unwrap();
        assert!(matches!(opened, Opened::Existing | Opened::Created), "{length}: {opened:?}");
        if opened == Opened::Existing {
            let events = all(&journal).await.unwrap();
            for (class, ids) in &before.ids {
                let left: Vec<_> = events.iter().filter(|event| event.class() == *class).collect();
                assert!((1..).zip(&left).all(|(seq, event)| event.seq.0 == seq), "{length}: {class:?} has a gap");
                assert!(left.iter().zip(ids).all(|(event, id)| event.draft.id.to_string() == *id), "{length}");
            }
        }
        journal.close().await.unwrap();
        assert_eq!(ReadOnly::open(dir.path()).unwrap().verify().unwrap().findings, [], "{length}");
        cuts += 1;
    }
    eprintln!("{cuts} cuts of a log of {} bytes, none invented, no gap", wal.len());
}

#[tokio::test]
async fn a_database_of_zeros_or_rubbish_with_or_without_its_log_is_set_aside_and_a_new_epoch_begins() {
    let dir = tempfile::tempdir().unwrap();
    let (before, journal) = fill(dir.path(), false).await;
    let wal = fs::read(dir.path().join("journal.db-wal")).unwrap();
    drop(journal);
    let length = fs::metadata(dir.path().join("journal.db")).unwrap().len();
    for (what, filler) in [("zeros", 0_u8), ("rubbish", 0x5a)] {
        for with_log in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("journal.db"), vec![filler; usize::try_from(length).unwrap().max(3 * PAGE)])
                .unwrap();
            if with_log {
                fs::write(dir.path().join("journal.db-wal"), &wal).unwrap();
            }
            let after = healed(dir.path()).await;
            let gone: usize = gone(&before, &after).values().sum();
            eprintln!("{what}, log {with_log}: new epoch {}, {gone} events gone", after.epoch != before.epoch);
            assert!(after.epoch != before.epoch || gone == 0, "{what}: events are gone and nobody was told");
        }
    }
}
