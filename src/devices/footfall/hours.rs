//! Opening hours in the store's own time: when the key goes, and who is there when nobody should be.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

/// When the shop opens and closes, every day alike.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hours {
    pub(super) timezone: TimeZone,
    /// `None`: it is not said, and counts as always open.
    pub(super) opens: Option<Time>,
    /// Closing time: a key's end.
    pub(super) closes: Time,
}

const DAY_US: i64 = 24 * 3600 * 1_000_000;

impl Hours {
    /// The next closing time behind `now_us` (microseconds since 1970), in the same unit; at most a day and a little
    /// ahead, whatever the clocks of the time zone do.
    pub(super) fn next_closing_us(&self, now_us: i64) -> i64 {
        self.closing_behind(now_us).unwrap_or_else(|| now_us.saturating_add(DAY_US))
    }

    fn closing_behind(&self, now_us: i64) -> Option<i64> {
        let today = Timestamp::from_microsecond(now_us).ok()?.to_zoned(self.timezone.clone()).date();
        for date in [today, today.tomorrow().ok()?, today.tomorrow().ok()?.tomorrow().ok()?] {
            let closing = date.to_datetime(self.closes).to_zoned(self.timezone.clone()).ok()?;
            let closing_us = closing.timestamp().as_microsecond();
            if closing_us > now_us {
                return Some(closing_us);
            }
        }
        None
    }

    /// Whether the shop is open.
    pub(super) fn is_open(&self, now_us: i64) -> bool {
        let Some(opens) = self.opens else { return true };
        let Ok(now) = Timestamp::from_microsecond(now_us) else { return true };
        let time = now.to_zoned(self.timezone.clone()).time();
        if opens <= self.closes { opens <= time && time < self.closes } else { opens <= time || time < self.closes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(zone: &str, opens: &str, closes: &str) -> Hours {
        let opens = (!opens.is_empty()).then(|| opens.parse().unwrap());
        Hours { timezone: TimeZone::get(zone).unwrap(), opens, closes: closes.parse().unwrap() }
    }

    fn us(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn closing_time_is_local() {
        let shanghai = hours("Asia/Shanghai", "", "22:00");
        let closing = |now: &str| shanghai.next_closing_us(us(now));
        assert_eq!(closing("2026-11-22T13:59:59Z"), us("2026-11-22T14:00:00Z"));
        assert_eq!(closing("2026-11-22T14:00:00Z"), us("2026-11-23T14:00:00Z"));
    }

    #[test]
    fn a_day_with_another_length_has_one_closing_time_all_the_same() {
        // Clocks in Prague go forward from 2 to 3 on 2026-03-29, and back from 3 to 2 on 2026-10-25.
        let prague = hours("Europe/Prague", "", "02:30");
        assert_eq!(prague.next_closing_us(us("2026-03-28T12:00:00Z")), us("2026-03-29T01:30:00Z"));
        assert_eq!(prague.next_closing_us(us("2026-03-29T01:30:00Z")), us("2026-03-30T00:30:00Z"));
        let first = prague.next_closing_us(us("2026-10-24T12:00:00Z"));
        assert_eq!(first, us("2026-10-25T00:30:00Z"));
        assert_eq!(prague.next_closing_us(first), us("2026-10-26T01:30:00Z"));
    }

    #[test]
    fn a_key_never_lives_much_longer_than_a_day() {
        for zone in ["Asia/Shanghai", "Europe/Prague", "Pacific/Apia", "UTC"] {
            let hours = hours(zone, "", "02:30");
            let mut now_us = us("2011-12-20T00:00:00Z");
            for _ in 0..20 {
                let next_us = hours.next_closing_us(now_us);
                assert!(next_us > now_us && next_us - now_us <= 26 * 3_600_000_000, "{zone} at {now_us}");
                now_us = next_us;
            }
        }
        assert_eq!(hours("UTC", "", "02:30").next_closing_us(i64::MAX), i64::MAX);
    }

    #[test]
    fn a_bar_is_open_over_midnight() {
        let bar = hours("UTC", "18:00", "02:00");
        let open = |time: &str| bar.is_open(us(&format!("2026-11-22T{time}:00Z")));
        assert_eq!(["17:59", "18:00", "23:59", "01:59", "02:00"].map(open), [false, true, true, true, false]);
        let shop = hours("UTC", "09:00", "22:00");
        assert!(shop.is_open(us("2026-11-22T09:00:00Z")) && !shop.is_open(us("2026-11-22T22:00:00Z")));
        assert!(hours("UTC", "", "22:00").is_open(us("2026-11-22T23:00:00Z")), "always, when it is not said");
    }
}
