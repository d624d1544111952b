//! What of a sensor's hearing counts, and how. All of it comes from the device's profile and settings.

use std::time::Duration;

use super::limits::{LONGEST_WINDOW, SHORTEST_WINDOW, WINDOWS};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What is heard more weakly than this does not count at all; -128 counts everything.
    pub rssi_min_dbm: i8,
    /// A device that is once heard this strongly during a visit has come in; one that is not has passed by.
    pub visit_rssi_min_dbm: i8,
    /// A visit ends after this long a silence.
    pub visit_silence: Duration,
    /// Who came in and is there for this long has stayed.
    pub stay_after: Duration,
    /// Lengths of the windows, each aligned to the Unix epoch; 1 second to 1 day, at most 8.
    pub windows: Vec<Duration>,
    /// A device that was heard for this long in all while the shop was closed belongs to the shop.
    pub fixture_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rssi_min_dbm: -128,
            visit_rssi_min_dbm: -75,
            visit_silence: Duration::from_secs(5 * 60),
            stay_after: Duration::from_secs(5 * 60),
            windows: vec![Duration::from_secs(60), Duration::from_secs(600), Duration::from_secs(3600)],
            fixture_after: Duration::from_secs(10 * 60),
        }
    }
}

/// What cannot be counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A window of this length.
    #[error("a window of {0:?} is not possible: it lasts 1 s to 1 day, in whole seconds")]
    Window(Duration),
    /// This many windows.
    #[error("{0} windows: there must be 1 to {WINDOWS}")]
    Windows(usize),
    /// A time that is zero or longer than a day.
    #[error("{0} must be longer than nothing and at most 1 day")]
    Time(&'static str),
}

/// Whether a window can have this length.
pub(super) fn is_window(length: Duration) -> bool {
    (SHORTEST_WINDOW..=LONGEST_WINDOW).contains(&length) && length.subsec_nanos() == 0
}

impl Settings {
    /// Whether one can count by them. What is refused here is left out by the counter.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.windows.is_empty() || self.windows.len() > WINDOWS {
            return Err(SettingsError::Windows(self.windows.len()));
        }
        if let Some(window) = self.windows.iter().find(|window| !is_window(**window)) {
            return Err(SettingsError::Window(*window));
        }
        let times = [
            ("the silence that ends a visit", self.visit_silence),
            ("the time after which somebody has stayed", self.stay_after),
            ("the time after which a device belongs to the shop", self.fixture_after),
        ];
        let is_wrong = |time: Duration| time.is_zero() || time > LONGEST_WINDOW;
        times.into_iter().find(|(_, time)| is_wrong(*time)).map_or(Ok(()), |(name, _)| Err(SettingsError::Time(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_counted_by_is_refused_by_name() {
        let with = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.check()
        };
        assert_eq!(with(|_| {}), Ok(()));
        assert_eq!(with(|s| s.windows.clear()), Err(SettingsError::Windows(0)));
        assert_eq!(with(|s| s.windows = vec![Duration::from_secs(1); 9]), Err(SettingsError::Windows(9)));
        let short = Duration::from_millis(1500);
        assert_eq!(with(|s| s.windows.push(Duration::from_millis(1500))), Err(SettingsError::Window(short)));
        assert!(with(|s| s.visit_silence = Duration::ZERO).unwrap_err().to_string().contains("ends a visit"));
    }
}
