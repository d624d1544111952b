//! Encoded pictures (JPEG, PNG) to frames: upright, RGB, bounded.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::{Frame, WrongSize};

/// The largest picture that is decoded, in pixels: 120 MB as RGB.
pub const PIXELS: u64 = 40_000_000;
/// The longest side of one.
pub const SIDE: u32 = 16_384;
/// How good the JPEGs are that are made here, of 100.
const QUALITY: u8 = 92;
/// What decoding may take beside the picture itself.
const WORKING_BYTES: u64 = 256 << 20;

/// Why bytes are no picture that is looked at.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// Neither JPEG nor PNG, by its first bytes.
    #[error("this is neither a JPEG nor a PNG")]
    UnknownFormat,
    /// A JPEG whose last part is missing: the rest would be shown as grey.
    #[error("the picture is cut off")]
    CutOff,
    /// Broken inside, or cut off.
    #[error("the picture cannot be decoded")]
    Broken(#[source] ImageError),
    /// Larger than the limits.
    #[error("the picture has {width} x {height} pixels; at most {most} pixels and {SIDE} a side are decoded")]
    TooLarge {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Pixels that are allowed.
        most: u64,
    },
}

/// Decodes a picture and turns it upright, as its EXIF data says.
///
/// # Errors
///
/// When it is not JPEG or PNG, is broken, or is too large; the size is known before anything is decoded.
pub fn decode(bytes: &[u8]) -> Result<Frame, PictureError> {
    decode_within(bytes, PIXELS)
}

/// Decodes a picture of at most so many pixels.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_within(bytes: &[u8], pixels: u64) -> Result<Frame, PictureError> {
    let format = image::guess_format(bytes).map_err(|_| PictureError::UnknownFormat)?;
    if format == ImageFormat::Jpeg && !ends(bytes) {
        return Err(PictureError::CutOff);
    }
    let mut reader = ImageReader::new(Cursor::new(bytes));
    reader.set_format(format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(WORKING_BYTES + pixels * 8);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refusal)?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > SIDE || u64::from(width) * u64::from(height) > pixels {
        return Err(PictureError::TooLarge { width, height, most: pixels });
    }
    let orientation = decoder.orientation().map_err(PictureError::Broken)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(PictureError::Broken)?;
    picture.apply_orientation(orientation);
    let rgb = picture.into_rgb8();
    let (width, height) = rgb.dimensions();
    Frame::new(width, height, rgb.into_raw()).map_err(|_| PictureError::TooLarge { width, height, most: pixels })
}

/// Makes a JPEG of a picture.
///
/// # Errors
///
/// When it has no pixels, or more than a JPEG can say.
pub fn encode(frame: &Frame) -> Result<Vec<u8>, ImageError> {
    // As large as it becomes at most, or nearly: what grows leaves copies behind.
    let mut jpeg = Vec::with_capacity(frame.rgb().len());
    let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
    encoder.encode(frame.rgb(), frame.width(), frame.height(), ExtendedColorType::Rgb8)?;
    Ok(jpeg)
}

/// Makes a picture of Y0 U Y1 V, as USB cameras send it: limited range, ITU-R BT.601, `stride` bytes from one row to
/// the next. Of an odd width the last column goes.
///
/// # Errors
///
/// When there are not as many bytes as the size needs.
pub fn from_yuyv(width: u32, height: u32, stride: u32, bytes: &[u8]) -> Result<Frame, WrongSize> {
    let width = width & !1;
    let row_bytes = width as usize * 2;
    let mut rgb = Vec::with_capacity(width as usize * height as usize * 3);
    let rows = bytes.chunks(stride.max(1) as usize).take(height as usize);
    for row in rows.filter_map(|row| row.get(..row_bytes)) {
        for four in row.chunks_exact(4) {
            let (u, v) = (i32::from(four[1]) - 128, i32::from(four[3]) - 128);
            rgb.extend(bt601(four[0], u, v));
            rgb.extend(bt601(four[2], u, v));
        }
    }
    Frame::new(width, height, rgb)
}

/// ITU-R BT.601, limited range, in 1/256.
fn bt601(y: u8, u: i32, v: i32) -> [u8; 3] {
    let y = 298 * (i32::from(y) - 16) + 128;
    let channel = |value: i32| u8::try_from((value >> 8).clamp(0, 255)).unwrap_or(0);
    [channel(y + 409 * v), channel(y - 100 * u - 208 * v), channel(y + 516 * u)]
}

/// Whether a JPEG's last scan is followed by its end. Neither marker can stand in the data of a scan (ITU-T T.81,
/// B.1.1.2 and F.1.2.3); a thumbnail has markers of its own, before the last scan.
fn ends(bytes: &[u8]) -> bool {
    const START_OF_SCAN: [u8; 2] = [0xFF, 0xDA];
    const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];
    bytes.windows(2).rev().find(|two| *two == END_OF_IMAGE || *two == START_OF_SCAN) == Some(&END_OF_IMAGE)
}

fn refusal(error: ImageError) -> PictureError {
    match error {
        ImageError::Unsupported(_) => PictureError::UnknownFormat,
        other => PictureError::Broken(other),
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageEncoder, codecs::png::PngEncoder};

    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut out = Vec::new();
        let pixels: Vec<u8> = (0..width * height * 3).map(|at| (at % 251) as u8).collect();
        PngEncoder::new(&mut out).write_image(&pixels, width, height, ExtendedColorType::Rgb8).unwrap();
        out
    }

    fn words(bytes: &[u8]) -> String {
        decode(bytes).err().expect("it is refused").to_string()
    }

    #[test]
    fn one_pixel_is_a_picture() {
        let frame = decode(&png(1, 1)).unwrap();
        assert_eq!((frame.width(), frame.height(), frame.rgb()), (1, 1, &[0, 1, 2][..]));
    }

    #[test]
    fn what_is_encoded_is_the_same_picture_but_for_a_little() {
        let row = |row: u8| (0..64_u8).flat_map(move |column| [column * 4, row * 5, 90]);
        let rgb: Vec<u8> = (0..48_u8).flat_map(row).collect();
        let again = decode(&encode(&Frame::new(64, 48, rgb.clone()).unwrap()).unwrap()).unwrap();
        assert_eq!((again.width(), again.height()), (64, 48));
        let most = again.rgb().iter().zip(&rgb).map(|(one, other)| one.abs_diff(*other)).max();
        assert!(most <= Some(12), "{most:?}");
        assert!(Frame::new(0, 0, Vec::new()).is_err() || encode(&Frame::new(0, 0, Vec::new()).unwrap()).is_err());
    }

    /// A head that promises 20,000 x 20,000 pixels: refused by its size, before anything is reserved for it.
    #[test]
    fn a_picture_that_is_too_large_is_refused_by_its_head() {
        let mut bytes = png(2, 2);
        for at in [16, 20] {
            bytes[at..at + 4].copy_from_slice(&20_000_u32.to_be_bytes());
        }
        // The checksum of the head: CRC-32 of its type and its 13 bytes (PNG, section 5.3).
        let sum = crc32fast::hash(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&sum.to_be_bytes());
        assert!(words(&bytes).contains("20000 x 20000"), "{}", words(&bytes));
    }

    #[test]
    fn what_is_cut_off_or_no_picture_is_refused_and_nothing_panics() {
        let mut jpeg = Vec::new();
        JpegEncoder::new(&mut jpeg).write_image(&[90; 48 * 48 * 3], 48, 48, ExtendedColorType::Rgb8).unwrap();
        for length in 4..jpeg.len() {
            let cut = decode(&jpeg[..length]);
            assert!(cut.is_err(), "{length} of {} bytes", jpeg.len());
        }
        for whole in [&png(40, 30), &jpeg] {
            assert!(decode(whole).is_ok());
            for length in 0..whole.len() {
                let _ = decode(&whole[..length]);
                let mut broken = whole.clone();
                broken[length] ^= 0x55;
                let _ = decode(&broken);
            }
        }
        assert_eq!(words(b"GIF89a and so on"), "this is neither a JPEG nor a PNG");
        assert_eq!(words(b""), "this is neither a JPEG nor a PNG");
    }

    /// The colour bars of ITU-R BT.471-1, 75 %, as BT.601 has them in Y'CbCr (EBU Tech 3325, table 1).
    #[test]
    fn colour_bars_are_the_colours_they_are() {
        let bars = [
            ([180_u8, 128, 128], [191_u8, 191, 191]),
            ([162, 44, 142], [191, 191, 0]),
            ([131, 156, 44], [0, 191, 191]),
            ([112, 72, 58], [0, 191, 0]),
            ([84, 184, 198], [191, 0, 191]),
            ([65, 100, 212], [191, 0, 0]),
            ([35, 212, 114], [0, 0, 191]),
            ([16, 128, 128], [0, 0, 0]),
        ];
        // Two rows of one bar each, with padding that is no picture.
        for ([y, u, v], rgb) in bars {
            let row = [y, u, y, v, 255, 255];
            let frame = from_yuyv(2, 2, 6, &[row, row].concat()).unwrap();
            for (found, expected) in frame.rgb().iter().zip(rgb.repeat(4)) {
                assert!(found.abs_diff(expected) <= 2, "{rgb:?} is {:?}", frame.rgb());
            }
        }
        assert!(from_yuyv(2, 2, 4, &[16, 128, 16, 128]).is_err(), "a row is missing");
        assert!(from_yuyv(0, 0, 0, &[]).is_err());
    }

    /// Orientation 6 of EXIF: the top of the scene is the right side of what is stored.
    #[test]
    fn a_picture_is_turned_upright() {
        let mut jpeg = Vec::new();
        let mut pixels = vec![0; 32 * 16 * 3];
        pixels.chunks_mut(32 * 3).for_each(|row| row[16 * 3..].fill(255));
        JpegEncoder::new_with_quality(&mut jpeg, 95).write_image(&pixels, 32, 16, ExtendedColorType::Rgb8).unwrap();
        let exif = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let turned = [&jpeg[..2], exif, &jpeg[2..]].concat();
        let frame = decode(&turned).unwrap();
        assert_eq!((frame.width(), frame.height()), (16, 32));
        let (top, bottom) = (frame.rgb()[8 * 3], frame.rgb()[(28 * 16 + 8) * 3]);
        assert!(top < 30 && bottom > 225, "turned by 90 degrees to the right: {top} above, {bottom} below");
    }
}
