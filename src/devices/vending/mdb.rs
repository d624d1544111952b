//! MDB through a text adapter: facts, settings, kind.

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::driver::Speech;
use super::kind::{Dialect, VendingKind};
use super::settings::{BAUD, LINE_MS, MACHINE_MS, ranges};
use crate::device::{Checks, Section, milliseconds};
use crate::wire::mdb::{MdbSettings, Role};

/// `vending.mdb`.
pub(crate) static MDB: VendingKind<Mdb> = VendingKind::new();

/// Machines and card readers behind an adapter.
pub(crate) struct Mdb;

/// Facts of an adapter's profile.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFacts {
    /// Speed of the adapter's line, in baud. Eight data bits, no parity, one stop bit.
    #[schemars(with = "u32", range(min = 300, max = 4_000_000))]
    baud: Spanned<u32>,
    /// How long a line may pause in its middle, in milliseconds.
    #[schemars(with = "u32", range(min = 5, max = 60_000))]
    line_gap_ms: Spanned<u32>,
    /// How long the adapter may take to answer, in milliseconds.
    #[schemars(with = "u32", range(min = 5, max = 60_000))]
    answer_timeout_ms: Spanned<u32>,
    /// How often an adapter that does not answer is asked again, in milliseconds.
    #[schemars(with = "u32", range(min = 500, max = 3_600_000))]
    retry_interval_ms: Spanned<u32>,
    /// How long the shopper may take to choose what is paid already, in milliseconds.
    #[schemars(with = "u32", range(min = 500, max = 3_600_000))]
    selection_timeout_ms: Spanned<u32>,
    /// How long the gateway may take to say whether a choice is paid, in milliseconds; shorter than the machine waits.
    #[schemars(with = "u32", range(min = 500, max = 3_600_000))]
    decision_timeout_ms: Spanned<u32>,
    /// How long the machine may take from the approval to its word on the product, in milliseconds.
    #[schemars(with = "u32", range(min = 500, max = 3_600_000))]
    vend_timeout_ms: Spanned<u32>,
}

/// Settings of a machine behind an adapter: this shop's choices.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSettings {
    /// Currency of the machine's prices: three letters after ISO 4217.
    #[schemars(with = "String")]
    currency: Spanned<String>,
    /// Decimal places of the currency on the adapter's line. Default: 2.
    #[schemars(with = "Option<u32>", range(max = 4))]
    decimals: Option<Spanned<u32>>,
    /// What the gateway is on the bus: "slave" (the card reader of an existing machine) or "master" (the machine of a
    /// card reader). Default: "slave".
    #[serde(default)]
    role: RawRole,
    /// How long the shopper may take to choose what is paid already, in milliseconds.
    #[schemars(with = "Option<u32>", range(min = 500, max = 3_600_000))]
    selection_timeout_ms: Option<Spanned<u32>>,
    /// How long the machine may take from the approval to its word on the product, in milliseconds.
    #[schemars(with = "Option<u32>", range(min = 500, max = 3_600_000))]
    vend_timeout_ms: Option<Spanned<u32>>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
enum RawRole {
    #[default]
    Slave,
    Master,
}

impl Dialect for Mdb {
    type Facts = RawFacts;
    type Settings = RawSettings;
    const KIND: &'static str = "vending.mdb";
    const PROFILE: &'static [(&'static str, &'static str)] =
        &[("vending/mdb-qibixx", include_str!("../../../device-profiles/vending/mdb-qibixx.toml"))];

    fn check_facts(checks: &mut Checks, section: &Section<'_>, facts: &RawFacts) {
        let numbers = [
            ("baud", Some(&facts.baud), BAUD),
            ("line_gap_ms", Some(&facts.line_gap_ms), LINE_MS),
            ("answer_timeout_ms", Some(&facts.answer_timeout_ms), LINE_MS),
            ("retry_interval_ms", Some(&facts.retry_interval_ms), MACHINE_MS),
            ("selection_timeout_ms", Some(&facts.selection_timeout_ms), MACHINE_MS),
            ("decision_timeout_ms", Some(&facts.decision_timeout_ms), MACHINE_MS),
            ("vend_timeout_ms", Some(&facts.vend_timeout_ms), MACHINE_MS),
        ];
        ranges(checks, section, &numbers);
    }

    fn check_settings(checks: &mut Checks, section: &Section<'_>, settings: &RawSettings) {
        let numbers = [
            ("decimals", settings.decimals.as_ref(), 0..=4),
            ("selection_timeout_ms", settings.selection_timeout_ms.as_ref(), MACHINE_MS),
            ("vend_timeout_ms", settings.vend_timeout_ms.as_ref(), MACHINE_MS),
        ];
        ranges(checks, section, &numbers);
    }

    fn currency(settings: &RawSettings) -> &Spanned<String> {
        &settings.currency
    }

    fn baud(facts: &RawFacts) -> &Spanned<u32> {
        &facts.baud
    }

    fn drop_sensor(_facts: &RawFacts, _settings: &RawSettings) -> bool {
        // The bus knows no order that asks for it.
        false
    }

    fn speech(facts: &RawFacts, settings: &RawSettings) -> Speech {
        Speech::Mdb(mdb_settings(facts, settings))
    }
}

fn mdb_settings(facts: &RawFacts, settings: &RawSettings) -> MdbSettings {
    let decimals = settings.decimals.as_ref().map_or(2, |decimals| *decimals.get_ref());
    MdbSettings {
        role: match settings.role {
            RawRole::Slave => Role::Slave,
            RawRole::Master => Role::Master,
        },
        decimals: u8::try_from(decimals).unwrap_or(2),
        line_gap: milliseconds(&facts.line_gap_ms),
        answer_timeout: milliseconds(&facts.answer_timeout_ms),
        retry_interval: milliseconds(&facts.retry_interval_ms),
        selection_timeout: milliseconds(settings.selection_timeout_ms.as_ref().unwrap_or(&facts.selection_timeout_ms)),
        decision_timeout: milliseconds(&facts.decision_timeout_ms),
        vend_timeout: milliseconds(settings.vend_timeout_ms.as_ref().unwrap_or(&facts.vend_timeout_ms)),
    }
}
