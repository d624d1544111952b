//! Make-up: a mask's pixels take on a shade, and what they show of the skin stays.
//!
//! Colour moves towards the shade by a share; lightness is moved as a whole and only part of the way, so that every
//! wrinkle, shadow and gleam is still there: a lipstick tints lips, it does not replace them.

use super::colour::Lab;
use super::mask::Mask;
use crate::sense::vision::{Frame, Point};

/// How much of the difference in lightness a lipstick makes.
const LIP_LIGHTNESS: f32 = 0.6;
/// How much of a highlight a matte lipstick takes away.
const MATTE: f32 = 0.45;
/// By how much a gloss lifts the brightest tenth at most, in steps of lightness.
const GLOSS: f32 = 14.0;
/// Blush is thinner than lipstick: its share of a colour, and of a lightness.
const BLUSH_COLOUR: f32 = 0.5;
const BLUSH_LIGHTNESS: f32 = 0.1;

/// How a lipstick reflects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Finish {
    /// Takes highlights away.
    #[default]
    Matte,
    /// Adds to them.
    Gloss,
}

/// A product on a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paint {
    /// Its colour, as measured.
    pub shade: Lab,
    /// 0: nothing, 1: all of it.
    pub strength: f32,
    /// How it reflects.
    pub finish: Finish,
}

/// What a face wears.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Look {
    /// On the lips.
    pub lips: Option<Paint>,
    /// On the cheeks.
    pub blush: Option<Paint>,
}

/// Makes up the face whose points these are. Pixels outside its lips and cheeks stay as they are.
pub fn apply(frame: &mut Frame, points: &[Point], look: &Look) {
    let size = (frame.width() as usize, frame.height() as usize);
    if let Some(paint) = &look.lips {
        lips(frame, &Mask::lips(points, size), paint);
    }
    if let Some(paint) = &look.blush {
        (0..2).for_each(|which| blush(frame, &Mask::cheek(points, which, size), paint));
    }
}

/// How light a mask's pixels are: the mean, and where the brightest tenth begins.
fn lightness(frame: &Frame, mask: &Mask) -> Option<(f32, f32)> {
    let mut all: Vec<f32> = mask.pixels().map(|(column, row, _)| Lab::of(frame.pixel(column, row)).l).collect();
    if all.is_empty() {
        return None;
    }
    let mean = all.iter().sum::<f32>() / all.len() as f32;
    let tenth = all.len() * 9 / 10;
    let (_, bright, _) = all.select_nth_unstable_by(tenth, f32::total_cmp);
    Some((mean, *bright))
}

fn lips(frame: &mut Frame, mask: &Mask, paint: &Paint) {
    let Some((mean, bright)) = lightness(frame, mask) else { return };
    let lift = LIP_LIGHTNESS * (paint.shade.l - mean);
    for (column, row, share) in mask.pixels() {
        let share = share * paint.strength.clamp(0.0, 1.0);
        let skin = Lab::of(frame.pixel(column, row));
        let finish = match paint.finish {
            Finish::Matte => -MATTE * (skin.l - mean).max(0.0),
            Finish::Gloss => GLOSS * ((skin.l - bright) / (100.0 - bright).max(1.0) * 4.0).clamp(0.0, 1.0),
        };
        frame.set_pixel(column, row, tinted(skin, paint.shade, (share, share * (lift + finish))));
    }
}

fn blush(frame: &mut Frame, mask: &Mask, paint: &Paint) {
    for (column, row, share) in mask.pixels() {
        let share = share * paint.strength.clamp(0.0, 1.0);
        let skin = Lab::of(frame.pixel(column, row));
        let lift = share * BLUSH_LIGHTNESS * (paint.shade.l - skin.l);
        frame.set_pixel(column, row, tinted(skin, paint.shade, (share * BLUSH_COLOUR, lift)));
    }
}

fn tinted(skin: Lab, shade: Lab, (share, lift): (f32, f32)) -> [u8; 3] {
    let l = (skin.l + lift).clamp(0.0, 100.0);
    Lab { l, a: skin.a + (shade.a - skin.a) * share, b: skin.b + (shade.b - skin.b) * share }.pixel()
}

#[cfg(test)]
mod tests {
    use super::super::mask::tests::face;
    use super::*;

    const SIZE: (u32, u32) = (320, 240);
    const MIDDLE: Point = Point { x: 150.0, y: 120.0 };

    /// Skin with a grain, and a gleam on the lower lip.
    fn skin() -> Frame {
        let mut rgb = Vec::new();
        for row in 0..SIZE.1 {
            for column in 0..SIZE.0 {
                let grain = u8::try_from((column * 7 + row * 13) % 16).unwrap();
                let gleam = if (140..160).contains(&column) && (140..144).contains(&row) { 50 } else { 0 };
                rgb.extend([170 + grain + gleam, 120 + grain + gleam, 105 + grain + gleam]);
            }
        }
        Frame::new(SIZE.0, SIZE.1, rgb).unwrap()
    }

    fn worn(look: &Look) -> Frame {
        let mut frame = skin();
        apply(&mut frame, &face(MIDDLE, (60.0, 30.0)), look);
        frame
    }

    fn red(finish: Finish) -> Paint {
        Paint { shade: Lab { l: 38.0, a: 52.0, b: 24.0 }, strength: 1.0, finish }
    }

    fn mean(frame: &Frame, mask: &Mask) -> Lab {
        let (mut sum, mut count) = (Lab { l: 0.0, a: 0.0, b: 0.0 }, 0.0);
        for (column, row, _) in mask.pixels().filter(|(.., share)| *share > 0.99) {
            let Lab { l, a, b } = Lab::of(frame.pixel(column, row));
            sum = Lab { l: sum.l + l, a: sum.a + a, b: sum.b + b };
            count += 1.0;
        }
        Lab { l: sum.l / count, a: sum.a / count, b: sum.b / count }
    }

    #[test]
    fn nothing_outside_the_masks_changes_by_a_byte() {
        let points = face(MIDDLE, (60.0, 30.0));
        let look = Look { lips: Some(red(Finish::Gloss)), blush: Some(red(Finish::Matte)) };
        let (before, after) = (skin(), worn(&look));
        let size = (320, 240);
        let masks = [Mask::lips(&points, size), Mask::cheek(&points, 0, size), Mask::cheek(&points, 1, size)];
        let mut changed = 0;
        for row in 0..240 {
            for column in 0..320 {
                let is_painted = masks.iter().any(|mask| mask.share(column, row) > 0.0);
                let is_same = before.pixel(column, row) == after.pixel(column, row);
                assert!(is_painted || is_same, "{column} {row}");
                changed += usize::from(!is_same);
            }
        }
        assert!(changed > 3_000, "{changed}");
        let nothing = worn(&Look::default());
        assert!(nothing.rgb() == before.rgb());
    }

    #[test]
    fn lips_take_the_shades_colour_and_keep_their_grain() {
        let points = face(MIDDLE, (60.0, 30.0));
        let mask = Mask::lips(&points, (320, 240));
        let paint = red(Finish::Matte);
        let after = worn(&Look { lips: Some(paint), blush: None });
        let colour = mean(&after, &mask);
        assert!((colour.a - paint.shade.a).abs() < 3.0 && (colour.b - paint.shade.b).abs() < 3.0, "{colour:?}");
        let before = mean(&skin(), &mask);
        assert!(colour.l < before.l - 5.0 && colour.l > paint.shade.l, "part of the way: {colour:?} of {before:?}");
        // Neighbours still differ as the grain has them.
        let (here, there) = (Lab::of(after.pixel(100, 120)), Lab::of(after.pixel(101, 120)));
        assert!((here.l - there.l).abs() > 0.5, "{here:?} {there:?}");
        let half = worn(&Look { lips: Some(Paint { strength: 0.5, ..paint }), blush: None });
        let colour = mean(&half, &mask);
        assert!((colour.a - (before.a + paint.shade.a) / 2.0).abs() < 3.0, "{colour:?}");
    }

    #[test]
    fn a_gloss_gleams_and_a_matte_does_not() {
        let gleam = |finish| {
            let frame = worn(&Look { lips: Some(red(finish)), blush: None });
            Lab::of(frame.pixel(150, 142)).l - Lab::of(frame.pixel(120, 142)).l
        };
        let (matte, gloss) = (gleam(Finish::Matte), gleam(Finish::Gloss));
        assert!(gloss > matte + 8.0, "{gloss} {matte}");
    }
}
