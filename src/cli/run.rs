//! `smartstore run`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;

use super::exit::{Exit, tell};
use super::until_told::{Told, until_told};
use crate::app::{App, AppError};
use crate::config;
use crate::observe::{LogFormat, init_logging};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where to look for device profiles first.
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
    /// Where the last good configuration is, should the file be broken beyond saying so itself. Without it: where a
    /// line `data_dir = …` of the file says, then `data` beside the file.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// What to log: `error`, `warn`, `info`, `debug`, or a filter such as `smartstore::uplink=debug`.
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log: String,
    /// Log as JSON, one object a line.
    #[arg(long)]
    log_json: bool,
}

pub(super) fn run(args: &Args) -> ExitCode {
    init_logging(&args.log, if args.log_json { LogFormat::Json } else { LogFormat::Text });
    let started = config::start(&args.config, args.profiles.as_deref(), args.data_dir.as_deref());
    let start = match super::check::tell_refused(started, &args.config) {
        Ok(start) => start,
        Err(exit) => return exit.into(),
    };
    match &start.refused {
        Some(refused) => {
            super::check::tell_mistakes(&refused.diagnostics, &refused.sources);
            let file = args.config.display();
            eprintln!("smartstore: {file} cannot be used: safe mode, on the last good configuration, without devices");
        }
        None => super::check::tell_mistakes(&start.loaded.warnings, &start.loaded.sources),
    }
    match until_told(async |stop| App::build(start).await?.run(stop).await) {
        Ok(Told::Ended(Ok(()))) | Ok(Told::Twice) => ExitCode::SUCCESS,
        Ok(Told::Ended(Err(error))) => {
            tell(&error);
            if matches!(error, AppError::Listen { .. }) { Exit::Unavailable.into() } else { Exit::Failed.into() }
        }
        Err(error) => {
            tell(&error);
            Exit::Failed.into()
        }
    }
}
