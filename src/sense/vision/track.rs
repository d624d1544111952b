//! Faces followed from picture to picture: one number for one person in view.
//!
//! Each track foretells where its face is now (a Kalman filter); tracks and faces are paired so that all pairs together
//! are nearest (distance in face widths, and the difference in size). A face that is out of sight for a while is waited
//! for where it went out of sight. Ideas from Bewley et al., "Simple Online and Realtime Tracking", 2016.

use super::assign::assign;
use super::kalman::Axis;
use super::yunet::Face;
use super::{Point, Rect};

/// Tracks at once; beyond them faces are not followed.
const TRACKS: usize = 128;
/// How far from where it should be a face is still the same, in face widths, when it was seen in the picture before.
const NEAR: f32 = 0.9;
/// The same for one that has been out of sight for long.
const FAR: f32 = 2.0;
/// What a factor of e in size costs, in face widths.
const SIZE: f32 = 1.5;
/// How exactly a detector says where a face is, in face widths.
const JITTER: f32 = 0.06;
/// What is left of a lost face's speed after each picture without it.
const SLOWING: f32 = 0.8;

/// The number of a track, from 1, never given twice.
pub type TrackId = u32;

/// How tracks begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackSettings {
    /// A face that is not seen for so long has gone, in microseconds.
    pub lost_after_us: i64,
    /// In how many pictures it must have been seen to have been there at all.
    pub sightings: u32,
}

/// A face that is followed.
#[derive(Debug, Clone)]
struct Track {
    id: TrackId,
    x: Axis,
    y: Axis,
    width: f32,
    height: f32,
    seen_us: i64,
    sightings: u32,
}

/// A face of this picture and its track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed {
    /// The track.
    pub track: TrackId,
    /// Which of the faces that were given.
    pub face: usize,
    /// It has been seen often enough to be believed.
    pub is_sure: bool,
}

/// Follows faces. No clock: each picture comes with its time.
#[derive(Debug)]
pub struct Tracker {
    settings: TrackSettings,
    tracks: Vec<Track>,
    next: TrackId,
    at_us: i64,
    gone: Vec<TrackId>,
}

impl Tracker {
    /// Follows nothing yet.
    #[must_use]
    pub fn new(settings: TrackSettings) -> Self {
        Self { settings, tracks: Vec::new(), next: 1, at_us: 0, gone: Vec::new() }
    }

    /// The faces of the picture of `at_us`. A time before the last one counts as the last one.
    pub fn follow(&mut self, at_us: i64, faces: &[Face]) -> Vec<Followed> {
        self.pass(at_us);
        let costs: Vec<Vec<f32>> =
            self.tracks.iter().map(|track| faces.iter().map(|face| track.cost(face, self.at_us)).collect()).collect();
        let pairs = assign(&costs, faces.len(), 1.0);
        let mut followed = Vec::new();
        for (track, face) in self.tracks.iter_mut().zip(&pairs) {
            match face {
                Some(at) => {
                    track.see(&faces[*at], self.at_us);
                    let is_sure = track.sightings >= self.settings.sightings;
                    followed.push(Followed { track: track.id, face: *at, is_sure });
                }
                None => track.miss(),
            }
        }
        for at in (0..faces.len()).filter(|at| !pairs.contains(&Some(*at))) {
            if self.tracks.len() < TRACKS {
                let is_sure = self.settings.sightings <= 1;
                followed.push(Followed { track: self.begin(&faces[at]), face: at, is_sure });
            }
        }
        followed.sort_by_key(|one| one.face);
        followed
    }

    /// Time passes without a picture: what has not been seen for long is gone.
    pub fn pass(&mut self, at_us: i64) {
        let now = at_us.max(self.at_us);
        let seconds = seconds_between(self.at_us, now);
        self.at_us = now;
        for track in &mut self.tracks {
            track.x.predict(seconds, track.width);
            track.y.predict(seconds, track.width);
        }
        let limit = now.saturating_sub(self.settings.lost_after_us);
        let gone = self.tracks.extract_if(.., |track| track.seen_us < limit);
        self.gone.extend(gone.map(|track| track.id));
    }

    /// Tracks that have ended since this was asked last.
    pub fn take_gone(&mut self) -> Vec<TrackId> {
        std::mem::take(&mut self.gone)
    }

    /// Whether anybody is followed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    /// Ends all tracks.
    pub fn end(&mut self) {
        self.gone.extend(self.tracks.drain(..).map(|track| track.id));
    }

    fn begin(&mut self, face: &Face) -> TrackId {
        let (centre, width) = (face.place.centre(), face.place.w);
        let axis = |at| Axis::new(at, JITTER * width, width);
        let id = self.next;
        self.next = self.next.wrapping_add(1).max(1);
        let (x, y) = (axis(centre.x), axis(centre.y));
        let track = Track { id, x, y, width, height: face.place.h, seen_us: self.at_us, sightings: 1 };
        self.tracks.push(track);
        id
    }
}

impl Track {
    /// How unlike the face is to be this one, from 0 to 1; 1 and above is out of the question.
    fn cost(&self, face: &Face, now_us: i64) -> f32 {
        let unit = f32::midpoint(self.width, face.place.w);
        let there = Point { x: self.x.at(), y: self.y.at() };
        let away = there.distance(face.place.centre()) / unit;
        let size = (face.place.w / self.width).ln().abs();
        let doubt = (self.x.doubt().max(self.y.doubt()) / unit).min(FAR);
        let reach = NEAR + (FAR - NEAR) * (seconds_between(self.seen_us, now_us) / 2.0).min(1.0) + doubt.min(0.5);
        let overlap = self.place().overlap(&face.place);
        let cost = (away + SIZE * size) / reach;
        if cost.is_finite() { cost * (1.0 - 0.3 * overlap) } else { f32::INFINITY }
    }

    fn place(&self) -> Rect {
        let (w, h) = (self.width, self.height);
        Rect { x: self.x.at() - w / 2.0, y: self.y.at() - h / 2.0, w, h }
    }

    fn see(&mut self, face: &Face, now_us: i64) {
        let (centre, doubt) = (face.place.centre(), JITTER * face.place.w);
        self.x.correct(centre.x, doubt);
        self.y.correct(centre.y, doubt);
        self.width += (face.place.w - self.width) * 0.4;
        self.height += (face.place.h - self.height) * 0.4;
        self.seen_us = now_us;
        self.sightings = self.sightings.saturating_add(1);
    }

    fn miss(&mut self) {
        self.x.slow(SLOWING);
        self.y.slow(SLOWING);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few seconds in microseconds")]
fn seconds_between(from_us: i64, to_us: i64) -> f32 {
    to_us.saturating_sub(from_us).clamp(0, 60_000_000) as f32 / 1e6
}
