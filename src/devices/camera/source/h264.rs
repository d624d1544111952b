//! H.264 to pixels.

use std::io;

use openh264::formats::YUVSource;

use crate::devices::camera::slot::{PIXELS, Pixels};
use crate::sense::vision::Frame;
use crate::transport::AccessUnit;

/// Decodes one stream. Pictures lean on those before them, so that none is left out, wanted or not.
pub(super) struct Decoder {
    decoder: openh264::decoder::Decoder,
    /// Behind a loss pictures are broken until the next key picture.
    waits_for_key: bool,
}

impl Decoder {
    pub(super) fn new() -> io::Result<Self> {
        let decoder = openh264::decoder::Decoder::new().map_err(io::Error::other)?;
        Ok(Self { decoder, waits_for_key: true })
    }

    /// Decodes an access unit: `None`: no picture comes of it; `Some(None)`: one that is not wanted.
    pub(super) fn decode(
        &mut self,
        unit: &AccessUnit,
        size: Option<(u32, u32)>,
        is_wanted: impl FnOnce() -> bool,
    ) -> io::Result<Option<Option<Pixels>>> {
        // Asked before anything is reserved for it.
        if let Some((width, height)) = size
            && u64::from(width) * u64::from(height) > PIXELS
        {
            return Err(io::Error::other(format!("{width} x {height} pixels; at most {PIXELS} are decoded")));
        }
        self.waits_for_key = (self.waits_for_key || unit.lost > 0) && !unit.is_key;
        if self.waits_for_key {
            return Ok(None);
        }
        let decoded = match self.decoder.decode(&unit.bytes) {
            Ok(decoded) => decoded,
            Err(error) => {
                self.waits_for_key = true;
                return Err(io::Error::other(error));
            }
        };
        let Some(picture) = decoded else { return Ok(None) };
        if !is_wanted() {
            return Ok(Some(None));
        }
        let (width, height) = picture.dimensions();
        let mut rgb = vec![0; width * height * 3];
        picture.write_rgb8(&mut rgb);
        let side = |side: usize| u32::try_from(side).unwrap_or(0);
        let frame = Frame::new(side(width), side(height), rgb).map_err(io::Error::other)?;
        Ok(Some(Some(Pixels::Rgb(frame))))
    }
}
