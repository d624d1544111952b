//! Damage, full disks, old and foreign files.

use std::fs;
use std::os::unix::fs::FileExt;

use super::*;

/// Fills a journal with records and closes it.
async fn filled(dir: &Path, clock: &Clock, events: usize) -> Epoch {
    let (journal, _) = open(dir, clock);
    let epoch = journal.epoch();
    for part in 0..events / 100 {
        let drafts = (0..100).map(|n| code(clock, &format!("{part}-{n}-{}", "x".repeat(200)))).collect();
        journal.append(drafts).await.unwrap();
    }
    journal.close().await.unwrap();
    epoch
}

fn set_aside_files(dir: &Path) -> usize {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".corrupt-") && !name.ends_with("-wal") && !name.ends_with("-shm")).count()
}

#[tokio::test]
async fn a_journal_cut_in_half_is_set_aside_and_the_new_one_knows_the_old_epoch_where_it_can() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let epoch = filled(dir.path(), &clock, 3000).await;
    let path = dir.path().join("journal.db");
    let length = fs::metadata(&path).unwrap().len();
    fs::File::options().write(true).open(&path).unwrap().set_len(length / 2).unwrap();
    let (journal, opened) = open(dir.path(), &clock);
    let Opened::Damaged { set_aside, previous, .. } = opened else { panic!("{opened:?}") };
    assert_eq!(fs::metadata(set_aside).unwrap().len(), length / 2);
    assert!(previous.is_none_or(|previous| previous == epoch));
    assert_ne!(journal.epoch(), epoch);
    assert_eq!(journal.append(vec![code(&clock, "goes on")]).await.unwrap(), [Row(2)]);
}

#[tokio::test]
async fn a_journal_without_its_meta_table_is_set_aside() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    filled(dir.path(), &clock, 100).await;
    let conn = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
    conn.execute_batch("DROP TABLE meta").unwrap();
    drop(conn);
    let (_, opened) = open(dir.path(), &clock);
    let Opened::Damaged { previous: None, last_seq, .. } = opened else { panic!("{opened:?}") };
    assert_eq!(last_seq, [(Class::Record, Seq(101))]);
}

#[tokio::test]
async fn the_write_ahead_log_goes_with_the_damaged_file() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    fs::write(dir.path().join("journal.db"), [7; 5000]).unwrap();
    fs::write(dir.path().join("journal.db-wal"), [8; 100]).unwrap();
    let (_, opened) = open(dir.path(), &clock);
    let Opened::Damaged { set_aside, .. } = opened else { panic!("{opened:?}") };
    let mut wal = set_aside.into_os_string();
    wal.push("-wal");
    assert_eq!(fs::read(wal).unwrap(), [8; 100]);
}

#[tokio::test]
async fn a_truncated_write_ahead_log_is_no_damage() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let (journal, _) = open(dir.path(), &clock);
    journal.append(vec![code(&clock, "1")]).await.unwrap();
    let copy = copy_of(dir.path());
    let wal = copy.path().join("journal.db-wal");
    let length = fs::metadata(&wal).unwrap().len();
    fs::File::options().write(true).open(&wal).unwrap().set_len(length - 5000).unwrap();
    let (_, opened) = open(copy.path(), &clock);
    assert!(matches!(opened, Opened::Existing | Opened::Created), "{opened:?}");
}

#[tokio::test]
async fn an_empty_file_is_a_journal_that_was_never_begun() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    fs::write(dir.path().join("journal.db"), []).unwrap();
    let (journal, opened) = open(dir.path(), &clock);
    assert_eq!(opened, Opened::Created);
    assert_eq!(journal.after(Row(0), 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_dying_disk_does_not_fill_itself_with_damaged_journals() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    for _ in 0..7 {
        fs::write(dir.path().join("journal.db"), [7; 5000]).unwrap();
        let (journal, opened) = open(dir.path(), &clock);
        assert!(matches!(opened, Opened::Damaged { .. }));
        journal.close().await.unwrap();
        clock.pass(Duration::from_secs(1));
    }
    assert_eq!(set_aside_files(dir.path()), limits::SET_ASIDE);
}

#[tokio::test]
async fn a_newer_journal_is_refused_and_left_alone() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    filled(dir.path(), &clock, 100).await;
    let conn = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let refused = Journal::open(Settings::new(dir.path()), clock.clone()).unwrap_err();
    assert!(matches!(refused, JournalError::NewerSchema { found: 99, known: 6, .. }));
    assert!(refused.to_string().contains("newer version"));
    assert!(matches!(ReadOnly::open(dir.path()), Err(JournalError::NewerSchema { .. })));
    assert_eq!(set_aside_files(dir.path()), 0);
}

#[tokio::test]
async fn a_missing_directory_or_one_that_is_a_file_is_named() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let missing = Journal::open(Settings::new(dir.path().join("nowhere")), clock.clone()).unwrap_err();
    assert!(matches!(&missing, JournalError::Directory { path, .. } if path.ends_with("nowhere")), "{missing:?}");
    let file = dir.path().join("file");
    fs::write(&file, []).unwrap();
    assert!(matches!(Journal::open(Settings::new(file), clock), Err(JournalError::Directory { .. })));
    assert!(matches!(ReadOnly::open(dir.path()), Err(JournalError::Missing { .. })));
}

#[tokio::test]
async fn a_rotten_batch_is_announced_once_and_the_rest_is_read() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    filled(dir.path(), &clock, 300).await;
    rot(dir.path(), "1-50-xxxx");
    let findings = ReadOnly::open(dir.path()).unwrap().verify().unwrap().findings;
    let expected = Finding::Batch { class: Class::Record, from: Seq(102), to: Seq(201), why: Unreadable::Checksum };
    assert_eq!(findings, [expected]);

    let (journal, _) = open(dir.path(), &clock);
    let seqs = |events: Vec<Event>| events.into_iter().map(|event| event.seq.0).collect::<Vec<_>>();
    let expected: Vec<u64> = (1..=101).chain(202..=301).collect();
    assert_eq!(seqs(journal.unsent(Class::Record, Row(0), 1000).await.unwrap()), expected);
    let announced = journal.after(Row(301), 10).await.unwrap();
    let lost = Notice::Dropped { class: Class::Record, from: Seq(102), to: Seq(201), reason: DropReason::Damaged };
    assert_eq!(announced.len(), 1);
    assert_eq!(announced[0].draft.body, Body::Noticed(lost));
    assert_eq!(journal.after(Row(0), 1000).await.unwrap().len(), 202);
    assert_eq!(journal.stats().await.unwrap().counts.dropped_damaged, 100);
    journal.close().await.unwrap();
    let findings = ReadOnly::open(dir.path()).unwrap().verify().unwrap().findings;
    assert_eq!(findings, [Finding::Buried { class: Class::Record, from: Seq(102), to: Seq(201) }]);
}

#[tokio::test]
async fn a_rotten_newest_batch_does_not_repeat_numbers() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    filled(dir.path(), &clock, 300).await;
    rot(dir.path(), "2-50-xxxx");
    let (journal, opened) = open(dir.path(), &clock);
    assert_eq!(opened, Opened::Existing);
    journal.append(vec![code(&clock, "next")]).await.unwrap();
    assert_eq!(journal.head().borrow().of(Class::Record).seq, Seq(302));
}

/// Flips a bit of the file where `text` stands.
fn rot(dir: &Path, text: &str) {
    let path = dir.join("journal.db");
    let bytes = fs::read(&path).unwrap();
    let place = bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[bytes[place] ^ 1], place as u64).unwrap();
}

#[tokio::test]
async fn a_page_of_rubbish_is_found_and_the_events_elsewhere_go_on() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let epoch = filled(dir.path(), &clock, 3000).await;
    ruin(dir.path(), "batch_telemetry");
    let (journal, opened) = open(dir.path(), &clock);
    let Opened::Damaged { previous, salvaged, .. } = opened else { panic!("{opened:?}") };
    assert_eq!((previous, salvaged.events), (Some(epoch), 3000));
    assert_eq!(journal.append(vec![code(&clock, "1")]).await.unwrap(), [Row(3002)]);
}

#[tokio::test]
async fn reading_works_beside_a_running_gateway() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let (journal, _) = open(dir.path(), &clock);
    let reader = ReadOnly::open(dir.path()).unwrap();
    assert_eq!(reader.after(Row(0), 10).unwrap().len(), 1);
    journal.append(vec![code(&clock, "1")]).await.unwrap();
    assert_eq!(reader.after(Row(1), 10).unwrap().len(), 1);
    assert_eq!(reader.epoch(), journal.epoch());
}

/// Writes rubbish over a table's root page.
fn ruin(dir: &Path, table: &str) {
    let path = dir.join("journal.db");
    let conn = rusqlite::Connection::open(&path).unwrap();
    let root: i64 =
        conn.query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [table], |row| row.get(0)).unwrap();
    drop(conn);
    let place = (root.unsigned_abs() - 1) * 4096;
    fs::File::options().write(true).open(&path).unwrap().write_all_at(&[0xee; 4096], place).unwrap();
}

#[tokio::test]
async fn a_new_epoch_takes_over_commands_state_and_unsent_events_of_the_damaged_one() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let (journal, _) = open(dir.path(), &clock);
    let old_epoch = journal.epoch();
    for n in ["done", "sent", "open", "bad"] {
        journal.accept(Intake::Command(command(n))).await.unwrap();
    }
    for n in ["done", "sent"] {
        journal.step_dispatched(&command(n).id).await.unwrap();
    }
    let done = ended(&clock, &command("done").id, Ended::Done);
    journal.append(vec![done.clone()]).await.unwrap();
    let refused = ended(&clock, &command("bad").id, Ended::Expired);
    journal.append(vec![refused.clone()]).await.unwrap();
    let sent: Vec<_> = (0..5).map(|n| code(&clock, &format!("sent {n}"))).collect();
    let last = *journal.append(sent).await.unwrap().last().unwrap();
    let unsent: Vec<_> = (0..400).map(|n| code(&clock, &format!("unsent {n}"))).collect();
    journal.append(unsent.clone()).await.unwrap();
    journal.confirm(Class::Record, last).await.unwrap();
    // The outcome of "done" was sent, that of "bad" was not.
    journal.confirm(Class::Money, Row(2)).await.unwrap();
    let state = vec![Change { key: "quota".to_owned(), value: Some(vec![3]), expires: None }];
    let effects = Effects { state, ..Effects::default() };
    journal.advance("flow.sale", Row(1), effects).await.unwrap();
    journal.close().await.unwrap();

    ruin(dir.path(), "batch_telemetry");
    let (journal, opened) = open(dir.path(), &clock);
    let Opened::Damaged { previous, salvaged, .. } = opened else { panic!("{opened:?}") };
    assert_eq!(previous, Some(old_epoch));
    assert_eq!(salvaged.keys, 1);
    let records: Vec<_> = journal.unsent(Class::Record, Row(1), 1000).await.unwrap();
    assert_eq!(records.into_iter().map(|event| event.draft).collect::<Vec<_>>(), unsent);
    let money: Vec<_> = journal.unsent(Class::Money, Row(0), 10).await.unwrap();
    assert_eq!(money.iter().map(|event| event.draft.clone()).collect::<Vec<_>>(), [refused, done]);

    let open = journal.open_commands().await.unwrap();
    let expected = [(command("sent"), CommandState::Dispatched), (command("open"), CommandState::Accepted)];
    assert_eq!(open, expected);
    let again = journal.accept(Intake::Command(command("done"))).await.unwrap();
    assert_eq!(again, Accepted::Seen(Some(Box::new(money[1].clone()))));
    assert_eq!(journal.state("flow.sale", "quota").await.unwrap(), Some(vec![3]));
    journal.close().await.unwrap();
    assert_eq!(ReadOnly::open(dir.path()).unwrap().verify().unwrap().findings, []);
}

#[tokio::test]
async fn a_ruined_ledger_costs_no_unsent_event() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    filled(dir.path(), &clock, 1000).await;
    ruin(dir.path(), "command");
    let (journal, opened) = open(dir.path(), &clock);
    let Opened::Damaged { salvaged, .. } = opened else { panic!("{opened:?}") };
    assert_eq!(salvaged, Salvaged { commands: 0, events: 1000, keys: 0 });
    assert_eq!(journal.head().borrow().of(Class::Record).seq, Seq(1001));
}

#[tokio::test]
async fn damage_that_shows_while_running_makes_the_next_start_look_at_everything() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let (journal, _) = open(dir.path(), &clock);
    journal.append(vec![code(&clock, "1")]).await.unwrap();
    let damage = journal.read(|_| -> Result<(), _> { Err(JournalError::Numbering(Seq(1))) }).await.unwrap_err();
    assert!(damage.is_damage());
    assert!(dir.path().join("journal.db.suspect").exists());
    journal.close().await.unwrap();
    let (_, opened) = open(dir.path(), &clock);
    assert_eq!(opened, Opened::Existing, "the file is sound after all");
    assert!(!dir.path().join("journal.db.suspect").exists());
}
