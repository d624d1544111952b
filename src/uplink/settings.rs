//! What the uplink is told: the broker, who we are, how to prove it.

use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::limits;
use crate::types::{GatewayId, StoreId};
use crate::wire::cloud::BATCH_EVENTS;

/// A broker's address: `mqtt://host[:port]` (port 1883) or `mqtts://host[:port]` (port 8883).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Host name or IP address; an IPv6 address without its brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether TLS is spoken.
    pub tls: bool,
}

/// The text is no broker's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a broker's address such as mqtt://127.0.0.1:1883 or mqtts://broker.example.com: {0:?}")]
pub struct AddressError(String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || AddressError(text.chars().take(200).collect());
        let (tls, rest) = match (text.strip_prefix("mqtt://"), text.strip_prefix("mqtts://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(error()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let usual = if tls { 8883 } else { 1883 };
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, usual),
            Some((host, port)) => (host, port_number(port.strip_prefix(':')).ok_or_else(error)?),
            None => match rest.split_once(':') {
                Some((host, port)) => (host, port_number(Some(port)).ok_or_else(error)?),
                None => (rest, usual),
            },
        };
        let part_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(part_of_name) {
            return Err(error());
        }
        Ok(Self { host: host.to_owned(), port, tls })
    }
}

fn port_number(text: Option<&str>) -> Option<u16> {
    text?.parse::<NonZeroU16>().ok().map(NonZeroU16::get)
}

/// What the uplink is told. Files are read anew at every connection. A certificate or password that is renewed while one
/// stands is tried on a connection of its own first; if the broker takes it, the others change over.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The broker.
    pub broker: Address,
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
    /// How fast and how patient.
    pub pace: Pace,
}

impl Settings {
    /// A gateway of a store at a broker, without login, at the usual pace.
    pub fn new(broker: Address, store: StoreId, gateway: GatewayId, version: &str) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_what_is_none_is_refused() {
        let address = |host: &str, port, tls| Ok(Address { host: host.to_owned(), port, tls });
        assert_eq!("mqtt://127.0.0.1:1884".parse(), address("127.0.0.1", 1884, false));
        assert_eq!("mqtt://broker".parse(), address("broker", 1883, false));
        assert_eq!("mqtts://broker.example.com/".parse(), address("broker.example.com", 8883, true));
        assert_eq!("mqtts://[fe80::1]:8884".parse(), address("fe80::1", 8884, true));
        assert_eq!("mqtt://[::1]".parse(), address("::1", 1883, false));
        for text in ["", "broker", "http://x", "mqtt://", "mqtt://x:", "mqtt://x:0", "mqtt://x:99999", "mqtt://a b"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
        assert!("mqtt://user@host".parse::<Address>().is_err(), "a login does not belong into an address");
    }
}
