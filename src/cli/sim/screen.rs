//! `smartstore sim screen`: a screen's page without a browser, what it played on stdout.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Trust};
use crate::sim::screen::ScreenPage;
use crate::types::Timestamp;
use crate::types::units::parse_duration;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  smartstore sim screen http://127.0.0.1:8480/s/screen-1 --for 60s\n  \
        smartstore sim screen http://127.0.0.1:8480/s/screen-1 --clock 2026-11-20T00:00:00Z --for 72h")]
pub(super) struct Args {
    /// The page's address.
    #[arg(value_name = "URL", value_parser = url)]
    url: String,
    /// Begin at this time (RFC 3339) and play as fast as the gateway takes it, instead of by the wall clock.
    #[arg(long, value_name = "TIME", value_parser = time)]
    clock: Option<Timestamp>,
    /// How long.
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    length: Duration,
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse::<Timestamp>().map_err(|error| error.to_string())
}

fn url(text: &str) -> Result<String, String> {
    let is_page = text.starts_with("http://") && text.contains("/s/");
    if is_page { Ok(text.to_owned()) } else { Err("such as http://127.0.0.1:8480/s/screen-1".to_owned()) }
}

pub(super) async fn run(args: &Args, stop: CancellationToken) -> anyhow::Result<()> {
    let mut page = ScreenPage::new(&args.url, Clock::system(Trust::Trusted))?;
    say!("screen:");
    match args.clock {
        Some(from) => {
            tokio::select! {
                () = stop.cancelled() => {}
                _ = page.play_fast(from, args.length) => {}
            }
        }
        None => {
            let limit = tokio::time::timeout(args.length, page.play());
            tokio::select! {
                () = stop.cancelled() => {}
                _ = limit => {}
            }
        }
    }
    say!("{}", serde_json::to_string(&page.truth())?);
    Ok(())
}
