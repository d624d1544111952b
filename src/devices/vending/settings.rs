//! What the dialects' profiles and settings have in common.

use std::ops::RangeInclusive;

use toml::Spanned;

use crate::device::{Checks, Section};
use crate::transport::{Parity, StopBits, TtySettings};
use crate::types::Currency;

pub(super) const BAUD: RangeInclusive<u32> = 300..=4_000_000;
/// Pauses and answers on a line.
pub(super) const LINE_MS: RangeInclusive<u32> = 5..=60_000;
/// What a machine's mechanics or a person takes.
pub(super) const MACHINE_MS: RangeInclusive<u32> = 500..=3_600_000;

/// Eight data bits, no parity, one stop bit.
pub(super) fn line(baud: &Spanned<u32>) -> TtySettings {
    TtySettings { baud: *baud.get_ref(), parity: Parity::None, stop_bits: StopBits::One }
}

/// A currency's three letters.
pub(super) fn currency(checks: &mut Checks, section: &Section<'_>, word: &Spanned<String>) -> Option<Currency> {
    let currency = Currency::parse(word.get_ref()).filter(|currency| *currency != Currency::NONE);
    if currency.is_none() {
        let message = format!("\"{}\" is no currency", word.get_ref());
        let help = "write its three letters after ISO 4217, as in `currency = \"CNY\"`";
        checks.add(section, word.span(), "invalid-value", (message, help));
    }
    currency
}

/// A number of a profile: its name, what was written if anything was, where it must lie.
type Number<'a> = (&'a str, Option<&'a Spanned<u32>>, RangeInclusive<u32>);

/// Numbers that must lie in ranges.
pub(super) fn ranges(checks: &mut Checks, section: &Section<'_>, numbers: &[Number<'_>]) {
    for (name, value, range) in numbers {
        if let Some(value) = value {
            checks.range(section, name, value, range);
        }
    }
}
