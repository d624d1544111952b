//! `smartstore journal`: depths, integrity and export.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::exit::{Exit, tell};
use super::place::{Place, PlaceArgs};
use crate::clock::{Clock, Trust};
use crate::journal::{JournalError, ReadOnly, Stats};
use crate::types::Row;
use crate::uplink::{USAGE_OWNER, Usage, usage_of_day};
use crate::wire::cloud::Source;

/// Events exported at once.
const PAGE: usize = 500;

/// Arguments of `journal`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Depth per class, oldest unsent event, size.
    Stats {
        #[command(flatten)]
        place: PlaceArgs,
        /// Answer as one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Check the file, every checksum, every event and the numbering.
    Verify {
        #[command(flatten)]
        place: PlaceArgs,
        /// Answer as one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Write every event as a line of JSON.
    Export {
        #[command(flatten)]
        place: PlaceArgs,
        /// The file to write; standard output without it.
        #[arg(short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// What went wrong, and what it means for the exit code.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("cannot read the journal")]
    Journal(#[from] JournalError),
    #[error("cannot write {path}")]
    Output {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot write the answer")]
    Encode(#[from] serde_json::Error),
}

pub(super) fn run(args: &Args) -> ExitCode {
    let (What::Stats { place, .. } | What::Verify { place, .. } | What::Export { place, .. }) = &args.what;
    let place = match place.load() {
        Ok(place) => place,
        Err(exit) => return exit.into(),
    };
    let done = match &args.what {
        What::Stats { json, .. } => stats(&place, *json),
        What::Verify { json, .. } => verify(&place, *json),
        What::Export { output, .. } => export(&place, output.as_deref()),
    };
    done.unwrap_or_else(|trouble| {
        tell(&trouble);
        Exit::Failed.into()
    })
}

#[derive(Serialize)]
struct StatsAnswer {
    epoch: String,
    file_bytes: u64,
    used_bytes: u64,
    wal_bytes: u64,
    open_commands: u64,
    classes: Vec<ClassAnswer>,
    usage: Vec<UsageAnswer>,
}

/// What the line to the cloud carried on a day (UTC).
#[derive(Serialize)]
struct UsageAnswer {
    day: String,
    up_bytes: u64,
    down_bytes: u64,
}

#[derive(Serialize)]
struct ClassAnswer {
    class: &'static str,
    stored: u64,
    unsent: u64,
    oldest_unsent: Option<String>,
    first_seq: u64,
    last_seq: u64,
}

impl StatsAnswer {
    fn new(journal: &ReadOnly, stats: &Stats, kept: &[(String, Vec<u8>)]) -> Self {
        let usage = kept.iter().filter_map(|(key, value)| usage_of_day(key, value));
        let usage = usage.map(|(day, Usage { up_bytes, down_bytes })| UsageAnswer { day, up_bytes, down_bytes });
        let classes = stats.classes.iter().map(|class| ClassAnswer {
            class: class.class.as_str(),
            stored: class.stored,
            unsent: class.unsent,
            oldest_unsent: class.oldest_unsent.map(|at| at.to_string()),
            first_seq: class.first_seq.0,
            last_seq: class.last_seq.0,
        });
        Self {
            epoch: journal.epoch().to_string(),
            file_bytes: stats.file_bytes,
            used_bytes: stats.used_bytes,
            wal_bytes: stats.wal_bytes,
            open_commands: stats.open_commands,
            classes: classes.collect(),
            usage: usage.collect(),
        }
    }
}

fn stats(place: &Place, json: bool) -> Result<ExitCode, Trouble> {
    let journal = ReadOnly::open(&place.data_dir)?;
    let (now, _) = Clock::system(Trust::Kernel).wall();
    let answer = StatsAnswer::new(&journal, &journal.stats()?, &journal.states(USAGE_OWNER, "", now)?);
    if json {
        say!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(ExitCode::SUCCESS);
    }
    say!("{:<10} {:>9} {:>9}  {:<24} {:>9} {:>9}", "class", "stored", "unsent", "oldest unsent", "first", "last");
    for class in &answer.classes {
        let ClassAnswer { class, stored, unsent, oldest_unsent, first_seq, last_seq } = class;
        let oldest = oldest_unsent.as_deref().unwrap_or("-");
        say!("{class:<10} {stored:>9} {unsent:>9}  {oldest:<24} {first_seq:>9} {last_seq:>9}");
    }
    let StatsAnswer { epoch, file_bytes, used_bytes, wal_bytes, open_commands, .. } = &answer;
    say!("epoch {epoch}, {open_commands} open commands");
    say!("{file_bytes} bytes on disk, {used_bytes} in use, {wal_bytes} in the write-ahead log");
    for UsageAnswer { day, up_bytes, down_bytes } in &answer.usage {
        say!("{day} (UTC): {up_bytes} bytes to the cloud, {down_bytes} from it");
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct VerifyAnswer {
    events: u64,
    findings: Vec<String>,
}

fn verify(place: &Place, json: bool) -> Result<ExitCode, Trouble> {
    let verdict = ReadOnly::open(&place.data_dir)?.verify()?;
    let findings: Vec<_> = verdict.findings.iter().map(ToString::to_string).collect();
    let answer = VerifyAnswer { events: verdict.events, findings };
    if json {
        say!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        answer.findings.iter().for_each(|finding| say!("{finding}"));
        say!("{} events are sound, {} findings", answer.events, answer.findings.len());
    }
    Ok(if answer.findings.is_empty() { ExitCode::SUCCESS } else { Exit::Failed.into() })
}

fn export(place: &Place, output: Option<&Path>) -> Result<ExitCode, Trouble> {
    let journal = ReadOnly::open(&place.data_dir)?;
    let source = Source::new(&place.store, &place.gateway, journal.epoch());
    let shown = output.map_or("standard output".to_owned(), |path| path.display().to_string());
    let failed = |source| Trouble::Output { path: shown.clone(), source };
    let mut out: Box<dyn Write> = match output {
        Some(path) => Box::new(BufWriter::new(File::create(path).map_err(failed)?)),
        None => Box::new(BufWriter::new(std::io::stdout().lock())),
    };
    let mut row = Row(0);
    loop {
        let events = journal.after(row, PAGE)?;
        let Some(last) = events.last() else { break };
        row = last.row;
        for event in &events {
            writeln!(out, "{}", source.event_line(event)).map_err(failed)?;
        }
    }
    out.flush().map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}
