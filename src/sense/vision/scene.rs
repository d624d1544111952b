//! What a camera looks at: zones, a line that is crossed, what must not be seen, and how far away a face is.
//!
//! Places are parts of the picture's width and height, 0 to 1, so that they stay right when the camera's resolution
//! changes.

use super::{Point, Rect};

/// The width of a head, ear to ear, in metres (Farkas, "Anthropometry of the Head and Face": 0.14 to 0.16).
const HEAD_M: f32 = 0.15;

/// A named part of the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// As configured.
    pub name: String,
    /// Where.
    pub place: Rect,
}

/// A line that people cross: coming in is from its left to its right side, looking from `from` to `to`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// One end.
    pub from: Point,
    /// The other.
    pub to: Point,
}

impl Line {
    /// On which side a point is and how far from the line: positive on the right, looking from `from` to `to` with y
    /// down.
    #[must_use]
    pub fn side(&self, point: Point) -> f32 {
        let (dx, dy) = (self.to.x - self.from.x, self.to.y - self.from.y);
        let length = dx.hypot(dy);
        (dx * (point.y - self.from.y) - dy * (point.x - self.from.x)) / length
    }

    /// Whether a point is beside the line, and not beyond its ends.
    #[must_use]
    pub fn is_beside(&self, point: Point) -> bool {
        let (dx, dy) = (self.to.x - self.from.x, self.to.y - self.from.y);
        let along = (dx * (point.x - self.from.x) + dy * (point.y - self.from.y)) / (dx * dx + dy * dy);
        (0.0..=1.0).contains(&along)
    }
}

/// How far away, roughly: a band, because a face's width says no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Distance {
    /// Within arm's reach: up to 1.2 metres.
    Near,
    /// Up to 3 metres.
    Middle,
    /// Farther.
    Far,
}

/// One camera's view.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// How much of the world the picture's width shows, in degrees: a fact of the camera.
    pub view_deg: f32,
    /// Zones, the first that has a face counts.
    pub zones: Vec<Zone>,
    /// The line that is counted at.
    pub line: Option<Line>,
    /// What is blackened before anything looks.
    pub hidden: Vec<Rect>,
}

impl Scene {
    /// How far away a face is whose width is this part of the picture's.
    #[must_use]
    pub fn distance(&self, width: f32) -> Distance {
        let focal = 0.5 / (self.view_deg.to_radians() / 2.0).tan();
        match HEAD_M * focal / width {
            metres if metres <= 1.2 => Distance::Near,
            metres if metres <= 3.0 => Distance::Middle,
            _ => Distance::Far,
        }
    }

    /// The zone of a point.
    #[must_use]
    pub fn zone(&self, point: Point) -> Option<usize> {
        self.zones.iter().position(|zone| zone.place.contains(point))
    }
}
