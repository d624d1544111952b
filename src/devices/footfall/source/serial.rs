//! A TZ001 on a serial line: it only ever speaks.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use super::Source;
use crate::devices::footfall::ear::Ear;
use crate::transport::{Tty, TtySettings, open_tty_here};
use crate::types::wipe;
use crate::wire::probebox::line::{Heard, Kind, Lines, parse_line};

const READ_BYTES: usize = 4096;

pub(super) struct Serial {
    tty: Tty,
    /// What waited while nobody held the line is old, and is left out.
    stale_bytes: usize,
    lines: Lines,
    buffer: [u8; READ_BYTES],
}

impl Serial {
    pub(super) fn open(path: &Path, line: TtySettings) -> io::Result<Self> {
        let tty = open_tty_here(path, line)?;
        let stale_bytes = tty.waited_bytes();
        Ok(Self { tty, stale_bytes, lines: Lines::default(), buffer: [0; READ_BYTES] })
    }
}

/// A line, understood or not, given to the ear.
pub(super) fn hear(line: Option<&[u8]>, now_us: i64, ear: &mut Ear) {
    match line.map(parse_line) {
        Some(Ok(Heard { source, peer, kind: Kind::ProbeRequest, rssi_dbm })) => {
            ear.entry(now_us, source, peer, rssi_dbm);
        }
        Some(Ok(_)) => ear.passed_over(),
        Some(Err(_)) | None => ear.malformed(),
    }
}

impl Source for Serial {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.tty.as_fd()]
    }

    fn take(&mut self, ready: u16, now_us: i64, ear: &mut Ear) -> io::Result<()> {
        if ready == 0 {
            return Ok(());
        }
        let count = match rustix::io::read(&self.tty, &mut self.buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        ear.bytes(count);
        let stale = self.stale_bytes.min(count);
        self.stale_bytes -= stale;
        self.lines.push(&self.buffer[stale..count], |line| hear(line, now_us, ear));
        wipe(&mut self.buffer[..count]);
        Ok(())
    }
}

impl Drop for Serial {
    fn drop(&mut self) {
        self.lines.wipe();
    }
}
