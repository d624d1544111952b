//! Chains: addresses that one frame counter runs through, and what is remembered of them.

use super::limits::PRINTS_OF_ONE;
use super::print::Manner;

/// A few fingerprint numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Prints {
    ids: [u16; PRINTS_OF_ONE],
    count: u8,
}

impl Prints {
    pub(super) fn all(&self) -> &[u16] {
        &self.ids[..usize::from(self.count)]
    }

    pub(super) fn has(&self, id: u16) -> bool {
        self.all().contains(&id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether there is one that both have.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.all().iter().any(|id| other.has(*id))
    }

    /// Remembers one more, if there is room; whether it is a new one.
    pub(super) fn add(&mut self, id: u16) -> bool {
        let is_new = !self.has(id) && usize::from(self.count) < PRINTS_OF_ONE;
        if is_new {
            self.ids[usize::from(self.count)] = id;
            self.count += 1;
        }
        is_new
    }
}

/// Manners under which something spoke, as a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Manners(u8);

impl Manners {
    fn bit(manner: Manner) -> u8 {
        match manner {
            Manner::Global => 1,
            Manner::Android => 2,
            Manner::Local => 4,
        }
    }

    pub(super) fn of(manner: Manner) -> Self {
        Self(Self::bit(manner))
    }

    pub(super) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(super) fn has(self, manner: Manner) -> bool {
        self.0 & Self::bit(manner) != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether there is one that both have, or nothing is known of one.
    pub(super) fn fits(self, other: Self) -> bool {
        self.is_empty() || other.is_empty() || self.0 & other.0 != 0
    }
}

/// A row of addresses that are one device beyond reasonable doubt: each followed the one before in the frame counter,
/// or it is one address alone.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    /// Unique within the key's life.
    pub(super) serial: u32,
    /// Index of the device it is counted to.
    pub(super) device: u32,
    /// The next older chain of the same device, with its serial.
    pub(super) older: Option<(u32, u32)>,
    pub(super) first_us: i64,
    pub(super) last_us: i64,
    pub(super) first_sequence: u16,
    pub(super) sequence: u16,
    /// Usual step of the counter from one address to the next; 0 while unknown.
    pub(super) stride: f32,
    /// Place in its bucket of the counter index.
    pub(super) slot: u32,
    /// The fingerprint seen last, so that the usual frame needs no search.
    pub(super) last_print: u64,
    /// Fingerprints that say which model it is.
    pub(super) full: Prints,
    /// Fingerprints that many models share.
    pub(super) weak: Prints,
    /// How it made its addresses when it spoke fully.
    pub(super) full_manners: Manners,
    /// How it made its addresses when it spoke weakly.
    pub(super) weak_manners: Manners,
    /// Since when it has been there without a silence that ends a visit.
    pub(super) visit_us: i64,
    /// Strongest signal of this visit, dBm.
    pub(super) visit_dbm: i8,
    pub(super) is_live: bool,
}

impl Chain {
    /// The counter went on with this step to a new address.
    pub(super) fn step(&mut self, gap: u16) {
        let gap = f32::from(gap);
        self.stride = if self.stride == 0.0 { gap } else { 0.75 * self.stride + 0.25 * gap };
    }

    /// It was heard at this time; `silence_us` ends a visit.
    #[inline]
    pub(super) fn hear(&mut self, at_us: i64, rssi_dbm: i8, silence_us: i64) {
        if at_us.saturating_sub(self.last_us) > silence_us {
            self.visit_us = at_us;
            self.visit_dbm = rssi_dbm;
        }
        self.visit_dbm = self.visit_dbm.max(rssi_dbm);
        self.last_us = self.last_us.max(at_us);
    }

    /// Whether it has a burnt-in address.
    pub(super) fn is_global(&self) -> bool {
        self.full_manners.has(Manner::Global) || self.weak_manners.has(Manner::Global)
    }
}

/// How much more probable the counter's step of `gap` after `after_us` is for one and the same sender than for two, as
/// the logarithm of the ratio; `stride` is the sender's usual step between addresses (0 while unknown) and `steady` how
/// often senders of this kind carry their counter over to the next
/// address.
///
/// A phone that scans sends some twenty to sixty probe requests over all channels each time, so that the counter runs
/// on with the scans and not with the time; the scale is what captures of ten phones show.
pub(super) fn continuity(gap: u16, after_us: i64, steady: f64, stride: f32) -> f64 {
    let after_s = after_us.max(0) as f64 / 1e6;
    let scale = (20.0 + 0.6 * after_s).min(600.0);
    let near = (-f64::from(gap) / scale).exp() / scale;
    let usual = f64::from(stride);
    let width = 2.0 + 0.25 * usual;
    let off = (f64::from(gap) - usual) / width;
    let as_usual = (-0.5 * off * off).exp() / (2.5 * width);
    let weight = if usual > 0.0 { 0.5 * (-after_s / 300.0).exp() } else { 0.0 };
    (4096.0 * steady * ((1.0 - weight) * near + weight * as_usual) + (1.0 - steady)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_are_few_and_the_first_ones_stay() {
        let mut prints = Prints::default();
        let added = (0..20).filter(|id| prints.add(*id)).count();
        assert_eq!((added, prints.all()), (PRINTS_OF_ONE, [0, 1, 2, 3, 4, 5, 6, 7].as_slice()));
        assert!(!prints.add(3), "it is known");
        let mut other = Prints::default();
        assert!(!other.meets(&prints) && other.is_empty());
        other.add(3);
        assert!(other.meets(&prints));
    }

    #[test]
    fn a_small_step_soon_speaks_for_one_sender_and_a_large_one_against() {
        let second = 1_000_000;
        assert!(continuity(1, second / 10, 0.95, 0.0) > 4.5);
        assert!(continuity(20, 40 * second, 0.95, 0.0) > 3.5);
        assert!(continuity(37, 63 * second, 0.95, 0.0) > 3.0);
        assert!(continuity(2000, 60 * second, 0.95, 0.0) < -2.0);
        assert!(continuity(300, 1200 * second, 0.95, 0.0) > 0.5, "after long the counter may have run far");
        assert!(continuity(5, 60 * second, 0.02, 0.0) < 1.0, "a kind that begins anew each time proves nothing by it");
        assert!(continuity(1, second, 0.5, 0.0) > continuity(1, 600 * second, 0.5, 0.0));
    }
}
