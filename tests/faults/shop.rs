//! A journal with an uplink, and an oracle that says whether the cloud has got what the journal believes it has.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use smartstore::clock::{Clock, Trust};
use smartstore::journal::{self, Journal};
use smartstore::observe::Conditions;
use smartstore::sim::broker::{Broker, Limits, Received};
use smartstore::types::{
    Body, Class, CodeKind, CodeScanned, Condition, DeviceId, Draft, GatewayId, HealthChange, Notice, Observation, Row,
    StoreId,
};
use smartstore::uplink::{Pace, Progress, Settings, Uplink};
use smartstore::wire::cloud::read_batch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Nothing here takes longer, or it is stuck.
pub const BOUND: Duration = Duration::from_secs(60);

/// Quick enough for tests; nothing else differs from what a shop runs.
pub fn pace() -> Pace {
    Pace {
        backoff: Duration::from_millis(5),
        backoff_cap: Duration::from_millis(200),
        renewal: Duration::from_millis(100),
        ..Pace::default()
    }
}

pub async fn broker() -> Broker {
    let limits = Limits { record: 1_000_000, ..Limits::default() };
    Broker::bind("127.0.0.1:0".parse().unwrap(), limits, Clock::system(Trust::Trusted)).await.unwrap()
}

pub struct Shop {
    pub journal: Journal,
    pub conditions: Conditions,
    pub clock: Clock,
    pub uplink: Uplink,
    stop: CancellationToken,
    tasks: JoinSet<Result<(), smartstore::uplink::UplinkError>>,
    _dir: tempfile::TempDir,
}

impl Shop {
    pub fn new(broker: &str, pace: Pace) -> Self {
        Self::with(broker, pace, |_| {})
    }

    /// With other settings than the usual.
    pub fn with(broker: &str, pace: Pace, change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::system(Trust::Trusted);
        let (journal, _) = Journal::open(journal::Settings::new(dir.path()), clock.clone()).unwrap();
        let conditions = Conditions::new(clock.clone());
        let (store, gateway) = (StoreId::new("test-store").unwrap(), GatewayId::new("gw-1").unwrap());
        let mut settings = Settings { pace, ..Settings::new(broker.parse().unwrap(), store, gateway, "0.0.0") };
        change(&mut settings);
        let uplink = Uplink::new(settings, journal.clone(), conditions.clone(), clock.clone());
        let (stop, tasks) = (CancellationToken::new(), JoinSet::new());
        Self { journal, conditions, clock, uplink, stop, tasks, _dir: dir }
    }

    /// Lets the uplink run.
    pub fn open(&mut self) {
        let (uplink, stop) = (self.uplink.clone(), self.stop.clone());
        self.tasks.spawn(async move { uplink.run(stop).await });
    }

    /// Stops it in order.
    pub async fn close(&mut self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(7), self.tasks.join_next())
            .await
            .expect("the uplink stops in time")
            .expect("it was running")
            .expect("it does not panic")
            .expect("it ends well");
        self.stop = CancellationToken::new();
    }

    /// Ends it without a word, as `kill -9` would: nothing but the journal is left.
    pub async fn kill(&mut self) {
        self.tasks.shutdown().await;
    }

    pub fn scanned(&self, value: &str) -> Draft {
        let code = CodeScanned {
            kind: CodeKind::Unknown,
            symbology: None,
            value: value.to_owned(),
            gtin: None,
            ai: BTreeMap::new(),
        };
        self.draft(Body::Observed(Observation::Code(code)))
    }

    pub fn draft(&self, body: Body) -> Draft {
        let device = Some(DeviceId::new("scanner-1").unwrap());
        Draft { id: self.clock.event_id(), device, at: self.clock.stamp(), cause: None, body }
    }

    /// Stores that many scanned codes.
    pub async fn scan(&self, codes: usize) {
        for first in (0..codes).step_by(256) {
            let drafts = (first..codes.min(first + 256)).map(|n| self.scanned(&format!("code {n:06}"))).collect();
            self.journal.append(drafts).await.unwrap();
        }
    }

    pub async fn until(&self, what: &str, so: impl Fn(&Progress) -> bool) -> Progress {
        let mut progress = self.uplink.progress();
        let reached = tokio::time::timeout(BOUND, progress.wait_for(|progress| so(progress))).await;
        match reached {
            Ok(Ok(progress)) => *progress,
            _ => panic!("never: {what}; {:?}", self.uplink.progress().borrow()),
        }
    }

    /// Until the cloud has everything that is stored now, and what follows from that.
    pub async fn drained(&self) -> Progress {
        loop {
            let head = *self.journal.head().borrow();
            let all =
                |progress: &Progress| Class::ALL.iter().all(|class| progress.confirmed(*class) >= head.of(*class).seq);
            let done = |progress: &Progress| progress.connected && all(progress) && progress.backlog_total() == 0;
            let progress = self.until("drained", done).await;
            // What was announced on the way has to be there, too.
            let now = *self.journal.head().borrow();
            if Class::ALL.iter().all(|class| now.of(*class).seq == head.of(*class).seq) {
                return progress;
            }
        }
    }

    pub async fn raised(&self, condition: Condition) {
        let reached = async {
            while !self.is_raised(condition) {
                // waits: the interval at which the level is looked at
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(BOUND, reached).await.unwrap_or_else(|_| panic!("{} is never raised", condition.code()));
    }

    pub async fn cleared(&self, condition: Condition) {
        let reached = async {
            while self.is_raised(condition) {
                // waits: the interval at which the level is looked at
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(BOUND, reached).await.unwrap_or_else(|_| panic!("{} is never cleared", condition.code()));
    }

    /// Until some condition of the uplink is news; exactly one may stand.
    pub async fn complaint(&self) -> (Condition, String) {
        let reached = async {
            while self.conditions.standing().is_empty() {
                // waits: the interval at which the level is looked at
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(BOUND, reached).await.expect("nothing is ever complained about");
        let standing = self.conditions.standing();
        assert_eq!(standing.len(), 1, "{standing:?}");
        (standing[0].condition, standing[0].detail.clone().unwrap_or_default())
    }

    fn is_raised(&self, condition: Condition) -> bool {
        self.conditions.standing().iter().any(|standing| standing.condition == condition)
    }

    /// Everything the journal holds of a class: row, number, id.
    pub async fn stored(&self, class: Class) -> Vec<(Row, u64, String)> {
        let mut stored = Vec::new();
        let mut after = Row(0);
        loop {
            let events = self.journal.unsent(class, after, 1_000).await.unwrap();
            let Some(last) = events.last() else { return stored };
            after = last.row;
            stored.extend(events.iter().map(|event| (event.row, event.seq.0, event.draft.id.to_string())));
        }
    }
}

/// What the broker was sent, as the cloud would count it.
#[derive(Debug, Default)]
pub struct Oracle {
    /// Number and arrivals of each event by id, of those messages that the broker took.
    pub taken: BTreeMap<String, (u64, u64)>,
    pub messages: u64,
}

impl Oracle {
    pub fn read(&mut self, received: &[Received]) {
        for message in received.iter().filter(|message| message.accepted && message.topic.contains("/events/")) {
            self.messages += 1;
            for head in read_batch(&message.payload).expect("a message is a batch of events") {
                let (seq, arrivals) = self.taken.entry(head.id).or_insert((head.seq, 0));
                assert_eq!(*seq, head.seq, "the same id has the same number");
                *arrivals += 1;
            }
        }
    }

    pub fn duplicates(&self) -> u64 {
        self.taken.values().map(|(_, arrivals)| arrivals - 1).sum()
    }
}

/// What the table of the fault matrix counts.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub arrived: usize,
    pub lost: usize,
    pub wrongly_confirmed: usize,
    pub left: usize,
}

/// Compares what the journal believes with what the broker has.
pub async fn compare(shop: &Shop, oracle: &Oracle) -> Outcome {
    let mut outcome = Outcome { arrived: 0, lost: 0, wrongly_confirmed: 0, left: 0 };
    for class in Class::ALL {
        let confirmed = shop.journal.confirmed(class).await.unwrap();
        for (row, seq, id) in shop.stored(class).await {
            let arrived = oracle.taken.get(&id).is_some_and(|(number, _)| *number == seq);
            outcome.arrived += usize::from(arrived);
            outcome.lost += usize::from(!arrived);
            outcome.left += usize::from(row > confirmed);
            outcome.wrongly_confirmed += usize::from(row <= confirmed && !arrived);
        }
    }
    outcome
}

/// Nothing lost, nothing left, nothing believed that is not so; `stored` events in all, `journal.opened` among them.
pub fn complete(outcome: &Outcome, stored: usize) {
    assert_eq!(*outcome, Outcome { arrived: stored, lost: 0, wrongly_confirmed: 0, left: 0 });
}

/// A notice that is a record.
pub fn health(raised: bool) -> Body {
    let (condition, detail) = (Condition::ClockUnsynced, None);
    Body::Noticed(Notice::Health(HealthChange { condition, device: None, raised, detail }))
}

/// The numbers of a class that the oracle has seen.
pub fn numbers(oracle: &Oracle) -> BTreeSet<u64> {
    oracle.taken.values().map(|(seq, _)| *seq).collect()
}
