//! Getting things over HTTP: bounded in size and time, over TLS by the system's certificates.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::redirect::Policy;
use tokio_rustls::rustls::crypto::ring;

use crate::types::Chain;

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(10);
/// Between two pieces of an answer.
const SILENCE: Duration = Duration::from_secs(10);
/// Redirections that are followed.
const REDIRECTS: usize = 3;

/// Why something was not got. Says no address: those may hold passwords.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address is none, the other end is not there, or broke off.
    #[error("{step}: {words}")]
    Failed {
        /// While doing what.
        step: &'static str,
        /// In the client's words, without the address.
        words: String,
    },
    /// The other end refused.
    #[error("the server answered {status}")]
    Status {
        /// Its HTTP status.
        status: u16,
    },
    /// More came than was allowed.
    #[error("the answer has more than {limit} bytes")]
    TooLarge {
        /// So many.
        limit: usize,
    },
    /// It took too long.
    #[error("it was not there within {} s", within.as_secs())]
    TooSlow {
        /// So long.
        within: Duration,
    },
}

/// A client. No proxy: what the box reaches is what its network lets it reach.
///
/// # Errors
///
/// When the system has no usable certificates.
pub fn http_client() -> Result<reqwest::Client, FetchError> {
    // A second one is an error that means nothing: it is the same.
    let _ = ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().redirect(Policy::limited(REDIRECTS));
    let client = client.connect_timeout(CONNECT).read_timeout(SILENCE).pool_max_idle_per_host(0);
    client.build().map_err(|error| failed("making a client", error))
}

/// What the client says, with its causes and without the address.
pub fn failed(step: &'static str, error: reqwest::Error) -> FetchError {
    let error = error.without_url();
    let words = Chain(&error).to_string();
    FetchError::Failed { step, words }
}

/// Gets a whole answer of at most `limit` bytes.
///
/// # Errors
///
/// When it cannot be got within `within`.
pub async fn fetch(url: &str, limit: usize, within: Duration) -> Result<Vec<u8>, FetchError> {
    let got = tokio::time::timeout(within, get(url, limit)).await;
    got.unwrap_or(Err(FetchError::TooSlow { within }))
}

async fn get(url: &str, limit: usize) -> Result<Vec<u8>, FetchError> {
    let answer = http_client()?.get(url).send().await.map_err(|error| failed("asking", error))?;
    if !answer.status().is_success() {
        return Err(FetchError::Status { status: answer.status().as_u16() });
    }
    let mut pieces = answer.bytes_stream();
    let mut whole = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| failed("reading the answer", error))?;
        if whole.len() + piece.len() > limit {
            return Err(FetchError::TooLarge { limit });
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const WITHIN: Duration = Duration::from_secs(20);

    /// A server that gives one answer to whoever comes.
    async fn serving(answer: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = async move {
            let (mut line, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            let _ = line.read(&mut asked).await.unwrap();
            line.write_all(answer).await.unwrap();
        };
        #[expect(clippy::disallowed_methods, reason = "the other end of the wire")]
        tokio::spawn(serve);
        format!("http://{address}/secret-place")
    }

    #[tokio::test]
    async fn an_answer_is_got_whole_and_never_beyond_its_limit() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(fetch(&serving(answer).await, 5, WITHIN).await.unwrap(), b"hello");
        assert!(matches!(fetch(&serving(answer).await, 4, WITHIN).await, Err(FetchError::TooLarge { limit: 4 })));
    }

    #[tokio::test]
    async fn what_goes_wrong_is_said_without_the_address() {
        let gone = fetch(&serving(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await, 5, WITHIN).await;
        assert!(matches!(gone, Err(FetchError::Status { status: 404 })));
        let cut = fetch(&serving(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhell").await, 50, WITHIN).await;
        let nobody = fetch("http://127.0.0.1:1/secret-place", 5, WITHIN).await;
        for error in [cut, nobody] {
            let words = error.unwrap_err().to_string();
            assert!(!words.contains("secret-place") && words.len() > 20, "{words}");
        }
    }
}
