//! One camera's eyes: picture by picture from motion to visits and members.
//!
//! ```text
//! picture ─▶ hide zones ─▶ anything moving, or anybody followed, or a second gone by? ─▶ detect ─▶ follow ─▶ visits
//!                                                                                          └─▶ a good view? ─▶ compare
//! ```
//!
//! Synchronous, for a thread of its own. What leaves it are [`Seen`]s: no pixels, no likeness.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::gallery::{Gallery, Match, MatchSettings};
use super::motion::MotionGate;
use super::naming::{Named, Naming};
use super::quality::{Company, GOOD, Quality};
use super::scene::Scene;
use super::track::{Followed, TrackId, TrackSettings};
use super::visit::{Visit, Visits};
use super::yunet::Face;
use super::{Detector, Embedder, Embedding, Frame, Rect, VisionError};

/// A picture in which less than this has changed is still.
const STILL: f32 = 0.004;
/// Without anything moving the detector still looks this often.
const IDLE_US: i64 = 1_000_000;
/// After something moved it looks at every picture for this long.
const AWAKE_US: i64 = 2_000_000;

/// What was seen.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// Somebody has gone; if they were a member at the end, which.
    Visit(Visit, Option<usize>),
    /// Somebody in view is a member who consented.
    Member(TrackId, Match),
    /// Somebody was taken for this member, and is not.
    NotMember(TrackId, usize),
}

/// A face of the last picture that was looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// Its track.
    pub track: TrackId,
    /// Where it is.
    pub place: Rect,
    /// The member it is.
    pub member: Option<usize>,
}

/// Recognition, which is off unless a configuration turns it on and somebody has consented.
pub struct Recognition {
    embedder: Embedder,
    gallery: Arc<Gallery>,
    settings: MatchSettings,
    naming: Naming,
}

impl Recognition {
    /// Compares with these members.
    #[must_use]
    pub fn new(embedder: Embedder, gallery: Arc<Gallery>, settings: MatchSettings) -> Self {
        Self { embedder, gallery, settings, naming: Naming::new(settings.similarity) }
    }

    /// Rows of the old list mean nothing in the new one: what was found is forgotten.
    fn replace(&mut self, gallery: Arc<Gallery>, settings: MatchSettings) {
        self.naming = Naming::new(settings.similarity);
        (self.gallery, self.settings) = (gallery, settings);
    }

    /// Whether this view of a face is worth comparing, and how good it is.
    fn wants(&self, at_us: i64, frame: &Frame, one: Followed, face: &Face) -> Option<f32> {
        let quality = Quality::of(frame, face).score();
        let wanted = one.is_sure && !self.gallery.is_empty() && self.naming.wants(at_us, one.track, quality);
        wanted.then_some(quality)
    }

    fn look(
        &mut self,
        at_us: i64,
        frame: &Frame,
        one: Followed,
        face: &Face,
        quality: f32,
    ) -> Result<Named, VisionError> {
        let Some(embedding) = self.embedder.embed(frame, face)? else { return Ok(Named::Same) };
        let found = self.gallery.find(&embedding, self.settings);
        Ok(self.naming.looked(at_us, one.track, quality, found))
    }
}

/// Tells elapsed time: what takes long is measured by it.
pub type Stopwatch = Box<dyn Fn() -> Instant + Send>;

/// How long the networks took in all; nothing without a [`Stopwatch`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Took {
    /// Looking for faces.
    pub detector: Duration,
    /// Making faces comparable, and comparing them.
    pub embedder: Duration,
}

/// What was done, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WatchCounts {
    /// Pictures that came.
    pub pictures: u64,
    /// Of them those in which faces were looked for.
    pub detected: u64,
    /// Faces that were compared.
    pub compared: u64,
}

/// One camera's eyes.
pub struct Watch {
    scene: Scene,
    gate: MotionGate,
    detector: Detector,
    visits: Visits,
    recognition: Option<Recognition>,
    detected_us: Option<i64>,
    moved_us: Option<i64>,
    shown: Vec<Shown>,
    faces: Vec<Face>,
    counts: WatchCounts,
    stopwatch: Option<Stopwatch>,
    took: Took,
    /// A likeness is wanted of whoever is before the camera.
    captures: bool,
    captured: Option<Embedding>,
}

impl Watch {
    /// Opens them.
    #[must_use]
    pub fn new(scene: Scene, tracks: TrackSettings, detector: Detector, recognition: Option<Recognition>) -> Self {
        Self {
            gate: MotionGate::default(),
            detector,
            visits: Visits::new(scene.clone(), tracks),
            scene,
            recognition,
            detected_us: None,
            moved_us: None,
            shown: Vec::new(),
            faces: Vec::new(),
            counts: WatchCounts::default(),
            stopwatch: None,
            took: Took::default(),
            captures: false,
            captured: None,
        }
    }

    /// Compares faces with members' from now on.
    pub fn recognise(&mut self, recognition: Recognition) {
        self.recognition = Some(recognition);
    }

    /// Measures from now on how long the networks take.
    pub fn measure(&mut self, stopwatch: Stopwatch) {
        self.stopwatch = Some(stopwatch);
    }

    /// Whether the likeness of whoever stands alone before the camera, and is seen well, is wanted from now on. Needs
    /// recognition.
    pub fn capture(&mut self, wanted: bool) {
        self.captures = wanted;
        self.captured = None;
    }

    /// The likeness that was wanted, once there is one. Then no other is wanted.
    pub fn take_captured(&mut self) -> Option<Embedding> {
        let captured = self.captured.take()?;
        self.captures = false;
        Some(captured)
    }

    /// Compares with other members from now on; rows mean them. Whoever is in view is looked at anew. Without
    /// recognition nothing changes.
    pub fn compare_with(&mut self, gallery: Arc<Gallery>, settings: MatchSettings) {
        if let Some(recognition) = &mut self.recognition {
            recognition.replace(gallery, settings);
        }
    }

    /// Looks at the picture of `at_us` and gives it up.
    ///
    /// # Errors
    ///
    /// When the engine fails; the next picture may be tried.
    pub fn look(&mut self, at_us: i64, mut frame: Frame) -> Result<Vec<Seen>, VisionError> {
        self.look_at(at_us, &mut frame)
    }

    /// The same, and the picture is somebody's who has more to do with it. Its hidden parts are black then.
    ///
    /// # Errors
    ///
    /// As [`Watch::look`].
    pub fn look_at(&mut self, at_us: i64, frame: &mut Frame) -> Result<Vec<Seen>, VisionError> {
        let (width, height) = (frame.width() as f32, frame.height() as f32);
        for zone in &self.scene.hidden {
            let Rect { x, y, w, h } = *zone;
            frame.mask(Rect { x: x * width, y: y * height, w: w * width, h: h * height });
        }
        self.counts.pictures += 1;
        self.shown.clear();
        self.faces.clear();
        let frame = &*frame;
        let mut seen = Vec::new();
        if self.is_worth(at_us, frame) {
            self.counts.detected += 1;
            self.detected_us = Some(at_us);
            let began = self.now();
            let faces = self.detector.faces(frame)?;
            self.took.detector += self.since(began);
            let followed = self.visits.see(at_us, frame, &faces);
            self.portray(frame, &followed, &faces)?;
            for one in followed {
                seen.extend(self.name(at_us, frame, one, &faces[one.face])?);
                let member = self.recognition.as_ref().and_then(|recognition| recognition.naming.member(one.track));
                self.shown.push(Shown { track: one.track, place: faces[one.face].place, member });
            }
            self.faces = faces;
        }
        let ended = self.visits.ended(at_us);
        seen.extend(self.farewell(ended));
        Ok(seen)
    }

    /// Time has passed without a picture.
    pub fn pass(&mut self, at_us: i64) -> Vec<Seen> {
        let ended = self.visits.ended(at_us);
        self.farewell(ended)
    }

    /// The camera has stopped: everybody has gone.
    pub fn end(&mut self) -> Vec<Seen> {
        let ended = self.visits.end();
        self.farewell(ended)
    }

    /// The faces of the last picture, with their tracks; none when nobody looked for any.
    #[must_use]
    pub fn shown(&self) -> &[Shown] {
        &self.shown
    }

    /// The faces of the last picture as they were found; none when nobody looked for any.
    #[must_use]
    pub fn faces(&self) -> &[Face] {
        &self.faces
    }

    /// How many people are in view.
    #[must_use]
    pub fn present(&self) -> usize {
        self.visits.present()
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> WatchCounts {
        self.counts
    }

    /// How long the networks took so far.
    #[must_use]
    pub fn took(&self) -> Took {
        self.took
    }

    fn now(&self) -> Option<Instant> {
        self.stopwatch.as_ref().map(|now| now())
    }

    fn since(&self, began: Option<Instant>) -> Duration {
        began.zip(self.now()).map_or(Duration::ZERO, |(began, now)| now - began)
    }

    fn is_worth(&mut self, at_us: i64, frame: &Frame) -> bool {
        if self.gate.look(frame) >= STILL {
            self.moved_us = Some(at_us);
        }
        let since = |then: Option<i64>| then.map_or(i64::MAX, |then| at_us.saturating_sub(then));
        !self.visits.is_empty() || since(self.moved_us) < AWAKE_US || since(self.detected_us) >= IDLE_US
    }

    fn name(&mut self, at_us: i64, frame: &Frame, one: Followed, face: &Face) -> Result<Option<Seen>, VisionError> {
        let began = self.now();
        let Some(recognition) = &mut self.recognition else { return Ok(None) };
        let Some(quality) = recognition.wants(at_us, frame, one, face) else { return Ok(None) };
        self.counts.compared += 1;
        let named = recognition.look(at_us, frame, one, face, quality)?;
        self.took.embedder += self.since(began);
        Ok(match named {
            Named::Same => None,
            Named::Member(found) => Some(Seen::Member(one.track, found)),
            Named::TakenBack(row) => Some(Seen::NotMember(one.track, row)),
        })
    }

    /// Makes the likeness that is wanted, if one person is before the camera and is seen well.
    fn portray(&mut self, frame: &Frame, followed: &[Followed], faces: &[Face]) -> Result<(), VisionError> {
        let Some(recognition) = self.recognition.as_mut().filter(|_| self.captures && self.captured.is_none()) else {
            return Ok(());
        };
        let Company::Alone(at) = Company::of(faces) else { return Ok(()) };
        let face = &faces[at];
        let is_sure = followed.iter().any(|one| one.face == at && one.is_sure);
        if is_sure && Quality::of(frame, face).score() >= GOOD {
            self.captured = recognition.embedder.embed(frame, face)?;
        }
        Ok(())
    }

    fn farewell(&mut self, ended: Vec<Visit>) -> Vec<Seen> {
        let mut leave = |track| {
            let naming = &mut self.recognition.as_mut()?.naming;
            let member = naming.member(track);
            naming.forget(track);
            member
        };
        let mut seen = Vec::with_capacity(ended.len());
        for visit in ended {
            let member = leave(visit.track);
            seen.push(Seen::Visit(visit, member));
        }
        seen
    }
}
