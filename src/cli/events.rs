//! `smartstore events`: the journal's events, of a running daemon too.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use super::exit::{Exit, tell};
use super::place::{Place, PlaceArgs};
use crate::journal::{JournalError, ReadOnly};
use crate::types::{Event, Row};
use crate::wire::cloud::{Source, type_and_data};

/// Events read from the journal at once.
const PAGE: usize = 500;
/// How often a followed journal is looked at; another process writes it, so nothing can wake us.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);

/// Arguments of `events`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    /// Go on with what happens from now on, until interrupted.
    #[arg(long)]
    follow: bool,
    /// Only events of this type: `scan.code` or `scan.code.v1`.
    #[arg(long = "type")]
    kind: Option<String>,
    /// Only events behind this row.
    #[arg(long, default_value_t = 0)]
    after: i64,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let place = match args.place.load() {
        Ok(place) => place,
        Err(exit) => return exit.into(),
    };
    match read(args, &place) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Pipe) => ExitCode::SUCCESS,
        Err(Stop::Journal(error)) => {
            tell(&error);
            Exit::Failed.into()
        }
    }
}

/// Why reading ended early.
enum Stop {
    /// Nobody reads our output any more.
    Pipe,
    /// The journal cannot be read.
    Journal(JournalError),
}

fn read(args: &Args, place: &Place) -> Result<(), Stop> {
    let journal = ReadOnly::open(&place.data_dir).map_err(Stop::Journal)?;
    let source = Source::new(&place.store, &place.gateway, journal.epoch());
    let mut out = std::io::stdout().lock();
    let mut row = Row(args.after);
    loop {
        let events = journal.after(row, PAGE).map_err(Stop::Journal)?;
        for event in &events {
            show(&mut out, args, &source, event).map_err(|_| Stop::Pipe)?;
            row = event.row;
        }
        if !events.is_empty() {
            continue;
        }
        out.flush().map_err(|_| Stop::Pipe)?;
        if !args.follow {
            return Ok(());
        }
        std::thread::sleep(FOLLOW_EVERY);
    }
}

fn show(out: &mut impl Write, args: &Args, source: &Source, event: &Event) -> std::io::Result<()> {
    let (kind, data) = type_and_data(event);
    let wanted = args.kind.as_deref().is_none_or(|wanted| kind == wanted || kind.strip_suffix(".v1") == Some(wanted));
    if !wanted {
        return Ok(());
    }
    if args.json {
        return writeln!(out, "{}", source.event_line(event));
    }
    let at = event.draft.at.wall;
    let about = event.draft.device.as_ref().map_or("gateway", |device| device.as_str());
    writeln!(out, "{:>8}  {at}  {kind:<22} {about:<16} {data}", event.row.0)
}
