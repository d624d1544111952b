//! One client's session: its subscriptions and what waits for it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::{LastWill, Publish, QoS, SubscribeFilter, matches};
use tokio::sync::Notify;

/// The connection that a session is used by.
#[derive(Debug, Clone)]
pub(super) struct Attached {
    /// Tells this connection from the one before.
    pub connection: u64,
    /// Rings when something waits, or when the session was taken over.
    pub bell: Arc<Notify>,
    /// Messages the client wants at once.
    pub receive_maximum: u16,
    /// Largest packet the client takes.
    pub packet_bytes: Option<u32>,
    /// What the broker says for the client when the connection ends badly.
    pub will: Option<LastWill>,
}

/// A client's session.
#[derive(Debug)]
pub(super) struct Session {
    pub attached: Option<Attached>,
    /// How long it outlives its connection; `None`: for ever.
    pub expiry: Option<Duration>,
    pub detached_at: Option<Instant>,
    pub subscriptions: BTreeMap<String, SubscribeFilter>,
    queue: VecDeque<Publish>,
    queue_bytes: usize,
    /// Sent, not acknowledged, in the order of sending.
    inflight: VecDeque<Publish>,
    last_pkid: u16,
}

impl Session {
    pub(super) fn new(attached: Attached) -> Self {
        Self {
            attached: Some(attached),
            expiry: Some(Duration::ZERO),
            detached_at: None,
            subscriptions: BTreeMap::new(),
            queue: VecDeque::new(),
            queue_bytes: 0,
            inflight: VecDeque::new(),
            last_pkid: 0,
        }
    }

    pub(super) fn expired(&self, now: Instant) -> bool {
        match (self.detached_at, self.expiry) {
            (Some(since), Some(expiry)) => now.saturating_duration_since(since) >= expiry,
            _ => false,
        }
    }

    /// The `QoS` it gets a message with, and whether the retain flag stays; `None`: it does not want it.
    pub(super) fn wants(&self, topic: &str, from_itself: bool) -> Option<(QoS, bool)> {
        self.subscriptions
            .values()
            .filter(|filter| !(filter.nolocal && from_itself) && matches(topic, &filter.path))
            .map(|filter| (filter.qos, filter.preserve_retain))
            .max_by_key(|(qos, _)| *qos as u8)
    }

    pub(super) fn has_room(&self, publish: &Publish, messages: usize, bytes: usize) -> bool {
        self.queue.len() < messages && self.queue_bytes + publish.payload.len() <= bytes
    }

    pub(super) fn push(&mut self, publish: Publish) {
        self.queue_bytes += publish.payload.len();
        self.queue.push_back(publish);
        self.ring();
    }

    pub(super) fn ring(&self) {
        if let Some(attached) = &self.attached {
            attached.bell.notify_one();
        }
    }

    /// What was sent and never acknowledged, to be sent again on a new connection.
    pub(super) fn again(&self) -> Vec<Publish> {
        self.inflight.iter().map(|publish| Publish { dup: true, ..publish.clone() }).collect()
    }

    /// What may be sent now. Messages too large for the client count as delivered (MQTT 5, 3.1.2.11.4).
    pub(super) fn take(&mut self, inflight: u16, undeliverable: &mut u64) -> Vec<Publish> {
        let Some(attached) = self.attached.clone() else { return Vec::new() };
        let window = usize::from(attached.receive_maximum.min(inflight));
        let mut taken = Vec::new();
        while self.inflight.len() < window {
            let Some(mut publish) = self.queue.pop_front() else { break };
            self.queue_bytes -= publish.payload.len();
            if publish.qos != QoS::AtMostOnce {
                publish.pkid = self.next_pkid();
            }
            if attached.packet_bytes.is_some_and(|limit| publish.size() > limit as usize) {
                *undeliverable += 1;
                continue;
            }
            if publish.qos != QoS::AtMostOnce {
                self.inflight.push_back(publish.clone());
            }
            taken.push(publish);
        }
        taken
    }

    pub(super) fn acknowledged(&mut self, pkid: u16) {
        self.inflight.retain(|publish| publish.pkid != pkid);
        self.ring();
    }

    /// Never one that is in flight: the window is far smaller than the number of ids.
    fn next_pkid(&mut self) -> u16 {
        loop {
            self.last_pkid = self.last_pkid.checked_add(1).unwrap_or(1);
            if self.inflight.iter().all(|publish| publish.pkid != self.last_pkid) {
                return self.last_pkid;
            }
        }
    }
}
