//! `smartstore footfall`: captures through the pipeline that counts in the shop, and a site's calibration.

mod calibrate;
mod captures;
mod opt_out;
mod replay;
mod windows;

use std::process::ExitCode;
use std::time::Duration;

use super::exit::{Exit, tell};
use crate::sense::footfall::Key;
use crate::types::units::parse_duration;

/// Arguments of `footfall`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Count what was captured, window by window.
    #[command(
        after_help = "Example:\n  smartstore footfall replay door.pcap --calibration door.toml --window 600s --json"
    )]
    Replay(replay::Args),
    /// Learn from counts of people how many of them what is heard stands for.
    #[command(after_help = "Examples:\n  smartstore footfall calibrate --truth counts.csv door.pcap -o door.toml\n  \
                      smartstore footfall calibrate --truth counts.csv --windows events.jsonl -o door.toml")]
    Calibrate(calibrate::Args),
    /// Keep the list of devices whose owners do not want to be counted.
    #[command(after_help = "Example:\n  smartstore footfall opt-out data/opt-out.txt add 28:6c:07:71:eb:5f")]
    OptOut(opt_out::Args),
}

pub(super) fn run(args: &Args) -> ExitCode {
    let done = match &args.what {
        What::Replay(args) => replay::run(args),
        What::Calibrate(args) => calibrate::run(args),
        What::OptOut(args) => opt_out::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(error.as_ref());
            Exit::Failed.into()
        }
    }
}

/// A key that nobody will ever know again.
pub(super) fn key() -> anyhow::Result<Key> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random key: {error}"))?;
    Ok(Key::new(random))
}

/// `600s`, `10min`: whole seconds, up to a day.
fn window(text: &str) -> Result<Duration, String> {
    let window = parse_duration(text).map_err(|error| error.to_string())?;
    let is_whole = window.subsec_nanos() == 0;
    let fits = is_whole && (1..=86_400).contains(&window.as_secs());
    if fits { Ok(window) } else { Err("a window lasts 1s to 1d, in whole seconds".to_owned()) }
}
