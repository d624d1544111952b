//! Where `face replay` looks: a folder, a camera of the network, a V4L2 node.

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::devices::camera::{Pace, Plan, pictures};
use crate::transport::{CameraWish, Pixels};
use crate::types::Endpoint;

/// What is asked of a node.
const WISH: (u32, u32) = (1280, 720);
const WISH_FPS: u32 = 30;
/// A folder's pace, unless it is said.
const FOLDER_FPS: f64 = 10.0;
/// A camera that gives no picture for so long has stalled.
const STALLED: Duration = Duration::from_secs(5);

/// A source and how it is played.
pub(super) struct Source {
    pub(super) plan: Plan,
    pub(super) pace: Pace,
    /// Pictures a second of a source that has no time of its own.
    pub(super) fps: Option<f64>,
}

impl Source {
    /// Reads what was given; the folder is looked into.
    pub(super) fn of(text: &str, fps: Option<f64>) -> Result<Self, String> {
        let every = fps.map_or(Duration::ZERO, |fps| Duration::from_secs_f64(1.0 / fps));
        let live = Pace { every, stalled_after: STALLED, waits: false, returns: false };
        match endpoint(text)? {
            Endpoint::Http(url) => Ok(Self { plan: Plan::Mjpeg { url, login: None }, pace: live, fps: None }),
            Endpoint::Rtsp(url) => Ok(Self { plan: Plan::Rtsp { url, login: None }, pace: live, fps: None }),
            Endpoint::V4l2(path) => {
                let asked = fps.map_or(WISH_FPS, whole);
                let pixels = vec![Pixels::Mjpeg, Pixels::Yuyv];
                let wish = CameraWish { width: WISH.0, height: WISH.1, fps: asked, pixels };
                Ok(Self { plan: Plan::Node { path, wish }, pace: live, fps: None })
            }
            Endpoint::Frames(path) => {
                pictures(&path).map_err(|error| format!("as a folder of JPEG or PNG files: {error}"))?;
                let fps = fps.unwrap_or(FOLDER_FPS);
                let pace = Pace { every: Duration::ZERO, waits: true, ..live };
                Ok(Self { plan: Plan::Folder { path, fps, repeats: false }, pace, fps: Some(fps) })
            }
            other => Err(format!("{}: is no source of pictures", other.scheme())),
        }
    }
}

/// A URL or another endpoint as it is; a path by what is there.
fn endpoint(text: &str) -> Result<Endpoint, String> {
    if let Ok(endpoint) = Endpoint::parse(text) {
        return Ok(endpoint);
    }
    let path = PathBuf::from(text);
    let is_node = std::fs::metadata(&path).is_ok_and(|found| found.file_type().is_char_device());
    match is_node {
        true => Ok(Endpoint::V4l2(path)),
        false if Path::new(text).exists() => Ok(Endpoint::Frames(path)),
        false => Err("is neither a folder, a V4L2 node, http:// nor rtsp://".to_owned()),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be 0.1 to 240, and rounded up")]
fn whole(fps: f64) -> u32 {
    fps.ceil() as u32
}
