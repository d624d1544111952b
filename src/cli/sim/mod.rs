//! `smartstore sim`: the other end of one device, at the end of something real.

mod camera;
mod codes;
mod probe;
mod screen;
mod vmc;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

pub(super) use codes::{GRAMMARS, code};

use super::exit::{Exit, tell};
use super::until_told::{Told, until_told};
use crate::clock::{Clock, Trust};
use crate::sim::broker::{Broker, Limits};
use crate::sim::pty::ScannerPty;
use crate::sim::scanner::{Answers, Do, Scanner, Setup};
use crate::wire::scan::Terminator;

/// How long after the gateway has opened the line its driver surely reads.
pub(super) const SETTLED: Duration = Duration::from_millis(150);

/// Arguments of `sim`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// A GM65 scanner behind a pseudo-terminal. The first line printed is its endpoint.
    #[command(after_help = "Example: smartstore sim scanner --link /run/scanner-1 --rate 5 --count 100")]
    Scanner(ScannerArgs),
    /// A vending machine behind a pseudo-terminal. The first line printed is its endpoint; then what really happens,
    /// as JSON lines.
    Vmc(vmc::Args),
    /// A crowd with phones, for a WiFi probe to hear. The first line printed is the endpoint; then who really comes and
    /// under which addresses their phones speak, as JSON lines.
    Probe(probe::Args),
    /// A network camera (MJPEG over HTTP, or H.264 over RTSP) before which drawn people walk, or that plays a folder.
    /// The first line printed is the endpoint; then who really came, as JSON lines.
    Camera(camera::Args),
    /// A screen's page without a browser: it follows its program, proves what it plays, and answers what it is asked to
    /// show. The first line printed is `screen:`; the last says what was played, as JSON.
    Screen(screen::Args),
    /// A small MQTT 5 broker on plain TCP, for demo and tests only. The first line printed is its address.
    #[command(after_help = "Example: smartstore sim broker --listen 127.0.0.1:1883")]
    Broker(BrokerArgs),
}

#[derive(Debug, clap::Args)]
struct ScannerArgs {
    /// Where the line's path shall be (a symlink).
    #[arg(long, value_name = "PATH", default_value = "scanner")]
    link: PathBuf,
    /// Codes a second.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// Codes in all; without it, until interrupted.
    #[arg(long)]
    count: Option<u64>,
    /// Send these codes, in turn, instead of one of every kind.
    #[arg(long = "code", value_name = "TEXT")]
    codes: Vec<String>,
    /// Answer no commands.
    #[arg(long)]
    mute: bool,
}

#[derive(Debug, clap::Args)]
struct BrokerArgs {
    /// Where to listen; port 0 chooses a free one. Loopback only.
    #[arg(long, default_value = "127.0.0.1:1883")]
    listen: SocketAddr,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let ended = match &args.what {
        What::Scanner(args) => until_told(async |stop| scanner(args, stop).await),
        What::Vmc(args) => until_told(async |stop| vmc::run(args, stop).await),
        What::Probe(args) => until_told(async |stop| probe::run(args, stop).await),
        What::Camera(args) => until_told(async |stop| camera::run(args, stop).await),
        What::Screen(args) => until_told(async |stop| screen::run(args, stop).await),
        What::Broker(args) if !args.listen.ip().is_loopback() => {
            eprintln!("smartstore: this broker knows no login: it listens on loopback only");
            return Exit::Usage.into();
        }
        What::Broker(args) => until_told(async |stop| broker(args, stop).await),
    };
    match ended.map_err(anyhow::Error::from) {
        Ok(Told::Twice | Told::Ended(Ok(()))) => ExitCode::SUCCESS,
        Ok(Told::Ended(Err(error))) | Err(error) => {
            tell(error.as_ref());
            Exit::Failed.into()
        }
    }
}

async fn broker(args: &BrokerArgs, stop: CancellationToken) -> anyhow::Result<()> {
    let broker = Broker::bind(args.listen, Limits::default(), Clock::system(Trust::Trusted)).await?;
    say!("{}", broker.url());
    stop.cancelled().await;
    Ok(())
}

async fn scanner(args: &ScannerArgs, stop: CancellationToken) -> anyhow::Result<()> {
    let link = std::path::absolute(&args.link).context("the link's path")?;
    let answers = if args.mute { Answers::Never } else { Answers::Crc };
    let scanner = Scanner::new(Setup { terminator: Terminator::Cr, answers, aim_ids: false });
    let (mut knobs, pty) = ScannerPty::new(&link, Some(9600), scanner, Clock::system(Trust::Trusted))
        .with_context(|| format!("cannot make the line {}", link.display()))?;
    say!("serial:{}", link.display());
    let stop_pty = stop.clone();
    let running = async move { pty.run(stop_pty).await.context("the line failed") };
    let scan = async {
        let sent = tokio::select! {
            () = stop.cancelled() => Ok(()),
            sent = scan_all(args, &mut knobs) => sent,
        };
        // What was ordered shall be read before the line goes.
        let _ = tokio::time::timeout(Duration::from_secs(10), all_read(&mut knobs, 0)).await;
        eprintln!("{} codes sent", knobs.progress().sent);
        stop.cancel();
        sent
    };
    let (ran, scanned) = tokio::join!(running, scan);
    ran.and(scanned)
}

async fn scan_all(args: &ScannerArgs, knobs: &mut crate::sim::pty::Knobs) -> anyhow::Result<()> {
    eprintln!("waiting until somebody opens the line");
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while knobs.line_baud().is_none() {
        look.tick().await;
    }
    tokio::time::sleep(SETTLED).await;
    let mut tick = tokio::time::interval(Duration::from_secs(1) / args.rate);
    let mut ordered = knobs.progress().orders;
    for number in 0..args.count.unwrap_or(u64::MAX) {
        tick.tick().await;
        let mut print = code(number);
        if !args.codes.is_empty() {
            let place = usize::try_from(number % args.codes.len() as u64)?;
            print.text.clone_from(&args.codes[place]);
        }
        if !knobs.act(Do::Scan(print)).await {
            break;
        }
        ordered += 1;
    }
    all_read(knobs, ordered).await
}

/// Waits until so many orders have been carried out and everything that was sent has been read by the gateway.
async fn all_read(knobs: &mut crate::sim::pty::Knobs, ordered: u64) -> anyhow::Result<()> {
    knobs.wait_until(|progress| progress.orders >= ordered && progress.queued == 0).await;
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while knobs.unread()? > 0 {
        look.tick().await;
    }
    Ok(())
}
