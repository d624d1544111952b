//! Retention and the full journal.

use super::*;
use crate::clock::Trust;
use crate::journal::stored;
use std::collections::BTreeSet;

/// A class of which no driver says anything yet can be filled all the same.
async fn fill(journal: &Journal, clock: &Clock, class: Class, events: usize) -> Result<Vec<Row>, JournalError> {
    let mut stored_events = Vec::new();
    for n in 0..events {
        let mut bytes = Vec::new();
        stored::encode_event(&code(clock, &format!("{n}-{}", "y".repeat(150))), &mut bytes);
        stored_events.push(bytes);
    }
    journal
        .write(Some(class), events, move |group| {
            stored_events.iter().map(|bytes| group.push(class, bytes).map(|(row, _)| row)).collect()
        })
        .await
}

fn small(dir: &Path, clock: &Clock) -> Journal {
    let settings = Settings { max_bytes: 1 << 20, ..Settings::new(dir) };
    Journal::open(settings, clock.clone()).unwrap().0
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

/// Numbers on disk and numbers announced as dropped for want of space. `code` bodies tell nothing of their class here,
/// so it is asked of the lanes. Read again while making room goes on beside it: every range that goes moves the head.
async fn account(journal: &Journal, class: Class) -> (BTreeSet<u64>, BTreeSet<u64>) {
    loop {
        let before = journal.head().borrow().row;
        let counted = counted(journal, class).await;
        if journal.head().borrow().row == before {
            return counted;
        }
    }
}

async fn counted(journal: &Journal, class: Class) -> (BTreeSet<u64>, BTreeSet<u64>) {
    let (mut here, mut at) = (BTreeSet::new(), Row(0));
    loop {
        let page = journal.unsent(class, at, 1000).await.unwrap();
        let Some(last) = page.last() else { break };
        at = last.row;
        here.extend(page.iter().map(|event| event.seq.0));
    }
    let mut gone = BTreeSet::new();
    for event in all(journal).await {
        if let Body::Noticed(Notice::Dropped { class: of, from, to, reason: DropReason::Space }) = event.draft.body
            && of == class
        {
            gone.extend(from.0..=to.0);
        }
    }
    (here, gone)
}

async fn until(journal: &Journal, what: &str, reached: impl Fn(&Stats) -> bool) -> Stats {
    let real = Clock::system(Trust::Trusted);
    let end = real.now() + Duration::from_secs(30);
    loop {
        let stats = journal.stats().await.unwrap();
        if reached(&stats) {
            return stats;
        }
        assert!(real.now() < end, "{what}: {stats:?}");
        // waits: the interval at which the level is looked at
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn telemetry_goes_first_then_records_and_every_range_is_announced() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let journal = small(dir.path(), &clock);
    fill(&journal, &clock, Class::Telemetry, 256).await.unwrap();
    for _ in 0..16 {
        fill(&journal, &clock, Class::Record, 100).await.unwrap();
        fill(&journal, &clock, Class::Telemetry, 256).await.unwrap();
    }
    let (records, gone) = account(&journal, Class::Record).await;
    assert!(gone.is_empty(), "records went before telemetry: {gone:?}");
    assert_eq!(records.len() as u64, journal.stats().await.unwrap().of(Class::Record).last_seq.0);
    let (_, telemetry_gone) = account(&journal, Class::Telemetry).await;
    assert!(!telemetry_gone.is_empty());

    for _ in 0..60 {
        fill(&journal, &clock, Class::Record, 100).await.unwrap();
    }
    for class in [Class::Record, Class::Telemetry] {
        let (here, gone) = account(&journal, class).await;
        let last = journal.head().borrow().of(class).seq.0;
        let expected: BTreeSet<u64> = (1..=last).collect();
        assert_eq!(here.union(&gone).copied().collect::<BTreeSet<_>>(), expected, "{class:?}");
        assert!(here.is_disjoint(&gone), "{class:?}: announced as dropped, but here");
        assert!(here.contains(&last) && !gone.is_empty());
    }
    let stats = journal.stats().await.unwrap();
    assert!(stats.file_bytes <= 1 << 20, "{stats:?}");
    let opened =
        all(&journal).await.into_iter().filter(|e| matches!(e.draft.body, Body::Noticed(Notice::Opened { .. })));
    assert_eq!(opened.count(), 1, "the epoch's first notice must outlive its record");
    journal.close().await.unwrap();
    assert_eq!(ReadOnly::open(dir.path()).unwrap().verify().unwrap().findings, []);
}

#[tokio::test]
async fn money_is_never_dropped_and_a_full_journal_empties_again() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let journal = small(dir.path(), &clock);
    fill(&journal, &clock, Class::Record, 256).await.unwrap();
    fill(&journal, &clock, Class::Telemetry, 256).await.unwrap();
    let mut stored = 0;
    while fill(&journal, &clock, Class::Money, 50).await.is_ok() {
        stored += 50;
        assert!(stored < 10_000, "a journal of 1 MiB took {stored} events");
    }
    assert!(stored > 2_000, "only {stored} events fit into 1 MiB");
    assert!(matches!(fill(&journal, &clock, Class::Money, 50).await, Err(JournalError::Full)));
    assert!(matches!(fill(&journal, &clock, Class::Telemetry, 1).await, Err(JournalError::Full)));
    assert!(matches!(journal.append(vec![code(&clock, "1")]).await, Err(JournalError::Full)));
    assert!(journal.stats().await.unwrap().counts.refused_full >= 4);
    let (money, _) = account(&journal, Class::Money).await;
    assert_eq!(money.len(), stored);
    let mut slices = 0;
    while journal.read(|store| store.retain()).await.unwrap() {
        slices += 1;
        assert!(slices < 50, "retention goes round in circles");
    }

    journal.confirm(Class::Money, journal.head().borrow().of(Class::Money).row).await.unwrap();
    fill(&journal, &clock, Class::Money, 50).await.unwrap();
    until(&journal, "room for telemetry", |stats| stats.used_bytes * 100 / stats.max_bytes < 90).await;
    fill(&journal, &clock, Class::Telemetry, 50).await.unwrap();
    journal.append(vec![code(&clock, "1")]).await.unwrap();
}

#[tokio::test]
async fn a_full_journal_still_starts_and_keeps_its_money() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let journal = small(dir.path(), &clock);
    let mut stored = 0;
    while fill(&journal, &clock, Class::Money, 50).await.is_ok() {
        stored += 50;
    }
    journal.close().await.unwrap();
    let journal = small(dir.path(), &clock);
    assert_eq!(journal.stats().await.unwrap().of(Class::Money).unsent, stored);
    assert!(matches!(fill(&journal, &clock, Class::Money, 50).await, Err(JournalError::Full)));
}

#[tokio::test]
async fn confirmed_events_go_before_any_unconfirmed_one() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let journal = small(dir.path(), &clock);
    for _ in 0..10 {
        fill(&journal, &clock, Class::Telemetry, 20).await.unwrap();
        for _ in 0..10 {
            fill(&journal, &clock, Class::Money, 50).await.unwrap();
            journal.confirm(Class::Money, journal.head().borrow().of(Class::Money).row).await.unwrap();
        }
    }
    let (telemetry, gone) = account(&journal, Class::Telemetry).await;
    assert_eq!((telemetry.len(), gone.len()), (200, 0));
    assert!(journal.stats().await.unwrap().of(Class::Money).stored < 5000);
}

#[tokio::test]
async fn confirmed_events_stay_until_they_are_too_many_or_too_old() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let settings = Settings { keep_confirmed_events: 500, ..Settings::new(dir.path()) };
    let (journal, _) = Journal::open(settings, clock.clone()).unwrap();
    for _ in 0..10 {
        fill(&journal, &clock, Class::Record, 100).await.unwrap();
    }
    let last = journal.head().borrow().of(Class::Record).row;
    journal.confirm(Class::Record, last).await.unwrap();
    journal.append(vec![code(&clock, "1")]).await.unwrap();
    let kept = until(&journal, "too many", |stats| stats.of(Class::Record).stored < 700).await;
    assert!(kept.of(Class::Record).stored >= 500, "{kept:?}");

    clock.pass(KEEP_CONFIRMED_DEFAULT + Duration::from_secs(1));
    journal.append(vec![code(&clock, "2")]).await.unwrap();
    let kept = until(&journal, "too old", |stats| stats.of(Class::Record).stored <= 2).await;
    assert_eq!(kept.of(Class::Record).unsent, 2);
    assert_eq!(kept.counts.dropped_space, 0);
}

#[tokio::test]
async fn an_unsynchronised_clock_deletes_nothing_by_age() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let (journal, _) = open(dir.path(), &clock);
    fill(&journal, &clock, Class::Record, 100).await.unwrap();
    journal.confirm(Class::Record, Row(101)).await.unwrap();
    clock.set(Timestamp::from_unix_ms(START_MS * 2), false);
    fill(&journal, &clock, Class::Record, 100).await.unwrap();
    // What retention would do by itself a second later.
    let more = journal.read(|store| store.retain()).await.unwrap();
    assert!(!more);
    assert_eq!(journal.stats().await.unwrap().of(Class::Record).stored, 201);
}

#[tokio::test]
async fn an_event_that_is_too_long_is_refused_and_nothing_of_its_request_is_stored() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let (journal, _) = open(dir.path(), &clock);
    let drafts = vec![code(&clock, "fits"), code(&clock, &"z".repeat(70_000))];
    let refused = journal.append(drafts).await;
    assert!(matches!(refused, Err(JournalError::TooLarge { limit: 65_536, .. })), "{refused:?}");
    assert_eq!(journal.head().borrow().row, Row(1));
    assert_eq!(journal.append(vec![code(&clock, &"z".repeat(60_000))]).await.unwrap(), [Row(2)]);
}
