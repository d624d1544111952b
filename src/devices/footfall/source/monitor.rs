//! The gateway's own radio.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Source;
use crate::devices::footfall::ear::Ear;
use crate::transport::{Monitor, MonitorLink};
use crate::wire::dot11::Link;

/// Frames are collected for so long: fifty looks a second are enough for windows of a second.
const PAUSE: Duration = Duration::from_millis(20);
/// Frames taken before anything else is looked at.
const AT_ONCE: usize = 4096;
/// The kernel's count of frames is looked at this often.
const LOOK: Duration = Duration::from_secs(5);

pub(super) struct OwnRadio {
    monitor: Monitor,
    /// The kernel's own count of all frames that the radio heard, also of those that are let in nowhere.
    heard: PathBuf,
    heard_frames: String,
    looked: Instant,
}

impl OwnRadio {
    pub(super) fn open(interface: &str, now: Instant) -> io::Result<Self> {
        let monitor = Monitor::open(interface)?;
        let heard = PathBuf::from(format!("/sys/class/net/{interface}/statistics/rx_packets"));
        Ok(Self { monitor, heard, heard_frames: String::new(), looked: now })
    }
}

impl Source for OwnRadio {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.monitor.as_fd()]
    }

    fn take(&mut self, ready: u16, now_us: i64, ear: &mut Ear) -> io::Result<()> {
        if ready == 0 {
            return Ok(());
        }
        let link = match self.monitor.link() {
            MonitorLink::Bare => Link::Bare,
            MonitorLink::Radiotap => Link::Radiotap,
        };
        let mut taken = 0;
        while taken < AT_ONCE {
            let batch = self.monitor.take(|at_us, frame| {
                // The kernel stamps by the wall clock; a stamp from before a jump is as good as none.
                let at_us = if (now_us - at_us).abs() < 1_000_000 { at_us } else { now_us };
                ear.frame(at_us, link, frame);
            })?;
            if batch == 0 {
                break;
            }
            taken += batch;
        }
        Ok(())
    }

    fn pause(&self) -> Duration {
        PAUSE
    }

    fn missed(&mut self) -> io::Result<u64> {
        self.monitor.missed()
    }

    /// An empty street at night is no fault: access points are always heard.
    fn is_alive(&mut self, now: Instant) -> bool {
        if now - self.looked < LOOK {
            return false;
        }
        self.looked = now;
        let heard_frames = std::fs::read_to_string(&self.heard).unwrap_or_default();
        let is_alive = heard_frames != self.heard_frames;
        self.heard_frames = heard_frames;
        is_alive
    }
}
