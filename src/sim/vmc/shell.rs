//! Puts a simulated machine behind a pseudo-terminal, with the line's own speed.
//!
//! The machine keeps its state while the gateway comes and goes. What it says while nobody holds the line is lost, as
//! on a wire. Limits: 64 orders wait; at most 64 KiB wait for the line, then the machine's further bytes are lost.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::termios::{QueueSelector, tcflush};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Do, Truth, VendSim};
use crate::clock::Clock;
use crate::sim::pty::{Plugged, byte_time, plug, read, slice_bytes, write};
use crate::wire::{Input, Output};

const ORDERS: usize = 64;
const QUEUED_BYTES: usize = 64 * 1024;
/// So many bytes that nobody has read are looked at: does anybody hold the line?
const UNREAD_BYTES: u64 = 64;

/// What reaches the machine's task.
#[derive(Debug)]
enum Order {
    Do(Do),
    Settle(oneshot::Sender<()>),
}

/// Does things to the machine, from anywhere. When the last one is dropped, the machine goes on alone.
#[derive(Debug, Clone)]
pub struct Knobs(mpsc::Sender<Order>);

impl Knobs {
    /// Does something to the machine. `false`: it is gone.
    pub async fn act(&self, action: Do) -> bool {
        self.0.send(Order::Do(action)).await.is_ok()
    }

    /// Waits until everything asked before has been done and told. `false`: the machine is gone.
    pub async fn settle(&self) -> bool {
        let (done, settled) = oneshot::channel();
        self.0.send(Order::Settle(done)).await.is_ok() && settled.await.is_ok()
    }
}

/// A machine behind a line.
pub struct MachinePty {
    link: PathBuf,
    baud: Option<u32>,
    clock: Clock,
    machine: Box<dyn VendSim>,
    cable: Plugged,
    /// Kept open, so that the line does not end when the gateway lets go.
    slave: std::fs::File,
    queue: VecDeque<u8>,
    next_at: Instant,
    orders: mpsc::Receiver<Order>,
}

impl MachinePty {
    /// Makes the line and its path (a symlink, which must not be there or be a symlink). `baud`: how fast bytes leave;
    /// `None`: at once. Needs a tokio runtime.
    pub fn new(link: &Path, baud: Option<u32>, machine: Box<dyn VendSim>, clock: Clock) -> io::Result<(Knobs, Self)> {
        let (knobs, orders) = mpsc::channel(ORDERS);
        let (cable, slave) = plug(link)?;
        let next_at = clock.now();
        let pty =
            Self { link: link.to_owned(), baud, clock, machine, cable, slave, queue: VecDeque::new(), next_at, orders };
        Ok((Knobs(knobs), pty))
    }

    /// Runs the machine until `stop`, and tells what really happens.
    pub async fn run(mut self, stop: CancellationToken, mut tell: impl FnMut(Truth)) -> io::Result<()> {
        let mut buffer = [0; 256];
        let mut deaf = false;
        loop {
            self.drain(&mut tell);
            let slice: Vec<u8> = self.queue.iter().copied().take(slice_bytes(self.baud)).collect();
            let due = tokio::time::Instant::from_std(self.next_at);
            let deadline = self.machine.deadline();
            let Plugged { reader, writer } = &mut self.cable;
            let input = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                order = self.orders.recv(), if !deaf => match order {
                    Some(Order::Do(action)) => Some(Input::Action(action)),
                    Some(Order::Settle(done)) => {
                        let _ = done.send(());
                        None
                    }
                    None => {
                        deaf = true;
                        None
                    }
                },
                read = read(Some(reader), &mut buffer) => {
                    let count = read?;
                    Some(Input::Bytes(&buffer[..count]))
                }
                written = write(Some(writer), &slice, due), if !slice.is_empty() => {
                    let count = written?;
                    self.written(count);
                    None
                }
                () = wait_until(deadline), if deadline.is_some() => Some(Input::Tick),
            };
            if let Some(input) = input {
                let Ok(()) = self.machine.handle(self.clock.now(), input);
            }
        }
    }

    fn drain(&mut self, tell: &mut impl FnMut(Truth)) {
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Send(bytes) if self.queue.len() + bytes.len() <= QUEUED_BYTES => {
                    self.forget_unheard();
                    self.queue.extend(bytes);
                }
                Output::Observe(truth) => tell(truth),
                Output::Send(_) | Output::Health(..) | Output::Count(..) => {}
            }
        }
    }

    /// Nobody holds the line who would take it for himself, as a gateway does: what was said is gone.
    fn forget_unheard(&self) {
        let unread = rustix::io::ioctl_fionread(&self.slave).unwrap_or_default();
        if unread >= UNREAD_BYTES && flock(&self.slave, FlockOperation::NonBlockingLockShared).is_ok() {
            let _ = tcflush(&self.slave, QueueSelector::IFlush);
            let _ = flock(&self.slave, FlockOperation::Unlock);
        }
    }

    fn written(&mut self, count: usize) {
        self.queue.drain(..count.min(self.queue.len()));
        let now = self.clock.now();
        let bytes = u32::try_from(count).unwrap_or(u32::MAX);
        self.next_at = self.baud.map_or(now, |baud| self.next_at.max(now) + byte_time(baud) * bytes);
    }
}

impl Drop for MachinePty {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.link);
    }
}

async fn wait_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => tokio::time::sleep(Duration::MAX).await,
    }
}
