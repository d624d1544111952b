//! A body that comes over HTTP piece by piece, for as long as a camera sends.

use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::http::{FetchError, failed, http_client};

/// Who logs in. Neither `Debug` nor `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
}

/// A body under way.
pub struct HttpBody {
    response: reqwest::Response,
}

/// Asks for a URL; the body of a good answer. A login in the URL is used, and one that is given beside it comes before.
///
/// # Errors
///
/// When nobody answers within `most`, or not with 200. The words name no URL.
pub async fn http_body(url: &str, login: Option<&Login>, most: Duration) -> io::Result<HttpBody> {
    let asking = async {
        let mut request = http_client().map_err(io::Error::other)?.get(url);
        if let Some(Login { user, password }) = login {
            request = request.basic_auth(user, Some(password));
        }
        request.send().await.map_err(broken("asking"))
    };
    let response = tokio::time::timeout(most, asking).await.map_err(|_| silent("does not answer", most))??;
    match response.status().as_u16() {
        200 => Ok(HttpBody { response }),
        401 | 403 => Err(io::Error::new(io::ErrorKind::PermissionDenied, "the camera wants another login")),
        status => Err(io::Error::other(format!("the camera answers with HTTP status {status}"))),
    }
}

impl HttpBody {
    /// The next piece; nothing: it is over.
    ///
    /// # Errors
    ///
    /// When the connection breaks, or nothing comes within `most`.
    pub async fn next(&mut self, most: Duration) -> io::Result<Option<Bytes>> {
        let chunk = tokio::time::timeout(most, self.response.chunk()).await;
        chunk.map_err(|_| silent("sends nothing", most))?.map_err(broken("reading"))
    }
}

fn silent(what: &str, most: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("the camera {what} for {} s", most.as_secs()))
}

fn broken(step: &'static str) -> impl FnOnce(reqwest::Error) -> io::Error {
    move |error| match failed(step, error) {
        FetchError::Failed { words, .. } => io::Error::other(words),
        other => io::Error::other(other),
    }
}
