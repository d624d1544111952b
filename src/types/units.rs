//! Durations, sizes and rates as the configuration writes them: a whole number and its unit, `"15s"`, `"500ms"`,
//! `"2GiB"`, `"500/s"`.

use std::time::Duration;

/// Why a duration or a size was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// No whole number stands at the beginning.
    #[error("{text:?} does not begin with a whole number")]
    Number {
        /// What was given, cut short.
        text: String,
    },
    /// No unit, or none that is known, follows the number.
    #[error("{unit:?} is not a unit")]
    Unit {
        /// What follows the number.
        unit: String,
    },
    /// More than can be counted.
    #[error("{text:?} is too much")]
    TooMuch {
        /// What was given.
        text: String,
    },
}

/// Units of durations, in milliseconds.
const DURATIONS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Units of sizes, in bytes.
const SIZES: [(&str, u64); 5] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// What a duration looks like, for a help line.
pub const DURATION_HELP: &str = "a whole number and its unit: ms, s, min, h or d, such as \"500ms\" or \"15s\"";
/// What a rate looks like, for a help line.
pub const RATE_HELP: &str = "a whole number and /s, such as \"500/s\"";
/// What a size looks like, for a help line.
pub const SIZE_HELP: &str = "a whole number and its unit: B, KiB, MiB, GiB or TiB, such as \"2GiB\"";

/// Reads `"15s"`.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    parse(text, &DURATIONS).map(Duration::from_millis)
}

/// Reads `"2GiB"` as bytes.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    parse(text, &SIZES)
}

/// The unit of rates.
const RATES: [(&str, u64); 1] = [("/s", 1)];

/// Reads `"500/s"` as so many a second.
pub fn parse_rate(text: &str) -> Result<u64, UnitError> {
    parse(text, &RATES)
}

/// Writes a rate so that [`parse_rate`] reads it back.
pub fn format_rate(per_s: u64) -> String {
    format(per_s, &RATES)
}

/// Writes a duration so that [`parse_duration`] reads it back: in the largest unit that needs no fraction. What is
/// below a millisecond is left out.
pub fn format_duration(duration: Duration) -> String {
    format(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), &DURATIONS)
}

/// Writes a size in bytes so that [`parse_size`] reads it back: in the largest unit that needs no fraction.
pub fn format_size(bytes: u64) -> String {
    format(bytes, &SIZES)
}

fn parse(text: &str, units: &[(&str, u64)]) -> Result<u64, UnitError> {
    let short = || text.chars().take(32).collect::<String>();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(UnitError::Number { text: short() });
    }
    let unit = unit.trim_start_matches(' ');
    let scale = units.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
    let scale = scale.ok_or_else(|| UnitError::Unit { unit: unit.chars().take(32).collect() })?;
    let number: u64 = number.parse().map_err(|_| UnitError::TooMuch { text: short() })?;
    number.checked_mul(scale).ok_or_else(|| UnitError::TooMuch { text: short() })
}

fn format(amount: u64, units: &[(&str, u64)]) -> String {
    let fitting = units.iter().rev().find(|(_, scale)| amount != 0 && amount.is_multiple_of(*scale));
    let (unit, scale) = fitting.unwrap_or(&units[0]);
    format!("{}{unit}", amount / scale)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_with_its_unit_is_read() {
        assert_eq!(parse_duration("15s"), Ok(Duration::from_secs(15)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("2 min"), Ok(Duration::from_secs(120)));
        assert_eq!(parse_duration("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(parse_size("2GiB"), Ok(2_147_483_648));
        assert_eq!(parse_size("0B"), Ok(0));
        assert_eq!(parse_rate("500/s"), Ok(500));
        assert_eq!(parse_rate("500"), Err(UnitError::Unit { unit: String::new() }));
    }

    #[test]
    fn a_number_without_a_unit_is_refused_with_the_reason() {
        assert_eq!(parse_duration("15"), Err(UnitError::Unit { unit: String::new() }));
        assert_eq!(parse_duration("15m"), Err(UnitError::Unit { unit: "m".to_owned() }));
        assert_eq!(parse_duration("-1s"), Err(UnitError::Number { text: "-1s".to_owned() }));
        assert_eq!(parse_duration("1.5s"), Err(UnitError::Unit { unit: ".5s".to_owned() }));
        assert_eq!(parse_size("2GB"), Err(UnitError::Unit { unit: "GB".to_owned() }));
        assert!(matches!(parse_size("99999999999999999999B"), Err(UnitError::TooMuch { .. })));
        assert!(matches!(parse_size("99999999999TiB"), Err(UnitError::TooMuch { .. })));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(amount: u64) {
            prop_assert_eq!(parse_size(&format_size(amount)), Ok(amount));
            prop_assert_eq!(parse_rate(&format_rate(amount)), Ok(amount));
            let duration = Duration::from_millis(amount);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = parse_size(&text);
            let _ = parse_duration(&text);
        }
    }
}
