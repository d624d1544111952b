//! `smartstore bench`: repeatable measurements, each beside its limit in the same run.

mod coupon;
#[cfg(feature = "onnx")]
mod face;
mod footfall;
mod idle;
mod scanner;
mod uplink;
mod vmc;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use super::exit::{Exit, tell};
use super::until_told::{Told, until_told};
use crate::clock::{Clock, Trust};
use crate::journal::bench::{self, Report};

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// From the last byte of a code on a serial line to its event on disk, and what an idle daemon costs.
    Scanner(scanner::Args),
    /// Verifying a coupon and asking whether it was redeemed, beside the bare signature check.
    Coupon(coupon::Args),
    /// Durable events a second and commit latency, beside a bare `SQLite` loop.
    Journal(JournalArgs),
    /// A backlog from the journal to a mosquitto, confirmed and deleted, beside a bridge and the client alone.
    Uplink(uplink::Args),
    /// Probe requests a second through the footfall counter, beside the bare walk over their elements; memory.
    Footfall(footfall::Args),
    /// The face networks and the whole way of a picture on one thread, beside onnxruntime if it is installed.
    #[cfg(feature = "onnx")]
    Face(face::Args),
    /// How soon the poll of a vending machine is answered while the journal is written to as fast as it can be.
    Vmc(vmc::Args),
}

/// Arguments of `bench journal`.
#[derive(Debug, clap::Args)]
struct JournalArgs {
    /// Commits per group size and side.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(5..=1_000_000))]
    commits: u64,
    /// A directory on the disk to measure; the system's temporary one without it.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Answer as one JSON document.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let done = match &args.what {
        What::Scanner(args) => scanner::run(args),
        What::Coupon(args) => coupon::run(args),
        What::Journal(args) => journal(args),
        What::Uplink(args) => uplink::run(args),
        What::Vmc(args) => vmc::run(args),
        What::Footfall(args) => footfall::run(args),
        #[cfg(feature = "onnx")]
        What::Face(args) => face::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(error.as_ref());
            Exit::Failed.into()
        }
    }
}

fn journal(args: &JournalArgs) -> anyhow::Result<()> {
    let directory = working_directory(args.dir.as_deref())?;
    let clock = Clock::system(Trust::Trusted);
    let measured = until_told(async |stop| {
        tokio::select! {
            report = bench::run(directory.path(), args.commits, &clock) => Some(report),
            () = stop.cancelled() => None,
        }
    });
    let Told::Ended(Some(report)) = measured? else { anyhow::bail!("interrupted") };
    let report = report?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        show_journal(&report);
    }
    Ok(())
}

fn show_journal(report: &Report) {
    let Report { event_bytes, fsync, alone_to_fsync, groups, form, load } = report;
    say!("load before {}, after {}", load[0], load[1]);
    say!(
        "fdatasync: of one frame over the log p50 {} us; of 4 KiB in one place {} us, appended {} us",
        fsync.log_us.p50,
        fsync.in_place_us.p50,
        fsync.append_us.p50
    );
    say!("one event alone, by the fsync of its frame: {alone_to_fsync:.2}");
    for group in groups {
        let (ours, bare) = (&group.journal, &group.bare);
        say!(
            "group {:>3}: {:>7.0} events/s durable, bare SQLite {:>7.0}, ratio {:.2}; \
             commit p50 {} us, p99 {} us, bare p50 {} us",
            group.group,
            ours.events_per_s,
            bare.events_per_s,
            group.ratio,
            ours.commit_us.p50,
            ours.commit_us.p99,
            bare.commit_us.p50
        );
        say!(
            "           {:.0} block bytes for an event of {event_bytes}, deletion included: {:.1}x",
            group.block_bytes_per_event,
            group.write_amplification
        );
    }
    say!("stored form: {:.0} encoded/s, {:.0} decoded/s", form.encoded_per_s, form.decoded_per_s);
}

/// A directory that is removed afterwards, on the disk that is to be measured.
fn working_directory(on: Option<&Path>) -> anyhow::Result<tempfile::TempDir> {
    let made = match on {
        Some(parent) => tempfile::tempdir_in(parent),
        None => tempfile::tempdir(),
    };
    made.context("cannot make a working directory")
}
