//! `smartstore sale`: sales that wait, and what a person says became of them.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use super::exit::{Exit, tell};
use super::place::{Place, PlaceArgs};
use crate::app::SaleResolution;
use crate::clock::{Clock, Trust};
use crate::console::WaitingSale;
use crate::flow::Ledger;
use crate::journal::{JournalError, ReadOnly};
use crate::types::{Body, CommandId, DeviceId, Ended, Observation, Resolution, Row, SaleId};

/// How long a running gateway may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// How often its journal is looked at for the answer.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const PAGE: usize = 1000;

/// Arguments of `sale`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Sales that wait: unresolved ones for a person, refunding ones for their money to be back.
    List {
        #[command(flatten)]
        place: PlaceArgs,
        /// Answer as one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Say what became of an unresolved sale. It is kept with your name.
    Resolve {
        /// The sale, as `sale list` names it.
        #[arg(value_name = "SALE", value_parser = sale_id)]
        sale: SaleId,
        /// "dispensed": the shopper has the product. "refunded": they have not, and get their money back.
        #[arg(long = "as", value_name = "WHAT", value_parser = resolution)]
        resolution: Resolution,
        /// Who says so.
        #[arg(long, value_name = "NAME", value_parser = name)]
        by: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

fn sale_id(word: &str) -> Result<SaleId, String> {
    SaleId::new(word).map_err(|_| "no sale has such a name; see `smartstore sale list`".to_owned())
}

fn resolution(word: &str) -> Result<Resolution, String> {
    Resolution::parse(word).ok_or_else(|| "write `dispensed` or `refunded`".to_owned())
}

fn name(word: &str) -> Result<String, String> {
    if SaleResolution::is_name(word) { Ok(word.to_owned()) } else { Err("write 1 to 64 characters".to_owned()) }
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("cannot read the journal")]
    Journal(#[from] JournalError),
    #[error("cannot leave the request for the gateway in {path}")]
    Leave {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("no sale {0} waits for a person; `smartstore sale list` names those that do")]
    NotWaiting(SaleId),
    #[error("the gateway has refused: {0}")]
    Refused(String),
    #[error("the gateway has not answered: it will do it when it runs")]
    NoAnswer,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let (What::List { place, .. } | What::Resolve { place, .. }) = &args.what;
    let place = match place.load() {
        Ok(place) => place,
        Err(exit) => return exit.into(),
    };
    let done = match &args.what {
        What::List { json, .. } => list(&place, *json),
        What::Resolve { sale, resolution, by, .. } => resolve(&place, sale, *resolution, by),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            tell(&trouble);
            if matches!(trouble, Trouble::NoAnswer) { Exit::Unavailable.into() } else { Exit::Failed.into() }
        }
    }
}

fn list(place: &Place, json: bool) -> Result<(), Trouble> {
    let waiting = waiting(place)?;
    if json {
        let text = serde_json::to_string_pretty(&waiting).unwrap_or_default();
        say!("{text}");
        return Ok(());
    }
    for WaitingSale { sale, machine, stage, slot, price_minor, currency, reason, .. } in &waiting {
        let slot = slot.map_or_else(|| "-".to_owned(), |slot| slot.to_string());
        let reason = reason.as_deref().unwrap_or("-");
        say!("{sale}  {machine}  {stage:<10}  lane {slot:>4}  {price_minor:>8} {currency}  {reason}");
    }
    if waiting.is_empty() {
        say!("no sale waits");
    }
    Ok(())
}

/// The sales that wait, of every machine that the journal knows a ledger of.
fn waiting(place: &Place) -> Result<Vec<WaitingSale>, Trouble> {
    let journal = ReadOnly::open(&place.data_dir)?;
    let (now, _) = Clock::system(Trust::Kernel).wall();
    let mut waiting = Vec::new();
    for machine in machines(&journal)? {
        let (owner, mut after) = (Ledger::name_of(&machine), String::new());
        // What begins with `z/` is over.
        while after.as_str() < "b" {
            let page = journal.states(&owner, &after, now)?;
            let Some((last, _)) = page.last() else { break };
            after.clone_from(last);
            let found = page.iter().filter_map(|(key, value)| Ledger::waiting(key, value));
            waiting.extend(found.map(|found| WaitingSale::new(&machine, found)));
        }
    }
    waiting.retain(|sale| sale.stage != "dispatched");
    Ok(waiting)
}

/// Every machine that a sale was ever made on here, whatever the configuration says of it today.
fn machines(journal: &ReadOnly) -> Result<BTreeSet<DeviceId>, Trouble> {
    let owners = journal.owners()?;
    Ok(owners.iter().filter_map(|owner| Ledger::machine_of(owner)).collect())
}

fn resolve(place: &Place, sale: &SaleId, resolution: Resolution, by: &str) -> Result<(), Trouble> {
    let unresolved = |waiting: &WaitingSale| waiting.sale == sale.as_str() && waiting.stage == "unresolved";
    if !waiting(place)?.iter().any(unresolved) {
        return Err(Trouble::NotWaiting(sale.clone()));
    }
    let clock = Clock::system(Trust::Kernel);
    let text = format!("local.{}", clock.random_uuid());
    let Ok(id) = CommandId::new(&text) else { return Err(Trouble::NoAnswer) };
    let journal = ReadOnly::open(&place.data_dir)?;
    let mut row = journal.last_row()?;
    let request = SaleResolution { id: id.clone(), sale: sale.clone(), resolution, by: by.to_owned() };
    let path = place.data_dir.display().to_string();
    request.leave(&place.data_dir).map_err(|source| Trouble::Leave { path, source })?;
    let until = clock.now() + ANSWER;
    while clock.now() < until {
        match ended(&journal, &mut row, &id)? {
            Some(Ended::Done) => {
                say!("{sale}: {} (said by {by})", resolution.as_str());
                return Ok(());
            }
            Some(other) => {
                let why = other.reason().map_or_else(|| other.as_str().to_owned(), ToString::to_string);
                return Err(Trouble::Refused(why));
            }
            None => std::thread::sleep(LOOK_EVERY),
        }
    }
    Err(Trouble::NoAnswer)
}

/// How the command has ended, if that is behind `row`.
fn ended(journal: &ReadOnly, row: &mut Row, id: &CommandId) -> Result<Option<Ended>, Trouble> {
    loop {
        let page = journal.after(*row, PAGE)?;
        let Some(last) = page.last() else { return Ok(None) };
        *row = last.row;
        let found = page.into_iter().find_map(|event| match event.draft.body {
            Body::Observed(Observation::Ended(outcome)) if outcome.command == *id => Some(outcome.ended),
            _ => None,
        });
        if found.is_some() {
            return Ok(found);
        }
    }
}
