//! `smartstore demo`: a whole store in one process, on embedded defaults.
//!
//! The daemon is the real one; only the other ends are ours: a scanner and a sampling machine behind pseudo-terminals
//! and a broker on loopback. Every member whose code is scanned is given a sample. The story pulls the scanner's cable,
//! disturbs its line and takes the broker away for a while. At the end three counts must agree: codes the scanner sent
//! (its own count of complete ones), codes in the journal, and codes that arrived at the broker; and two more: products
//! that fell in the machine, and products that the journal knows of. Beside it two screens play signed content,
//! somebody lifts things off a shelf, and, where the face networks are, somebody stands before a mirror.

mod mirror;
mod screens;
mod script;
mod tally;

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, tell};
use super::models::ModelsArgs;
use super::sim::GRAMMARS;
use super::until_told::{Told, until_told};
use crate::app::App;
use crate::clock::{Clock, Trust};
use crate::config;
use crate::observe::{LogFormat, init_logging};
use crate::sim::broker::{Broker, Limits};
use crate::sim::pty::{Knobs, ScannerPty};
use crate::sim::scanner::{Answers, Scanner, Setup};
use crate::sim::screen::Truth as Pages;
use crate::sim::vmc::{self, MachinePty, Truth, XySim};
use crate::wire::scan::Terminator;
use mirror::MirrorCorner;
use screens::Showcase;
use tally::{Counts, Tally};

/// Publishes the broker remembers between two looks.
const RECORD: usize = 100_000;
/// How long the backlog may take to drain after the last code.
const DRAIN: Duration = Duration::from_secs(30);

/// The machine: lanes, products in each, how long a motor turns.
const MACHINE: vmc::Setup =
    vmc::Setup { lanes: 6, stock: 60, price_minor: 350, turn: Duration::from_millis(600), seed: 1 };
/// FA FB's own speed.
const MACHINE_BAUD: u32 = 57_600;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How long, such as `60s` or `5min`; at least 10s.
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = duration)]
    run_for: Duration,
    /// Where to put journal, configuration and lines; kept. Without it, a temporary directory that is removed.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Where the console listens; port 0 chooses a free one. Loopback only.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8480")]
    listen: SocketAddr,
    #[command(flatten)]
    models: ModelsArgs,
}

fn duration(text: &str) -> Result<Duration, String> {
    let span = crate::types::units::parse_duration(text).map_err(|error| error.to_string())?;
    if span < Duration::from_secs(10) { Err("the story needs at least 10s".to_owned()) } else { Ok(span) }
}

pub(super) fn run(args: &Args) -> ExitCode {
    init_logging("warn", LogFormat::Text);
    match until_told(async |stop| demo(args, stop).await).map_err(anyhow::Error::from) {
        Ok(Told::Ended(Ok(true))) => ExitCode::SUCCESS,
        Ok(Told::Ended(Ok(false)) | Told::Twice) => Exit::Failed.into(),
        Ok(Told::Ended(Err(error))) | Err(error) => {
            tell(error.as_ref());
            Exit::Failed.into()
        }
    }
}

/// The other ends of everything.
struct World<'a> {
    broker: Broker,
    scanner: Knobs,
    /// Products that really fell.
    fell: &'a Cell<u64>,
    tally: Tally,
    clock: Clock,
}

/// Tells the story; `true`: the three counts agree.
async fn demo(args: &Args, stop: CancellationToken) -> anyhow::Result<bool> {
    let temporary = if args.dir.is_none() { Some(tempfile::tempdir()?) } else { None };
    let directory = match (&args.dir, &temporary) {
        (Some(directory), _) => std::path::absolute(directory)?,
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => anyhow::bail!("no directory"),
    };
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let clock = Clock::system(Trust::Trusted);
    let limits = Limits { record: RECORD, ..Limits::default() };
    let broker = Broker::bind(SocketAddr::from(([127, 0, 0, 1], 0)), limits, clock.clone()).await?;
    let link = directory.join("scanner-1");
    let setup = Setup { terminator: Terminator::Cr, answers: Answers::Crc, aim_ids: false };
    let (scanner, pty) = ScannerPty::new(&link, Some(9600), Scanner::new(setup), clock.clone())
        .with_context(|| format!("cannot make the scanner's line {}", link.display()))?;
    let machine_link = directory.join("machine-1");
    let machine = Box::new(XySim::new(MACHINE, clock.now()));
    let (_machine, machine_pty) = MachinePty::new(&machine_link, Some(MACHINE_BAUD), machine, clock.clone())
        .with_context(|| format!("cannot make the machine's line {}", machine_link.display()))?;
    let showcase = Showcase::prepare(&directory).await?;
    let mirror = MirrorCorner::prepare(&args.models).await?;
    let more = showcase.configuration() + &mirror.as_ref().map_or(String::new(), MirrorCorner::configuration);
    let models = mirror.as_ref().map(MirrorCorner::models);
    let app = App::build(configuration(args, &directory, (&broker.url(), models), &more)?).await?;
    let shown = (app.console_address(), app.journal().clone());
    announce(&app, &directory, &broker, [&link, &machine_link], mirror.is_some());
    let fell = Cell::new(0);
    let note = |truth| fell.set(fell.get() + u64::from(matches!(truth, Truth::Fell(_))));
    let world = World { broker, scanner, fell: &fell, tally: Tally::new(app.journal().clone()), clock: clock.clone() };
    let (stop_app, stop_pty) = (CancellationToken::new(), CancellationToken::new());
    let story = async {
        let told = script::tell_story(args.run_for, world, &stop).await;
        stop_app.cancel();
        stop_pty.cancel();
        told
    };
    let machine = machine_pty.run(stop_pty.clone(), note);
    let pages = showcase.run(shown.0, shown.1, clock, stop_pty.clone());
    let others = async { tokio::join!(pages, mirror::run(mirror, &stop_pty)) };
    let (ran, line, machine, (pages, filmed), told) =
        tokio::join!(app.run(stop_app.clone()), pty.run(stop_pty.clone()), machine, others, story);
    ran?;
    line.context("the scanner's line failed")?;
    machine.context("the machine's line failed")?;
    filmed?;
    Ok(summary(&told?, &pages.context("the screens failed")?))
}

fn configuration(
    args: &Args,
    directory: &Path,
    (broker, models): (&str, Option<&Path>),
    more: &str,
) -> anyhow::Result<config::Start> {
    let models = models.map_or(String::new(), |folder| format!("models_dir = \"{}\"\n", folder.display()));
    let text = format!(
        "[store]\nid = \"demo-store\"\ntimezone = \"Asia/Shanghai\"\n\n\
         [gateway]\nid = \"gw-1\"\nclock = \"trusted\"\n{models}\n\
         [cloud]\nbroker = {broker:?}\n\n[console]\nlisten = \"{}\"\n\n{GRAMMARS}\n{more}\
         [[device]]\nid = \"scanner-1\"\n\
         profile = \"scanner/gm65\"\nendpoint = \"serial:{}\"\n\n\
         [[device]]\nid = \"machine-1\"\nprofile = \"vending/xy-vmc\"\nendpoint = \"serial:{}\"\n\
         [device.settings]\ncurrency = \"CNY\"\n\n\
         [[station]]\nid = \"samples\"\nflow = \"sampling\"\nscanner = \"scanner-1\"\nmachine = \"machine-1\"\n\
         [station.settings]\nslots = [1, 2, 3, 4, 5, 6]\n",
        args.listen,
        directory.join("scanner-1").display(),
        directory.join("machine-1").display(),
    );
    let file = directory.join("store.toml");
    std::fs::write(&file, &text).with_context(|| format!("cannot write {}", file.display()))?;
    let loaded = config::load_text(&text, &file, directory, None).map_err(|refused| {
        anyhow::anyhow!(
            "the demo cannot be configured so:\n{}",
            config::text(&refused.diagnostics, &refused.sources, false)
        )
    })?;
    Ok(config::Start::with(loaded, &file, None))
}

fn announce(app: &App, directory: &Path, broker: &Broker, [scanner, machine]: [&Path; 2], has_mirror: bool) {
    if let Some(console) = app.console_address() {
        say!("console  http://{console}/");
        say!("screen   http://{console}/s/screen-1");
        say!("shelf    http://{console}/s/shelf-1   open it and touch it; somebody lifts things, too");
        match has_mirror {
            true => say!("mirror   http://{console}/s/mirror-1   somebody stands before it: try a shade on them"),
            false => say!("mirror   none: its networks are not here (smartstore models fetch)"),
        }
    }
    say!("broker   {}", broker.url());
    say!("scanner  serial:{}", scanner.display());
    say!("machine  serial:{}", machine.display());
    say!("files    {}", directory.display());
    say!("");
}

fn summary(counts: &Counts, pages: &Pages) -> bool {
    let Counts { sent, stored, delivered, repeated, fell, dispensed, .. } = *counts;
    say!("");
    say!("sent      {sent:>6}  complete codes that left the scanner");
    say!("stored    {stored:>6}  codes in the journal");
    say!("delivered {delivered:>6}  different codes at the broker, {repeated} of them came more than once");
    say!("samples   {fell:>6}  products that fell in the machine, {dispensed} of them in the journal");
    say!(
        "plays     {:>6}  showings that the screens' pages proved, {} things that they were asked to show",
        pages.taken,
        pages.shows
    );
    let agree = sent == stored && stored == delivered && sent > 0 && fell == dispensed && fell > 0;
    say!("{}", if agree { "nothing lost, nothing invented" } else { "THE COUNTS DO NOT AGREE" });
    agree
}
