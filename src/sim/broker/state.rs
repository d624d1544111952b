//! What the broker knows. No socket and no waiting here: every function answers at once.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rumqttc::{
    Connect, ConnectProperties, LastWill, PubAckReason, Publish, PublishProperties, QoS, RetainForwardRule, Subscribe,
    SubscribeFilter, SubscribeReasonCode, UnsubAckReason, Unsubscribe, valid_filter,
};

use super::Limits;
use super::knobs::Knobs;
use super::session::{Attached, Session};

/// What the broker has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// CONNECTs accepted.
    pub connected: u64,
    /// Connections closed because there were too many.
    pub connections_refused: u64,
    /// Publishes taken from clients.
    pub publishes_in: u64,
    /// Publishes answered with a reason of 0x80 or more.
    pub publishes_refused: u64,
    /// Publishes written to clients, again or for the first time.
    pub publishes_out: u64,
    /// `QoS` 0 messages dropped because a subscriber's queue was full.
    pub dropped: u64,
    /// Messages larger than their subscriber takes.
    pub undeliverable: u64,
    /// Wires cut.
    pub cuts: u64,
}

/// A publish that a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Who sent it.
    pub client: String,
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// Whether the client marked it as sent again.
    pub dup: bool,
    /// Whether it is to be retained.
    pub retain: bool,
    /// Whether it was taken; the acknowledgement may still not have arrived.
    pub accepted: bool,
}

/// Everything the broker knows.
#[derive(Debug)]
pub(super) struct State {
    pub knobs: Knobs,
    pub counts: Counts,
    limits: Limits,
    sessions: BTreeMap<String, Session>,
    retained: BTreeMap<String, Publish>,
    received: VecDeque<Received>,
    connections: u64,
}

impl State {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            knobs: Knobs::default(),
            counts: Counts::default(),
            limits,
            sessions: BTreeMap::new(),
            retained: BTreeMap::new(),
            received: VecDeque::new(),
            connections: 0,
        }
    }

    /// A number for a new connection.
    pub(super) fn number(&mut self) -> u64 {
        self.connections += 1;
        self.connections
    }

    /// Lets a client in; a connection with the same id loses its session. `None`: there are too many sessions.
    /// Else whether a session was present.
    pub(super) fn attach(&mut self, connect: &Connect, attached: Attached, now: Instant) -> Option<bool> {
        self.sessions.retain(|_, session| !session.expired(now));
        let client = &connect.client_id;
        if let Some(Attached { bell, will, .. }) =
            self.sessions.get_mut(client).and_then(|before| before.attached.take())
        {
            bell.notify_one();
            self.publish_will(client, will, now);
        }
        if connect.clean_start || self.knobs.forgetful {
            self.sessions.remove(client);
        }
        let present = self.sessions.contains_key(client);
        if !present && self.sessions.len() >= self.limits.sessions {
            return None;
        }
        let session = self.sessions.entry(client.clone()).or_insert_with(|| Session::new(attached.clone()));
        session.attached = Some(attached);
        session.detached_at = None;
        session.expiry = expiry(connect.properties.as_ref());
        self.counts.connected += 1;
        Some(present)
    }

    /// Whether this connection still has its session.
    pub(super) fn is_attached(&self, client: &str, connection: u64) -> bool {
        self.session(client, connection).is_some()
    }

    /// The connection is over. `expiry_s`: a DISCONNECT changed how long the session stays.
    pub(super) fn detach(
        &mut self,
        client: &str,
        connection: u64,
        with_will: bool,
        expiry_s: Option<u32>,
        now: Instant,
    ) {
        let forgetful = self.knobs.forgetful;
        let Some(session) = self.session_mut(client, connection) else { return };
        if let Some(expiry_s) = expiry_s {
            session.expiry = lifetime(expiry_s);
        }
        let will = session.attached.take().and_then(|attached| attached.will);
        session.detached_at = Some(now);
        if forgetful || session.expired(now) {
            self.sessions.remove(client);
        }
        if with_will {
            self.publish_will(client, will, now);
        }
    }

    /// All connections are over.
    pub(super) fn detach_all(&mut self, now: Instant) {
        for session in self.sessions.values_mut() {
            if session.attached.take().is_some() {
                session.detached_at = Some(now);
            }
        }
        self.sessions.retain(|_, session| !session.expired(now));
    }

    pub(super) fn forget_sessions(&mut self, now: Instant) {
        for (client, mut session) in std::mem::take(&mut self.sessions) {
            session.ring();
            let will = session.attached.take().and_then(|attached| attached.will);
            self.publish_will(&client, will, now);
        }
    }

    pub(super) fn subscribe(&mut self, client: &str, connection: u64, wanted: &Subscribe) -> Vec<SubscribeReasonCode> {
        wanted.filters.iter().map(|filter| self.subscribe_one(client, connection, filter)).collect()
    }

    fn subscribe_one(&mut self, client: &str, connection: u64, filter: &SubscribeFilter) -> SubscribeReasonCode {
        let limit = self.limits.subscriptions;
        let Some(session) = self.session_mut(client, connection) else { return SubscribeReasonCode::Unspecified };
        if filter.path.starts_with("$share/") {
            return SubscribeReasonCode::SharedSubscriptionsNotSupported;
        }
        if !valid_filter(&filter.path) {
            return SubscribeReasonCode::TopicFilterInvalid;
        }
        let new = !session.subscriptions.contains_key(&filter.path);
        if new && session.subscriptions.len() >= limit {
            return SubscribeReasonCode::QuotaExceeded;
        }
        let qos = at_most(filter.qos);
        session.subscriptions.insert(filter.path.clone(), SubscribeFilter { qos, ..filter.clone() });
        let replay = match filter.retain_forward_rule {
            RetainForwardRule::OnEverySubscribe => true,
            RetainForwardRule::OnNewSubscribe => new,
            RetainForwardRule::Never => false,
        };
        if replay {
            self.deliver_retained(client, connection, &filter.path, qos);
        }
        SubscribeReasonCode::Success(qos)
    }

    fn deliver_retained(&mut self, client: &str, connection: u64, filter: &str, qos: QoS) {
        let (messages, bytes) = (self.limits.queue_messages, self.limits.queue_bytes);
        let kept: Vec<Publish> = self
            .retained
            .iter()
            .filter(|(topic, _)| rumqttc::matches(topic, filter))
            .map(|(_, publish)| outgoing(publish, qos, true))
            .collect();
        let mut dropped = 0;
        if let Some(session) = self.session_mut(client, connection) {
            for publish in kept {
                if session.has_room(&publish, messages, bytes) {
                    session.push(publish);
                } else {
                    dropped += 1;
                }
            }
        }
        self.counts.dropped += dropped;
    }

    pub(super) fn unsubscribe(&mut self, client: &str, connection: u64, unwanted: &Unsubscribe) -> Vec<UnsubAckReason> {
        let Some(session) = self.session_mut(client, connection) else {
            return vec![UnsubAckReason::UnspecifiedError; unwanted.filters.len()];
        };
        let mut remove = |filter: &String| match session.subscriptions.remove(filter) {
            Some(_) => UnsubAckReason::Success,
            None => UnsubAckReason::NoSubscriptionExisted,
        };
        unwanted.filters.iter().map(&mut remove).collect()
    }

    /// A client publishes.
    pub(super) fn publish(&mut self, client: &str, publish: &Publish, now: Instant) -> PubAckReason {
        self.counts.publishes_in += 1;
        let refusal = self.knobs.refuse_publish.iter().find(|refusal| refusal.meets(publish));
        let reason = match refusal {
            Some(refusal) => refusal.reason,
            None => self.route(client, publish, now),
        };
        let accepted = (reason as u8) < 0x80;
        self.counts.publishes_refused += u64::from(!accepted);
        self.record(client, publish, accepted);
        reason
    }

    /// The will of a client whose connection ended badly.
    fn publish_will(&mut self, client: &str, will: Option<LastWill>, now: Instant) {
        let Some(LastWill { topic, message, qos, retain, properties: _ }) = will else { return };
        let publish = Publish { qos, retain, topic, payload: message, ..Publish::default() };
        self.route(client, &publish, now);
    }

    fn route(&mut self, client: &str, publish: &Publish, now: Instant) -> PubAckReason {
        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
        if publish.retain && !self.retain(&topic, publish) {
            return PubAckReason::QuotaExceeded;
        }
        let (messages, bytes) = (self.limits.queue_messages, self.limits.queue_bytes);
        let mut takers = Vec::new();
        for (name, session) in self.sessions.iter_mut().filter(|(_, session)| !session.expired(now)) {
            if let Some((qos, retain)) = session.wants(&topic, name == client) {
                takers.push((session, outgoing(publish, qos, retain && publish.retain)));
            }
        }
        let full = |(session, message): &(&mut Session, Publish)| {
            message.qos != QoS::AtMostOnce && !session.has_room(message, messages, bytes)
        };
        if takers.iter().any(full) {
            return PubAckReason::QuotaExceeded;
        }
        let nobody = takers.is_empty();
        for (session, message) in takers {
            if session.has_room(&message, messages, bytes) {
                session.push(message);
            } else {
                self.counts.dropped += 1;
            }
        }
        if nobody { PubAckReason::NoMatchingSubscribers } else { PubAckReason::Success }
    }

    /// An empty payload takes the retained message away (MQTT 5, 3.3.1.3).
    fn retain(&mut self, topic: &str, publish: &Publish) -> bool {
        if publish.payload.is_empty() {
            self.retained.remove(topic);
            return true;
        }
        if self.retained.len() >= self.limits.retained && !self.retained.contains_key(topic) {
            return false;
        }
        self.retained.insert(topic.to_owned(), publish.clone());
        true
    }

    fn record(&mut self, client: &str, publish: &Publish, accepted: bool) {
        if self.limits.record == 0 {
            return;
        }
        if self.received.len() == self.limits.record {
            self.received.pop_front();
        }
        self.received.push_back(Received {
            client: client.to_owned(),
            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
            payload: publish.payload.to_vec(),
            dup: publish.dup,
            retain: publish.retain,
            accepted,
        });
    }

    /// What the client has not acknowledged, for the start of a connection.
    pub(super) fn again(&mut self, client: &str, connection: u64) -> Vec<Publish> {
        let again = self.session(client, connection).map_or_else(Vec::new, Session::again);
        self.counts.publishes_out += again.len() as u64;
        again
    }

    /// What may be sent to the client now.
    pub(super) fn take(&mut self, client: &str, connection: u64) -> Vec<Publish> {
        let inflight = self.limits.inflight;
        let mut undeliverable = 0;
        let taken = match self.session_mut(client, connection) {
            Some(session) => session.take(inflight, &mut undeliverable),
            None => Vec::new(),
        };
        self.counts.undeliverable += undeliverable;
        self.counts.publishes_out += taken.len() as u64;
        taken
    }

    pub(super) fn acknowledged(&mut self, client: &str, connection: u64, pkid: u16) {
        if let Some(session) = self.session_mut(client, connection) {
            session.acknowledged(pkid);
        }
    }

    pub(super) fn take_received(&mut self) -> Vec<Received> {
        self.received.drain(..).collect()
    }

    pub(super) fn retained(&self, topic: &str) -> Option<Vec<u8>> {
        self.retained.get(topic).map(|publish| publish.payload.to_vec())
    }

    pub(super) fn clients(&self) -> Vec<String> {
        let connected = |(name, session): (&String, &Session)| session.attached.is_some().then(|| name.clone());
        self.sessions.iter().filter_map(connected).collect()
    }

    fn session(&self, client: &str, connection: u64) -> Option<&Session> {
        let mine = |session: &&Session| session.attached.as_ref().is_some_and(|by| by.connection == connection);
        self.sessions.get(client).filter(mine)
    }

    fn session_mut(&mut self, client: &str, connection: u64) -> Option<&mut Session> {
        let mine = |session: &&mut Session| session.attached.as_ref().is_some_and(|by| by.connection == connection);
        self.sessions.get_mut(client).filter(mine)
    }
}

/// How long a session outlives its connection; without a word, not at all (MQTT 5, 3.1.2.11.2).
fn expiry(properties: Option<&ConnectProperties>) -> Option<Duration> {
    lifetime(properties.and_then(|properties| properties.session_expiry_interval).unwrap_or(0))
}

fn lifetime(seconds: u32) -> Option<Duration> {
    (seconds != u32::MAX).then(|| Duration::from_secs(seconds.into()))
}

fn at_most(qos: QoS) -> QoS {
    if qos == QoS::AtMostOnce { QoS::AtMostOnce } else { QoS::AtLeastOnce }
}

/// A message on its way to a subscriber.
fn outgoing(publish: &Publish, qos: QoS, retain: bool) -> Publish {
    let properties = publish.properties.clone().map(|properties| PublishProperties {
        topic_alias: None,
        subscription_identifiers: Vec::new(),
        ..properties
    });
    let qos = if publish.qos == QoS::AtMostOnce { QoS::AtMostOnce } else { at_most(qos) };
    Publish { dup: false, qos, retain, pkid: 0, properties, ..publish.clone() }
}
