//! Points in time as data. Reading the time is `clock`'s work.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::BootId;

/// Wall time in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    unix_ms: i64,
}

/// The text is not an RFC 3339 point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time such as 2026-11-22T02:00:00Z: {0:?}")]
pub struct TimestampError(String);

/// RFC 3339 knows the years 0000 to 9999 only; what is outside is clamped to its ends.
const FIRST_MS: i64 = -62_167_219_200_000;
const LAST_MS: i64 = 253_402_207_200_000;

impl Timestamp {
    /// From milliseconds since the Unix epoch, clamped to what RFC 3339 can write.
    pub const fn from_unix_ms(unix_ms: i64) -> Self {
        let unix_ms = if unix_ms < FIRST_MS {
            FIRST_MS
        } else if unix_ms > LAST_MS {
            LAST_MS
        } else {
            unix_ms
        };
        Self { unix_ms }
    }

    /// Milliseconds since the Unix epoch.
    pub const fn unix_ms(self) -> i64 {
        self.unix_ms
    }

    /// This long after, saturating.
    pub fn plus(self, span: Duration) -> Self {
        let span_ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self::from_unix_ms(self.unix_ms.saturating_add(span_ms))
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.unix_ms.saturating_sub(earlier.unix_ms)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds: `2026-11-22T02:00:00.123Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.unix_ms) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => f.write_str("0000-01-01T00:00:00.000Z"),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at: jiff::Timestamp = text.parse().map_err(|_| TimestampError(text.chars().take(64).collect()))?;
        Ok(Self::from_unix_ms(at.as_millisecond()))
    }
}

/// When something happened, as well as this box can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Wall time; a board without a battery-backed clock boots in 1970.
    pub wall: Timestamp,
    /// Whether the wall clock was known to be right.
    pub synced: bool,
    /// The boot it happened in.
    pub boot: BootId,
    /// Time since that boot, suspend included: right even when the wall clock is not.
    pub up: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_written_with_milliseconds_and_read_back() {
        let at = Timestamp::from_unix_ms(1_763_776_800_123);
        assert_eq!(at.to_string(), "2025-11-22T02:00:00.123Z");
        assert_eq!(at.to_string().parse(), Ok(at));
        assert_eq!("2025-11-22T10:00:00.123+08:00".parse(), Ok(at));
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[test]
    fn every_clamped_timestamp_can_be_written() {
        for ms in [i64::MIN, i64::MAX, 0, FIRST_MS, LAST_MS] {
            let at = Timestamp::from_unix_ms(ms);
            assert_eq!(at.to_string().parse(), Ok(at));
        }
    }
}
