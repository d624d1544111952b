//! As much of HTTP/1.1 (RFC 9112) as a box needs that pushes: one POST with a length, one answer, the end.

use std::ops::Range;

use super::limits::{HEAD_BYTES, HEADERS, REQUEST_BYTES};

/// How far a request has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// More bytes are needed.
    More {
        /// The other end waits for leave to send the body (`Expect: 100-continue`).
        waits: bool,
    },
    /// It is whole; its body stands there.
    Whole(Range<usize>),
    /// It will not be taken: answer with this status and hang up.
    Refused(Status),
}

/// Status codes that are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The list was taken.
    Ok,
    /// It is no request, or its body is no list.
    Bad,
    /// The box is not the configured one.
    Forbidden,
    /// Nothing is there under this path.
    NotFound,
    /// Only POST is taken.
    NoPost,
    /// It took too long.
    Timeout,
    /// A length is needed: pieces (`chunked`) are not taken.
    NoLength,
    /// Too long.
    TooLarge,
}

impl Status {
    /// The whole answer; the connection ends with it.
    pub const fn answer(self) -> &'static str {
        match self {
            Self::Ok => {
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
            }
            Self::Bad => "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            Self::Forbidden => "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            Self::NotFound => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            Self::NoPost => {
                "HTTP/1.1 405 Method Not Allowed\r\nAllow: POST\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            }
            Self::Timeout => "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            Self::NoLength => "HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            Self::TooLarge => "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        }
    }
}

/// Leave to send the body.
pub const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

/// Looks at what has come so far of a request for `path`, which begins with a slash. What stands behind a `?` in the
/// request's target is left alone.
pub fn examine(bytes: &[u8], path: &str) -> Progress {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let head_bytes = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES => return Progress::More { waits: false },
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Progress::Refused(Status::TooLarge);
        }
        Err(_) => return Progress::Refused(Status::Bad),
    };
    let target = request.path.and_then(|target| target.split('?').next());
    if target != Some(path) {
        return Progress::Refused(Status::NotFound);
    }
    if request.method != Some("POST") {
        return Progress::Refused(Status::NoPost);
    }
    let header = |name: &str| {
        let named = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value.trim_ascii())
    };
    if header("transfer-encoding").is_some() {
        return Progress::Refused(Status::NoLength);
    }
    let Some(length) = header("content-length") else { return Progress::Refused(Status::NoLength) };
    let length = std::str::from_utf8(length).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    let Some(length) = length.filter(|digits| !digits.is_empty()) else { return Progress::Refused(Status::Bad) };
    let end = length.parse().ok().and_then(|length: usize| head_bytes.checked_add(length));
    match end.filter(|end| *end <= REQUEST_BYTES) {
        None => Progress::Refused(Status::TooLarge),
        Some(end) if bytes.len() >= end => Progress::Whole(head_bytes..end),
        Some(_) => {
            let waits = header("expect").is_some_and(|expected| expected.eq_ignore_ascii_case(b"100-continue"));
            Progress::More { waits }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUSH: &[u8] =
        b"POST /datasky?x=1 HTTP/1.1\r\nHost: box\r\nContent-Type: application/json\r\ncontent-length: 2\r\n\r\n{}";

    fn refused(text: &str) -> Option<Status> {
        match examine(text.as_bytes(), "/datasky") {
            Progress::Refused(status) => Some(status),
            _ => None,
        }
    }

    #[test]
    fn a_post_is_whole_when_its_last_byte_is_there() {
        let body = PUSH.len() - 2..PUSH.len();
        assert_eq!(examine(PUSH, "/datasky"), Progress::Whole(body));
        for length in 0..PUSH.len() {
            assert_eq!(examine(&PUSH[..length], "/datasky"), Progress::More { waits: false }, "at {length}");
        }
    }

    #[test]
    fn who_asks_for_leave_is_heard_once_the_head_is_there() {
        let head = "POST /datasky HTTP/1.1\r\nContent-Length: 9\r\nExpect: 100-Continue\r\n\r\n";
        assert_eq!(examine(head.as_bytes(), "/datasky"), Progress::More { waits: true });
    }

    #[test]
    fn what_is_not_wanted_is_refused_by_its_number() {
        let post = |rest: &str| format!("POST /datasky HTTP/1.1\r\n{rest}\r\n\r\n");
        assert_eq!(refused("GET /datasky HTTP/1.1\r\n\r\n"), Some(Status::NoPost));
        assert_eq!(refused("POST /../etc/passwd HTTP/1.1\r\n\r\n"), Some(Status::NotFound));
        assert_eq!(refused("\u{1}\u{2}\r\n\r\n"), Some(Status::Bad));
        assert_eq!(refused(&post("Transfer-Encoding: chunked")), Some(Status::NoLength));
        assert_eq!(refused(&post("Host: x")), Some(Status::NoLength));
        assert_eq!(refused(&post("Content-Length: -1")), Some(Status::Bad));
        assert_eq!(refused(&post("Content-Length: +1")), Some(Status::Bad));
        assert_eq!(refused(&post("Content-Length: 99999999")), Some(Status::TooLarge));
        assert_eq!(refused(&post("Content-Length: 99999999999999999999999")), Some(Status::TooLarge));
        assert_eq!(refused(&post(&"X: y\r\n".repeat(HEADERS + 1))), Some(Status::TooLarge));
        assert_eq!(refused(&format!("POST /{}", "x".repeat(HEAD_BYTES))), Some(Status::TooLarge));
    }
}
