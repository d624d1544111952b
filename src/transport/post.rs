//! Asking a web server as a page does: whole answers, posts, and a stream of events.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;

use super::http::{FetchError, failed, http_client};

/// A client that keeps to small things.
#[derive(Debug, Clone)]
pub struct Web(reqwest::Client);

/// An answer that goes on for as long as the other end sends.
#[derive(Debug)]
pub struct Stream(reqwest::Response);

impl Web {
    /// Ready to ask.
    ///
    /// # Errors
    ///
    /// When the system has no usable certificates.
    pub fn new() -> Result<Self, FetchError> {
        http_client().map(Self)
    }

    /// Posts JSON; the status of the answer, and what it says.
    ///
    /// # Errors
    ///
    /// When nobody answers `within`.
    pub async fn post(&self, url: &str, json: String, within: Duration) -> Result<(u16, Bytes), FetchError> {
        let posted = async {
            let request = self.0.post(url).header(CONTENT_TYPE, "application/json").body(json);
            let answer = request.send().await.map_err(|error| failed("posting", error))?;
            let status = answer.status().as_u16();
            let body = answer.bytes().await.map_err(|error| failed("reading the answer", error))?;
            Ok((status, body))
        };
        tokio::time::timeout(within, posted).await.unwrap_or(Err(FetchError::TooSlow { within }))
    }

    /// Asks for what goes on.
    ///
    /// # Errors
    ///
    /// When it does not begin.
    pub async fn stream(&self, url: &str) -> Result<Stream, FetchError> {
        let answer = self.0.get(url).send().await.map_err(|error| failed("asking", error))?;
        match answer.status().as_u16() {
            200 => Ok(Stream(answer)),
            status => Err(FetchError::Status { status }),
        }
    }
}

impl Stream {
    /// The next piece; nothing: it is over.
    ///
    /// # Errors
    ///
    /// When it breaks off, or nothing comes for ten seconds.
    pub async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        self.0.chunk().await.map_err(|error| failed("reading", error))
    }
}
