//! Every number the journal is bounded by.

use std::time::Duration;

/// Largest journal unless the configuration says otherwise: 512 MiB, about 1.5 million scans.
pub const MAX_BYTES_DEFAULT: u64 = 512 << 20;
/// Smallest journal accepted; below it the pages of the schema alone would count.
pub const MAX_BYTES_MIN: u64 = 1 << 20;
/// How long confirmed events stay for local readers.
pub const KEEP_CONFIRMED_DEFAULT: Duration = Duration::from_secs(72 * 3600);
/// How many confirmed events of a class stay for local readers.
pub const KEEP_CONFIRMED_EVENTS_DEFAULT: u64 = 100_000;

/// SQLite's page, and ext4's, and most flash's.
pub(super) const PAGE_BYTES: u64 = 4096;
/// SQLite's page cache.
pub(super) const CACHE_KIB: i64 = 2048;
/// The write-ahead log is cut back to this when it was larger.
pub(super) const WAL_BYTES: u64 = 8 << 20;
/// Left free on the partition: twice the largest write-ahead log, so that even a full disk can delete.
pub(super) const RESERVE_BYTES: u64 = 2 * WAL_BYTES;
/// How long the connection waits for another process's lock.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// Requests that may wait for the writer thread.
pub(super) const QUEUE: usize = 64;
/// Events in one commit group, in one batch row and in one request.
pub(super) const GROUP_EVENTS: usize = 256;
/// How long telemetry waits for company before its group is committed.
pub(super) const TELEMETRY_DELAY: Duration = Duration::from_millis(200);
/// How long a confirmation may live in memory only: a crash within it repeats events, it loses none.
pub(super) const CONFIRM_DELAY: Duration = Duration::from_secs(1);
/// So many rows confirmed and not written yet are many,
pub(super) const CONFIRM_MANY: i64 = 1024;
/// and wait no longer than this.
pub(super) const CONFIRM_DELAY_MANY: Duration = Duration::from_millis(100);
/// How long an idle writer sleeps between two looks at retention and disk space.
pub(super) const IDLE: Duration = Duration::from_secs(10);
/// Quiet time before the write-ahead log is folded back into the file.
pub(super) const CHECKPOINT_QUIET: Duration = Duration::from_secs(1);
/// Pages in the write-ahead log that are worth an idle checkpoint.
pub(super) const CHECKPOINT_PAGES: u64 = 256;

/// Largest stored form of one event.
pub(super) const EVENT_BYTES: usize = 64 << 10;
/// A batch row is closed when its body has this many bytes.
pub(super) const BATCH_BYTES: usize = 256 << 10;
/// Events in one answer to a reader.
pub(super) const READ_EVENTS: usize = 1000;
/// An answer to a reader ends after this many stored bytes.
pub(super) const READ_BYTES: usize = 1 << 20;

/// Share of the largest size at which unconfirmed events begin to be dropped, in percent.
pub(super) const EVICT_ABOVE: u64 = 90;
/// Share of the largest size at which dropping stops, in percent.
pub(super) const EVICT_TO: u64 = 85;
/// Share of the largest size at which telemetry is refused, in percent.
pub(super) const TELEMETRY_BELOW: u64 = 94;
/// Share of the largest size at which records are refused, in percent.
pub(super) const RECORD_BELOW: u64 = 97;
/// Batch rows deleted in one transaction.
pub(super) const SLICE_BATCHES: usize = 512;
/// Bytes of bodies deleted in one transaction.
pub(super) const SLICE_BYTES: u64 = 4 << 20;
/// Less than this is not worth dropping: the notice that announces it takes as much.
pub(super) const DROP_WORTH_BYTES: u64 = 8 << 10;
/// How often the partition's free space is looked at.
pub(super) const SPACE_INTERVAL: Duration = Duration::from_secs(10);

/// Commands that may be open at once; more are refused.
pub(super) const OPEN_COMMANDS: usize = 1024;
/// Ended commands kept, so that the same id again repeats its outcome.
pub(super) const ENDED_COMMANDS: i64 = 10_000;
/// How long ended commands are kept.
pub(super) const ENDED_AGE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How soon after a commit retention looks whether something is to be deleted.
pub(super) const RETAIN_DELAY: Duration = Duration::from_secs(1);
/// How often old commands and expired state are looked for.
pub(super) const PURGE_INTERVAL: Duration = Duration::from_secs(600);
/// Rows of `command` and `state` deleted in one transaction.
pub(super) const PURGE_ROWS: i64 = 256;
/// Longest name of a reader or an owner, longest key.
pub(super) const NAME_BYTES: usize = 128;
/// Largest value in `state`.
pub(super) const VALUE_BYTES: usize = 256 << 10;
/// Keys in one answer about `state`.
pub(super) const STATE_KEYS: usize = 4096;

/// How long an unclean start checks the file; what it has not reached by then is checked as it is read.
pub(super) const CHECK_BUDGET: Duration = Duration::from_millis(40);
/// The same after SQLite itself has reported damage.
pub(super) const CHECK_BUDGET_SUSPECT: Duration = Duration::from_secs(10);
/// How long a start may spend on taking over events from a damaged journal.
pub(super) const SALVAGE: Duration = Duration::from_secs(10);
/// How often the way over what cannot be read is doubled: 16 million rows.
pub(super) const SALVAGE_LEAPS: u32 = 24;
/// Outcomes of ended commands that are taken over from a damaged journal.
pub(super) const SALVAGED_OUTCOMES: i64 = 1000;
/// Damaged journals kept beside the journal.
pub(super) const SET_ASIDE: usize = 4;
/// How long closing may take.
pub(super) const CLOSE: Duration = Duration::from_secs(3);
/// Findings in one report of `verify`.
pub(super) const FINDINGS: usize = 1000;
