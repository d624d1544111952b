//! A kiosk's browser by its debugging port: the little of the Chrome DevTools Protocol that brings a page back.
//!
//! Two documents over HTTP (`/json/list`, `/json/version`), and one message over a WebSocket (RFC 6455). The port is on
//! this machine only; whoever reaches it owns the browser.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http::{FetchError, fetch};

/// Until the browser must have answered.
const WITHIN: Duration = Duration::from_secs(3);
/// Largest document that is read, in bytes.
const DOCUMENT_BYTES: usize = 1 << 20;
/// Largest answer to a handshake, in bytes.
const HANDSHAKE_BYTES: usize = 4096;

/// Why a browser did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// Its debugging port does not answer.
    #[error("its debugging port does not answer")]
    Away(#[source] FetchError),
    /// It has no page at all, or says something else.
    #[error("it says nothing of a page")]
    NoPage,
    /// The connection broke.
    #[error("its connection broke")]
    Broken(#[source] io::Error),
}

#[derive(Deserialize)]
struct Target {
    #[serde(default)]
    r#type: String,
    #[serde(default, rename = "webSocketDebuggerUrl")]
    socket: String,
}

#[derive(Serialize)]
struct Call<'a> {
    id: u32,
    method: &'a str,
}

/// Has the browser load its page anew, whatever it shows now: also one whose renderer has died.
///
/// # Errors
///
/// When the browser does not take it.
pub async fn reload(browser: SocketAddr) -> Result<(), BrowserError> {
    let page = socket_of(browser, "list", "page").await?;
    call(browser, &page, "Page.reload").await
}

/// Has the browser end; whoever keeps it running starts it anew.
///
/// # Errors
///
/// When the browser does not take it.
pub async fn close(browser: SocketAddr) -> Result<(), BrowserError> {
    let whole = socket_of(browser, "version", "").await?;
    call(browser, &whole, "Browser.close").await
}

/// The path of a WebSocket that the browser names.
async fn socket_of(browser: SocketAddr, document: &str, kind: &str) -> Result<String, BrowserError> {
    let url = format!("http://{browser}/json/{document}");
    let text = fetch(&url, DOCUMENT_BYTES, WITHIN).await.map_err(BrowserError::Away)?;
    let targets: Vec<Target> = match kind {
        "" => serde_json::from_slice(&text).map(|target| vec![target]),
        _ => serde_json::from_slice(&text),
    }
    .map_err(|_| BrowserError::NoPage)?;
    let target = targets.into_iter().find(|target| target.r#type == kind).ok_or(BrowserError::NoPage)?;
    // ws://HOST/devtools/…: the host is the one that was asked.
    let path = target.socket.strip_prefix("ws://").and_then(|rest| rest.find('/').map(|at| rest[at..].to_owned()));
    path.filter(|path| path.bytes().all(|byte| byte.is_ascii_graphic())).ok_or(BrowserError::NoPage)
}

async fn call(browser: SocketAddr, path: &str, method: &str) -> Result<(), BrowserError> {
    let message = serde_json::to_vec(&Call { id: 1, method }).unwrap_or_default();
    let done = tokio::time::timeout(WITHIN, exchange(browser, path, &message)).await;
    done.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(BrowserError::Broken)
}

/// Opens the socket, sends one text, and waits for the beginning of an answer.
async fn exchange(browser: SocketAddr, path: &str, message: &[u8]) -> io::Result<()> {
    let mut line = TcpStream::connect(browser).await?;
    // The key is of no use against anybody (RFC 6455, 10.8); it only has to be 16 bytes in Base64.
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {browser}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: c21hcnRzdG9yZS1raW9zaw==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    line.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        if answer.len() > HANDSHAKE_BYTES || line.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    if !answer.starts_with(b"HTTP/1.1 101") {
        return Err(io::Error::other("the browser refuses the connection"));
    }
    line.write_all(&text_frame(message)).await?;
    line.read_u8().await.map(|_| ())
}

/// One final text frame, masked as a client's must be (RFC 6455, 5.2); the mask is zero: it protects proxies, and there
/// is none on this machine.
fn text_frame(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u16::try_from(message.len()) {
        Ok(length) if length < 126 => frame.push(0x80 | length.to_be_bytes()[1]),
        Ok(length) => {
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend((message.len() as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(message);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_says_its_length_and_is_masked() {
        // RFC 6455, 5.7: "Hello" masked is 81 85 and the mask; the mask here is zero.
        assert_eq!(text_frame(b"Hello"), [&[0x81, 0x85, 0, 0, 0, 0], &b"Hello"[..]].concat());
        assert_eq!(text_frame(&[b'x'; 256])[..8], [0x81, 0xfe, 0x01, 0x00, 0, 0, 0, 0]);
        assert_eq!(text_frame(&vec![b'x'; 65_536])[..10], [0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
