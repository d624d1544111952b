//! A DS-006: it pushes lists over HTTP.
//!
//! It has a listener of its own, apart from the console's, for two reasons: a box on the shop's network speaks plain
//! HTTP and knows no login, which the console must not do; and what it sends stays in buffers of this thread, which
//! are overwritten, and never in those of a server.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::Source;
use crate::devices::footfall::ear::Ear;
use crate::types::wipe;
use crate::wire::dot11::Address;
use crate::wire::probebox::limits::REQUEST_BYTES;
use crate::wire::probebox::push::parse_push;
use crate::wire::probebox::request::{CONTINUE, Progress, Status, examine};

/// Connections at a time; more are hung up on.
const CONNECTIONS: usize = 8;
/// A request may take so long, in microseconds.
const REQUEST_US: i64 = 10_000_000;

pub(super) struct Pushes {
    listener: TcpListener,
    path: String,
    id: String,
    own_address: Option<Address>,
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    /// Of a fixed size: one that grew would leave copies behind.
    buffer: Box<[u8]>,
    filled: usize,
    since_us: i64,
    has_leave: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        wipe(&mut self.buffer[..self.filled]);
    }
}

/// What becomes of a connection.
enum Next {
    Stays,
    Answered(Status),
    Gone,
}

impl Connection {
    fn new(stream: TcpStream, now_us: i64) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let buffer = vec![0; REQUEST_BYTES].into_boxed_slice();
        Ok(Self { stream, buffer, filled: 0, since_us: now_us, has_leave: false })
    }

    /// Reads what has come; whether the other end has hung up.
    fn fill(&mut self, ear: &mut Ear) -> bool {
        while self.filled < self.buffer.len() {
            match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) => return true,
                Ok(count) => {
                    self.filled += count;
                    ear.bytes(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
        false
    }

    fn answer(&mut self, status: Status) {
        // Whoever does not wait for the answer does not get it.
        let _ = self.stream.write_all(status.answer().as_bytes());
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

impl Pushes {
    pub(super) fn open(listen: SocketAddr, path: String, id: String, own_address: Option<Address>) -> io::Result<Self> {
        let listener = TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path, id, own_address, connections: Vec::new() })
    }

    fn accept(&mut self, now_us: i64) {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.connections.len() < CONNECTIONS {
                self.connections.extend(Connection::new(stream, now_us));
            }
        }
    }

    fn serve(&self, connection: &mut Connection, now_us: i64, ear: &mut Ear) -> Next {
        let has_hung_up = connection.fill(ear);
        match examine(&connection.buffer[..connection.filled], &self.path) {
            Progress::Refused(status) => {
                ear.malformed();
                Next::Answered(status)
            }
            Progress::Whole(body) => Next::Answered(self.hear(&mut connection.buffer[body], now_us, ear)),
            Progress::More { .. } if has_hung_up => Next::Gone,
            Progress::More { waits } => {
                if waits && !connection.has_leave {
                    connection.has_leave = connection.stream.write_all(CONTINUE.as_bytes()).is_ok();
                }
                Next::Stays
            }
        }
    }

    fn hear(&self, body: &mut [u8], now_us: i64, ear: &mut Ear) -> Status {
        let Ok(push) = parse_push(body) else {
            ear.malformed();
            return Status::Bad;
        };
        let is_known = push.id() == Some(self.id.as_bytes())
            && self.own_address.is_none_or(|expected| push.own_address() == Some(expected));
        if !is_known {
            ear.foreign();
            return Status::Forbidden;
        }
        for heard in push.heard() {
            match heard {
                Some(heard) if heard.is_access_point => ear.passed_over(),
                Some(heard) => ear.entry(now_us, heard.source, heard.peer, heard.rssi_dbm),
                None => ear.malformed(),
            }
        }
        Status::Ok
    }
}

impl Source for Pushes {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let connections = self.connections.iter().map(|connection| connection.stream.as_fd());
        std::iter::once(self.listener.as_fd()).chain(connections).collect()
    }

    fn take(&mut self, ready: u16, now_us: i64, ear: &mut Ear) -> io::Result<()> {
        let mut connections = std::mem::take(&mut self.connections);
        let mut place = 0;
        connections.retain_mut(|connection| {
            place += 1;
            let next = match ready >> place & 1 {
                1 => self.serve(connection, now_us, ear),
                _ if (now_us - connection.since_us).abs() > REQUEST_US => Next::Answered(Status::Timeout),
                _ => Next::Stays,
            };
            match next {
                Next::Stays => true,
                Next::Gone => false,
                Next::Answered(status) => {
                    connection.answer(status);
                    false
                }
            }
        });
        self.connections = connections;
        if ready & 1 == 1 {
            self.accept(now_us);
        }
        Ok(())
    }

    fn patience(&self, _: std::time::Instant) -> Duration {
        if self.connections.is_empty() { Duration::MAX } else { Duration::from_secs(1) }
    }
}
