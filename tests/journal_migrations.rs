//! Journal files of every version that was ever released are opened by this one.
//!
//! `tests/corpus/journal/v<N>.db` was made by version N of the schema, by [`write`]: started with the environment
//! variable `SMARTSTORE_TEST_WRITE_GOLDEN` set to a directory, this test leaves a file of the present version there.
//! Commit it before adding the next migration, and never change one that stands.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use smartstore::clock::Clock;
use smartstore::journal::{Accepted, Change, Effects, Intake, Journal, Opened, ReadOnly, Settings};
use smartstore::types::{
    Action, Body, Class, CodeKind, CodeScanned, Command, CommandId, CommandState, Condition, DeviceId, Draft, Ended,
    Gtin, HealthChange, Notice, Observation, Origin, Outcome, Reason, Row, Seq, Symbology, Timestamp,
};

/// The last event before the file was closed is row 7.
const ROWS: i64 = 7;

fn clock() -> Clock {
    Clock::manual(Timestamp::from_unix_ms(1_763_776_800_000), 42)
}

fn draft(clock: &Clock, body: Body) -> Draft {
    Draft { id: clock.event_id(), device: DeviceId::new("scanner-1").ok(), at: clock.stamp(), cause: None, body }
}

fn command(id: &str, action: Action) -> Command {
    Command {
        id: CommandId::new(id).unwrap(),
        device: DeviceId::new("scanner-1").ok(),
        action,
        not_after: Timestamp::from_unix_ms(1_763_776_900_000),
        origin: Origin::Cloud,
    }
}

/// Ids differ by the clock's seed, so that what was asked of the clock before does not matter.
fn drafts() -> Vec<Draft> {
    let clock = Clock::manual(Timestamp::from_unix_ms(1_763_776_800_000), 43);
    let code = CodeScanned {
        kind: CodeKind::Product,
        symbology: Symbology::parse("]d2"),
        value: "0106291041500213\u{1d}".to_owned(),
        gtin: Gtin::from_digits("6291041500213"),
        ai: BTreeMap::from([("01".to_owned(), "06291041500213".to_owned())]),
    };
    let health = HealthChange {
        condition: Condition::TtyMissing,
        device: DeviceId::new("scanner-1").ok(),
        raised: true,
        detail: Some("\u{fc}ber /dev/ttyUSB0".to_owned()),
    };
    let done = Outcome { command: CommandId::new("c-done").unwrap(), ended: Ended::Failed(Reason::new("no-answer")) };
    vec![
        draft(&clock, Body::Observed(Observation::Code(code))),
        draft(&clock, Body::Noticed(Notice::Health(health))),
        draft(&clock, Body::Noticed(Notice::ConfigApplied { sha256: "ab".repeat(32), devices: 3 })),
        draft(&clock, Body::Observed(Observation::Ended(done))),
    ]
}

fn effect() -> Draft {
    let clock = Clock::manual(Timestamp::from_unix_ms(1_763_776_800_000), 44);
    draft(&clock, Body::Noticed(Notice::ConfigApplied { sha256: "cd".repeat(32), devices: 4 }))
}

async fn write(dir: &Path) {
    let (journal, _) = Journal::open(Settings::new(dir), clock()).unwrap();
    for (id, action) in [
        ("c-done", Action::DeviceRestart),
        ("c-open", Action::ScanTrigger { on: true }),
        ("c-sent", Action::DeviceRestart),
    ] {
        journal.accept(Intake::Command(command(id, action))).await.unwrap();
    }
    journal.step_dispatched(&CommandId::new("c-sent").unwrap()).await.unwrap();
    assert_eq!(journal.append(drafts()).await.unwrap().len(), 4);
    let bad = Intake::Refused { id: CommandId::new("c-bad").unwrap(), reason: Reason::new("unknown-action") };
    journal.accept(bad).await.unwrap();
    let state = vec![Change { key: "quota".to_owned(), value: Some(b"7".to_vec()), expires: None }];
    let effects = Effects { events: vec![effect()], commands: Vec::new(), state };
    journal.advance("flow.sale", Row(2), effects).await.unwrap();
    journal.confirm(Class::Record, Row(3)).await.unwrap();
    journal.close().await.unwrap();
}

#[tokio::test]
async fn the_golden_file_of_the_present_version_is_written_on_request() {
    let Some(target) = std::env::var_os("SMARTSTORE_TEST_WRITE_GOLDEN").map(PathBuf::from) else { return };
    let dir = tempfile::TempDir::new().unwrap();
    write(dir.path()).await;
    fs::copy(dir.path().join("journal.db"), target.join("golden.db")).unwrap();
}

async fn check(dir: &Path) {
    let (journal, opened) = Journal::open(Settings::new(dir), clock()).unwrap();
    assert_eq!(opened, Opened::Existing);
    let events = journal.after(Row(0), 100).await.unwrap();
    assert_eq!(events.last().map(|event| event.row), Some(Row(ROWS)));
    let Body::Noticed(Notice::Opened { epoch, .. }) = events[0].draft.body else { panic!("{events:?}") };
    assert_eq!(epoch, journal.epoch());
    assert_eq!(events[1..5].iter().map(|event| event.draft.clone()).collect::<Vec<_>>(), drafts());
    assert_eq!(events[6].draft, effect());
    let numbers: Vec<_> = events.iter().map(|event| (event.class(), event.seq)).collect();
    let (record, money) = (Class::Record, Class::Money);
    let expected = [(record, 1), (record, 2), (record, 3), (record, 4), (money, 1), (money, 2), (record, 5)];
    assert_eq!(numbers, expected.map(|(class, seq)| (class, Seq(seq))));

    let open = journal.open_commands().await.unwrap();
    let expected = [
        (command("c-open", Action::ScanTrigger { on: true }), CommandState::Accepted),
        (command("c-sent", Action::DeviceRestart), CommandState::Dispatched),
    ];
    assert_eq!(open, expected);
    let again = journal.accept(Intake::Command(command("c-done", Action::DeviceRestart))).await.unwrap();
    assert_eq!(again, Accepted::Seen(Some(Box::new(events[4].clone()))));
    assert_eq!(journal.confirmed(Class::Record).await.unwrap(), Row(3));
    assert_eq!(journal.cursor("flow.sale").await.unwrap(), Row(2));
    assert_eq!(journal.state("flow.sale", "quota").await.unwrap(), Some(b"7".to_vec()));

    assert_eq!(journal.append(vec![effect()]).await.unwrap(), [Row(ROWS + 1)]);
    journal.close().await.unwrap();
    assert_eq!(ReadOnly::open(dir).unwrap().verify().unwrap().findings, []);
}

#[tokio::test]
async fn a_journal_of_every_version_is_opened_and_goes_on() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/journal");
    let mut files: Vec<_> = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "db"));
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        eprintln!("{}", file.display());
        let dir = tempfile::TempDir::new().unwrap();
        fs::copy(&file, dir.path().join("journal.db")).unwrap();
        check(dir.path()).await;
    }
}

#[tokio::test]
async fn a_journal_of_this_version_is_opened_and_goes_on() {
    let dir = tempfile::TempDir::new().unwrap();
    write(dir.path()).await;
    check(dir.path()).await;
}
