//! How to connect: options of the client crate, which we trust for one connection and no longer.
//!
//! Three of its defaults would hurt: incoming packets above 10 KiB end the connection, 65,535 publishes may be in
//! flight (and memory for them is set aside), and a session that the broker kept is refused when the client is new.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rumqttc::{
    AckMode, LastWill, MqttOptions, NetworkOptions, PersistedAckMode, PersistedSession, QoS, SessionStore,
    SessionStoreError, SessionStoreKey, TlsConfiguration, Transport,
};
use tokio::net::TcpStream;

use super::fault::Fault;
use super::limits;
use super::settings::Settings;
use super::usage::{Counted, Traffic};
use crate::clock::Clock;
use crate::types::Condition;
use crate::wire::cloud::{COMMAND_BYTES, DESIRED_BYTES, Source, State, Topics};

/// Where Debian and most others keep the system's authorities in one file.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Largest packet taken on the connection for events: answers only.
const ANSWER_BYTES: u32 = 64 * 1024;

/// What a packet has around a command: fixed header, topic, properties that a broker may add.
const COMMAND_OVERHEAD: u32 = 4 * 1024;

/// For events: clean start, and the last will says that we are gone.
pub(super) async fn for_events(settings: &Settings, clock: &Clock) -> Result<MqttOptions, Fault> {
    let mut options = basic(settings, "up").await?;
    let topics = Topics::new(&settings.store, &settings.gateway);
    let gone = Source::status(State::Offline, &clock.stamp(), &settings.version, settings.encoding);
    options
        .set_clean_start(true)
        .set_last_will(LastWill::new(topics.status(), gone, QoS::AtLeastOnce, true, None))
        .set_max_packet_size(Some(ANSWER_BYTES))
        .set_outgoing_inflight_upper_limit(inflight(settings));
    Ok(options)
}

/// For commands: the broker keeps the session, and with it the commands, while we are away.
pub(super) async fn for_commands(settings: &Settings) -> Result<MqttOptions, Fault> {
    let mut options = basic(settings, "down").await?;
    let largest = u32::try_from(COMMAND_BYTES.max(DESIRED_BYTES)).unwrap_or(u32::MAX) + COMMAND_OVERHEAD;
    let kept = u32::try_from(limits::COMMANDS_KEPT.as_secs()).unwrap_or(u32::MAX);
    options
        .set_clean_start(false)
        .set_session_expiry_interval(Some(kept))
        .set_ack_mode(AckMode::Manual)
        .set_receive_maximum(Some(limits::COMMANDS_IN_FLIGHT))
        .set_max_packet_size(Some(largest))
        .set_outgoing_inflight_upper_limit(inflight(settings));
    let session = PersistedSession {
        format_version: 1,
        client_id: options.client_id(),
        clean_start: false,
        session_expiry_interval: Some(kept),
        outgoing_inflight_upper_limit: options.get_outgoing_inflight_upper_limit(),
        ack_mode: PersistedAckMode::Manual,
        last_pkid: 0,
        last_puback: 0,
        replay: Vec::new(),
        incoming_qos2: Vec::new(),
    };
    options.set_session_store(NothingOpen(session));
    Ok(options)
}

/// To see whether we are let in: neither session nor will, and an id of its own (`suffix`), so that nobody is thrown
/// out.
pub(super) async fn for_a_try(settings: &Settings, suffix: &str) -> Result<MqttOptions, Fault> {
    let mut options = basic(settings, suffix).await?;
    options.set_clean_start(true).set_max_packet_size(Some(ANSWER_BYTES));
    Ok(options)
}

/// Counts what the connection will carry.
pub(super) fn counted(options: &mut MqttOptions, traffic: &Arc<Traffic>) {
    let traffic = Arc::clone(traffic);
    options.set_socket_connector(move |host, _| {
        let traffic = Arc::clone(&traffic);
        async move { Ok(Counted { socket: socket(&host).await?, traffic }) }
    });
}

/// A socket to whichever address of the broker answers first; each gets a head start over the next.
async fn socket(host: &str) -> io::Result<TcpStream> {
    let addresses = tokio::net::lookup_host(host).await?.take(limits::ADDRESSES).zip(0_u32..);
    let mut attempts: FuturesUnordered<_> = addresses
        .map(|(address, before)| async move {
            tokio::time::sleep(limits::HEAD_START * before).await;
            TcpStream::connect(address).await
        })
        .collect();
    let mut refused = io::Error::from(io::ErrorKind::NotFound);
    while let Some(attempt) = attempts.next().await {
        match attempt {
            Ok(socket) => return socket.set_nodelay(true).map(|()| socket),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// More ids than messages on their way, so that a late answer meets no new message.
fn inflight(settings: &Settings) -> u16 {
    u16::try_from(settings.pace.window.saturating_mul(4)).unwrap_or(u16::MAX).max(64)
}

async fn basic(settings: &Settings, suffix: &str) -> Result<MqttOptions, Fault> {
    let id = format!("{}.{}-{suffix}", settings.store, settings.gateway);
    let host = &settings.broker.host;
    let host = if host.contains(':') && !settings.broker.tls { format!("[{host}]") } else { host.clone() };
    let mut options = MqttOptions::new(id, (host, settings.broker.port));
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options
        .set_network_options(network)
        .set_keep_alive(settings.pace.keep_alive_s)
        .set_connect_timeout(limits::CONNECT)
        .set_max_request_batch(limits::WINDOW);
    if settings.broker.tls {
        options.set_transport(Transport::tls_with_config(tls(settings).await?));
    }
    let password = match &settings.password_file {
        Some(file) => Some(read(file, Condition::CloudRefused, "password_file").await?),
        None => None,
    };
    match (&settings.username, password) {
        (Some(name), Some(password)) => drop(options.set_credentials(name, password.trim_ascii_end().to_vec())),
        (Some(name), None) => drop(options.set_username(name)),
        (None, Some(password)) => drop(options.set_password(password.trim_ascii_end().to_vec())),
        (None, None) => {}
    }
    Ok(options)
}

/// The file of those who may vouch for the broker.
pub(super) fn authorities(settings: &Settings) -> PathBuf {
    settings.ca_file.clone().unwrap_or_else(|| PathBuf::from(SYSTEM_AUTHORITIES))
}

async fn tls(settings: &Settings) -> Result<TlsConfiguration, Fault> {
    let authorities = authorities(settings);
    let ca = read(&authorities, Condition::CloudTls, "ca_file").await?;
    let client_auth = match (&settings.cert_file, &settings.key_file) {
        (Some(cert), Some(key)) => {
            let cert = read(cert, Condition::CloudTls, "cert_file").await?;
            Some((cert, read(key, Condition::CloudTls, "key_file").await?))
        }
        (None, None) => None,
        _ => return Err(Fault::new(Condition::CloudTls, "cert_file and key_file are given together or not at all")),
    };
    Ok(TlsConfiguration::Simple { ca, alpn: None, client_auth })
}

async fn read(file: &Path, condition: Condition, key: &str) -> Result<Vec<u8>, Fault> {
    let read = tokio::fs::read(file).await;
    read.map_err(|error| Fault::new(condition, format!("cannot read {key} {}: {error}", file.display())))
}

type Stored<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionStoreError>> + Send + 'a>>;

/// The client crate takes up a session that the broker kept only if it knows the client's side of it. Ours has nothing
/// in it: that client publishes nothing, and what is subscribed is subscribed anew at every connection.
#[derive(Debug)]
struct NothingOpen(PersistedSession);

impl SessionStore for NothingOpen {
    fn load<'a>(&'a self, _: &'a SessionStoreKey) -> Stored<'a, Option<PersistedSession>> {
        Box::pin(async { Ok(Some(self.0.clone())) })
    }

    fn save<'a>(&'a self, _: &'a SessionStoreKey, _: &'a PersistedSession) -> Stored<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn clear<'a>(&'a self, _: &'a SessionStoreKey) -> Stored<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}
