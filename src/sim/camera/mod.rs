//! A network camera: what it films goes out as MJPEG over HTTP, or as H.264 over RTSP.
//!
//! ```text
//! film (a folder, or drawn people with a hidden truth) ──▶ the newest shot ──▶ each connection
//! ```
//!
//! The film begins with the first client and goes on whether anybody looks or not, as a camera's does: who is slow
//! misses pictures. [`Fault`]s make it break off, fall silent, or send what is no picture.

mod face;
mod film;
mod http;
#[cfg(feature = "device-camera")]
mod rtsp;
mod scene;
mod shopper;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use film::{Film, FilmError};
pub use scene::{Scene, SceneSetup, Truth, Way};
pub use shopper::Shopper;

/// Clients at a time; more are hung up on.
const CLIENTS: usize = 16;
/// How long a client may take to say what it wants.
const REQUEST: Duration = Duration::from_secs(10);
/// Longest request.
const REQUEST_BYTES: usize = 8192;

/// One picture.
#[derive(Debug)]
pub struct Shot {
    /// Its number, from 1.
    pub number: u64,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Pixels, RGB.
    pub rgb: Vec<u8>,
    /// The same as a JPEG.
    pub jpeg: Vec<u8>,
}

type Shots = watch::Receiver<Option<Arc<Shot>>>;

/// How the camera speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// Parts with a length.
    Parts,
    /// Parts without one.
    PartsWithoutLength,
    /// One picture after the other, nothing between.
    Bare,
    /// H.264 over RTSP.
    #[cfg(feature = "device-camera")]
    Rtsp,
}

/// What goes wrong, by the number of pictures that a client was sent; a stall by those of the film, so that it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut behind so many.
    Cut(u64),
    /// Nothing more is sent behind so many.
    Stall(u64),
    /// Every so many-th is noise.
    Garbage(u64),
    /// Every so many-th breaks off in the middle.
    Truncated(u64),
    /// The head of every so many-th promises 20,000 x 20,000 pixels.
    Huge(u64),
}

/// What a client gets next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Picture,
    Noise,
    Half,
    Huge,
    Nothing,
    End,
}

impl Fault {
    fn next(fault: Option<Self>, sent: u64, filmed: u64) -> Next {
        let is_its_turn = |every: u64| (sent + 1).is_multiple_of(every.max(1));
        match fault {
            Some(Self::Cut(after)) if sent >= after => Next::End,
            Some(Self::Stall(after)) if filmed > after => Next::Nothing,
            Some(Self::Garbage(every)) if is_its_turn(every) => Next::Noise,
            Some(Self::Truncated(every)) if is_its_turn(every) => Next::Half,
            Some(Self::Huge(every)) if is_its_turn(every) => Next::Huge,
            _ => Next::Picture,
        }
    }
}

/// What a camera is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraSetup {
    /// Where it listens; port 0 chooses one.
    pub listen: SocketAddr,
    /// Pictures a second.
    pub fps: u32,
    /// How it speaks.
    pub speech: Speech,
    /// What goes wrong.
    pub fault: Option<Fault>,
    /// `user:password` that a client must give.
    pub login: Option<String>,
}

/// A camera that listens.
#[derive(Debug)]
pub struct Camera {
    setup: CameraSetup,
    listener: TcpListener,
}

impl Camera {
    /// Listens.
    ///
    /// # Errors
    ///
    /// When the address is taken.
    pub async fn bind(setup: CameraSetup) -> io::Result<Self> {
        let listener = TcpListener::bind(setup.listen).await?;
        Ok(Self { setup, listener })
    }

    /// What the gateway calls it.
    ///
    /// # Errors
    ///
    /// When the socket is gone.
    pub fn url(&self) -> io::Result<String> {
        let address = self.listener.local_addr()?;
        Ok(match self.setup.speech {
            #[cfg(feature = "device-camera")]
            Speech::Rtsp => format!("rtsp://{address}/live"),
            _ => format!("http://{address}/live.mjpg"),
        })
    }

    /// Films until the film is over or it is told to stop; says what is true on the way.
    ///
    /// # Errors
    ///
    /// When a picture of the film cannot be read or encoded.
    pub async fn run(self, film: Film, stop: &CancellationToken, tell: impl FnMut(&Truth)) -> Result<u64, FilmError> {
        let (newest, shots) = watch::channel(None);
        let mut clients = JoinSet::new();
        let accepted = tokio::select! {
            accepted = self.listener.accept() => accepted,
            () = stop.cancelled() => return Ok(0),
        };
        let Ok((first, _)) = accepted else { return Ok(0) };
        self.welcome(&mut clients, first, &shots);
        let filming = film.play(self.setup.fps, newest, stop, tell);
        let mut filming = std::pin::pin!(filming);
        let filmed = loop {
            tokio::select! {
                filmed = &mut filming => break filmed,
                Ok((client, _)) = self.listener.accept() => {
                    while clients.try_join_next().is_some() {}
                    self.welcome(&mut clients, client, &shots);
                }
            }
        };
        // The last picture is still on its way; whoever does not take it is not waited for.
        let ends = async { while clients.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_secs(1), ends).await;
        filmed
    }

    fn welcome(&self, clients: &mut JoinSet<()>, client: TcpStream, shots: &Shots) {
        if clients.len() >= CLIENTS {
            return;
        }
        let (setup, shots) = (self.setup.clone(), shots.clone());
        clients.spawn(async move {
            // A client that goes is no failure of the camera.
            let _ = match setup.speech {
                #[cfg(feature = "device-camera")]
                Speech::Rtsp => rtsp::serve(client, &setup, shots).await,
                _ => http::serve(client, &setup, shots).await,
            };
        });
    }
}

/// Whether a request's head carries the login that is wanted, in the basic form (RFC 7617).
fn is_let_in(head: &str, login: Option<&str>) -> bool {
    let Some(login) = login else { return true };
    let wanted = base64(login.as_bytes());
    head.lines().any(|line| {
        let Some((name, value)) = line.split_once(':') else { return false };
        name.eq_ignore_ascii_case("authorization") && value.trim() == format!("Basic {wanted}")
    })
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0_usize, |word, byte| word << 8 | usize::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let sign = char::from(SIGNS[word >> (18 - 6 * place) & 63]);
            text.push(if place <= three.len() { sign } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648, section 10, and RFC 7617, section 2.
    #[test]
    fn a_login_is_written_as_the_documents_write_it() {
        let examples = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        assert!(examples.iter().all(|(plain, text)| base64(plain.as_bytes()) == *text));
        let head = "GET / HTTP/1.1\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n";
        assert!(is_let_in(head, Some("Aladdin:open sesame")) && !is_let_in(head, Some("Aladdin:open")));
        assert!(is_let_in("", None));
    }

    #[test]
    fn faults_come_when_they_are_told_to() {
        let all = |fault: Fault| (0..6).map(|sent| Fault::next(Some(fault), sent, sent + 1)).collect::<Vec<_>>();
        assert_eq!(all(Fault::Cut(2))[1..3], [Next::Picture, Next::End]);
        assert_eq!(all(Fault::Stall(5))[4..], [Next::Picture, Next::Nothing]);
        assert_eq!(all(Fault::Huge(3)).iter().filter(|next| **next == Next::Huge).count(), 2);
        assert_eq!(Fault::next(None, 9, 9), Next::Picture);
    }
}
