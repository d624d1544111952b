//! Encoded pictures (JPEG, PNG) to frames: upright, RGB, bounded.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};

use super::Frame;

/// The largest picture that is decoded, in pixels: 120 MB as RGB.
pub const PIXELS: u64 = 40_000_000;
/// The longest side of one.
pub const SIDE: u32 = 16_384;
/// What decoding may take beside the picture itself.
const WORKING_BYTES: u64 = 256 << 20;

/// Why bytes are no picture that is looked at.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// Neither JPEG nor PNG, by its first bytes.
    #[error("this is neither a JPEG nor a PNG")]
    UnknownFormat,
    /// Broken inside, or cut off.
    #[error("the picture cannot be decoded")]
    Broken(#[source] ImageError),
    /// Larger than the limits.
    #[error("the picture has {width} x {height} pixels; at most {PIXELS} pixels and {SIDE} a side are decoded")]
    TooLarge {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
}

/// Decodes a picture and turns it upright, as its EXIF data says.
///
/// # Errors
///
/// When it is not JPEG or PNG, is broken, or is too large; the size is known before anything is decoded.
pub fn decode(bytes: &[u8]) -> Result<Frame, PictureError> {
    let mut reader = ImageReader::new(Cursor::new(bytes));
    reader.set_format(image::guess_format(bytes).map_err(|_| PictureError::UnknownFormat)?);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(WORKING_BYTES + PIXELS * 8);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refusal)?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > SIDE || u64::from(width) * u64::from(height) > PIXELS {
        return Err(PictureError::TooLarge { width, height });
    }
    let orientation = decoder.orientation().map_err(PictureError::Broken)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(PictureError::Broken)?;
    picture.apply_orientation(orientation);
    let rgb = picture.into_rgb8();
    let (width, height) = rgb.dimensions();
    Frame::new(width, height, rgb.into_raw()).map_err(|_| PictureError::TooLarge { width, height })
}

fn refusal(error: ImageError) -> PictureError {
    match error {
        ImageError::Unsupported(_) => PictureError::UnknownFormat,
        other => PictureError::Broken(other),
    }
}
