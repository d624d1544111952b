//! How long certificates are good: those in our files, and the one that the broker shows.
//!
//! Of X.509 (RFC 5280, 4.1) only the two dates are read; whether a certificate is accepted is for the TLS library.

use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::limits;
use super::settings::Settings;
use crate::types::Timestamp;

/// When a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Not before.
    pub from: Timestamp,
    /// Not after.
    pub until: Timestamp,
}

/// DER tags (X.690).
const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0]`: the version, which old certificates leave out.
const VERSION: u8 = 0xa0;

/// Of every certificate in a PEM file, in its order.
///
/// # Errors
/// Why the file cannot be read, or that it holds no certificate.
pub fn validities(file: &Path) -> Result<Vec<Validity>, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("cannot be read: {error}"))?;
    let certificates = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| format!("is no PEM file: {error}"))?;
    if certificates.is_empty() {
        return Err("holds no certificate".to_owned());
    }
    let read = |der: &CertificateDer<'_>| validity(der).ok_or_else(|| "holds a certificate without dates".to_owned());
    certificates.iter().map(read).collect()
}

/// Of the certificate that the broker shows, and that the authorities of `settings` vouch for. `None` where there is
/// none to be seen: without TLS, or when the broker cannot be reached or is not trusted, which [`super::probe`]
/// explains.
pub async fn brokers_validity(settings: &Settings) -> Option<Validity> {
    if !settings.broker.tls {
        return None;
    }
    let authorities = super::connect::authorities(settings);
    let bytes = tokio::fs::read(authorities).await.ok()?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok));
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(settings.broker.host.clone()).ok()?;
    let shown = async {
        let socket = TcpStream::connect((settings.broker.host.as_str(), settings.broker.port)).await.ok()?;
        let line = TlsConnector::from(Arc::new(config)).connect(name, socket).await.ok()?;
        line.get_ref().1.peer_certificates()?.first().and_then(|der| validity(der))
    };
    timeout(limits::CONNECT, shown).await.ok()?
}

/// The dates of a certificate.
fn validity(der: &[u8]) -> Option<Validity> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut fields, _) = element(certificate, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        (_, fields) = any(fields)?;
    }
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        (_, fields) = any(fields)?;
    }
    let (dates, _) = element(fields, SEQUENCE)?;
    let (from, rest) = time(dates)?;
    let (until, _) = time(rest)?;
    Some(Validity { from, until })
}

/// The content of the first element, which must have this tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    if bytes.first() == Some(&tag) { any(bytes) } else { None }
}

/// The content of the first element and what follows it.
fn any(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let (digits, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.is_empty() || digits.len() > 4 {
            return None;
        }
        length = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
        rest = after;
    }
    rest.split_at_checked(length)
}

/// `YYMMDDHHMMSSZ` until 2049, `YYYYMMDDHHMMSSZ` afterwards (RFC 5280, 4.1.2.5).
fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (content, rest) = any(bytes)?;
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let digits = match *bytes.first()? {
        UTC_TIME => format!("{}{text}", if text < "50" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    if digits.len() != 14 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
    let (date, clock) = (part(0..8), part(8..14));
    let (year, month, day) = (&date[..4], &date[4..6], &date[6..]);
    let (hour, minute, second) = (&clock[..2], &clock[2..4], &clock[4..]);
    let at = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z").parse().ok()?;
    Some((at, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82], length.as_slice(), content].concat()
    }

    fn certificate(from: (u8, &str), until: (u8, &str)) -> Vec<u8> {
        let dates = [der(from.0, from.1.as_bytes()), der(until.0, until.1.as_bytes())].concat();
        let fields = [
            der(VERSION, &der(2, &[2])),
            der(2, &[1, 2, 3]),
            der(SEQUENCE, b"algorithm"),
            der(SEQUENCE, b"issuer"),
            der(SEQUENCE, &dates),
            der(SEQUENCE, b"subject"),
        ];
        der(SEQUENCE, &[der(SEQUENCE, &fields.concat()), der(SEQUENCE, b"algorithm")].concat())
    }

    #[test]
    fn the_dates_of_both_centuries_are_read() {
        let der = certificate((UTC_TIME, "991231235959Z"), (GENERALIZED_TIME, "20500101000000Z"));
        let Validity { from, until } = validity(&der).unwrap();
        assert_eq!(
            (from.to_string(), until.to_string()),
            ("1999-12-31T23:59:59.000Z".into(), "2050-01-01T00:00:00.000Z".into())
        );
        let der = certificate((UTC_TIME, "200101000000Z"), (UTC_TIME, "491231000000Z"));
        assert_eq!(validity(&der).unwrap().until.to_string(), "2049-12-31T00:00:00.000Z");
    }

    #[test]
    fn what_is_no_certificate_has_no_dates() {
        let good = certificate((UTC_TIME, "200101000000Z"), (UTC_TIME, "300101000000Z"));
        for cut in 0..good.len() - 4 - "algorithm".len() - 4 - "subject".len() {
            assert_eq!(validity(&good[..cut]), None, "{cut}");
        }
        for bad in ["2001010000Z", "20x101000000Z", "201301000000Z", "200101000000"] {
            assert_eq!(validity(&certificate((UTC_TIME, bad), (UTC_TIME, "300101000000Z"))), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, text: String) {
            let _ = validity(&bytes);
            let text: String = text.chars().take(99).collect();
            let _ = validity(&certificate((UTC_TIME, &text), (UTC_TIME, "300101000000Z")));
        }
    }
}
