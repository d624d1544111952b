//! `kill -9` in the middle of writing: what was acknowledged is there, numbers have no gaps, commands ended once.
//!
//! The test starts itself again as the process to be killed (`a_writer_until_it_is_killed` with the environment
//! variable set), which appends from several tasks at once and notes every acknowledgement in a file.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use smartstore::clock::{Clock, Trust};
use smartstore::journal::{Accepted, Intake, Journal, Opened, ReadOnly, Settings};
use smartstore::types::{
    Action, Body, Class, CodeKind, CodeScanned, Command, CommandId, CommandState, Draft, Ended, Event, Observation,
    Origin, Outcome, Row, Timestamp,
};

const CHILD: &str = "SMARTSTORE_TEST_JOURNAL_CHILD";

fn draft(clock: &Clock, body: Observation) -> Draft {
    Draft { id: clock.event_id(), device: None, at: clock.stamp(), cause: None, body: Body::Observed(body) }
}

fn scan(clock: &Clock) -> Draft {
    let code = CodeScanned {
        kind: CodeKind::Unknown,
        symbology: None,
        value: clock.random_uuid().to_string().repeat(5),
        gtin: None,
        ai: BTreeMap::new(),
    };
    draft(clock, Observation::Code(code))
}

/// With a file `delete` beside it a journal deletes confirmed events early, otherwise it keeps all.
fn settings(dir: &Path) -> Settings {
    let defaults = Settings::new(dir);
    let keep_confirmed_events = if dir.join("delete").exists() { 500 } else { defaults.keep_confirmed_events };
    Settings { keep_confirmed_events, ..defaults }
}

struct Acks(Mutex<File>);

impl Acks {
    fn note(&self, what: &str, id: &str) {
        let mut file = self.0.lock().unwrap();
        file.write_all(format!("{what} {id}\n").as_bytes()).unwrap();
    }
}

async fn scans(journal: Journal, clock: Clock, acks: Arc<Acks>, group: usize) {
    loop {
        let drafts: Vec<_> = (0..group).map(|_| scan(&clock)).collect();
        let ids: Vec<_> = drafts.iter().map(|draft| draft.id.to_string()).collect();
        journal.append(drafts).await.unwrap();
        for id in ids {
            acks.note("event", &id);
        }
    }
}

async fn commands(journal: Journal, clock: Clock, acks: Arc<Acks>) {
    loop {
        let id = CommandId::new(&clock.random_uuid().to_string()).unwrap();
        let command = Command {
            id: id.clone(),
            device: None,
            action: Action::DeviceRestart,
            not_after: Timestamp::from_unix_ms(i64::MAX),
            origin: Origin::Cloud,
        };
        journal.accept(Intake::Command(command)).await.unwrap();
        acks.note("accepted", id.as_str());
        journal.step_dispatched(&id).await.unwrap();
        acks.note("dispatched", id.as_str());
        let outcome = Outcome { command: id.clone(), ended: Ended::Done };
        journal.append(vec![draft(&clock, Observation::Ended(outcome))]).await.unwrap();
        acks.note("ended", id.as_str());
    }
}

async fn confirmations(journal: Journal) {
    let mut head = journal.head();
    while head.changed().await.is_ok() {
        let at = head.borrow_and_update().of(Class::Record).row;
        journal.confirm(Class::Record, Row(at.0 / 2)).await.unwrap();
    }
}

#[test]
fn a_writer_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let clock = Clock::system(Trust::Trusted);
    let file = File::options().create(true).append(true).open(dir.join("acks")).unwrap();
    let acks = Arc::new(Acks(Mutex::new(file)));
    let settings = settings(&dir);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (journal, _) = Journal::open(settings, clock.clone()).unwrap();
        let acks = || Arc::clone(&acks);
        tokio::join!(
            scans(journal.clone(), clock.clone(), acks(), 1),
            scans(journal.clone(), clock.clone(), acks(), 1),
            scans(journal.clone(), clock.clone(), acks(), 100),
            commands(journal.clone(), clock.clone(), acks()),
            commands(journal.clone(), clock.clone(), acks()),
            confirmations(journal.clone()),
        );
    });
}

fn start(dir: &Path) -> Child {
    Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_writer_until_it_is_killed", "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn acknowledged(dir: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(dir.join("acks")).unwrap_or_default();
    // A line without its end was not written whole: whoever wrote it had an answer, but nobody could read it.
    let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let pair = |line: &str| line.trim_end().split_once(' ').map(|(what, id)| (what.to_owned(), id.to_owned()));
    lines.filter_map(pair).collect()
}

/// Waits for a level, with a bound.
fn until(what: &str, mut reached: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if reached() {
            return;
        }
        // waits: the interval at which the level is looked at
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("waited 30 s for {what}");
}

/// Stops the process between two instructions; it may be inside a write.
fn stop(child: &Child) {
    let pid = Pid::from_child(child);
    kill_process(pid, Signal::STOP).unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    until("the process to stop", || fs::read_to_string(&status).unwrap().contains("State:\tT"));
}

/// Number of the oldest record on disk.
fn oldest(dir: &Path) -> u64 {
    ReadOnly::open(dir).and_then(|journal| journal.stats()).map_or(0, |stats| stats.of(Class::Record).first_seq.0)
}

async fn check(dir: &Path, acks: &[(String, String)]) {
    let clock = Clock::system(Trust::Trusted);
    let verdict = ReadOnly::open(dir).unwrap().verify().unwrap();
    assert_eq!(verdict.findings, []);
    // Nothing may be deleted while it is read page by page.
    let settings = Settings { keep_confirmed_events: u64::MAX, ..Settings::new(dir) };
    let (journal, opened) = Journal::open(settings, clock).unwrap();
    assert_eq!(opened, Opened::Existing);
    let events = all(&journal).await;
    numbered(&events, &journal);
    let present: BTreeSet<String> = events.iter().map(|event| event.draft.id.to_string()).collect();
    assert_eq!(present.len(), events.len(), "an id twice");
    let confirmed = journal.confirmed(Class::Record).await.unwrap();
    let oldest = events.iter().find(|event| event.class() == Class::Record).unwrap();
    let last_deleted = newest_row_missing_before(oldest.row, &events);
    assert!(last_deleted <= confirmed, "{last_deleted:?} was deleted, only {confirmed:?} was confirmed");
    let missing = acks.iter().filter(|(what, id)| what == "event" && !present.contains(id)).count() as u64;
    let deleted = oldest.seq.0 - 1;
    assert!(missing <= deleted, "{missing} acknowledged events are missing, {deleted} were deleted");
    check_commands(&journal, acks).await;
    journal.close().await.unwrap();
}

/// The newest row before this one that no event has: rows have no gaps but those that retention made.
fn newest_row_missing_before(row: Row, events: &[Event]) -> Row {
    let present: BTreeSet<Row> = events.iter().map(|event| event.row).collect();
    (1..row.0).rev().map(Row).find(|row| !present.contains(row)).unwrap_or(Row(0))
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

fn numbered(events: &[Event], journal: &Journal) {
    assert!(events.windows(2).all(|pair| pair[0].row < pair[1].row), "rows must rise");
    for class in Class::ALL {
        let seqs: Vec<_> = events.iter().filter(|event| event.class() == class).map(|event| event.seq.0).collect();
        let gaps: Vec<_> = seqs.windows(2).filter(|pair| pair[0] + 1 != pair[1]).collect();
        assert!(gaps.is_empty(), "{class:?} has gaps between {gaps:?} of {} events", seqs.len());
        assert_eq!(seqs.last().copied().unwrap_or(0), journal.head().borrow().of(class).seq.0);
    }
}

async fn check_commands(journal: &Journal, acks: &[(String, String)]) {
    let open: BTreeMap<_, _> =
        journal.open_commands().await.unwrap().into_iter().map(|(command, state)| (command.id, state)).collect();
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    for (what, id) in acks.iter().filter(|(what, _)| what != "event") {
        last.insert(id, what);
    }
    for (id, what) in last {
        let id = CommandId::new(id).unwrap();
        let seen = journal.accept(Intake::Refused { id: id.clone(), reason: smartstore::types::Reason::new("again") });
        let Accepted::Seen(end) = seen.await.unwrap() else { panic!("{id} is forgotten") };
        match what {
            "ended" => assert!(end.is_some(), "{id}: its outcome is lost"),
            "dispatched" => assert!(end.is_some() || open[&id] == CommandState::Dispatched, "{id}"),
            _ => assert!(end.is_some() || open.contains_key(&id), "{id}"),
        }
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let dir = tempfile::TempDir::new().unwrap();
    kill_and_check(dir.path(), 12).await;
}

#[tokio::test]
async fn nothing_unconfirmed_is_lost_when_the_process_is_killed_while_it_deletes() {
    let dir = tempfile::TempDir::new().unwrap();
    fs::write(dir.path().join("delete"), []).unwrap();
    kill_and_check(dir.path(), 4).await;
    assert!(oldest(dir.path()) > 1, "nothing was deleted, so nothing was tried");
}

async fn kill_and_check(dir: &Path, rounds: usize) {
    let clock = Clock::system(Trust::Trusted);
    for round in 0..rounds {
        let before = acknowledged(dir).len();
        let oldest_before = oldest(dir);
        let mut child = start(dir);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 1500")]
        let more = 1 + (clock.random_fraction() * 1500.0) as usize;
        until("acknowledgements", || acknowledged(dir).len() >= before + more);
        if dir.join("delete").exists() {
            until("a deletion", || oldest(dir) > oldest_before);
        }
        stop(&child);
        let acks = acknowledged(dir);
        let copy = tempfile::TempDir::new().unwrap();
        for name in ["journal.db", "journal.db-wal", "delete"] {
            if dir.join(name).exists() {
                fs::copy(dir.join(name), copy.path().join(name)).unwrap();
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        check(copy.path(), &acks).await;
        check(dir, &acks).await;
        eprintln!("round {round}: killed after {} acknowledgements", acks.len());
    }
}
