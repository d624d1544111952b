//! How long the face networks take: loading, and one picture or one face, on one thread.

use std::time::Duration;

use serde::Serialize;

use super::weights::{Library, WeightsError};
use crate::clock::{Clock, Trust};
use crate::sense::vision::card::Role;
use crate::sense::vision::mesh::Mesh;
use crate::sense::vision::yunet::{Face, InputSize};
use crate::sense::vision::{Detector, Embedder, Frame, Point, Rect, VisionError};

/// What a camera's pictures are looked at in.
#[cfg(feature = "sim")]
pub(super) const INPUT: InputSize = InputSize { width: 640, height: 384 };
/// The detector is timed in the size of its card, in which its peer runs, too.
pub(super) const WHOLE: InputSize = InputSize { width: 640, height: 640 };
/// Before anything is measured.
const WARM_UP: u32 = 3;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub(super) enum TimesError {
    /// The network is not there.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The network does not run.
    #[error("the network was not measured")]
    Vision(#[from] VisionError),
}

/// Times of one network.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Times {
    pub(super) load_ms: f64,
    pub(super) runs: u32,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// The value below which this many of 100 lie.
pub(super) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get((sorted.len().saturating_sub(1)) * percent / 100).copied().unwrap_or_default()
}

pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Measures the network of a role.
pub(super) fn times(library: &Library, role: Role, runs: u32) -> Result<Times, TimesError> {
    times_of(library, role, WHOLE, runs)
}

/// Measures the network of a role; a detector in pictures of `size`.
pub(super) fn times_of(library: &Library, role: Role, size: InputSize, runs: u32) -> Result<Times, TimesError> {
    let clock = Clock::system(Trust::Trusted);
    let (card, bytes) = library.network(role)?;
    let began = clock.now();
    let mut network = match role {
        Role::Detector => Loaded::Detector(Box::new(Detector::load(&bytes, size, card.detection())?)),
        Role::Embedder => Loaded::Embedder(Box::new(Embedder::load(&bytes)?)),
        Role::Mesh => Loaded::Mesh(Box::new(Mesh::load(&bytes)?)),
        Role::Liveness => return Err(WeightsError::NoRole(role.name()).into()),
    };
    let load = clock.now() - began;
    let picture = pattern();
    let mut took = Vec::new();
    for run in 0..runs + WARM_UP {
        let began = clock.now();
        network.run(&picture)?;
        if run >= WARM_UP {
            took.push(clock.now() - began);
        }
    }
    took.sort_unstable();
    let at = |percent| milliseconds(percentile(&took, percent));
    Ok(Times { load_ms: milliseconds(load), runs, p50_ms: at(50), p99_ms: at(99) })
}

enum Loaded {
    Detector(Box<Detector>),
    Embedder(Box<Embedder>),
    Mesh(Box<Mesh>),
}

impl Loaded {
    fn run(&mut self, picture: &Frame) -> Result<(), VisionError> {
        match self {
            Self::Detector(detector) => detector.faces(picture).map(drop),
            Self::Embedder(embedder) => embedder.embed(picture, &somebody()).map(drop),
            Self::Mesh(mesh) => mesh.points(picture, &somebody()).map(drop),
        }
    }
}

/// A picture without anybody in it, of a camera's usual size.
fn pattern() -> Frame {
    let (width, height) = (1280, 720);
    let rgb = (0..width * height * 3).map(|at: u32| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let frame = Frame::new(width, height, rgb);
    #[expect(clippy::expect_used, reason = "the size is the buffer's")]
    frame.expect("a picture")
}

/// A face as it may lie in a picture: for the network's time it does not matter what is there.
fn somebody() -> Face {
    let point = |x: f32, y: f32| Point { x: 600.0 + x, y: 300.0 + y };
    let landmarks = [point(30.0, 45.0), point(70.0, 45.0), point(50.0, 70.0), point(34.0, 92.0), point(66.0, 92.0)];
    Face { place: Rect { x: 600.0, y: 300.0, w: 100.0, h: 130.0 }, score: 1.0, landmarks }
}
