//! Logging set-up and the words to systemd. Logs go to standard error; standard output belongs to answers.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sd_notify::NotifyState;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::MakeWriterExt;

/// Lines of the log that are kept in memory, and how much of each.
const TAIL_LINES: usize = 200;
const TAIL_LINE_BYTES: usize = 512;

/// What was last logged. There is one log of a process, and so one of these.
static TAIL: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

/// Writes into [`TAIL`]: one call of `write` is one line.
struct Tail;

impl io::Write for Tail {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(&line[..line.len().min(TAIL_LINE_BYTES)]);
        let mut tail = TAIL.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.len() >= TAIL_LINES {
            tail.pop_front();
        }
        tail.push_back(text.trim_end().to_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The last 200 lines of the log, the oldest first.
pub fn log_tail() -> Vec<String> {
    TAIL.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging. `filter` is a tracing filter such as `info` or `smartstore=debug`; a broken one means `info`.
/// Does nothing when logging has been started before.
pub fn init_logging(filter: &str, format: LogFormat) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let writer = std::io::stderr.and(|| Tail);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_target(false);
    let _already_started = match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

/// Tells systemd that the daemon is ready. Without systemd, or when it does not listen, nothing happens.
pub fn notify_ready() {
    let _not_under_systemd = sd_notify::notify(&[NotifyState::Ready]);
}

/// Tells systemd that the daemon is going down.
pub fn notify_stopping() {
    let _not_under_systemd = sd_notify::notify(&[NotifyState::Stopping]);
}

/// Shows a line in `systemctl status`.
pub fn notify_status(text: &str) {
    let _not_under_systemd = sd_notify::notify(&[NotifyState::Status(text)]);
}

/// Within what time systemd wants to hear from this process, again and again; `None`: it does not.
pub fn watchdog_within() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|within| !within.is_zero())
}

/// Tells systemd that the daemon gets on.
pub fn notify_watchdog() {
    let _not_under_systemd = sd_notify::notify(&[NotifyState::Watchdog]);
}
