//! What has happened at a machine since it was built: what a test compares the gateway's books with.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Truth;

/// The sums of all truths.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// By lane; only those whose motor has turned.
    pub lanes: BTreeMap<u16, Lane>,
    /// Motors that began to turn.
    pub turned: u64,
    /// Products that fell.
    pub fell: u64,
    /// In the currency's smallest unit.
    pub money_minor: Money,
    /// How the gateway answered.
    pub polls: Polls,
    /// Commands that came again under their number and were not carried out again.
    pub repeated: u64,
    /// Messages that were never acknowledged and are lost.
    pub gave_up: u64,
}

/// One lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Lane {
    /// How often its motor began to turn.
    pub turned: u64,
    /// Products that fell.
    pub fell: u64,
    /// Turns that were over without a product.
    pub nothing: u64,
    /// Turns that ended with the machine's power.
    pub cut_off: u64,
}

/// Money that went through the machine itself, or through the card reader behind it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Money {
    /// Coins that came in, what was swallowed, and what a reader has taken.
    pub into: u64,
    /// What was swallowed, what the machine sold for by itself, what the reader keeps.
    pub kept: u64,
    /// Coins given back, and charges taken back.
    pub returned: u64,
}

/// How the gateway answers an FA FB machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Polls {
    /// In time.
    pub answered: u64,
    /// Later than 100 ms, or not at all.
    pub unanswered: u64,
    /// The slowest answer that was in time, in microseconds.
    pub slowest_us: u64,
}

impl Totals {
    /// Adds what has just happened.
    pub fn add(&mut self, truth: &Truth) {
        match *truth {
            Truth::Turned(slot) => {
                self.turned += 1;
                self.lane(slot).turned += 1;
            }
            Truth::Fell(slot) => {
                self.fell += 1;
                self.lane(slot).fell += 1;
            }
            Truth::Nothing(slot) => self.lane(slot).nothing += 1,
            Truth::CutOff(slot) => self.lane(slot).cut_off += 1,
            Truth::Credit(amount) => self.money_minor.into += u64::from(amount),
            Truth::Swallowed(amount) => self.charged(amount, true),
            Truth::Kept(amount) => self.money_minor.kept += u64::from(amount),
            Truth::Returned(amount) => self.money_minor.returned += u64::from(amount),
            Truth::Charged(amount, kept) => self.charged(amount, kept),
            Truth::Answered(after) => {
                self.polls.answered += 1;
                let after_us = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
                self.polls.slowest_us = self.polls.slowest_us.max(after_us);
            }
            Truth::Unanswered => self.polls.unanswered += 1,
            Truth::GaveUp => self.gave_up += 1,
            Truth::Repeated => self.repeated += 1,
        }
    }

    fn charged(&mut self, amount: u32, kept: bool) {
        self.money_minor.into += u64::from(amount);
        let side = if kept { &mut self.money_minor.kept } else { &mut self.money_minor.returned };
        *side += u64::from(amount);
    }

    fn lane(&mut self, slot: u16) -> &mut Lane {
        self.lanes.entry(slot).or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_truth_is_counted_where_it_belongs() {
        let mut totals = Totals::default();
        for truth in [
            Truth::Turned(3),
            Truth::Fell(3),
            Truth::Turned(4),
            Truth::Nothing(4),
            Truth::Turned(4),
            Truth::CutOff(4),
            Truth::Credit(500),
            Truth::Kept(350),
            Truth::Returned(150),
            Truth::Swallowed(20),
            Truth::Charged(100, true),
            Truth::Charged(70, false),
            Truth::Answered(Duration::from_millis(2)),
            Truth::Answered(Duration::from_millis(1)),
            Truth::Unanswered,
            Truth::GaveUp,
            Truth::Repeated,
        ] {
            totals.add(&truth);
        }
        assert_eq!((totals.turned, totals.fell, totals.repeated, totals.gave_up), (3, 1, 1, 1));
        assert_eq!(totals.lanes[&3], Lane { turned: 1, fell: 1, nothing: 0, cut_off: 0 });
        assert_eq!(totals.lanes[&4], Lane { turned: 2, fell: 0, nothing: 1, cut_off: 1 });
        assert_eq!(totals.money_minor, Money { into: 690, kept: 470, returned: 220 });
        assert_eq!(totals.polls, Polls { answered: 2, unanswered: 1, slowest_us: 2000 });
    }
}
