//! A TZ006 or TZ007: a datagram every some seconds.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use super::Source;
use super::serial::hear;
use crate::devices::footfall::ear::Ear;
use crate::types::wipe;
use crate::wire::probebox::limits::DATAGRAM_BYTES;
use crate::wire::probebox::line::split_datagram;

/// Datagrams taken before anything else is looked at.
const AT_ONCE: usize = 256;
/// What the vendor's own server answers with.
const ACKNOWLEDGEMENT: [u8; 1] = [1];

pub(super) struct Datagrams {
    socket: UdpSocket,
    id: Option<String>,
    acknowledges: bool,
    /// One byte more than a datagram may have: a longer one is known by it.
    buffer: [u8; DATAGRAM_BYTES + 1],
}

impl Datagrams {
    pub(super) fn open(listen: SocketAddr, id: Option<String>, acknowledges: bool) -> io::Result<Self> {
        let socket = UdpSocket::bind(listen)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, id, acknowledges, buffer: [0; DATAGRAM_BYTES + 1] })
    }

    fn hear(&self, datagram: &[u8], now_us: i64, ear: &mut Ear) {
        let (name, lines) = split_datagram(datagram);
        if self.id.as_ref().is_some_and(|id| id.as_bytes() != name) {
            return ear.foreign();
        }
        match datagram.len() > DATAGRAM_BYTES {
            true => ear.malformed(),
            false => lines.for_each(|line| hear(Some(line), now_us, ear)),
        }
    }
}

impl Source for Datagrams {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.socket.as_fd()]
    }

    fn take(&mut self, ready: u16, now_us: i64, ear: &mut Ear) -> io::Result<()> {
        for _ in 0..if ready == 0 { 0 } else { AT_ONCE } {
            let (count, from) = match self.socket.recv_from(&mut self.buffer) {
                Ok(received) => received,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => break,
                // An answer that reached nobody comes back as this.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(error) => return Err(error),
            };
            ear.bytes(count);
            self.hear(&self.buffer[..count], now_us, ear);
            wipe(&mut self.buffer[..count]);
            if self.acknowledges {
                // A box that does not hear it sends again or does not; there is nothing to do about it.
                let _ = self.socket.send_to(&ACKNOWLEDGEMENT, from);
            }
        }
        Ok(())
    }
}
