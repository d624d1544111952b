//! MJPEG over HTTP.

use std::io;

use super::{Ended, Lens, LoginFile, PICTURE_BYTES, silent_for};
use crate::devices::camera::slot::{Pixels, Wiped};
use crate::transport::http_body;
use crate::types::CameraUrl;
use crate::wire::mjpeg::Pictures;

impl Lens {
    pub(super) async fn mjpeg(&mut self, url: &CameraUrl, login: Option<&LoginFile>) -> io::Result<Ended> {
        let login = login.map(LoginFile::read).transpose()?;
        let most = self.pace.stalled_after;
        let opened = http_body(url.exact(), login.as_ref(), most).await;
        // Nobody who answers is away; one who answers and sends nothing has stalled.
        let mut body = match opened {
            Ok(body) => body,
            Err(error) => return Ok(Ended::Away(error)),
        };
        let mut pictures = Pictures::new(PICTURE_BYTES);
        let mut seen = self.clock.now();
        loop {
            let left = (seen + most).saturating_duration_since(self.clock.now());
            if left.is_zero() {
                return Err(silent_for(self.pace));
            }
            let chunk = body.next(left).await.map_err(|error| match error.kind() {
                io::ErrorKind::TimedOut => silent_for(self.pace),
                _ => error,
            })?;
            let Some(chunk) = chunk else {
                return Ok(match self.pace.returns {
                    true => Ended::Away(io::Error::other("the camera has ended the stream")),
                    false => Ended::Over,
                });
            };
            pictures.take(&chunk, |picture| {
                seen = self.clock.now();
                let pixels = Pixels::Encoded(Wiped(picture));
                if self.is_due() {
                    self.give(pixels);
                }
            });
            let thrown = pictures.take_thrown();
            self.count(|counts| {
                counts.bytes += chunk.len() as u64;
                counts.malformed += thrown.broken;
                counts.oversized += thrown.oversized;
            });
        }
    }
}
