//! `smartstore coupon`: keys, coupons and pick-up codes, for trying them and for whoever issues them.

mod issue;
pub(in crate::cli) mod key;
mod verify;

use std::process::ExitCode;

use serde::Serialize;

use super::exit::{Exit, tell};
use crate::types::{CouponClaims, CouponValue, Timestamp};

/// Arguments of `coupon`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Make an issuer's key: the private one into a file, on standard output the arguments of a `coupon.keys` command.
    #[command(
        after_help = "Example:\n  smartstore coupon key --issuer brand.example --kid 2026-11 -o issuer.jwk > keys.json"
    )]
    Key(key::Args),
    /// Sign a coupon or a pick-up code.
    #[command(
        after_help = "Example:\n  smartstore coupon issue --key issuer.jwk --aud hz-wulin-001/gw-1 --value 500 --for 7d"
    )]
    Issue(issue::Args),
    /// Say what a gateway would say to a coupon that was not redeemed before. Ends with 1 when it would refuse.
    #[command(
        after_help = "Example:\n  smartstore coupon verify \"$COUPON\" --keys keys.json --store hz-1 --gateway gw-1"
    )]
    Verify(verify::Args),
}

pub(super) fn run(args: &Args) -> ExitCode {
    let done = match &args.what {
        What::Key(args) => key::run(args),
        What::Issue(args) => issue::run(args),
        What::Verify(args) => verify::run(args),
    };
    done.unwrap_or_else(|error| {
        tell(error.as_ref());
        Exit::Failed.into()
    })
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse::<Timestamp>().map_err(|error| error.to_string())
}

/// What a coupon says, with times that people can read.
#[derive(Debug, Serialize)]
struct Claims<'a> {
    iss: &'a str,
    kid: &'a str,
    jti: &'a str,
    aud: &'a [String],
    nbf: String,
    exp: String,
    kind: &'static str,
    value: Value<'a>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Minor(u64),
    Text(&'a str),
}

impl<'a> From<&'a CouponClaims> for Claims<'a> {
    fn from(claims: &'a CouponClaims) -> Self {
        Self {
            iss: claims.issuer.as_str(),
            kid: claims.key.as_str(),
            jti: claims.id.as_str(),
            aud: &claims.audience,
            nbf: claims.not_before.to_string(),
            exp: claims.expires.to_string(),
            kind: claims.kind.as_str(),
            value: match &claims.value {
                CouponValue::Minor(amount) => Value::Minor(*amount),
                CouponValue::Text(text) => Value::Text(text),
            },
        }
    }
}
