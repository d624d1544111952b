//! A USB camera.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use super::{Ended, Lens, TICK, silent_for};
use crate::devices::camera::slot::{Pixels, Wiped};
use crate::transport::{self, Camera, CameraWish, Taken, door};

impl Lens {
    pub(super) fn node(&mut self, path: &Path, wish: &CameraWish) -> Ended {
        match Camera::open(path, wish).and_then(|camera| self.look_through(camera)) {
            Ok(ended) => ended,
            Err(error) => Ended::from(error),
        }
    }

    fn look_through(&mut self, mut camera: Camera) -> io::Result<Ended> {
        // Nobody knocks here: the door is only waited at, with a bound.
        let (_knocker, door) = door()?;
        let format = camera.format();
        let mut seen = self.clock.now();
        while !self.stop.is_cancelled() {
            door.wait(&[camera.as_fd()], TICK)?;
            // Asked even when nothing was announced: a camera that is gone says so.
            let (mut newest, mut length) = (None, 0);
            let taken = camera.take(|bytes| (newest, length) = (Some(pixels(format, bytes)), bytes.len()))?;
            self.tell_taken(taken, length);
            match newest {
                Some(pixels) => {
                    seen = self.clock.now();
                    if self.is_due() {
                        self.give(pixels);
                    }
                }
                None if self.clock.now() - seen >= self.pace.stalled_after => return Err(silent_for(self.pace)),
                None => {}
            }
        }
        Ok(Ended::Told)
    }

    fn tell_taken(&self, taken: Taken, bytes: usize) {
        let whole = taken.filled - taken.broken;
        self.count(|counts| {
            counts.bytes += bytes as u64;
            counts.malformed += u64::from(taken.broken);
            // Of several that were waiting the newest counts.
            counts.pictures += u64::from(whole.saturating_sub(1));
            counts.replaced += u64::from(whole.saturating_sub(1));
        });
    }
}

fn pixels(format: transport::CameraFormat, bytes: &[u8]) -> Pixels {
    let bytes = Wiped(bytes.to_vec());
    match format.pixels {
        transport::Pixels::Mjpeg => Pixels::Encoded(bytes),
        transport::Pixels::Yuyv => {
            let transport::CameraFormat { width, height, stride, .. } = format;
            Pixels::Yuyv { width, height, stride, bytes }
        }
    }
}
