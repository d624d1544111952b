//! From the lens to the eyes: one picture's room. A newer picture takes the place of one that nobody has looked at.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::sense::vision::picture::{self, PictureError};
use crate::sense::vision::{Frame, WrongSize};
use crate::types::wipe;

/// The largest picture of a camera that is looked at, in pixels: 4K.
pub(crate) const PIXELS: u64 = 3840 * 2160;

/// Why a picture was not looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It is no picture, is broken or too large.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// There are fewer bytes than its size needs.
    #[error("the picture is cut off")]
    Short(#[from] WrongSize),
}

/// Bytes that are overwritten when they go.
pub(crate) struct Wiped(pub(crate) Vec<u8>);

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Pixels as a source has them. They are overwritten when they go.
pub(crate) enum Pixels {
    /// A JPEG or PNG file.
    Encoded(Wiped),
    /// Two bytes a pixel, from a V4L2 camera.
    Yuyv { width: u32, height: u32, stride: u32, bytes: Wiped },
    /// Ready.
    Rgb(Frame),
}

impl Pixels {
    /// Decodes them.
    pub(crate) fn frame(self) -> Result<Frame, Unreadable> {
        match self {
            Self::Encoded(bytes) => Ok(picture::decode_within(&bytes.0, PIXELS)?),
            Self::Yuyv { width, height, stride, bytes } => Ok(picture::from_yuyv(width, height, stride, &bytes.0)?),
            Self::Rgb(frame) => Ok(frame),
        }
    }
}

/// What a source says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// Pictures come.
    Seeing,
    /// It is not there, and why.
    Away(String),
    /// It is there and gives no pictures.
    Stalled(String),
    /// All pictures have been given; none will come any more.
    Over,
}

/// A picture, and when it came.
pub(crate) struct Picture {
    /// Its number among those of its source, from 1; pictures that were left out count.
    pub(crate) number: u64,
    /// When it came.
    pub(crate) at: Instant,
    /// What it shows.
    pub(crate) pixels: Pixels,
}

/// What became of pictures so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SlotCounts {
    /// Bytes that came.
    pub(crate) bytes: u64,
    /// Pictures that were put in.
    pub(crate) pictures: u64,
    /// Of them those that a newer one replaced.
    pub(crate) replaced: u64,
    /// What came and was no picture.
    pub(crate) malformed: u64,
    /// Pictures that were longer than allowed.
    pub(crate) oversized: u64,
}

#[derive(Default)]
struct Room {
    picture: Option<Picture>,
    counts: SlotCounts,
    /// The last; what nobody has asked about yet.
    news: Option<News>,
    is_over: bool,
}

/// The room; both sides hold it.
#[derive(Clone, Default)]
pub(crate) struct Slot(Arc<(Mutex<Room>, Condvar)>);

impl Slot {
    /// Puts a picture in, in place of one that is still there.
    pub(crate) fn put(&self, picture: Picture) {
        let mut room = self.room();
        room.counts.pictures += 1;
        room.counts.replaced += u64::from(room.picture.is_some());
        room.picture = Some(picture);
        drop(room);
        self.0.1.notify_all();
    }

    /// Waits until the last picture has been taken; whether it has been, within the bound.
    pub(crate) fn wait_for_room(&self, most: Duration) -> bool {
        let room = self.room();
        let waited = self.0.1.wait_timeout_while(room, most, |room| room.picture.is_some() && !room.is_over);
        let (room, _) = waited.unwrap_or_else(PoisonError::into_inner);
        room.picture.is_none()
    }

    /// Takes the picture that is there, or comes within the bound.
    pub(crate) fn take(&self, most: Duration) -> Option<Picture> {
        let room = self.room();
        let waited = self.0.1.wait_timeout_while(room, most, |room| room.picture.is_none() && !room.is_over);
        let (mut room, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let picture = room.picture.take();
        drop(room);
        self.0.1.notify_all();
        picture
    }

    /// Adds to the counts.
    pub(crate) fn count(&self, add: impl FnOnce(&mut SlotCounts)) {
        add(&mut self.room().counts);
    }

    /// The counts since this was asked last.
    pub(crate) fn take_counts(&self) -> SlotCounts {
        std::mem::take(&mut self.room().counts)
    }

    /// Says how the source is; only the last word counts.
    pub(crate) fn tell(&self, news: News) {
        self.room().news = Some(news);
    }

    /// How the source is, if it has said something since this was asked last.
    pub(crate) fn take_news(&self) -> Option<News> {
        self.room().news.take()
    }

    /// Nothing more comes, or nobody takes any more: all who wait are let go.
    pub(crate) fn close(&self) {
        self.room().is_over = true;
        self.0.1.notify_all();
    }

    /// Whether it is closed and empty.
    pub(crate) fn is_over(&self) -> bool {
        let room = self.room();
        room.is_over && room.picture.is_none()
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::types::Timestamp;

    fn picture(number: u64, clock: &Clock) -> Picture {
        Picture { number, at: clock.now(), pixels: Pixels::Encoded(Wiped(vec![7; 9])) }
    }

    #[test]
    fn the_newest_picture_wins_and_what_it_replaced_is_counted() {
        let (slot, clock) = (Slot::default(), Clock::manual(Timestamp::from_unix_ms(0), 1));
        (1..=5).for_each(|number| slot.put(picture(number, &clock)));
        assert_eq!(slot.take(Duration::ZERO).map(|picture| picture.number), Some(5));
        assert!(slot.take(Duration::ZERO).is_none());
        assert_eq!(slot.take_counts(), SlotCounts { pictures: 5, replaced: 4, ..SlotCounts::default() });
        assert_eq!(slot.take_counts(), SlotCounts::default());
    }

    #[test]
    fn who_waits_is_let_go_when_it_is_closed() {
        let (slot, clock) = (Slot::default(), Clock::manual(Timestamp::from_unix_ms(0), 1));
        let waits = slot.clone();
        let waiter = std::thread::spawn(move || waits.take(Duration::from_secs(60)).is_none());
        slot.close();
        assert!(waiter.join().unwrap() && slot.is_over());
        slot.put(picture(1, &clock));
        assert!(!slot.wait_for_room(Duration::from_secs(60)), "nobody takes it any more");
        assert_eq!(slot.take(Duration::ZERO).map(|picture| picture.number), Some(1));
    }
}
