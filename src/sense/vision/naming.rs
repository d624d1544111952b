//! When a followed face is looked at closely, and from when on it is a member.
//!
//! A face is made comparable when it is seen well, and again only when it is seen clearly better: never in every
//! picture. One look that is beyond doubt, or two that agree, make a track a member; a look that contradicts takes it
//! back. Everything else is nobody.

use std::collections::BTreeMap;

use super::gallery::Match;
use super::quality::GOOD;
use super::track::TrackId;

/// By so much better than the best view so far is a reason for another look.
const BETTER: f32 = 1.15;
/// Between two looks at one face.
const BETWEEN_US: i64 = 300_000;
/// Looks at one face.
const LOOKS: u32 = 8;
/// A single look is enough when the similarity is so much above the threshold.
const BEYOND_DOUBT: f32 = 0.12;

/// A track's looks so far.
#[derive(Debug, Default)]
struct Looks {
    best: f32,
    last_us: i64,
    count: u32,
    /// The member that the last look said, and how often in a row.
    row: Option<usize>,
    agreed: u32,
    member: Option<usize>,
}

/// What a look changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Named {
    /// Nothing.
    Same,
    /// The track is this member from now on.
    Member(Match),
    /// It was taken for a member, and is not.
    TakenBack(usize),
}

/// Who the followed faces are.
#[derive(Debug)]
pub struct Naming {
    similarity: f32,
    looks: BTreeMap<TrackId, Looks>,
}

impl Naming {
    /// With the least similarity of a member.
    #[must_use]
    pub fn new(similarity: f32) -> Self {
        Self { similarity, looks: BTreeMap::new() }
    }

    /// Whether this view of a face is worth a look.
    #[must_use]
    pub fn wants(&self, at_us: i64, track: TrackId, quality: f32) -> bool {
        let Some(looks) = self.looks.get(&track) else { return quality >= GOOD };
        let unsettled = looks.member.is_none() && looks.agreed > 0;
        let better = quality >= looks.best * BETTER || unsettled && quality >= looks.best * 0.8;
        quality >= GOOD && better && looks.count < LOOKS && at_us - looks.last_us >= BETWEEN_US
    }

    /// What a look found.
    pub fn looked(&mut self, at_us: i64, track: TrackId, quality: f32, found: Option<Match>) -> Named {
        let looks = self.looks.entry(track).or_default();
        looks.best = looks.best.max(quality);
        looks.last_us = at_us;
        looks.count += 1;
        let row = found.map(|found| found.row);
        looks.agreed = if row.is_some() && row == looks.row { looks.agreed + 1 } else { u32::from(row.is_some()) };
        looks.row = row;
        match (looks.member, found) {
            (Some(member), Some(found)) if found.row == member => Named::Same,
            (Some(member), Some(_)) => {
                looks.member = None;
                Named::TakenBack(member)
            }
            (None, Some(found)) => {
                let sure = found.similarity >= self.similarity + BEYOND_DOUBT || looks.agreed >= 2;
                if sure {
                    looks.member = Some(found.row);
                }
                if sure { Named::Member(found) } else { Named::Same }
            }
            (_, None) => Named::Same,
        }
    }

    /// The member that a track is.
    #[must_use]
    pub fn member(&self, track: TrackId) -> Option<usize> {
        self.looks.get(&track)?.member
    }

    /// The track has ended.
    pub fn forget(&mut self, track: TrackId) {
        self.looks.remove(&track);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    fn found(row: usize, similarity: f32) -> Option<Match> {
        Some(Match { row, similarity })
    }

    #[test]
    fn one_look_beyond_doubt_or_two_that_agree_make_a_member() {
        let mut naming = Naming::new(0.4);
        assert!(matches!(naming.looked(0, 1, 0.5, found(7, 0.6)), Named::Member(Match { row: 7, .. })));
        assert_eq!(naming.looked(0, 2, 0.5, found(7, 0.45)), Named::Same);
        assert_eq!(naming.looked(S, 2, 0.5, found(8, 0.45)), Named::Same, "they do not agree");
        assert_eq!(naming.looked(2 * S, 2, 0.5, None), Named::Same);
        assert_eq!(naming.looked(3 * S, 2, 0.5, found(8, 0.45)), Named::Same, "not in a row");
        assert!(matches!(naming.looked(4 * S, 2, 0.5, found(8, 0.45)), Named::Member(Match { row: 8, .. })));
        assert_eq!((naming.member(1), naming.member(2)), (Some(7), Some(8)));
    }

    #[test]
    fn a_contradiction_takes_a_name_back() {
        let mut naming = Naming::new(0.4);
        naming.looked(0, 1, 0.5, found(7, 0.6));
        assert_eq!(naming.looked(S, 1, 0.7, found(9, 0.6)), Named::TakenBack(7));
        assert_eq!(naming.member(1), None);
    }

    #[test]
    fn a_face_is_looked_at_when_it_is_seen_well_then_only_when_clearly_better_and_never_often() {
        let mut naming = Naming::new(0.4);
        assert!(!naming.wants(0, 1, 0.2));
        assert!(naming.wants(0, 1, 0.4));
        naming.looked(0, 1, 0.4, None);
        assert!(!naming.wants(S, 1, 0.44), "hardly better");
        assert!(naming.wants(S, 1, 0.5));
        assert!(!naming.wants(S / 10, 1, 0.9), "too soon");
        for look in 1..20 {
            naming.looked(look * S, 1, 0.4, None);
        }
        assert!(!naming.wants(60 * S, 1, 1.0), "enough");
    }
}
