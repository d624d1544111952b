//! One coordinate of something that moves: where it is and how fast, with how much doubt.

/// How much the speed of a walking person may change in a second, as a standard deviation, in face widths a second.
const UNREST: f32 = 3.0;
/// Doubt about the speed of what was seen once, in face widths a second.
const UNKNOWN_SPEED: f32 = 4.0;

/// A constant-velocity Kalman filter of one coordinate (Kalman 1960; white-noise acceleration).
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    at: f32,
    speed: f32,
    /// Variance of the place, of the speed, and their covariance.
    place: f32,
    pace: f32,
    both: f32,
}

impl Axis {
    /// Seen first at `at`, give or take `doubt`; `unit` is the face's width: speeds are judged by it.
    pub(super) fn new(at: f32, doubt: f32, unit: f32) -> Self {
        let pace = (UNKNOWN_SPEED * unit).powi(2);
        Self { at, speed: 0.0, place: doubt * doubt, pace, both: 0.0 }
    }

    pub(super) fn at(&self) -> f32 {
        self.at
    }

    /// Time passes.
    pub(super) fn predict(&mut self, seconds: f32, unit: f32) {
        let push = (UNREST * unit).powi(2);
        self.at += self.speed * seconds;
        self.place += seconds * (2.0 * self.both + seconds * self.pace) + push * seconds.powi(3) / 3.0;
        self.both += seconds * self.pace + push * seconds.powi(2) / 2.0;
        self.pace += push * seconds;
    }

    /// Seen at `at`, give or take `doubt`.
    pub(super) fn correct(&mut self, at: f32, doubt: f32) {
        let whole = self.place + doubt * doubt;
        if !whole.is_normal() {
            return;
        }
        let (gain, lead) = (self.place / whole, self.both / whole);
        let surprise = at - self.at;
        self.at += gain * surprise;
        self.speed += lead * surprise;
        self.pace -= lead * self.both;
        self.place *= 1.0 - gain;
        self.both *= 1.0 - gain;
    }

    /// How far it may be from where it is thought to be, as a standard deviation.
    pub(super) fn doubt(&self) -> f32 {
        self.place.max(0.0).sqrt()
    }

    /// It stands still from here on: what was lost is looked for where it went out of sight, not where it flew to.
    pub(super) fn slow(&mut self, part: f32) {
        self.speed *= part;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_walk_is_foretold_and_doubt_grows_while_nothing_is_seen() {
        let mut axis = Axis::new(0.0, 1.0, 10.0);
        for step in 1_u8..=20 {
            axis.predict(0.1, 10.0);
            axis.correct(f32::from(step) * 2.0, 1.0);
        }
        let before = axis.doubt();
        axis.predict(0.5, 10.0);
        assert!((axis.at() - 50.0).abs() < 2.0, "20 pixels a second from 40, half a second on: {}", axis.at());
        assert!(axis.doubt() > before * 2.0);
    }
}
