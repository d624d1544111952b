//! A small MQTT 5 broker over plain TCP, for the demo and the tests: the other end of the uplink.
//!
//! It speaks with any MQTT 5 client: sessions that survive the connection (in memory), wills, retained messages,
//! subscriptions with `+` and `#`, `QoS` 0 and 1 with redelivery, take-over by the same client id, keep-alive. And it
//! is an instrument: it can be stopped and started at the same address ([`Broker::stop`], [`Broker::start`]), and its
//! [`Knobs`] make it refuse, fall silent, forget, or cut the wire in the middle of a packet.
//!
//! What is absent: MQTT 3.1.1, `QoS` 2 (Maximum `QoS` 1 is announced), TLS and login, shared subscriptions, topic
//! aliases, subscription identifiers, message expiry, will delay, anything on disk.
//!
//! # Limits
//!
//! All of them are in [`Limits`], and every one of them is answered with the reason code that MQTT 5 has for it. A
//! publish of `QoS` 1 that would overflow the queue of a subscriber is refused with `0x97` (quota exceeded) and reaches
//! nobody; of `QoS` 0 it is dropped and counted.

mod connection;
mod knobs;
mod session;
mod state;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::Clock;
pub use knobs::{Cut, Knobs, Refusal};
use state::State;
pub use state::{Counts, Received};

/// What the broker bears.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once; more are closed unanswered.
    pub connections: usize,
    /// Sessions kept, connected or not; more clients are refused with `0x97`.
    pub sessions: usize,
    /// Subscriptions of one session; more are refused with `0x97`.
    pub subscriptions: usize,
    /// Topics with a retained message; more are refused with `0x97`.
    pub retained: usize,
    /// Messages waiting for one session.
    pub queue_messages: usize,
    /// Bytes of payload waiting for one session.
    pub queue_bytes: usize,
    /// Messages on their way to one client, not yet acknowledged.
    pub inflight: u16,
    /// Largest packet taken, in bytes; announced in CONNACK; a larger one ends the connection with `0x95`.
    pub packet_bytes: u32,
    /// How many of the latest publishes are kept for [`Broker::received`]; 0 keeps none.
    pub record: usize,
    /// How long a client may take to say CONNECT, and to take what is written to it.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            sessions: 1_000,
            subscriptions: 100,
            retained: 10_000,
            queue_messages: 10_000,
            queue_bytes: 16 << 20,
            inflight: 100,
            packet_bytes: 1 << 20,
            record: 0,
            patience: Duration::from_secs(10),
        }
    }
}

/// Why the broker does not run.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address wanted.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// What the connections share.
#[derive(Debug)]
struct Shared {
    limits: Limits,
    clock: Clock,
    state: Mutex<State>,
    /// `true`: connections neither read nor answer.
    silent: watch::Sender<bool>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A broker at one address. Dropping it ends all of it at once.
#[derive(Debug)]
pub struct Broker {
    shared: Arc<Shared>,
    address: SocketAddr,
    tasks: JoinSet<()>,
}

impl Broker {
    /// Listens on `address`; port 0 chooses a free one, which is then kept.
    pub async fn bind(address: SocketAddr, limits: Limits, clock: Clock) -> Result<Self, BrokerError> {
        let state = Mutex::new(State::new(limits.clone()));
        let shared = Arc::new(Shared { limits, clock, state, silent: watch::Sender::new(false) });
        let mut broker = Self { shared, address, tasks: JoinSet::new() };
        broker.start().await?;
        Ok(broker)
    }

    /// Where it listens, or would.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as the configuration wants it: `mqtt://127.0.0.1:1883`.
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.address)
    }

    /// Whether it listens.
    pub fn running(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// Listens again after [`Broker::stop`]. Does nothing while it runs.
    pub async fn start(&mut self) -> Result<(), BrokerError> {
        if self.running() {
            return Ok(());
        }
        let failed = |source| BrokerError::Listen { address: self.address, source };
        let listener = TcpListener::bind(self.address).await.map_err(failed)?;
        self.address = listener.local_addr().map_err(failed)?;
        self.tasks.spawn(accept(Arc::clone(&self.shared), listener));
        Ok(())
    }

    /// Pulls it away: the port refuses, every connection ends without a word. Sessions and retained messages stay.
    pub async fn stop(&mut self) {
        self.tasks.shutdown().await;
        let now = self.shared.clock.now();
        self.shared.state().detach_all(now);
    }

    /// Changes how it misbehaves, from the next packet on.
    pub fn tune(&self, change: impl FnOnce(&mut Knobs)) {
        let mut state = self.shared.state();
        change(&mut state.knobs);
        let silent = state.knobs.silent;
        drop(state);
        self.shared.silent.send_replace(silent);
    }

    /// Forgets every session that is not connected, and ends every connection so that none is.
    pub fn forget_sessions(&self) {
        let now = self.shared.clock.now();
        self.shared.state().forget_sessions(now);
    }

    /// What it has counted since it was made.
    pub fn counts(&self) -> Counts {
        self.shared.state().counts
    }

    /// Takes what was received and not yet taken, oldest first; see [`Limits::record`].
    pub fn received(&self) -> Vec<Received> {
        self.shared.state().take_received()
    }

    /// The retained message of a topic.
    pub fn retained(&self, topic: &str) -> Option<Vec<u8>> {
        self.shared.state().retained(topic)
    }

    /// Ids of the clients connected now.
    pub fn clients(&self) -> Vec<String> {
        self.shared.state().clients()
    }
}

/// Owns its connections: when it is aborted, they end.
async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < shared.limits.connections => {
                    connections.spawn(connection::serve(Arc::clone(&shared), stream));
                }
                Ok(_) => shared.state().counts.connections_refused += 1,
                // Out of file descriptors, say: the next accept would fail at once, so give others time to close.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
        }
    }
}

#[cfg(test)]
mod tests;
