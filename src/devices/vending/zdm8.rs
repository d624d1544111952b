//! ZDM8 lane boards: facts, settings, kind.

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::driver::Speech;
use super::kind::{Dialect, VendingKind};
use super::settings::{BAUD, LINE_MS, MACHINE_MS, ranges};
use crate::device::{Checks, Section, milliseconds};
use crate::wire::zdm8::{LaneType, StateCodes, Zdm8Settings};

/// `vending.zdm8`.
pub(crate) static ZDM8: VendingKind<Zdm8> = VendingKind::new();

/// Lane boards.
pub(crate) struct Zdm8;

/// Facts of a lane board's profile.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFacts {
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
pub(crate) struct RawSettings {
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

impl Dialect for Zdm8 {
    type Facts = RawFacts;
    type Settings = RawSettings;
    const KIND: &'static str = "vending.zdm8";
    const PROFILE: &'static [(&'static str, &'static str)] =
        &[("vending/zdm8", include_str!("../../../device-profiles/vending/zdm8.toml"))];

    fn check_facts(checks: &mut Checks, section: &Section<'_>, facts: &RawFacts) {
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
        ranges(checks, section, &numbers);
        let RawStates { idle, busy, success, failed } = facts.states;
        let states = [idle, busy, success, failed];
        if (1..states.len()).any(|place| states[..place].contains(&states[place])) {
            let help = "give each state its own code, from the table in the board's manual";
            let message = "two of the board's states have one code".to_owned();
            checks.add(section, section.span.clone(), "invalid-value", (message, help));
        }
    }

    fn check_settings(checks: &mut Checks, section: &Section<'_>, settings: &RawSettings) {
        let numbers = [
            ("address", settings.address.as_ref(), 1..=247),
            ("dispense_timeout_ms", settings.dispense_timeout_ms.as_ref(), MACHINE_MS),
        ];
        ranges(checks, section, &numbers);
    }

    fn currency(settings: &RawSettings) -> &Spanned<String> {
        &settings.currency
    }

    fn baud(facts: &RawFacts) -> &Spanned<u32> {
        &facts.baud
    }

    fn drop_sensor(facts: &RawFacts, settings: &RawSettings) -> bool {
        settings.drop_sensor.unwrap_or(facts.drop_sensor)
    }

    fn speech(facts: &RawFacts, settings: &RawSettings) -> Speech {
        Speech::Zdm8(board_settings(facts, settings))
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
