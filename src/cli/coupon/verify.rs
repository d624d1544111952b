//! `smartstore coupon verify`.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;

use super::Claims;
use crate::cli::exit::Exit;
use crate::clock::{Clock, Trust};
use crate::types::{Counter, CouponClock, GatewayId, KeyRing, StoreId, Timestamp};
use crate::wire::cloud::parse_coupon_keys;
use crate::wire::coupon::{Refused, verify};

/// Most of standard input that is read, in bytes: no coupon is longer.
const INPUT_BYTES: u64 = 64 << 10;

/// Arguments of `coupon verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The coupon; `-`: standard input.
    coupon: String,
    /// The issuers' keys: the arguments of a `coupon.keys` command; may be given several times.
    #[arg(long, value_name = "FILE", required = true, num_args = 1)]
    keys: Vec<PathBuf>,
    /// The store where it is shown.
    #[arg(long, value_name = "ID", value_parser = |text: &str| StoreId::new(text))]
    store: StoreId,
    /// The gateway where it is shown.
    #[arg(long, value_name = "ID", value_parser = |text: &str| GatewayId::new(text))]
    gateway: GatewayId,
    /// When it is shown (RFC 3339); now without it.
    #[arg(long, value_name = "TIME", value_parser = super::time)]
    at: Option<Timestamp>,
    /// Answer as one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    verdict: &'static str,
    reason: Option<&'static str>,
    /// What it says; null when its signature is not good.
    claims: Option<Claims<'a>>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut ring = KeyRing::default();
    for file in &args.keys {
        let json = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let keys = parse_coupon_keys(&json);
        ring.add(keys.with_context(|| format!("{} does not hold the arguments of coupon.keys", file.display()))?);
    }
    let counter = Counter { store: args.store.clone(), gateway: args.gateway.clone() };
    let now = args.at.unwrap_or_else(|| Clock::system(Trust::Trusted).wall().0);
    let clock = CouponClock { now, synced: true, unsynced_allowed: false };
    let verdict = verify(&coupon(args)?, &ring, &counter, clock);
    let answer = match &verdict {
        Ok(claims) => Answer { verdict: "good", reason: None, claims: Some(claims.into()) },
        Err(Refused { reason, claims }) => {
            Answer { verdict: "refused", reason: Some(reason.as_str()), claims: claims.as_deref().map(Into::into) }
        }
    };
    if args.json {
        say!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        say!("{}{}", answer.verdict, answer.reason.map_or_else(String::new, |reason| format!(": {reason}")));
    }
    Ok(if verdict.is_ok() { ExitCode::SUCCESS } else { Exit::Failed.into() })
}

fn coupon(args: &Args) -> anyhow::Result<String> {
    if args.coupon != "-" {
        return Ok(args.coupon.clone());
    }
    let mut text = String::new();
    std::io::stdin().take(INPUT_BYTES).read_to_string(&mut text).context("cannot read standard input")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
