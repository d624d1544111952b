//! Rectangles and points of a picture, in pixels; x to the right, y down.

/// A place in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Point {
    /// From the left edge.
    pub x: f32,
    /// From the top edge.
    pub y: f32,
}

impl Point {
    /// How far it is from another, in pixels.
    #[must_use]
    pub fn distance(self, other: Self) -> f32 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

/// An upright rectangle by its top left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width.
    pub w: f32,
    /// Height.
    pub h: f32,
}

impl Rect {
    /// Its middle.
    #[must_use]
    pub fn centre(&self) -> Point {
        Point { x: self.x + self.w / 2.0, y: self.y + self.h / 2.0 }
    }

    /// Its area; nothing for a rectangle turned inside out.
    #[must_use]
    pub fn area(&self) -> f32 {
        self.w.max(0.0) * self.h.max(0.0)
    }

    /// Whether a point is in it.
    #[must_use]
    pub fn contains(&self, point: Point) -> bool {
        (self.x..self.x + self.w).contains(&point.x) && (self.y..self.y + self.h).contains(&point.y)
    }

    /// Intersection over union: 1 for the same rectangle, 0 for two that do not touch.
    #[must_use]
    pub fn overlap(&self, other: &Self) -> f32 {
        let across = (self.x + self.w).min(other.x + other.w) - self.x.max(other.x);
        let down = (self.y + self.h).min(other.y + other.h) - self.y.max(other.y);
        let shared = across.max(0.0) * down.max(0.0);
        let all = self.area() + other.area() - shared;
        if all > 0.0 { shared / all } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_is_one_third_for_halves_that_share_a_half() {
        let one = Rect { x: 0.0, y: 0.0, w: 2.0, h: 1.0 };
        let other = Rect { x: 1.0, y: 0.0, w: 2.0, h: 1.0 };
        assert!((one.overlap(&other) - 1.0 / 3.0).abs() < 1e-6);
        assert!((one.overlap(&one) - 1.0).abs() < 1e-6);
        assert!(one.overlap(&Rect { x: 5.0, ..one }).abs() < 1e-6);
        assert!(Rect { w: 0.0, ..one }.overlap(&Rect { w: 0.0, ..one }).abs() < 1e-6);
    }
}
