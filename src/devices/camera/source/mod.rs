//! Where a camera's pictures come from. A source runs on a thread of its own and hands pictures to the eyes.

mod folder;
mod h264;
mod mjpeg;
mod rtsp;
mod v4l2;

pub(crate) use folder::pictures;

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::slot::{News, Picture, Pixels, Slot, SlotCounts};
use crate::clock::Clock;
use crate::transport::{CameraWish, Login};
use crate::types::CameraUrl;

/// Longest encoded picture.
pub(crate) const PICTURE_BYTES: usize = 16 << 20;
/// First and longest pause before a source is opened again.
const AGAIN: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// A source that gave pictures for so long has worked: the next pause is the first again.
const WORKED: Duration = Duration::from_secs(10);
/// Longest time without looking whether to end.
const TICK: Duration = Duration::from_millis(200);
/// A picture that comes by less than this part of the pace too early is not left out for it.
const EARLY: u32 = 5;

/// How a source is opened.
#[derive(Clone, PartialEq)]
pub(crate) enum Plan {
    /// A V4L2 node; a symlink is resolved at every opening.
    Node { path: PathBuf, wish: CameraWish },
    /// H.264 over RTSP.
    Rtsp { url: CameraUrl, login: Option<LoginFile> },
    /// MJPEG over HTTP.
    Mjpeg { url: CameraUrl, login: Option<LoginFile> },
    /// A folder's pictures in the order of their names, so many a second, once or for ever.
    Folder { path: PathBuf, fps: f64, repeats: bool },
}

/// A user, and the file that has the password; it is read at every opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoginFile {
    pub(crate) user: String,
    pub(crate) password_file: PathBuf,
}

impl LoginFile {
    fn read(&self) -> io::Result<Login> {
        let text = std::fs::read_to_string(&self.password_file);
        let text = text.map_err(|error| io::Error::new(error.kind(), format!("password_file: {error}")))?;
        let password = text.trim_end_matches(['\r', '\n']).to_owned();
        Ok(Login { user: self.user.clone(), password })
    }
}

/// Why a run of a source ended.
enum Ended {
    /// It was told to.
    Told,
    /// There is nothing more.
    Over,
    /// It is gone, or cannot be opened.
    Away(io::Error),
    /// No picture came for long.
    Stalled(io::Error),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::Stalled(error),
            _ => Self::Away(error),
        }
    }
}

/// How a source is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Time between two pictures that are looked at; zero: all of them.
    pub(crate) every: Duration,
    /// A source that gives no picture for so long has stalled.
    pub(crate) stalled_after: Duration,
    /// A source that can wait does: no picture is left out.
    pub(crate) waits: bool,
    /// What ends by itself is opened again.
    pub(crate) returns: bool,
}

/// The thread's own.
pub(crate) struct Lens {
    plan: Plan,
    pace: Pace,
    slot: Slot,
    clock: Clock,
    stop: CancellationToken,
    told: Option<News>,
    number: u64,
    /// When the next picture is due.
    due: Option<Instant>,
    seen: Option<Instant>,
}

impl Lens {
    pub(crate) fn new(plan: Plan, pace: Pace, slot: Slot, clock: Clock, stop: CancellationToken) -> Self {
        Self { plan, pace, slot, clock, stop, told: None, number: 0, due: None, seen: None }
    }

    /// Runs until it is told to end, or, if it does not return, until the source has ended.
    pub(crate) fn run(mut self) {
        let mut pause = AGAIN.0;
        loop {
            let began = self.clock.now();
            self.seen = None;
            match self.watch() {
                Ended::Told => break,
                Ended::Over => {
                    self.say(News::Over);
                    break;
                }
                Ended::Away(error) => self.say(News::Away(error.to_string())),
                Ended::Stalled(error) => self.say(News::Stalled(error.to_string())),
            }
            if !self.pace.returns {
                break;
            }
            let has_worked = self.seen.is_some_and(|seen| seen - began >= WORKED);
            pause = if has_worked { AGAIN.0 } else { (pause * 2).min(AGAIN.1) };
            if self.is_told_within(pause) {
                break;
            }
        }
        self.slot.close();
    }

    fn watch(&mut self) -> Ended {
        match self.plan.clone() {
            Plan::Node { path, wish } => self.node(&path, &wish),
            Plan::Rtsp { url, login } => self.on_runtime(async |lens| lens.rtsp(&url, login.as_ref()).await),
            Plan::Mjpeg { url, login } => self.on_runtime(async |lens| lens.mjpeg(&url, login.as_ref()).await),
            Plan::Folder { path, fps, repeats } => self.folder(&path, fps, repeats),
        }
    }

    /// Runs a network source on a runtime of this thread's own, until it is told to end.
    fn on_runtime(&mut self, source: impl AsyncFnOnce(&mut Self) -> io::Result<Ended>) -> Ended {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return Ended::Away(error),
        };
        let stop = self.stop.clone();
        let ended = runtime.block_on(async {
            tokio::select! {
                biased;
                () = stop.cancelled() => Ended::Told,
                ended = source(self) => ended.unwrap_or_else(Ended::from),
            }
        });
        // A camera that does not answer its good-bye is not waited for.
        runtime.shutdown_timeout(TICK);
        ended
    }

    /// A picture has come; whether it is wanted, by the pace.
    fn is_due(&mut self) -> bool {
        let now = self.clock.now();
        self.number += 1;
        self.seen = Some(now);
        self.say(News::Seeing);
        let every = self.pace.every;
        let is_due = self.due.is_none_or(|due| now + every / EARLY >= due);
        if is_due {
            // From where it was due, so that pictures that come unevenly keep the pace on the average.
            let due = self.due.filter(|due| now < *due + every).unwrap_or(now);
            self.due = Some(due + every);
        }
        is_due
    }

    /// Gives the picture that was last asked about to the eyes.
    fn give(&mut self, pixels: Pixels) {
        self.slot.put(Picture { number: self.number, at: self.clock.now(), pixels });
    }

    fn count(&self, add: impl FnOnce(&mut SlotCounts)) {
        self.slot.count(add);
    }

    fn say(&mut self, news: News) {
        if self.told.as_ref() != Some(&news) {
            self.told = Some(news.clone());
            self.slot.tell(news);
        }
    }

    /// Waits; whether it was told to end meanwhile.
    fn is_told_within(&self, pause: Duration) -> bool {
        let until = self.clock.now() + pause;
        while !self.stop.is_cancelled() {
            let left = until.saturating_duration_since(self.clock.now());
            if left.is_zero() {
                return false;
            }
            std::thread::sleep(left.min(TICK));
        }
        true
    }
}

fn silent_for(pace: Pace) -> io::Error {
    let words = format!("no picture for {} s", pace.stalled_after.as_secs());
    io::Error::new(io::ErrorKind::TimedOut, words)
}
