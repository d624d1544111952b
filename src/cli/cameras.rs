//! What `doctor` finds of cameras: whether they are there, and whether the networks are. No stream is opened.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use super::doctor::{Finding, Verdict, finding};
use crate::transport;
use crate::types::{CameraUrl, Condition, Endpoint};

/// How long a camera may take to be reached.
const REACHED: Duration = Duration::from_secs(3);

/// Whether the endpoint is a camera's.
pub(super) fn is_camera(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::V4l2(_) | Endpoint::Rtsp(_) | Endpoint::Http(_) | Endpoint::Frames(_))
}

/// Whether a camera is there. `None`: it is no camera.
pub(super) fn camera(target: &str, endpoint: &Endpoint) -> Option<Finding> {
    let found = match endpoint {
        Endpoint::V4l2(path) => transport::camera_name(path).map_err(|error| error.to_string()),
        Endpoint::Rtsp(url) => reached(url, 554),
        Endpoint::Http(url) => reached(url, 80),
        Endpoint::Frames(path) => folder(path),
        _ => return None,
    };
    Some(match found {
        Ok(what) => finding("device", target, Verdict::Ok, &format!("is there: {what}"), ""),
        Err(why) => finding("device", target, Verdict::Fail, &why, Condition::CameraMissing.help()),
    })
}

fn folder(path: &Path) -> Result<String, String> {
    let entries = std::fs::read_dir(path).map_err(|error| error.to_string())?;
    Ok(format!("a folder of {} files", entries.count()))
}

/// Whether somebody listens at the URL's address; what they say is not asked.
fn reached(url: &CameraUrl, usual_port: u16) -> Result<String, String> {
    let rest = url.exact().split_once("://").map_or("", |(_, rest)| rest);
    let place = rest.split(['/', '?']).next().unwrap_or_default();
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let has_port = place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let place = if has_port { place.to_owned() } else { format!("{place}:{usual_port}") };
    let words = |error: std::io::Error| format!("cannot be reached: {error}");
    let address = place.to_socket_addrs().map_err(words)?.next().ok_or("its name has no address")?;
    TcpStream::connect_timeout(&address, REACHED).map_err(words)?;
    Ok(format!("{address} answers"))
}

/// Whether the networks that cameras look with are there and are those of their cards.
#[cfg(feature = "onnx")]
pub(super) fn networks(models_dir: &Path) -> Vec<Finding> {
    use super::weights::{Library, State};
    let library = match Library::open(Some(models_dir)) {
        Ok(library) => library,
        Err(error) => return vec![finding("model", "cards", Verdict::Fail, &error.to_string(), "")],
    };
    let help = format!("Run `smartstore models fetch --models {}`.", models_dir.display());
    let found = library.cards().iter().map(|card| {
        let state = library.state(card);
        let verdict = if matches!(state, State::Right) { Verdict::Ok } else { Verdict::Fail };
        finding("model", library.file(card).display().to_string(), verdict, state.words(), &help)
    });
    found.collect()
}

#[cfg(not(feature = "onnx"))]
pub(super) fn networks(_: &Path) -> Vec<Finding> {
    Vec::new()
}
