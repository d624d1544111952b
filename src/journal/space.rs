//! How much the journal uses and how much it may.

use std::path::Path;

use rusqlite::{Connection, Result};

use super::limits::{MAX_BYTES_MIN, PAGE_BYTES, RESERVE_BYTES};

/// Pages that hold something.
pub(super) fn used_pages(conn: &Connection) -> Result<u64> {
    Ok(pragma(conn, "PRAGMA page_count")?.saturating_sub(pragma(conn, "PRAGMA freelist_count")?))
}

/// Pages of the file.
pub(super) fn page_count(conn: &Connection) -> Result<u64> {
    pragma(conn, "PRAGMA page_count")
}

fn pragma(conn: &Connection, statement: &'static str) -> Result<u64> {
    let value: i64 = conn.prepare_cached(statement)?.query_row([], |row| row.get(0))?;
    Ok(u64::try_from(value).unwrap_or(0))
}

/// Bytes an unprivileged process may still write to the partition; everything when nobody can tell.
pub(super) fn free_bytes(path: &Path) -> u64 {
    let directory = path.parent().unwrap_or(path);
    rustix::fs::statvfs(directory).map_or(u64::MAX, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Limits the file to `max_bytes` and to what the partition can take beside a write-ahead log at its largest.
pub(super) fn limit_pages(conn: &Connection, max_bytes: u64, free_bytes: u64) -> Result<u64> {
    let now = page_count(conn)?.saturating_mul(PAGE_BYTES);
    let room = now.saturating_add(free_bytes.saturating_sub(RESERVE_BYTES));
    let pages = max_bytes.max(MAX_BYTES_MIN).min(room) / PAGE_BYTES;
    let limit: i64 = conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get(0))?;
    Ok(u64::try_from(limit).unwrap_or(pages).min(pages.max(1)))
}
