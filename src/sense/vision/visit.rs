//! From followed faces to visits: how long somebody was there, how much they looked, where they went.

use std::collections::BTreeMap;

use super::quality::frontal;
use super::scene::{Distance, Scene};
use super::track::{Followed, TrackId, TrackSettings, Tracker};
use super::yunet::Face;
use super::{Frame, Point};

/// A face looks at the camera from here on.
const LOOKS: f32 = 0.5;
/// How far behind the line somebody must be to have crossed it, as a part of the picture's width.
const BEHIND: f32 = 0.01;

/// Somebody was there and has gone. No pixels, no likeness, no name.
#[derive(Debug, Clone, PartialEq)]
pub struct Visit {
    /// The track, unique for this camera until it is restarted.
    pub track: TrackId,
    /// First seen.
    pub from_us: i64,
    /// Last seen.
    pub to_us: i64,
    /// What part of that time the face looked into the camera, 0 to 1.
    pub attention: f32,
    /// Where most of the time was spent, by distance.
    pub distance: Distance,
    /// Where most of the time was spent, by the scene's zones; nothing when outside of all.
    pub zone: Option<usize>,
    /// How often the line was crossed inwards.
    pub crossed_in: u32,
    /// And outwards.
    pub crossed_out: u32,
}

/// Somebody who is there.
#[derive(Debug)]
struct Stay {
    from_us: i64,
    to_us: i64,
    pictures: u32,
    looking: u32,
    distances: [u32; 3],
    zones: Vec<u32>,
    side: Option<bool>,
    crossed_in: u32,
    crossed_out: u32,
    is_sure: bool,
}

/// Turns pictures' faces into visits.
#[derive(Debug)]
pub struct Visits {
    scene: Scene,
    tracker: Tracker,
    stays: BTreeMap<TrackId, Stay>,
}

impl Visits {
    /// Nobody is there yet.
    #[must_use]
    pub fn new(scene: Scene, settings: TrackSettings) -> Self {
        Self { scene, tracker: Tracker::new(settings), stays: BTreeMap::new() }
    }

    /// The faces of the picture of `at_us`.
    pub fn see(&mut self, at_us: i64, frame: &Frame, faces: &[Face]) -> Vec<Followed> {
        let followed = self.tracker.follow(at_us, faces);
        let size = Point { x: frame.width() as f32, y: frame.height() as f32 };
        for one in &followed {
            let zones = self.scene.zones.len();
            let stay = self.stays.entry(one.track).or_insert_with(|| Stay::begin(at_us, zones));
            stay.is_sure |= one.is_sure;
            stay.see(at_us, size, &faces[one.face], &self.scene);
        }
        followed
    }

    /// Visits that have ended by `at_us`.
    pub fn ended(&mut self, at_us: i64) -> Vec<Visit> {
        self.tracker.pass(at_us);
        self.collect()
    }

    /// Ends everything: the camera stops.
    pub fn end(&mut self) -> Vec<Visit> {
        self.tracker.end();
        self.collect()
    }

    /// How many people are in view.
    #[must_use]
    pub fn present(&self) -> usize {
        self.stays.values().filter(|stay| stay.is_sure).count()
    }

    /// Whether anything is followed, sure or not.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tracker.is_empty()
    }

    fn collect(&mut self) -> Vec<Visit> {
        let gone = self.tracker.take_gone();
        let stays = gone.into_iter().filter_map(|track| Some((track, self.stays.remove(&track)?)));
        stays.filter(|(_, stay)| stay.is_sure).map(|(track, stay)| stay.visit(track)).collect()
    }
}

impl Stay {
    fn begin(at_us: i64, zones: usize) -> Self {
        Self {
            from_us: at_us,
            to_us: at_us,
            pictures: 0,
            looking: 0,
            distances: [0; 3],
            zones: vec![0; zones + 1],
            side: None,
            crossed_in: 0,
            crossed_out: 0,
            is_sure: false,
        }
    }

    fn see(&mut self, at_us: i64, size: Point, face: &Face, scene: &Scene) {
        let centre = face.place.centre();
        let at = Point { x: centre.x / size.x, y: centre.y / size.y };
        self.to_us = at_us.max(self.to_us);
        self.pictures += 1;
        self.looking += u32::from(frontal(face) >= LOOKS);
        self.distances[scene.distance(face.place.w / size.x) as usize] += 1;
        let outside = self.zones.len() - 1;
        self.zones[scene.zone(at).unwrap_or(outside)] += 1;
        if let Some(line) = scene.line.filter(|line| line.is_beside(at)) {
            self.cross(line.side(at));
        }
    }

    /// A side counts when it is left for good, not when a face trembles on the line.
    fn cross(&mut self, side: f32) {
        if side.abs() < BEHIND {
            return;
        }
        let is_right = side > 0.0;
        match self.side {
            Some(false) if is_right => self.crossed_in += 1,
            Some(true) if !is_right => self.crossed_out += 1,
            _ => {}
        }
        self.side = Some(is_right);
    }

    #[expect(clippy::cast_precision_loss, reason = "pictures of one visit")]
    fn visit(self, track: TrackId) -> Visit {
        let distance = [Distance::Near, Distance::Middle, Distance::Far][most(&self.distances)];
        let zone = Some(most(&self.zones)).filter(|zone| zone + 1 < self.zones.len());
        let attention = self.looking as f32 / self.pictures.max(1) as f32;
        let Self { from_us, to_us, crossed_in, crossed_out, .. } = self;
        Visit { track, from_us, to_us, attention, distance, zone, crossed_in, crossed_out }
    }
}

/// The place of the largest; the first of equals.
fn most(counts: &[u32]) -> usize {
    (0..counts.len()).rev().max_by_key(|at| counts[*at]).unwrap_or(0)
}
