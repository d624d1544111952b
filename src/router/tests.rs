use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::clock::Clock;
use crate::journal::{Accepted, Intake, Journal, Settings};
use crate::types::{
    Action, ActionKind, Assigned, Body, Cause, Class, Command, CommandId, CouponKeys, Currency, DeviceId, Draft, Ended,
    Event, IssuerId, IssuerKey, KeyId, Observation, Origin, Outcome, Row, Timestamp,
};

/// A journal on disk, a dispatcher with one scanner, and the scanner's side of the port.
struct Bench {
    clock: Clock,
    journal: Journal,
    port: Receiver<Assigned>,
    restart: Arc<tokio::sync::Notify>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
    directory: tempfile::TempDir,
}

fn open(directory: &std::path::Path, clock: &Clock) -> Journal {
    Journal::open(Settings::new(directory), clock.clone()).unwrap().0
}

fn start(directory: tempfile::TempDir, clock: Clock, journal: Journal, room: usize) -> Bench {
    let (assign, port) = mpsc::channel(room);
    let restart = Arc::new(tokio::sync::Notify::new());
    let (can, currency) = (&[ActionKind::ScanTrigger], Currency::NONE);
    let target = Target { can, assign, restart: restart.clone(), currency };
    let targets = Targets::default();
    targets.add(DeviceId::new("scanner-1").unwrap(), target);
    let stop = CancellationToken::new();
    let dispatcher = Dispatcher::new(journal.clone(), clock.clone(), targets, Shelf::default());
    let told = stop.clone();
    #[expect(clippy::disallowed_methods, reason = "the test owns the handle")]
    let running = tokio::spawn(async move { dispatcher.run(told).await.unwrap() });
    Bench { clock, journal, port, restart, stop, running, directory }
}

fn bench() -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp::from_unix_ms(1_763_776_800_000), 11);
    let journal = open(directory.path(), &clock);
    start(directory, clock, journal, 4)
}

fn command(id: &str, device: Option<&str>, action: Action, clock: &Clock) -> Command {
    Command {
        id: CommandId::new(id).unwrap(),
        device: device.map(|name| DeviceId::new(name).unwrap()),
        action,
        not_after: clock.wall().0.plus(Duration::from_secs(60)),
        origin: Origin::Cloud,
    }
}

const TRIGGER: Action = Action::ScanTrigger { on: true };

impl Bench {
    async fn file(&self, command: Command) {
        assert_eq!(self.journal.accept(Intake::Command(command)).await.unwrap(), Accepted::New);
    }

    async fn taken(&mut self) -> Assigned {
        tokio::time::timeout(Duration::from_secs(10), self.port.recv()).await.unwrap().unwrap()
    }

    /// Waits until the journal holds the end of this command.
    async fn end_of(&self, id: &str) -> Ended {
        let mut head = self.journal.head();
        let found = async {
            loop {
                let events = self.journal.after(Row(0), 1000).await.unwrap();
                if let Some(ended) = events.iter().find_map(|event| end_in(event, id)) {
                    return ended;
                }
                head.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(10), found).await.unwrap()
    }

    async fn ends(&self) -> usize {
        let events = self.journal.after(Row(0), 1000).await.unwrap();
        events.iter().filter(|event| matches!(event.draft.body, Body::Observed(Observation::Ended(_)))).count()
    }

    async fn stop(self) -> (tempfile::TempDir, Clock) {
        self.stop.cancel();
        self.running.await.unwrap();
        self.journal.close().await.unwrap();
        (self.directory, self.clock)
    }
}

fn end_in(event: &Event, id: &str) -> Option<Ended> {
    match &event.draft.body {
        Body::Observed(Observation::Ended(outcome)) if outcome.command.as_str() == id => Some(outcome.ended.clone()),
        _ => None,
    }
}

fn reason(ended: &Ended) -> (&'static str, &str) {
    (ended.as_str(), ended.reason().map_or("", |reason| reason.as_str()))
}

#[tokio::test]
async fn a_command_is_on_disk_as_dispatched_before_its_action_enters_the_port() {
    let mut bench = bench();
    bench.file(command("c-1", Some("scanner-1"), TRIGGER, &bench.clock)).await;
    let assigned = bench.taken().await;
    assert_eq!((assigned.command.as_str(), assigned.action), ("c-1", TRIGGER));
    let open = bench.journal.open_commands().await.unwrap();
    assert_eq!(open[0].1, crate::types::CommandState::Dispatched);
    assert!(assigned.deadline > bench.clock.now());
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_with_its_reason() {
    let bench = bench();
    let clock = &bench.clock;
    bench.file(command("to-nobody", Some("scanner-9"), TRIGGER, clock)).await;
    bench.file(command("to-the-gateway", None, TRIGGER, clock)).await;
    let mut late = command("too-late", Some("scanner-1"), TRIGGER, clock);
    late.not_after = clock.wall().0;
    bench.file(late).await;
    assert_eq!(reason(&bench.end_of("to-nobody").await), ("refused", "unknown-device"));
    assert_eq!(reason(&bench.end_of("to-the-gateway").await), ("refused", "needs-a-device"));
    assert_eq!(reason(&bench.end_of("too-late").await), ("expired", ""));
}

#[tokio::test]
async fn a_cloud_command_is_refused_while_nobody_knows_the_time() {
    let bench = bench();
    bench.clock.set(Timestamp::from_unix_ms(0), false);
    bench.file(command("c-1", Some("scanner-1"), TRIGGER, &bench.clock)).await;
    assert_eq!(reason(&bench.end_of("c-1").await), ("refused", "clock-unsynced"));
}

#[tokio::test]
async fn a_restart_asks_the_supervisor_and_is_done() {
    let bench = bench();
    bench.file(command("c-1", Some("scanner-1"), Action::DeviceRestart, &bench.clock)).await;
    tokio::time::timeout(Duration::from_secs(10), bench.restart.notified()).await.unwrap();
    assert_eq!(bench.end_of("c-1").await, Ended::Done);
}

#[tokio::test]
async fn commands_wait_for_room_in_the_port_and_none_is_lost_or_doubled() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp::from_unix_ms(1_763_776_800_000), 12);
    let journal = open(directory.path(), &clock);
    let mut bench = start(directory, clock, journal, 1);
    for number in 0..10 {
        bench.file(command(&format!("c-{number}"), Some("scanner-1"), TRIGGER, &bench.clock)).await;
    }
    for number in 0..10 {
        let assigned = bench.taken().await;
        assert_eq!(assigned.command.as_str(), format!("c-{number}"));
        let outcome = Outcome { command: assigned.command.clone(), ended: Ended::Done };
        let draft = Draft {
            id: bench.clock.event_id(),
            device: None,
            at: bench.clock.stamp(),
            cause: Some(Cause::Command(assigned.command)),
            body: Body::Observed(Observation::Ended(outcome)),
        };
        bench.journal.append(vec![draft]).await.unwrap();
    }
    assert_eq!(bench.ends().await, 10);
    assert!(bench.journal.open_commands().await.unwrap().is_empty());
}

#[tokio::test]
async fn after_a_power_cut_a_repeatable_command_is_handed_over_once_more() {
    let mut bench = bench();
    bench.file(command("c-1", Some("scanner-1"), TRIGGER, &bench.clock)).await;
    bench.taken().await;
    let (directory, clock) = bench.stop().await;
    let journal = open(directory.path(), &clock);
    let mut bench = start(directory, clock, journal, 4);
    assert_eq!(bench.taken().await.command.as_str(), "c-1");
    assert_eq!(bench.ends().await, 0, "nothing is claimed before the device says it");
}

#[tokio::test]
async fn what_devices_say_reaches_the_journal_in_order() {
    let bench = bench();
    let (say, observed) = mpsc::channel(8);
    let (storing, stored) = tokio::sync::watch::channel(0);
    let conditions = crate::observe::Conditions::new(bench.clock.clone());
    #[expect(clippy::disallowed_methods, reason = "the test owns the handle")]
    let running = tokio::spawn(intake(observed, storing, bench.journal.clone(), conditions));
    for number in 0..200 {
        let code = crate::types::CodeScanned {
            kind: crate::types::CodeKind::Unknown,
            symbology: None,
            value: format!("code-{number}"),
            gtin: None,
            ai: BTreeMap::new(),
        };
        let draft = Draft {
            id: bench.clock.event_id(),
            device: Some(DeviceId::new("scanner-1").unwrap()),
            at: bench.clock.stamp(),
            cause: None,
            body: Body::Observed(Observation::Code(code)),
        };
        say.send(draft).await.unwrap();
    }
    drop(say);
    tokio::time::timeout(Duration::from_secs(10), running).await.unwrap().unwrap().unwrap();
    assert_eq!(*stored.borrow(), 200);
    let events = bench.journal.after(Row(0), 1000).await.unwrap();
    let values: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.draft.body {
            Body::Observed(Observation::Code(code)) => Some(code.value.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(values, (0..200).map(|number| format!("code-{number}")).collect::<Vec<_>>());
    assert!(events.iter().all(|event| event.class() == Class::Record));
}

fn coupon_keys(names: &[&str]) -> CouponKeys {
    let key = |name: &&str| IssuerKey {
        id: KeyId::new(name).unwrap(),
        ed25519: [7; 32],
        from: Timestamp::from_unix_ms(0),
        until: Timestamp::from_unix_ms(i64::MAX),
    };
    CouponKeys { issuer: IssuerId::new("brand").unwrap(), keys: names.iter().map(key).collect() }
}

#[tokio::test]
async fn keys_of_coupons_are_kept_beside_those_that_are_there() {
    let bench = bench();
    let clock = &bench.clock;
    bench.file(command("first", None, Action::CouponKeys(coupon_keys(&["k1", "k2"])), clock)).await;
    bench.file(command("second", None, Action::CouponKeys(coupon_keys(&["k3"])), clock)).await;
    let to_a_device = Action::CouponKeys(coupon_keys(&["k4"]));
    bench.file(command("to-a-device", Some("scanner-1"), to_a_device, clock)).await;
    assert_eq!(bench.end_of("first").await, Ended::Done);
    assert_eq!(bench.end_of("second").await, Ended::Done);
    assert_eq!(reason(&bench.end_of("to-a-device").await), ("refused", "bad-device"));
    let kept = bench.journal.states("coupon", "").await.unwrap();
    let names: Vec<_> = kept.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["key brand k1", "key brand k2", "key brand k3"]);
    assert!(bench.journal.open_commands().await.unwrap().is_empty());
}
