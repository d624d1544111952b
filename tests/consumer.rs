//! The cloud's side: `examples/cloud_consumer.rs` against Debian's mosquitto, and the examples of `docs/cloud.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "this crate is a test"
)]

use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cloud_consumer::{Args, Gap, Store, Stored, consume};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, PublishOptions};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

#[path = "../examples/cloud_consumer.rs"]
#[allow(dead_code, reason = "its main is not run here")]
mod cloud_consumer;
#[path = "common/port.rs"]
mod port;

const BOUND: Duration = Duration::from_secs(60);
const EPOCH: &str = "6f1c2b9e-4d3a-4f5b-9c7d-8e0f1a2b3c4d";
const BEFORE: &str = "11111111-2222-4333-8444-555555555555";
const SOURCE: &str = "/smartstore/hz-wulin-001/gw-1";

fn event(epoch: &str, class: &str, seq: i64, r#type: &str, data: &Value) -> Value {
    json!({ "specversion": "1.0", "id": format!("{epoch}-{class}-{seq}"), "source": SOURCE, "type": r#type,
        "subject": "gw-1", "epoch": epoch, "seq": seq, "data": data })
}

fn batch(class: &str, seqs: impl IntoIterator<Item = i64>) -> (String, Vec<u8>) {
    let events: Vec<_> = seqs.into_iter().map(|seq| event(EPOCH, class, seq, "scan.code.v1", &json!({}))).collect();
    message(class, &events)
}

fn message(class: &str, events: &[Value]) -> (String, Vec<u8>) {
    (format!("smartstore/v1/hz-wulin-001/gw-1/events/{class}"), serde_json::to_vec(events).unwrap())
}

fn gap(epoch: &str, class: &str, from: i64, to: i64, announced: Option<&str>) -> Gap {
    let (source, epoch, class) = (SOURCE.into(), epoch.into(), class.into());
    Gap { source, epoch, class, from, to, announced: announced.map(str::to_owned) }
}

struct Mosquitto {
    port: u16,
    child: Child,
    _dir: tempfile::TempDir,
}

impl Mosquitto {
    fn start() -> Option<Self> {
        let found =
            ["mosquitto", "/usr/sbin/mosquitto"].into_iter().find(|it| Command::new(it).arg("-h").output().is_ok());
        let Some(binary) = found else {
            eprintln!("SKIPPED: mosquitto is not installed (Debian: mosquitto)");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let port = port::free_port();
        let config = dir.path().join("mosquitto.conf");
        let mut file = std::fs::File::create(&config).unwrap();
        write!(file, "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n").unwrap();
        let child =
            Command::new(binary).arg("-c").arg(config).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut looks = 0;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            looks += 1;
            assert!(looks < 1_000, "mosquitto does not listen");
            // waits: the interval at which the level is looked at
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Self { port, child, _dir: dir })
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Consumers that share a store, with what each has seen.
struct Group {
    port: u16,
    store: PathBuf,
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
}

type Seen = watch::Receiver<(bool, Vec<Stored>)>;

impl Group {
    fn new(port: u16, store: &Path) -> Self {
        Self { port, store: store.to_owned(), stop: CancellationToken::new(), tasks: JoinSet::new() }
    }

    /// Starts a consumer and waits until it is subscribed.
    async fn join(&mut self, name: &str) -> Seen {
        let (told, mut seen) = watch::channel((false, Vec::new()));
        let args = Args {
            broker: format!("mqtt://127.0.0.1:{}", self.port),
            store: self.store.clone(),
            name: name.to_owned(),
            group: "test".to_owned(),
            settle: 0,
            report: 60,
        };
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let mut store = Store::open(&args.store)?;
            consume(&args, &mut store, &stop, |stored| {
                told.send_modify(|(subscribed, all)| match stored {
                    None => *subscribed = true,
                    Some(stored) => all.push(stored),
                });
            })
            .await
        });
        timeout(BOUND, seen.wait_for(|(subscribed, _)| *subscribed)).await.expect("a subscription").unwrap();
        seen
    }

    async fn end(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap().unwrap();
        }
    }
}

/// Publishes all and waits until the broker has them.
async fn publish(port: u16, messages: Vec<(String, Vec<u8>)>) {
    let options = MqttOptions::new("gateway", ("127.0.0.1", port));
    let (client, mut connection) = AsyncClient::builder(options).capacity(messages.len() + 1).build();
    let mut open = messages.len();
    for (topic, payload) in messages {
        client.try_publish(topic, payload, PublishOptions::at_least_once()).unwrap();
    }
    let acknowledged = async {
        while open > 0 {
            if let Event::Incoming(Packet::PubAck(_)) = connection.poll().await.unwrap() {
                open -= 1;
            }
        }
    };
    timeout(BOUND, acknowledged).await.expect("all acknowledged");
}

async fn until_taken(seen: &mut [Seen], messages: usize) {
    let taken = async {
        loop {
            if seen.iter().map(|seen| seen.borrow().1.len()).sum::<usize>() >= messages {
                return;
            }
            let [first, second] = seen else { panic!("two consumers") };
            let changed =
                tokio::select! { changed = first.changed() => changed, changed = second.changed() => changed };
            changed.unwrap();
        }
    };
    timeout(BOUND, taken).await.expect("every message in time");
}

fn sum(seen: &[Seen]) -> Stored {
    let mut sum = Stored::default();
    for stored in seen.iter().flat_map(|seen| seen.borrow().1.clone()) {
        sum.new += stored.new;
        sum.repeated += stored.repeated;
        sum.conflicts += stored.conflicts;
        sum.unreadable += stored.unreadable;
    }
    sum
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_consumers_store_each_event_once_and_find_the_gaps_that_were_left() {
    let Some(broker) = Mosquitto::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("events.db");
    let mut group = Group::new(broker.port, &store);
    let mut seen = [group.join("consumer-1").await, group.join("consumer-2").await];

    // 100 batches of record in order, 10 in each; money goes between them; every third is sent again, one later.
    let mut messages = Vec::new();
    for number in 0..100 {
        let from = number * 10 + 1;
        if number != 41 {
            messages.push(batch("record", from..from + 10));
        }
        if number % 2 == 0 {
            messages.push(batch("money", [number / 2 + 1]));
        }
        if number % 3 == 2 && number != 41 && number != 42 {
            messages.push(batch("record", from - 10..from));
        }
    }
    // The gap 411..=420 is announced for its second half; telemetry begins at 5; the epoch before ended at 12.
    let dropped = json!({ "class": "record", "from": 416, "to": 420, "reason": "space" });
    let opened =
        json!({ "epoch": EPOCH, "previous": BEFORE, "last_seq": { "money": 12, "record": 2 }, "reason": "damaged" });
    messages.push(message("record", &[event(EPOCH, "record", 1_001, "journal.dropped.v1", &dropped)]));
    messages.push(message("record", &[event(EPOCH, "record", 1_002, "journal.opened.v1", &opened)]));
    messages.push(message("record", &[event(BEFORE, "record", 2, "scan.code.v1", &json!({}))]));
    messages.push(message("record", &[event(BEFORE, "record", 1, "scan.code.v1", &json!({}))]));
    messages.push(batch("telemetry", [5, 6]));
    messages.push(("smartstore/v1/hz-wulin-001/gw-1/events/money".into(), b"no JSON".to_vec()));
    messages.push(("smartstore/v1/hz-wulin-001/gw-2/events/money".into(), batch("money", [900]).1));
    let (sent, repeated) = (messages.len(), 32 * 10);
    publish(broker.port, messages).await;
    until_taken(&mut seen, sent).await;

    assert_eq!(sum(&seen), Stored { new: 990 + 50 + 6, repeated, conflicts: 0, unreadable: 2 });
    assert!(seen.iter().all(|seen| seen.borrow().1.len() > sent / 4), "both have worked");
    let result = Store::open(&store).unwrap();
    assert_eq!(result.events().unwrap(), 1_046);
    let expected = [
        gap(BEFORE, "money", 1, 12, None),
        gap(EPOCH, "record", 411, 415, None),
        gap(EPOCH, "record", 416, 420, Some("space")),
        gap(EPOCH, "telemetry", 1, 4, None),
    ];
    assert_eq!(result.gaps(Duration::ZERO).unwrap(), expected);
    assert_eq!(result.gaps(BOUND).unwrap(), [], "a young hole is not called a gap");

    publish(broker.port, vec![batch("record", 411..416)]).await;
    until_taken(&mut seen, sent + 1).await;
    assert_eq!(result.gaps(Duration::ZERO).unwrap().len(), 3, "a late batch closes its hole");
    group.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_while_nobody_is_there_is_kept_for_the_consumer_that_comes_back() {
    let Some(broker) = Mosquitto::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("events.db");
    let mut group = Group::new(broker.port, &store);
    group.join("consumer-1").await;
    group.end().await;
    publish(broker.port, (1..=50).map(|seq| batch("money", [seq])).collect()).await;
    let mut group = Group::new(broker.port, &store);
    let mut seen = group.join("consumer-1").await;
    timeout(BOUND, seen.wait_for(|(_, all)| all.len() >= 50)).await.expect("what was kept").unwrap();
    let result = Store::open(&store).unwrap();
    assert_eq!((result.events().unwrap(), result.gaps(Duration::ZERO).unwrap()), (50, vec![]));
    group.end().await;
}

#[test]
fn another_event_in_a_place_that_is_taken_is_a_conflict_and_is_not_stored() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&dir.path().join("events.db")).unwrap();
    let (topic, first) = batch("money", [1]);
    assert_eq!(store.take(&topic, &first).unwrap(), Stored { new: 1, ..Stored::default() });
    assert_eq!(store.take(&topic, &first).unwrap(), Stored { repeated: 1, ..Stored::default() });
    let mut other: Value = serde_json::from_slice(&first).unwrap();
    other[0]["id"] = "another".into();
    let other = serde_json::to_vec(&other).unwrap();
    assert_eq!(store.take(&topic, &other).unwrap(), Stored { conflicts: 1, ..Stored::default() });
    assert_eq!(store.events().unwrap(), 1);
}

#[test]
fn the_examples_of_the_page_are_the_golden_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/cloud.md")).unwrap();
    let blocks: Vec<_> = page.split("```json\n").collect();
    for pair in blocks.windows(2) {
        let name = pair[0].trim_end().rsplit("<!-- ").next().unwrap().strip_suffix(" -->");
        let name = name.expect("each example names its file");
        let example: Value = serde_json::from_str(pair[1].split("```").next().unwrap()).unwrap();
        let golden: Value = serde_json::from_str(&std::fs::read_to_string(root.join(name)).unwrap()).unwrap();
        assert_eq!(example, golden, "{name}");
    }
    assert_eq!(blocks.len(), 17, "sixteen examples");
}

#[test]
fn a_packed_message_is_stored_like_any_other_and_a_broken_frame_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(&dir.path().join("events.db")).unwrap();
    let (topic, payload) = batch("record", 1..=50);
    let frame = smartstore::wire::cloud::packed(payload.clone());
    assert!(frame.len() * 4 < payload.len(), "{} of {}", frame.len(), payload.len());
    assert_eq!(store.take(&topic, &frame).unwrap(), Stored { new: 50, ..Stored::default() });
    assert_eq!(store.take(&topic, &payload).unwrap(), Stored { repeated: 50, ..Stored::default() });
    let cut = &frame[..frame.len() / 2];
    assert_eq!(store.take(&topic, cut).unwrap(), Stored { unreadable: 1, ..Stored::default() });
    assert_eq!(store.events().unwrap(), 50);
}
