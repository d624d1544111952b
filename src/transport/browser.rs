//! A kiosk's browser by its debugging port: the little of the Chrome DevTools Protocol that brings a page back, and
//! gives a picture of it.
//!
//! Two documents over HTTP (`/json/list`, `/json/version`), and some messages over a WebSocket (RFC 6455). The port is
//! on this machine only; whoever reaches it owns the browser.
//!
//! A picture is the first frame of a screencast: the browser scales it while it copies it. `Page.captureScreenshot`
//! with a scale works by emulating another device for a moment, on a screen that people look at.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::http::{FetchError, fetch};

/// Until the browser must have answered.
const WITHIN: Duration = Duration::from_secs(3);
/// Largest document that is read, in bytes.
const DOCUMENT_BYTES: usize = 1 << 20;
/// Largest answer to a handshake, in bytes.
const HANDSHAKE_BYTES: usize = 4096;
/// Largest message of the browser that is read, in bytes: a picture has some 100 kB, in Base64 a third more.
const MESSAGE_BYTES: usize = 2 << 20;
/// Messages that are read until one is what was waited for: the browser tells of much that was not asked for.
const MESSAGES: usize = 256;
/// Longest side of a picture, in pixels.
const SIDE: u32 = 960;
/// Its quality, as JPEG has it.
const QUALITY: u8 = 50;

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
    /// Its page is not the one that was asked about, or not any more.
    #[error("it shows another page")]
    OtherPage,
    /// What it gave is no picture.
    #[error("it gives no picture")]
    NoPicture,
}

#[derive(Deserialize)]
struct Target {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    url: String,
    #[serde(default, rename = "webSocketDebuggerUrl")]
    socket: String,
}

#[derive(Serialize)]
struct Call<'a, P> {
    id: u32,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<P>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cast {
    format: &'static str,
    quality: u8,
    max_width: u32,
    max_height: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Evaluate {
    expression: &'static str,
    return_by_value: bool,
}

/// What tells an answer or an event from the others.
#[derive(Deserialize)]
struct Marked {
    #[serde(default)]
    id: u32,
    #[serde(default)]
    method: String,
}

#[derive(Deserialize)]
struct Frame {
    params: FrameParams,
}

#[derive(Deserialize)]
struct FrameParams {
    data: String,
}

#[derive(Deserialize)]
struct Evaluated {
    result: EvaluatedResult,
}

#[derive(Deserialize)]
struct EvaluatedResult {
    result: Value,
}

#[derive(Deserialize)]
struct Value {
    #[serde(default)]
    value: String,
}

/// A page, as it says of itself what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageName {
    /// The path of its address: `/s/screen-1`.
    pub path: String,
    /// What stands in its body's `data-kind`.
    pub kind: &'static str,
}

/// Has the browser load its page anew, whatever it shows now: also one whose renderer has died.
///
/// # Errors
///
/// When the browser does not take it.
pub async fn reload(browser: SocketAddr) -> Result<(), BrowserError> {
    let page = socket_of(browser, "list", "page", None).await?;
    call(browser, &page, "Page.reload").await
}

/// Has the browser end; whoever keeps it running starts it anew.
///
/// # Errors
///
/// When the browser does not take it.
pub async fn close(browser: SocketAddr) -> Result<(), BrowserError> {
    let whole = socket_of(browser, "version", "", None).await?;
    call(browser, &whole, "Browser.close").await
}

/// A picture of a page as it is painted: a JPEG of at most 960 pixels a side. The page is asked what it is before and
/// after, and one that is another, or has become another meanwhile, gives none.
///
/// # Errors
///
/// When there is no such page, or no picture of it within three seconds.
pub async fn picture(browser: SocketAddr, page: &PageName) -> Result<Bytes, BrowserError> {
    let path = socket_of(browser, "list", "page", Some(&page.path)).await?;
    let taken = tokio::time::timeout(WITHIN, take(browser, &path, page)).await;
    taken.unwrap_or_else(|_| Err(BrowserError::Broken(io::ErrorKind::TimedOut.into())))
}

async fn take(browser: SocketAddr, path: &str, page: &PageName) -> Result<Bytes, BrowserError> {
    let mut line = Line::open(browser, path).await.map_err(BrowserError::Broken)?;
    line.is_at(page).await?;
    line.send("Page.enable", None::<()>).await?;
    let cast = Cast { format: "jpeg", quality: QUALITY, max_width: SIDE, max_height: SIDE };
    line.send("Page.startScreencast", Some(cast)).await?;
    let frame = line.until(|marked| marked.method == "Page.screencastFrame").await?;
    line.send("Page.stopScreencast", None::<()>).await?;
    line.is_at(page).await?;
    let frame: Frame = serde_json::from_slice(&frame).map_err(|_| BrowserError::NoPicture)?;
    let jpeg = base64_decode(&frame.params.data).filter(|bytes| bytes.starts_with(&[0xff, 0xd8, 0xff]));
    jpeg.map(Bytes::from).ok_or(BrowserError::NoPicture)
}

/// The path of a WebSocket that the browser names; `shows`: of the page with that path.
async fn socket_of(
    browser: SocketAddr,
    document: &str,
    kind: &str,
    shows: Option<&str>,
) -> Result<String, BrowserError> {
    let url = format!("http://{browser}/json/{document}");
    let text = fetch(&url, DOCUMENT_BYTES, WITHIN).await.map_err(BrowserError::Away)?;
    let targets: Vec<Target> = match kind {
        "" => serde_json::from_slice(&text).map(|target| vec![target]),
        _ => serde_json::from_slice(&text),
    }
    .map_err(|_| BrowserError::NoPage)?;
    let mut targets = targets.into_iter().filter(|target| target.r#type == kind).peekable();
    targets.peek().ok_or(BrowserError::NoPage)?;
    let target = targets.find(|target| shows.is_none_or(|path| path_of(&target.url) == Some(path)));
    let target = target.ok_or(BrowserError::OtherPage)?;
    // ws://HOST/devtools/…: the host is the one that was asked.
    let path = target.socket.strip_prefix("ws://").and_then(|rest| rest.find('/').map(|at| rest[at..].to_owned()));
    path.filter(|path| path.bytes().all(|byte| byte.is_ascii_graphic())).ok_or(BrowserError::NoPage)
}

/// The path of an address.
fn path_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let path = &rest[rest.find('/')?..];
    path.split(['?', '#']).next()
}

async fn call(browser: SocketAddr, path: &str, method: &str) -> Result<(), BrowserError> {
    let exchange = async {
        let mut line = Line::open(browser, path).await.map_err(BrowserError::Broken)?;
        let id = line.send(method, None::<()>).await?;
        line.until(|marked| marked.id == id).await.map(drop)
    };
    let done = tokio::time::timeout(WITHIN, exchange).await;
    done.unwrap_or_else(|_| Err(BrowserError::Broken(io::ErrorKind::TimedOut.into())))
}

/// A WebSocket to a page, or to the browser.
struct Line {
    stream: BufReader<TcpStream>,
    asked: u32,
}

impl Line {
    async fn open(browser: SocketAddr, path: &str) -> io::Result<Self> {
        let mut stream = BufReader::new(TcpStream::connect(browser).await?);
        // The key is of no use against anybody (RFC 6455, 10.8); it only has to be 16 bytes in Base64.
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {browser}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: c21hcnRzdG9yZS1raW9zaw==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() > HANDSHAKE_BYTES {
                return Err(io::ErrorKind::InvalidData.into());
            }
            answer.push(stream.read_u8().await?);
        }
        if !answer.starts_with(b"HTTP/1.1 101") {
            return Err(io::Error::other("the browser refuses the connection"));
        }
        Ok(Self { stream, asked: 0 })
    }

    /// Asks for something; the number of the answer.
    async fn send(&mut self, method: &str, params: Option<impl Serialize>) -> Result<u32, BrowserError> {
        self.asked += 1;
        let message = serde_json::to_vec(&Call { id: self.asked, method, params }).unwrap_or_default();
        self.stream.write_all(&text_frame(&message)).await.map_err(BrowserError::Broken)?;
        Ok(self.asked)
    }

    /// The next message that is what is waited for.
    async fn until(&mut self, is: impl Fn(&Marked) -> bool) -> Result<Vec<u8>, BrowserError> {
        for _ in 0..MESSAGES {
            let message = read_message(&mut self.stream).await.map_err(BrowserError::Broken)?;
            if serde_json::from_slice(&message).is_ok_and(|marked| is(&marked)) {
                return Ok(message);
            }
        }
        Err(BrowserError::NoPicture)
    }

    /// Whether the page says that it is that one.
    async fn is_at(&mut self, page: &PageName) -> Result<(), BrowserError> {
        let expression = "location.pathname + ' ' + (document.body ? document.body.dataset.kind : '')";
        let id = self.send("Runtime.evaluate", Some(Evaluate { expression, return_by_value: true })).await?;
        let answer = self.until(|marked| marked.id == id).await?;
        let evaluated: Evaluated = serde_json::from_slice(&answer).map_err(|_| BrowserError::OtherPage)?;
        let is = evaluated.result.result.value == format!("{} {}", page.path, page.kind);
        is.then_some(()).ok_or(BrowserError::OtherPage)
    }
}

/// The next whole message (RFC 6455, 5.2 and 5.4); control frames but the close are passed over.
async fn read_message(stream: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let [first, second] = [stream.read_u8().await?, stream.read_u8().await?];
        // A server masks nothing.
        if second & 0x80 != 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let length = match second {
            126 => u64::from(stream.read_u16().await?),
            127 => stream.read_u64().await?,
            short => u64::from(short),
        };
        let room = (MESSAGE_BYTES - message.len()) as u64;
        let length = usize::try_from(length.min(room + 1)).unwrap_or(usize::MAX);
        if length as u64 > room {
            return Err(io::Error::other("the browser says more than is read"));
        }
        let begins = message.len();
        message.resize(begins + length, 0);
        stream.read_exact(&mut message[begins..]).await?;
        match first & 0x0f {
            0..=2 if first & 0x80 != 0 => return Ok(message),
            0..=2 => {}
            8 => return Err(io::ErrorKind::ConnectionReset.into()),
            _ => message.truncate(begins),
        }
    }
}

/// RFC 4648, section 4; `None` when it is none.
fn base64_decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    let sextet = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 3);
    for four in digits.chunks(4) {
        let mut word = 0_u32;
        for digit in four {
            word = word << 6 | u32::from(sextet(*digit)?);
        }
        word <<= 6 * (4 - four.len());
        let count = match four.len() {
            1 => return None,
            many => many - 1,
        };
        bytes.extend(&word.to_be_bytes()[1..=count]);
    }
    Some(bytes)
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

    async fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        read_message(&mut &*bytes).await
    }

    #[tokio::test]
    async fn messages_are_read_whole_in_pieces_and_not_beyond_their_bound() {
        // RFC 6455, 5.7: unmasked; in two pieces; a ping between them.
        assert_eq!(read(&[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]).await.unwrap(), b"Hello");
        let pieces = [0x01, 0x03, 0x48, 0x65, 0x6c, 0x89, 0x02, 0x58, 0x58, 0x80, 0x02, 0x6c, 0x6f];
        assert_eq!(read(&pieces).await.unwrap(), b"Hello");
        let long = [&[0x82, 0x7e, 0x01, 0x00], &[7; 256][..]].concat();
        assert_eq!(read(&long).await.unwrap(), [7; 256]);
        let longer = [&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0], &[7; 65_536][..]].concat();
        assert_eq!(read(&longer).await.unwrap().len(), 65_536);
        for wrong in [
            &[0x81, 0x85, 0, 0, 0, 0, 0x48][..],
            &[0x88, 0x00],
            &[0x82, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x82, 0x7f, 0, 0, 0, 0, 0x7f, 0, 0, 0],
            &[0x81, 0x05, 0x48],
        ] {
            assert!(read(wrong).await.is_err(), "{wrong:x?}");
        }
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        // RFC 4648, section 10.
        let vectors =
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"), ("Zm9vYmFy", "foobar")];
        for (text, bytes) in vectors {
            assert_eq!(base64_decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(base64_decode("/+8="), Some(vec![0xff, 0xef]));
        for wrong in ["Z", "Zm9vY", "Zm 9", "Zm9_"] {
            assert_eq!(base64_decode(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_page_is_known_by_its_path_alone() {
        assert_eq!(path_of("http://127.0.0.1:8480/s/screen-1?lang=en#x"), Some("/s/screen-1"));
        assert_eq!(path_of("https://shop.example/s/screen-1"), Some("/s/screen-1"));
        assert_eq!((path_of("about:blank"), path_of("data:text/html,/s/screen-1")), (None, None));
    }
}
