//! How good a view of a face is: good enough to be compared, and better than the one before?

use super::frame::whole;
use super::yunet::Face;
use super::{Frame, Rect};

/// A view's worth, each from 0 (useless) to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// How large the face is.
    pub size: f32,
    /// How sharp.
    pub sharpness: f32,
    /// How much it looks into the camera.
    pub frontal: f32,
    /// How well it is lit.
    pub light: f32,
}

/// A view below this makes no likeness.
pub const GOOD: f32 = 0.30;
/// A second face of this part of the first one's area makes it a picture of two.
const BYSTANDER: f32 = 0.25;

/// Whose likeness a picture would give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// Nobody's.
    Nobody,
    /// That of this face; whoever else is there is far behind.
    Alone(usize),
    /// Nobody can tell.
    Several,
}

impl Company {
    /// Of the faces of a picture.
    #[must_use]
    pub fn of(faces: &[Face]) -> Self {
        let area = |at: &usize| faces[*at].place.area();
        let Some(largest) = (0..faces.len()).max_by(|one, other| area(one).total_cmp(&area(other))) else {
            return Self::Nobody;
        };
        let is_near = |at: &usize| area(at) >= BYSTANDER * area(&largest);
        if (0..faces.len()).filter(is_near).count() > 1 { Self::Several } else { Self::Alone(largest) }
    }
}

/// Between the eyes, in pixels: from here on a face is as large as its network wants it.
const EYES_PIXELS: f32 = 35.0;
/// The spread of the second differences of brightness of a sharp face, of 255².
const SHARP: f32 = 150.0;

impl Quality {
    /// Judges a face of a picture.
    #[must_use]
    pub fn of(frame: &Frame, face: &Face) -> Self {
        let [left, right, ..] = face.landmarks;
        let (light, sharpness) = light_and_sharpness(frame, face.place);
        let size = (left.distance(right) / EYES_PIXELS).clamp(0.0, 1.0);
        Self { size, sharpness, frontal: frontal(face), light }
    }

    /// All of it in one number: the weakest counts most.
    #[must_use]
    pub fn score(&self) -> f32 {
        let parts = [self.size, self.sharpness, self.frontal, self.light];
        let product: f32 = parts.iter().product();
        product.max(0.0).powf(0.25) * parts.into_iter().fold(1.0, f32::min).sqrt()
    }
}

/// How much a face looks into the camera, from where its nose is between eyes and mouth: 1 for straight, 0 from about
/// 50 degrees to the side on.
#[must_use]
pub fn frontal(face: &Face) -> f32 {
    let [left, right, nose, mouth_left, mouth_right] = face.landmarks;
    let eyes = ((left.x + right.x) / 2.0, (left.y + right.y) / 2.0);
    let mouth = ((mouth_left.x + mouth_right.x) / 2.0, (mouth_left.y + mouth_right.y) / 2.0);
    let (across, down) = ((right.x - left.x, right.y - left.y), (mouth.0 - eyes.0, mouth.1 - eyes.1));
    let (width, height) = (across.0.hypot(across.1), down.0.hypot(down.1));
    if !(width > 0.0 && height > 0.0) {
        return 0.0;
    }
    // Where the nose is from the line between the eyes' middle and the mouth's, in distances between the eyes.
    let nose = (nose.x - eyes.0, nose.y - eyes.1);
    let aside = (nose.0 * down.1 - nose.1 * down.0).abs() / height / width;
    let along = (nose.0 * down.0 + nose.1 * down.1) / height / height;
    let turned = (1.0 - aside / 0.45).clamp(0.0, 1.0);
    let nodded = (1.0 - (along - 0.55).abs() / 0.45).clamp(0.0, 1.0);
    // Seen from the side the eyes come together.
    let open = (width / height / 0.75).clamp(0.0, 1.0);
    turned * nodded.sqrt() * open
}

/// Light (neither dark nor burnt out) and sharpness (spread of the Laplacian) of the middle of a face, every second
/// pixel of it at most 64 × 64.
fn light_and_sharpness(frame: &Frame, place: Rect) -> (f32, f32) {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let (left, top) = (whole((place.x + place.w * 0.15).max(1.0)), whole((place.y + place.h * 0.15).max(1.0)));
    let right = whole((place.x + place.w * 0.85).max(0.0)).min(width.saturating_sub(1));
    let bottom = whole((place.y + place.h * 0.85).max(0.0)).min(height.saturating_sub(1));
    let grey = |x: usize, y: usize| {
        let pixel = &frame.rgb()[(y * width + x) * 3..][..3];
        0.299 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2])
    };
    let step = (right.saturating_sub(left) / 64).max(1);
    let (mut count, mut sum, mut edges, mut squares) = (0.0_f32, 0.0, 0.0, 0.0);
    for y in (top..bottom).step_by(step) {
        for x in (left..right).step_by(step) {
            let here = grey(x, y);
            let edge = grey(x - 1, y) + grey(x + 1, y) + grey(x, y - 1) + grey(x, y + 1) - 4.0 * here;
            count += 1.0;
            sum += here;
            edges += edge;
            squares += edge * edge;
        }
    }
    if count < 16.0 {
        return (0.0, 0.0);
    }
    let (mean, spread) = (sum / count, squares / count - (edges / count).powi(2));
    let light = (mean / 60.0).min((255.0 - mean) / 40.0).clamp(0.0, 1.0);
    (light, (spread / SHARP).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sense::vision::Point;

    fn face(side: f32) -> Face {
        let place = Rect { x: 0.0, y: 0.0, w: side, h: side };
        Face { place, score: 0.9, landmarks: [Point { x: 0.0, y: 0.0 }; 5] }
    }

    #[test]
    fn somebody_is_alone_when_whoever_else_is_there_is_less_than_a_quarter() {
        assert_eq!(Company::of(&[]), Company::Nobody);
        assert_eq!(Company::of(&[face(49.0), face(100.0), face(20.0)]), Company::Alone(1));
        assert_eq!(Company::of(&[face(100.0), face(50.0)]), Company::Several);
    }
}
