//! `YuNet` (2023mar): a picture to its network's input, and the network's twelve outputs to faces.
//!
//! Input: 1 × 3 × H × W, blue, green, red planes, 0 to 255, the picture at the top left, the rest black; W and H
//! multiples of 32. Output for each stride 8, 16, 32, in the order of [`OUTPUTS`]: class and objectness (n × 1), box
//! (n × 4: offsets of the centre and logarithms of the size, all in strides), five points (n × 10), n = H/stride ×
//! W/stride. Source: Wu et al., "`YuNet`: A Tiny Millisecond-level Face Detector", 2023, and the model's card.

use super::frame::whole;
use super::{Frame, Point, Rect};
use crate::types::wipe;

/// The outputs, by the names the model gives them.
pub const OUTPUTS: [&str; 12] = [
    "cls_8", "cls_16", "cls_32", "obj_8", "obj_16", "obj_32", "bbox_8", "bbox_16", "bbox_32", "kps_8", "kps_16",
    "kps_32",
];
const STRIDES: [usize; 3] = [8, 16, 32];
/// Candidates that are kept before overlapping ones are dropped: the best of them, so that noise costs bounded time.
const CANDIDATES: usize = 5000;

/// A face in a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Face {
    /// Where, in pixels of the picture.
    pub place: Rect,
    /// How sure the detector is, 0 to 1.
    pub score: f32,
    /// Left eye, right eye, nose, left and right corner of the mouth, as seen in the picture.
    pub landmarks: [Point; 5],
}

/// What counts as a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Least score.
    pub score: f32,
    /// Of two that overlap more than this, the better stays.
    pub overlap: f32,
}

/// The size of the network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputSize {
    /// Columns, a multiple of 32.
    pub width: usize,
    /// Rows, a multiple of 32.
    pub height: usize,
}

/// How a picture was made smaller to fit: network pixels per picture pixel, never above 1.
#[must_use]
pub fn scale(frame: &Frame, size: InputSize) -> f32 {
    let across = size.width as f32 / frame.width() as f32;
    let down = size.height as f32 / frame.height() as f32;
    across.min(down)
}

/// Fills `input` (3 × H × W) with the picture, made to fit by [`scale`].
pub fn fill(frame: &Frame, size: InputSize, input: &mut [f32]) {
    input.fill(0.0);
    let scale = scale(frame, size);
    let fit = |length: u32, most: usize| whole((length as f32 * scale).round()).clamp(1, most);
    let (width, height) = (fit(frame.width(), size.width), fit(frame.height(), size.height));
    let columns = taps(frame.width() as usize, width);
    let rows = taps(frame.height() as usize, height);
    let plane = size.width * size.height;
    let stride = frame.width() as usize * 3;
    let rgb = frame.rgb();
    let (blue, rest) = input.split_at_mut(plane);
    let (green, red) = rest.split_at_mut(plane);
    // Two rows become one first: that is a plain walk over bytes, which the compiler makes wide.
    let mut mixed = vec![0.0; stride];
    for (y, (top, bottom, down)) in rows.iter().enumerate() {
        let (above, below) = (&rgb[top * stride..][..stride], &rgb[bottom * stride..][..stride]);
        for ((mixed, above), below) in mixed.iter_mut().zip(above).zip(below) {
            *mixed = between(f32::from(*above), f32::from(*below), *down);
        }
        let row = y * size.width..y * size.width + width;
        let (red, green, blue) = (&mut red[row.clone()], &mut green[row.clone()], &mut blue[row]);
        let places = columns.iter().zip(red).zip(green).zip(blue);
        for ((((left, right, across), red), green), blue) in places {
            let (left, right) = (&mixed[left * 3..][..3], &mixed[right * 3..][..3]);
            *red = between(left[0], right[0], *across);
            *green = between(left[1], right[1], *across);
            *blue = between(left[2], right[2], *across);
        }
    }
    wipe(&mut mixed);
}

fn between(from: f32, to: f32, part: f32) -> f32 {
    from + (to - from) * part
}

/// For each new pixel of a row the two old ones it lies between and how far, pixel centres on pixel centres.
fn taps(old: usize, new: usize) -> Vec<(usize, usize, f32)> {
    let ratio = old as f32 / new as f32;
    (0..new)
        .map(|at| {
            let place = ((at as f32 + 0.5) * ratio - 0.5).clamp(0.0, (old - 1) as f32);
            let first = whole(place);
            (first, (first + 1).min(old - 1), place - first as f32)
        })
        .collect()
}

/// The outputs do not have the shape of the model's card.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("output {name} has {found} numbers, not {expected}")]
pub struct WrongOutput {
    name: &'static str,
    expected: usize,
    found: usize,
}

/// Faces from the network's outputs, in the order of [`OUTPUTS`], best first; `scale` as [`scale`] said.
///
/// # Errors
///
/// When an output has not the length that the input's size asks for.
pub fn decode(
    outputs: &[&[f32]; 12],
    size: InputSize,
    scale: f32,
    thresholds: Thresholds,
) -> Result<Vec<Face>, WrongOutput> {
    check(outputs, size)?;
    let mut candidates = Vec::new();
    for (level, stride) in STRIDES.into_iter().enumerate() {
        let (classes, objects) = (outputs[level], outputs[3 + level]);
        for (at, (class, object)) in classes.iter().zip(objects).enumerate() {
            let score = (class.clamp(0.0, 1.0) * object.clamp(0.0, 1.0)).sqrt();
            if score >= thresholds.score {
                let columns = size.width / stride;
                let cell = Cell { column: (at % columns) as f32, row: (at / columns) as f32, stride: stride as f32 };
                let (place, points) = (&outputs[6 + level][at * 4..][..4], &outputs[9 + level][at * 10..][..10]);
                candidates.push(cell.face(score, place, points, scale));
            }
        }
    }
    candidates.retain(|face| face.place.area().is_finite());
    candidates.sort_by(|one, other| other.score.total_cmp(&one.score));
    candidates.truncate(CANDIDATES);
    Ok(best_of_overlapping(&candidates, thresholds.overlap))
}

fn check(outputs: &[&[f32]; 12], size: InputSize) -> Result<(), WrongOutput> {
    for (at, (name, output)) in OUTPUTS.into_iter().zip(outputs).enumerate() {
        let stride = STRIDES[at % 3];
        let each = [1, 1, 4, 10][at / 3];
        let expected = (size.width / stride) * (size.height / stride) * each;
        if output.len() != expected {
            return Err(WrongOutput { name, expected, found: output.len() });
        }
    }
    Ok(())
}

/// One place of a level's grid.
struct Cell {
    column: f32,
    row: f32,
    stride: f32,
}

impl Cell {
    fn face(&self, score: f32, place: &[f32], points: &[f32], scale: f32) -> Face {
        let unit = self.stride / scale;
        let (x, y) = ((self.column + place[0]) * unit, (self.row + place[1]) * unit);
        let (w, h) = (place[2].exp() * unit, place[3].exp() * unit);
        let landmarks = std::array::from_fn(|at| Point {
            x: (self.column + points[at * 2]) * unit,
            y: (self.row + points[at * 2 + 1]) * unit,
        });
        Face { place: Rect { x: x - w / 2.0, y: y - h / 2.0, w, h }, score, landmarks }
    }
}

/// Greedy non-maximum suppression over faces that are sorted by score.
fn best_of_overlapping(faces: &[Face], most: f32) -> Vec<Face> {
    let mut kept: Vec<Face> = Vec::new();
    for face in faces {
        if kept.iter().all(|other| face.place.overlap(&other.place) <= most) {
            kept.push(*face);
        }
    }
    kept
}
