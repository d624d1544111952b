//! A drawn face: enough of one for networks that were trained on photographs to find it and its landmarks.

use crate::sim::dice::Dice;

type Colour = [f32; 3];

/// How somebody looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looks {
    skin: Colour,
    hair: Colour,
}

/// Skins and hairs that are dealt out.
const SKINS: [Colour; 4] = [[205.0, 160.0, 130.0], [230.0, 190.0, 165.0], [150.0, 105.0, 80.0], [215.0, 175.0, 150.0]];
const HAIRS: [Colour; 4] = [[50.0, 35.0, 28.0], [120.0, 80.0, 40.0], [20.0, 18.0, 18.0], [30.0, 30.0, 35.0]];

/// What somebody before a mirror wears.
const SHIRT: Colour = [96.0, 110.0, 140.0];
/// How far down from the middle of a face a bust goes, in half widths of the face.
const BUST: f32 = 3.6;

impl Looks {
    /// Whoever stands before a mirror.
    pub(super) const SHOPPER: Self = Self { skin: SKINS[1], hair: HAIRS[0] };

    pub(super) fn any(dice: &mut Dice) -> Self {
        let mut pick = |of: &[Colour; 4]| of[usize::try_from(dice.below(4)).unwrap_or(0)];
        Self { skin: pick(&SKINS), hair: pick(&HAIRS) }
    }
}

/// A face with its hair and neck, and how much of each pixel it covers.
#[derive(Debug, Clone)]
pub(super) struct Sprite {
    /// Half of its width and height, in pixels.
    half: (i32, i32),
    /// Row by row: colour already weighted, and what is left of the background.
    pixels: Vec<(Colour, f32)>,
}

/// A point's paint: colours are laid over each other.
struct Paint {
    colour: Colour,
    left: f32,
}

impl Paint {
    /// Lays a colour over what is there, so much of it.
    fn lay(&mut self, colour: Colour, much: f32) {
        let much = much.clamp(0.0, 1.0);
        for (channel, laid) in self.colour.iter_mut().zip(colour) {
            *channel += (laid - *channel) * much;
        }
        self.left *= 1.0 - much;
    }
}

/// How far inside an ellipse a point is, by its centre and half axes; its edge is `soft` wide.
fn inside((x, y): (f32, f32), (cx, cy): (f32, f32), (rx, ry): (f32, f32), soft: f32) -> f32 {
    let distance = ((x - cx) / rx).powi(2) + ((y - cy) / ry).powi(2);
    ((1.0 - distance) / soft).clamp(0.0, 1.0)
}

fn shade(colour: Colour, by: f32) -> Colour {
    colour.map(|channel| (channel * by).min(255.0))
}

impl Sprite {
    /// A face whose half width is so many pixels.
    pub(super) fn new(looks: Looks, half_width: f32) -> Self {
        Self::drawn(half_width, (1.3, 2.0), |paint, at| head(paint, at, looks), looks)
    }

    /// The same, near: with long hair, neck and shoulders.
    pub(super) fn bust(looks: Looks, half_width: f32) -> Self {
        Self::drawn(half_width, (2.0, BUST), |paint, at| shoulders(paint, at, looks), looks)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a few hundred pixels")]
    fn drawn(half_width: f32, size: (f32, f32), behind: impl Fn(&mut Paint, (f32, f32)), looks: Looks) -> Self {
        let half = ((half_width * size.0) as i32, (half_width * size.1) as i32);
        let mut pixels = Vec::new();
        for row in -half.1..=half.1 {
            for column in -half.0..=half.0 {
                let at = (column as f32 / half_width, row as f32 / half_width);
                let mut paint = Paint { colour: [0.0; 3], left: 1.0 };
                behind(&mut paint, at);
                [-1.0, 1.0].into_iter().for_each(|side| eye(&mut paint, at, looks, side));
                nose_and_mouth(&mut paint, at, looks.skin);
                pixels.push((paint.colour, paint.left));
            }
        }
        Self { half, pixels }
    }

    /// Half of its width, in pixels.
    pub(super) fn half_width(&self) -> i32 {
        self.half.0
    }

    /// Paints it over a picture of `width` columns with its middle at a point.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped, and within the picture")]
    pub(super) fn paint(&self, rgb: &mut [u8], (width, height): (i32, i32), (x, y): (i32, i32)) {
        let across = 2 * self.half.0 + 1;
        for (at, (colour, left)) in (0..).zip(&self.pixels) {
            let (column, row) = (x - self.half.0 + at % across, y - self.half.1 + at / across);
            if *left >= 1.0 || !(0..width).contains(&column) || !(0..height).contains(&row) {
                continue;
            }
            let place = (row * width + column) as usize * 3;
            for (pixel, laid) in rgb[place..place + 3].iter_mut().zip(colour) {
                *pixel = (f32::from(*pixel) * left + laid * (1.0 - left)).clamp(0.0, 255.0) as u8;
            }
        }
    }
}

/// Hair, neck and the head's round.
fn head(paint: &mut Paint, at: (f32, f32), looks: Looks) {
    if at.1 < 0.2 {
        paint.lay(looks.hair, inside(at, (0.0, -0.35), (1.15, 1.3), 0.08));
    }
    paint.lay(shade(looks.skin, 0.8), inside(at, (0.0, 1.6), (0.5, 0.6), 0.1));
    round(paint, at, looks);
}

/// Long hair that ends in the neck, a shirt, and the head's round.
fn shoulders(paint: &mut Paint, at: (f32, f32), looks: Looks) {
    let ends = |y: f32| ((y - at.1) / 0.3).clamp(0.0, 1.0);
    paint.lay(looks.hair, inside(at, (0.0, -0.35), (1.15, 1.3), 0.08) * ends(0.75));
    paint.lay(looks.hair, inside(at, (0.0, 0.1), (1.12, 1.15), 0.08) * ends(1.0));
    paint.lay(shade(looks.skin, 0.8), inside(at, (0.0, 1.5), (0.42, 0.75), 0.1));
    paint.lay(SHIRT, inside(at, (0.0, 3.0), (2.0, 1.35), 0.05));
    paint.lay(shade(looks.skin, 0.8), inside(at, (0.0, 1.75), (0.36, 0.3), 0.2));
    round(paint, at, looks);
}

fn round(paint: &mut Paint, at: (f32, f32), Looks { skin, hair }: Looks) {
    let (x, y) = at;
    let round = (1.15 - x * x * 0.8 - (y - 0.6).max(0.0) * 0.3).clamp(0.0, 1.0);
    paint.lay(shade(skin, 0.57 + 0.43 * round), inside(at, (0.0, 0.05), (0.95, 1.3), 0.06));
    paint.lay(hair, inside(at, (0.0, -1.15), (0.9, 0.45), 0.15));
}

/// Socket, white, iris, pupil and brow of one eye.
fn eye(paint: &mut Paint, at: (f32, f32), Looks { skin, hair }: Looks, side: f32) {
    let (x, y) = (side * 0.38, -0.12);
    paint.lay(shade(skin, 0.62), 0.6 * inside(at, (x, y - 0.02), (0.3, 0.2), 0.6));
    paint.lay([235.0, 232.0, 228.0], inside(at, (x, y), (0.2, 0.1), 0.2));
    paint.lay([70.0, 45.0, 30.0], inside(at, (x, y), (0.095, 0.1), 0.2));
    paint.lay([10.0, 8.0, 8.0], inside(at, (x, y), (0.045, 0.05), 0.3));
    let arch = 0.06 * (at.0 - x).abs();
    paint.lay(hair, 0.85 * inside(at, (x, y - 0.26 + arch), (0.27, 0.055), 0.4));
    paint.lay(shade(skin, 0.4), 0.8 * inside(at, (side * 0.1, 0.42), (0.07, 0.045), 0.5));
}

fn nose_and_mouth(paint: &mut Paint, at: (f32, f32), skin: Colour) {
    paint.lay(shade(skin, 0.7), 0.5 * inside(at, (0.16, 0.25), (0.06, 0.3), 0.8));
    paint.lay(shade(skin, 1.05), 0.5 * inside(at, (0.0, 0.2), (0.07, 0.35), 0.9));
    paint.lay(shade(skin, 0.62), 0.5 * inside(at, (0.0, 0.48), (0.22, 0.06), 0.6));
    paint.lay([178.0, 84.0, 84.0], 0.9 * inside(at, (0.0, 0.71), (0.33, 0.075), 0.35));
    paint.lay([196.0, 104.0, 100.0], 0.9 * inside(at, (0.0, 0.79), (0.29, 0.1), 0.35));
    paint.lay([235.0, 180.0, 170.0], 0.35 * inside(at, (0.0, 0.81), (0.12, 0.025), 0.8));
    paint.lay([90.0, 35.0, 40.0], 0.9 * inside(at, (0.0, 0.735), (0.3, 0.02), 0.5));
    paint.lay(shade(skin, 0.7), 0.5 * inside(at, (0.0, 0.9), (0.2, 0.05), 0.7));
}
