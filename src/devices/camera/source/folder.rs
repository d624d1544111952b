//! A folder of pictures, played like a camera.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Ended, Lens, PICTURE_BYTES, TICK};
use crate::devices::camera::slot::{Pixels, Wiped};

impl Lens {
    pub(super) fn folder(&mut self, path: &Path, fps: f64, repeats: bool) -> Ended {
        let files = match pictures(path) {
            Ok(files) => files,
            Err(error) => return Ended::Away(error),
        };
        let every = Duration::from_secs_f64(1.0 / fps);
        let began = self.clock.now();
        let mut given = 0_u32;
        loop {
            for file in &files {
                let at = began + every.mul_f64(f64::from(given));
                given = given.saturating_add(1);
                let is_told = match self.pace.waits {
                    true => self.waits_for_room(),
                    false => self.is_told_within(at.saturating_duration_since(self.clock.now())),
                };
                if is_told {
                    return Ended::Told;
                }
                self.show(file);
            }
            if !repeats {
                return Ended::Over;
            }
        }
    }

    /// Waits until the last picture was taken; whether it was told to end meanwhile.
    fn waits_for_room(&self) -> bool {
        while !self.stop.is_cancelled() {
            if self.slot.wait_for_room(TICK) {
                return false;
            }
        }
        true
    }

    fn show(&mut self, file: &Path) {
        match read(file) {
            Ok(bytes) => {
                self.count(|counts| counts.bytes += bytes.len() as u64);
                if self.is_due() || self.pace.waits {
                    self.give(Pixels::Encoded(Wiped(bytes)));
                }
            }
            // A file that goes while the folder is played, or is no picture of a camera.
            Err(_) => {
                self.number += 1;
                self.count(|counts| counts.malformed += 1);
            }
        }
    }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let length = std::fs::metadata(file)?.len();
    if length > PICTURE_BYTES as u64 {
        return Err(io::Error::other(format!("{length} bytes; at most {PICTURE_BYTES} are read")));
    }
    std::fs::read(file)
}

/// The JPEG and PNG files of a folder in the order of their names.
pub(crate) fn pictures(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| {
        let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        ["jpg", "jpeg", "png"].contains(&ending.to_ascii_lowercase().as_str())
    });
    files.sort();
    match files.is_empty() {
        true => Err(io::Error::new(io::ErrorKind::NotFound, "the folder has no JPEG or PNG files")),
        false => Ok(files),
    }
}
