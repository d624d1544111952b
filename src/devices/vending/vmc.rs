//! FA FB machines: facts, settings, kind.

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::driver::Speech;
use super::kind::{Dialect, VendingKind};
use super::settings::{BAUD, LINE_MS, MACHINE_MS, ranges};
use crate::device::{Checks, Section, milliseconds};
use crate::wire::vmc::VmcSettings;

/// `vending.vmc`.
pub(crate) static VMC: VendingKind<Vmc> = VendingKind::new();

/// Machines that speak FA FB.
pub(crate) struct Vmc;

/// Facts of an FA FB machine's profile.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFacts {
    /// Speed of the line, in baud. Eight data bits, no parity, one stop bit.
    #[schemars(with = "u32", range(min = 300, max = 4_000_000))]
    baud: Spanned<u32>,
    /// Whether an order watches the drop sensor unless it says otherwise.
    drop_sensor: bool,
    /// Whether products come down with a lift.
    lift: bool,
    /// How often the machine polls, in milliseconds.
    #[schemars(with = "u32", range(min = 5, max = 60_000))]
    poll_interval_ms: Spanned<u32>,
    /// How long a frame may pause in its middle, in milliseconds.
    #[schemars(with = "u32", range(min = 5, max = 60_000))]
    frame_gap_ms: Spanned<u32>,
    /// How long the machine may say nothing before it counts as silent, in milliseconds.
    #[schemars(with = "u32", range(min = 500, max = 3_600_000))]
    silent_after_ms: Spanned<u32>,
    /// How long it may take to say whether a lane is ready, in milliseconds.
    #[schemars(with = "u32", range(min = 500, max = 3_600_000))]
    check_timeout_ms: Spanned<u32>,
    /// How long it may say nothing of a dispense before its outcome is unknown, in milliseconds.
    #[schemars(with = "u32", range(min = 500, max = 3_600_000))]
    dispense_timeout_ms: Spanned<u32>,
    /// How long a dispense may take in all, whatever is said of it, in milliseconds.
    #[schemars(with = "u32", range(min = 500, max = 3_600_000))]
    dispense_limit_ms: Spanned<u32>,
    /// How often it is asked how it is, in milliseconds.
    #[schemars(with = "u32", range(min = 500, max = 3_600_000))]
    status_interval_ms: Spanned<u32>,
}

/// Settings of an FA FB machine: this shop's choices.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSettings {
    /// Currency of the machine's prices: three letters after ISO 4217.
    #[schemars(with = "String")]
    currency: Spanned<String>,
    /// Whether an order watches the drop sensor unless it says otherwise, if not as the profile says.
    drop_sensor: Option<bool>,
    /// Whether products come down with a lift, if not as the profile says.
    lift: Option<bool>,
    /// How long the machine may say nothing of a dispense before its outcome is unknown, in milliseconds.
    #[schemars(with = "Option<u32>", range(min = 500, max = 3_600_000))]
    dispense_timeout_ms: Option<Spanned<u32>>,
}

impl Dialect for Vmc {
    type Facts = RawFacts;
    type Settings = RawSettings;
    const KIND: &'static str = "vending.vmc";
    const PROFILE: &'static [(&'static str, &'static str)] =
        &[("vending/xy-vmc", include_str!("../../../device-profiles/vending/xy-vmc.toml"))];

    fn check_facts(checks: &mut Checks, section: &Section<'_>, facts: &RawFacts) {
        let numbers = [
            ("baud", Some(&facts.baud), BAUD),
            ("poll_interval_ms", Some(&facts.poll_interval_ms), LINE_MS),
            ("frame_gap_ms", Some(&facts.frame_gap_ms), LINE_MS),
            ("silent_after_ms", Some(&facts.silent_after_ms), MACHINE_MS),
            ("check_timeout_ms", Some(&facts.check_timeout_ms), MACHINE_MS),
            ("dispense_timeout_ms", Some(&facts.dispense_timeout_ms), MACHINE_MS),
            ("dispense_limit_ms", Some(&facts.dispense_limit_ms), MACHINE_MS),
            ("status_interval_ms", Some(&facts.status_interval_ms), MACHINE_MS),
        ];
        ranges(checks, section, &numbers);
    }

    fn check_settings(checks: &mut Checks, section: &Section<'_>, settings: &RawSettings) {
        let timeout = settings.dispense_timeout_ms.as_ref();
        ranges(checks, section, &[("dispense_timeout_ms", timeout, MACHINE_MS)]);
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
        Speech::Vmc(vmc_settings(facts, settings))
    }
}

fn vmc_settings(facts: &RawFacts, settings: &RawSettings) -> VmcSettings {
    VmcSettings {
        poll_interval: milliseconds(&facts.poll_interval_ms),
        frame_gap: milliseconds(&facts.frame_gap_ms),
        silent_after: milliseconds(&facts.silent_after_ms),
        check_timeout: milliseconds(&facts.check_timeout_ms),
        dispense_timeout: milliseconds(settings.dispense_timeout_ms.as_ref().unwrap_or(&facts.dispense_timeout_ms)),
        dispense_limit: milliseconds(&facts.dispense_limit_ms),
        status_interval: milliseconds(&facts.status_interval_ms),
        lift: settings.lift.unwrap_or(facts.lift),
    }
}
