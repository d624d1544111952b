//! Where something is painted, and how much: a share for each pixel of a rectangle of the picture.

use super::contour::{CHEEKS, LIPS_INNER, LIPS_OUTER, POINTS, SIDES};
use crate::sense::vision::Point;

/// Steps of the curve between two points of a contour.
const CURVE: usize = 4;
/// Rows and columns that a pixel is looked at in.
const FINE: usize = 4;
/// Width of the soft edge of lips, in widths of the mouth.
const FEATHER: f32 = 0.02;
/// Radius of blush, in widths of the face.
const BLUSH: f32 = 0.15;

/// Shares of a rectangle, row by row; outside it is nothing.
#[derive(Clone, PartialEq, Default)]
pub struct Mask {
    /// First column and row.
    pub left: usize,
    /// See `left`.
    pub top: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    shares: Vec<f32>,
}

/// A rectangle of whole pixels within a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Frame {
    /// Around the points, and `margin` more, cut to a picture of `size`; `None`: nothing of it is there.
    fn around(points: &[Point], margin: f32, (columns, rows): (usize, usize)) -> Option<Self> {
        let edge =
            |of: fn(&Point) -> f32, pick: fn(f32, f32) -> f32, first: f32| points.iter().map(of).fold(first, pick);
        let cut = |at: f32, most: usize| whole(at.clamp(0.0, most as f32));
        let left = cut((edge(|p| p.x, f32::min, f32::INFINITY) - margin).floor(), columns);
        let right = cut((edge(|p| p.x, f32::max, f32::NEG_INFINITY) + margin).ceil() + 1.0, columns);
        let top = cut((edge(|p| p.y, f32::min, f32::INFINITY) - margin).floor(), rows);
        let bottom = cut((edge(|p| p.y, f32::max, f32::NEG_INFINITY) + margin).ceil() + 1.0, rows);
        let is_there = points.iter().all(|point| point.x.is_finite() && point.y.is_finite());
        let (width, height) = (right.checked_sub(left)?, bottom.checked_sub(top)?);
        (is_there && width > 0 && height > 0).then_some(Self { left, top, width, height })
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cut to the picture, and `as` saturates")]
fn whole(at: f32) -> usize {
    at as usize
}

impl Mask {
    /// The lips of a face: between the outer contour and the opening of the mouth, soft at the edge but nowhere
    /// outside. `size`: columns and rows of the picture. Nothing, when the points are no face or not in the picture.
    #[must_use]
    pub fn lips(points: &[Point], size: (usize, usize)) -> Self {
        if points.len() != POINTS {
            return Self::default();
        }
        let outer = curve(&LIPS_OUTER.map(|number| points[number]));
        let inner = curve(&LIPS_INNER.map(|number| points[number]));
        let Some(frame) = Frame::around(&outer, 0.0, size) else { return Self::default() };
        let mut shares = vec![0.0; frame.width * frame.height];
        cover(&outer, frame, &mut shares, |share, cover| *share = cover);
        cover(&inner, frame, &mut shares, |share, cover| *share = (*share - cover).max(0.0));
        let width = points[LIPS_OUTER[0]].distance(points[LIPS_OUTER[10]]);
        soften(&mut shares, frame, FEATHER * width);
        let Frame { left, top, width, height } = frame;
        Self { left, top, width, height, shares }
    }

    /// A cheek (0 or 1), soft all over.
    #[must_use]
    pub fn cheek(points: &[Point], which: usize, size: (usize, usize)) -> Self {
        if points.len() != POINTS || which >= CHEEKS.len() {
            return Self::default();
        }
        let (middle, across) = (points[CHEEKS[which]], points[SIDES[1]].distance(points[SIDES[0]]));
        let radius = BLUSH * across;
        let Some(frame) = Frame::around(&[middle], radius, size) else { return Self::default() };
        let Frame { left, top, width, height } = frame;
        let share = |at: usize| {
            let (x, y) = ((left + at % width) as f32 + 0.5, (top + at / width) as f32 + 0.5);
            // Wider than high, and nothing at the edge.
            let away = ((x - middle.x) / radius).hypot((y - middle.y) / radius / 0.8);
            let share = (1.0 - away * away).max(0.0);
            share * share
        };
        Self { left, top, width, height, shares: (0..width * height).map(share).collect() }
    }

    /// The share of a pixel of the picture.
    #[must_use]
    pub fn share(&self, column: usize, row: usize) -> f32 {
        match (column.checked_sub(self.left), row.checked_sub(self.top)) {
            (Some(x), Some(y)) if x < self.width && y < self.height => self.shares[y * self.width + x],
            _ => 0.0,
        }
    }

    /// Every pixel with a share: column, row, share.
    pub fn pixels(&self) -> impl Iterator<Item = (usize, usize, f32)> {
        let at = |(at, share): (usize, &f32)| (self.left + at % self.width, self.top + at / self.width, *share);
        self.shares.iter().enumerate().filter(|(_, share)| **share > 0.0).map(at)
    }
}

/// A closed curve through the points (Catmull and Rom 1974).
fn curve(points: &[Point]) -> Vec<Point> {
    let at = |number: usize| points[number % points.len()];
    let one = |[a, b, c, d]: [f32; 4], t: f32| {
        0.5 * (2.0 * b
            + (c - a) * t
            + (2.0 * a - 5.0 * b + 4.0 * c - d) * t * t
            + (3.0 * b - a - 3.0 * c + d) * t * t * t)
    };
    let mut curve = Vec::with_capacity(points.len() * CURVE);
    for number in 0..points.len() {
        let four = [at(number + points.len() - 1), at(number), at(number + 1), at(number + 2)];
        for step in 0..CURVE {
            let t = step as f32 / CURVE as f32;
            curve.push(Point { x: one(four.map(|p| p.x), t), y: one(four.map(|p| p.y), t) });
        }
    }
    curve
}

/// How much of each pixel a closed polygon covers, by its parts: a row of them is between every second crossing.
fn cover(polygon: &[Point], frame: Frame, shares: &mut [f32], put: impl Fn(&mut f32, f32)) {
    let mut covered = vec![0.0_f32; frame.width];
    for row in 0..frame.height {
        covered.fill(0.0);
        for part in 0..FINE {
            let y = (frame.top + row) as f32 + (part as f32 + 0.5) / FINE as f32;
            for pair in crossings(polygon, y).chunks_exact(2) {
                fill(&mut covered, pair[0] - frame.left as f32, pair[1] - frame.left as f32);
            }
        }
        let of_row = &mut shares[row * frame.width..][..frame.width];
        of_row.iter_mut().zip(&covered).for_each(|(share, cover)| put(share, cover / FINE as f32));
    }
}

/// The columns where a polygon crosses a row, from the left.
fn crossings(polygon: &[Point], y: f32) -> Vec<f32> {
    let edges = polygon.iter().zip(polygon.iter().cycle().skip(1));
    let crossing =
        |(a, b): (&Point, &Point)| ((a.y <= y) != (b.y <= y)).then(|| a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x));
    let mut found: Vec<f32> = edges.filter_map(crossing).collect();
    found.sort_by(f32::total_cmp);
    found
}

/// Adds how much of each pixel of a row lies between two columns.
fn fill(covered: &mut [f32], from: f32, to: f32) {
    let (from, to) = (from.max(0.0), to.min(covered.len() as f32));
    if from >= to {
        return;
    }
    let first = whole(from);
    for (column, cover) in covered.iter_mut().enumerate().take(whole(to.ceil())).skip(first) {
        *cover += (to.min(column as f32 + 1.0) - from.max(column as f32)).clamp(0.0, 1.0);
    }
}

/// Makes the inner side of every edge soft. A pixel that was outside stays outside.
fn soften(shares: &mut [f32], frame: Frame, radius: f32) {
    let reach = whole(radius.round().clamp(1.0, 32.0));
    let blurred = blur(&blur(shares, frame, reach, true), frame, reach, false);
    for (share, near) in shares.iter_mut().zip(blurred) {
        // At an edge half of the neighbourhood is inside, in thin lips and at the corners of a mouth less.
        let t = ((near - 0.05) / 0.65).clamp(0.0, 1.0);
        *share *= t * t * (3.0 - 2.0 * t);
    }
}

/// The mean over `2 * reach + 1` pixels of a row, or of a column.
fn blur(shares: &[f32], frame: Frame, reach: usize, along: bool) -> Vec<f32> {
    let (length, lines, step, stride) = match along {
        true => (frame.width, frame.height, 1, frame.width),
        false => (frame.height, frame.width, frame.width, 1),
    };
    let mut blurred = vec![0.0; shares.len()];
    let span = (2 * reach + 1) as f32;
    for line in 0..lines {
        let at = |number: usize| line * stride + number * step;
        let mut sum: f32 = (0..reach.min(length)).map(|number| shares[at(number)]).sum();
        for number in 0..length {
            sum += if number + reach < length { shares[at(number + reach)] } else { 0.0 };
            blurred[at(number)] = sum / span;
            sum -= if number >= reach { shares[at(number - reach)] } else { 0.0 };
        }
    }
    blurred
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A face whose mouth is two ellipses around a place, the inner one of half the size.
    pub(in super::super) fn face(middle: Point, mouth: (f32, f32)) -> Vec<Point> {
        let mut points = vec![middle; POINTS];
        for (ring, size) in [(LIPS_OUTER, 1.0), (LIPS_INNER, 0.5)] {
            for (step, number) in ring.into_iter().enumerate() {
                let turn = std::f32::consts::PI - step as f32 / 20.0 * std::f32::consts::TAU;
                let (sin, cos) = turn.sin_cos();
                points[number] = Point { x: middle.x + mouth.0 * size * cos, y: middle.y + mouth.1 * size * sin };
            }
        }
        let across = mouth.0 * 3.0;
        points[SIDES[0]].x -= across / 2.0;
        points[SIDES[1]].x += across / 2.0;
        points[CHEEKS[0]] = Point { x: middle.x - across * 0.3, y: middle.y - across * 0.3 };
        points[CHEEKS[1]] = Point { x: middle.x + across * 0.3, y: middle.y - across * 0.3 };
        points
    }

    /// The share of a ring between two ellipses is what geometry says, to a pixel's breadth, and none is outside it.
    #[test]
    fn lips_are_the_ring_between_the_contours() {
        let (middle, mouth) = (Point { x: 150.0, y: 120.0 }, (60.0, 30.0));
        let mask = Mask::lips(&face(middle, mouth), (320, 240));
        let (mut both, mut either, mut outside) = (0.0, 0.0, 0.0_f32);
        for row in 0..240 {
            for column in 0..320 {
                let away = |size: f32| {
                    let (x, y) = (column as f32 + 0.5 - middle.x, row as f32 + 0.5 - middle.y);
                    (x / mouth.0 / size).hypot(y / mouth.1 / size)
                };
                let is_lip = away(1.0) <= 1.0 && away(0.5) >= 1.0;
                let is_painted = mask.share(column, row) >= 0.5;
                both += f32::from(u8::from(is_lip && is_painted));
                either += f32::from(u8::from(is_lip || is_painted));
                // Half a pixel is the raster's.
                if away(1.0) > 1.03 || away(0.5) < 0.94 {
                    outside = outside.max(mask.share(column, row));
                }
            }
        }
        assert!(both / either > 0.95, "intersection over union {}", both / either);
        assert!(outside <= 0.0, "{outside} outside");
    }

    #[test]
    fn a_cheek_is_soft_and_ends() {
        let points = face(Point { x: 150.0, y: 120.0 }, (60.0, 30.0));
        let mask = Mask::cheek(&points, 0, (320, 240));
        let middle = points[CHEEKS[0]];
        assert!(mask.share(whole(middle.x), whole(middle.y)) > 0.98);
        assert!(mask.share(whole(middle.x) + 15, whole(middle.y)) < 0.6);
        assert!(mask.share(whole(middle.x) + 28, whole(middle.y)) <= 0.0);
    }

    #[test]
    fn what_is_no_face_has_no_mask() {
        let points = face(Point { x: 150.0, y: 120.0 }, (60.0, 30.0));
        assert!(Mask::lips(&points[1..], (320, 240)) == Mask::default());
        assert!(Mask::cheek(&points, 2, (320, 240)) == Mask::default());
        let mut broken = points;
        broken[LIPS_OUTER[3]].x = f32::NAN;
        assert!(Mask::lips(&broken, (320, 240)) == Mask::default());
    }

    proptest! {
        #[test]
        fn any_place_is_survived_and_shares_are_shares(
            x in -1e4_f32..1e4, y in -1e4_f32..1e4, across in 0.0_f32..300.0, down in 0.0_f32..300.0,
        ) {
            let points = face(Point { x, y }, (across, down));
            for mask in [Mask::lips(&points, (64, 48)), Mask::cheek(&points, 1, (64, 48))] {
                prop_assert!(mask.left + mask.width <= 64 && mask.top + mask.height <= 48);
                prop_assert!(mask.pixels().all(|(column, row, share)| column < 64 && row < 48 && share <= 1.0001));
            }
        }
    }
}
