//! Where a sensor's finds come from.

mod datagrams;
mod monitor;
mod push;
mod replay;
mod serial;

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::ear::Ear;
use crate::transport::TtySettings;
use crate::types::Condition;
use crate::wire::dot11::Address;

use datagrams::Datagrams;
use monitor::OwnRadio;
use push::Pushes;
use replay::Replay;
use serial::Serial;

/// A source that is open.
pub(super) trait Source {
    /// What to wait for; at most [`WAITED_FOR`](crate::transport::WAITED_FOR) of them count.
    fn descriptors(&self) -> Vec<BorrowedFd<'_>>;

    /// Takes what is there. `ready`: which of the descriptors can be read; bit 0 is the first. An error: the source is
    /// gone. Buffers are overwritten when it returns.
    fn take(&mut self, ready: u16, now_us: i64, ear: &mut Ear) -> io::Result<()>;

    /// How long to wait at most although nothing comes.
    fn patience(&self, _now: Instant) -> Duration {
        Duration::MAX
    }

    /// How long not to look again after something was taken: a thousand small steps a second cost more than fifty.
    fn pause(&self) -> Duration {
        Duration::ZERO
    }

    /// What was lost since it was last asked, because it was not taken in time.
    fn missed(&mut self) -> io::Result<u64> {
        Ok(0)
    }

    /// Whether there is a sign of life though nothing that counts was heard.
    fn is_alive(&mut self, _now: Instant) -> bool {
        false
    }

    /// Its own time, in microseconds since 1970; `None`: it lives in the present.
    fn time_us(&self, _now: Instant) -> Option<i64> {
        None
    }

    /// Whether nothing more will ever come.
    fn has_ended(&self) -> bool {
        false
    }
}

/// How a source is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    /// A WiFi interface in monitor mode.
    Radio { interface: String, channels: Channels },
    /// A capture file, this many times as fast as it was recorded.
    Replay { path: PathBuf, times: u32 },
    /// A TZ001.
    Serial { path: PathBuf, line: TtySettings },
    /// A TZ006 or TZ007; only the one of this name, if there is one.
    Datagrams { listen: SocketAddr, id: Option<String>, acknowledges: bool },
    /// A DS-006, only the one of this name and, if it is given, this address.
    Push { listen: SocketAddr, path: String, id: String, own_address: Option<Address> },
}

/// Which channels a radio listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Channels {
    /// In turn; none: it stays where it is.
    pub(super) numbers: Vec<u32>,
    /// On each, so long.
    pub(super) dwell: Duration,
    /// Whether the interface's mode and channel are ours to set.
    pub(super) is_ours: bool,
}

impl Plan {
    /// Opens it. Errors are the operating system's.
    pub(super) fn open(&self, now: Instant) -> io::Result<Box<dyn Source>> {
        Ok(match self {
            Self::Radio { interface, .. } => Box::new(OwnRadio::open(interface, now)?),
            Self::Replay { path, times } => Box::new(Replay::open(path, *times, now)?),
            Self::Serial { path, line } => Box::new(Serial::open(path, *line)?),
            Self::Datagrams { listen, id, acknowledges } => {
                Box::new(Datagrams::open(*listen, id.clone(), *acknowledges)?)
            }
            Self::Push { listen, path, id, own_address } => {
                Box::new(Pushes::open(*listen, path.clone(), id.clone(), *own_address)?)
            }
        })
    }

    /// The condition that stands while it cannot be opened.
    pub(super) fn missing(&self) -> Condition {
        match self {
            Self::Radio { .. } => Condition::RadioMissing,
            Self::Serial { .. } => Condition::TtyMissing,
            Self::Replay { .. } | Self::Datagrams { .. } | Self::Push { .. } => Condition::EndpointMissing,
        }
    }
}
