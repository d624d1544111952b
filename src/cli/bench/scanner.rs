//! From the last byte of a code to its durable event, through the whole daemon: line, pump, machine, port, intake,
//! journal. The limit in the same run is the disk's own `fdatasync`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::figures::{Load, Percentiles, fsync_floor};
use super::idle::{self, Idle};
use crate::app::App;
use crate::cli::until_told::{Told, until_told};
use crate::clock::{Clock, Trust};
use crate::config;
use crate::journal::Journal;
use crate::sim::pty::PtyLine;
use crate::types::{Body, Observation, Row};

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
}

#[derive(Debug, Serialize)]
struct Answer {
    rate_per_s: u32,
    byte_in_to_durable: Percentiles,
    fdatasync_4k: Percentiles,
    /// Median of the road over the disk's own median.
    ratio_to_fdatasync_p50: f64,
    idle: Idle,
    load: Load,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let directory = tempfile::tempdir().context("cannot make a working directory")?;
    let clock = Clock::system(Trust::Trusted);
    let load = Load::now();
    let fdatasync_4k = fsync_floor(directory.path(), 300, &clock)?;
    let road = match until_told(async |stop| measure(args, directory.path(), &clock, stop).await)? {
        Told::Ended(measured) => measured?,
        Told::Twice => anyhow::bail!("interrupted"),
    };
    let idle_config = directory.path().join("idle.toml");
    std::fs::write(&idle_config, configuration("serial:not-there", "idle-data", true))?;
    let idle = idle::measure(&idle_config, Duration::from_secs(args.idle_s), &clock)?;
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a latency")]
    let ratio = road.p50_us as f64 / fdatasync_4k.p50_us.max(1) as f64;
    let answer = Answer {
        rate_per_s: args.rate,
        byte_in_to_durable: road,
        fdatasync_4k,
        ratio_to_fdatasync_p50: ratio,
        idle,
        load,
    };
    show(&answer, args.json)
}

fn configuration(endpoint: &str, data_dir: &str, console: bool) -> String {
    let console = if console { "[console]\nlisten = \"127.0.0.1:0\"\n" } else { "" };
    format!(
        "[store]\nid = \"bench\"\ntimezone = \"UTC\"\n\
         [gateway]\nid = \"gw-1\"\ndata_dir = {data_dir:?}\nclock = \"trusted\"\n\
         {console}[[device]]\nid = \"scanner-1\"\nprofile = \"scanner/generic-serial\"\nendpoint = {endpoint:?}\n"
    )
}

async fn measure(
    args: &Args,
    directory: &Path,
    clock: &Clock,
    stop: CancellationToken,
) -> anyhow::Result<Percentiles> {
    let mut line = PtyLine::open(&directory.join("scanner"))?;
    let text = configuration(&line.endpoint(), "data", false);
    let loaded = config::load_text(&text, Path::new("bench.toml"), directory, None)
        .map_err(|refused| anyhow::anyhow!("the benchmark's own configuration: {:?}", refused.diagnostics))?;
    let app = App::build(loaded).await?;
    let journal = app.journal().clone();
    let stop_app = stop.child_token();
    let running = app.run(stop_app.clone());
    let scan = async {
        let measured = scan_all(args, &mut line, &journal, clock).await;
        stop_app.cancel();
        measured
    };
    let (ended, measured) = tokio::join!(running, scan);
    ended?;
    measured
}

/// Writes the codes at their rate and waits for each on disk. A code is written whole, terminator last.
async fn scan_all(args: &Args, line: &mut PtyLine, journal: &Journal, clock: &Clock) -> anyhow::Result<Percentiles> {
    line.wait_until_held(LOST_AFTER).await?;
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
                line.write(format!("{code}\r").as_bytes()).await?;
                written.insert(code, clock.now());
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
    Ok(Percentiles::of(samples))
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
        println!("{}", serde_json::to_string_pretty(answer)?);
        return Ok(());
    }
    let Answer { rate_per_s, byte_in_to_durable: road, fdatasync_4k: disk, idle, load, .. } = answer;
    println!("load {} on {} cores", load.load_1min, load.cores);
    println!(
        "last byte to durable event, {} codes at {rate_per_s}/s: p50 {} us, p99 {} us, max {} us",
        road.count, road.p50_us, road.p99_us, road.max_us
    );
    println!(
        "fdatasync of 4 KiB on the same disk: p50 {} us, p99 {} us; ratio of the medians {:.2}",
        disk.p50_us, disk.p99_us, answer.ratio_to_fdatasync_p50
    );
    println!(
        "idle daemon: ready after {:.1} ms, {} KiB resident ({} KiB anonymous), {:.2} % of a core over {} s",
        idle.start_to_ready_ms, idle.rss_kib, idle.rss_anonymous_kib, idle.cpu_percent, idle.idle_s
    );
    Ok(())
}
