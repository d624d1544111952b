//! Motion JPEG over HTTP: one JPEG after the other, with or without a multipart frame around each.
//!
//! ```text
//! --boundary\r\nContent-Type: image/jpeg\r\n…\r\n\r\n  FF D8 FF E0 … FF DA … FF D9  \r\n--boundary …
//! └── skipped: cameras write it in many ways ───────┘ └── one picture ──────┘
//! ```
//!
//! Where a picture ends is told by its own markers (ITU-T T.81, annex B), never by what the camera says around it:
//! lengths in part headers are absent, wrong or huge in the field, and a thumbnail inside a picture has an end of its
//! own. Segments are skipped by their length; behind a start of scan the next marker that is neither a stuffed byte nor
//! a restart ends the entropy-coded data.
//!
//! Invariants: at most `most` bytes are held; a byte is looked at a bounded number of times; what is thrown away is
//! counted and overwritten.

#[cfg(test)]
mod tests;

use crate::types::wipe;

/// Start of image, and the first byte of the marker behind it.
const START: [u8; 3] = [0xff, 0xd8, 0xff];
/// End of image.
const EOI: u8 = 0xd9;
/// Start of image, within a marker.
const SOI: u8 = 0xd8;
/// Start of scan.
const SOS: u8 = 0xda;

/// What was thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Thrown {
    /// Pictures that broke off, or whose markers cannot be.
    pub broken: u64,
    /// Pictures longer than allowed.
    pub oversized: u64,
    /// Bytes outside of pictures.
    pub outside: u64,
}

/// Where in a picture the next byte to look at is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Outside of any.
    Outside,
    /// At a marker.
    Marker,
    /// In entropy-coded data.
    Scan,
}

/// Cuts pictures out of a stream.
pub struct Pictures {
    held: Vec<u8>,
    most: usize,
    place: Place,
    /// The next byte to look at.
    at: usize,
    /// Where the last segment that was stepped over has its length.
    segment: usize,
    thrown: Thrown,
}

/// What a look at the held bytes came to.
enum Step {
    /// More bytes are needed.
    More,
    /// Something was understood: look on.
    On,
    /// A whole picture of so many bytes.
    Whole(usize),
    /// No picture after all; a new one may begin at this byte.
    Broken(usize),
}

impl Pictures {
    /// Pictures of at most `most` bytes.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { held: Vec::new(), most, place: Place::Outside, at: 0, segment: 0, thrown: Thrown::default() }
    }

    /// Takes bytes and gives each picture that is whole.
    pub fn take(&mut self, mut bytes: &[u8], mut picture: impl FnMut(Vec<u8>)) {
        while !bytes.is_empty() {
            let room = self.most.saturating_sub(self.held.len()).max(1).min(bytes.len());
            self.held.extend_from_slice(&bytes[..room]);
            bytes = &bytes[room..];
            while let Some(whole) = self.next_whole() {
                picture(whole);
            }
            if self.held.len() > self.most {
                self.thrown.oversized += 1;
                self.place = Place::Outside;
                self.drop_first(self.held.len());
            }
        }
    }

    /// What was thrown away since this was asked last.
    pub fn take_thrown(&mut self) -> Thrown {
        std::mem::take(&mut self.thrown)
    }

    fn next_whole(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.step() {
                Step::More => return None,
                Step::On => {}
                Step::Whole(length) => {
                    let whole = self.held[..length].to_vec();
                    self.place = Place::Outside;
                    self.drop_first(length);
                    return Some(whole);
                }
                Step::Broken(next) => {
                    self.thrown.broken += 1;
                    self.place = Place::Outside;
                    self.drop_first(next);
                }
            }
        }
    }

    fn step(&mut self) -> Step {
        match self.place {
            Place::Outside => self.find_start(),
            Place::Marker => self.marker(),
            Place::Scan => self.scan(),
        }
    }

    /// Throws away what stands before the next picture.
    fn find_start(&mut self) -> Step {
        let start = self.held.windows(START.len()).position(|bytes| bytes == START);
        // The last two bytes may be the beginning of a start.
        let outside = start.unwrap_or(self.held.len().saturating_sub(START.len() - 1));
        self.thrown.outside += outside as u64;
        self.drop_first(outside);
        if start.is_none() {
            return Step::More;
        }
        (self.place, self.at, self.segment) = (Place::Marker, 2, 2);
        Step::On
    }

    fn marker(&mut self) -> Step {
        let Some([first, kind]) = self.held.get(self.at..self.at + 2) else { return Step::More };
        match (first, *kind) {
            // A marker may be preceded by any number of fill bytes (B.1.1.2).
            (0xff, 0xff) => {
                self.at += 1;
                Step::On
            }
            (0xff, EOI) => Step::Whole(self.at + 2),
            (0xff, SOI) => Step::Broken(self.at),
            // TEM and restarts stand alone.
            (0xff, 0x01 | 0xd0..=0xd7) => {
                self.at += 2;
                Step::On
            }
            (0xff, 0xc0..) => self.segment(*kind),
            // A length that was none may have led beyond the beginning of the next picture.
            _ => Step::Broken(self.segment),
        }
    }

    fn segment(&mut self, kind: u8) -> Step {
        let Some(length) = self.held.get(self.at + 2..self.at + 4) else { return Step::More };
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        // The head of a scan names one to four components (B.2.3).
        let fits = if kind == SOS { (8..=14).contains(&length) } else { length >= 2 };
        if !fits {
            return Step::Broken(self.at + 2);
        }
        // The whole segment must be there before anything in it is stepped over.
        if self.held.len() < self.at + 2 + length {
            return Step::More;
        }
        self.segment = self.at + 2;
        self.at += 2 + length;
        if kind == SOS {
            self.place = Place::Scan;
        }
        Step::On
    }

    fn scan(&mut self) -> Step {
        let data = &self.held[self.at..];
        let Some(found) = data.iter().position(|byte| *byte == 0xff) else {
            self.at = self.held.len();
            return Step::More;
        };
        self.at += found;
        let Some(kind) = self.held.get(self.at + 1) else { return Step::More };
        match kind {
            0xff => self.at += 1,
            0x00 | 0xd0..=0xd7 => self.at += 2,
            _ => self.place = Place::Marker,
        }
        Step::On
    }

    fn drop_first(&mut self, count: usize) {
        let left = self.held.len() - count;
        self.held.copy_within(count.., 0);
        wipe(&mut self.held[left..]);
        self.held.truncate(left);
        self.at = 0;
    }
}

impl Drop for Pictures {
    fn drop(&mut self) {
        wipe(&mut self.held);
    }
}
