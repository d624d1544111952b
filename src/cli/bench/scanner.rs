//! From the last byte of a code to its durable event, through the whole daemon: line, pump, machine, port, intake,
//! journal. The limit in the same run is the disk's own `fdatasync`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::idle::{self, Idle};
use crate::app::App;
use crate::cli::sim::SETTLED;
use crate::cli::until_told::{Told, until_told};
use crate::clock::{Clock, Trust};
use crate::config;
use crate::journal::Journal;
use crate::journal::bench::{Percentiles, fsync_append, load, percentiles};
use crate::sim::broker::{Broker, Limits};
use crate::sim::pty::{Knobs, ScannerPty};
use crate::sim::scanner::{Answers, Do, Print, Scanner, Setup};
use crate::types::{Body, Observation, Row, Symbology};
use crate::wire::scan::Terminator;

/// Longest wait for a code that was written.
const LOST_AFTER: Duration = Duration::from_secs(10);

/// Arguments of `bench scanner`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Codes a second.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// Codes in all.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    codes: u32,
    /// Seconds to watch the idle daemon.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    idle_s: u64,
    /// Answer as one JSON document.
    #[arg(long)]
    json: bool,
    /// A directory on the disk to measure; the system's temporary one without it.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Answer {
    rate_per_s: u32,
    codes: u32,
    byte_in_to_durable: Percentiles,
    fdatasync_4k: Percentiles,
    /// Median of the road over the disk's own median.
    ratio_to_fdatasync_p50: f64,
    idle: Idle,
    /// Load averages of 1, 5 and 15 minutes.
    load: String,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let directory = super::working_directory(args.dir.as_deref())?;
    let clock = Clock::system(Trust::Trusted);
    let load = load();
    let fdatasync_4k = fsync_append(directory.path(), &clock, 300)?;
    let road = match until_told(async |stop| measure(args, directory.path(), &clock, stop).await)? {
        Told::Ended(measured) => measured?,
        Told::Twice => anyhow::bail!("interrupted"),
    };
    let idle = match until_told(async |_| idle_with_a_cloud(args, directory.path(), &clock).await)? {
        Told::Ended(measured) => measured?,
        Told::Twice => anyhow::bail!("interrupted"),
    };
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a latency")]
    let ratio = road.p50 as f64 / fdatasync_4k.p50.max(1) as f64;
    let answer = Answer {
        rate_per_s: args.rate,
        codes: args.codes,
        byte_in_to_durable: road,
        fdatasync_4k,
        ratio_to_fdatasync_p50: ratio,
        idle,
        load,
    };
    show(&answer, args.json)
}

/// The daemon as it stands in a shop at night: broker and console there, nothing to do.
async fn idle_with_a_cloud(args: &Args, directory: &Path, clock: &Clock) -> anyhow::Result<Idle> {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let broker = Broker::bind(address, Limits::default(), clock.clone()).await?;
    let line = format!("[cloud]\nbroker = \"{}\"\n[console]\nlisten = \"127.0.0.1:0\"\n", broker.url());
    let path = directory.join("idle.toml");
    std::fs::write(&path, configuration("serial:not-there", "idle-data", &line))?;
    let idle = tokio::task::block_in_place(|| idle::measure(&path, Duration::from_secs(args.idle_s), clock))?;
    let connected = broker.counts().connected;
    anyhow::ensure!(
        connected >= 2,
        "the idle daemon has connected {connected} times, its two clients are not both there"
    );
    Ok(idle)
}

fn configuration(endpoint: &str, data_dir: &str, line: &str) -> String {
    format!(
        "[store]\nid = \"bench\"\ntimezone = \"UTC\"\n\
         [gateway]\nid = \"gw-1\"\ndata_dir = {data_dir:?}\nclock = \"trusted\"\n\
         {line}[[device]]\nid = \"scanner-1\"\nprofile = \"scanner/generic-serial\"\nendpoint = {endpoint:?}\n"
    )
}

async fn measure(args: &Args, directory: &Path, clock: &Clock, stop: CancellationToken) -> anyhow::Result<Percentiles> {
    let link = directory.join("scanner");
    let setup = Setup { terminator: Terminator::Cr, answers: Answers::Never, aim_ids: false };
    let (knobs, pty) = ScannerPty::new(&link, None, Scanner::new(setup), clock.clone())?;
    let text = configuration(&format!("serial:{}", link.display()), "data", "");
    let loaded = config::load_text(&text, Path::new("bench.toml"), directory, None)
        .map_err(|refused| anyhow::anyhow!("the benchmark's own configuration: {:?}", refused.diagnostics))?;
    let app = App::build(config::Start::with(loaded, &directory.join("bench.toml"), None)).await?;
    let journal = app.journal().clone();
    let stop_app = stop.child_token();
    let scan = async {
        let measured = scan_all(args, &knobs, &journal, clock).await;
        stop_app.cancel();
        measured
    };
    let (ended, line, measured) = tokio::join!(app.run(stop_app.clone()), pty.run(stop_app.clone()), scan);
    ended?;
    line?;
    measured
}

/// Writes the codes at their rate and waits for each on disk. A code is written whole, terminator last.
async fn scan_all(args: &Args, scanner: &Knobs, journal: &Journal, clock: &Clock) -> anyhow::Result<Percentiles> {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while scanner.line_baud().is_none() {
        look.tick().await;
    }
    tokio::time::sleep(SETTLED).await;
    let mut head = journal.head();
    let mut row = head.borrow_and_update().row;
    let mut written: BTreeMap<String, Instant> = BTreeMap::new();
    let mut samples = Vec::with_capacity(args.codes as usize);
    let mut number = 0;
    let mut tick = tokio::time::interval(Duration::from_secs(1) / args.rate);
    while samples.len() < args.codes as usize {
        tokio::select! {
            _ = tick.tick(), if number < args.codes => {
                let code = format!("BENCH{number:09}");
                written.insert(code.clone(), clock.now());
                let symbology = Symbology { code: b'Q', modifier: b'1' };
                scanner.act(Do::Scan(Print { symbology, text: code })).await;
                number += 1;
            }
            changed = head.changed() => {
                changed?;
                head.borrow_and_update();
                row = collect(journal, row, &mut written, &mut samples, clock.now()).await?;
            }
            () = tokio::time::sleep(LOST_AFTER) => anyhow::bail!("{} codes were lost", written.len()),
        }
    }
    Ok(percentiles(samples))
}

async fn collect(
    journal: &Journal,
    mut row: Row,
    written: &mut BTreeMap<String, Instant>,
    samples: &mut Vec<Duration>,
    now: Instant,
) -> anyhow::Result<Row> {
    for event in journal.after(row, 1000).await? {
        row = event.row;
        if let Body::Observed(Observation::Code(code)) = &event.draft.body
            && let Some(at) = written.remove(&code.value)
        {
            samples.push(now - at);
        }
    }
    Ok(row)
}

fn show(answer: &Answer, json: bool) -> anyhow::Result<()> {
    if json {
        say!("{}", serde_json::to_string_pretty(answer)?);
        return Ok(());
    }
    let Answer { rate_per_s, byte_in_to_durable: road, fdatasync_4k: disk, ratio_to_fdatasync_p50, idle, load, .. } =
        answer;
    say!("load {load}");
    say!(
        "last byte to durable event, {} codes at {rate_per_s}/s: p50 {} us, p90 {} us, p99 {} us, max {} us",
        answer.codes,
        road.p50,
        road.p90,
        road.p99,
        road.max
    );
    say!(
        "fdatasync of 4 KiB on the same disk: p50 {} us, p99 {} us; ratio of the medians {ratio_to_fdatasync_p50:.2}",
        disk.p50,
        disk.p99
    );
    say!(
        "idle daemon: ready after {:.1} ms, {} KiB resident ({} KiB anonymous), {:.2} % of a core over {} s",
        idle.start_to_ready_ms,
        idle.rss_kib,
        idle.rss_anonymous_kib,
        idle.cpu_percent,
        idle.idle_s
    );
    Ok(())
}
