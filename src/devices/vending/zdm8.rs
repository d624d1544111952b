//! ZDM8 lane boards: facts, settings, kind.

use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use toml::Spanned;

use super::driver::{Dialect, Profile, VendingDevice};
use super::interpreter::Shop;
use super::settings::{BAUD, LINE_MS, MACHINE_MS, currency, line, ranges};
use crate::device::{Checks, Device, DeviceKind, RawDevice, Schemas, milliseconds};
use crate::types::Diagnostic;
use crate::wire::zdm8::{LaneType, StateCodes, Zdm8Settings};

/// `vending.zdm8`.
pub(crate) static ZDM8: Zdm8Kind = Zdm8Kind;

/// Lane boards.
#[derive(Debug)]
pub(crate) struct Zdm8Kind;

/// Facts of a lane board's profile.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawFacts {
    /// Speed of the line, in baud. Eight data bits, no parity, one stop bit.
    #[schemars(with = "u32", range(min = 300, max = 4_000_000))]
    baud: Spanned<u32>,
    /// The board's factory Modbus address.
    #[schemars(with = "u32", range(min = 1, max = 247))]
    address: Spanned<u32>,
    /// The board's codes of its own state, from its manual's table.
    states: RawStates,
    /// How a lane gives its product out: "spring", "lock", "belt" or "timed".
    lane_type: RawLaneType,
    /// Whether an order watches the drop sensor unless it says otherwise.
    drop_sensor: bool,
    /// Whether products come down with a lift.
    lift: bool,
    /// How long a frame may pause in its middle, in milliseconds.
    #[schemars(with = "u32", range(min = 5, max = 60_000))]
    frame_gap_ms: Spanned<u32>,
    /// How long an answer may take, in milliseconds.
    #[schemars(with = "u32", range(min = 5, max = 60_000))]
    reply_timeout_ms: Spanned<u32>,
    /// How long the line rests before the next question, in milliseconds.
    #[schemars(with = "u32", range(min = 5, max = 60_000))]
    turnaround_ms: Spanned<u32>,
    /// How often a dispense is looked after, in milliseconds.
    #[schemars(with = "u32", range(min = 5, max = 60_000))]
    poll_interval_ms: Spanned<u32>,
    /// How long a dispense may take to show, in milliseconds.
    #[schemars(with = "u32", range(min = 5, max = 60_000))]
    start_timeout_ms: Spanned<u32>,
    /// How long a dispense may take in all before its outcome is unknown, in milliseconds.
    #[schemars(with = "u32", range(min = 500, max = 3_600_000))]
    dispense_timeout_ms: Spanned<u32>,
    /// How often door and climate are asked for, in milliseconds.
    #[schemars(with = "u32", range(min = 500, max = 3_600_000))]
    status_interval_ms: Spanned<u32>,
}

/// The first byte of register 0003.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawStates {
    /// Nothing to do.
    idle: u8,
    /// A product is on its way.
    busy: u8,
    /// It is out.
    success: u8,
    /// It is not.
    failed: u8,
}

/// Settings of a lane board: this shop's choices.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawSettings {
    /// Currency of the machine's prices: three letters after ISO 4217.
    #[schemars(with = "String")]
    currency: Spanned<String>,
    /// The Modbus address this board was set to, if not the factory's.
    #[schemars(with = "Option<u32>", range(min = 1, max = 247))]
    address: Option<Spanned<u32>>,
    /// How this board's lanes give their products out, if not as the profile says.
    lane_type: Option<RawLaneType>,
    /// Whether an order watches the drop sensor unless it says otherwise, if not as the profile says.
    drop_sensor: Option<bool>,
    /// Whether products come down with a lift, if not as the profile says.
    lift: Option<bool>,
    /// How long a dispense may take in all before its outcome is unknown, in milliseconds.
    #[schemars(with = "Option<u32>", range(min = 500, max = 3_600_000))]
    dispense_timeout_ms: Option<Spanned<u32>>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
enum RawLaneType {
    Spring,
    Lock,
    Belt,
    Timed,
}

impl DeviceKind for Zdm8Kind {
    fn name(&self) -> &'static str {
        "vending.zdm8"
    }

    fn schemas(&self) -> Schemas {
        Schemas { facts: schema_for!(RawFacts), settings: schema_for!(RawSettings) }
    }

    fn profiles(&self) -> &'static [(&'static str, &'static str)] {
        &[("vending/zdm8", include_str!("../../../device-profiles/vending/zdm8.toml"))]
    }

    fn configure(&self, raw: RawDevice<'_>) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
        let profile = profile(&raw)?;
        Ok(Box::new(VendingDevice::new(raw.id, raw.endpoint, profile)))
    }
}

fn profile(raw: &RawDevice<'_>) -> Result<Profile, Vec<Diagnostic>> {
    let mut checks = Checks::default();
    let path = checks.path(raw, "serial");
    let facts: Option<RawFacts> = checks.read(&raw.facts);
    let settings: Option<RawSettings> = checks.read(&raw.settings);
    if let Some(facts) = &facts {
        check(&mut checks, raw, facts);
    }
    let currency = settings.as_ref().and_then(|settings| {
        let numbers = [
            ("address", settings.address.as_ref(), 1..=247),
            ("dispense_timeout_ms", settings.dispense_timeout_ms.as_ref(), MACHINE_MS),
        ];
        ranges(&mut checks, &raw.settings, &numbers);
        currency(&mut checks, &raw.settings, &settings.currency)
    });
    match (path, facts, settings, currency) {
        (Some(path), Some(facts), Some(settings), Some(currency)) if checks.passed() => Ok(Profile {
            path,
            line: line(&facts.baud),
            dialect: Dialect::Zdm8(board_settings(&facts, &settings)),
            shop: Shop { currency, drop_sensor: settings.drop_sensor.unwrap_or(facts.drop_sensor) },
        }),
        _ => Err(checks.mistakes()),
    }
}

fn check(checks: &mut Checks, raw: &RawDevice<'_>, facts: &RawFacts) {
    let numbers = [
        ("baud", Some(&facts.baud), BAUD),
        ("address", Some(&facts.address), 1..=247),
        ("frame_gap_ms", Some(&facts.frame_gap_ms), LINE_MS),
        ("reply_timeout_ms", Some(&facts.reply_timeout_ms), LINE_MS),
        ("turnaround_ms", Some(&facts.turnaround_ms), LINE_MS),
        ("poll_interval_ms", Some(&facts.poll_interval_ms), LINE_MS),
        ("start_timeout_ms", Some(&facts.start_timeout_ms), LINE_MS),
        ("dispense_timeout_ms", Some(&facts.dispense_timeout_ms), MACHINE_MS),
        ("status_interval_ms", Some(&facts.status_interval_ms), MACHINE_MS),
    ];
    ranges(checks, &raw.facts, &numbers);
    let RawStates { idle, busy, success, failed } = facts.states;
    let states = [idle, busy, success, failed];
    if (1..states.len()).any(|place| states[..place].contains(&states[place])) {
        let help = "give each state its own code, from the table in the board's manual";
        let message = "two of the board's states have one code".to_owned();
        checks.add(&raw.facts, raw.facts.span.clone(), "invalid-value", (message, help));
    }
}

fn board_settings(facts: &RawFacts, settings: &RawSettings) -> Zdm8Settings {
    let address = settings.address.as_ref().unwrap_or(&facts.address);
    let RawStates { idle, busy, success, failed } = facts.states;
    Zdm8Settings {
        address: u8::try_from(*address.get_ref()).unwrap_or(1),
        codes: StateCodes { idle, busy, success, failed },
        lane_type: match settings.lane_type.unwrap_or(facts.lane_type) {
            RawLaneType::Spring => LaneType::Spring,
            RawLaneType::Lock => LaneType::Lock,
            RawLaneType::Belt => LaneType::Belt,
            RawLaneType::Timed => LaneType::Timed,
        },
        lift: settings.lift.unwrap_or(facts.lift),
        frame_gap: milliseconds(&facts.frame_gap_ms),
        reply_timeout: milliseconds(&facts.reply_timeout_ms),
        turnaround: milliseconds(&facts.turnaround_ms),
        poll_interval: milliseconds(&facts.poll_interval_ms),
        start_timeout: milliseconds(&facts.start_timeout_ms),
        dispense_timeout: milliseconds(settings.dispense_timeout_ms.as_ref().unwrap_or(&facts.dispense_timeout_ms)),
        status_interval: milliseconds(&facts.status_interval_ms),
    }
}
