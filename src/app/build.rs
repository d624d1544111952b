//! From a valid configuration to a gateway that can run.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::{App, Fitted};
use crate::clock::{Clock, Trust};
use crate::config;
use crate::console::{self, Shown};
use crate::device::port;
use crate::journal::{Change, Effects, Journal, JournalError, Opened};
use crate::observe::{Board, Conditions, DeviceScope, Gauges, Metrics};
use crate::types::{Body, Class, Condition, Draft, Notice};
use crate::uplink::{Progress, Uplink};
use crate::wire::cloud::Source;

/// Whose state in the journal the applied configuration is, and under which key.
const READER: &str = "app";
const APPLIED: &str = "config.sha256";

/// Why the gateway cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The data directory is not there and cannot be made.
    #[error("cannot make the data directory {path}")]
    DataDir {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The journal cannot be used.
    #[error("the journal")]
    Journal(#[source] JournalError),
    /// The console's address cannot be listened on.
    #[error("cannot listen on {listen} for the console")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A part that everything hangs on has ended.
    #[error("{part}: {why}")]
    Core {
        /// Which part.
        part: String,
        /// What it said.
        why: String,
    },
}

impl App {
    /// Opens the journal, binds the console, fits every device with a port. Nothing runs yet. Needs a runtime.
    pub async fn build(loaded: config::Loaded) -> Result<Self, AppError> {
        let sha256 = sha256_hex(loaded.text.as_bytes());
        let store = loaded.store;
        let clock = Clock::system(match store.gateway.clock {
            config::Trust::Kernel => Trust::Kernel,
            config::Trust::Trusted => Trust::Trusted,
        });
        let conditions = Conditions::new(clock.clone());
        let journal = open_journal(&store, &clock, &conditions)?;
        let source = Arc::new(Source::new(&store.id, &store.gateway.id, journal.epoch()));
        let listener = match &store.console {
            Some(console) => Some(listen(console.listen).await?),
            None => None,
        };
        let (metrics, board) = (Metrics::default(), Board::default());
        announce_configuration(&sha256, store.devices.len(), &journal, &clock).await?;
        let uplink = store.cloud.as_ref().map(|cloud| {
            let settings = uplink_settings(&store, cloud);
            Uplink::new(settings, journal.clone(), conditions.clone(), clock.clone())
        });
        let progress = uplink.as_ref().map(Uplink::progress);
        let shown = Shown {
            name: format!("{}/{}", store.id, store.gateway.id),
            source,
            clock: clock.clone(),
            journal: journal.clone(),
            conditions: conditions.clone(),
            metrics: metrics.clone(),
            board: board.clone(),
            gauges: Arc::new(move || {
                progress.as_ref().map(|progress| uplink_gauges(&progress.borrow())).unwrap_or_default()
            }),
        };
        let devices = store.devices.into_iter().map(|configured| {
            let device: Arc<dyn crate::device::Device> = Arc::from(configured.device);
            board.add(device.id().clone(), configured.profile);
            let scope = DeviceScope::new(
                device.id().clone(),
                clock.clone(),
                conditions.clone(),
                metrics.clone(),
                board.clone(),
            );
            let (port, ends) = port(scope, clock.clone(), tokio_util::sync::CancellationToken::new());
            Fitted { device, port, ends, restart: crate::supervise::Restart::default() }
        });
        let devices = devices.collect();
        Ok(Self {
            clock,
            journal,
            conditions,
            devices,
            console: listener.map(|listener| (listener, shown)),
            uplink,
            board,
        })
    }
}

async fn listen(listen: SocketAddr) -> Result<TcpListener, AppError> {
    console::bind(listen).await.map_err(|source| AppError::Listen { listen, source })
}

fn open_journal(store: &config::Store, clock: &Clock, conditions: &Conditions) -> Result<Journal, AppError> {
    let path = &store.gateway.data_dir;
    std::fs::create_dir_all(path).map_err(|source| AppError::DataDir { path: path.clone(), source })?;
    let mut settings = crate::journal::Settings::new(path);
    settings.max_bytes = store.journal.max_size;
    settings.keep_confirmed = store.journal.keep_confirmed;
    let (journal, opened) = Journal::open(settings, clock.clone()).map_err(AppError::Journal)?;
    if let Opened::Damaged { set_aside, .. } = opened {
        conditions.set(Condition::JournalDamaged, None, true, Some(set_aside.display().to_string()));
    }
    Ok(journal)
}

/// A configuration that is not the one of the last start is announced; the same one again is no news.
async fn announce_configuration(
    sha256: &str,
    devices: usize,
    journal: &Journal,
    clock: &Clock,
) -> Result<(), AppError> {
    let before = journal.state(READER, APPLIED).await.map_err(AppError::Journal)?;
    if before.as_deref() == Some(sha256.as_bytes()) {
        return Ok(());
    }
    let devices = u32::try_from(devices).unwrap_or(u32::MAX);
    let notice = Notice::ConfigApplied { sha256: sha256.to_owned(), devices };
    let draft =
        Draft { id: clock.event_id(), device: None, at: clock.stamp(), cause: None, body: Body::Noticed(notice) };
    let applied = Change { key: APPLIED.to_owned(), value: Some(sha256.as_bytes().to_vec()), expires: None };
    let effects = Effects { events: vec![draft], commands: Vec::new(), state: vec![applied] };
    let row = journal.head().borrow().row;
    match journal.advance(READER, row, effects).await {
        // A full journal is a condition, not a reason to stay down: the devices wait, the uplink empties it.
        Ok(_) | Err(JournalError::Full) => Ok(()),
        Err(error) => Err(AppError::Journal(error)),
    }
}

fn uplink_settings(store: &config::Store, cloud: &config::Cloud) -> crate::uplink::Settings {
    let broker = cloud.broker.clone();
    let version = env!("CARGO_PKG_VERSION");
    let mut settings = crate::uplink::Settings::new(broker, store.id.clone(), store.gateway.id.clone(), version);
    settings.username.clone_from(&cloud.username);
    settings.password_file.clone_from(&cloud.password_file);
    settings.ca_file.clone_from(&cloud.ca_file);
    settings.cert_file = cloud.identity.as_ref().map(|identity| identity.cert_file.clone());
    settings.key_file = cloud.identity.as_ref().map(|identity| identity.key_file.clone());
    settings
}

fn uplink_gauges(progress: &Progress) -> Gauges {
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let mut gauges = vec![
        ("uplink_connected".to_owned(), i64::from(progress.connected)),
        ("uplink_listening".to_owned(), i64::from(progress.listening)),
        ("uplink_connections".to_owned(), whole(progress.connections)),
        ("uplink_refusals".to_owned(), whole(progress.refusals)),
        ("uplink_given_up".to_owned(), whole(progress.given_up)),
        ("uplink_commands".to_owned(), whole(progress.commands)),
        ("uplink_commands_unreadable".to_owned(), whole(progress.commands_unreadable)),
        ("uplink_repeats".to_owned(), whole(progress.repeats)),
    ];
    for class in Class::ALL {
        gauges.push((format!("uplink_delivered_{}", class.as_str()), whole(progress.delivered(class))));
        gauges.push((format!("uplink_backlog_{}", class.as_str()), whole(progress.backlog(class))));
    }
    gauges
}

fn sha256_hex(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use crate::{config, journal};

    #[test]
    fn what_the_configuration_leaves_out_is_what_the_journal_would_choose() {
        assert_eq!(config::JOURNAL_MAX_SIZE, journal::MAX_BYTES_DEFAULT);
        assert_eq!(config::JOURNAL_MIN_SIZE, journal::MAX_BYTES_MIN);
        assert_eq!(config::JOURNAL_KEEP_CONFIRMED, journal::KEEP_CONFIRMED_DEFAULT);
    }
}
