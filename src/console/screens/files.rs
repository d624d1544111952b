//! Files of the content, whole or in parts.

use std::io::{self, SeekFrom};
use std::ops::Range;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::Screens;
use super::range::{Asked, asked};
use crate::types::Sha256;

/// Read and sent at once.
const CHUNK: usize = 64 << 10;
/// A drawing that is opened by itself runs nothing and reaches nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

pub(super) async fn cas(State(screens): State<Screens>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Ok(sha256) = name.parse::<Sha256>() else { return StatusCode::NOT_FOUND.into_response() };
    let opened = screens.content.file(sha256).and_then(|(file, r#type)| Ok((file.metadata()?.len(), file, r#type)));
    let Ok((length, file, r#type)) = opened else { return StatusCode::NOT_FOUND.into_response() };
    let etag = format!("\"{sha256}\"");
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if text(header::IF_NONE_MATCH).is_some_and(|known| known.split(", ").any(|one| one == etag)) {
        return with_head(StatusCode::NOT_MODIFIED.into_response(), &etag, &r#type);
    }
    let is_current = text(header::IF_RANGE).is_none_or(|known| known == etag);
    let answer = match asked(text(header::RANGE).filter(|_| is_current), length) {
        Asked::Whole => part(file, 0..length, StatusCode::OK).await,
        Asked::Beyond => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
            Ok((StatusCode::RANGE_NOT_SATISFIABLE, range).into_response())
        }
        Asked::Part(range) => {
            let says = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            part(file, range, StatusCode::PARTIAL_CONTENT)
                .await
                .map(|answer| ([(header::CONTENT_RANGE, says)], answer).into_response())
        }
    };
    match answer {
        Ok(answer) => with_head(answer, &etag, &r#type),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn part(file: std::fs::File, range: Range<u64>, status: StatusCode) -> io::Result<Response> {
    let mut file = File::from_std(file);
    file.seek(SeekFrom::Start(range.start)).await?;
    let left = range.end - range.start;
    let body = stream::try_unfold((file, left), |(mut file, left)| async move {
        if left == 0 {
            return Ok::<_, io::Error>(None);
        }
        let want = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let mut chunk = vec![0; want];
        let count = file.read(&mut chunk).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        chunk.truncate(count);
        Ok(Some((Bytes::from(chunk), (file, left - count as u64))))
    });
    let length = [(header::CONTENT_LENGTH, left.to_string())];
    Ok((status, length, Body::from_stream(body)).into_response())
}

fn with_head(mut answer: Response, etag: &str, r#type: &str) -> Response {
    let head = [
        (header::ETAG, etag),
        (header::CONTENT_TYPE, r#type),
        (header::ACCEPT_RANGES, "bytes"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in head {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}
