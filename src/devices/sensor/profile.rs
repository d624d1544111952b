//! Facts of lift sensors: as the files have them, then checked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use crate::device::{Checks, RawDevice};
use crate::transport::{Parity, StopBits, TtySettings};
use crate::types::{Diagnostic, Endpoint, units};

/// What is true of a sensor on a serial line.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSerialFacts {
    /// Its speed; 8 data bits, no parity, 1 stop bit.
    #[schemars(with = "u32", range(min = 300, max = 4_000_000))]
    baud: Spanned<u32>,
}

/// What is true of a sensor that pushes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHttpFacts {
    /// How long it may say nothing, with its unit.
    #[schemars(with = "String")]
    silent_after: Spanned<String>,
}

/// There is nothing to choose.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNothing {}

/// Where a sensor is heard.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// On a line.
    Serial(PathBuf, TtySettings),
    /// By whoever pushes to this address and path.
    Http { listen: SocketAddr, path: String, silent_after: Duration },
}

pub(super) fn serial(raw: &RawDevice<'_>) -> Result<Source, Vec<Diagnostic>> {
    let mut checks = Checks::default();
    let facts: Option<RawSerialFacts> = checks.read(&raw.facts);
    let _: Option<RawNothing> = checks.read(&raw.settings);
    let path = checks.path(raw, "serial");
    if let Some(facts) = &facts {
        checks.range(&raw.facts, "baud", &facts.baud, &(300..=4_000_000));
    }
    match (facts, path) {
        (Some(facts), Some(path)) if checks.passed() => {
            let line = TtySettings { baud: *facts.baud.get_ref(), parity: Parity::None, stop_bits: StopBits::One };
            Ok(Source::Serial(path, line))
        }
        _ => Err(checks.mistakes()),
    }
}

pub(super) fn http(raw: &RawDevice<'_>) -> Result<Source, Vec<Diagnostic>> {
    let mut checks = Checks::default();
    let facts: Option<RawHttpFacts> = checks.read(&raw.facts);
    let _: Option<RawNothing> = checks.read(&raw.settings);
    let place = match &raw.endpoint {
        Endpoint::Post(text) => text.split_once('/').and_then(|(listen, path)| Some((listen.parse().ok()?, path))),
        _ => None,
    };
    if place.is_none() {
        let message = format!("a sensor that pushes cannot be at {}", raw.endpoint);
        let help = "name an address of this box, a port and a path: post:192.168.1.5:8070/lift";
        checks.add(&raw.settings, raw.endpoint_span.clone(), "wrong-endpoint", (message, help));
    }
    let silent_after = facts.as_ref().and_then(|facts| units::parse_duration(facts.silent_after.get_ref()).ok());
    if let (Some(facts), None) = (&facts, silent_after) {
        let words = (format!("silent_after is {:?}", facts.silent_after.get_ref()), units::DURATION_HELP);
        checks.add(&raw.facts, facts.silent_after.span(), "invalid-value", words);
    }
    match (place, silent_after) {
        (Some((listen, path)), Some(silent_after)) if checks.passed() => {
            Ok(Source::Http { listen, path: format!("/{path}"), silent_after })
        }
        _ => Err(checks.mistakes()),
    }
}
