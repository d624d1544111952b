//! H.264 over RTSP.

use std::io;

use super::{Ended, Lens, LoginFile, silent_for};
use crate::devices::camera::source::h264::Decoder;
use crate::transport::{AccessUnit, rtsp_stream};
use crate::types::CameraUrl;

impl Lens {
    pub(super) async fn rtsp(&mut self, url: &CameraUrl, login: Option<&LoginFile>) -> io::Result<Ended> {
        let login = login.map(LoginFile::read).transpose()?;
        let most = self.pace.stalled_after;
        let mut stream = match rtsp_stream(url.exact(), login.as_ref(), most).await {
            Ok(stream) => stream,
            Err(error) => return Ok(Ended::Away(error)),
        };
        let mut decoder = Decoder::new()?;
        let mut seen = self.clock.now();
        loop {
            let left = (seen + most).saturating_duration_since(self.clock.now());
            let next = stream.next(left).await.map_err(|error| match error.kind() {
                io::ErrorKind::TimedOut => silent_for(self.pace),
                _ => error,
            })?;
            let Some(unit) = next else {
                return Ok(match self.pace.returns {
                    true => Ended::Away(io::Error::other("the camera has ended the stream")),
                    false => Ended::Over,
                });
            };
            self.count(|counts| counts.bytes += unit.bytes.len() as u64);
            if self.see(&mut decoder, &unit, stream.size()) {
                seen = self.clock.now();
            }
        }
    }

    /// Decodes a picture; whether there was one.
    fn see(&mut self, decoder: &mut Decoder, unit: &AccessUnit, size: Option<(u32, u32)>) -> bool {
        match decoder.decode(unit, size, || self.is_due()) {
            Ok(Some(Some(pixels))) => {
                self.give(pixels);
                true
            }
            Ok(Some(None)) => true,
            Ok(None) => false,
            Err(_) => {
                self.count(|counts| counts.malformed += 1);
                false
            }
        }
    }
}
