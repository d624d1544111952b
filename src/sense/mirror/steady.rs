//! The One-Euro filter: what stands still does not shimmer, what moves does not lag.
//!
//! Casiez, Roussel and Vogel, "1 € Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive
//! Systems", CHI 2012. Coordinates are divided by the distance of the eyes first, so that a near face and a far one are
//! filtered alike.
//!
//! A head moves as a whole, and fast; its face changes little. So the middle of all points, in which their noise
//! cancels out, is followed closely, and where each point is from there is smoothed much: make-up neither slides nor
//! shimmers.

use super::contour::{EYES, POINTS};
use crate::sense::vision::Point;
use crate::types::wipe;

/// How something is smoothed.
#[derive(Clone, Copy)]
struct Manner {
    /// Cut-off of what stands still, Hz.
    least_hz: f32,
    /// By how much the cut-off rises with speed, in Hz for each eye distance a second.
    beta: f32,
    /// Cut-off of the speed itself, Hz.
    speed_hz: f32,
}

const HEAD: Manner = Manner { least_hz: 2.0, beta: 60.0, speed_hz: 8.0 };
const SHAPE: Manner = Manner { least_hz: 1.0, beta: 12.0, speed_hz: 5.0 };
/// A pause longer than this begins anew, in microseconds.
const PAUSE_US: i64 = 500_000;
/// A face whose middle has moved further than this, in eye distances, is another one.
const JUMP: f32 = 1.0;

/// The points of one face, filtered.
#[derive(Default)]
pub struct Steady {
    at_us: i64,
    /// The middle of all points.
    head: Filtered,
    /// The points from there.
    shape: Vec<Filtered>,
}

#[derive(Clone, Copy, Default)]
struct Filtered {
    at: Point,
    /// Eye distances a second.
    speed: Point,
}

/// The share of the new value at a cut-off.
fn share(cutoff_hz: f32, passed_s: f32) -> f32 {
    let tau = 1.0 / (std::f32::consts::TAU * cutoff_hz);
    1.0 / (1.0 + tau / passed_s)
}

fn mixed(old: f32, new: f32, share: f32) -> f32 {
    old + (new - old) * share
}

impl Steady {
    /// The points of the picture of `at_us`, steadied. The first picture of a face, and one after a pause or a jump,
    /// is taken as it is, as are points that are not [`POINTS`].
    pub fn steady(&mut self, at_us: i64, points: &[Point]) -> Vec<Point> {
        let passed_us = at_us.saturating_sub(self.at_us);
        let eyes = |points: &[Point]| points[EYES[0]].distance(points[EYES[1]]);
        let is_whole = points.len() == POINTS && eyes(points).is_normal();
        let goes_on = is_whole && self.shape.len() == POINTS && (1..=PAUSE_US).contains(&passed_us);
        self.at_us = at_us;
        let middle = middle(points);
        if !goes_on || self.head.at.distance(middle) > JUMP * eyes(points) {
            self.head = Filtered::at(middle);
            self.shape = points.iter().map(|at| Filtered::at(from(*at, middle))).collect();
            return points.to_vec();
        }
        let (scale, passed_s) = (eyes(points), passed_us as f32 / 1e6);
        self.head.go_on(HEAD, middle, scale, passed_s);
        let Point { x, y } = self.head.at;
        let filtered = self.shape.iter_mut().zip(points).map(|(filtered, new)| {
            filtered.go_on(SHAPE, from(*new, middle), scale, passed_s);
            Point { x: filtered.at.x + x, y: filtered.at.y + y }
        });
        filtered.collect()
    }

    /// The face has gone: nothing of it is kept.
    pub fn forget(&mut self) {
        self.head = Filtered::default();
        wipe(&mut self.shape);
        self.shape.clear();
    }
}

fn middle(points: &[Point]) -> Point {
    let sum = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.x, sum.1 + point.y));
    let count = points.len().max(1) as f32;
    Point { x: sum.0 / count, y: sum.1 / count }
}

fn from(point: Point, middle: Point) -> Point {
    Point { x: point.x - middle.x, y: point.y - middle.y }
}

impl Filtered {
    fn at(at: Point) -> Self {
        Self { at, speed: Point::default() }
    }

    fn go_on(&mut self, manner: Manner, new: Point, scale: f32, passed_s: f32) {
        let of_speed = share(manner.speed_hz, passed_s);
        let one = |old: f32, new: f32, speed: &mut f32| {
            *speed = mixed(*speed, (new - old) / scale / passed_s, of_speed);
            mixed(old, new, share(manner.least_hz + manner.beta * speed.abs(), passed_s))
        };
        self.at.x = one(self.at.x, new.x, &mut self.speed.x);
        self.at.y = one(self.at.y, new.y, &mut self.speed.y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP_US: i64 = 33_333;

    /// A face of which only the eyes are where they should be, moved to the right.
    fn face(x: f32) -> Vec<Point> {
        let mut points = vec![Point { x: 300.0 + x, y: 200.0 }; POINTS];
        points[EYES[0]] = Point { x: 250.0 + x, y: 150.0 };
        points[EYES[1]] = Point { x: 350.0 + x, y: 150.0 };
        points
    }

    #[test]
    fn the_share_is_the_papers() {
        // alpha = 1 / (1 + tau / Te), tau = 1 / (2 pi fc), at 1 Hz and 60 pictures a second.
        let expected = 1.0 / (1.0 + (1.0 / (2.0 * std::f32::consts::PI)) * 60.0);
        assert!((share(1.0, 1.0 / 60.0) - expected).abs() < 1e-6);
    }

    #[test]
    fn a_still_face_does_not_shimmer_and_a_moving_one_hardly_lags() {
        let mut steady = Steady::default();
        let (mut noise, mut before, mut random) = (0.0_f32, 0.0_f32, 1_u32);
        let mut jitter = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        for step in 0..300 {
            let mut seen = face(0.0);
            seen.iter_mut().for_each(|point| point.x += jitter());
            let shown = steady.steady(step * STEP_US, &seen);
            if step >= 60 {
                noise += (shown[0].x - 300.0).powi(2) / 240.0;
                before += (seen[0].x - 300.0).powi(2) / 240.0;
            }
        }
        let (noise, before) = (noise.sqrt(), before.sqrt());
        assert!(noise < 0.4 * before, "{before} pixels of noise became {noise}");
        let mut steady = Steady::default();
        let mut lag = 0.0;
        for step in 0..60_i64 {
            let x = step as f32 * 4.0;
            lag = x - (steady.steady(step * STEP_US, &face(x))[0].x - 300.0);
        }
        // 120 pixels a second, more than an eye distance.
        assert!((0.0..0.5).contains(&lag), "{lag}");
    }

    #[test]
    fn another_face_a_pause_and_a_clock_that_stands_begin_anew() {
        let mut steady = Steady::default();
        steady.steady(0, &face(0.0));
        assert!((steady.steady(STEP_US, &face(200.0))[0].x - 500.0).abs() < 1e-3, "a jump");
        assert!((steady.steady(2 * STEP_US, &face(210.0))[0].x - 510.0).abs() > 0.1, "steadied");
        assert!((steady.steady(2_000_000, &face(260.0))[0].x - 560.0).abs() < 1e-3, "a pause");
        assert!((steady.steady(2_000_000, &face(261.0))[0].x - 561.0).abs() < 1e-3, "no time has passed");
        steady.forget();
        assert!((steady.steady(2_033_333, &face(262.0))[0].x - 562.0).abs() < 1e-3);
        assert_eq!(steady.steady(3_000_000, &[]).len(), 0);
    }
}
