//! What the end of a connection means.
//!
//! | what happened | condition | what follows |
//! |---|---|---|
//! | no route, refused, reset, closed, silence, no answer to a ping or a publish | `cloud.away` | again later |
//! | CONNACK or DISCONNECT: server unavailable, busy, shutting down, moved | `cloud.away` | again later |
//! | CONNACK or DISCONNECT: user name, password, not authorised, banned, client id, taken over | `cloud.refused` | again later |
//! | CONNACK or DISCONNECT: quota, rate | `cloud.quota` | again later |
//! | TLS: our or the broker's certificate, no common version | `cloud.tls` | again later |
//! | DISCONNECT: malformed, too large, payload format; an answer that MQTT 5 does not know | `cloud.away` | again, carefully: see `Careful` |
//!
//! Nothing is ever given up because a connection ended, unless the broker said that a packet was the reason and only
//! one event was on its way.

use std::error::Error;

use rumqttc::mqttbytes::Error as PacketError;
use rumqttc::{ConnectReturnCode, ConnectionError, DisconnectReasonCode, StateError, TlsError};

use super::tls;
use crate::types::Condition;

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// What it is for the technician.
    pub condition: Condition,
    /// What exactly.
    pub detail: String,
    /// Whether the broker ended it over something that we sent.
    pub over_a_packet: bool,
    /// Whether the other end closed without a word before it had accepted us. A broker that has just refused our
    /// certificate may look like that: its alert is lost when it closes with our packet unread.
    pub wordless: bool,
}

impl Fault {
    pub(super) fn new(condition: Condition, detail: impl Into<String>) -> Self {
        Self { condition, detail: detail.into(), over_a_packet: false, wordless: false }
    }

    pub(super) fn away(detail: impl Into<String>) -> Self {
        Self::new(Condition::CloudAway, detail)
    }
}

impl From<&ConnectionError> for Fault {
    fn from(error: &ConnectionError) -> Self {
        if is_tls(error) {
            let said = chain(error);
            let detail = tls::advice(error).map_or(said.clone(), |advice| format!("{advice} ({said})"));
            return Self::new(Condition::CloudTls, detail);
        }
        match error {
            ConnectionError::ConnectionRefused(code) => {
                Self::new(refusal(*code), format!("the broker answered the connection with {code:?}"))
            }
            ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, reason_string }) => {
                let said = reason_string.as_deref().unwrap_or("no further reason");
                let detail = format!("the broker ended the connection with {reason_code:?} ({said})");
                let over_a_packet = over_a_packet(*reason_code);
                Self { over_a_packet, ..Self::new(farewell(*reason_code), detail) }
            }
            // Reasons that a PUBACK may not have, and some brokers give: 0x95 for a message that is too large.
            ConnectionError::MqttState(StateError::Deserialization(
                PacketError::InvalidReason(reason) | PacketError::InvalidConnectReturnCode(reason),
            )) => Self {
                over_a_packet: true,
                ..Self::away(format!("the broker gave a reason that MQTT 5 does not know here: {reason:#04x}"))
            },
            ConnectionError::Tls(_) if is_wordless(error) => Self::away(format!(
                "cut off during the TLS handshake: look whether the broker speaks TLS at this port ({})",
                chain(error)
            )),
            _ => Self::away(chain(error)),
        }
    }
}

fn refusal(code: ConnectReturnCode) -> Condition {
    use ConnectReturnCode as Code;
    match code {
        Code::QuotaExceeded | Code::ConnectionRateExceeded => Condition::CloudQuota,
        Code::ServiceUnavailable
        | Code::ServerUnavailable
        | Code::ServerBusy
        | Code::UseAnotherServer
        | Code::ServerMoved
        | Code::UnspecifiedError
        | Code::ImplementationSpecificError => Condition::CloudAway,
        _ => Condition::CloudRefused,
    }
}

fn farewell(reason: DisconnectReasonCode) -> Condition {
    use DisconnectReasonCode as Reason;
    match reason {
        Reason::QuotaExceeded | Reason::MessageRateTooHigh | Reason::ConnectionRateExceeded => Condition::CloudQuota,
        Reason::NotAuthorized | Reason::SessionTakenOver | Reason::AdministrativeAction => Condition::CloudRefused,
        _ => Condition::CloudAway,
    }
}

fn over_a_packet(reason: DisconnectReasonCode) -> bool {
    use DisconnectReasonCode as Reason;
    matches!(
        reason,
        Reason::MalformedPacket | Reason::ProtocolError | Reason::PacketTooLarge | Reason::PayloadFormatInvalid
    )
}

/// Closed or cut by the other end, which said nothing.
pub(super) fn is_wordless(error: &ConnectionError) -> bool {
    use std::io::ErrorKind as Kind;
    match error {
        ConnectionError::MqttState(StateError::ConnectionAborted) => true,
        ConnectionError::Io(error)
        | ConnectionError::Tls(TlsError::Io(error))
        | ConnectionError::MqttState(StateError::Deserialization(PacketError::Io(error))) => {
            let cut = [Kind::ConnectionReset, Kind::ConnectionAborted, Kind::BrokenPipe, Kind::UnexpectedEof];
            cut.contains(&error.kind())
        }
        _ => false,
    }
}

/// A failed handshake, or the broker's alert about our certificate, which TLS 1.3 lets arrive after it.
fn is_tls(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::Tls(TlsError::Io(_)) => tls::inner(error).is_some(),
        ConnectionError::Tls(_) => true,
        _ => tls::inner(error).is_some(),
    }
}

/// An error and its causes, each said once.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio_rustls::rustls;

    use super::*;

    fn state(error: StateError) -> Fault {
        Fault::from(&ConnectionError::MqttState(error))
    }

    fn said(reason_code: DisconnectReasonCode) -> Fault {
        state(StateError::ServerDisconnect { reason_code, reason_string: None })
    }

    #[test]
    fn every_end_has_its_condition() {
        let refused = |code| Fault::from(&ConnectionError::ConnectionRefused(code)).condition;
        assert_eq!(refused(ConnectReturnCode::BadUserNamePassword), Condition::CloudRefused);
        assert_eq!(refused(ConnectReturnCode::NotAuthorized), Condition::CloudRefused);
        assert_eq!(refused(ConnectReturnCode::ServerBusy), Condition::CloudAway);
        assert_eq!(refused(ConnectReturnCode::QuotaExceeded), Condition::CloudQuota);
        assert_eq!(said(DisconnectReasonCode::SessionTakenOver).condition, Condition::CloudRefused);
        assert_eq!(said(DisconnectReasonCode::MessageRateTooHigh).condition, Condition::CloudQuota);
        assert_eq!(said(DisconnectReasonCode::ServerShuttingDown).condition, Condition::CloudAway);
        let gone = Fault::from(&ConnectionError::Io(io::ErrorKind::ConnectionRefused.into()));
        assert_eq!(gone.condition, Condition::CloudAway);
        let certificate = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        let expired = io::Error::new(io::ErrorKind::InvalidData, certificate);
        assert_eq!(Fault::from(&ConnectionError::Tls(TlsError::Io(expired))).condition, Condition::CloudTls);
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(Fault::from(&ConnectionError::Tls(TlsError::Io(reset))).condition, Condition::CloudAway);
    }

    #[test]
    fn only_what_the_broker_says_of_a_packet_is_held_against_a_packet() {
        assert!(said(DisconnectReasonCode::PacketTooLarge).over_a_packet);
        assert!(state(StateError::Deserialization(PacketError::InvalidConnectReturnCode(0x95))).over_a_packet);
        assert!(!said(DisconnectReasonCode::ServerBusy).over_a_packet);
        assert!(!state(StateError::ConnectionAborted).over_a_packet);
        assert!(!state(StateError::AwaitPingResp).over_a_packet);
    }
}
