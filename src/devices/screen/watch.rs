//! Whether a page lives, and what is done when it does not. Pure: time is an argument.

use std::time::{Duration, Instant};

/// How long nothing may listen, of a page that did, before it is taken for dead: longer than loading takes.
const DEAF: Duration = Duration::from_secs(4);
/// Between two looks: when it is longer, it was we who heard nothing.
const BLIND: Duration = Duration::from_secs(3);
/// How long a page that is loaded anew may take before it is loaded once more.
const LOADING: Duration = Duration::from_secs(12);
/// How long a browser that is started anew may take.
const STARTING: Duration = Duration::from_secs(30);

/// What is to be done with a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Load the page anew.
    Reload,
    /// Start the browser anew.
    Restart,
}

/// Watches one page.
#[derive(Debug)]
pub(super) struct Watch {
    silence: Duration,
    reloads: u32,
    restarts: u32,
    /// When it was heard last; until then, since when it is waited for.
    heard: Instant,
    has_lived: bool,
    /// Since when nobody listens.
    deaf: Option<Instant>,
    /// When it was looked at last.
    looked: Instant,
    /// Nothing is done before.
    patience: Instant,
    reloaded: u32,
    restarted: u32,
}

impl Watch {
    /// A page that has not been heard yet. `restarted` counts over all runs of the driver.
    pub(super) fn new(silence: Duration, reloads: u32, restarts: u32, restarted: u32, now: Instant) -> Self {
        let (heard, patience) = (now, now + LOADING);
        let (looked, deaf, has_lived) = (now, None, false);
        Self { silence, reloads, restarts, heard, has_lived, deaf, looked, patience, reloaded: 0, restarted }
    }

    /// A heartbeat of a page that paints.
    pub(super) fn heard(&mut self, now: Instant) {
        (self.heard, self.has_lived, self.reloaded, self.patience) = (now, true, 0, now);
    }

    /// Whether somebody listens; asked twice a second. Time in which it was not asked is nobody's silence: the gateway
    /// itself stood still, or its disk did.
    pub(super) fn listened(&mut self, pages: usize, now: Instant) {
        let unlooked = now.saturating_duration_since(self.looked);
        self.looked = now;
        if unlooked > BLIND {
            self.heard = (self.heard + unlooked).min(now);
            self.deaf = None;
        }
        self.deaf = if pages > 0 { None } else { self.deaf.or(Some(now)) };
    }

    /// Times that the browser was started anew.
    pub(super) fn restarted(&self) -> u32 {
        self.restarted
    }

    /// Whether the screen shows nothing, as far as anybody can tell.
    pub(super) fn is_dark(&self, now: Instant) -> bool {
        let is_deaf = self.deaf.is_some_and(|since| now.saturating_duration_since(since) >= DEAF);
        now.saturating_duration_since(self.heard) >= self.silence || (self.has_lived && is_deaf)
    }

    /// What is to be done now, if anything. A page is given time after every remedy, and the number of remedies has an
    /// end.
    pub(super) fn remedy(&mut self, now: Instant) -> Option<Remedy> {
        if !self.is_dark(now) || now < self.patience {
            return None;
        }
        if self.reloaded < self.reloads {
            (self.reloaded, self.patience) = (self.reloaded + 1, now + LOADING);
            return Some(Remedy::Reload);
        }
        if self.restarted < self.restarts {
            (self.restarted, self.reloaded, self.patience) = (self.restarted + 1, 0, now + STARTING);
            return Some(Remedy::Restart);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::types::Timestamp;

    fn start() -> Instant {
        Clock::manual(Timestamp::from_unix_ms(0), 1).now()
    }

    fn watch(now: Instant) -> Watch {
        Watch::new(Duration::from_secs(15), 2, 3, 0, now)
    }

    /// What is done in `seconds`, and after how many, when nothing is heard any more and `pages` listen.
    fn done(watch: &mut Watch, from: Instant, seconds: u64, pages: usize) -> Vec<(u64, Remedy)> {
        let each = (0..=seconds).filter_map(|second| {
            let now = from + Duration::from_secs(second);
            watch.listened(pages, now);
            watch.remedy(now).map(|remedy| (second, remedy))
        });
        each.collect()
    }

    #[test]
    fn a_gateway_that_stood_still_takes_no_page_for_dead() {
        let now = start();
        let mut watch = watch(now);
        watch.heard(now);
        assert_eq!(done(&mut watch, now, 10, 1), []);
        let awake = now + Duration::from_secs(70);
        assert_eq!(done(&mut watch, awake, 4, 1), [], "of the silence only ten seconds were the page's");
        assert_eq!(done(&mut watch, awake + Duration::from_secs(5), 0, 1), [(0, Remedy::Reload)]);
    }

    #[test]
    fn a_page_that_paints_no_more_is_loaded_anew_twice_and_then_its_browser_three_times_at_most() {
        let now = start();
        let mut watch = watch(now);
        watch.heard(now);
        let remedies = done(&mut watch, now, 3600, 1);
        let words: Vec<_> = remedies.iter().map(|(_, remedy)| *remedy).collect();
        use Remedy::{Reload, Restart};
        let (r, s) = (Reload, Restart);
        assert_eq!(words, [r, r, s, r, r, s, r, r, s, r, r]);
        assert_eq!((remedies[0].0, remedies[1].0, remedies[2].0), (15, 27, 39));
        assert!(watch.is_dark(now + Duration::from_secs(3600)));
    }

    #[test]
    fn a_page_whose_renderer_is_dead_is_back_within_seconds() {
        let now = start();
        let mut watch = watch(now);
        watch.heard(now);
        assert_eq!(done(&mut watch, now + Duration::from_secs(1), 10, 0)[0], (4, Remedy::Reload));
    }

    #[test]
    fn a_heartbeat_makes_good_and_a_page_that_never_came_is_waited_for() {
        let now = start();
        let mut watch = watch(now);
        assert_eq!(done(&mut watch, now, 14, 0), []);
        assert!(!watch.is_dark(now + Duration::from_secs(14)));
        for second in 15..100 {
            let now = now + Duration::from_secs(second);
            watch.listened(1, now);
            watch.heard(now);
            assert_eq!(watch.remedy(now), None);
        }
    }
}
