//! `smartstore sim probe`: a crowd with phones, its hidden truth on stdout.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Trust};
use crate::sim::probe::{Crowd, FormOf, Outlet, Pace, Setup, Totals, play};
use crate::types::units::parse_duration;

/// When a capture file's crowd begins unless it is said: 2026-11-22T02:00:00Z.
const FROM: &str = "2026-11-22T02:00:00Z";
/// A flood is this much of a crowd, in microseconds, again and again.
const FLOOD_US: i64 = 3_600_000_000;
/// How long a TAP interface outlives its crowd.
const LINGER: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("outlet").required(true),
    after_help = "Examples:\n  smartstore sim probe --tap mon0 --people 6            (root)\n  \
        smartstore sim probe --pcap crowd.pcap --for 1h\n  smartstore sim probe --udp 127.0.0.1:9002 --speed 10"
)]
pub(super) struct Args {
    /// Make this network interface, of link type 803, and play to whoever listens there.
    #[arg(long, value_name = "NAME", group = "outlet")]
    tap: Option<String>,
    /// Write a capture file, at once.
    #[arg(long, value_name = "FILE", group = "outlet")]
    pcap: Option<PathBuf>,
    /// Send a TZ006's datagrams there.
    #[arg(long, value_name = "HOST:PORT", group = "outlet")]
    udp: Option<String>,
    /// Be a TZ001 behind a pseudo-terminal under this path (a symlink).
    #[arg(long, value_name = "PATH", group = "outlet")]
    link: Option<PathBuf>,
    /// Push a DS-006's lists there, every half second.
    #[arg(long, value_name = "ADDR/PATH", group = "outlet")]
    post: Option<String>,
    /// Push lists as a form field, not as JSON.
    #[arg(long, requires = "post")]
    form: bool,
    /// The name that a box gives itself.
    #[arg(long = "box", value_name = "ID", default_value = "48cd02")]
    name: String,
    /// Seed of its chances.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// People who come in a minute, on the average.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    people: u32,
    /// How long the crowd goes on, in its own time.
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = parse_duration)]
    length: Duration,
    /// How many times as fast as real time.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    speed: u32,
    /// So many frames a second instead, whenever the crowd would have sent them, the same hour of it again and again;
    /// `--for` is real time then.
    #[arg(long, value_name = "FRAMES", conflicts_with = "speed", value_parser = a_second())]
    flood: Option<u32>,
    /// How long to wait before the crowd begins, so that somebody may listen.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    wait: Duration,
    /// When a capture file's crowd begins.
    #[arg(long, value_name = "TIME", default_value = FROM, requires = "pcap")]
    from: crate::types::Timestamp,
}

fn a_second() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=1_000_000)
}

pub(super) async fn run(args: &Args, stop: CancellationToken) -> anyhow::Result<()> {
    let clock = Clock::system(Trust::Trusted);
    let (mut outlet, endpoint) = outlet(args).await?;
    say!("{endpoint}");
    tokio::time::sleep(args.wait).await;
    let whole_us = i64::try_from(args.length.as_micros()).unwrap_or(i64::MAX);
    let (pace, length_us) = match args.flood {
        Some(per_s) => {
            let frames = u64::from(per_s) * args.length.as_millis().try_into().unwrap_or(u64::MAX) / 1000;
            (Pace::Flood { per_s, frames }, FLOOD_US)
        }
        None if args.pcap.is_some() => (Pace::AtOnce, whole_us),
        None => (Pace::Times(args.speed), whole_us),
    };
    let crowd = Crowd::new(Setup { seed: args.seed, people_per_min: args.people, length_us });
    let tells = args.flood.is_none();
    let tell = |truth: &crate::sim::probe::Truth| {
        if tells {
            tell_line(truth);
        }
    };
    let totals: Totals = play(crowd, &mut outlet, pace, &clock, &stop, tell).await?;
    if args.tap.is_some() {
        // What was played last is heard before the interface goes.
        tokio::time::sleep(LINGER).await;
    }
    tell_line(&totals);
    Ok(())
}

fn tell_line(what: &impl serde::Serialize) {
    if let Ok(line) = serde_json::to_string(what) {
        say!("{line}");
    }
}

/// The outlet, and what the gateway calls it.
async fn outlet(args: &Args) -> anyhow::Result<(Outlet, String)> {
    if let Some(name) = &args.tap {
        return Ok((Outlet::tap(name)?, format!("wifi:{name}")));
    }
    if let Some(path) = &args.pcap {
        let from_us = args.from.unix_ms().saturating_mul(1000);
        return Ok((Outlet::pcap(path, from_us)?, format!("pcap:{}", path.display())));
    }
    if let Some(to) = &args.udp {
        return Ok((Outlet::datagrams(to, &args.name).await?, format!("udp:{to}")));
    }
    if let Some(path) = &args.link {
        let path = std::path::absolute(path).context("the link's path")?;
        return Ok((Outlet::line(&path)?, format!("serial:{}", path.display())));
    }
    let Some(to) = &args.post else { bail!("nowhere to go") };
    let (address, path) = to.split_once('/').context("an address and a path, such as 127.0.0.1:8481/datasky")?;
    let address: SocketAddr = address.parse().context("an IP address and a port")?;
    let form = if args.form { FormOf::Form } else { FormOf::Json };
    Ok((Outlet::push(address, &format!("/{path}"), form, &args.name), format!("post:{to}")))
}
