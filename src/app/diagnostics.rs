//! The diagnostics bundle: what a helper far away needs to see, and nothing that is somebody's.
//!
//! One JSON document: versions, health, devices with the last frames of their lines (masked where they were taken, see
//! `wire::Showing`), counters, the configuration with every default and without secrets, the last lines of the log. It
//! leaves the box as `diagnostics.chunk.v1` events when the command `diagnostics` asks for it, and is given to whoever
//! asks the console.
//!
//! Limits: 512 KiB; where that is not enough the oldest frames and log lines are left out, of all devices alike.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::fleet::House;
use super::line::Seen;
use crate::config::Store;
use crate::console::journal_gauges;
use crate::journal::JournalError;
use crate::observe::{FRAMES, Frame, log_tail, redacted};
use crate::types::{Assigned, Body, Cause, CommandId, Draft, Ended, EventId, Notice, Observation, Outcome, Reason};

/// Largest bundle, in bytes.
const BUNDLE_BYTES: usize = 512 * 1024;
/// Text of one chunk, in bytes: escaped it may become twice as long, and a message holds 64 KiB.
const CHUNK_BYTES: usize = 16 * 1024;
/// Chunks that are appended together.
const CHUNKS_TOGETHER: usize = 8;

#[derive(Serialize)]
struct Bundle {
    made: String,
    synced: bool,
    gateway: String,
    versions: Versions,
    health: Vec<Standing>,
    devices: Vec<Device>,
    counters: Vec<String>,
    config: String,
    log: Vec<String>,
    /// Frames of each device and log lines that were left out because the bundle would have become too large.
    left_out: usize,
}

/// What runs.
#[derive(Serialize)]
pub struct Versions {
    /// This program.
    smartstore: &'static str,
    /// The kernel and its machine.
    kernel: String,
    machine: String,
    sqlite: &'static str,
}

#[derive(Serialize)]
struct Standing {
    code: &'static str,
    severity: &'static str,
    device: Option<String>,
    since: String,
    detail: Option<String>,
}

#[derive(Serialize)]
struct Device {
    id: String,
    profile: String,
    state: &'static str,
    last_seen: Option<String>,
    evidence: String,
    frames: Vec<String>,
}

impl Versions {
    /// Of this program on this machine.
    pub fn here() -> Self {
        let kernel = rustix::system::uname();
        let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
        Self {
            smartstore: env!("CARGO_PKG_VERSION"),
            kernel: format!("{} {}", text(kernel.sysname()), text(kernel.release())),
            machine: text(kernel.machine()),
            sqlite: crate::journal::sqlite_version(),
        }
    }
}

/// The configuration with every default filled in, without comments and without what is secret. Secrets are only ever
/// paths of files, but for those that hide in a URL or in a setting of a device.
pub fn masked(store: &Store) -> String {
    let Ok(text) = store.to_toml() else { return String::new() };
    let lines = text.lines().map(|line| match line.split_once(" = ") {
        Some((key, _)) if is_secret(key) => format!("{key} = \"***\""),
        _ => redacted(line),
    });
    lines.fold(String::with_capacity(text.len()), |text, line| text + &line + "\n")
}

fn is_secret(key: &str) -> bool {
    const WORDS: [&str; 8] = ["password", "passwd", "secret", "token", "credential", "username", "pin", "key"];
    let key = key.to_ascii_lowercase();
    !key.ends_with("_file") && key.split(['_', '-', '.']).any(|word| WORDS.contains(&word))
}

/// Makes bundles. Cheap to clone.
#[derive(Clone)]
pub(super) struct Bundler {
    house: House,
    seen: Seen,
    name: String,
    config: Arc<Mutex<String>>,
}

impl Bundler {
    pub(super) fn new(house: House, seen: Seen, name: String) -> Self {
        Self { house, seen, name, config: Arc::default() }
    }

    /// Another configuration runs.
    pub(super) fn runs(&self, config: &str) {
        config.clone_into(&mut self.config.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A bundle of this moment.
    pub(super) async fn bundle(&self) -> String {
        let mut gauges = self.seen.gauges();
        if let Ok(stats) = self.house.journal.stats().await {
            gauges.extend(journal_gauges(&stats));
        }
        let counters = self.house.metrics.render(gauges).unwrap_or_default();
        let counters: Vec<String> = counters.lines().filter(|line| !line.starts_with('#')).map(redacted).collect();
        let mut kept = FRAMES;
        loop {
            let text = serde_json::to_string_pretty(&self.with(kept, counters.clone())).unwrap_or_default();
            if text.len() <= BUNDLE_BYTES || kept == 0 {
                return text;
            }
            kept /= 2;
        }
    }

    /// With so many frames of each device, and as many log lines.
    fn with(&self, kept: usize, counters: Vec<String>) -> Bundle {
        let (made, synced) = self.house.clock.wall();
        let log = log_tail();
        let log = log.iter().skip(log.len().saturating_sub(kept)).map(|line| redacted(line)).collect();
        Bundle {
            made: made.to_string(),
            synced,
            gateway: self.name.clone(),
            versions: Versions::here(),
            health: self.health(),
            devices: self.devices(kept),
            counters,
            config: self.config.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            log,
            left_out: FRAMES - kept,
        }
    }

    fn health(&self) -> Vec<Standing> {
        let standing = self.house.conditions.standing().into_iter().map(|entry| Standing {
            code: entry.condition.code(),
            severity: entry.condition.level().as_str(),
            device: entry.device.map(|device| device.to_string()),
            since: entry.since.to_string(),
            detail: entry.detail.as_deref().map(redacted),
        });
        standing.collect()
    }

    fn devices(&self, kept: usize) -> Vec<Device> {
        let devices = self.house.board.list().into_iter().map(|(id, status)| {
            let frames = self.house.board.frames(&id);
            Device {
                frames: frames.iter().skip(frames.len().saturating_sub(kept)).map(line).collect(),
                id: id.to_string(),
                profile: status.profile,
                state: status.state.as_str(),
                last_seen: status.last_seen.map(|at| at.to_string()),
                evidence: redacted(&status.evidence),
            }
        });
        devices.collect()
    }

    /// Does what is asked of the gateway itself, until `stop`.
    pub(super) async fn serve(
        self,
        mut asked: Receiver<Assigned>,
        stop: CancellationToken,
    ) -> Result<(), JournalError> {
        loop {
            let assigned = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                assigned = asked.recv() => assigned,
            };
            let Some(Assigned { command, .. }) = assigned else { return Ok(()) };
            let ended = match self.send(&command).await {
                Ok(()) => Ended::Done,
                Err(JournalError::Closed) => return Err(JournalError::Closed),
                Err(error) => {
                    tracing::warn!(%error, "a diagnostics bundle could not be stored");
                    Ended::Failed(Reason::new("journal"))
                }
            };
            let outcome = Outcome { command: command.clone(), ended };
            let draft = self.draft(&command, Body::Observed(Observation::Ended(outcome)));
            match self.house.journal.append(vec![draft]).await {
                Err(JournalError::Closed) => return Err(JournalError::Closed),
                // It stays open, and is done again after the next start.
                Err(error) => tracing::warn!(%error, "the end of a command could not be stored"),
                Ok(_) => {}
            }
        }
    }

    async fn send(&self, command: &CommandId) -> Result<(), JournalError> {
        let text = self.bundle().await;
        let bundle = self.house.clock.event_id();
        let drafts: Vec<_> = chunks(&text, bundle).map(|notice| self.draft(command, Body::Noticed(notice))).collect();
        for some in drafts.chunks(CHUNKS_TOGETHER) {
            self.house.journal.append(some.to_vec()).await?;
        }
        Ok(())
    }

    fn draft(&self, command: &CommandId, body: Body) -> Draft {
        let clock = &self.house.clock;
        let cause = Some(Cause::Command(command.clone()));
        Draft { id: clock.event_id(), device: None, at: clock.stamp(), cause, body }
    }
}

fn line(frame: &Frame) -> String {
    let Frame { at, out, bytes, shown } = frame;
    let way = if *out { "to device" } else { "from device" };
    format!("{at} {way} {bytes} bytes {shown}").trim_end().to_owned()
}

/// The text in parts, none of which cuts a character in two.
fn chunks(text: &str, bundle: EventId) -> impl Iterator<Item = Notice> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (part, after) = rest.split_at(rest.floor_char_boundary(CHUNK_BYTES));
        parts.push(part.to_owned());
        rest = after;
    }
    let of = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    (1..).zip(parts).map(move |(part, text)| Notice::Diagnostics { bundle, part, of, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_one_after_the_other_are_the_text() {
        let text = "aé你\n".repeat(9_000);
        let bundle = EventId(uuid::Uuid::nil());
        let mut read = String::new();
        for (number, notice) in (1..).zip(chunks(&text, bundle)) {
            let Notice::Diagnostics { part, of, text, .. } = notice else { panic!() };
            assert_eq!((part, of), (number, 4));
            assert!(text.len() <= CHUNK_BYTES);
            read += &text;
        }
        assert_eq!(read, text);
    }

    #[test]
    fn a_key_that_names_a_secret_is_masked_and_a_file_is_not() {
        for key in ["password", "api_key", "token", "wifi-password", "username", "device.settings.pin"] {
            assert!(is_secret(key), "{key}");
        }
        for key in ["password_file", "key_file", "endpoint", "keep_confirmed", "keyboard", "spinning"] {
            assert!(!is_secret(key), "{key}");
        }
    }
}
