//! People who walk past a camera, and what is true of them.

use serde::Serialize;

use super::face::{Looks, Sprite};
use crate::sim::dice::Dice;

/// Lanes, by the picture's height: nobody walks in front of anybody.
const LANES: [f32; 3] = [0.2, 0.5, 0.8];
/// A person is so wide from the middle, by the picture's height.
const HALF_WIDTH: f32 = 0.065;
/// Between two people of one lane, in milliseconds: longer than anybody is waited for.
const BETWEEN_MS: (i64, i64) = (3_000, 6_000);
/// How long somebody takes to cross the picture, in milliseconds.
const CROSS_MS: (i64, i64) = (5_000, 9_000);
/// How long somebody who stops stands there, in milliseconds.
const STAND_MS: (i64, i64) = (3_000, 8_000);

/// What a scene is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SceneSetup {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Of all its chances.
    pub seed: u64,
    /// How long it goes on, in milliseconds; who would not be gone by then does not come.
    pub length_ms: i64,
    /// Lanes in use, 0 to 3: so many people are there at a time, at most.
    pub lanes: usize,
}

/// Where somebody goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// From the left edge to the right.
    Rightwards,
    /// From the right edge to the left.
    Leftwards,
    /// From the left edge to a third of the picture, and back.
    Looks,
}

/// Somebody, and when they are in the picture.
#[derive(Debug, Clone)]
struct Person {
    number: u32,
    came_ms: i64,
    went_ms: i64,
    way: Way,
    row: i32,
    sprite: Sprite,
}

/// What is true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "truth", rename_all = "kebab-case")]
pub enum Truth {
    /// Somebody has come and gone.
    Person {
        /// Their number, from 1.
        number: u32,
        /// When the first of them was in the picture, in milliseconds of the film.
        came_ms: i64,
        /// When the last of them was.
        went_ms: i64,
        /// Where they went.
        way: Way,
    },
    /// All of it.
    Totals {
        /// People who came and went.
        people: u32,
        /// Of them, from left to right.
        rightwards: u32,
        /// And from right to left.
        leftwards: u32,
        /// Pictures that were taken.
        pictures: u64,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Scene {
    setup: SceneSetup,
    background: Vec<u8>,
    people: Vec<Person>,
    /// Of the people, in the order in which they go, those who have been told.
    told: usize,
}

impl Scene {
    /// Who comes when follows from the seed.
    #[must_use]
    pub fn new(setup: SceneSetup) -> Self {
        let mut dice = Dice::new(setup.seed);
        let mut people = Vec::new();
        for lane in LANES.iter().take(setup.lanes) {
            walk(&mut dice, setup, *lane, &mut people);
        }
        people.sort_by_key(|person| person.went_ms);
        (1..).zip(&mut people).for_each(|(number, person)| person.number = number);
        let pixels = setup.width as usize * setup.height as usize;
        let background = (0..pixels).flat_map(|_| {
            let grain = u8::try_from(dice.below(12)).unwrap_or(0);
            [138 + grain, 144 + grain, 148 + grain]
        });
        Self { setup, background: background.collect(), people, told: 0 }
    }

    /// The picture of a time, RGB.
    #[must_use]
    pub fn picture(&self, at_ms: i64) -> Vec<u8> {
        let mut rgb = self.background.clone();
        let side = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
        let size = (side(self.setup.width), side(self.setup.height));
        for person in self.people.iter().filter(|person| (person.came_ms..person.went_ms).contains(&at_ms)) {
            person.sprite.paint(&mut rgb, size, (person.column(at_ms, size.0), person.row));
        }
        rgb
    }

    /// The next of those who have gone by now.
    pub fn pop_truth(&mut self, at_ms: i64) -> Option<Truth> {
        let person = self.people.get(self.told).filter(|person| person.went_ms <= at_ms)?;
        self.told += 1;
        let Person { number, came_ms, went_ms, way, .. } = *person;
        Some(Truth::Person { number, came_ms, went_ms, way })
    }

    /// What was true of all who have been told.
    #[must_use]
    pub fn totals(&self, pictures: u64) -> Truth {
        let told = &self.people[..self.told];
        let went = |way: Way| u32::try_from(told.iter().filter(|person| person.way == way).count()).unwrap_or(0);
        let people = u32::try_from(self.told).unwrap_or(0);
        Truth::Totals { people, rightwards: went(Way::Rightwards), leftwards: went(Way::Leftwards), pictures }
    }
}

/// Those who come along one lane, one after the other.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a few thousand pixels")]
fn walk(dice: &mut Dice, setup: SceneSetup, lane: f32, people: &mut Vec<Person>) {
    let height = setup.height as f32;
    let mut at_ms = dice.within(500, 3_000);
    loop {
        let way = [Way::Rightwards, Way::Leftwards, Way::Looks][usize::try_from(dice.below(3)).unwrap_or(0)];
        let walks_ms = dice.within(CROSS_MS.0, CROSS_MS.1);
        let stands_ms = if way == Way::Looks { dice.within(STAND_MS.0, STAND_MS.1) } else { 0 };
        let sprite = Sprite::new(Looks::any(dice), height * HALF_WIDTH);
        let (came_ms, went_ms) = (at_ms, at_ms + walks_ms + stands_ms);
        if went_ms > setup.length_ms {
            return;
        }
        people.push(Person { number: 0, came_ms, went_ms, way, row: (height * lane) as i32, sprite });
        at_ms = went_ms + dice.within(BETWEEN_MS.0, BETWEEN_MS.1);
    }
}

impl Person {
    /// Where they are, from just outside one edge to just outside the other.
    fn column(&self, at_ms: i64, width: i32) -> i32 {
        let outside = self.sprite.half_width();
        let whole_ms = self.went_ms - self.came_ms;
        let part = |of_ms: i64, length: i32| {
            let way = i64::from(length) * of_ms / whole_ms.max(1);
            i32::try_from(way).unwrap_or(0)
        };
        let since_ms = at_ms - self.came_ms;
        match self.way {
            Way::Rightwards => part(since_ms, width + 2 * outside) - outside,
            Way::Leftwards => width + outside - part(since_ms, width + 2 * outside),
            // A quarter of the time to get there, half of it there, a quarter to go back.
            Way::Looks => {
                let walked_ms = since_ms.min(whole_ms - since_ms).min(whole_ms / 4);
                part(walked_ms * 4, width / 3 + outside) - outside
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETUP: SceneSetup = SceneSetup { width: 320, height: 240, seed: 7, length_ms: 60_000, lanes: 3 };

    #[test]
    fn a_scene_follows_from_its_seed_and_tells_everybody_once() {
        let (mut scene, again) = (Scene::new(SETUP), Scene::new(SETUP));
        assert_eq!(scene.picture(10_000), again.picture(10_000));
        assert_ne!(scene.picture(10_000), Scene::new(SceneSetup { seed: 8, ..SETUP }).picture(10_000));
        let told: Vec<Truth> = std::iter::from_fn(|| scene.pop_truth(60_000)).collect();
        assert!(told.len() > 8, "{}", told.len());
        let Truth::Totals { people, rightwards, leftwards, .. } = scene.totals(600) else { panic!("totals") };
        assert_eq!(people as usize, told.len());
        let count =
            |wanted: Way| told.iter().filter(move |one| matches!(one, Truth::Person { way, .. } if *way == wanted));
        assert_eq!(rightwards as usize, count(Way::Rightwards).count());
        assert_eq!(leftwards as usize, count(Way::Leftwards).count());
    }

    #[test]
    fn people_come_from_an_edge_and_end_where_they_go() {
        let scene = Scene::new(SETUP);
        for person in &scene.people {
            let outside = person.sprite.half_width();
            let (first, last) = (person.column(person.came_ms, 320), person.column(person.went_ms, 320));
            match person.way {
                Way::Rightwards => assert_eq!((first, last), (-outside, 320 + outside)),
                Way::Leftwards => assert_eq!((first, last), (320 + outside, -outside)),
                Way::Looks => assert_eq!((first, last), (-outside, -outside)),
            }
        }
    }
}
