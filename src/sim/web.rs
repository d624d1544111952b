//! A web server that gives out a few files, as whoever makes content has one.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Longest head of a request, in bytes.
const HEAD_BYTES: usize = 8192;
/// Connections at a time.
const CONNECTIONS: usize = 16;

/// Files by their paths, `/a/b`.
#[derive(Debug)]
pub struct Files {
    listener: TcpListener,
    files: BTreeMap<String, Vec<u8>>,
}

impl Files {
    /// Listens on a free port of this machine.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn bind(files: BTreeMap<String, Vec<u8>>) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        Ok(Self { listener, files })
    }

    /// Where they are: `http://127.0.0.1:PORT`.
    ///
    /// # Errors
    ///
    /// When the listener is gone.
    pub fn url(&self) -> io::Result<String> {
        Ok(format!("http://{}", self.listener.local_addr()?))
    }

    /// Gives them out until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut lines = FuturesUnordered::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.listener.accept(), if lines.len() < CONNECTIONS => {
                    if let Ok((line, _)) = accepted {
                        lines.push(serve(line, &self.files));
                    }
                }
                Some(_gone) = lines.next() => {}
            }
        }
    }
}

async fn serve(mut line: TcpStream, files: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > HEAD_BYTES || line.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match files.get(path) {
        Some(body) => ("200 OK", &body[..]),
        None => ("404 Not Found", &[][..]),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    line.write_all(head.as_bytes()).await?;
    line.write_all(body).await?;
    line.shutdown().await
}
