//! Puts a simulated scanner behind a pseudo-terminal: the gateway opens a path and cannot tell.
//!
//! What a plain PTY gets wrong is mended here: the line is raw before anybody opens it (else it echoes), one slave
//! stays open (else the master reads EIO when the gateway lets go), and bytes leave at the baud rate. Unplugging
//! closes the master and removes the path, so that the gateway sees a hang-up; plugging in makes a new PTY under the
//! same path.
//!
//! Limits: 64 orders wait; at most 1 MiB is queued for the line before orders wait.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::scanner::{Do, Scanner, Truth};
use crate::clock::Clock;
use crate::transport::Line;
use crate::wire::{Input, Machine, Output};

const ORDERS: usize = 64;
const QUEUED_BYTES: usize = 1 << 20;
/// Bytes leave in slices of about this long, because timers are no finer than a millisecond.
const SLICE: Duration = Duration::from_millis(2);
/// Bits of a byte on the line: start, eight, stop.
const BITS_PER_BYTE: u32 = 10;
/// A speed nobody asks for; a line that has another one has been opened and set.
const UNSET_BAUD: u32 = 50;

/// What somebody does with the scanner or its cable.
#[derive(Debug, Clone)]
enum Order {
    Scanner(Do),
    Unplug,
    Plug,
}

/// What the simulator knows to be true.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Codes whose last byte has entered the line.
    pub sent: u64,
    /// Codes that were begun and never ended: cut, or unplugged in their middle.
    pub cut: u64,
    /// Codes that were lost whole because the cable was out.
    pub unsent: u64,
    /// When the last byte entered the line.
    pub last_byte: Option<Instant>,
    /// Bytes that have not entered the line yet.
    pub queued: usize,
    /// Whether the cable is in.
    pub plugged: bool,
    /// Orders that were carried out.
    pub orders: u64,
}

/// Turns the scanner's knobs, from anywhere. When the last one is dropped, the scanner goes on alone.
#[derive(Debug, Clone)]
pub struct Knobs {
    orders: mpsc::Sender<Order>,
    progress: watch::Receiver<Progress>,
    slave: watch::Receiver<Option<Arc<File>>>,
}

impl Knobs {
    /// Does something with the scanner. `false`: it is gone.
    pub async fn act(&self, action: Do) -> bool {
        self.orders.send(Order::Scanner(action)).await.is_ok()
    }

    /// Pulls the cable at once, wherever the line is. `false`: the scanner is gone.
    pub async fn unplug(&self) -> bool {
        self.orders.send(Order::Unplug).await.is_ok()
    }

    /// Puts the cable back in. `false`: the scanner is gone.
    pub async fn plug(&self) -> bool {
        self.orders.send(Order::Plug).await.is_ok()
    }

    /// What is true now.
    pub fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Waits until something is true; `None`: the scanner is gone. Bound it from outside.
    pub async fn wait_until(&mut self, is: impl FnMut(&Progress) -> bool) -> Option<Progress> {
        self.progress.wait_for(is).await.ok().map(|progress| progress.clone())
    }

    /// Bytes in the line that the gateway has not read yet.
    pub fn unread(&self) -> io::Result<u64> {
        match &*self.slave.borrow() {
            Some(slave) => Ok(rustix::io::ioctl_fionread(slave)?),
            None => Ok(0),
        }
    }

    /// The speed the gateway has set the line to; `None`: nobody has opened it since it was plugged in.
    pub fn line_baud(&self) -> Option<u32> {
        let speed = tcgetattr(self.slave.borrow().as_ref()?).ok()?.output_speed();
        (speed != UNSET_BAUD).then_some(speed)
    }
}

/// Something on its way to the line.
#[derive(Debug)]
enum Queued {
    Byte(u8),
    CodeEnds,
    CodeCut,
}

/// The two ends of one PTY.
#[derive(Debug)]
pub(super) struct Plugged {
    pub(super) reader: ReadHalf<Line<OwnedFd>>,
    pub(super) writer: WriteHalf<Line<OwnedFd>>,
}

/// A scanner behind a line.
#[derive(Debug)]
pub struct ScannerPty {
    link: PathBuf,
    baud: Option<u32>,
    clock: Clock,
    scanner: Scanner,
    cable: Option<Plugged>,
    queue: VecDeque<Queued>,
    next_at: Instant,
    orders: mpsc::Receiver<Order>,
    progress: watch::Sender<Progress>,
    /// Kept open while the cable is in.
    slave: watch::Sender<Option<Arc<File>>>,
}

impl ScannerPty {
    /// Makes the line and its path (a symlink, which must not be there or be a symlink). `baud`: how fast bytes
    /// leave; `None`: at once. Needs a tokio runtime.
    pub fn new(link: &Path, baud: Option<u32>, scanner: Scanner, clock: Clock) -> io::Result<(Knobs, Self)> {
        let (orders, incoming) = mpsc::channel(ORDERS);
        let (progress, seen) = watch::channel(Progress { plugged: true, ..Progress::default() });
        let next_at = clock.now();
        let (cable, slave) = plug(link)?;
        let (slave, lent) = watch::channel(Some(Arc::new(slave)));
        let (cable, queue) = (Some(cable), VecDeque::new());
        let pty = Self {
            link: link.to_owned(),
            baud,
            clock,
            scanner,
            cable,
            queue,
            next_at,
            orders: incoming,
            progress,
            slave,
        };
        Ok((Knobs { orders, progress: seen, slave: lent }, pty))
    }

    /// Runs the scanner until `stop`. What is queued then is not sent any more.
    pub async fn run(mut self, stop: CancellationToken) -> io::Result<()> {
        let mut buffer = [0; 256];
        let mut deaf = false;
        loop {
            self.drain();
            let slice = self.slice();
            let due = tokio::time::Instant::from_std(self.next_at);
            let may_order = !deaf && self.queue.len() < QUEUED_BYTES;
            let (reader, writer) = match &mut self.cable {
                Some(cable) => (Some(&mut cable.reader), Some(&mut cable.writer)),
                None => (None, None),
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                order = self.orders.recv(), if may_order => match order {
                    Some(order) => self.order(order)?,
                    None => deaf = true,
                },
                read = read(reader, &mut buffer) => {
                    let count = read?;
                    let now = self.clock.now();
                    let Ok(()) = self.scanner.handle(now, Input::Bytes(&buffer[..count]));
                }
                written = write(writer, &slice, due), if !slice.is_empty() => {
                    let count = written?;
                    self.written(count);
                }
            }
        }
    }

    fn order(&mut self, order: Order) -> io::Result<()> {
        match order {
            Order::Scanner(action) => {
                let Ok(()) = self.scanner.handle(self.clock.now(), Input::Action(action));
                self.drain();
            }
            Order::Unplug => self.unplug(),
            Order::Plug if self.cable.is_none() => {
                let (cable, slave) = plug(&self.link)?;
                self.cable = Some(cable);
                self.slave.send_replace(Some(Arc::new(slave)));
            }
            Order::Plug => {}
        }
        let (queued, plugged) = (self.queued(), self.cable.is_some());
        self.progress.send_modify(|progress| {
            progress.orders += 1;
            progress.queued = queued;
            progress.plugged = plugged;
        });
        Ok(())
    }

    /// The USB port gave the scanner its power: what it was about to say is gone, and what it was told.
    fn unplug(&mut self) {
        // The path goes first: the node's number may be somebody else's line a moment after this one is closed.
        let _ = std::fs::remove_file(&self.link);
        self.cable = None;
        self.slave.send_replace(None);
        let Ok(()) = self.scanner.handle(self.clock.now(), Input::Action(Do::PowerCycle));
        let lost = self.queue.iter().filter(|queued| matches!(queued, Queued::CodeEnds)).count() as u64;
        self.queue.clear();
        self.progress.send_modify(|progress| progress.unsent += lost);
    }

    /// Moves what the scanner says to the queue; a scanner without a cable talks to nobody.
    fn drain(&mut self) {
        while let Some(output) = self.scanner.poll() {
            let plugged = self.cable.is_some();
            match output {
                Output::Send(bytes) if plugged => self.queue.extend(bytes.into_iter().map(Queued::Byte)),
                Output::Observe(Truth::Sent(_)) if plugged => self.queue.push_back(Queued::CodeEnds),
                Output::Observe(Truth::Cut(_)) if plugged => self.queue.push_back(Queued::CodeCut),
                Output::Observe(Truth::Sent(_)) => self.progress.send_modify(|progress| progress.unsent += 1),
                Output::Send(_) | Output::Observe(_) | Output::Health(..) | Output::Count(..) => {}
            }
        }
    }

    /// The bytes that may leave next.
    fn slice(&self) -> Vec<u8> {
        let most = slice_bytes(self.baud);
        let byte = |queued: &Queued| if let Queued::Byte(byte) = queued { Some(*byte) } else { None };
        self.queue.iter().filter_map(byte).take(most).collect()
    }

    fn queued(&self) -> usize {
        self.queue.iter().filter(|queued| matches!(queued, Queued::Byte(_))).count()
    }

    /// Takes what was written from the queue, and every end of a code directly behind it.
    fn written(&mut self, count: usize) {
        let (mut left, mut sent, mut cut) = (count, 0, 0);
        loop {
            match self.queue.front() {
                Some(Queued::Byte(_)) if left > 0 => left -= 1,
                Some(Queued::CodeEnds) => sent += 1,
                Some(Queued::CodeCut) => cut += 1,
                Some(Queued::Byte(_)) | None => break,
            }
            self.queue.pop_front();
        }
        let now = self.clock.now();
        let bytes = u32::try_from(count).unwrap_or(u32::MAX);
        self.next_at = self.baud.map_or(now, |baud| self.next_at.max(now) + byte_time(baud) * bytes);
        let queued = self.queued();
        self.progress.send_modify(|progress| {
            progress.sent += sent;
            progress.cut += cut;
            progress.queued = queued;
            progress.last_byte = Some(now);
        });
    }
}

impl Drop for ScannerPty {
    fn drop(&mut self) {
        if self.cable.is_some() {
            let _ = std::fs::remove_file(&self.link);
        }
    }
}

/// How many bytes leave at once.
pub(super) fn slice_bytes(baud: Option<u32>) -> usize {
    match baud {
        Some(baud) => usize::try_from(SLICE.as_nanos() / byte_time(baud).as_nanos()).unwrap_or(1).max(1),
        None => 4096,
    }
}

pub(super) fn byte_time(baud: u32) -> Duration {
    Duration::from_secs(1) * BITS_PER_BYTE / baud.max(1)
}

pub(super) async fn read(reader: Option<&mut ReadHalf<Line<OwnedFd>>>, buffer: &mut [u8]) -> io::Result<usize> {
    match reader {
        Some(reader) => reader.read(buffer).await,
        None => std::future::pending().await,
    }
}

pub(super) async fn write(
    writer: Option<&mut WriteHalf<Line<OwnedFd>>>,
    slice: &[u8],
    due: tokio::time::Instant,
) -> io::Result<usize> {
    tokio::time::sleep_until(due).await;
    match writer {
        Some(writer) => writer.write(slice).await,
        None => std::future::pending().await,
    }
}

/// A new PTY under the path: its master in use, its slave.
pub(super) fn plug(link: &Path) -> io::Result<(Plugged, File)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let path = PathBuf::from(name.into_string().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?);
    let slave = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    let slave = File::from(slave);
    set_raw(&slave)?;
    let (reader, writer) = tokio::io::split(Line::new(master)?);
    replace_link(&path, link)?;
    Ok((Plugged { reader, writer }, slave))
}

fn set_raw(slave: &File) -> io::Result<()> {
    let mut settings: Termios = tcgetattr(slave)?;
    settings.make_raw();
    settings.set_speed(UNSET_BAUD)?;
    Ok(tcsetattr(slave, OptionalActions::Now, &settings)?)
}

/// In one step, so that nobody sees the path half made. A file that is no symlink is left alone.
fn replace_link(target: &Path, link: &Path) -> io::Result<()> {
    if link.symlink_metadata().is_ok_and(|there| !there.is_symlink()) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is no symlink has this path"));
    }
    let mut beside = link.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let _ = std::fs::remove_file(&beside);
    std::os::unix::fs::symlink(target, &beside)?;
    std::fs::rename(&beside, link)
}

#[cfg(test)]
mod tests;
