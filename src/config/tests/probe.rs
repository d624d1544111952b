//! A kind of device that exists only in these tests: what the configuration needs of one, and nothing else.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use toml::Spanned;

use crate::device::{Device, DeviceKind, DriverError, Port, RawDevice, Schemas};
use crate::types::{ActionKind, DeviceId, Diagnostic, Endpoint, units};

/// A kind that exists only here: a scanner on a serial line.
pub(super) struct Probe;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Facts {
    /// Speed of the line, in bits per second.
    #[schemars(with = "u32")]
    baud: Spanned<u32>,
    /// How a code ends.
    #[serde(rename = "terminator")]
    _terminator: Terminator,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Terminator {
    Cr,
    Lf,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Choices {
    /// The same code again within this time is one event.
    #[schemars(with = "Option<String>")]
    repeat_window: Option<Spanned<String>>,
    /// How loud.
    #[serde(default = "loud", rename = "volume")]
    _volume: u8,
}

fn loud() -> u8 {
    3
}

struct ProbeDevice(DeviceId, Endpoint);

impl Device for ProbeDevice {
    fn id(&self) -> &DeviceId {
        &self.0
    }

    fn endpoint(&self) -> &Endpoint {
        &self.1
    }

    fn can(&self) -> &'static [ActionKind] {
        &[]
    }

    fn run<'a>(&'a self, _: &'a mut Port) -> BoxFuture<'a, Result<(), DriverError>> {
        std::future::ready(Ok(())).boxed()
    }
}

impl DeviceKind for Probe {
    fn name(&self) -> &'static str {
        "scanner.probe"
    }

    fn profiles(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn schemas(&self) -> Schemas {
        Schemas { facts: schema_for!(Facts), settings: schema_for!(Choices) }
    }

    fn configure(&self, raw: RawDevice<'_>) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
        let mut mistakes = Vec::new();
        if !matches!(raw.endpoint, Endpoint::Serial(_)) {
            let message = "not on a serial line".to_owned();
            mistakes.push(raw.settings.error(raw.endpoint_span, "wrong-endpoint", message, "serial:PATH".to_owned()));
        }
        match raw.facts.read::<Facts>() {
            Err(more) => mistakes.extend(more),
            Ok(facts) if *facts.baud.get_ref() == 0 => {
                let message = "`baud` is 0".to_owned();
                mistakes.push(raw.facts.error(facts.baud.span(), "invalid-value", message, "such as 9600".to_owned()));
            }
            Ok(_) => {}
        }
        let (choices, more) = raw.settings.salvage::<Choices>();
        mistakes.extend(more);
        if let Some(window) = choices.and_then(|choices| choices.repeat_window)
            && let Err(error) = units::parse_duration(window.get_ref())
        {
            let help = units::DURATION_HELP.to_owned();
            mistakes.push(raw.settings.error(window.span(), "invalid-value", error.to_string(), help));
        }
        if mistakes.is_empty() { Ok(Box::new(ProbeDevice(raw.id, raw.endpoint))) } else { Err(mistakes) }
    }
}
