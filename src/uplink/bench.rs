//! The body of `smartstore bench uplink`: how fast a backlog reaches a broker, beside a peer and the limit.
//!
//! In the same run, each against a fresh mosquitto with one subscriber (QoS 0) that takes everything:
//! - ours: journal to broker in batches of 100; the clock runs from the first attempt to connect until every event is
//!   confirmed and deleted from the journal (`drained_s`: until the last is acknowledged);
//! - ours without batches: one event a message, which is what a bridge moves;
//! - the peer: another mosquitto that has queued the same number of messages of the same payload, one event each, as
//!   devices that publish by themselves fill it, and bridges them; its clock runs from the first arrival to the last,
//!   so its waiting to reconnect costs it nothing, and it keeps its queue in memory while ours is on disk;
//! - the peer as it never is, for its best: the same events bundled by a hundred before they reach it;
//! - the limit: the client crate publishing our batches from memory, 100 in flight, until the last is acknowledged.
//!
//! Afterwards single events, one at a time: appended, durable, acknowledged by the broker and confirmed.

use std::net::TcpListener;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rumqttc::{AsyncClient, ConnectionError, Event, MqttOptions, Packet, PublishOptions, QoS};
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Settings, Uplink};
use crate::clock::Clock;
use crate::journal::bench::{Percentiles, draft, load, percentiles};
use crate::journal::{self, Journal, JournalError};
use crate::observe::Conditions;
use crate::types::{BrokerAddress, Class, GatewayId, Row, StoreId};
use crate::wire::cloud::{BATCH_EVENTS, Encoded, Source};

/// No part of it takes longer.
const PATIENCE: Duration = Duration::from_secs(300);
/// Publishes in flight of the limit and of the filling of the peer.
const IN_FLIGHT: u16 = 100;
/// Events that a newest stored batch may keep in the journal.
const NEWEST: u64 = 256;
/// Seconds between two attempts of the bridge: long beside what starting and subscribing takes.
const BRIDGE_RETRY_S: u32 = 3;

/// What the measurement stumbled over.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The journal.
    #[error("the journal failed")]
    Journal(#[source] JournalError),
    /// A broker could not be started, or does not listen.
    #[error("cannot run {program} in {directory} (Debian: mosquitto)")]
    Broker {
        /// Its program.
        program: PathBuf,
        /// Its folder.
        directory: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A connection of the measurement's own.
    #[error("the connection to the broker ended")]
    Connection(#[source] Box<ConnectionError>),
    /// It takes for ever.
    #[error("{0} was not over in five minutes")]
    Slow(&'static str),
}

/// All of it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Events of each side.
    pub events: u64,
    /// Bytes of one event as the broker sees it.
    pub event_bytes: usize,
    /// Journal to broker, confirmed and deleted.
    pub ours: Run,
    /// From the first attempt to connect to the last acknowledgement, without the deletion, in seconds.
    pub drained_s: f64,
    /// Ours, one event a message.
    pub ours_single: Run,
    /// The bridge, one event a message.
    pub bridge: Run,
    /// The bridge, a hundred events a message.
    pub bridge_bundled: Run,
    /// From memory.
    pub limit: Run,
    /// Ours by the bridge's, in events a second.
    pub ratio_to_bridge: f64,
    /// The same, both one event a message.
    pub ratio_single: f64,
    /// Ours by the limit's.
    pub ratio_to_limit: f64,
    /// One event at a time: appended to confirmed.
    pub live_us: Percentiles,
    /// Load averages of 1, 5 and 15 minutes before and after.
    pub load: [String; 2],
}

/// One side.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Run {
    /// Publishes in a second.
    pub messages_per_s: f64,
    /// Events in a second.
    pub events_per_s: f64,
    /// All of it.
    pub seconds: f64,
}

impl Run {
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
    fn new(messages: u64, events: u64, took: Duration) -> Self {
        let seconds = took.as_secs_f64();
        Self { messages_per_s: messages as f64 / seconds, events_per_s: events as f64 / seconds, seconds }
    }
}

/// Measures all three with `events` each, and the way of `live` single ones.
///
/// # Errors
/// When mosquitto cannot be started, the disk fails or something takes longer than five minutes.
pub async fn run(
    directory: &Path,
    program: &Path,
    events: u64,
    live: u32,
    clock: &Clock,
) -> Result<Report, BenchError> {
    let before = load();
    let bench = Bench { directory, program, events, clock };
    let (journal, source) = bench.fill("batches").await?;
    let stamp = clock.stamp();
    let some = journal.unsent(Class::Record, Row(0), BATCH_EVENTS + 1).await.map_err(BenchError::Journal)?;
    let payload = |events: &[crate::types::Event]| match source.batch(events, &stamp, super::limits::MESSAGE_BYTES) {
        Encoded::Batch { payload, events } => (payload, events as u64),
        Encoded::Oversized { .. } => (Vec::new(), 1),
    };
    let (single, batch) = (payload(some.get(1..2).unwrap_or_default()), payload(some.get(1..).unwrap_or_default()));
    let Drain { run: ours, drained, live_us } = bench.ours("ours", journal, BATCH_EVENTS, live).await?;
    let (journal, _) = bench.fill("singles").await?;
    let ours_single = bench.ours("ours-single", journal, 1, 1).await?.run;
    let bridge = bench.bridge("one", &single.0, 1).await?;
    let bridge_bundled = bench.bridge("bundled", &batch.0, batch.1).await?;
    let limit = bench.limit(&batch.0, batch.1).await?;
    Ok(Report {
        events,
        event_bytes: single.0.len(),
        ours,
        drained_s: drained.as_secs_f64(),
        ours_single,
        bridge,
        bridge_bundled,
        limit,
        ratio_to_bridge: ours.events_per_s / bridge.events_per_s,
        ratio_single: ours_single.events_per_s / bridge.events_per_s,
        ratio_to_limit: ours.events_per_s / limit.events_per_s,
        live_us,
        load: [before, load()],
    })
}

/// What our side did.
struct Drain {
    run: Run,
    drained: Duration,
    live_us: Percentiles,
}

struct Bench<'a> {
    directory: &'a Path,
    program: &'a Path,
    events: u64,
    clock: &'a Clock,
}

impl Bench<'_> {
    /// A journal with the backlog.
    async fn fill(&self, name: &str) -> Result<(Journal, Source), BenchError> {
        let directory = self.directory.join(name);
        std::fs::create_dir_all(&directory).map_err(|source| self.failed(name, source))?;
        let settings = journal::Settings { keep_confirmed_events: 0, ..journal::Settings::new(directory) };
        let (journal, _) = Journal::open(settings, self.clock.clone()).map_err(BenchError::Journal)?;
        let mut left = self.events;
        while left > 0 {
            let group = left.min(NEWEST);
            let drafts = (0..group).map(|_| draft(self.clock)).collect();
            journal.append(drafts).await.map_err(BenchError::Journal)?;
            left -= group;
        }
        let identity = identity();
        let source = Source::new(&identity.store, &identity.gateway, journal.epoch());
        Ok((journal, source))
    }

    async fn ours(&self, name: &str, journal: Journal, batch: usize, live: u32) -> Result<Drain, BenchError> {
        let broker = Broker::start(self, name, "").await?;
        let sink = Sink::open(broker.port).await?;
        let mut settings = Settings { broker: broker.address(), ..identity() };
        settings.pace.batch_events = batch;
        // Filling may take more than a minute on a slow disk; then what is meant to be measured is a limit.
        settings.pace.backfill_per_s = NonZeroU32::MAX;
        let uplink = Uplink::new(settings, journal.clone(), Conditions::new(self.clock.clone()), self.clock.clone());
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let begun = self.clock.now();
        tasks.spawn({
            let (uplink, stop) = (uplink.clone(), stop.clone());
            async move { uplink.run(stop).await }
        });
        let mut progress = uplink.progress();
        let all = progress.wait_for(|progress| progress.delivered(Class::Record) >= self.events);
        timeout(PATIENCE, all).await.map_err(|_| BenchError::Slow("the drain")).map(drop)?;
        let drained = self.clock.now() - begun;
        timeout(PATIENCE, deleted(&journal)).await.map_err(|_| BenchError::Slow("the deletion"))??;
        let took = self.clock.now() - begun;
        let messages = sink.messages();
        let live_us = self.live(&journal, &uplink, live).await?;
        stop.cancel();
        while tasks.join_next().await.is_some() {}
        journal.close().await.map_err(BenchError::Journal)?;
        Ok(Drain { run: Run::new(messages, self.events, took), drained, live_us })
    }

    async fn live(&self, journal: &Journal, uplink: &Uplink, live: u32) -> Result<Percentiles, BenchError> {
        let mut progress = uplink.progress();
        let mut samples = Vec::new();
        for _ in 0..live {
            let begun = self.clock.now();
            journal.append(vec![draft(self.clock)]).await.map_err(BenchError::Journal)?;
            let head = journal.head().borrow().of(Class::Record).seq;
            let confirmed = progress.wait_for(|progress| progress.confirmed(Class::Record) >= head);
            timeout(PATIENCE, confirmed).await.map_err(|_| BenchError::Slow("a single event")).map(drop)?;
            samples.push(self.clock.now() - begun);
        }
        Ok(percentiles(samples))
    }

    /// `events`: how many there are in one message.
    async fn bridge(&self, name: &str, payload: &[u8], events: u64) -> Result<Run, BenchError> {
        let messages = self.events.div_ceil(events);
        let far = free_port().map_err(|source| self.failed("far", source))?;
        let bridge = format!(
            "connection far\naddress 127.0.0.1:{far}\ntopic # out 1\ncleansession false\n\
             restart_timeout {BRIDGE_RETRY_S}\n\
             notifications false\ntry_private false\nautosave_interval 5\n"
        );
        let edge = Broker::start(self, &format!("edge-{name}"), &bridge).await?;
        publish(edge.port, payload, messages, self.clock).await?;
        let far = Broker::start_at(self, &format!("far-{name}"), "", far).await?;
        let mut sink = Sink::open(far.port).await?;
        let took = timeout(PATIENCE, sink.until(messages, self.clock)).await;
        let took = took.map_err(|_| BenchError::Slow("the bridge"))?;
        Ok(Run::new(messages, messages * events, took))
    }

    async fn limit(&self, payload: &[u8], events: u64) -> Result<Run, BenchError> {
        let broker = Broker::start(self, "limit", "").await?;
        let _sink = Sink::open(broker.port).await?;
        let messages = self.events.div_ceil(events);
        let took = publish(broker.port, payload, messages, self.clock).await?;
        Ok(Run::new(messages, messages * events, took))
    }

    fn failed(&self, name: &str, source: std::io::Error) -> BenchError {
        BenchError::Broker { program: self.program.to_owned(), directory: self.directory.join(name), source }
    }
}

fn identity() -> Settings {
    let broker = BrokerAddress { host: "127.0.0.1".to_owned(), port: 0, tls: false };
    #[expect(clippy::expect_used, reason = "both are names")]
    let (store, gateway) = (StoreId::new("bench").expect("a name"), GatewayId::new("gw-1").expect("a name"));
    Settings::new(broker, store, gateway, env!("CARGO_PKG_VERSION"))
}

async fn deleted(journal: &Journal) -> Result<(), BenchError> {
    while journal.stats().await.map_err(BenchError::Journal)?.of(Class::Record).stored > NEWEST {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Publishes the same message so many times; how long until the last was acknowledged.
async fn publish(port: u16, payload: &[u8], messages: u64, clock: &Clock) -> Result<Duration, BenchError> {
    let mut options = MqttOptions::new("bench-publisher", ("127.0.0.1", port));
    options.set_outgoing_inflight_upper_limit(IN_FLIGHT).set_max_request_batch(usize::from(IN_FLIGHT));
    let (client, mut eventloop) = AsyncClient::builder(options).capacity(usize::from(IN_FLIGHT)).build();
    let payload = bytes::Bytes::copy_from_slice(payload);
    let begun = clock.now();
    let (mut handed, mut acknowledged) = (0, 0);
    let all = async {
        while acknowledged < messages {
            while handed < messages {
                let options = PublishOptions::at_least_once();
                if client.try_publish("bench/events", payload.clone(), options).is_err() {
                    break;
                }
                handed += 1;
            }
            if let Event::Incoming(Packet::PubAck(_)) = eventloop.poll().await.map_err(Box::new)? {
                acknowledged += 1;
            }
        }
        Ok(())
    };
    let ended = timeout(PATIENCE, all).await.map_err(|_| BenchError::Slow("publishing from memory"))?;
    ended.map_err(BenchError::Connection)?;
    Ok(clock.now() - begun)
}

/// Takes everything that a broker passes on, and counts the messages.
struct Sink {
    messages: watch::Receiver<u64>,
    _task: JoinSet<()>,
}

impl Sink {
    async fn open(port: u16) -> Result<Self, BenchError> {
        let mut options = MqttOptions::new("bench-sink", ("127.0.0.1", port));
        options.set_max_packet_size(Some(1 << 20));
        let (client, mut eventloop) = AsyncClient::builder(options).capacity(2).build();
        let _ = client.try_subscribe("#", QoS::AtMostOnce);
        loop {
            match eventloop.poll().await {
                Ok(Event::Incoming(Packet::SubAck(_))) => break,
                Ok(_) => {}
                Err(error) => return Err(BenchError::Connection(Box::new(error))),
            }
        }
        let (sender, messages) = watch::channel(0);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let _client = client;
            while let Ok(event) = eventloop.poll().await {
                if let Event::Incoming(Packet::Publish(_)) = event {
                    sender.send_modify(|count| *count += 1);
                }
            }
        });
        Ok(Self { messages, _task: task })
    }

    fn messages(&self) -> u64 {
        *self.messages.borrow()
    }

    /// How long from the first message to so many.
    async fn until(&mut self, messages: u64, clock: &Clock) -> Duration {
        let mut first: Option<Instant> = None;
        while *self.messages.borrow_and_update() < messages {
            if self.messages.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            first.get_or_insert(clock.now());
        }
        clock.now() - first.unwrap_or(clock.now())
    }
}

/// A mosquitto, killed when dropped.
struct Broker {
    port: u16,
    child: Child,
}

impl Broker {
    async fn start(bench: &Bench<'_>, name: &str, settings: &str) -> Result<Self, BenchError> {
        let port = free_port().map_err(|source| bench.failed(name, source))?;
        Self::start_at(bench, name, settings, port).await
    }

    async fn start_at(bench: &Bench<'_>, name: &str, settings: &str, port: u16) -> Result<Self, BenchError> {
        let child = spawn(&bench.directory.join(name), bench.program, settings, port);
        let broker = Self { port, child: child.map_err(|source| bench.failed(name, source))? };
        let mut refused = std::io::ErrorKind::TimedOut.into();
        for _ in 0..500 {
            match tokio::net::TcpStream::connect(("127.0.0.1", port)).await {
                Ok(_) => return Ok(broker),
                Err(error) => refused = error,
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(bench.failed(name, refused))
    }

    fn address(&self) -> BrokerAddress {
        BrokerAddress { host: "127.0.0.1".to_owned(), port: self.port, tls: false }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Queues without bounds, as a store-and-forward needs it; the defaults would drop all but a thousand.
fn spawn(directory: &Path, program: &Path, settings: &str, port: u16) -> std::io::Result<Child> {
    std::fs::create_dir_all(directory)?;
    let user = if rustix::process::getuid().is_root() { "user root\n" } else { "" };
    let file = directory.join("mosquitto.conf");
    let text = format!(
        "listener {port} 127.0.0.1\nallow_anonymous true\n{user}persistence true\npersistence_location {}/\n\
         max_queued_messages 0\nmax_queued_bytes 0\nmax_inflight_messages {IN_FLIGHT}\n\
         set_tcp_nodelay true\n{settings}",
        directory.display()
    );
    std::fs::write(&file, text)?;
    Command::new(program).arg("-c").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
