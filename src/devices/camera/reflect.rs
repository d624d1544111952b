//! The camera of a mirror: each picture goes to the page with the points of the face that is in it.
//!
//! Nothing is made while no page looks. When the face has been gone for ten seconds, everything of it is overwritten:
//! its points, what it wore, the last picture, and the photo that it had taken, if nobody has fetched it.

use std::path::Path;
use std::sync::Arc;

use super::networks::{NetworksError, mesh};
use crate::sense::mirror::{Finish, Lab, Light, Look, Paint, Skin, Steady, Tone, apply, measure};
use crate::sense::vision::mesh::Mesh;
use crate::sense::vision::yunet::Face;
use crate::sense::vision::{Frame, Point, VisionError, picture};
use crate::transport::{Glass, give_back_freed_memory};
use crate::types::Chain;
use crate::wire::screen::{Measured, Note, Shot, SkinV1, Wish, Worn};

/// A session ends when nobody has been there for so long, in microseconds.
const GONE_US: i64 = 10_000_000;

/// See the module.
pub(super) struct Reflector {
    glass: Arc<Glass>,
    mesh: Option<Mesh>,
    steady: Steady,
    look: Look,
    composes: bool,
    measures: bool,
    /// What the next photo wears, if one is wished.
    photo: Option<Look>,
    number: u32,
    /// When a face was there last; `None`: everything of it is gone.
    seen_us: Option<i64>,
    is_shown: bool,
}

impl Reflector {
    pub(super) fn new(glass: Arc<Glass>) -> Self {
        Self {
            glass,
            mesh: None,
            steady: Steady::default(),
            look: Look::default(),
            composes: false,
            measures: false,
            photo: None,
            number: 0,
            seen_us: None,
            is_shown: false,
        }
    }

    /// Whether the network for the points is wanted and not there yet.
    pub(super) fn wants_mesh(&self) -> bool {
        self.mesh.is_none() && self.glass.is_watched()
    }

    pub(super) fn load(&mut self, models_dir: &Path) -> Result<(), NetworksError> {
        self.mesh = Some(mesh(models_dir)?);
        Ok(())
    }

    /// Shows a picture that was taken at `at_us`, in microseconds since 1970. Of several faces the largest is painted.
    pub(super) fn reflect(&mut self, at_us: i64, frame: &mut Frame, faces: &[Face]) -> Result<(), VisionError> {
        self.take_wishes();
        if !self.glass.is_watched() {
            self.wipe();
            return Ok(());
        }
        let area = |face: &&Face| face.place.area();
        let face = faces.iter().max_by(|one, other| area(one).total_cmp(&area(other)));
        let points = match (face, &mut self.mesh) {
            (Some(face), Some(mesh)) => mesh.points(frame, face)?.unwrap_or_default(),
            _ => Vec::new(),
        };
        let points: Vec<Point> = points.iter().map(|point| Point { x: point.x, y: point.y }).collect();
        let points = self.follow(at_us, &points);
        self.number = self.number.wrapping_add(1);
        let measured = std::mem::take(&mut self.measures).then(|| measured(frame, &points));
        let wished = self.photo.take_if(|_| !points.is_empty());
        let photo = wished.and_then(|look| self.take_photo(frame, &points, &look));
        if self.composes && !points.is_empty() {
            apply(frame, &points, &self.look);
        }
        self.show(at_us, frame, &points, Note { measured, photo });
        Ok(())
    }

    /// Keeps this picture as a photo; its number.
    fn take_photo(&self, frame: &Frame, points: &[Point], look: &Look) -> Option<u32> {
        let mut made_up = Frame::new(frame.width(), frame.height(), frame.rgb().to_vec()).ok()?;
        apply(&mut made_up, points, look);
        match picture::encode(&made_up) {
            Ok(jpeg) => self.glass.keep_photo(self.number, jpeg),
            Err(error) => {
                tracing::warn!(reason = %Chain(&error), "a photo cannot be made");
                return None;
            }
        }
        Some(self.number)
    }

    /// Steadies the points of whoever is there; after ten seconds of nobody everything is forgotten.
    fn follow(&mut self, at_us: i64, points: &[Point]) -> Vec<Point> {
        if !points.is_empty() {
            self.seen_us = Some(at_us);
            return self.steady.steady(at_us, points);
        }
        if self.seen_us.is_some_and(|seen_us| at_us - seen_us >= GONE_US) {
            self.seen_us = None;
            self.forget();
        }
        Vec::new()
    }

    /// Nothing is left of whoever was there, nor in what decoders and sockets have freed.
    fn forget(&mut self) {
        self.steady.forget();
        self.mesh.iter_mut().for_each(Mesh::forget);
        self.look = Look::default();
        self.photo = None;
        self.glass.forget_photo();
        give_back_freed_memory();
    }

    fn show(&mut self, at_us: i64, frame: &Frame, points: &[Point], note: Note) {
        let points: Vec<(f32, f32)> = points.iter().map(|point| (point.x, point.y)).collect();
        let shot = Shot {
            number: self.number,
            at_ms: at_us as f64 / 1000.0,
            size: (frame.width(), frame.height()),
            is_made_up: self.composes,
            points: &points,
            note,
            rgb: frame.rgb(),
        };
        self.glass.show(shot.message());
        self.is_shown = true;
    }

    /// The source is gone, or nobody looks: nothing is kept of whom it saw.
    pub(super) fn wipe(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            self.glass.clear();
            self.forget();
            self.seen_us = None;
        }
    }

    fn take_wishes(&mut self) {
        for wish in self.glass.wishes().iter().filter_map(|words| Wish::read(words)) {
            match wish {
                Wish::Wear { lips, blush } => self.look = worn(lips, blush),
                Wish::Photo { lips, blush } => self.photo = Some(worn(lips, blush)),
                Wish::Compose { on } => self.composes = on,
                Wish::Measure => self.measures = true,
            }
        }
    }
}

fn worn(lips: Option<Worn>, blush: Option<Worn>) -> Look {
    Look { lips: lips.map(paint), blush: blush.map(paint) }
}

fn paint(Worn { lab: [l, a, b], strength, gloss }: Worn) -> Paint {
    Paint { shade: Lab { l, a, b }, strength, finish: if gloss { Finish::Gloss } else { Finish::Matte } }
}

fn measured(frame: &Frame, points: &[Point]) -> Measured {
    let (light, skin) = match measure(frame, points) {
        None => ("no-face", None),
        Some(Err(light)) => (light_word(light), None),
        Some(Ok(skin)) => (light_word(Light::Good), Some(figures(&skin))),
    };
    Measured { light, skin }
}

fn light_word(light: Light) -> &'static str {
    match light {
        Light::Good => "good",
        Light::Clipped => "clipped",
        Light::Uneven => "uneven",
        Light::Dark => "dark",
    }
}

fn figures(skin: &Skin) -> SkinV1 {
    let tone = match skin.tone {
        Tone::VeryLight => "very-light",
        Tone::Light => "light",
        Tone::Intermediate => "intermediate",
        Tone::Tan => "tan",
        Tone::Brown => "brown",
        Tone::Dark => "dark",
    };
    SkinV1 {
        ita_degrees: skin.ita_degrees,
        tone,
        redness: skin.redness,
        shine_percent: skin.shine_percent,
        spots_percent: skin.spots_percent,
        lines: skin.lines,
        moisture: None,
        sebum: None,
        acne: None,
        sensitivity: None,
    }
}
