//! The bundle that `smartstore doctor --bundle` writes: its own findings, and what a running daemon says of itself.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::doctor::Finding;
use crate::app::{Versions, masked};
use crate::config::Store;
use crate::observe::redacted;

/// Most that is taken of a daemon's answer, in bytes.
const ANSWER_BYTES: u64 = 2 << 20;
/// How long a daemon may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// What stands before the answer's body.
const END_OF_HEAD: &str = "\r\n\r\n";

/// Why the file could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum BundleError {
    #[error("cannot make the bundle")]
    Encode(#[from] serde_json::Error),
    #[error("cannot write {path}")]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

#[derive(Serialize)]
struct Bundle<'a> {
    versions: Versions,
    findings: &'a [Finding],
    config: String,
    /// Why there is nothing of the daemon.
    no_daemon: Option<String>,
}

/// What the daemon of this configuration answers to a request, over its console.
///
/// # Errors
/// Why there is nothing to be had.
pub(super) async fn ask_daemon(store: &Store, path: &str) -> Result<String, String> {
    let Some(console) = &store.console else {
        return Err("the configuration has no [console]: nothing of a running daemon can be had".to_owned());
    };
    if console.identity.is_some() {
        let why = "the console speaks TLS and wants a login: what the daemon says of itself can be had there";
        return Err(why.to_owned());
    }
    let asked = async {
        let mut socket = TcpStream::connect(console.listen).await?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", console.listen);
        socket.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        socket.take(ANSWER_BYTES).read_to_end(&mut answer).await?;
        io::Result::Ok(answer)
    };
    let answer = timeout(PATIENCE, asked).await.map_err(|_| "the daemon did not answer in time".to_owned())?;
    let answer = answer.map_err(|error| format!("no daemon answers at {}: {error}", console.listen))?;
    let answer = String::from_utf8_lossy(&answer);
    match answer.split_once(END_OF_HEAD) {
        // In safe mode `/health` is 503, and says what stands all the same.
        Some((head, body)) if [" 200 ", " 503 "].iter().any(|status| head.contains(status)) => Ok(body.to_owned()),
        _ => Err(format!("what answers at {} is no daemon of this version", console.listen)),
    }
}

/// Writes the bundle.
pub(super) fn write(
    file: &Path,
    store: &Store,
    findings: &[Finding],
    daemon: Result<String, String>,
) -> Result<(), BundleError> {
    // What is no JSON is nobody's bundle.
    let daemon = daemon.and_then(|text| match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(format!("the daemon's answer is no JSON document: {error}")),
    });
    let no_daemon = daemon.as_ref().err().map(|why| redacted(why));
    let bundle = Bundle { versions: Versions::here(), findings, config: masked(store), no_daemon };
    let own = serde_json::to_string_pretty(&bundle)?;
    let daemon = daemon.unwrap_or_else(|_| "null".to_owned());
    let own = own.trim_end().trim_end_matches('}').trim_end();
    let text = format!("{own},\n  \"daemon\": {daemon}\n}}\n");
    std::fs::write(file, text).map_err(|source| BundleError::Write { path: file.to_owned(), source })
}
