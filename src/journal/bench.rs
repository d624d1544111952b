//! The body of `smartstore bench journal`: how fast events become durable, next to the limit in the same run.
//!
//! The limit is a bare rusqlite loop with the same pragmas and the same group: one row of 300 bytes per event with an
//! AUTOINCREMENT key, a priority and a time, no index, nobody else's queue. Journal and limit take turns, round by
//! round, on the same disk, so that a neighbour's load meets both. A commit's latency of the journal is what a caller
//! waits: queue, encoding, transaction, fsync and the answer.
//!
//! `block_bytes_per_event` comes from `write_bytes` of `/proc/self/io` over the whole life of the events: appended,
//! confirmed, deleted, file folded and closed. It is zero on a file system in memory and leaves out the file system's
//! own journal.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use serde::Serialize;

use super::{Class, Journal, JournalError, Row, Settings, open, stored};
use crate::clock::Clock;
use crate::types::{Body, CodeKind, CodeScanned, DeviceId, Draft, Observation};

/// Length of an event's stored form, as near as its text allows.
const EVENT_BYTES: usize = 300;
/// The group sizes.
const GROUPS: [usize; 3] = [1, 64, 256];
/// Journal and limit take turns this often.
const ROUNDS: u64 = 5;
/// Groups of 256 that both write first: the log must have been written once through, as it is in every journal that is
/// older than an hour. While it still grows each fsync costs the file system a journal entry more.
const WARM_UP: usize = 80;
/// How long the deletion of what was confirmed may take.
const DELETE_WITHIN: Duration = Duration::from_secs(60);

/// What the measurement stumbled over.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The journal.
    #[error("the journal failed")]
    Journal(#[source] JournalError),
    /// The bare loop.
    #[error("the bare loop failed")]
    Bare(#[source] rusqlite::Error),
    /// A file.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What was confirmed was not deleted in time.
    #[error("{0} confirmed events were not deleted in time")]
    NotDeleted(u64),
}

/// All of it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Length of one event's stored form.
    pub event_bytes: usize,
    /// The disk alone, in three ways.
    pub fsync: Fsync,
    /// One event alone, appended until durable, by the fsync of what its commit writes ([`Fsync::log_us`]), both p50.
    pub alone_to_fsync: f64,
    /// One entry per group size.
    pub groups: Vec<GroupReport>,
    /// What a stored form costs in CPU time.
    pub form: Form,
    /// Load averages of 1, 5 and 15 minutes before the first and after the last measurement.
    pub load: [String; 2],
}

/// The disk alone.
#[derive(Debug, Clone, Serialize)]
pub struct Fsync {
    /// What one event's commit writes: one frame of 4,120 bytes in the write-ahead log, one after the other over what
    /// is there already. Frames do not lie on the disk's blocks, so each touches two.
    pub log_us: Percentiles,
    /// 4 KiB over the same block again and again.
    pub in_place_us: Percentiles,
    /// 4 KiB at the end of a growing file.
    pub append_us: Percentiles,
}

/// One group size.
#[derive(Debug, Clone, Serialize)]
pub struct GroupReport {
    /// Events in one transaction.
    pub group: usize,
    /// Through the journal.
    pub journal: Run,
    /// The bare loop.
    pub bare: Run,
    /// Journal's rate by the bare loop's.
    pub ratio: f64,
    /// Block bytes written per event, its deletion included.
    pub block_bytes_per_event: f64,
    /// The same by the event's length.
    pub write_amplification: f64,
}

/// One side of a comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Events made durable.
    pub events: u64,
    /// How many in a second.
    pub events_per_s: f64,
    /// Latency of a commit.
    pub commit_us: Percentiles,
}

/// Microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Percentiles {
    /// Half are below.
    pub p50: u64,
    /// Nine in ten are below.
    pub p90: u64,
    /// 99 in 100 are below.
    pub p99: u64,
    /// The largest.
    pub max: u64,
}

/// Encoding and decoding.
#[derive(Debug, Clone, Serialize)]
pub struct Form {
    /// Events encoded in a second.
    pub encoded_per_s: f64,
    /// Events decoded in a second.
    pub decoded_per_s: f64,
}

/// Measures in `directory`, which should be on the disk that counts. `commits` per group size and side; 1000 take
/// about a minute on an idle eMMC.
///
/// # Errors
/// See [`BenchError`].
pub async fn run(directory: &Path, commits: u64, clock: &Clock) -> Result<Report, BenchError> {
    let before = load();
    let fsync = Fsync {
        log_us: fsyncs(directory, clock, commits, LOG)?,
        in_place_us: fsyncs(directory, clock, commits, IN_PLACE)?,
        append_us: fsyncs(directory, clock, commits, APPEND)?,
    };
    let mut groups = Vec::new();
    for group in GROUPS {
        groups.push(measure(directory, group, commits, clock).await?);
    }
    let event_bytes = encoded(&draft(clock)).len();
    let alone = groups.first().map_or(0.0, |alone| as_f64(alone.journal.commit_us.p50));
    let alone_to_fsync = alone / as_f64(fsync.log_us.p50.max(1));
    Ok(Report { event_bytes, fsync, alone_to_fsync, groups, form: form(clock), load: [before, load()] })
}

/// The disk's floor: one 4 KiB page at the end of a growing file, fdatasync'ed, so many times.
///
/// # Errors
/// See [`BenchError`].
pub fn fsync_append(directory: &Path, clock: &Clock, times: u64) -> Result<Percentiles, BenchError> {
    fsyncs(directory, clock, times, APPEND)
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a benchmark")]
fn as_f64(value: u64) -> f64 {
    value as f64
}

async fn measure(directory: &Path, group: usize, commits: u64, clock: &Clock) -> Result<GroupReport, BenchError> {
    let place = fresh(directory, "journal")?;
    let (journal, _) = Journal::open(Settings::new(&place), clock.clone()).map_err(BenchError::Journal)?;
    let bare_place = fresh(directory, "bare")?;
    let conn = bare(&bare_place).map_err(BenchError::Bare)?;
    for _ in 0..WARM_UP {
        append(&journal, 256, clock).await?;
        insert(&conn, 256, clock).map_err(BenchError::Bare)?;
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for _ in 0..(commits / ROUNDS).max(1) {
            ours.push(append(&journal, group, clock).await?);
        }
        for _ in 0..(commits / ROUNDS).max(1) {
            theirs.push(insert(&conn, group, clock).map_err(BenchError::Bare)?);
        }
    }
    journal.close().await.map_err(BenchError::Journal)?;
    let (journal, bare) = (summary(group, ours), summary(group, theirs));
    let block_bytes_per_event = life(directory, group, commits, clock).await?;
    for place in [place, bare_place] {
        std::fs::remove_dir_all(&place).map_err(|source| BenchError::File { path: place, source })?;
    }
    Ok(GroupReport {
        group,
        ratio: journal.events_per_s / bare.events_per_s,
        journal,
        bare,
        block_bytes_per_event,
        write_amplification: block_bytes_per_event / encoded(&draft(clock)).len() as f64,
    })
}

async fn append(journal: &Journal, group: usize, clock: &Clock) -> Result<Duration, BenchError> {
    let drafts: Vec<_> = (0..group).map(|_| draft(clock)).collect();
    let start = clock.now();
    journal.append(drafts).await.map_err(BenchError::Journal)?;
    Ok(clock.now() - start)
}

fn insert(conn: &Connection, group: usize, clock: &Clock) -> rusqlite::Result<Duration> {
    let bodies: Vec<_> = (0..group).map(|_| encoded(&draft(clock))).collect();
    let start = clock.now();
    let transaction = rusqlite::Transaction::new_unchecked(conn, rusqlite::TransactionBehavior::Immediate)?;
    for body in &bodies {
        transaction.prepare_cached("INSERT INTO event (prio, ts, body) VALUES (?1, ?2, ?3)")?.execute(params![
            1,
            1_763_776_800_000_i64,
            body
        ])?;
    }
    transaction.commit()?;
    Ok(clock.now() - start)
}

/// Block bytes per event over its whole life: appended, confirmed, deleted, closed.
async fn life(directory: &Path, group: usize, commits: u64, clock: &Clock) -> Result<f64, BenchError> {
    let place = fresh(directory, "life")?;
    let settings = Settings { keep_confirmed_events: 0, ..Settings::new(&place) };
    let before = written();
    let (journal, _) = Journal::open(settings, clock.clone()).map_err(BenchError::Journal)?;
    for _ in 0..commits {
        let drafts = (0..group).map(|_| draft(clock)).collect();
        let rows = journal.append(drafts).await.map_err(BenchError::Journal)?;
        let last = rows.last().copied().unwrap_or(Row(0));
        journal.confirm(Class::Record, last).await.map_err(BenchError::Journal)?;
    }
    deleted(&journal, group as u64, clock).await?;
    journal.close().await.map_err(BenchError::Journal)?;
    let bytes = written().saturating_sub(before);
    std::fs::remove_dir_all(&place).map_err(|source| BenchError::File { path: place, source })?;
    Ok(bytes as f64 / (commits * group as u64) as f64)
}

/// Waits until everything confirmed is deleted; only the newest batch stays.
async fn deleted(journal: &Journal, group: u64, clock: &Clock) -> Result<(), BenchError> {
    let until = clock.now() + DELETE_WITHIN;
    loop {
        let stats = journal.stats().await.map_err(BenchError::Journal)?;
        let stored = stats.of(Class::Record).stored;
        if stored <= group {
            return Ok(());
        }
        if clock.now() > until {
            return Err(BenchError::NotDeleted(stored));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn bare(place: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open(place.join("bare.db"))?;
    open::pragmas(&conn)?;
    conn.execute_batch(
        "CREATE TABLE event (id INTEGER PRIMARY KEY AUTOINCREMENT, prio INTEGER, ts INTEGER, body BLOB)",
    )?;
    Ok(conn)
}

/// How a file is written: how long it is before, how much at a time, and where the n-th time.
#[derive(Clone, Copy)]
struct Way {
    there: usize,
    bytes: usize,
    place: fn(u64) -> u64,
}

const IN_PLACE: Way = Way { there: 4096, bytes: 4096, place: |_| 0 };
const APPEND: Way = Way { there: 4096, bytes: 4096, place: |n| n * 4096 };
const LOG: Way = Way { there: 4 << 20, bytes: 4120, place: |n| n % 1000 * 4120 };

fn fsyncs(directory: &Path, clock: &Clock, times: u64, way: Way) -> Result<Percentiles, BenchError> {
    let path = directory.join("fsync");
    let measured = || {
        let file = File::create(&path)?;
        file.write_all_at(&vec![0; way.there], 0)?;
        file.sync_all()?;
        let written = vec![0x5a; way.bytes];
        let mut latencies = Vec::new();
        for n in 0..times {
            let start = clock.now();
            file.write_all_at(&written, (way.place)(n))?;
            file.sync_data()?;
            latencies.push(clock.now() - start);
        }
        std::fs::remove_file(&path)?;
        Ok(percentiles(latencies))
    };
    measured().map_err(|source| BenchError::File { path: path.clone(), source })
}

fn form(clock: &Clock) -> Form {
    const TIMES: u32 = 50_000;
    let draft = draft(clock);
    let rate = |start: Instant| f64::from(TIMES) / (clock.now() - start).as_secs_f64();
    let mut bytes = Vec::new();
    let start = clock.now();
    for _ in 0..TIMES {
        bytes.clear();
        stored::encode_event(std::hint::black_box(&draft), &mut bytes);
    }
    let encoded_per_s = rate(start);
    let start = clock.now();
    for _ in 0..TIMES {
        let _ = std::hint::black_box(stored::decode_event(Row(1), crate::types::Seq(1), std::hint::black_box(&bytes)));
    }
    Form { encoded_per_s, decoded_per_s: rate(start) }
}

/// A scan whose stored form is about 300 bytes long and does not repeat.
pub fn draft(clock: &Clock) -> Draft {
    let filler = format!("{}{}{}", clock.random_uuid(), clock.random_uuid(), clock.random_uuid());
    let value: String = format!("https://example.com/01/06291041500213/21/{filler}").chars().take(190).collect();
    Draft {
        id: clock.event_id(),
        device: DeviceId::new("scanner-1").ok(),
        at: clock.stamp(),
        cause: None,
        body: Body::Observed(Observation::Code(CodeScanned {
            kind: CodeKind::Product,
            symbology: None,
            value: format!("{value:x<190}"),
            gtin: None,
            ai: std::collections::BTreeMap::new(),
        })),
    }
}

fn encoded(draft: &Draft) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(EVENT_BYTES);
    stored::encode_event(draft, &mut bytes);
    bytes
}

fn summary(group: usize, latencies: Vec<Duration>) -> Run {
    let events = (latencies.len() * group) as u64;
    let seconds: f64 = latencies.iter().map(Duration::as_secs_f64).sum();
    Run { events, events_per_s: events as f64 / seconds, commit_us: percentiles(latencies) }
}

/// Percentiles of latencies; of none, zeros.
pub fn percentiles(mut latencies: Vec<Duration>) -> Percentiles {
    latencies.sort_unstable();
    let at = |percent: usize| {
        let place = (latencies.len().saturating_sub(1)) * percent / 100;
        latencies.get(place).map_or(0, |latency| u64::try_from(latency.as_micros()).unwrap_or(u64::MAX))
    };
    Percentiles { p50: at(50), p90: at(90), p99: at(99), max: at(100) }
}

fn fresh(directory: &Path, name: &str) -> Result<PathBuf, BenchError> {
    let path = directory.join(name);
    let made = match std::fs::remove_dir_all(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(source),
        _ => std::fs::create_dir_all(&path),
    };
    made.map(|()| path.clone()).map_err(|source| BenchError::File { path, source })
}

/// Bytes this process has caused to be written to block devices (proc_pid_io(5)).
fn written() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

/// Load averages of 1, 5 and 15 minutes, as the kernel writes them.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Trust;

    #[tokio::test]
    async fn the_measurement_runs_and_its_figures_hang_together() {
        let dir = tempfile::TempDir::new().unwrap();
        let report = run(dir.path(), 10, &Clock::system(Trust::Trusted)).await.unwrap();
        assert!((280..=320).contains(&report.event_bytes), "{}", report.event_bytes);
        assert_eq!(report.groups.iter().map(|group| group.group).collect::<Vec<_>>(), GROUPS);
        for group in &report.groups {
            assert_eq!(group.journal.events, 10 * group.group as u64);
            assert_eq!(group.bare.events, group.journal.events);
            assert!(group.ratio > 0.0 && group.journal.commit_us.p50 <= group.journal.commit_us.max);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "it cleans up behind itself");
    }
}
