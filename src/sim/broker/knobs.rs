//! How the broker misbehaves.

use std::ops::RangeInclusive;

use rumqttc::{ConnectReturnCode, PubAckReason, Publish, matches};

/// When the wire is cut, drawn anew for every connection from [`Knobs::seed`].
#[derive(Debug, Clone)]
pub enum Cut {
    /// After so many bytes in both directions together, in the middle of a packet as likely as not.
    Bytes(RangeInclusive<u64>),
    /// After so many publishes taken from the client, in the middle of the last acknowledgement.
    Publishes(RangeInclusive<u64>),
}

/// Publishes that are refused.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Topic filter, with wildcards.
    pub filter: String,
    /// Only payloads that hold these bytes; empty: all.
    pub containing: Vec<u8>,
    /// The answer; at least `0x80`.
    pub reason: PubAckReason,
}

impl Refusal {
    pub(super) fn meets(&self, publish: &Publish) -> bool {
        let topic = String::from_utf8_lossy(&publish.topic);
        let holds =
            |bytes: &[u8]| bytes.is_empty() || publish.payload.windows(bytes.len()).any(|window| window == bytes);
        matches(&topic, &self.filter) && holds(&self.containing)
    }
}

/// How the broker misbehaves. The default is: not at all.
#[derive(Debug, Clone, Default)]
pub struct Knobs {
    /// Answer CONNECT with this, and close.
    pub refuse_connect: Option<ConnectReturnCode>,
    /// Answer these publishes with a reason, and deliver them to nobody. The first that meets decides.
    pub refuse_publish: Vec<Refusal>,
    /// Neither read nor answer: connections are taken, and nothing comes ever after. Half-open, as the client sees it.
    pub silent: bool,
    /// Take publishes and everything else, but never acknowledge a publish.
    pub never_acknowledge: bool,
    /// Lose every session at the end of its connection, whatever was promised.
    pub forgetful: bool,
    /// Cut the wire.
    pub cut: Option<Cut>,
    /// Where the cuts come from.
    pub seed: u64,
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Where one connection ends.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CutAt {
    pub bytes: Option<u64>,
    pub publishes: Option<u64>,
}

impl Knobs {
    /// Draws where the next connection ends.
    pub(super) fn draw_cut(&mut self) -> CutAt {
        let drawn = match &self.cut {
            None => return CutAt::default(),
            Some(Cut::Bytes(range) | Cut::Publishes(range)) => {
                let width = (range.end() - range.start()).saturating_add(1);
                range.start() + next(&mut self.seed) % width
            }
        };
        match self.cut {
            Some(Cut::Bytes(_)) => CutAt { bytes: Some(drawn), publishes: None },
            _ => CutAt { bytes: None, publishes: Some(drawn) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_stay_in_their_range_and_follow_from_the_seed() {
        let draw = |seed| {
            let mut knobs = Knobs { cut: Some(Cut::Publishes(250..=750)), seed, ..Knobs::default() };
            (0..1_000).map(|_| knobs.draw_cut().publishes.unwrap()).collect::<Vec<_>>()
        };
        let drawn = draw(7);
        assert!(drawn.iter().all(|at| (250..=750).contains(at)));
        assert!(drawn.contains(&250) || drawn.iter().min() < Some(&260));
        assert_eq!(drawn, draw(7));
        assert_ne!(drawn, draw(8));
    }
}
