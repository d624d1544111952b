//! The one loop of all byte devices.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{DriverError, Port, limits};
use crate::types::{Assigned, Observation, Tally};
use crate::wire::{Input, Machine, Output, Way};

/// Drives a machine over a line until the port says stop (`Ok`), or the line or the machine fails.
///
/// Bytes that can be read go before the deadline: a deadline is acted upon only when nothing waits to be read, so
/// that a delayed reader never mistakes its own delay for the device's silence. Actions are few and bounded, and go
/// before bytes, so that a device that never falls silent cannot keep them out. While something irrevocable is
/// going on, neither an action nor the stop is let in.
///
/// The line is served whatever the journal does: what the queue to it has no room for waits in the port, and only when
/// that has its fill is the line no longer read.
pub async fn pump<M, L>(machine: &mut M, line: L, port: &mut Port) -> Result<(), DriverError>
where
    M: Machine<Action = Assigned, Observation = Observation>,
    L: AsyncRead + AsyncWrite + Unpin,
{
    let (mut reader, mut writer) = tokio::io::split(line);
    let mut buffer = vec![0; limits::READ_BYTES];
    let mut outgoing = Outgoing::new(port.clock.now());
    let mut storing = port.storing();
    loop {
        drain(machine, &mut outgoing, port)?;
        let idle = !machine.in_flight();
        let (stop, said, reads) = (port.stop.clone(), port.said(), !port.is_far_behind());
        let deadline = earliest(machine.deadline(), outgoing.stalls_at());
        tokio::select! {
            biased;
            () = stop.cancelled(), if idle => return Ok(()),
            action = port.attend(idle) => if let Some(action) = action? {
                feed(machine, port, Input::Action(action))?;
            },
            () = storing.reached(said), if machine.awaits_storage() => machine.stored(port.clock.now()),
            read = reader.read(&mut buffer), if reads => match read {
                Ok(0) => return Err(DriverError::Closed),
                Ok(count) => {
                    port.scope.seen(count);
                    port.scope.wire(false, count, machine.shows(Way::In).of(&buffer[..count]));
                    feed(machine, port, Input::Bytes(&buffer[..count]))?;
                }
                Err(source) => return Err(line_error("reading", source)),
            },
            written = writer.write(outgoing.next()), if !outgoing.is_empty() => {
                let count = written.map_err(|source| line_error("writing", source))?;
                outgoing.written(count, port.clock.now());
                port.scope.count(Tally::BytesOut, count as u64);
            }
            () = sleep_until(deadline), if deadline.is_some() => {
                if outgoing.stalls_at().is_some_and(|at| at <= port.clock.now()) {
                    return Err(line_error("writing", io::ErrorKind::TimedOut.into()));
                }
                feed(machine, port, Input::Tick)?;
            }
        }
    }
}

fn feed<M: Machine>(machine: &mut M, port: &Port, input: Input<'_, M::Action>) -> Result<(), DriverError> {
    machine.handle(port.clock.now(), input).map_err(|error| DriverError::Protocol(Box::new(error)))
}

fn drain<M>(machine: &mut M, outgoing: &mut Outgoing, port: &mut Port) -> Result<(), DriverError>
where
    M: Machine<Observation = Observation>,
{
    while let Some(output) = machine.poll() {
        match output {
            Output::Send(bytes) => {
                port.scope.wire(true, bytes.len(), machine.shows(Way::Out).of(&bytes));
                outgoing.push(&bytes, port.clock.now())?;
            }
            Output::Observe(observation) => port.say(observation)?,
            Output::Health(condition, raised) => port.scope.condition(condition, raised, None),
            Output::Count(tally, count) => port.scope.count(tally, count),
        }
    }
    Ok(())
}

/// A hung-up line says so in several ways, depending on the driver beneath.
fn line_error(step: &'static str, source: io::Error) -> DriverError {
    match source.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => DriverError::Closed,
        _ if source.raw_os_error() == Some(libc::EIO) => DriverError::Closed,
        _ => DriverError::Transport { step, source },
    }
}

fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    if let Some(at) = deadline {
        tokio::time::sleep_until(at.into()).await;
    }
}

/// Bytes on their way out, and since when the line has taken none of them.
#[derive(Debug)]
struct Outgoing {
    bytes: VecDeque<u8>,
    moved_at: Instant,
}

impl Outgoing {
    fn new(now: Instant) -> Self {
        Self { bytes: VecDeque::new(), moved_at: now }
    }

    fn push(&mut self, bytes: &[u8], now: Instant) -> Result<(), DriverError> {
        if self.bytes.is_empty() {
            self.moved_at = now;
        }
        if self.bytes.len() + bytes.len() > limits::OUTGOING_BYTES {
            return Err(line_error("writing", io::ErrorKind::TimedOut.into()));
        }
        self.bytes.extend(bytes);
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn next(&self) -> &[u8] {
        self.bytes.as_slices().0
    }

    fn written(&mut self, count: usize, now: Instant) {
        self.bytes.drain(..count.min(self.bytes.len()));
        self.moved_at = now;
    }

    fn stalls_at(&self) -> Option<Instant> {
        (!self.bytes.is_empty()).then(|| self.moved_at + limits::WRITE_STALL)
    }
}

#[cfg(test)]
#[path = "pump_tests.rs"]
mod tests;
