//! From a mirror's camera to its page, on this machine: pictures with what was found in them.
//!
//! The newest picture takes the place of one that no page has taken. Nothing is made while no page looks. A picture is
//! overwritten when it goes; it has no `Debug`, `Clone` or `Serialize`.
//!
//! Limits: one picture and one photo for each mirror, [`WISHES`] wishes of its pages, each of at most [`WISH_BYTES`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::types::{DeviceId, wipe};

/// Wishes that wait for the camera; the oldest gives way.
const WISHES: usize = 16;
/// Longest wish, in bytes.
pub const WISH_BYTES: usize = 1024;

/// A message for the page, or a photo. It is overwritten when the last who has it lets go.
pub struct Reflection(Vec<u8>);

impl Reflection {
    /// The message, or the photo's JPEG.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Reflection {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// A mirror's glass: on one side a camera, on the other pages.
pub struct Glass {
    newest: watch::Sender<Option<Arc<Reflection>>>,
    viewers: AtomicUsize,
    wishes: Mutex<VecDeque<String>>,
    /// What somebody had taken of themselves, and its number: there until they have it, or have gone.
    photo: Mutex<Option<(u32, Reflection)>>,
}

/// Every mirror's glass, by its screen. Cheap to clone; every clone is the same list.
#[derive(Clone, Default)]
pub struct Mirrors(Arc<Mutex<BTreeMap<DeviceId, Arc<Glass>>>>);

/// A page that looks.
pub struct Viewer {
    glass: Arc<Glass>,
    newest: watch::Receiver<Option<Arc<Reflection>>>,
}

impl std::fmt::Debug for Mirrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mirrors")
    }
}

impl std::fmt::Debug for Glass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Glass")
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mirrors {
    /// The camera's side of a screen's glass.
    pub fn behind(&self, screen: &DeviceId) -> Arc<Glass> {
        let mut all = locked(&self.0);
        let new = || {
            Arc::new(Glass {
                newest: watch::Sender::new(None),
                viewers: AtomicUsize::new(0),
                wishes: Mutex::new(VecDeque::new()),
                photo: Mutex::new(None),
            })
        };
        Arc::clone(all.entry(screen.clone()).or_insert_with(new))
    }

    /// A page looks into a screen's glass; `None`: no camera has been behind it.
    pub fn look(&self, screen: &DeviceId) -> Option<Viewer> {
        let glass = Arc::clone(locked(&self.0).get(screen)?);
        glass.viewers.fetch_add(1, Ordering::Relaxed);
        Some(Viewer { newest: glass.newest.subscribe(), glass })
    }

    /// Whether a screen's mirror keeps the photo of this number.
    pub fn has_photo(&self, screen: &DeviceId, number: u32) -> bool {
        let glass = locked(&self.0).get(screen).cloned();
        glass.is_some_and(|glass| locked(&glass.photo).as_ref().is_some_and(|(kept, _)| *kept == number))
    }

    /// Takes the photo of this number away, if it is still there.
    pub fn take_photo(&self, screen: &DeviceId, number: u32) -> Option<Reflection> {
        let glass = locked(&self.0).get(screen).cloned()?;
        let photo = locked(&glass.photo).take_if(|(kept, _)| *kept == number);
        photo.map(|(_, photo)| photo)
    }
}

impl Glass {
    /// Whether a page looks.
    pub fn is_watched(&self) -> bool {
        self.viewers.load(Ordering::Relaxed) > 0
    }

    /// Shows a picture, in the place of the one before.
    pub fn show(&self, message: Vec<u8>) {
        self.newest.send_replace(Some(Arc::new(Reflection(message))));
    }

    /// Shows nothing any more: the last picture is overwritten as soon as no page is just taking it, the photo at once.
    pub fn clear(&self) {
        self.newest.send_replace(None);
        self.forget_photo();
    }

    /// Keeps a photo, a JPEG, in the place of the one before.
    pub fn keep_photo(&self, number: u32, jpeg: Vec<u8>) {
        *locked(&self.photo) = Some((number, Reflection(jpeg)));
    }

    /// Overwrites the photo that is kept.
    pub fn forget_photo(&self) {
        *locked(&self.photo) = None;
    }

    /// What pages wish, the oldest first.
    pub fn wishes(&self) -> Vec<String> {
        locked(&self.wishes).drain(..).collect()
    }
}

impl Viewer {
    /// The next picture; `None`: there is none any more. Cancel-safe.
    pub async fn next(&mut self) -> Option<Arc<Reflection>> {
        if self.newest.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.newest.borrow_and_update().clone()
    }

    /// A wish for the camera.
    pub fn wish(&self, words: String) {
        if words.len() > WISH_BYTES {
            return;
        }
        let mut wishes = locked(&self.glass.wishes);
        if wishes.len() >= WISHES {
            wishes.pop_front();
        }
        wishes.push_back(words);
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.glass.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen() -> DeviceId {
        DeviceId::new("mirror-1").unwrap()
    }

    #[tokio::test]
    async fn a_page_takes_the_newest_picture_and_nobody_is_shown_anything_after_a_clear() {
        let mirrors = Mirrors::default();
        assert!(mirrors.look(&screen()).is_none(), "no camera yet");
        let glass = mirrors.behind(&screen());
        assert!(!glass.is_watched());
        let mut page = mirrors.look(&screen()).unwrap();
        assert!(glass.is_watched());
        (1..=3).for_each(|number| glass.show(vec![number; 4]));
        assert_eq!(page.next().await.unwrap().bytes(), [3; 4]);
        glass.clear();
        assert!(page.next().await.is_none());
        drop(page);
        assert!(!glass.is_watched());
    }

    #[test]
    fn a_photo_is_given_once_and_goes_with_whom_it_shows() {
        let (mirrors, other) = (Mirrors::default(), DeviceId::new("mirror-2").unwrap());
        let glass = mirrors.behind(&screen());
        glass.keep_photo(1, vec![1]);
        glass.keep_photo(2, vec![2]);
        assert!(!mirrors.has_photo(&screen(), 1) && mirrors.has_photo(&screen(), 2) && !mirrors.has_photo(&other, 2));
        assert!(mirrors.take_photo(&other, 2).is_none() && mirrors.take_photo(&screen(), 1).is_none());
        assert_eq!(mirrors.take_photo(&screen(), 2).unwrap().bytes(), [2]);
        assert!(mirrors.take_photo(&screen(), 2).is_none());
        for forget in [Glass::forget_photo, Glass::clear] {
            glass.keep_photo(3, vec![3]);
            forget(&glass);
            assert!(mirrors.take_photo(&screen(), 3).is_none());
        }
    }

    #[tokio::test]
    async fn wishes_are_few_and_short() {
        let mirrors = Mirrors::default();
        let glass = mirrors.behind(&screen());
        let page = mirrors.look(&screen()).unwrap();
        (0..20).for_each(|number| page.wish(number.to_string()));
        page.wish("x".repeat(WISH_BYTES + 1));
        let wishes = glass.wishes();
        assert_eq!((wishes.len(), wishes[0].as_str(), wishes[15].as_str()), (16, "4", "19"));
        assert!(glass.wishes().is_empty());
    }
}
