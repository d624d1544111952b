//! The demo's mirror: somebody drawn, who moves, before a camera over HTTP. It needs the networks for faces.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::cli::models::ModelsArgs;
use crate::cli::weights::State;
use crate::sense::vision::card::Role;
use crate::sim::camera::{Camera, CameraSetup, Film, Shopper, Speech};

/// What the camera films.
const SIZE: (u32, u32) = (640, 480);
/// Pictures a second.
const FPS: u32 = 15;

/// The camera, and where the networks are.
pub(super) struct MirrorCorner {
    camera: Camera,
    url: String,
    models: PathBuf,
}

impl MirrorCorner {
    /// Sets it up; nothing: the networks are not here, or this build has no cameras.
    pub(super) async fn prepare(place: &ModelsArgs) -> anyhow::Result<Option<Self>> {
        let Some(models) = networks(place).filter(|_| cfg!(feature = "device-camera")) else { return Ok(None) };
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let setup = CameraSetup { listen, fps: FPS, speech: Speech::Parts, fault: None, login: None };
        let camera = Camera::bind(setup).await.context("the camera cannot listen")?;
        let url = camera.url()?;
        Ok(Some(Self { camera, url, models }))
    }

    pub(super) fn models(&self) -> &Path {
        &self.models
    }

    /// What the configuration needs for it.
    pub(super) fn configuration(&self) -> String {
        format!(
            "[[device]]\nid = \"camera-1\"\nprofile = \"camera/mjpeg\"\nendpoint = \"{}\"\n\
             [device.settings]\nfps = {FPS}\n\n\
             [[device]]\nid = \"mirror-1\"\nprofile = \"screen/mirror\"\nendpoint = \"screen:\"\n\n\
             [[station]]\nid = \"mirror\"\nflow = \"mirror\"\ncamera = \"camera-1\"\nscreen = \"mirror-1\"\n\n",
            self.url
        )
    }
}

/// Where the networks of a mirror are, if all of them are there.
fn networks(place: &ModelsArgs) -> Option<PathBuf> {
    let library = place.library().ok()?;
    let is_there = |role: Role| {
        let mut cards = library.cards().iter().filter(|card| card.role == role);
        cards.any(|card| matches!(library.state(card), State::Right))
    };
    (is_there(Role::Detector) && is_there(Role::Mesh)).then(|| std::path::absolute(library.folder()).ok()).flatten()
}

/// Films until `stop`.
pub(super) async fn run(corner: Option<MirrorCorner>, stop: &CancellationToken) -> anyhow::Result<()> {
    let Some(MirrorCorner { camera, .. }) = corner else { return Ok(()) };
    let shopper = Box::new(Shopper::new(SIZE.0, SIZE.1));
    let film = Film::Shopper { shopper, size: SIZE, pictures: u64::MAX };
    camera.run(film, stop, |_| {}).await.context("the camera cannot film")?;
    Ok(())
}
