//! Somebody before a mirror: they come, stay for a while, never quite still, go, and come again.

use std::f32::consts::TAU;

use super::face::{Looks, Sprite};
use crate::sim::dice::Dice;

/// Half the width of the face, by the picture's height.
const HALF_WIDTH: f32 = 0.21;
/// Where its middle is, by the picture's height.
const MIDDLE: f32 = 0.46;
/// How long coming takes, and going, in milliseconds.
const COMES_MS: i64 = 1_500;
/// How long they stay, in milliseconds.
const STAYS_MS: i64 = 45_000;
/// How long nobody is there then: longer than a mirror remembers anybody, in milliseconds.
const AWAY_MS: i64 = 14_000;
/// How far they sway, by the picture's width and height, and how long one sway takes, in milliseconds.
const SWAY: (f32, f32) = (0.05, 0.015);
const SWAY_MS: (f32, f32) = (4_700.0, 3_100.0);

/// See the module.
#[derive(Debug)]
pub struct Shopper {
    size: (i32, i32),
    background: Vec<u8>,
    sprite: Sprite,
}

impl Shopper {
    /// Before a mirror that films so many columns and rows.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a few thousand pixels")]
    pub fn new(width: u32, height: u32) -> Self {
        let mut dice = Dice::new(1);
        let pixels = width as usize * height as usize;
        let wall = (0..pixels).flat_map(|_| {
            let grain = u8::try_from(dice.below(8)).unwrap_or(0);
            [176 + grain, 170 + grain, 160 + grain]
        });
        let side = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
        let sprite = Sprite::bust(Looks::SHOPPER, height as f32 * HALF_WIDTH);
        Self { size: (side(width), side(height)), background: wall.collect(), sprite }
    }

    /// The picture of a time, RGB.
    #[must_use]
    pub fn picture(&self, at_ms: i64) -> Vec<u8> {
        let mut rgb = self.background.clone();
        if let Some(place) = self.place(at_ms) {
            self.sprite.paint(&mut rgb, self.size, place);
        }
        rgb
    }

    /// The middle of the face; nothing: nobody is there.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a few thousand pixels")]
    fn place(&self, at_ms: i64) -> Option<(i32, i32)> {
        let (width, height) = (self.size.0 as f32, self.size.1 as f32);
        let since_ms = at_ms.rem_euclid(STAYS_MS + AWAY_MS);
        if since_ms >= STAYS_MS {
            return None;
        }
        // 1 just outside the right edge, 0 before the mirror.
        let away = (1.0 - since_ms.min(STAYS_MS - since_ms) as f32 / COMES_MS as f32).max(0.0);
        let outside = width / 2.0 + self.sprite.half_width() as f32;
        let turn = |of_ms: f32| (since_ms as f32 / of_ms * TAU).sin();
        let x = width * (0.5 + SWAY.0 * turn(SWAY_MS.0)) + away * away * outside;
        let y = height * (MIDDLE + SWAY.1 * turn(SWAY_MS.1));
        Some((x as i32, y as i32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_comes_stays_near_the_middle_goes_and_comes_again() {
        let shopper = Shopper::new(640, 480);
        let (first, _) = shopper.place(0).unwrap();
        assert!(first - shopper.sprite.half_width() >= 640, "outside at first: {first}");
        for at_ms in (COMES_MS..STAYS_MS - COMES_MS).step_by(33) {
            let (x, y) = shopper.place(at_ms).unwrap();
            assert!((280..=360).contains(&x) && (200..=240).contains(&y), "{at_ms}: {x} {y}");
        }
        assert!(shopper.place(STAYS_MS).is_none() && shopper.place(STAYS_MS + AWAY_MS - 1).is_none());
        assert_eq!(shopper.place(STAYS_MS + AWAY_MS), shopper.place(0));
        let blank = shopper.picture(STAYS_MS);
        assert!(blank == shopper.background && shopper.picture(10_000) != blank);
    }
}
