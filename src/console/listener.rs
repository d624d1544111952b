//! Connections: so many at once, with TLS where there is a certificate.
//!
//! A handshake is given 10 s and holds nobody else up.
//!
//! Limits: 128 connections, handshakes included; who comes then waits in the kernel's queue.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::server::TlsStream;

use crate::transport::TlsServer;

const CONNECTIONS: usize = 128;
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After an accept that failed for want of descriptors.
const RECOVER: Duration = Duration::from_millis(200);

/// What carries a request.
trait Carrier: AsyncRead + AsyncWrite + Unpin + Send {}
impl Carrier for TcpStream {}
impl Carrier for TlsStream<TcpStream> {}

/// A connection and its place among the others.
pub(super) struct Connection {
    io: Box<dyn Carrier>,
    _place: OwnedSemaphorePermit,
}

type Handshake = BoxFuture<'static, Option<(Connection, SocketAddr)>>;

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// The console's listener.
pub(super) struct Door {
    listener: TcpListener,
    tls: Option<TlsServer>,
    places: Arc<Semaphore>,
    handshakes: FuturesUnordered<Handshake>,
}

impl Door {
    pub(super) fn new(listener: TcpListener, tls: Option<TlsServer>) -> Self {
        let (places, handshakes) = (Arc::new(Semaphore::new(CONNECTIONS)), FuturesUnordered::new());
        Self { listener, tls, places, handshakes }
    }
}

async fn next(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(places).acquire_owned().await else { return std::future::pending().await };
        match listener.accept().await {
            Ok((stream, from)) => return (stream, from, place),
            Err(error) => {
                tracing::debug!(%error, "a connection to the console did not come about");
                tokio::time::sleep(RECOVER).await;
            }
        }
    }
}

async fn shake(
    tls: TlsServer,
    stream: TcpStream,
    from: SocketAddr,
    place: OwnedSemaphorePermit,
) -> Option<(Connection, SocketAddr)> {
    let shaken = tokio::time::timeout(HANDSHAKE, tls.acceptor().accept(stream)).await;
    match shaken {
        Ok(Ok(stream)) => Some((Connection { io: Box::new(stream), _place: place }, from)),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake with the console failed");
            None
        }
        Err(_) => None,
    }
}

impl Listener for Door {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let (stream, from, place) = tokio::select! {
                Some(shaken) = self.handshakes.next() => match shaken {
                    Some(connection) => return connection,
                    None => continue,
                },
                accepted = next(&self.listener, &self.places) => accepted,
            };
            let _small_answers_may_wait = stream.set_nodelay(true);
            match &self.tls {
                None => return (Connection { io: Box::new(stream), _place: place }, from),
                Some(tls) => self.handshakes.push(Box::pin(shake(tls.clone(), stream, from, place))),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
