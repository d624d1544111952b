//! A capture file, at the pace at which it was recorded or faster.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Source;
use crate::devices::footfall::ear::Ear;
use crate::types::wipe;
use crate::wire::pcap::{Capture, PcapError};

/// Frames given before anything else is looked at.
const AT_ONCE: usize = 4096;

/// Longest record that is looked at; a probe request is shorter.
const FRAME_BYTES: usize = 4096;

pub(super) struct Replay {
    capture: Capture<File>,
    times: u32,
    began: Instant,
    /// The first record's time.
    first_us: i64,
    /// The next record's time; `None`: there is none any more.
    next_us: Option<i64>,
    /// The next record. Of a fixed size: one that grew would leave copies behind.
    next: Box<[u8]>,
    filled: usize,
    is_damaged: bool,
}

fn as_io(error: PcapError) -> io::Error {
    match error {
        PcapError::Read(source) => source,
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    }
}

impl Replay {
    pub(super) fn open(path: &Path, times: u32, now: Instant) -> io::Result<Self> {
        let capture = Capture::open(File::open(path)?).map_err(as_io)?;
        let (times, next) = (times.max(1), vec![0; FRAME_BYTES].into_boxed_slice());
        let mut replay =
            Self { capture, times, began: now, first_us: 0, next_us: None, next, filled: 0, is_damaged: false };
        replay.read();
        replay.first_us = replay.next_us.unwrap_or(0);
        Ok(replay)
    }

    /// Reads the next record. Behind a damaged one there is nothing; what came before it has been counted.
    fn read(&mut self) {
        wipe(&mut self.next[..self.filled]);
        self.filled = 0;
        match self.capture.next_record() {
            Ok(Some(record)) => {
                self.next_us = Some(record.at_us);
                self.filled = record.frame.len().min(FRAME_BYTES);
                self.next[..self.filled].copy_from_slice(&record.frame[..self.filled]);
            }
            Ok(None) => self.next_us = None,
            Err(_) => (self.next_us, self.is_damaged) = (None, true),
        }
    }
}

impl Source for Replay {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    fn take(&mut self, _: u16, now_us: i64, ear: &mut Ear) -> io::Result<()> {
        let link = self.capture.link();
        for _ in 0..AT_ONCE {
            let Some(at_us) = self.next_us.filter(|at_us| *at_us <= now_us) else { break };
            ear.frame(at_us, link, &self.next[..self.filled]);
            self.read();
        }
        if std::mem::take(&mut self.is_damaged) {
            ear.malformed();
        }
        Ok(())
    }

    fn patience(&self, now: Instant) -> Duration {
        let Some(next_us) = self.next_us else { return Duration::MAX };
        let since_us = u64::try_from(next_us - self.first_us).unwrap_or(0);
        (self.began + Duration::from_micros(since_us) / self.times).saturating_duration_since(now)
    }

    fn time_us(&self, now: Instant) -> Option<i64> {
        let since_us = i64::try_from((now.saturating_duration_since(self.began) * self.times).as_micros());
        Some(self.first_us.saturating_add(since_us.unwrap_or(i64::MAX)))
    }

    fn has_ended(&self) -> bool {
        self.next_us.is_none()
    }
}
