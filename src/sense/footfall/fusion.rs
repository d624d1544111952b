//! Several sensors of one store: who is heard by two counts once, where it is heard the strongest.
//!
//! The sensors share a key, so that an address has one pseudonym in all of them. Devices of two sensors are one if
//! they have a pseudonym in common. A device that changed its address between two sensors is counted by both: a
//! radio's reach is large against how far people walk in the minutes an address lasts.

use std::collections::HashMap;

/// A device that one sensor hears.
#[derive(Clone)]
pub(super) struct Present {
    /// Pseudonyms of its addresses.
    pub(super) addresses: Vec<u64>,
    pub(super) rssi_dbm: i8,
    pub(super) dwell_us: i64,
}

/// Who one sensor hears.
pub struct Roll(Vec<Present>);

/// Shows numbers only: pseudonyms stay inside.
impl std::fmt::Debug for Roll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Roll({} devices)", self.0.len())
    }
}

impl Roll {
    pub(super) fn new(present: Vec<Present>) -> Self {
        Self(present)
    }
}

/// A device of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fused {
    /// Index of the sensor that hears it the strongest; of two, the first.
    pub zone: usize,
    /// How strongly, dBm.
    pub rssi_dbm: i8,
    /// The longest that any sensor has known its visit, in microseconds.
    pub dwell_us: i64,
}

/// The store's devices: each once, in the order in which the sensors name them.
pub fn fuse(rolls: &[Roll]) -> Vec<Fused> {
    let heard: Vec<(usize, &Present)> =
        rolls.iter().enumerate().flat_map(|(zone, roll)| roll.0.iter().map(move |present| (zone, present))).collect();
    let mut groups: Vec<usize> = (0..heard.len()).collect();
    let mut first_with: HashMap<u64, usize> = HashMap::new();
    for (at, (_, present)) in heard.iter().enumerate() {
        for address in &present.addresses {
            let with = *first_with.entry(*address).or_insert(at);
            let (a, b) = (root(&groups, at), root(&groups, with));
            groups[a.max(b)] = a.min(b);
        }
    }
    let mut fused: Vec<Option<Fused>> = vec![None; heard.len()];
    for (at, (zone, present)) in heard.iter().enumerate() {
        let own = Fused { zone: *zone, rssi_dbm: present.rssi_dbm, dwell_us: present.dwell_us };
        let whole = fused[root(&groups, at)].get_or_insert(own);
        whole.dwell_us = whole.dwell_us.max(own.dwell_us);
        if own.rssi_dbm > whole.rssi_dbm {
            (whole.zone, whole.rssi_dbm) = (own.zone, own.rssi_dbm);
        }
    }
    fused.into_iter().flatten().collect()
}

fn root(groups: &[usize], mut at: usize) -> usize {
    while groups[at] != at {
        at = groups[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present(addresses: &[u64], rssi_dbm: i8, dwell_us: i64) -> Present {
        Present { addresses: addresses.to_vec(), rssi_dbm, dwell_us }
    }

    #[test]
    fn who_is_heard_by_two_sensors_counts_once_where_it_is_strongest() {
        let door = Roll::new(vec![present(&[1, 2], -70, 90), present(&[3], -50, 10)]);
        let till = Roll::new(vec![present(&[2, 9], -55, 30), present(&[4], -60, 20)]);
        let fused = fuse(&[door, till]);
        let one = |zone, rssi_dbm, dwell_us| Fused { zone, rssi_dbm, dwell_us };
        assert_eq!(fused, [one(1, -55, 90), one(0, -50, 10), one(1, -60, 20)]);
    }

    #[test]
    fn a_third_sensor_joins_what_two_could_not() {
        let rolls = [&[1_u64][..], &[2], &[1, 2]].map(|addresses| Roll::new(vec![present(addresses, -60, 0)]));
        assert_eq!(fuse(&rolls).len(), 1);
        assert_eq!(fuse(&rolls[..2]).len(), 2);
        assert_eq!(format!("{:?}", rolls[2]), "Roll(1 devices)");
    }
}
