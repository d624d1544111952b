//! Who a face is, among members who consented: the nearest, if it is near enough and nobody else is.

use super::Embedding;
use crate::types::wipe;

const LEN: usize = Embedding::LEN;
/// Members that are compared exactly after the coarse look.
const CLOSER_LOOK: usize = 16;
/// Steps of a coarse number.
const STEPS: f32 = 127.0;

/// When a face is a member.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MatchSettings {
    /// Least similarity.
    pub similarity: f32,
    /// By how much the best must be better than the second best: in doubt it is nobody.
    pub margin: f32,
}

/// Templates of members, in RAM. A row is a member's place in the list that the caller keeps.
///
/// Each template is held twice: as 8-bit numbers, so that 50,000 of them are looked through in a millisecond, and
/// exactly, for those that came near. All are overwritten when the gallery goes.
#[derive(Default)]
pub struct Gallery {
    coarse: Vec<[i8; LEN]>,
    exact: Vec<Embedding>,
}

/// The member that a face is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// The member's row.
    pub row: usize,
    /// How alike.
    pub similarity: f32,
}

impl Gallery {
    /// Adds a template and says its row.
    pub fn add(&mut self, template: Embedding) -> usize {
        self.coarse.push(coarse(&template));
        self.exact.push(template);
        self.exact.len() - 1
    }

    /// Takes a template out; the last one gets its row.
    pub fn remove(&mut self, row: usize) {
        if row < self.exact.len() {
            wipe(&mut self.coarse[row]);
            self.coarse.swap_remove(row);
            self.exact.swap_remove(row);
        }
    }

    /// The template of a row.
    #[must_use]
    pub fn template(&self, row: usize) -> Option<&Embedding> {
        self.exact.get(row)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.exact.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty()
    }

    /// The member that the face is, or nobody: too unlike, or too like two.
    #[must_use]
    pub fn find(&self, face: &Embedding, settings: MatchSettings) -> Option<Match> {
        let mut face_coarse = coarse(face);
        let mut near: Vec<(i32, usize)> = Vec::with_capacity(CLOSER_LOOK + 1);
        for (row, template) in self.coarse.iter().enumerate() {
            let product = dot(template, &face_coarse);
            if near.len() < CLOSER_LOOK || near.last().is_some_and(|(least, _)| product > *least) {
                let at = near.partition_point(|(other, _)| *other >= product);
                near.insert(at, (product, row));
                near.truncate(CLOSER_LOOK);
            }
        }
        wipe(&mut face_coarse);
        let mut exact: Vec<Match> =
            near.iter().map(|(_, row)| Match { row: *row, similarity: self.exact[*row].similarity(face) }).collect();
        exact.sort_by(|one, other| other.similarity.total_cmp(&one.similarity));
        let best = *exact.first()?;
        let second = exact.get(1).map_or(-1.0, |second| second.similarity);
        (best.similarity >= settings.similarity && best.similarity - second >= settings.margin).then_some(best)
    }
}

impl Drop for Gallery {
    fn drop(&mut self) {
        self.coarse.iter_mut().for_each(|template| wipe(template));
    }
}

/// Numbers of at most one in 127 steps; those of a unit vector of 128 dimensions are about 0.09, so they are taken four
/// times as large and the few beyond are cut.
#[expect(clippy::cast_possible_truncation, reason = "clamped, and saturates")]
fn coarse(embedding: &Embedding) -> [i8; LEN] {
    embedding.values().map(|value| (value * 4.0 * STEPS).round().clamp(-STEPS, STEPS) as i8)
}

fn dot(one: &[i8; LEN], other: &[i8; LEN]) -> i32 {
    one.iter().zip(other).map(|(a, b)| i32::from(i16::from(*a) * i16::from(*b))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: MatchSettings = MatchSettings { similarity: 0.4, margin: 0.05 };

    /// A direction that is far from all others, from a small generator of our own.
    fn direction(seed: u64) -> [f32; LEN] {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        std::array::from_fn(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            f32::from((state >> 48) as u16) / 32768.0 - 1.0
        })
    }

    fn mixed(seed: u64, other: u64, part: f32) -> Embedding {
        let (one, two) = (direction(seed), direction(other));
        Embedding::new(&std::array::from_fn::<_, LEN, _>(|at| one[at] * (1.0 - part) + two[at] * part)).unwrap()
    }

    #[test]
    fn the_nearest_of_many_is_found_and_a_stranger_is_nobody() {
        let mut gallery = Gallery::default();
        for seed in 1..=5000 {
            gallery.add(mixed(seed, 1, 0.0));
        }
        for member in [1_usize, 77, 5000] {
            let found = gallery.find(&mixed(member as u64, 9999, 0.3), SETTINGS).expect("a member");
            assert_eq!(found.row, member - 1);
            assert!(found.similarity > 0.85, "{}", found.similarity);
        }
        assert_eq!(gallery.find(&mixed(70_000, 1, 0.0), SETTINGS), None);
    }

    #[test]
    fn who_is_like_two_members_is_nobody() {
        let mut gallery = Gallery::default();
        gallery.add(mixed(1, 2, 0.49));
        gallery.add(mixed(1, 2, 0.51));
        assert_eq!(gallery.find(&mixed(1, 2, 0.5), SETTINGS), None);
        gallery.remove(1);
        assert_eq!(gallery.find(&mixed(1, 2, 0.5), SETTINGS).map(|found| found.row), Some(0));
    }

    #[test]
    fn a_member_who_is_removed_is_not_found() {
        let mut gallery = Gallery::default();
        (1..=3).for_each(|seed| {
            gallery.add(mixed(seed, 1, 0.0));
        });
        gallery.remove(0);
        assert_eq!(gallery.len(), 2);
        assert_eq!(gallery.find(&mixed(1, 1, 0.0), SETTINGS), None);
        assert_eq!(gallery.find(&mixed(3, 1, 0.0), SETTINGS).map(|found| found.row), Some(0), "the last took its row");
    }
}
