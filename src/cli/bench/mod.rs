//! `smartstore bench`: repeatable measurements, each beside its limit in the same run.

mod figures;
mod idle;
mod scanner;

use std::process::ExitCode;

use super::exit::{Exit, tell};

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
    /// Durable events a second and commit latency, beside a bare `SQLite` loop.
    Journal(JournalArgs),
}

/// Arguments of `bench journal`.
#[derive(Debug, clap::Args)]
struct JournalArgs {
    /// Answer as one JSON document.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let done = match &args.what {
        What::Scanner(args) => scanner::run(args),
        What::Journal(args) => journal(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(error.as_ref());
            Exit::Failed.into()
        }
    }
}

fn journal(_args: &JournalArgs) -> anyhow::Result<()> {
    anyhow::bail!("not merged yet")
}
