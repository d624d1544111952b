//! Where a screen's page sits: pages connect to us, and a driver drives what connects.
//!
//! The HTTP side gives what a page posts to the driver and waits for its answer, and follows what the driver tells; it
//! knows nothing of either's meaning. A driver that is gone takes its seat away, and whoever follows it ends.
//!
//! Limits: [`POSTS`] messages wait for a driver, and [`KEPT`] that it told are kept for a page that comes back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{oneshot, watch};

use crate::types::{DeviceId, PageKind, Timestamp};

/// Messages of pages that wait for one driver.
const POSTS: usize = 16;
/// Messages that a driver told and that are kept for a page that comes back.
const KEPT: usize = 64;
/// Wishes for a picture that wait for one driver.
const WISHES: usize = 8;

/// What a page posts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostKind {
    /// A sign of life.
    Beat,
    /// Plays.
    Plays,
    /// Actions.
    Actions,
    /// Ends of members' sessions.
    Sessions,
    /// What became of something that was to be shown.
    Shown,
}

/// What a page is told of what it posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is taken, and on disk where it goes there.
    Taken,
    /// It cannot be: why.
    Bad(String),
}

/// A message of a page, for the driver.
#[derive(Debug)]
pub struct Posted {
    /// What it is.
    pub kind: PostKind,
    /// As it came.
    pub body: Bytes,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Reply>,
}

/// A message of the driver, for the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its number: higher than that of every earlier message, also of earlier processes.
    pub id: u64,
    /// Which event it is.
    pub name: &'static str,
    /// Its data: JSON.
    pub data: Arc<str>,
}

/// What the HTTP side must know of a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its page.
    pub page: PageKind,
    /// Its language: `zh-CN` or `en`.
    pub language: String,
    /// What a browser on another machine must show; `None`: none may come.
    pub token: Option<String>,
    /// What stands before a hand-off's token in the address that a phone is given.
    pub hand_off: Option<String>,
    /// Whether its driver can give a picture of what it shows.
    pub is_seen: bool,
}

/// A picture of what a screen shows. It stays on this box: only somebody at the console may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Still {
    /// When it was taken.
    pub at: Timestamp,
    /// The picture.
    pub jpeg: Bytes,
}

/// Where a wished picture goes, or a word for why there is none.
pub type Wish = oneshot::Sender<Result<Still, &'static str>>;

/// A screen's seat.
#[derive(Debug)]
pub struct Seat {
    /// What it is.
    pub facts: Facts,
    posts: Sender<Posted>,
    wishes: Sender<Wish>,
    told: Mutex<VecDeque<Told>>,
    newest: watch::Sender<u64>,
    pages: AtomicUsize,
}

/// All seats. Cheap to clone; every clone is the same list.
#[derive(Debug, Clone, Default)]
pub struct Seats(Arc<Mutex<BTreeMap<DeviceId, Arc<Seat>>>>);

/// The driver's end of a seat. Dropping it takes the seat away.
#[derive(Debug)]
pub struct Chair {
    seats: Seats,
    device: DeviceId,
    seat: Arc<Seat>,
    posts: Receiver<Posted>,
    wishes: Option<Receiver<Wish>>,
}

/// A page that listens.
#[derive(Debug)]
pub struct Follower {
    seat: Arc<Seat>,
    newest: watch::Receiver<u64>,
    after: u64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seats {
    /// A driver takes its screen's seat. `first` is the number of its first message.
    pub fn take(&self, device: &DeviceId, facts: Facts, first: u64) -> Chair {
        let (sender, posts) = channel(POSTS);
        let (wisher, wishes) = channel(WISHES);
        let (told, pages) = (Mutex::new(VecDeque::new()), AtomicUsize::new(0));
        let newest = watch::Sender::new(first);
        let seat = Arc::new(Seat { facts, posts: sender, wishes: wisher, told, newest, pages });
        locked(&self.0).insert(device.clone(), Arc::clone(&seat));
        Chair { seats: self.clone(), device: device.clone(), seat, posts, wishes: Some(wishes) }
    }

    /// The seat of a screen.
    pub fn at(&self, screen: &str) -> Option<Arc<Seat>> {
        let device = DeviceId::new(screen).ok()?;
        locked(&self.0).get(&device).cloned()
    }

    /// Every screen that has a driver.
    pub fn list(&self) -> Vec<(DeviceId, Arc<Seat>)> {
        locked(&self.0).iter().map(|(device, seat)| (device.clone(), Arc::clone(seat))).collect()
    }
}

impl Seat {
    /// Gives a page's message to the driver; `None`: it is not taken now.
    pub async fn post(&self, kind: PostKind, body: Bytes) -> Option<Reply> {
        let (answer, answered) = oneshot::channel();
        self.posts.try_send(Posted { kind, body, answer }).ok()?;
        answered.await.ok()
    }

    /// A picture of what the screen shows, or a word for why there is none; `None`: its driver takes no wish now.
    pub async fn picture(&self) -> Option<Result<Still, &'static str>> {
        let (wish, granted) = oneshot::channel();
        self.wishes.try_send(wish).ok()?;
        granted.await.ok()
    }

    /// Tells the page.
    pub fn tell(&self, name: &'static str, data: &str) -> u64 {
        let mut told = locked(&self.told);
        let id = *self.newest.borrow() + 1;
        told.push_back(Told { id, name, data: data.into() });
        if told.len() > KEPT {
            told.pop_front();
        }
        self.newest.send_replace(id);
        id
    }

    /// Listens, from behind the message of that number on; without one from now on.
    pub fn follow(self: &Arc<Self>, after: Option<u64>) -> Follower {
        let newest = self.newest.subscribe();
        let now = *newest.borrow();
        self.pages.fetch_add(1, Ordering::Relaxed);
        Follower { seat: Arc::clone(self), newest, after: after.unwrap_or(now).min(now) }
    }

    /// How many pages listen.
    pub fn pages(&self) -> usize {
        self.pages.load(Ordering::Relaxed)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.seat.pages.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Follower {
    /// The next message; `None`: the driver is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            if self.seat.posts.is_closed() {
                return None;
            }
            let next = locked(&self.seat.told).iter().find(|told| told.id > self.after).cloned();
            if let Some(told) = next {
                self.after = told.id;
                return Some(told);
            }
            tokio::select! {
                changed = self.newest.changed() => changed.ok()?,
                () = self.seat.posts.closed() => return None,
            }
        }
    }
}

impl Chair {
    /// What is wished of the driver; once.
    pub fn wishes(&mut self) -> Option<Receiver<Wish>> {
        self.wishes.take()
    }

    /// The next message of a page. Cancel-safe.
    pub async fn posted(&mut self) -> Option<Posted> {
        self.posts.recv().await
    }

    /// Tells the page; the message's number.
    pub fn tell(&self, name: &'static str, data: &str) -> u64 {
        self.seat.tell(name, data)
    }

    /// How many pages listen.
    pub fn pages(&self) -> usize {
        self.seat.pages()
    }
}

impl Drop for Chair {
    fn drop(&mut self) {
        let mut seats = locked(&self.seats.0);
        // A driver that was started anew may have taken it already.
        if seats.get(&self.device).is_some_and(|seat| Arc::ptr_eq(seat, &self.seat)) {
            seats.remove(&self.device);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        let language = "en".to_owned();
        Facts { page: PageKind::Signage, language, token: None, hand_off: None, is_seen: false }
    }

    fn device() -> DeviceId {
        DeviceId::new("screen-1").unwrap()
    }

    #[tokio::test]
    async fn what_is_told_is_heard_in_order_and_again_by_who_comes_back() {
        let (seats, device) = (Seats::default(), device());
        let chair = seats.take(&device, facts(), 1000);
        let seat = seats.at("screen-1").unwrap();
        let mut page = seat.follow(None);
        assert_eq!(chair.pages(), 1);
        let first = chair.tell("show", "1");
        assert_eq!(chair.tell("show", "2"), first + 1);
        let heard = page.next().await.unwrap();
        assert_eq!((heard.id, heard.name, &*heard.data), (1001, "show", "1"));
        drop(page);
        let mut again = seat.follow(Some(first));
        assert_eq!(again.next().await.unwrap().data.as_ref(), "2");
        for number in 0..100 {
            chair.tell("show", &number.to_string());
        }
        assert_eq!(seat.follow(Some(first)).next().await.unwrap().data.as_ref(), "36", "the oldest are gone");
        // A number of an earlier process that had told more.
        assert!(seat.follow(Some(u64::MAX)).after <= 1102);
        drop(chair);
        assert!(again.next().await.is_none() && seats.at("screen-1").is_none());
    }

    #[tokio::test]
    async fn a_post_is_answered_by_the_driver_or_not_at_all() {
        let seats = Seats::default();
        let mut chair = seats.take(&device(), facts(), 0);
        let seat = seats.at("screen-1").unwrap();
        let (posted, replied) = tokio::join!(chair.posted(), async {
            let post = seat.post(PostKind::Beat, Bytes::from_static(b"{}"));
            tokio::time::timeout(std::time::Duration::from_millis(50), post).await
        });
        assert!(replied.is_err(), "nobody has answered yet");
        assert_eq!(posted.unwrap().body, Bytes::from_static(b"{}"));
        let second = seats.take(&device(), facts(), 0);
        drop(chair);
        assert!(seat.post(PostKind::Beat, Bytes::new()).await.is_none(), "its driver is gone");
        assert!(seats.at("screen-1").is_some(), "the second driver's seat stays");
        drop(second);
    }
}
