//! Facts of lift sensors: as the files have them, then checked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use crate::device::{Checks, RawDevice, Section};
use crate::transport::{Bias, GPIO_LINES, GpioPlace, GpioWish, Parity, StopBits, TtySettings};
use crate::types::{Diagnostic, Endpoint, FacingId, Span, units};

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

/// What is true of sensors on GPIO lines.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGpioFacts {
    /// What holds a line that nothing drives: `pull-up`, `pull-down`, `none`, or `as-is`.
    #[schemars(with = "String", extend("enum" = BIASES.map(|(word, _)| word)))]
    bias: Spanned<String>,
    /// Whether a line is low, and not high, while its product is off the shelf.
    active_low: bool,
    /// How long a change must stand to count, with its unit, at most a second.
    #[schemars(with = "String")]
    debounce: Spanned<String>,
}

/// What a shop chooses of sensors on GPIO lines.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGpioSettings {
    /// The place on the shelf that the endpoint's line stands for.
    #[schemars(with = "String", extend("pattern" = "^[A-Za-z0-9._:-]{1,16}$"))]
    facing: Spanned<String>,
    /// Further places and their lines of the same chip.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, u32>")]
    more: BTreeMap<String, Spanned<u32>>,
    /// In the place of the profile's.
    #[serde(default)]
    #[schemars(with = "Option<String>", extend("enum" = BIASES.map(|(word, _)| word)))]
    bias: Option<Spanned<String>>,
    /// In the place of the profile's.
    #[serde(default)]
    active_low: Option<bool>,
    /// In the place of the profile's.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    debounce: Option<Spanned<String>>,
}

const BIASES: [(&str, Bias); 4] =
    [("pull-up", Bias::PullUp), ("pull-down", Bias::PullDown), ("none", Bias::None), ("as-is", Bias::AsIs)];
/// Longest time that a change must stand.
const DEBOUNCE: Duration = Duration::from_secs(1);

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
    /// On lines of a chip, each with its place.
    Gpio { chip: String, lines: BTreeMap<u32, FacingId>, wish: GpioWish },
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

pub(super) fn gpio(raw: &RawDevice<'_>) -> Result<Source, Vec<Diagnostic>> {
    let mut checks = Checks::default();
    let facts: Option<RawGpioFacts> = checks.read(&raw.facts);
    let settings: Option<RawGpioSettings> = checks.read(&raw.settings);
    let place = match &raw.endpoint {
        Endpoint::Gpio(text) => GpioPlace::parse(text),
        _ => None,
    };
    if place.is_none() {
        let message = format!("a sensor on a GPIO line cannot be at {}", raw.endpoint);
        let help = "name a chip, by its node or its label, and a line from 0: gpio:gpiochip0/17; `gpioinfo` lists them";
        checks.add(&raw.settings, raw.endpoint_span.clone(), "wrong-endpoint", (message, help));
    }
    let wish = match (&facts, &settings) {
        (Some(facts), Some(settings)) => wish(raw, facts, settings, &mut checks),
        _ => None,
    };
    let lines = match (&place, &settings) {
        (Some(place), Some(settings)) => lines(raw, place.line, settings, &mut checks),
        _ => BTreeMap::new(),
    };
    match (place, wish) {
        (Some(place), Some(wish)) if checks.passed() => Ok(Source::Gpio { chip: place.chip, lines, wish }),
        _ => Err(checks.mistakes()),
    }
}

/// What the settings say, or else the profile.
fn wish(
    raw: &RawDevice<'_>,
    facts: &RawGpioFacts,
    settings: &RawGpioSettings,
    checks: &mut Checks,
) -> Option<GpioWish> {
    let (at, bias) = settings.bias.as_ref().map_or((&raw.facts, &facts.bias), |own| (&raw.settings, own));
    let found = BIASES.iter().find(|(word, _)| word == bias.get_ref());
    if found.is_none() {
        let words = (format!("bias is {:?}", bias.get_ref()), "\"pull-up\", \"pull-down\", \"none\" or \"as-is\"");
        checks.add(at, bias.span(), "invalid-value", words);
    }
    let (at, text) = settings.debounce.as_ref().map_or((&raw.facts, &facts.debounce), |own| (&raw.settings, own));
    let debounce = units::parse_duration(text.get_ref()).ok().filter(|debounce| *debounce <= DEBOUNCE);
    if debounce.is_none() {
        let words = (format!("debounce is {:?}", text.get_ref()), "at most a second, with its unit, as in \"20ms\"");
        checks.add(at, text.span(), "invalid-value", words);
    }
    let active_low = settings.active_low.unwrap_or(facts.active_low);
    Some(GpioWish { active_low, bias: found?.1, debounce: debounce? })
}

/// Every line and its place; no line and no place twice.
fn lines(raw: &RawDevice<'_>, first: u32, settings: &RawGpioSettings, checks: &mut Checks) -> BTreeMap<u32, FacingId> {
    let mut lines = BTreeMap::new();
    let more = settings.more.iter().map(|(facing, line)| (facing, *line.get_ref(), line.span()));
    let all = std::iter::once((settings.facing.get_ref(), first, settings.facing.span())).chain(more);
    for (facing, line, span) in all {
        put_line(&raw.settings, &mut lines, (facing, line, span), checks);
    }
    lines
}

fn put_line(
    section: &Section<'_>,
    lines: &mut BTreeMap<u32, FacingId>,
    (facing, line, span): (&String, u32, Span),
    checks: &mut Checks,
) {
    let Ok(facing) = FacingId::new(facing) else {
        let words = (format!("{facing:?} is no place"), "1 to 16 of A-Z, a-z, 0-9 and . _ : -");
        return checks.add(section, span, "invalid-value", words);
    };
    if lines.contains_key(&line) || lines.values().any(|known| *known == facing) {
        let words = (format!("line {line} or place {facing} stands twice"), "give each place a line of its own");
        return checks.add(section, span, "invalid-value", words);
    }
    if lines.len() == GPIO_LINES {
        return checks.add(
            section,
            span,
            "too-many",
            ("more than 64 lines".to_owned(), "make a second device of them"),
        );
    }
    lines.insert(line, facing);
}
