//! A consumer of events for the cloud: stores each event once, and says what is missing. `docs/cloud.md` says why it
//! does what it does.
//!
//! ```text
//! cargo run --example cloud_consumer -- mqtt://127.0.0.1:1883 events.db --name consumer-1
//! cargo run --example cloud_consumer -- mqtt://127.0.0.1:1883 events.db --name consumer-2
//! ```
//!
//! As many of them as you like share one store, here a SQLite file. The broker deals the messages out among them, in
//! any order; so nothing is judged from what one consumer has seen, but only from what the store holds:
//!
//! - The event's `id` is the key. What comes again changes nothing.
//! - `source`, `epoch`, class and `seq` are a second key: two ids in one place would be a gateway's fault, and are
//!   refused as a conflict.
//! - A gap is a hole in `seq`, computed by the store when it is asked. It counts when the hole has stood for `--settle`
//!   seconds, for another consumer may hold the batch that fills it; what a `journal.dropped` announces is told apart.
//!   `journal.opened` says where the epoch before ended, so that events missing at its end are found as well.
//! - A message is acknowledged to the broker after its transaction, and not before.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to a terminal")]

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use rumqttc::{
    AckMode, AsyncClient, Event, MqttOptions, Packet, PersistedAckMode, PersistedSession, QoS, SessionStore,
    SessionStoreError, SessionStoreKey, SubscribeReasonCode,
};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use smartstore::clock::{Clock, Trust};
use smartstore::wire::cloud::unpacked;
use tokio_util::sync::CancellationToken;

/// How long the broker keeps messages for a consumer that is away.
const SESSION_S: u32 = 7 * 24 * 3600;
/// Messages that are not acknowledged yet, at most.
const IN_FLIGHT: u16 = 20;
/// Pause between two attempts to connect.
const RETRY: Duration = Duration::from_secs(1);

/// Store every event once, and say what is missing.
#[derive(Debug, Clone, Parser)]
pub struct Args {
    /// The broker: mqtt://HOST:PORT
    pub broker: String,
    /// The store that all consumers share.
    pub store: PathBuf,
    /// This consumer's client id: another one for each, the same after a restart.
    #[arg(long, default_value = "consumer-1")]
    pub name: String,
    /// The group that shares the work.
    #[arg(long, default_value = "smartstore-consumers")]
    pub group: String,
    /// Seconds that a hole must have stood before it is called a gap.
    #[arg(long, default_value_t = 60)]
    pub settle: u32,
    /// Seconds between two reports.
    #[arg(long, default_value_t = 10)]
    pub report: u32,
}

/// What a message did to the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    /// Events that were new.
    pub new: u64,
    /// Events that were there already.
    pub repeated: u64,
    /// Events whose place another event holds.
    pub conflicts: u64,
    /// 1 if the message could not be read and was set aside.
    pub unreadable: u64,
}

/// A range of `seq` that the store does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// The gateway.
    pub source: String,
    /// Its journal.
    pub epoch: String,
    /// The class.
    pub class: String,
    /// First missing.
    pub from: i64,
    /// Last missing.
    pub to: i64,
    /// Whether the gateway has announced that all of it is gone, and why.
    pub announced: Option<String>,
}

/// What the consumers share.
pub struct Store {
    connection: Connection,
    clock: Clock,
}

/// Events once each; ranges that were given up; where finished epochs end; what could not be read.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS events (
        id TEXT PRIMARY KEY, source TEXT NOT NULL, epoch TEXT NOT NULL, class TEXT NOT NULL, seq INTEGER NOT NULL,
        received_ms INTEGER NOT NULL, event TEXT NOT NULL, UNIQUE (source, epoch, class, seq)) STRICT;
    CREATE TABLE IF NOT EXISTS dropped (
        source TEXT NOT NULL, epoch TEXT NOT NULL, class TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
        reason TEXT NOT NULL, PRIMARY KEY (source, epoch, class, first, last)) STRICT;
    CREATE TABLE IF NOT EXISTS ended (
        source TEXT NOT NULL, epoch TEXT NOT NULL, class TEXT NOT NULL, last INTEGER NOT NULL,
        received_ms INTEGER NOT NULL, PRIMARY KEY (source, epoch, class)) STRICT;
    CREATE TABLE IF NOT EXISTS unreadable (topic TEXT NOT NULL, why TEXT NOT NULL, payload BLOB NOT NULL) STRICT;";

/// Each hole with the time since when it is known: what is between an event and the one before it in `seq` (0 before
/// the first), and what is between the last event and the announced end of its epoch.
const HOLES: &str = "
    WITH known AS (
        SELECT source, epoch, class, seq, received_ms FROM events
        UNION ALL SELECT source, epoch, class, last + 1, received_ms FROM ended),
    pairs AS (
        SELECT source, epoch, class, seq, received_ms,
            lag(seq, 1, 0) OVER (PARTITION BY source, epoch, class ORDER BY seq) AS before FROM known)
    SELECT source, epoch, class, before + 1, seq - 1 FROM pairs
    WHERE seq - before > 1 AND received_ms <= ?1 ORDER BY 1, 2, 3, 4";

impl Store {
    /// Opens the file, or begins it.
    pub fn open(file: &Path) -> anyhow::Result<Self> {
        let connection = Connection::open(file).with_context(|| format!("cannot open {}", file.display()))?;
        connection.busy_timeout(Duration::from_secs(30))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection, clock: Clock::system(Trust::Trusted) })
    }

    /// Stores one message in one transaction. An error is the store's: then the message must not be acknowledged.
    pub fn take(&mut self, topic: &str, payload: &[u8]) -> rusqlite::Result<Stored> {
        let received_ms = self.clock.wall().0.unix_ms();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let stored = match read(topic, payload) {
            Ok(events) => insert(&transaction, &events, received_ms)?,
            Err(error) => {
                let row = params![topic, format!("{error:#}"), payload];
                transaction.execute("INSERT INTO unreadable VALUES (?1, ?2, ?3)", row)?;
                Stored { unreadable: 1, ..Stored::default() }
            }
        };
        transaction.commit()?;
        Ok(stored)
    }

    /// Events in the store.
    pub fn events(&self) -> rusqlite::Result<i64> {
        self.connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0))
    }

    /// Holes that have stood for so long, each part of one that was announced apart from the rest.
    pub fn gaps(&self, settle: Duration) -> rusqlite::Result<Vec<Gap>> {
        let until_ms = self.clock.wall().0.unix_ms() - i64::try_from(settle.as_millis()).unwrap_or(i64::MAX);
        let mut holes = self.connection.prepare_cached(HOLES)?;
        let holes = holes.query_map([until_ms], |row| {
            let (source, epoch, class) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Gap { source, epoch, class, from: row.get(3)?, to: row.get(4)?, announced: None })
        })?;
        let mut gaps = Vec::new();
        for hole in holes {
            let hole = hole?;
            let announced = self.announced(&hole)?;
            gaps.extend(split(&hole, &announced));
        }
        Ok(gaps)
    }

    fn announced(&self, hole: &Gap) -> rusqlite::Result<Vec<(i64, i64, String)>> {
        let mut dropped = self.connection.prepare_cached(
            "SELECT first, last, reason FROM dropped
             WHERE source = ?1 AND epoch = ?2 AND class = ?3 AND first <= ?5 AND last >= ?4 ORDER BY first, last",
        )?;
        let ranges = params![hole.source, hole.epoch, hole.class, hole.from, hole.to];
        dropped.query_map(ranges, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
    }
}

/// Cuts a hole where announced ranges (in order) begin and end.
fn split(hole: &Gap, announced: &[(i64, i64, String)]) -> Vec<Gap> {
    let mut parts = Vec::new();
    let mut at = hole.from;
    for (first, last, reason) in announced {
        let (first, last) = (at.max(*first), hole.to.min(*last));
        if at < first {
            parts.push(Gap { from: at, to: first - 1, ..hole.clone() });
        }
        if first <= last {
            parts.push(Gap { from: first, to: last, announced: Some(reason.clone()), ..hole.clone() });
            at = last + 1;
        }
    }
    if at <= hole.to {
        parts.push(Gap { from: at, ..hole.clone() });
    }
    parts
}

/// One event as it is stored, with what it says about others.
struct Read {
    id: String,
    source: String,
    epoch: String,
    class: String,
    seq: i64,
    event: serde_json::Value,
}

/// Reads a message; nothing of it is taken if a part of it is wrong.
fn read(topic: &str, payload: &[u8]) -> anyhow::Result<Vec<Read>> {
    let levels: Vec<_> = topic.split('/').collect();
    let ["smartstore", "v1", store, gateway, "events", class] = levels[..] else { bail!("not a topic of events") };
    let source = format!("/smartstore/{store}/{gateway}");
    // A gateway on a line that is paid by the byte packs its messages; they tell themselves apart.
    let payload = unpacked(payload).context("cannot be unpacked")?;
    let events: Vec<serde_json::Value> = serde_json::from_slice(&payload).context("not a JSON array")?;
    let read = |event: serde_json::Value| {
        let text = |field: &str| {
            let text = event[field].as_str().with_context(|| format!("{field} is missing or not text"));
            text.map(str::to_owned)
        };
        let (id, epoch) = (text("id")?, text("epoch")?);
        let seq = event["seq"].as_i64().filter(|seq| *seq > 0).context("seq is missing or not a positive number")?;
        if text("source")? != source {
            bail!("the source is not the topic's gateway");
        }
        Ok(Read { id, source: source.clone(), epoch, class: class.to_owned(), seq, event })
    };
    events.into_iter().map(read).collect()
}

fn insert(transaction: &Transaction<'_>, events: &[Read], received_ms: i64) -> rusqlite::Result<Stored> {
    let mut stored = Stored::default();
    for Read { id, source, epoch, class, seq, event } in events {
        let row = params![id, source, epoch, class, seq, received_ms, event.to_string()];
        let insert = "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
        if transaction.prepare_cached(insert)?.execute(row)? == 1 {
            stored.new += 1;
            // Whatever an event means for the business belongs here, in the same transaction.
            remember(transaction, source, epoch, event, received_ms)?;
            continue;
        }
        let same = "SELECT count(*) > 0 FROM events
                    WHERE id = ?1 AND source = ?2 AND epoch = ?3 AND class = ?4 AND seq = ?5";
        let same: bool =
            transaction.prepare_cached(same)?.query_row(params![id, source, epoch, class, seq], |row| row.get(0))?;
        stored.repeated += u64::from(same);
        stored.conflicts += u64::from(!same);
    }
    Ok(stored)
}

/// What an event says about which others will never come, or must have come.
fn remember(
    transaction: &Transaction<'_>,
    source: &str,
    epoch: &str,
    event: &serde_json::Value,
    received_ms: i64,
) -> rusqlite::Result<()> {
    let data = &event["data"];
    if event["type"] == "journal.dropped.v1" {
        let (class, reason) = (data["class"].as_str(), data["reason"].as_str());
        let row = params![source, epoch, class, data["from"].as_i64(), data["to"].as_i64(), reason];
        transaction.execute("INSERT OR IGNORE INTO dropped VALUES (?1, ?2, ?3, ?4, ?5, ?6)", row)?;
    }
    if let ("journal.opened.v1", Some(previous)) = (event["type"].as_str().unwrap_or(""), data["previous"].as_str()) {
        for (class, last) in data["last_seq"].as_object().into_iter().flatten() {
            let row = params![source, previous, class, last.as_i64(), received_ms];
            transaction.execute("INSERT OR IGNORE INTO ended VALUES (?1, ?2, ?3, ?4, ?5)", row)?;
        }
    }
    Ok(())
}

fn options(args: &Args) -> anyhow::Result<MqttOptions> {
    let address = args.broker.strip_prefix("mqtt://").context("the broker is written mqtt://HOST:PORT")?;
    let (host, port) = address.rsplit_once(':').context("the broker has no port")?;
    let mut options = MqttOptions::new(&args.name, (host, port.parse::<u16>().context("the port is no number")?));
    options
        .set_clean_start(false)
        .set_session_expiry_interval(Some(SESSION_S))
        .set_ack_mode(AckMode::Manual)
        .set_receive_maximum(Some(IN_FLIGHT))
        .set_max_packet_size(Some(1 << 20))
        .set_keep_alive(10);
    let session = PersistedSession {
        format_version: 1,
        client_id: options.client_id(),
        clean_start: false,
        session_expiry_interval: Some(SESSION_S),
        outgoing_inflight_upper_limit: options.get_outgoing_inflight_upper_limit(),
        ack_mode: PersistedAckMode::Manual,
        last_pkid: 0,
        last_puback: 0,
        replay: Vec::new(),
        incoming_qos2: Vec::new(),
    };
    options.set_session_store(NothingOpen(session));
    Ok(options)
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionStoreError>> + Send + 'a>>;

/// The client crate takes up a session that the broker kept only if it knows the client's side of it. Ours is empty:
/// nothing is published, and what was not acknowledged comes again.
#[derive(Debug)]
struct NothingOpen(PersistedSession);

impl SessionStore for NothingOpen {
    fn load<'a>(&'a self, _: &'a SessionStoreKey) -> Answer<'a, Option<PersistedSession>> {
        Box::pin(async { Ok(Some(self.0.clone())) })
    }

    fn save<'a>(&'a self, _: &'a SessionStoreKey, _: &'a PersistedSession) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn clear<'a>(&'a self, _: &'a SessionStoreKey) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// Consumes until told to stop; `each` is told of every message that is stored, and of every subscription (`None`).
pub async fn consume(
    args: &Args,
    store: &mut Store,
    stop: &CancellationToken,
    mut each: impl FnMut(Option<Stored>),
) -> anyhow::Result<()> {
    let filter = format!("$share/{}/smartstore/v1/+/+/events/+", args.group);
    let (client, mut connection) = AsyncClient::builder(options(args)?).capacity(usize::from(IN_FLIGHT) * 2).build();
    loop {
        let polled = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            polled = connection.poll() => polled,
        };
        match polled {
            // At every connection: the broker may have lost what it kept.
            Ok(Event::Incoming(Packet::ConnAck(_))) => client.try_subscribe(filter.clone(), QoS::AtLeastOnce)?,
            Ok(Event::Incoming(Packet::SubAck(ack))) => match ack.return_codes.first() {
                Some(SubscribeReasonCode::Success(_)) => each(None),
                refused => bail!("the broker refuses the shared subscription: {refused:?}"),
            },
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let topic = String::from_utf8_lossy(&publish.topic);
                let stored = tokio::task::block_in_place(|| store.take(&topic, &publish.payload))?;
                client.try_ack(&publish)?;
                each(Some(stored));
            }
            Ok(_) => {}
            Err(error) => {
                eprintln!("{}: {error}; trying again", args.name);
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

fn report(args: &Args) -> anyhow::Result<()> {
    let store = Store::open(&args.store)?;
    let gaps = store.gaps(Duration::from_secs(args.settle.into()))?;
    println!("{} events stored, {} gaps", store.events()?, gaps.len());
    for Gap { source, epoch, class, from, to, announced } in gaps {
        let why = announced.map_or("MISSING".to_owned(), |reason| format!("announced: {reason}"));
        println!("  {source} epoch {epoch} {class} {from}..={to} {why}");
    }
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let mut store = Store::open(&args.store)?;
    let stop = CancellationToken::new();
    let mut total = Stored::default();
    let reports = async {
        loop {
            tokio::time::sleep(Duration::from_secs(args.report.max(1).into())).await;
            report(&args)?;
        }
    };
    let consumed = consume(&args, &mut store, &stop, |stored| {
        let Stored { new, repeated, conflicts, unreadable } = stored.unwrap_or_default();
        total.new += new;
        total.repeated += repeated;
        total.conflicts += conflicts;
        total.unreadable += unreadable;
    });
    let ended: anyhow::Result<()> = tokio::select! {
        ended = consumed => ended,
        ended = reports => ended,
        signal = tokio::signal::ctrl_c() => signal.map_err(Into::into),
    };
    println!("{}: {total:?}", args.name);
    report(&args)?;
    ended
}
