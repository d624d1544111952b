//! How much was heard, and how strongly: what an estimate of people is made of.
//!
//! Whoever calibrates needs numbers that follow the number of people, not numbers of devices that are right: addresses
//! and element orders that were heard at least this strongly in the last so many minutes.

use std::collections::HashMap;
use std::time::Duration;

use super::limits::LEVEL_ENTRIES;
use super::tracks::ByHash;

/// Signal levels at which is counted, dBm.
pub(super) const GATES_DBM: [i8; 5] = [-128, -85, -75, -65, -55];
/// How far is looked back, in calibrated windows.
pub(super) const SPANS: [u32; 2] = [1, 3];
/// How many numbers there are: of two kinds, at each level, over each span.
pub(super) const FEATURES: usize = 2 * GATES_DBM.len() * SPANS.len();

/// The square roots of the numbers: their noise is then about the same everywhere. Orders first, then addresses; of
/// each the spans, of each span the levels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Features(pub(super) [f64; FEATURES]);

impl Features {
    /// Those of a window that a counter gave: who stayed, came in, was heard at all, was heard at most, passed.
    pub fn of_window(passed: u32, visited: u32, stayed: u32, devices_high: u32) -> Self {
        let counts = [stayed, visited + stayed, passed + visited + stayed, devices_high, passed];
        let mut features = [0.0; FEATURES];
        features.iter_mut().zip(counts).for_each(|(feature, count)| *feature = f64::from(count).sqrt());
        Self(features)
    }
}

/// When each of some things was last heard at least how strongly, in seconds since the Unix epoch; 0 for never.
#[derive(Default)]
struct Lasts(ByHash<[u32; GATES_DBM.len()]>);

impl Lasts {
    #[inline]
    fn hear(&mut self, id: u64, at_s: u32, rssi_dbm: i8) {
        if self.0.len() >= LEVEL_ENTRIES && !self.0.contains_key(&id) {
            self.forget_half();
        }
        let last = self.0.entry(id).or_default();
        for (last, gate) in last.iter_mut().zip(GATES_DBM) {
            if rssi_dbm < gate {
                break;
            }
            *last = at_s;
        }
    }

    fn counts(&self, from_s: u32) -> [u32; GATES_DBM.len()] {
        let mut counts = [0; GATES_DBM.len()];
        for last in self.0.values() {
            for (count, last) in counts.iter_mut().zip(last) {
                *count += u32::from(*last >= from_s);
            }
        }
        counts
    }

    fn forget_half(&mut self) {
        let mut lasts: Vec<u32> = self.0.values().map(|last| last[0]).collect();
        let middle = lasts.len() / 2;
        let (_, &mut middle_s, _) = lasts.select_nth_unstable(middle);
        self.0.retain(|_, last| last[0] > middle_s);
    }
}

/// See the module.
pub(super) struct Levels {
    orders: Lasts,
    addresses: Lasts,
    window_s: u32,
}

fn seconds(at_us: i64) -> u32 {
    u32::try_from(at_us.div_euclid(1_000_000).max(0)).unwrap_or(u32::MAX)
}

impl Levels {
    /// Nothing was heard. Windows of this length will be asked for.
    pub(super) fn new(window: Duration) -> Self {
        let window_s = u32::try_from(window.as_secs()).unwrap_or(u32::MAX);
        Self { orders: Lasts(HashMap::default()), addresses: Lasts(HashMap::default()), window_s }
    }

    /// The same for another key.
    pub(super) fn anew(&self) -> Self {
        Self { orders: Lasts(HashMap::default()), addresses: Lasts(HashMap::default()), window_s: self.window_s }
    }

    /// An order of elements and an address, if it says anything, were heard.
    #[inline]
    pub(super) fn hear(&mut self, at_us: i64, order: u64, address: Option<u64>, rssi_dbm: i8) {
        let at_s = seconds(at_us);
        self.orders.hear(order, at_s, rssi_dbm);
        if let Some(address) = address {
            self.addresses.hear(address, at_s, rssi_dbm);
        }
    }

    /// What was heard in the windows that end at `now_us`.
    pub(super) fn features(&self, now_us: i64) -> Features {
        let mut features = [0.0; FEATURES];
        let mut at = features.iter_mut();
        for lasts in [&self.orders, &self.addresses] {
            for span in SPANS {
                let from_s = seconds(now_us).saturating_sub(self.window_s.saturating_mul(span)).max(1);
                for (count, feature) in lasts.counts(from_s).into_iter().zip(at.by_ref()) {
                    *feature = f64::from(count).sqrt();
                }
            }
        }
        Features(features)
    }

    /// What is older than the longest span will not be asked for any more.
    pub(super) fn forget(&mut self, now_us: i64) {
        let from_s = seconds(now_us).saturating_sub(self.window_s.saturating_mul(SPANS[SPANS.len() - 1]));
        self.orders.0.retain(|_, last| last[0] >= from_s);
        self.addresses.0.retain(|_, last| last[0] >= from_s);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_counts_at_its_levels_and_spans() {
        let mut levels = Levels::new(Duration::from_secs(60));
        let second = |s: i64| s * 1_000_000;
        levels.hear(second(1000), 7, Some(1), -90);
        levels.hear(second(1100), 7, Some(2), -60);
        levels.hear(second(1101), 8, None, -80);
        let squares = levels.features(second(1120)).0.map(|root| (root * root).round());
        let [orders, orders_long] = [[2.0, 2.0, 1.0, 1.0, 0.0], [2.0, 2.0, 1.0, 1.0, 0.0]];
        let [addresses, addresses_long] = [[1.0, 1.0, 1.0, 1.0, 0.0], [2.0, 1.0, 1.0, 1.0, 0.0]];
        assert_eq!(squares.as_slice(), [orders, orders_long, addresses, addresses_long].concat());
        levels.forget(second(1200));
        assert_eq!(levels.addresses.0.len(), 1);
    }

    #[test]
    fn the_number_of_entries_is_bounded() {
        let mut levels = Levels::new(Duration::from_secs(600));
        for id in 0..LEVEL_ENTRIES as u64 + 10 {
            levels.hear(i64::try_from(id).unwrap() * 1000, 1, Some(id), -50);
        }
        assert!(levels.addresses.0.len() <= LEVEL_ENTRIES);
        assert!(levels.addresses.0.contains_key(&(LEVEL_ENTRIES as u64 + 9)), "the latest stays");
    }
}
