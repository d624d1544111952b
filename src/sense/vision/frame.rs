//! Pictures in memory: they are looked at, never kept, printed or copied by accident.

use crate::types::wipe;

/// One picture, RGB, 8 bits a channel, rows from the top, no padding: `width * height * 3` bytes.
///
/// Neither `Debug`, `Clone` nor `Serialize`: pixels never become an event, a log line or a second buffer that nobody
/// wipes. The bytes are overwritten when the frame goes.
pub struct Frame {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

/// The buffer does not hold a picture of that size.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a picture of {width} x {height} has {expected} bytes of RGB, not {found}")]
pub struct WrongSize {
    width: u32,
    height: u32,
    expected: usize,
    found: usize,
}

impl Frame {
    /// Takes RGB bytes.
    ///
    /// # Errors
    ///
    /// When there are not `width * height * 3` of them, or none. The bytes are wiped then, too.
    pub fn new(width: u32, height: u32, rgb: Vec<u8>) -> Result<Self, WrongSize> {
        let frame = Self { width, height, rgb };
        let expected = width as usize * height as usize * 3;
        if expected == 0 || frame.rgb.len() != expected {
            return Err(WrongSize { width, height, expected, found: frame.rgb.len() });
        }
        Ok(frame)
    }

    /// Columns.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The bytes, row by row.
    #[must_use]
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// A pixel that is in the picture.
    #[must_use]
    pub fn pixel(&self, column: usize, row: usize) -> [u8; 3] {
        let at = (row * self.width as usize + column) * 3;
        [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]]
    }

    /// Paints a pixel that is in the picture.
    pub fn set_pixel(&mut self, column: usize, row: usize, colour: [u8; 3]) {
        let at = (row * self.width as usize + column) * 3;
        self.rgb[at..at + 3].copy_from_slice(&colour);
    }

    /// Paints a rectangle black, cut to the picture: what a privacy zone hides is gone before anything looks.
    pub fn mask(&mut self, zone: super::Rect) {
        let (width, height) = (self.width as f32, self.height as f32);
        let edge = |at: f32, most: f32| whole(at.clamp(0.0, most));
        let (left, right) = (edge(zone.x.floor(), width), edge((zone.x + zone.w).ceil(), width));
        let (top, bottom) = (edge(zone.y.floor(), height), edge((zone.y + zone.h).ceil(), height));
        for y in top..bottom {
            let row = y * self.width as usize;
            self.rgb[(row + left) * 3..(row + right).max(row + left) * 3].fill(0);
        }
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        wipe(&mut self.rgb);
    }
}

/// A coordinate that has been cut to a picture, as an index.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and the caller has cut it")]
pub(super) fn whole(at: f32) -> usize {
    at as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sense::vision::Rect;

    #[test]
    fn a_frame_has_the_bytes_of_its_size_or_is_refused() {
        assert!(Frame::new(2, 1, vec![1; 6]).is_ok());
        assert_eq!(Frame::new(2, 1, vec![1; 5]).err(), Some(WrongSize { width: 2, height: 1, expected: 6, found: 5 }));
        assert!(Frame::new(0, 1, Vec::new()).is_err());
    }

    #[test]
    fn a_mask_blackens_its_rectangle_and_nothing_else_even_when_it_leaves_the_picture() {
        let mut frame = Frame::new(4, 3, vec![9; 36]).unwrap();
        frame.mask(Rect { x: 2.0, y: 1.0, w: 50.0, h: 1.0 });
        let black: Vec<_> = frame.rgb().chunks(3).map(|pixel| pixel == [0, 0, 0]).collect();
        assert_eq!(black, [false, false, false, false, false, false, true, true, false, false, false, false]);
        frame.mask(Rect { x: -9.0, y: -9.0, w: 3.0, h: f32::NAN });
        frame.mask(Rect { x: 7.0, y: 0.0, w: 1.0, h: 1.0 });
        assert_eq!(frame.rgb().iter().filter(|byte| **byte == 0).count(), 6);
    }
}
