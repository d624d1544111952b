//! H.264 from a network camera: RTSP 1.0, everything over the one TCP connection (RFC 2326, section 10.12), RTP
//! payload of RFC 6184.
//!
//! No UDP: the client library has no reorder buffer for it. Each step has a bound of its own, because the library waits
//! for ever.

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Url;
use retina::client::{
    Credentials, Demuxed, Described, PlayOptions, Session, SessionIdPolicy, SessionOptions, SetupOptions,
};
use retina::codec::{CodecItem, FrameFormat, ParametersRef};

use super::Login;

/// One access unit: a picture's NAL units, each behind a start code (Annex B), parameter sets before key pictures.
pub struct AccessUnit {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether decoding may begin here.
    pub is_key: bool,
    /// RTP packets that were lost on the way to it.
    pub lost: u16,
}

/// A camera that plays.
pub struct RtspStream {
    session: Demuxed,
    stream: usize,
}

/// Asks for a URL's H.264 stream and lets it play. A login in the URL is used, and one that is given beside it comes
/// before.
///
/// # Errors
///
/// When a step is not answered within `most`, the camera refuses, or has no H.264. The words name no URL.
pub async fn rtsp_stream(url: &str, login: Option<&Login>, most: Duration) -> io::Result<RtspStream> {
    let (url, of_url) = without_login(url)?;
    let login = login.cloned().or(of_url);
    let credentials = login.map(|Login { user, password }| Credentials { username: user, password });
    let options = SessionOptions::default()
        .creds(credentials)
        .session_id(SessionIdPolicy::UseFirst)
        .user_agent("smartstore".to_owned());
    let mut session = within(most, "describe its streams", Session::describe(url, options)).await?;
    let stream = h264_of(&session)?;
    let setup = SetupOptions::default().frame_format(FrameFormat::SIMPLE);
    within(most, "set its stream up", session.setup(stream, setup)).await?;
    let session = within(most, "play", session.play(PlayOptions::default())).await?;
    let session = session.demuxed().map_err(|error| refused("play", &error))?;
    Ok(RtspStream { session, stream })
}

impl RtspStream {
    /// The next picture; nothing: the camera has ended the stream.
    ///
    /// # Errors
    ///
    /// When the connection breaks, what comes is no H.264, or nothing comes within `most`.
    pub async fn next(&mut self, most: Duration) -> io::Result<Option<AccessUnit>> {
        loop {
            let item = tokio::time::timeout(most, self.session.next()).await;
            let item = item.map_err(|_| silent("send a picture", most))?;
            match item.transpose().map_err(|error| refused("send a picture", &error))? {
                Some(CodecItem::VideoFrame(frame)) => {
                    let (is_key, lost) = (frame.is_random_access_point(), frame.loss());
                    return Ok(Some(AccessUnit { bytes: frame.into_data(), is_key, lost }));
                }
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// Columns and rows, as the stream's parameters say; known from the first key picture on.
    #[must_use]
    pub fn size(&self) -> Option<(u32, u32)> {
        match self.session.streams().get(self.stream)?.parameters()? {
            ParametersRef::Video(video) => Some(video.coded_pixel_dimensions()),
            _ => None,
        }
    }
}

fn h264_of(session: &Session<Described>) -> io::Result<usize> {
    let streams = session.streams();
    let video = || streams.iter().filter(|stream| stream.media() == "video");
    let found = streams.iter().position(|stream| stream.media() == "video" && stream.encoding_name() == "h264");
    found.ok_or_else(|| {
        let names: Vec<_> = video().map(|stream| stream.encoding_name().to_uppercase()).collect();
        let words = match names.is_empty() {
            true => "the camera has no video at this URL".to_owned(),
            false => format!("the camera speaks {} here; ask for its H.264 stream", names.join(", ")),
        };
        io::Error::new(io::ErrorKind::Unsupported, words)
    })
}

/// The URL without who logs in, and who does.
fn without_login(text: &str) -> io::Result<(Url, Option<Login>)> {
    let wrong = |_| io::Error::new(io::ErrorKind::InvalidInput, "this is no URL");
    let mut url = Url::parse(text).map_err(wrong)?;
    let plain = |part: &str| percent_decoded(part);
    let login = (!url.username().is_empty())
        .then(|| Login { user: plain(url.username()), password: plain(url.password().unwrap_or_default()) });
    // A URL with a host always takes these.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Ok((url, login))
}

fn percent_decoded(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                out.push(byte);
                rest = &behind[2..];
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

async fn within<T>(
    most: Duration,
    step: &str,
    asking: impl Future<Output = Result<T, retina::Error>>,
) -> io::Result<T> {
    let answer = tokio::time::timeout(most, asking).await.map_err(|_| silent(step, most))?;
    answer.map_err(|error| refused(step, &error))
}

fn silent(step: &str, most: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("the camera does not {step} within {} s", most.as_secs()))
}

fn refused(step: &str, error: &retina::Error) -> io::Error {
    let kind = match error.status_code() {
        Some(401 | 403) => return io::Error::new(io::ErrorKind::PermissionDenied, "the camera wants another login"),
        Some(404) => return io::Error::new(io::ErrorKind::NotFound, "the camera has no stream of this name"),
        Some(status) if status >= 300 => {
            return io::Error::other(format!("the camera does not {step}: RTSP status {status}"));
        }
        _ => io::ErrorKind::Other,
    };
    // The first line says what went wrong; those behind it show the conversation, with the URL in it.
    let words = error.to_string();
    let first = words.lines().next().unwrap_or_default();
    io::Error::new(kind, format!("the camera does not {step}: {first}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_logs_in_is_taken_out_of_the_url() {
        let (url, login) = without_login("rtsp://ad%40min:se%3Acret@10.0.0.7:554/live?x=1").unwrap();
        assert_eq!(url.as_str(), "rtsp://10.0.0.7:554/live?x=1");
        let login = login.unwrap();
        assert_eq!((login.user.as_str(), login.password.as_str()), ("ad@min", "se:cret"));
        assert!(without_login("rtsp://10.0.0.7/").unwrap().1.is_none());
    }
}
