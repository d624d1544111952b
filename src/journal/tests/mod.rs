//! The journal as its callers see it.

mod faults;
mod forget;
mod form;
mod model;
mod space;

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::types::{
    Action, Body, Cause, CodeKind, CodeScanned, Currency, DeviceId, DropReason, Ended, Minor, Notice, Observation,
    OpenReason, Order, Origin, Outcome, Payment, SaleId, Slot,
};

pub(super) const START_MS: i64 = 1_763_776_800_000;

pub(super) fn clock(seed: u64) -> Clock {
    Clock::manual(Timestamp::from_unix_ms(START_MS), seed)
}

pub(super) fn code(clock: &Clock, value: &str) -> Draft {
    Draft {
        id: clock.event_id(),
        device: Some(DeviceId::new("scanner-1").unwrap()),
        at: clock.stamp(),
        cause: None,
        body: Body::Observed(Observation::Code(CodeScanned {
            kind: CodeKind::Product,
            symbology: None,
            value: value.to_owned(),
            gtin: None,
            ai: std::collections::BTreeMap::new(),
        })),
    }
}

pub(super) fn ended(clock: &Clock, id: &CommandId, ended: Ended) -> Draft {
    Draft {
        id: clock.event_id(),
        device: None,
        at: clock.stamp(),
        cause: Some(Cause::Command(id.clone())),
        body: Body::Observed(Observation::Ended(Outcome { command: id.clone(), ended })),
    }
}

pub(super) fn command(id: &str) -> Command {
    Command {
        id: CommandId::new(id).unwrap(),
        device: Some(DeviceId::new("scanner-1").unwrap()),
        action: Action::ScanTrigger { on: true },
        not_after: Timestamp::from_unix_ms(START_MS + 60_000),
        origin: Origin::Cloud,
    }
}

/// What a power cut leaves: the files as they stand, of a journal that nobody writes to at this moment.
pub(super) fn copy_of(dir: &Path) -> TempDir {
    let copy = TempDir::new().unwrap();
    for name in ["journal.db", "journal.db-wal"] {
        std::fs::copy(dir.join(name), copy.path().join(name)).unwrap();
    }
    copy
}

pub(super) fn open(dir: &Path, clock: &Clock) -> (Journal, Opened) {
    Journal::open(Settings::new(dir), clock.clone()).unwrap()
}

#[tokio::test]
async fn a_new_journal_opens_with_its_epoch_and_goes_on_after_a_close() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let (journal, opened) = open(dir.path(), &clock);
    assert_eq!(opened, Opened::Created);
    let epoch = journal.epoch();
    let first = journal.after(Row(0), 10).await.unwrap();
    assert_eq!(first.len(), 1);
    assert_eq!((first[0].row, first[0].seq, first[0].class()), (Row(1), Seq(1), Class::Record));
    let expected = Notice::Opened { epoch, previous: None, last_seq: Vec::new(), reason: OpenReason::Created };
    assert_eq!(first[0].draft.body, Body::Noticed(expected));

    let drafts: Vec<_> = (0..3).map(|n| code(&clock, &format!("{n}"))).collect();
    assert_eq!(journal.append(drafts.clone()).await.unwrap(), [Row(2), Row(3), Row(4)]);
    journal.close().await.unwrap();

    let (journal, opened) = open(dir.path(), &clock);
    assert_eq!(opened, Opened::Existing);
    assert_eq!(journal.epoch(), epoch);
    assert_eq!(journal.head().borrow().of(Class::Record), Mark { row: Row(4), seq: Seq(4) });
    let stored: Vec<_> = journal.after(Row(1), 10).await.unwrap().into_iter().map(|event| event.draft).collect();
    assert_eq!(stored, drafts);
}

#[tokio::test]
async fn the_head_wakes_readers_of_what_was_appended() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let (journal, _) = open(dir.path(), &clock);
    let mut head = journal.head();
    let reader = tokio::time::timeout(Duration::from_secs(5), head.wait_for(|head| head.row >= Row(2)));
    let (seen, rows) = tokio::join!(reader, journal.append(vec![code(&clock, "1")]));
    assert_eq!(rows.unwrap(), [Row(2)]);
    assert_eq!(seen.unwrap().unwrap().of(Class::Record).seq, Seq(2));
}

#[tokio::test]
async fn a_command_goes_its_way_and_ends_once() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let (journal, _) = open(dir.path(), &clock);
    let asked = command("c-1");
    let intake = Intake::Command(asked.clone());
    assert_eq!(journal.accept(intake.clone()).await.unwrap(), Accepted::New);
    assert_eq!(journal.accept(intake.clone()).await.unwrap(), Accepted::Seen(None));
    assert_eq!(journal.open_commands().await.unwrap(), [(asked.clone(), CommandState::Accepted)]);
    journal.step_dispatched(&asked.id).await.unwrap();
    assert!(matches!(journal.step_dispatched(&asked.id).await, Err(JournalError::NotAccepted(_))));
    assert_eq!(journal.open_commands().await.unwrap(), [(asked.clone(), CommandState::Dispatched)]);

    let outcome = ended(&clock, &asked.id, Ended::Done);
    assert_eq!(journal.append(vec![outcome.clone()]).await.unwrap().len(), 1);
    let second = ended(&clock, &asked.id, Ended::Expired);
    assert_eq!(journal.append(vec![second]).await.unwrap(), []);
    let unknown = ended(&clock, &CommandId::new("never").unwrap(), Ended::Done);
    assert_eq!(journal.append(vec![unknown]).await.unwrap(), []);
    assert_eq!(journal.stats().await.unwrap().counts.outcomes_dropped, 2);
    assert_eq!(journal.open_commands().await.unwrap(), []);

    let money = journal.unsent(Class::Money, Row(0), 10).await.unwrap();
    assert_eq!(money.len(), 1);
    assert_eq!(money[0].draft, outcome);
    assert_eq!(journal.accept(intake).await.unwrap(), Accepted::Seen(Some(Box::new(money[0].clone()))));
}

#[tokio::test]
async fn a_refused_intake_ends_at_once() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let (journal, _) = open(dir.path(), &clock);
    let id = CommandId::new("bad-1").unwrap();
    let intake = Intake::Refused { id: id.clone(), reason: Reason::new("unknown-action") };
    assert_eq!(journal.accept(intake.clone()).await.unwrap(), Accepted::New);
    let money = journal.unsent(Class::Money, Row(0), 10).await.unwrap();
    let expected = Outcome { command: id, ended: Ended::Refused(Reason::new("unknown-action")) };
    assert_eq!(money[0].draft.body, Body::Observed(Observation::Ended(expected)));
    assert_eq!(journal.accept(intake).await.unwrap(), Accepted::Seen(Some(Box::new(money[0].clone()))));
}

#[tokio::test]
async fn an_advance_is_all_or_nothing_and_is_never_repeated() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let (journal, _) = open(dir.path(), &clock);
    let effects = Effects {
        events: vec![code(&clock, "effect")],
        commands: vec![command("c-1")],
        state: vec![Change { key: "quota".to_owned(), value: Some(vec![1]), expires: None }],
    };
    assert_eq!(journal.advance("flow.sale", Row(1), effects.clone()).await.unwrap(), [Row(2)]);
    let again = journal.advance("flow.sale", Row(1), effects.clone()).await;
    assert!(matches!(again, Err(JournalError::NoAdvance { at: Row(1), .. })));
    assert_eq!(journal.after(Row(0), 10).await.unwrap().len(), 2);
    assert_eq!(journal.cursor("flow.sale").await.unwrap(), Row(1));
    assert_eq!(journal.state("flow.sale", "quota").await.unwrap(), Some(vec![1]));
    assert_eq!(journal.open_commands().await.unwrap().len(), 1);
}

#[tokio::test]
async fn confirming_moves_the_uplinks_cursor_and_survives_a_close() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let (journal, _) = open(dir.path(), &clock);
    journal.append((0..9).map(|n| code(&clock, &format!("{n}"))).collect()).await.unwrap();
    journal.confirm(Class::Record, Row(4)).await.unwrap();
    journal.confirm(Class::Record, Row(3)).await.unwrap();
    journal.confirm(Class::Money, Row(4)).await.unwrap();
    let record = *journal.stats().await.unwrap().of(Class::Record);
    assert_eq!((record.stored, record.unsent, record.first_seq, record.last_seq), (10, 6, Seq(1), Seq(10)));
    assert!(record.oldest_unsent.is_some());
    journal.close().await.unwrap();
    let (journal, _) = open(dir.path(), &clock);
    assert_eq!(journal.confirmed(Class::Record).await.unwrap(), Row(4));
    assert_eq!(journal.confirmed(Class::Money).await.unwrap(), Row(0));
    let read_only = ReadOnly::open(dir.path()).unwrap();
    assert_eq!(read_only.stats().unwrap().of(Class::Record).unsent, 6);
    assert_eq!(read_only.verify().unwrap(), Verdict { events: 10, findings: vec![] });
    assert_eq!(read_only.after(Row(8), 10).unwrap().len(), 2);
}

#[tokio::test]
async fn two_gateways_cannot_share_a_journal() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let (journal, _) = open(dir.path(), &clock);
    let second = Journal::open(Settings::new(dir.path()), clock.clone());
    assert!(matches!(second, Err(JournalError::InUse { .. })));
    journal.close().await.unwrap();
    open(dir.path(), &clock);
}

#[tokio::test]
async fn what_is_no_journal_is_set_aside_and_a_new_epoch_says_so() {
    for garbage in [vec![0; 8192], b"this is no database, it is a letter".repeat(400), vec![0xff; 100]] {
        let (dir, clock) = (TempDir::new().unwrap(), clock(1));
        std::fs::write(dir.path().join("journal.db"), &garbage).unwrap();
        let (journal, opened) = open(dir.path(), &clock);
        let Opened::Damaged { set_aside, previous: None, .. } = opened else { panic!("{opened:?}") };
        assert_eq!(std::fs::read(&set_aside).unwrap(), garbage);
        let first = &journal.after(Row(0), 10).await.unwrap()[0];
        assert!(matches!(
            first.draft.body,
            Body::Noticed(Notice::Opened { previous: None, reason: OpenReason::Damaged, .. })
        ));
        journal.append(vec![code(&clock, "1")]).await.unwrap();
    }
}

#[tokio::test]
async fn who_asks_at_the_same_time_shares_a_transaction() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let (journal, _) = open(dir.path(), &clock);
    let one = |n: usize| {
        let (journal, draft) = (journal.clone(), code(&clock, &format!("{n}")));
        async move { journal.append(vec![draft]).await.unwrap()[0] }
    };
    let rows = futures_util::future::join_all((0..500).map(one)).await;
    let mut sorted = rows.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), 500);
    let counts = journal.stats().await.unwrap().counts;
    assert_eq!(counts.events, 500);
    assert!(counts.groups < 250, "{counts:?}");
}

#[tokio::test]
async fn telemetry_waits_for_company_and_whatever_is_urgent_takes_it_along() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let (journal, _) = open(dir.path(), &clock);
    let telemetry = |value: &str| {
        let mut bytes = Vec::new();
        stored::encode_event(&code(&clock, value), &mut bytes);
        journal.write(Some(Class::Telemetry), 1, move |group| group.push(Class::Telemetry, &bytes))
    };
    let (a, b, c) = tokio::join!(telemetry("a"), telemetry("b"), journal.append(vec![code(&clock, "c")]));
    assert_eq!((a.unwrap().0, b.unwrap().0, c.unwrap()), (Row(2), Row(3), vec![Row(4)]));
    assert_eq!(journal.stats().await.unwrap().counts.groups, 1);
    let alone = tokio::time::timeout(Duration::from_secs(5), telemetry("d")).await;
    assert_eq!(alone.unwrap().unwrap(), (Row(5), Seq(3)));
}

#[tokio::test]
async fn too_many_open_commands_are_refused_each_with_its_end() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let (journal, _) = open(dir.path(), &clock);
    let accept = |n: usize| journal.accept(Intake::Command(command(&format!("c-{n:04}"))));
    for accepted in futures_util::future::join_all((0..=limits::OPEN_COMMANDS).map(accept)).await {
        assert_eq!(accepted.unwrap(), Accepted::New);
    }
    let open = journal.open_commands().await.unwrap();
    assert_eq!(open.len(), limits::OPEN_COMMANDS);
    let money = journal.unsent(Class::Money, Row(0), 10).await.unwrap();
    let [Event { draft: Draft { body: Body::Observed(Observation::Ended(outcome)), .. }, .. }] = &money[..] else {
        panic!("one command has ended: {money:?}")
    };
    assert_eq!(outcome.ended, Ended::Refused(Reason::new("too-many-open-commands")));
    assert!(open.iter().all(|(command, _)| command.id != outcome.command), "what was refused is not open");
}

#[tokio::test]
async fn what_became_of_an_order_ends_its_command_in_one_transaction_and_only_once() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(1));
    let (journal, _) = open(dir.path(), &clock);
    let order = Order {
        sale: SaleId::new("s-1").unwrap(),
        slot: Slot(60),
        price: Minor(350),
        currency: Currency::parse("CNY").unwrap(),
        payment: Payment::Cloud,
        drop_sensor: None,
    };
    let asked = Command { action: Action::Dispense(order.clone()), ..command("c-1") };
    journal.accept(Intake::Command(asked.clone())).await.unwrap();
    let said = |step| Draft {
        cause: Some(Cause::Command(asked.id.clone())),
        body: Body::Observed(Observation::Sale(step)),
        ..code(&clock, "")
    };
    assert_eq!(journal.append(vec![said(order.dispensed(Some(true)))]).await.unwrap(), [Row(2)]);
    assert_eq!(journal.open_commands().await.unwrap(), []);
    let money = journal.unsent(Class::Money, Row(0), 10).await.unwrap();
    let expected = Outcome { command: asked.id.clone(), ended: Ended::Done };
    assert_eq!(money[0].draft.body, Body::Observed(Observation::Sale(order.dispensed(Some(true)))));
    assert_eq!(money[1].draft.body, Body::Observed(Observation::Ended(expected)));
    let again = journal.accept(Intake::Command(asked.clone())).await.unwrap();
    assert_eq!(again, Accepted::Seen(Some(Box::new(money[1].clone()))));

    let second = said(order.failed(Reason::new("jam")));
    assert_eq!(journal.append(vec![second]).await.unwrap(), []);
    assert_eq!(journal.unsent(Class::Money, Row(0), 10).await.unwrap().len(), 2);
}
