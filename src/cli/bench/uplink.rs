//! `smartstore bench uplink`: arguments and answer; the measurement is [`crate::uplink::bench`].

use std::path::{Path, PathBuf};

use crate::cli::until_told::{Told, until_told};
use crate::clock::{Clock, Trust};
use crate::uplink::bench::{self, Report, Run};

/// Arguments of `bench uplink`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Events of each side.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1_000..=1_000_000))]
    events: u64,
    /// Single events afterwards.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    live: u32,
    /// The broker's program; Debian's without it.
    #[arg(long, value_name = "FILE")]
    mosquitto: Option<PathBuf>,
    /// A directory on the disk to measure; the system's temporary one without it.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Answer as one JSON document.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let directory = super::working_directory(args.dir.as_deref())?;
    let clock = Clock::system(Trust::Trusted);
    let program = args.mosquitto.as_deref().unwrap_or_else(|| Path::new("/usr/sbin/mosquitto"));
    let measured = until_told(async |stop| {
        tokio::select! {
            report = bench::run(directory.path(), program, args.events, args.live, &clock) => Some(report),
            () = stop.cancelled() => None,
        }
    });
    let Told::Ended(Some(report)) = measured? else { anyhow::bail!("interrupted") };
    let report = report?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        show(&report);
    }
    Ok(())
}

fn show(report: &Report) {
    let Report { events, event_bytes, ours, drained_s, ours_single, bridge, bridge_bundled, limit, .. } = report;
    let Report { ratio_to_bridge, ratio_single, ratio_to_limit, live_us, load, .. } = report;
    say!("load before {}, after {}", load[0], load[1]);
    say!("{events} events of {event_bytes} bytes on the wire, to mosquitto with one subscriber");
    let line = |name: &str, run: &Run| {
        say!(
            "{name:<48} {:>8.0} events/s, {:>7.0} messages/s, {:.2} s",
            run.events_per_s,
            run.messages_per_s,
            run.seconds
        );
    };
    line("journal, in batches, confirmed and deleted", ours);
    line("journal, one event a message", ours_single);
    line("mosquitto bridge, one event a message", bridge);
    line("mosquitto bridge, bundled before they reach it", bridge_bundled);
    line("client crate, our batches from memory", limit);
    say!("the last of the batches was acknowledged after {drained_s:.2} s; what is longer is the deletion");
    say!("ratio to the bridge {ratio_to_bridge:.2}, one event a message both {ratio_single:.2}");
    say!("ratio to the limit {ratio_to_limit:.2}");
    say!(
        "one event, appended to confirmed: p50 {} us, p90 {} us, p99 {} us, max {} us",
        live_us.p50,
        live_us.p90,
        live_us.p99,
        live_us.max
    );
}
