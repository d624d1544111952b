//! Facts and settings of scanners: as the files have them, then checked.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use crate::device::{Checks, RawDevice, Section, milliseconds};
use crate::transport::{Parity, StopBits, TtySettings};
use crate::types::Diagnostic;
use crate::wire::scan::{Dialect, Framing, Gm65Settings, HidSettings, ScanMode, SerialSettings, Terminator};

const BAUD: RangeInclusive<u32> = 300..=4_000_000;
const FRAME_GAP_MS: RangeInclusive<u32> = 10..=60_000;
const MAX_CODE_BYTES: RangeInclusive<u32> = 16..=65_536;
const MIN_CODE_BYTES: RangeInclusive<u32> = 1..=16;
const REPEAT_WINDOW_MS: RangeInclusive<u32> = 0..=3_600_000;

/// Facts of a serial scanner's profile.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSerialFacts {
    /// Factory setting of the line's speed, in baud.
    #[schemars(with = "u32", range(min = 300, max = 4_000_000))]
    baud: Spanned<u32>,
    /// Parity of the line: "none", "even" or "odd". Eight data bits always.
    #[serde(default)]
    parity: RawParity,
    /// Stop bits of the line: 1 or 2. Default: 1.
    #[schemars(with = "Option<u32>", range(min = 1, max = 2))]
    stop_bits: Option<Spanned<u32>>,
    /// What the scanner sends after a code: "cr", "lf", "crlf", or "idle-gap" for nothing.
    terminator: RawTerminator,
    /// Idle time that ends a code without terminator, or gives up a code that was cut off, in milliseconds.
    #[schemars(with = "u32", range(min = 10, max = 60_000))]
    frame_gap_ms: Spanned<u32>,
    /// Longest code, in bytes, its AIM identifier included.
    #[schemars(with = "u32", range(min = 16, max = 65_536))]
    max_code_bytes: Spanned<u32>,
    /// Shortest code, in bytes, its AIM identifier included.
    #[schemars(with = "u32", range(min = 1, max = 16))]
    min_code_bytes: Spanned<u32>,
    /// The same code again within this time is one event, in milliseconds; 0: every read is an event.
    #[schemars(with = "u32", range(max = 3_600_000))]
    repeat_window_ms: Spanned<u32>,
    /// The language the scanner takes commands in: "none" or "gm65".
    dialect: RawDialect,
}

/// Settings of a serial scanner: this shop's choices.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSerialSettings {
    /// Speed this scanner was set to, in baud, if not the factory's.
    #[schemars(with = "Option<u32>", range(min = 300, max = 4_000_000))]
    baud: Option<Spanned<u32>>,
    /// What this scanner was set to send after a code, if not the factory's: "cr", "lf", "crlf" or "idle-gap".
    terminator: Option<RawTerminator>,
    /// The same code again within this time is one event, in milliseconds; 0: every read is an event.
    #[schemars(with = "Option<u32>", range(max = 3_600_000))]
    repeat_window_ms: Option<Spanned<u32>>,
    /// When the scanner reads: "manual", "command", "continuous" or "sensor". Left out: as it was set before. Only
    /// for profiles with a dialect.
    #[schemars(with = "Option<RawMode>")]
    mode: Option<Spanned<RawMode>>,
    /// Whether the scanner is told to say each code's symbology (AIM identifier). Default: true for profiles with a
    /// dialect; for others it is the scanner's own setting.
    #[schemars(with = "Option<bool>")]
    aim_ids: Option<Spanned<bool>>,
}

/// Facts of a HID keyboard scanner's profile.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHidFacts {
    /// A code whose next key does not come within this time was cut off, in milliseconds.
    #[schemars(with = "u32", range(min = 10, max = 60_000))]
    frame_gap_ms: Spanned<u32>,
    /// Longest code, in bytes.
    #[schemars(with = "u32", range(min = 16, max = 65_536))]
    max_code_bytes: Spanned<u32>,
    /// Shortest code, in bytes.
    #[schemars(with = "u32", range(min = 1, max = 16))]
    min_code_bytes: Spanned<u32>,
    /// The same code again within this time is one event, in milliseconds; 0: every read is an event.
    #[schemars(with = "u32", range(max = 3_600_000))]
    repeat_window_ms: Spanned<u32>,
}

/// Settings of a HID keyboard scanner: this shop's choices.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHidSettings {
    /// The same code again within this time is one event, in milliseconds; 0: every read is an event.
    #[schemars(with = "Option<u32>", range(max = 3_600_000))]
    repeat_window_ms: Option<Spanned<u32>>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
enum RawParity {
    #[default]
    None,
    Even,
    Odd,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[schemars(inline)]
enum RawTerminator {
    #[serde(rename = "cr")]
    Cr,
    #[serde(rename = "lf")]
    Lf,
    #[serde(rename = "crlf")]
    CrLf,
    #[serde(rename = "idle-gap")]
    IdleGap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
enum RawDialect {
    None,
    Gm65,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
enum RawMode {
    Manual,
    Command,
    Continuous,
    Sensor,
}

impl From<RawTerminator> for Terminator {
    fn from(raw: RawTerminator) -> Self {
        match raw {
            RawTerminator::Cr => Self::Cr,
            RawTerminator::Lf => Self::Lf,
            RawTerminator::CrLf => Self::CrLf,
            RawTerminator::IdleGap => Self::IdleGap,
        }
    }
}

impl From<RawMode> for ScanMode {
    fn from(raw: RawMode) -> Self {
        match raw {
            RawMode::Manual => Self::Manual,
            RawMode::Command => Self::Command,
            RawMode::Continuous => Self::Continuous,
            RawMode::Sensor => Self::Sensor,
        }
    }
}

/// A checked serial scanner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SerialProfile {
    pub(super) path: PathBuf,
    pub(super) line: TtySettings,
    pub(super) scanner: SerialSettings,
}

/// A checked HID scanner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HidProfile {
    pub(super) path: PathBuf,
    pub(super) scanner: HidSettings,
}

/// Checks a serial scanner, and names every mistake.
pub(super) fn serial(raw: &RawDevice<'_>) -> Result<SerialProfile, Vec<Diagnostic>> {
    let mut mistakes = Checks::default();
    let path = mistakes.path(raw, "serial");
    let facts: Option<RawSerialFacts> = mistakes.read(&raw.facts);
    let settings: Option<RawSerialSettings> = mistakes.read(&raw.settings);
    if let Some(facts) = &facts {
        check_serial_facts(&mut mistakes, &raw.facts, facts);
    }
    if let Some(settings) = &settings {
        check_serial_settings(&mut mistakes, &raw.settings, settings, facts.as_ref().map(|facts| facts.dialect));
    }
    match (path, facts, settings) {
        (Some(path), Some(facts), Some(settings)) if mistakes.passed() => Ok(serial_profile(path, &facts, &settings)),
        _ => Err(mistakes.mistakes()),
    }
}

fn check_serial_facts(mistakes: &mut Checks, section: &Section<'_>, facts: &RawSerialFacts) {
    mistakes.range(section, "baud", &facts.baud, &BAUD);
    mistakes.range(section, "frame_gap_ms", &facts.frame_gap_ms, &FRAME_GAP_MS);
    mistakes.range(section, "max_code_bytes", &facts.max_code_bytes, &MAX_CODE_BYTES);
    mistakes.range(section, "min_code_bytes", &facts.min_code_bytes, &MIN_CODE_BYTES);
    mistakes.range(section, "repeat_window_ms", &facts.repeat_window_ms, &REPEAT_WINDOW_MS);
    if let Some(stop_bits) = &facts.stop_bits {
        mistakes.range(section, "stop_bits", stop_bits, &(1..=2));
    }
}

fn check_serial_settings(
    mistakes: &mut Checks,
    section: &Section<'_>,
    settings: &RawSerialSettings,
    dialect: Option<RawDialect>,
) {
    if let Some(baud) = &settings.baud {
        mistakes.range(section, "baud", baud, &BAUD);
    }
    if let Some(window) = &settings.repeat_window_ms {
        mistakes.range(section, "repeat_window_ms", window, &REPEAT_WINDOW_MS);
    }
    let told = [
        ("mode", settings.mode.as_ref().map(Spanned::span)),
        ("aim_ids", settings.aim_ids.as_ref().map(Spanned::span)),
    ];
    for (name, span) in told.into_iter().filter_map(|(name, span)| Some((name, span?))) {
        if dialect == Some(RawDialect::None) {
            let message = format!("{name} cannot be told to this scanner: its profile knows no command language");
            let help = "leave it out, and set the scanner with its own setup codes";
            mistakes.add(section, span, "not-supported", (message, help));
        }
    }
}

fn serial_profile(path: PathBuf, facts: &RawSerialFacts, settings: &RawSerialSettings) -> SerialProfile {
    let line = TtySettings {
        baud: *settings.baud.as_ref().unwrap_or(&facts.baud).get_ref(),
        parity: match facts.parity {
            RawParity::None => Parity::None,
            RawParity::Even => Parity::Even,
            RawParity::Odd => Parity::Odd,
        },
        stop_bits: match facts.stop_bits.as_ref().map(|bits| *bits.get_ref()) {
            Some(2) => StopBits::Two,
            _ => StopBits::One,
        },
    };
    let framing = Framing {
        terminator: settings.terminator.unwrap_or(facts.terminator).into(),
        frame_gap: milliseconds(&facts.frame_gap_ms),
        max_code_bytes: size(&facts.max_code_bytes),
        min_code_bytes: size(&facts.min_code_bytes),
    };
    let dialect = match facts.dialect {
        RawDialect::None => Dialect::Generic,
        RawDialect::Gm65 => Dialect::Gm65(Gm65Settings {
            mode: settings.mode.as_ref().map(|mode| (*mode.get_ref()).into()),
            aim_ids: settings.aim_ids.as_ref().is_none_or(|wanted| *wanted.get_ref()),
        }),
    };
    let repeat_window = milliseconds(settings.repeat_window_ms.as_ref().unwrap_or(&facts.repeat_window_ms));
    SerialProfile { path, line, scanner: SerialSettings { framing, repeat_window, dialect } }
}

/// Checks a HID scanner, and names every mistake.
pub(super) fn hid(raw: &RawDevice<'_>) -> Result<HidProfile, Vec<Diagnostic>> {
    let mut mistakes = Checks::default();
    let path = mistakes.path(raw, "evdev");
    let facts: Option<RawHidFacts> = mistakes.read(&raw.facts);
    let settings: Option<RawHidSettings> = mistakes.read(&raw.settings);
    if let Some(facts) = &facts {
        mistakes.range(&raw.facts, "frame_gap_ms", &facts.frame_gap_ms, &FRAME_GAP_MS);
        mistakes.range(&raw.facts, "max_code_bytes", &facts.max_code_bytes, &MAX_CODE_BYTES);
        mistakes.range(&raw.facts, "min_code_bytes", &facts.min_code_bytes, &MIN_CODE_BYTES);
        mistakes.range(&raw.facts, "repeat_window_ms", &facts.repeat_window_ms, &REPEAT_WINDOW_MS);
    }
    if let Some(window) = settings.as_ref().and_then(|settings| settings.repeat_window_ms.as_ref()) {
        mistakes.range(&raw.settings, "repeat_window_ms", window, &REPEAT_WINDOW_MS);
    }
    match (path, facts, settings) {
        (Some(path), Some(facts), Some(settings)) if mistakes.passed() => {
            let scanner = HidSettings {
                frame_gap: milliseconds(&facts.frame_gap_ms),
                max_code_bytes: size(&facts.max_code_bytes),
                min_code_bytes: size(&facts.min_code_bytes),
                repeat_window: milliseconds(settings.repeat_window_ms.as_ref().unwrap_or(&facts.repeat_window_ms)),
            };
            Ok(HidProfile { path, scanner })
        }
        _ => Err(mistakes.mistakes()),
    }
}

fn size(value: &Spanned<u32>) -> usize {
    usize::try_from(*value.get_ref()).unwrap_or(usize::MAX)
}
