//! A non-blocking descriptor as an asynchronous byte stream.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A line to a device: any open descriptor that can be polled. Closed when dropped.
#[derive(Debug)]
pub struct Line<T: AsFd + AsRawFd> {
    inner: AsyncFd<T>,
}

impl<T: AsFd + AsRawFd> Line<T> {
    /// Takes an open descriptor and makes it non-blocking. Needs a tokio runtime.
    pub fn new(open: T) -> io::Result<Self> {
        set_nonblocking(open.as_fd())?;
        Ok(Self { inner: register(open)? })
    }

    /// What was opened.
    pub fn opened(&self) -> &T {
        self.inner.get_ref()
    }
}

#[expect(unsafe_code, reason = "tokio cannot check that a descriptor stays open")]
fn register<T: AsFd + AsRawFd>(open: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: the owner is moved into the `AsyncFd`, is never lent out mutably or taken back, and holds one and the
    // same descriptor open until it is dropped, which `AsyncFd` does after deregistering.
    Ok(unsafe { AsyncFd::register(open) }?)
}

pub(super) fn set_nonblocking(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(descriptor)?;
    Ok(rustix::fs::fcntl_setfl(descriptor, flags | rustix::fs::OFlags::NONBLOCK)?)
}

impl<T: AsFd + AsRawFd + Unpin> AsyncRead for Line<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.inner.poll_read_ready(cx))?;
            let read = guard.try_io(|inner| Ok(rustix::io::read(inner.get_ref(), buf.initialize_unfilled())?));
            match read {
                Ok(Ok(count)) => {
                    buf.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_not_ready_after_all) => {}
            }
        }
    }
}

impl<T: AsFd + AsRawFd + Unpin> AsyncWrite for Line<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.inner.poll_write_ready(cx))?;
            match guard.try_io(|inner| Ok(rustix::io::write(inner.get_ref(), bytes)?)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(written) => return Poll::Ready(written),
                Err(_not_ready_after_all) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
