//! 468 points of a face, dense enough to paint its lips and cheeks.
//!
//! The network looks at a square around the face, turned so that the eyes are level, in 192 × 192 (Kartynnik et al.,
//! "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs", 2019). Points come back in the picture's
//! own pixels; the third number is depth in the same unit, smaller nearer to the camera.

use super::align::sample;
use super::onnx::Network;
use super::yunet::Face;
use super::{Frame, Point, VisionError};
use crate::types::wipe;

/// Side of the network's input.
const SIDE: usize = 192;
/// The square's side, in sides of the face's box.
const MARGIN: f32 = 1.5;
/// A square is a face's while it is no further away, nor of another size, than this part of a side.
const NEAR_FACE: f32 = 0.25;
/// Squares are the same when they differ by less than this part of a side.
const SAME: f32 = 0.01;
/// The outer corners of the eyes, by the numbers of the points.
const EYES: [usize; 2] = [33, 263];
/// The network's outputs: points, and how sure it is that a face is there (logit).
const OUTPUTS: [&str; 2] = ["conv2d_20", "conv2d_30"];

/// A point: column, row, depth, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MeshPoint {
    /// Columns from the left.
    pub x: f32,
    /// Rows from the top.
    pub y: f32,
    /// Depth, smaller nearer to the camera; 0 is about the middle of the head.
    pub z: f32,
}

/// Finds the points of a face.
pub struct Mesh {
    network: Network,
    input: Vec<f32>,
    /// Around the points of the picture before.
    last: Option<Square>,
}

/// Where the network's square lies in the picture: its middle, and the step of one of its pixels along a row.
#[derive(Debug, Clone, Copy)]
struct Square {
    middle: Point,
    step: Point,
}

impl Square {
    /// Around a face, level with its eyes.
    fn around(face: &Face) -> Option<Self> {
        let [left, right, ..] = face.landmarks;
        let eyes = Point { x: right.x - left.x, y: right.y - left.y };
        Self::new(face.place.centre(), face.place.w.max(face.place.h) * MARGIN, eyes)
    }

    fn new(middle: Point, side: f32, along: Point) -> Option<Self> {
        let length = along.x.hypot(along.y);
        if !(length.is_normal() && side.is_normal()) {
            return None;
        }
        let step = side / SIDE as f32;
        Some(Self { middle, step: Point { x: along.x / length * step, y: along.y / length * step } })
    }

    /// Around the points of a face, level with the outer corners of its eyes.
    fn again(points: &[MeshPoint]) -> Option<Self> {
        let edge = |of: fn(&MeshPoint) -> f32, pick: fn(f32, f32) -> f32| points.iter().map(of).reduce(pick);
        let (left, right) = (edge(|p| p.x, f32::min)?, edge(|p| p.x, f32::max)?);
        let (top, bottom) = (edge(|p| p.y, f32::min)?, edge(|p| p.y, f32::max)?);
        let [one, other] = EYES.map(|number| points.get(number));
        let eyes = Point { x: other?.x - one?.x, y: other?.y - one?.y };
        Self::new(
            Point { x: f32::midpoint(left, right), y: f32::midpoint(top, bottom) },
            (right - left).max(bottom - top) * MARGIN,
            eyes,
        )
    }

    fn side(&self) -> f32 {
        self.step.x.hypot(self.step.y) * SIDE as f32
    }

    /// Whether it may be around this face.
    fn is_of(&self, face: &Face) -> bool {
        let (ours, theirs) = (self.side(), face.place.w.max(face.place.h) * MARGIN);
        self.middle.distance(face.place.centre()) < NEAR_FACE * theirs && (ours - theirs).abs() < NEAR_FACE * theirs
    }

    /// Whether the network would see the same in both.
    fn is_near(&self, other: &Self) -> bool {
        let most = SAME * other.side();
        let turned = (self.step.x - other.step.x).hypot(self.step.y - other.step.y) * SIDE as f32;
        self.middle.distance(other.middle) < most && turned < most
    }

    /// Where a place of the network's picture is in the picture.
    fn place(&self, x: f32, y: f32) -> Point {
        let (x, y) = (x - SIDE as f32 / 2.0, y - SIDE as f32 / 2.0);
        Point {
            x: self.middle.x + x * self.step.x - y * self.step.y,
            y: self.middle.y + x * self.step.y + y * self.step.x,
        }
    }

    fn fill(&self, frame: &Frame, input: &mut [f32]) {
        for y in 0..SIDE {
            for x in 0..SIDE {
                // The middle of a pixel is half a pixel further than its corner.
                let at = self.place(x as f32 + 0.5, y as f32 + 0.5);
                let colour = sample(frame, Point { x: at.x - 0.5, y: at.y - 0.5 });
                for (channel, value) in colour.into_iter().enumerate() {
                    input[(channel * SIDE + y) * SIDE + x] = value / 255.0;
                }
            }
        }
    }
}

impl Mesh {
    /// How many points a face has.
    pub const POINTS: usize = 468;

    /// Makes one of a converted `FaceMesh`.
    ///
    /// # Errors
    ///
    /// When the bytes are no such network.
    pub fn load(model: &[u8]) -> Result<Self, VisionError> {
        let network = Network::load(model, [1, 3, SIDE, SIDE], &OUTPUTS)?;
        let input = vec![0.0; network.input_len()];
        Ok(Self { network, input, last: None })
    }

    /// The points of a face. Nothing when its landmarks are one point, or the network sees no face there.
    ///
    /// The network looks where the points were in the picture before, and again around what it found, unless that is
    /// the same place. A detector's box wobbles by a few pixels when a face moves, and points that are found in it
    /// wobble with it; so a face that has moved is seen as it was before. A third of the wobble is left (faces of 200
    /// pixels: 0.25 to 0.5 pixels instead of 0.6 to 1.2), and a face that is still costs one look.
    ///
    /// # Errors
    ///
    /// When the engine fails; the next picture may be tried.
    pub fn points(&mut self, frame: &Frame, face: &Face) -> Result<Option<Vec<MeshPoint>>, VisionError> {
        let Some(around) = Square::around(face) else { return Ok(None) };
        let square = self.last.take().filter(|last| last.is_of(face)).unwrap_or(around);
        let Some(first) = self.look(frame, &square)? else { return Ok(None) };
        let again = Square::again(&first).filter(|again| !again.is_near(&square));
        let found = again.map(|square| self.look(frame, &square)).transpose()?.flatten().unwrap_or(first);
        self.last = Square::again(&found);
        Ok(Some(found))
    }

    /// Where somebody was is forgotten.
    pub fn forget(&mut self) {
        self.last = None;
    }

    fn look(&mut self, frame: &Frame, square: &Square) -> Result<Option<Vec<MeshPoint>>, VisionError> {
        square.fill(frame, &mut self.input);
        let points = self.network.run(&self.input, |outputs| read(outputs, square));
        wipe(&mut self.input);
        Ok(points?)
    }
}

fn read(outputs: &[&[f32]], square: &Square) -> Option<Vec<MeshPoint>> {
    let [points, [sure]] = outputs else { return None };
    let scale = square.step.x.hypot(square.step.y);
    let point = |[x, y, z]: &[f32; 3]| {
        let Point { x, y } = square.place(*x, *y);
        MeshPoint { x, y, z: z * scale }
    };
    let points = points.as_chunks::<3>().0;
    (points.len() == Mesh::POINTS && *sure > 0.0).then(|| points.iter().map(point).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sense::vision::Rect;

    fn face(turn: f32) -> Face {
        let (sin, cos) = turn.sin_cos();
        let at = |x: f32, y: f32| Point { x: 100.0 + x * cos - y * sin, y: 80.0 + x * sin + y * cos };
        let landmarks = [at(-10.0, -8.0), at(10.0, -8.0), at(0.0, 0.0), at(-8.0, 10.0), at(8.0, 10.0)];
        Face { place: Rect { x: 76.0, y: 50.0, w: 48.0, h: 60.0 }, score: 0.9, landmarks }
    }

    /// A face of 60 pixels is looked at in a square of 90: its corners, and the step of a pixel, by hand.
    #[test]
    fn the_square_is_half_again_as_large_as_the_face_and_level_with_its_eyes() {
        let square = Square::around(&face(0.0)).unwrap();
        let corner = square.place(0.0, 0.0);
        assert!((corner.x - 55.0).abs() < 1e-3 && (corner.y - 35.0).abs() < 1e-3, "{corner:?}");
        let turned = Square::around(&face(std::f32::consts::FRAC_PI_2)).unwrap();
        let corner = turned.place(0.0, 0.0);
        assert!((corner.x - 145.0).abs() < 1e-3 && (corner.y - 35.0).abs() < 1e-3, "{corner:?}");
        let nobody = Face { landmarks: [Point { x: 1.0, y: 1.0 }; 5], ..face(0.0) };
        assert!(Square::around(&nobody).is_none());
    }

    #[test]
    fn a_square_is_kept_while_it_is_the_faces_and_looked_at_again_when_it_has_moved() {
        let square = Square::around(&face(0.0)).unwrap();
        let moved = |by: f32| Square { middle: Point { x: square.middle.x + by, ..square.middle }, ..square };
        // A side is 90 pixels: a hundredth is 0.9, a quarter 22.5.
        assert!(square.is_near(&moved(0.8)) && !square.is_near(&moved(1.0)));
        assert!(moved(22.0).is_of(&face(0.0)) && !moved(23.0).is_of(&face(0.0)));
        let turned = Square::around(&face(0.02)).unwrap();
        assert!(!square.is_near(&turned), "1.8 pixels at the edge");
        let smaller = Square { step: Point { x: square.step.x * 0.7, y: 0.0 }, ..square };
        assert!(!smaller.is_of(&face(0.0)));
        let points: Vec<_> = (0..Mesh::POINTS).map(|at| MeshPoint { x: at as f32, y: 7.0, z: 0.0 }).collect();
        let again = Square::again(&points).unwrap();
        assert!((again.side() - 467.0 * 1.5).abs() < 0.1 && (again.middle.x - 233.5).abs() < 1e-3, "{again:?}");
    }

    #[test]
    fn points_come_back_where_they_were_looked_at() {
        let square = Square::around(&face(0.3)).unwrap();
        let flat: Vec<f32> = (0..Mesh::POINTS).flat_map(|_| [96.0, 96.0, 19.2]).collect();
        let points = read(&[&flat, &[2.0]], &square).unwrap();
        let MeshPoint { x, y, z } = points[467];
        assert!((x - 100.0).abs() < 1e-3 && (y - 80.0).abs() < 1e-3 && (z - 9.0).abs() < 1e-3, "{x} {y} {z}");
        assert!(read(&[&flat, &[-0.1]], &square).is_none(), "no face is there");
        assert!(read(&[&flat[3..], &[2.0]], &square).is_none());
    }
}
