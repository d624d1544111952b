//! `smartstore coupon issue`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use super::Claims;
use super::key::PrivateKey;
use crate::clock::{Clock, Trust};
use crate::types::units::parse_duration;
use crate::types::{CouponClaims, CouponId, CouponKind, CouponValue, Timestamp};
use crate::wire::coupon::{TEXT_CHARACTERS, issue_cose, issue_jws};

/// Arguments of `coupon issue`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The private key, as `coupon key` wrote it. It names the issuer.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where it may be redeemed: a store, a gateway, or STORE/GATEWAY; may be given 16 times.
    #[arg(long, value_name = "WHERE", required = true, num_args = 1)]
    aud: Vec<String>,
    /// What it is worth: minor units when it is a whole number, the issuer's own word otherwise.
    #[arg(long, value_parser = value)]
    value: CouponValue,
    /// What it is for.
    #[arg(long, value_enum, default_value = "coupon")]
    kind: Kind,
    /// Its name, unique for the issuer; a random one without it.
    #[arg(long, value_name = "ID", value_parser = |text: &str| CouponId::new(text))]
    jti: Option<CouponId>,
    /// From when it is valid (RFC 3339); now without it.
    #[arg(long, value_name = "TIME", value_parser = super::time)]
    from: Option<Timestamp>,
    /// Until before when; see `--for`.
    #[arg(long, value_name = "TIME", value_parser = super::time, conflicts_with = "valid")]
    until: Option<Timestamp>,
    /// For how long it is valid, from `--from` on.
    #[arg(long = "for", id = "valid", value_name = "TIME", default_value = "7d", value_parser = span)]
    valid: Duration,
    /// How it is written: `jws`, or `base45`, which takes a smaller QR code.
    #[arg(long, value_enum, default_value = "jws")]
    form: Form,
    /// Answer as one JSON document, with what it says.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// Worth something.
    Coupon,
    /// Stands for an order that waits.
    Pickup,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Form {
    /// JWS in compact form.
    Jws,
    /// `SC1:` and the Base45 of a COSE_Sign1.
    Base45,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    coupon: &'a str,
    claims: Claims<'a>,
}

fn span(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

fn value(text: &str) -> Result<CouponValue, String> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let amount = text.parse().ok().filter(|_| is_number).and_then(CouponValue::minor);
    amount.or_else(|| CouponValue::text(text)).ok_or_else(|| "1 to 128 bytes without control characters".to_owned())
}

/// RFC 7519 counts in whole seconds; what is begun counts.
fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_unix_ms(time.unix_ms().div_euclid(1000) * 1000)
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let key = PrivateKey::read(&args.key)?;
    let clock = Clock::system(Trust::Trusted);
    let from = whole_second(args.from.unwrap_or_else(|| clock.wall().0));
    let expires = whole_second(args.until.unwrap_or_else(|| from.plus(args.valid)));
    anyhow::ensure!(expires > from, "it would end before it begins");
    let id = match &args.jti {
        Some(id) => id.clone(),
        None => CouponId::new(&clock.random_uuid().to_string())?,
    };
    let claims = CouponClaims {
        issuer: key.issuer.clone(),
        key: key.id.clone(),
        id,
        audience: args.aud.clone(),
        not_before: from,
        expires,
        kind: match args.kind {
            Kind::Coupon => CouponKind::Coupon,
            Kind::Pickup => CouponKind::Pickup,
        },
        value: args.value.clone(),
    };
    let coupon = match args.form {
        Form::Jws => issue_jws(&claims, |bytes| key.sign(bytes)),
        Form::Base45 => issue_cose(&claims, |bytes| key.sign(bytes)),
    };
    anyhow::ensure!(coupon.len() <= TEXT_CHARACTERS && claims.audience.len() <= 16, "it has too many audiences");
    if args.json {
        say!("{}", serde_json::to_string_pretty(&Answer { coupon: &coupon, claims: (&claims).into() })?);
    } else {
        say!("{coupon}");
    }
    Ok(ExitCode::SUCCESS)
}
