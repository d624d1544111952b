//! Waiting on a thread of one's own: until one of several descriptors can be read, or somebody knocks.

use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

/// Descriptors that can be waited for at once.
pub const WAITED_FOR: usize = 16;

/// Wakes a thread that waits. When it is dropped, that is a knock, too, and stays one.
#[derive(Debug)]
pub struct Knocker(PipeWriter);

/// The other end.
#[derive(Debug)]
pub struct Door(PipeReader);

/// What was there at the end of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waited {
    /// Somebody knocked.
    pub knocked: bool,
    /// Which of the descriptors can be read, or have failed: bit 0 is the first.
    pub ready: u16,
}

/// A knocker and its door.
pub fn door() -> io::Result<(Knocker, Door)> {
    let (reader, writer) = io::pipe()?;
    Ok((Knocker(writer), Door(reader)))
}

impl Knocker {
    /// Ends the present wait and every later one.
    pub fn knock(&mut self) {
        // A pipe that is full or has lost its reader has been knocked at.
        let _ = self.0.write(&[0]);
    }
}

impl Door {
    /// Waits until one of at most [`WAITED_FOR`] descriptors can be read, somebody knocks, or `most` has passed; what
    /// is more is left out.
    pub fn wait(&self, descriptors: &[BorrowedFd<'_>], most: Duration) -> io::Result<Waited> {
        let asked = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut polled = [asked(-1); WAITED_FOR + 1];
        polled[0] = asked(self.0.as_fd().as_raw_fd());
        for (polled, descriptor) in polled[1..].iter_mut().zip(descriptors) {
            *polled = asked(descriptor.as_raw_fd());
        }
        // Rounded up: a wait that ends too early would be repeated many times within its last millisecond.
        let timeout_ms = i32::try_from(most.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX);
        poll(&mut polled, timeout_ms)?;
        let ready = polled[1..].iter().rev().fold(0, |bits, one| bits << 1 | u16::from(one.revents != 0));
        Ok(Waited { knocked: polled[0].revents != 0, ready })
    }
}

/// poll(2). A signal ends it as if nothing had come.
#[expect(unsafe_code, reason = "rustix's poll is behind a feature that nothing else needs")]
fn poll(polled: &mut [libc::pollfd], timeout_ms: i32) -> io::Result<()> {
    let count = libc::nfds_t::try_from(polled.len()).unwrap_or(0);
    // SAFETY: the pointer and the count are those of one live slice, which poll(2) writes only within.
    let result = unsafe { libc::poll(polled.as_mut_ptr(), count, timeout_ms) };
    match result {
        0.. => Ok(()),
        _ => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            error => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_knock_ends_every_wait_and_a_lost_knocker_is_a_knock() {
        let (mut knocker, door) = door().unwrap();
        assert_eq!(door.wait(&[], Duration::ZERO).unwrap(), Waited::default());
        knocker.knock();
        for _ in 0..2 {
            assert!(door.wait(&[], Duration::from_secs(60)).unwrap().knocked);
        }
        let (knocker, door) = super::door().unwrap();
        drop(knocker);
        assert!(door.wait(&[], Duration::from_secs(60)).unwrap().knocked);
    }

    #[test]
    fn what_can_be_read_is_told_by_its_place() {
        let (_knocker, door) = door().unwrap();
        let pipes: Vec<_> = (0..3).map(|_| io::pipe().unwrap()).collect();
        let descriptors: Vec<_> = pipes.iter().map(|(reader, _)| reader.as_fd()).collect();
        (&pipes[1].1).write_all(b"x").unwrap();
        let waited = door.wait(&descriptors, Duration::from_secs(60)).unwrap();
        assert_eq!(waited, Waited { knocked: false, ready: 0b010 });
    }
}
