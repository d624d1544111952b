//! Cameras: `camera.v4l2` (USB), `camera.rtsp` and `camera.mjpeg` (network), `camera.frames` (a folder of pictures).
//!
//! ```text
//! lens-<id>: source ──▶ one picture's room ──▶ eyes-<id>: decode ─▶ Watch ─▶ visits, windows, members ──▶ driver
//! ```
//!
//! Two threads for each camera, neither of them the runtime's: the lens keeps the source open and hands its pictures
//! on, the eyes look. A picture that comes while the eyes are busy takes the place of the one that waits; what was left
//! out is counted.
//!
//! What is absent: how faces are found and followed (it is in `sense::vision`), nodes and sockets (in `transport`),
//! where a JPEG ends (in `wire::mjpeg`), who has consented (the port's `members`).
//!
//! Invariants: no pixel, no likeness and no login leaves the two threads, is logged or shown; pixels are overwritten
//! when they go; nothing is recognised unless the settings turn it on and somebody has consented; a source that goes
//! away is looked for again; a picture is at most 16 MiB and 3840 x 2160.

mod driver;
mod eyes;
mod kind;
mod networks;
mod profile;
mod reflect;
mod slot;
mod source;
mod windows;

use kind::CameraKind;
use profile::Sort;

pub(crate) use eyes::{INPUT, TRACKS};
pub(crate) use slot::{News, Picture, Slot};
pub(crate) use source::{Lens, Pace, Plan, pictures};

/// `camera.v4l2`.
pub(crate) static V4L2: CameraKind = CameraKind::new(Sort::Node);
/// `camera.rtsp`.
pub(crate) static RTSP: CameraKind = CameraKind::new(Sort::Rtsp);
/// `camera.mjpeg`.
pub(crate) static MJPEG: CameraKind = CameraKind::new(Sort::Mjpeg);
/// `camera.frames`.
pub(crate) static FRAMES: CameraKind = CameraKind::new(Sort::Folder);

#[cfg(test)]
mod mirror_tests;
#[cfg(test)]
mod tests;
