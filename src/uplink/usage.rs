//! What the line carries, in bytes, by day: for lines that are paid by the byte.
//!
//! Counted where bytes meet the socket, of every connection to the broker, TLS included; what TCP and IP add (about 52
//! bytes a packet) is not. A day is one of UTC. Kept in the journal's state for a month, written every ten minutes and
//! when the uplink takes leave: a gateway that is killed forgets ten minutes at most.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Shared, UplinkError, limits};
use crate::journal::{Change, Effects, Journal, JournalError};
use crate::types::Timestamp;

/// Whose state it is in the journal, and what its keys begin with.
pub const USAGE_OWNER: &str = "uplink";
const KEY: &str = "usage.";

/// What the line carried, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// To the broker.
    pub up_bytes: u64,
    /// From the broker.
    pub down_bytes: u64,
}

impl Usage {
    fn plus(self, other: Self) -> Self {
        Self {
            up_bytes: self.up_bytes.saturating_add(other.up_bytes),
            down_bytes: self.down_bytes.saturating_add(other.down_bytes),
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            up_bytes: self.up_bytes.saturating_sub(before.up_bytes),
            down_bytes: self.down_bytes.saturating_sub(before.down_bytes),
        }
    }

    fn written(self) -> Vec<u8> {
        format!("{} {}", self.up_bytes, self.down_bytes).into_bytes()
    }

    fn read(value: &[u8]) -> Option<Self> {
        let (up, down) = std::str::from_utf8(value).ok()?.split_once(' ')?;
        Some(Self { up_bytes: up.parse().ok()?, down_bytes: down.parse().ok()? })
    }
}

/// The day (`2026-11-22`, UTC) and what it carried, from a key of [`USAGE_OWNER`] and its value.
pub fn usage_of_day(key: &str, value: &[u8]) -> Option<(String, Usage)> {
    Some((key.strip_prefix(KEY)?.to_owned(), Usage::read(value)?))
}

fn day(at: Timestamp) -> String {
    at.to_string().chars().take_while(|c| *c != 'T').collect()
}

/// Counts what every socket of this uplink carries.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    up: AtomicU64,
    down: AtomicU64,
}

impl Traffic {
    fn total(&self) -> Usage {
        Usage { up_bytes: self.up.load(Ordering::Relaxed), down_bytes: self.down.load(Ordering::Relaxed) }
    }
}

/// A socket that counts.
pub(super) struct Counted<S> {
    pub(super) socket: S,
    pub(super) traffic: std::sync::Arc<Traffic>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        self.traffic.down.fetch_add((buf.filled().len() - before) as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write(cx, buf))?;
        self.traffic.up.fetch_add(written as u64, Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write_vectored(cx, bufs))?;
        self.traffic.up.fetch_add(written as u64, Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// Adds up the days.
struct Book<'a> {
    shared: &'a Shared,
    /// What had been counted at the last look.
    seen: Usage,
    day: String,
    today: Usage,
    /// What of it is not on disk yet, and since when.
    unwritten_since: Option<Instant>,
}

/// Looks, until the journal is closed.
pub(super) async fn run(shared: &Shared) -> Result<(), UplinkError> {
    let mut book = Book::open(shared).await.map_err(UplinkError::Journal)?;
    loop {
        tokio::time::sleep(limits::USAGE_LOOK).await;
        book.look(false).await.map_err(UplinkError::Journal)?;
    }
}

/// Writes what is not written yet.
pub(super) async fn close(shared: &Shared) {
    let written = async { Book::open(shared).await?.look(true).await };
    if let Err(error) = written.await {
        tracing::debug!(%error, "the data usage of the last minutes could not be kept");
    }
}

impl<'a> Book<'a> {
    async fn open(shared: &'a Shared) -> Result<Self, JournalError> {
        let day = day(shared.clock.wall().0);
        let today = kept(&shared.journal, &day).await?;
        let seen = *shared.booked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(Self { shared, seen, day, today, unwritten_since: None })
    }

    async fn look(&mut self, leaving: bool) -> Result<(), JournalError> {
        let now = day(self.shared.clock.wall().0);
        let total = self.shared.traffic.total();
        let new = total.since(self.seen);
        self.seen = total;
        self.today = self.today.plus(new);
        if new != Usage::default() {
            self.unwritten_since.get_or_insert(self.shared.clock.now());
        }
        self.shared.meter.note_usage(total, self.today);
        let due = self.unwritten_since.is_some_and(|since| since + limits::USAGE_KEPT <= self.shared.clock.now());
        if self.unwritten_since.is_some() && (due || leaving || now != self.day) {
            self.write().await?;
        }
        if now != self.day {
            self.today = kept(&self.shared.journal, &now).await?;
            self.day = now;
        }
        Ok(())
    }

    /// A journal that cannot write for the moment is asked again after the same while.
    async fn write(&mut self) -> Result<(), JournalError> {
        let key = format!("{KEY}{}", self.day);
        let expires = Some(self.shared.clock.wall().0.plus(limits::USAGE_MEMORY));
        let change = Change { key, value: Some(self.today.written()), expires };
        let effects = Effects { state: vec![change], ..Effects::default() };
        match self.shared.journal.keep(USAGE_OWNER, effects).await {
            Err(JournalError::Closed) => return Err(JournalError::Closed),
            Err(error) => {
                tracing::debug!(%error, "the data usage could not be kept");
                self.unwritten_since = Some(self.shared.clock.now());
            }
            Ok(_no_events) => {
                *self.shared.booked.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = self.seen;
                self.unwritten_since = None;
            }
        }
        Ok(())
    }
}

async fn kept(journal: &Journal, day: &str) -> Result<Usage, JournalError> {
    let value = journal.state(USAGE_OWNER, &format!("{KEY}{day}")).await?;
    Ok(value.and_then(|value| Usage::read(&value)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_read_back_and_nothing_else_is() {
        let usage = Usage { up_bytes: 12, down_bytes: 345 };
        let key = format!("{KEY}{}", day(Timestamp::from_unix_ms(1_763_776_800_000)));
        assert_eq!(usage_of_day(&key, &usage.written()), Some(("2025-11-22".to_owned(), usage)));
        assert_eq!(usage_of_day("other", b"1 2"), None);
        assert_eq!(usage_of_day(&key, b"many"), None);
    }
}
