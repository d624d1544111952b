//! Logging set-up and the words to systemd. Logs go to standard error; standard output belongs to answers.

use std::time::Duration;

use sd_notify::NotifyState;
use tracing_subscriber::EnvFilter;

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
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
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
