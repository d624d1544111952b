//! Files over HTTP: bounded in size and time, and gone on with where they were broken off.

use std::io;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Response, StatusCode};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use super::http::{FetchError, failed, http_client};

/// Gets files, one after the other.
#[derive(Debug, Clone)]
pub struct Downloads(reqwest::Client);

/// Why a file is not whole.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The other end.
    #[error("it was not sent")]
    Fetch(#[from] FetchError),
    /// It ended, or was broken off, too early; what came is kept.
    #[error("it was broken off after {got} of {bytes} bytes")]
    Short {
        /// Bytes that are here.
        got: u64,
        /// Bytes that it has.
        bytes: u64,
    },
    /// Our end: the disk.
    #[error("it cannot be written")]
    Disk(#[source] io::Error),
}

impl Downloads {
    /// Ready to get files.
    ///
    /// # Errors
    ///
    /// When the system has no usable certificates.
    pub fn new() -> Result<Self, FetchError> {
        http_client().map(Self)
    }

    /// Gets a file of exactly so many bytes. What an earlier try has left in `part` is not asked for again, if the
    /// other end can send parts. When this is done, `part` is whole and on disk; what is in it is for the caller to
    /// verify.
    ///
    /// # Errors
    ///
    /// When it is not whole within `within`.
    pub async fn get(&self, url: &str, part: &Path, bytes: u64, within: Duration) -> Result<(), DownloadError> {
        let got = tokio::time::timeout(within, self.get_rest(url, part, bytes)).await;
        got.unwrap_or(Err(FetchError::TooSlow { within }.into()))
    }

    async fn get_rest(&self, url: &str, part: &Path, bytes: u64) -> Result<(), DownloadError> {
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(part).await.map_err(disk)?;
        let mut have = file.metadata().await.map_err(disk)?.len();
        if have > bytes {
            have = restart(&mut file).await?;
        }
        if have < bytes {
            let answer = self.ask(url, have).await?;
            let begins_at_have = answer.status() == StatusCode::PARTIAL_CONTENT && starts_at(&answer) == Some(have);
            have = if begins_at_have { have } else { restart(&mut file).await? };
            if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE || (!begins_at_have && is_part(&answer)) {
                return Err(DownloadError::Short { got: 0, bytes });
            }
            file.seek(io::SeekFrom::Start(have)).await.map_err(disk)?;
            have = take(&mut file, answer, have, bytes).await?;
        }
        file.sync_all().await.map_err(disk)?;
        if have == bytes { Ok(()) } else { Err(DownloadError::Short { got: have, bytes }) }
    }

    async fn ask(&self, url: &str, have: u64) -> Result<Response, DownloadError> {
        let request = self.0.get(url);
        let request = if have > 0 { request.header(RANGE, format!("bytes={have}-")) } else { request };
        let answer = request.send().await.map_err(|error| failed("asking", error))?;
        match answer.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => Ok(answer),
            status => Err(FetchError::Status { status: status.as_u16() }.into()),
        }
    }
}

fn disk(source: io::Error) -> DownloadError {
    DownloadError::Disk(source)
}

fn is_part(answer: &Response) -> bool {
    answer.status() == StatusCode::PARTIAL_CONTENT
}

async fn restart(file: &mut File) -> Result<u64, DownloadError> {
    file.set_len(0).await.map_err(disk)?;
    Ok(0)
}

/// Where a part begins: `bytes 5-9/10`.
fn starts_at(answer: &Response) -> Option<u64> {
    let range = answer.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}

/// Writes what comes behind what is there. What comes too much is not written.
async fn take(file: &mut File, answer: Response, mut have: u64, bytes: u64) -> Result<u64, DownloadError> {
    let limit = usize::try_from(bytes).unwrap_or(usize::MAX);
    let mut pieces = answer.bytes_stream();
    while let Some(piece) = pieces.next().await {
        // What has come until it broke off is kept.
        let Ok(piece) = piece else { break };
        have += piece.len() as u64;
        if have > bytes {
            restart(file).await?;
            return Err(FetchError::TooLarge { limit }.into());
        }
        file.write_all(&piece).await.map_err(disk)?;
    }
    file.flush().await.map_err(disk)?;
    Ok(have)
}
