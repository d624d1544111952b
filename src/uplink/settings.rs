//! What the uplink is told: the broker, who we are, how to prove it.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::limits;
use crate::types::{BrokerAddress, Encoding, GatewayId, StoreId};
use crate::wire::cloud::BATCH_EVENTS;

/// What the uplink is told. Files are read anew at every connection. A certificate or password that is renewed while
/// one stands is tried on a connection of its own first; if the broker takes it, the others change over.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The broker.
    pub broker: BrokerAddress,
    /// This store.
    pub store: StoreId,
    /// This gateway.
    pub gateway: GatewayId,
    /// Version of the software, for the status message.
    pub version: String,
    /// User name.
    pub username: Option<String>,
    /// File that holds the password, with or without a line end.
    pub password_file: Option<PathBuf>,
    /// PEM file of the authorities that may vouch for the broker; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM file of our own certificate and what it hangs on.
    pub cert_file: Option<PathBuf>,
    /// PEM file of our own key.
    pub key_file: Option<PathBuf>,
    /// How messages of events travel.
    pub encoding: Encoding,
    /// How fast and how patient.
    pub pace: Pace,
}

impl Settings {
    /// A gateway of a store at a broker, without login, at the usual pace.
    pub fn new(broker: BrokerAddress, store: StoreId, gateway: GatewayId, version: &str) -> Self {
        Self {
            broker,
            store,
            gateway,
            version: version.to_owned(),
            username: None,
            password_file: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            encoding: Encoding::default(),
            pace: Pace::default(),
        }
    }
}

/// How fast and how patient the uplink is.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Publishes in flight at once, at least 5.
    pub window: usize,
    /// Events in one message, 1 to 100.
    pub batch_events: usize,
    /// Events older than a minute sent in a second, money aside; for lines that are paid by the byte or shared.
    pub backfill_per_s: NonZeroU32,
    /// Seconds without sending after which the client pings.
    pub keep_alive_s: u16,
    /// A connection on which nothing has come for so long is dropped.
    pub silence: Duration,
    /// A publish that is not answered for so long ends the connection.
    pub acknowledgement: Duration,
    /// First wait between two attempts.
    pub backoff: Duration,
    /// Longest wait between two attempts.
    pub backoff_cap: Duration,
    /// How often it is looked whether certificates or the password were renewed.
    pub renewal: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            window: limits::WINDOW,
            batch_events: BATCH_EVENTS,
            backfill_per_s: limits::BACKFILL_PER_S,
            keep_alive_s: limits::KEEP_ALIVE_S,
            silence: limits::SILENCE,
            acknowledgement: limits::ACKNOWLEDGEMENT,
            backoff: limits::BACKOFF,
            backoff_cap: limits::BACKOFF_CAP,
            renewal: limits::RENEWAL,
        }
    }
}
