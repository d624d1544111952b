//! How soon the poll of an FA FB machine is answered while the same daemon's journal is written to without a pause.
//!
//! The daemon is a process of its own. At its lines: a machine that polls every 200 ms, and scanners that never stop.
//! The time is the machine's: from its turn to say something to the last byte of the answer, by a thread of its own.
//! In a shop machine and scanners are other computers: the machine's thread goes before the daemon where the system
//! allows that, the scanners' goes behind it.
//! The limit in the same run, under the same load, is a second machine whose line the protocol's state machine answers
//! alone, without daemon, pump and journal.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::idle;
use crate::cli::until_told::{Told, until_told};
use crate::clock::{Clock, Trust};
use crate::journal::bench::{Percentiles, load, percentiles};
use crate::journal::{Journal, Settings};
use crate::sim::pty::{Knobs, ScannerPty};
use crate::sim::scanner::{Answers, Do, Print, Scanner};
use crate::sim::vmc::{MachinePty, Setup, Truth, XySim};
use crate::transport::{Parity, StopBits, TtySettings, open_tty};
use crate::types::Symbology;
use crate::wire::scan::Terminator;
use crate::wire::vmc::{VmcMachine, VmcSettings};
use crate::wire::{Input, Machine, Output};

/// The line's speed.
const BAUD: u32 = 57_600;
/// What an answer may take, at the 99th percentile.
const LIMIT: Duration = Duration::from_millis(20);
/// How long the daemon may take to open its lines, and to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// Thread priorities of the other computers (nice(2)).
const BEFORE: i32 = -10;
const BEHIND: i32 = 10;
/// How long the load runs before the measurement begins.
const WARM_UP: Duration = Duration::from_secs(2);

/// Arguments of `bench vmc`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How long to measure, in seconds; the machine polls five times in each.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Scanners that never stop; with 0 the journal has nothing to do.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(0..=8))]
    scanners: u16,
    /// Answer as one JSON document.
    #[arg(long)]
    json: bool,
    /// A directory on the disk to measure; the system's temporary one without it.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Answer {
    seconds: u64,
    scanners: u16,
    /// Events that became durable meanwhile, in a second.
    events_per_s: f64,
    daemon: Answered,
    /// The protocol's state machine alone.
    bare: Answered,
    limit_us: u64,
    /// Whether the daemon's 99th percentile is within the limit and no poll went without an answer.
    is_kept: bool,
    /// Load averages of 1, 5 and 15 minutes before and after.
    load: [String; 2],
}

#[derive(Debug, Serialize)]
struct Answered {
    polls: usize,
    poll_to_answer: Percentiles,
    /// Later than 100 ms, or not at all.
    unanswered: u64,
}

/// What a machine has seen.
#[derive(Debug, Default)]
struct Seen {
    answered: Vec<Duration>,
    unanswered: u64,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let directory = super::working_directory(args.dir.as_deref())?;
    let clock = Clock::system(Trust::Trusted);
    let before = load();
    let measured = until_told(async |stop| {
        tokio::select! {
            measured = measure(args, directory.path(), &clock, &stop) => measured,
            () = stop.cancelled() => Err(anyhow::anyhow!("interrupted")),
        }
    });
    let (daemon, bare, events) = match measured? {
        Told::Ended(measured) => measured?,
        Told::Twice => anyhow::bail!("interrupted"),
    };
    let limit_us = u64::try_from(LIMIT.as_micros()).unwrap_or(u64::MAX);
    #[expect(clippy::cast_precision_loss, reason = "events of some minutes")]
    let events_per_s = events as f64 / (args.seconds as f64 + WARM_UP.as_secs_f64());
    let is_kept = daemon.polls > 0 && daemon.poll_to_answer.p99 <= limit_us && daemon.unanswered == 0;
    let (seconds, scanners, load) = (args.seconds, args.scanners, [before, load()]);
    show(&Answer { seconds, scanners, events_per_s, daemon, bare, limit_us, is_kept, load }, args.json)
}

/// The daemon's answers, the bare machine's, and how many events became durable.
async fn measure(
    args: &Args,
    directory: &Path,
    clock: &Clock,
    stop: &CancellationToken,
) -> anyhow::Result<(Answered, Answered, u64)> {
    let ending = stop.child_token();
    let _at_the_end = ending.clone().drop_guard();
    let asked = Polling::start(&directory.join("machine"), clock, &ending)?;
    let bare = Polling::start(&directory.join("bare"), clock, &ending)?;
    let (path, now_clock, told) = (directory.join("bare"), clock.clone(), ending.clone());
    let answering = on_a_thread("bare", 0, async move || answer(&path, &now_clock, &told).await)?;
    let (start, started) = tokio::sync::oneshot::channel();
    let (place, now_clock, told, count) = (directory.to_owned(), clock.clone(), ending.clone(), args.scanners);
    let scanning =
        on_a_thread("scanners", BEHIND, async move || scan(&place, count, &now_clock, &told, started).await)?;
    let config = directory.join("bench.toml");
    std::fs::write(&config, configuration(directory, args.scanners))?;
    let (mut daemon, _) =
        tokio::task::block_in_place(|| idle::start(&config, clock)).context("the daemon did not become ready")?;
    asked.wait_for_an_answer("the daemon").await?;
    bare.wait_for_an_answer("the machine alone").await?;
    let _ = start.send(());
    tokio::time::sleep(WARM_UP).await;
    asked.forget();
    bare.forget();
    tokio::time::sleep(Duration::from_secs(args.seconds)).await;
    let (daemon_answered, bare_answered) = (asked.answered(), bare.answered());
    tokio::task::block_in_place(|| end(&mut daemon.0))?;
    ending.cancel();
    for thread in [asked.thread, bare.thread, answering, scanning] {
        thread.join().map_err(|_| anyhow::anyhow!("a thread of the measurement broke"))??;
    }
    let (journal, _) = Journal::open(Settings::new(directory.join("data")), clock.clone())?;
    let rows = u64::try_from(journal.head().borrow().row.0).unwrap_or_default();
    journal.close().await?;
    Ok((daemon_answered, bare_answered, rows))
}

fn scanner_path(directory: &Path, number: u16) -> PathBuf {
    directory.join(format!("scanner-{number}"))
}

fn configuration(directory: &Path, scanners: u16) -> String {
    let device = |id: &str, profile: &str, path: &Path| {
        format!("[[device]]\nid = \"{id}\"\nprofile = \"{profile}\"\nendpoint = \"serial:{}\"\n", path.display())
    };
    let scanner =
        |number| device(&format!("scanner-{number}"), "scanner/generic-serial", &scanner_path(directory, number));
    let scanners: String = (0..scanners).map(scanner).collect();
    let machine = device("vending-1", "vending/xy-vmc", &directory.join("machine"));
    let machine = format!("{machine}[device.settings]\ncurrency = \"CNY\"\n");
    format!(
        "[store]\nid = \"bench\"\ntimezone = \"UTC\"\n\
         [gateway]\nid = \"gw-1\"\ndata_dir = \"data\"\nclock = \"trusted\"\n{machine}{scanners}"
    )
}

/// A machine that polls, on a thread of its own.
struct Polling {
    seen: Arc<Mutex<Seen>>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Polling {
    fn start(link: &Path, clock: &Clock, stop: &CancellationToken) -> anyhow::Result<Self> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (noted, link, clock, stop) = (seen.clone(), link.to_owned(), clock.clone(), stop.clone());
        let (made, ready) = std::sync::mpsc::sync_channel(1);
        let thread = on_a_thread("machine", BEFORE, async move || {
            let machine = Box::new(XySim::new(Setup { lanes: 6, ..Setup::default() }, clock.now()));
            let (_knobs, pty) = MachinePty::new(&link, None, machine, clock)?;
            let _ = made.send(());
            pty.run(stop, |truth| note(&mut noted.lock().unwrap_or_else(PoisonError::into_inner), &truth)).await?;
            Ok(())
        })?;
        ready.recv().context("cannot make the machine's line")?;
        Ok(Self { seen, thread })
    }

    async fn wait_for_an_answer(&self, who: &str) -> anyhow::Result<()> {
        let answered = async {
            let mut look = tokio::time::interval(Duration::from_millis(20));
            while self.seen.lock().unwrap_or_else(PoisonError::into_inner).answered.is_empty() {
                look.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, answered).await.with_context(|| format!("{who} never answered a poll"))
    }

    fn forget(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen::default();
    }

    fn answered(&self) -> Answered {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        Answered { polls: seen.answered.len(), unanswered: seen.unanswered, poll_to_answer: percentiles(seen.answered) }
    }
}

fn note(seen: &mut Seen, truth: &Truth) {
    match truth {
        Truth::Answered(after) => seen.answered.push(*after),
        Truth::Unanswered => seen.unanswered += 1,
        _ => {}
    }
}

/// Runs something on a thread and a runtime of its own, so that nothing else of this process delays it.
fn on_a_thread<F>(name: &str, nice: i32, run: F) -> anyhow::Result<JoinHandle<anyhow::Result<()>>>
where
    F: AsyncFnOnce() -> anyhow::Result<()> + Send + 'static,
{
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Of this thread alone (setpriority(2)). Only root may go before others: else they are equal.
        let _ = rustix::process::setpriority_process(None, nice);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(run())
    });
    Ok(thread?)
}

/// Answers a machine with the protocol's state machine and nothing else.
async fn answer(path: &Path, clock: &Clock, stop: &CancellationToken) -> anyhow::Result<()> {
    let settings = TtySettings { baud: BAUD, parity: Parity::None, stop_bits: StopBits::One };
    let mut line = open_tty(path, settings).await.context("cannot open the bare machine's line")?;
    let mut machine = VmcMachine::new(VmcSettings::default(), 0, clock.now());
    let mut buffer = [0; 256];
    loop {
        while let Some(output) = machine.poll() {
            if let Output::Send(bytes) = output {
                line.write_all(&bytes).await?;
            }
        }
        let due = machine.deadline().unwrap_or_else(|| clock.now() + PATIENCE);
        let input = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            read = line.read(&mut buffer) => Input::Bytes(&buffer[..read?]),
            () = tokio::time::sleep_until(due.into()) => Input::Tick,
        };
        let Ok(()) = machine.handle(clock.now(), input);
    }
}

/// Scanners that never stop, from the moment they are told to begin. Their lines are there before.
async fn scan(
    directory: &Path,
    count: u16,
    clock: &Clock,
    stop: &CancellationToken,
    begin: tokio::sync::oneshot::Receiver<()>,
) -> anyhow::Result<()> {
    let setup = crate::sim::scanner::Setup { terminator: Terminator::Cr, answers: Answers::Never, aim_ids: false };
    let line = |number| {
        let scanner = Scanner::new(setup.clone());
        ScannerPty::new(&scanner_path(directory, number), None, scanner, clock.clone())
    };
    let made: Result<Vec<_>, _> = (0..count).map(line).collect();
    let (knobs, lines): (Vec<Knobs>, Vec<ScannerPty>) = made?.into_iter().unzip();
    let running = futures_util::future::join_all(lines.into_iter().map(|line| line.run(stop.clone())));
    let flood = async {
        let _ = begin.await;
        futures_util::future::join_all(knobs.iter().enumerate().map(|(number, knobs)| scan_on(number, knobs))).await
    };
    let (ran, _) = tokio::join!(running, flood);
    ran.into_iter().collect::<Result<(), _>>().context("a scanner's line failed")
}

/// Reads one code after the other as fast as the line takes them, never the same twice.
async fn scan_on(scanner: usize, knobs: &Knobs) {
    let symbology = Symbology { code: b'Q', modifier: b'1' };
    let mut number = 0_u64;
    while knobs.act(Do::Scan(Print { symbology, text: format!("BENCH{scanner}N{number:010}") })).await {
        number += 1;
    }
}

fn end(daemon: &mut Child) -> anyhow::Result<()> {
    let pid = i32::try_from(daemon.id()).ok().and_then(Pid::from_raw).context("the daemon's process id")?;
    kill_process(pid, Signal::TERM)?;
    daemon.wait().context("the daemon's end")?;
    Ok(())
}

fn show(answer: &Answer, json: bool) -> anyhow::Result<()> {
    if json {
        say!("{}", serde_json::to_string_pretty(answer)?);
        return Ok(());
    }
    let Answer { seconds, scanners, events_per_s, daemon, bare, limit_us, is_kept, load } = answer;
    say!("load before {}, after {}", load[0], load[1]);
    say!("{seconds} s, {scanners} scanners that never stop: {events_per_s:.0} events/s became durable");
    let line = |name: &str, answered: &Answered| {
        let Percentiles { p50, p90, p99, max } = &answered.poll_to_answer;
        let Answered { polls, unanswered, .. } = answered;
        say!(
            "{name:<28} {polls} polls, p50 {p50} us, p90 {p90} us, p99 {p99} us, max {max} us, {unanswered} unanswered"
        );
    };
    line("poll to answer, daemon", daemon);
    line("poll to answer, bare machine", bare);
    say!("limit: p99 {limit_us} us, nothing unanswered: {}", if *is_kept { "kept" } else { "BROKEN" });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_bare_machine_is_answered_in_time_on_a_real_line() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::system(Trust::Trusted);
        let stop = CancellationToken::new();
        let polling = Polling::start(&directory.path().join("bare"), &clock, &stop).unwrap();
        let (path, now_clock, told) = (directory.path().join("bare"), clock.clone(), stop.clone());
        let answering = on_a_thread("bare", 0, async move || answer(&path, &now_clock, &told).await).unwrap();
        polling.wait_for_an_answer("the machine alone").await.unwrap();
        let answered = polling.answered();
        stop.cancel();
        tokio::task::spawn_blocking(move || {
            polling.thread.join().unwrap().unwrap();
            answering.join().unwrap().unwrap();
        })
        .await
        .unwrap();
        assert!(answered.polls >= 1 && answered.poll_to_answer.max < 100_000, "{answered:?}");
    }

    #[test]
    fn the_daemons_configuration_names_every_line() {
        let text = configuration(Path::new("/bench"), 2);
        for line in ["/bench/machine", "/bench/scanner-0", "/bench/scanner-1"] {
            assert!(text.contains(&format!("endpoint = \"serial:{line}\"")), "{text}");
        }
        assert!(text.contains("profile = \"vending/xy-vmc\""));
    }
}
