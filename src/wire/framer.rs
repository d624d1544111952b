//! Cuts a stream of bytes into the frames of a protocol, and finds the next frame after anything else.

use std::fmt;
use std::time::{Duration, Instant};

/// What stands at the beginning of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed<T> {
    /// A frame, and how many bytes it takes.
    Whole(T, usize),
    /// A frame may be beginning.
    Incomplete,
    /// Nothing that could become a frame.
    No,
}

/// Something found on the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<T> {
    /// A frame.
    Frame(T),
    /// So many bytes that belong to none.
    Noise(u64),
}

/// A protocol's way to look for one frame at the very beginning of some bytes.
type Parse<T> = Box<dyn Fn(&[u8]) -> Parsed<T> + Send + Sync>;

/// Cuts the stream of one direction. A frame that has begun and does not go on is given up, and what it had swallowed
/// is looked through again. At most one frame's length of bytes is ever kept.
pub struct Framer<T> {
    parse: Parse<T>,
    longest: usize,
    gap: Duration,
    bytes: Vec<u8>,
    last_byte: Instant,
}

impl<T> fmt::Debug for Framer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Framer").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl<T> Framer<T> {
    /// `longest`: bytes of the longest frame; `gap`: how long a frame may pause.
    pub(super) fn new(
        parse: impl Fn(&[u8]) -> Parsed<T> + Send + Sync + 'static,
        longest: usize,
        gap: Duration,
        now: Instant,
    ) -> Self {
        Self { parse: Box::new(parse), longest, gap, bytes: Vec::with_capacity(longest), last_byte: now }
    }

    /// Takes bytes and gives what they complete.
    pub fn push(&mut self, now: Instant, bytes: &[u8], mut found: impl FnMut(Piece<T>)) {
        if !bytes.is_empty() {
            self.last_byte = now;
        }
        for chunk in bytes.chunks(self.longest) {
            self.bytes.extend(chunk);
            self.cut(&mut found);
        }
    }

    /// Gives up what has not gone on for too long.
    pub fn tick(&mut self, now: Instant, mut found: impl FnMut(Piece<T>)) {
        while self.deadline().is_some_and(|at| now >= at) {
            self.bytes.remove(0);
            found(Piece::Noise(1));
            self.cut(&mut found);
        }
    }

    /// When [`Framer::tick`] is wanted.
    pub fn deadline(&self) -> Option<Instant> {
        (!self.bytes.is_empty()).then(|| self.last_byte + self.gap)
    }

    /// Bytes kept, and room for them.
    #[cfg(test)]
    pub(super) fn kept(&self) -> (usize, usize) {
        (self.bytes.len(), self.bytes.capacity())
    }

    fn cut(&mut self, found: &mut impl FnMut(Piece<T>)) {
        let mut at = 0;
        let mut noise = 0;
        while at < self.bytes.len() {
            match (self.parse)(&self.bytes[at..]) {
                Parsed::Whole(frame, length) => {
                    say_noise(&mut noise, found);
                    found(Piece::Frame(frame));
                    at += length;
                }
                Parsed::Incomplete => break,
                Parsed::No => {
                    noise += 1;
                    at += 1;
                }
            }
        }
        say_noise(&mut noise, found);
        self.bytes.drain(..at);
    }
}

fn say_noise<T>(noise: &mut u64, found: &mut impl FnMut(Piece<T>)) {
    if *noise > 0 {
        found(Piece::Noise(std::mem::take(noise)));
    }
}
