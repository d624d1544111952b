//! One client's connection, from CONNECT to its end.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::{
    ConnAck, ConnAckProperties, Connect, ConnectReturnCode, Disconnect, DisconnectReasonCode, LastWill, Packet, PubAck,
    PubAckReason, Publish, QoS, SubAck, UnsubAck,
};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::Shared;
use super::session::Attached;
use super::wire::{Wire, WireError};

/// What became of a connection that was let in.
#[derive(Clone, Copy)]
enum End {
    /// The client took leave; it may have changed how long its session stays.
    Leave { will: bool, expiry_s: Option<u32> },
    /// It broke, was cut, or was ended by the broker.
    Broken,
}

struct Connection {
    shared: Arc<Shared>,
    wire: Wire,
    client: String,
    number: u64,
    bell: Arc<Notify>,
    keep_alive: Duration,
    /// Publishes left before the wire is cut.
    publishes_left: Option<u64>,
}

/// Serves one client.
pub(super) async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    let cut = shared.state().knobs.draw_cut();
    let mut wire = Wire::new(stream, shared.limits.packet_bytes, cut.bytes);
    until_silent(&shared, false).await;
    let Ok(Ok(Packet::Connect(mut connect, will, _))) = timeout(shared.limits.patience, wire.read()).await else {
        shared.state().counts.cuts += u64::from(wire.is_cut());
        return;
    };
    let number = shared.state().number();
    let bell = Arc::new(Notify::new());
    let assigned = connect.client_id.is_empty().then(|| format!("assigned-{number}"));
    if let Some(id) = &assigned {
        connect.client_id.clone_from(id);
    }
    let mut answer = admit(&shared, &connect, will, number, &bell);
    if let Some(properties) = &mut answer.properties {
        properties.assigned_client_identifier = assigned;
    }
    let admitted = answer.code == ConnectReturnCode::Success;
    let keep_alive = Duration::from_secs(u64::from(connect.keep_alive) * 3 / 2);
    let client = connect.client_id;
    let mut connection = Connection { shared, wire, client, number, bell, keep_alive, publishes_left: cut.publishes };
    let greeted = connection.greet(answer).await;
    if !admitted {
        return;
    }
    let end = match greeted {
        Ok(()) => connection.talk().await,
        Err(_) => End::Broken,
    };
    connection.close(end);
}

/// Waits until the broker is silent, or until it is not.
async fn until_silent(shared: &Shared, wanted: bool) {
    let mut silent = shared.silent.subscribe();
    // The sender lives in `shared`, so this cannot fail.
    let _ = silent.wait_for(|silent| *silent == wanted).await;
}

fn admit(shared: &Shared, connect: &Connect, will: Option<LastWill>, number: u64, bell: &Arc<Notify>) -> ConnAck {
    let mut state = shared.state();
    let refuse = |code| ConnAck { session_present: false, code, properties: None };
    if let Some(code) = state.knobs.refuse_connect {
        return refuse(code);
    }
    let asked = connect.properties.as_ref();
    let attached = Attached {
        connection: number,
        bell: Arc::clone(bell),
        receive_maximum: asked.and_then(|asked| asked.receive_maximum).unwrap_or(u16::MAX),
        packet_bytes: asked.and_then(|asked| asked.max_packet_size),
        will,
    };
    match state.attach(connect, attached, shared.clock.now()) {
        None => refuse(ConnectReturnCode::QuotaExceeded),
        Some(session_present) => {
            let properties = Some(ConnAckProperties {
                max_qos: Some(1),
                max_packet_size: Some(shared.limits.packet_bytes),
                shared_subscription_available: Some(0),
                subscription_identifiers_available: Some(0),
                ..no_properties()
            });
            ConnAck { session_present, code: ConnectReturnCode::Success, properties }
        }
    }
}

fn no_properties() -> ConnAckProperties {
    ConnAckProperties {
        session_expiry_interval: None,
        receive_max: None,
        max_qos: None,
        retain_available: None,
        max_packet_size: None,
        assigned_client_identifier: None,
        topic_alias_max: None,
        reason_string: None,
        user_properties: Vec::new(),
        wildcard_subscription_available: None,
        subscription_identifiers_available: None,
        shared_subscription_available: None,
        server_keep_alive: None,
        response_information: None,
        server_reference: None,
        authentication_method: None,
        authentication_data: None,
    }
}

impl Connection {
    /// CONNACK, then what was sent on an earlier connection and never acknowledged.
    async fn greet(&mut self, answer: ConnAck) -> Result<(), WireError> {
        let again = self.shared.state().again(&self.client, self.number);
        self.wire.put(Packet::ConnAck(answer))?;
        for publish in again {
            self.wire.put(Packet::Publish(publish))?;
        }
        self.flush().await
    }

    async fn talk(&mut self) -> End {
        loop {
            match self.turn().await {
                Ok(None) => {}
                Ok(Some(end)) => return end,
                Err(WireError::Packet(error)) => {
                    self.farewell(complaint(&error)).await;
                    return End::Broken;
                }
                Err(WireError::Closed | WireError::Cut | WireError::Socket(_)) => return End::Broken,
            }
        }
    }

    /// Sends what waits, then waits for the client, for something to send, or for the keep-alive to run out.
    async fn turn(&mut self) -> Result<Option<End>, WireError> {
        until_silent(&self.shared, false).await;
        if !self.shared.state().is_attached(&self.client, self.number) {
            self.farewell(DisconnectReasonCode::SessionTakenOver).await;
            return Ok(Some(End::Broken));
        }
        let ready = self.shared.state().take(&self.client, self.number);
        for publish in ready {
            self.wire.put(Packet::Publish(publish))?;
        }
        self.flush().await?;
        let patience =
            if self.keep_alive.is_zero() { Duration::from_secs(u64::from(u32::MAX)) } else { self.keep_alive };
        tokio::select! {
            () = self.bell.notified() => Ok(None),
            () = until_silent(&self.shared, true) => Ok(None),
            read = timeout(patience, self.wire.read()) => match read {
                Ok(packet) => self.batch(packet?).await,
                Err(_) => {
                    self.farewell(DisconnectReasonCode::KeepAliveTimeout).await;
                    Ok(Some(End::Broken))
                }
            },
        }
    }

    /// Answers a packet and all that came with it.
    async fn batch(&mut self, first: Packet) -> Result<Option<End>, WireError> {
        let mut next = Some(first);
        while let Some(packet) = next {
            if let Some(end) = self.answer(packet).await? {
                self.flush().await?;
                return Ok(Some(end));
            }
            if self.publishes_left == Some(0) {
                self.wire.cut_in_half();
                self.flush().await?;
                return Err(WireError::Cut);
            }
            next = self.wire.decode()?;
        }
        self.flush().await?;
        Ok(None)
    }

    async fn answer(&mut self, packet: Packet) -> Result<Option<End>, WireError> {
        match packet {
            Packet::Publish(publish) => return self.publish(publish).await,
            Packet::PubAck(ack) => self.shared.state().acknowledged(&self.client, self.number, ack.pkid),
            Packet::Subscribe(subscribe) => {
                let return_codes = self.shared.state().subscribe(&self.client, self.number, &subscribe);
                self.wire.put(Packet::SubAck(SubAck { pkid: subscribe.pkid, return_codes, properties: None }))?;
            }
            Packet::Unsubscribe(unsubscribe) => {
                let reasons = self.shared.state().unsubscribe(&self.client, self.number, &unsubscribe);
                self.wire.put(Packet::UnsubAck(UnsubAck { pkid: unsubscribe.pkid, reasons, properties: None }))?;
            }
            Packet::PingReq => self.wire.put(Packet::PingResp)?,
            Packet::Disconnect(Disconnect { reason_code, properties }) => {
                let expiry_s = properties.and_then(|properties| properties.session_expiry_interval);
                let will = reason_code != DisconnectReasonCode::NormalDisconnection;
                return Ok(Some(End::Leave { will, expiry_s }));
            }
            _ => {
                self.farewell(DisconnectReasonCode::ProtocolError).await;
                return Ok(Some(End::Broken));
            }
        }
        Ok(None)
    }

    async fn publish(&mut self, publish: Publish) -> Result<Option<End>, WireError> {
        let aliased = publish.properties.as_ref().is_some_and(|properties| properties.topic_alias.is_some());
        let fault = match publish.qos {
            QoS::ExactlyOnce => Some(DisconnectReasonCode::QoSNotSupported),
            _ if aliased => Some(DisconnectReasonCode::TopicAliasInvalid),
            _ if publish.topic.is_empty() => Some(DisconnectReasonCode::TopicNameInvalid),
            _ => None,
        };
        if let Some(fault) = fault {
            self.farewell(fault).await;
            return Ok(Some(End::Broken));
        }
        let now = self.shared.clock.now();
        let (reason, acknowledge) = {
            let mut state = self.shared.state();
            (state.publish(&self.client, &publish, now), !state.knobs.never_acknowledge)
        };
        if publish.qos == QoS::AtLeastOnce && acknowledge {
            self.wire.put(Packet::PubAck(acknowledgement(publish.pkid, reason)))?;
        }
        if let Some(left) = &mut self.publishes_left {
            *left = left.saturating_sub(1);
        }
        Ok(None)
    }

    async fn flush(&mut self) -> Result<(), WireError> {
        match timeout(self.shared.limits.patience, self.wire.flush()).await {
            Ok(flushed) => flushed,
            Err(_) => Err(WireError::Closed),
        }
    }

    /// Says why the connection ends, if the client still listens.
    async fn farewell(&mut self, reason: DisconnectReasonCode) {
        if self.wire.put(Packet::Disconnect(Disconnect::new(reason))).is_ok() {
            let _ = self.flush().await;
        }
    }

    fn close(&self, end: End) {
        let now = self.shared.clock.now();
        let mut state = self.shared.state();
        let (with_will, expiry_s) = match end {
            End::Leave { will, expiry_s } => (will, expiry_s),
            End::Broken => (true, None),
        };
        if self.wire.is_cut() {
            state.counts.cuts += 1;
        }
        state.detach(&self.client, self.number, with_will, expiry_s, now);
    }
}

fn acknowledgement(pkid: u16, reason: PubAckReason) -> PubAck {
    PubAck { reason, ..PubAck::new(pkid, None) }
}

fn complaint(error: &rumqttc::mqttbytes::Error) -> DisconnectReasonCode {
    use rumqttc::mqttbytes::Error;
    match error {
        Error::PayloadSizeLimitExceeded { .. } => DisconnectReasonCode::PacketTooLarge,
        Error::ProtocolViolation(reason) => *reason,
        Error::ProtocolError => DisconnectReasonCode::ProtocolError,
        _ => DisconnectReasonCode::MalformedPacket,
    }
}
