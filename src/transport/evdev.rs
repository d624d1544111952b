//! Linux input devices: HID keyboard scanners.

use std::io;
use std::path::{Path, PathBuf};

use evdev::KeyCode;
use evdev::raw_stream::RawDevice;

use super::Line;

/// Opens an input device and grabs it (`EVIOCGRAB`), so that what a scanner types reaches us and nobody else: not
/// the console's login prompt, not a browser. The line delivers the kernel's `struct input_event`s as raw bytes.
pub async fn open_keyboard(path: &Path) -> io::Result<Line<RawDevice>> {
    let path = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        let mut device = RawDevice::open(&path)?;
        device.grab()?;
        Ok::<_, io::Error>(device)
    });
    Line::new(opened.await.map_err(io::Error::other)??)
}

/// An input device that can type digits and Enter, as a keyboard scanner must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyboard {
    /// Its most stable path: `/dev/input/by-id/…` where there is one.
    pub path: PathBuf,
    /// What it calls itself.
    pub name: String,
}

/// The keyboards of this machine, ordinary ones included: only a person can tell which of them is a scanner.
pub fn keyboards() -> Vec<Keyboard> {
    let typing = [KeyCode::KEY_0, KeyCode::KEY_9, KeyCode::KEY_A, KeyCode::KEY_ENTER];
    let mut found: Vec<_> = evdev::raw_stream::enumerate()
        .filter(|(_, device)| device.supported_keys().is_some_and(|keys| typing.iter().all(|key| keys.contains(*key))))
        .map(|(path, device)| Keyboard {
            path: stable_path(&path),
            name: device.name().unwrap_or("unnamed input device").to_owned(),
        })
        .collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn stable_path(node: &Path) -> PathBuf {
    let links = std::fs::read_dir("/dev/input/by-id").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut matching: Vec<_> = links.filter(|link| link.canonicalize().is_ok_and(|target| target == node)).collect();
    matching.sort();
    matching.into_iter().next().unwrap_or_else(|| node.to_owned())
}
