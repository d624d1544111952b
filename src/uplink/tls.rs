//! What a TLS error means in a shop, and what to do about it.

use rumqttc::mqttbytes::Error as PacketError;
use rumqttc::{ConnectionError, StateError, TlsError};
use tokio_rustls::rustls::{AlertDescription as Alert, CertificateError as Certificate, Error};

/// The TLS error in the end of a connection, if it is one.
pub(super) fn inner(error: &ConnectionError) -> Option<&Error> {
    match error {
        ConnectionError::Tls(TlsError::TLS(error)) => Some(error),
        ConnectionError::Tls(TlsError::Io(error))
        | ConnectionError::Io(error)
        | ConnectionError::MqttState(StateError::Deserialization(PacketError::Io(error))) => {
            error.get_ref()?.downcast_ref()
        }
        _ => None,
    }
}

/// What to do, where we know it.
pub(super) fn advice(error: &ConnectionError) -> Option<&'static str> {
    match error {
        ConnectionError::Tls(TlsError::NoValidCertInChain) => Some("ca_file holds no certificate"),
        ConnectionError::Tls(TlsError::NoValidClientCertInChain) => Some("cert_file holds no certificate"),
        ConnectionError::Tls(TlsError::NoValidKeyInChain) => Some("key_file holds no private key"),
        ConnectionError::Tls(TlsError::Pem(_)) => Some("ca_file, cert_file or key_file is no PEM file, or was cut off"),
        other => inner(other).and_then(remedy),
    }
}

fn remedy(error: &Error) -> Option<&'static str> {
    match error {
        Error::InvalidCertificate(certificate) => brokers(certificate),
        Error::AlertReceived(alert) => ours(*alert),
        Error::InconsistentKeys(_) => Some("key_file is not the key of the certificate in cert_file"),
        Error::PeerIncompatible(_) => Some("the broker speaks no TLS 1.2 or 1.3 that we speak: renew its software"),
        Error::InvalidMessage(_) => Some("the broker speaks no TLS at this port: look at the port, or use mqtt://"),
        _ => None,
    }
}

fn brokers(certificate: &Certificate) -> Option<&'static str> {
    match certificate {
        Certificate::Expired | Certificate::ExpiredContext { .. } => {
            Some("the broker's certificate has expired: renew it there, or set this gateway's clock if that is wrong")
        }
        Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
            Some("the broker's certificate is not valid yet: set this gateway's clock, or look at the certificate")
        }
        Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => Some(
            "the broker's certificate is for another name: in `broker`, use a name that it bears, or renew it with \
             this one",
        ),
        Certificate::UnknownIssuer | Certificate::BadSignature => {
            Some("no authority in ca_file vouches for the broker's certificate: put the one that issued it there")
        }
        Certificate::Revoked => Some("the broker's certificate is revoked: renew it there"),
        // An authority's own certificate, or one that is not for servers.
        Certificate::Other(_) | Certificate::InvalidPurpose | Certificate::InvalidPurposeContext { .. } => {
            Some("the broker's certificate is not one for a broker: issue it one of its own, for server authentication")
        }
        _ => None,
    }
}

/// OpenSSL answers a missing certificate with `certificate_required` in TLS 1.3 and `handshake_failure` in TLS 1.2.
fn ours(alert: Alert) -> Option<&'static str> {
    match alert {
        Alert::CertificateRequired | Alert::HandshakeFailure => {
            Some("the broker wants a certificate of ours, or finds no cipher in common: set cert_file and key_file")
        }
        Alert::CertificateExpired => Some("our certificate has expired: renew cert_file"),
        Alert::CertificateRevoked => Some("our certificate is revoked: renew cert_file"),
        Alert::UnknownCA
        | Alert::BadCertificate
        | Alert::CertificateUnknown
        | Alert::UnsupportedCertificate
        | Alert::DecryptError
        | Alert::AccessDenied => {
            Some("the broker does not accept our certificate: cert_file must hang on an authority that it knows")
        }
        Alert::ProtocolVersion => Some("the broker speaks neither TLS 1.2 nor 1.3: renew its software"),
        _ => None,
    }
}
