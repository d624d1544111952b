//! A broker's address as the configuration writes it.

use std::fmt;
use std::str::FromStr;

/// A broker's address: `mqtt://host[:port]` (port 1883) or `mqtts://host[:port]` (port 8883).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Whether the line is encrypted (`mqtts://`).
    pub tls: bool,
    /// Host name or address; an IPv6 address without its brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// How messages of events travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// As they are: JSON.
    #[default]
    Json,
    /// Packed by Zstandard (RFC 8878) where that makes them smaller: for lines that are paid by the byte.
    Zstd,
}

impl Encoding {
    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Zstd => "zstd",
        }
    }

    /// The encoding the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Json, Self::Zstd].into_iter().find(|encoding| encoding.as_str() == word)
    }
}

/// Why a text is no broker's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BrokerAddressError(&'static str);

impl BrokerAddress {
    /// Whether it is this very machine.
    pub fn is_local(&self) -> bool {
        self.host == "localhost" || self.host.parse::<core::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for BrokerAddress {
    type Err = BrokerAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(BrokerAddressError)
    }
}

fn parse(text: &str) -> Result<BrokerAddress, &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("not a broker's address")?;
    let tls = match scheme {
        "mqtt" => false,
        "mqtts" => true,
        _ => return Err("a broker's address begins with mqtt:// or mqtts://"),
    };
    if rest.contains('@') {
        return Err("credentials never stand in the address: use `username` and `password_file`");
    }
    if rest.contains('/') {
        return Err("a broker's address ends with its port");
    }
    let (host, port) = host_and_port(rest)?;
    let port = match port {
        None if tls => 8883,
        None => 1883,
        Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or("the port is a number from 1 to 65535")?,
    };
    Ok(BrokerAddress { tls, host: host.to_owned(), port })
}

fn host_and_port(text: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("an IPv6 address stands in [brackets]")?;
        host.parse::<core::net::Ipv6Addr>().map_err(|_| "not an IPv6 address")?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err("only a port may follow the address"),
        };
    }
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if host.is_empty() || host.len() > 253 || !host.chars().all(allowed) {
        return Err("not a host name or an address");
    }
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        let address = |host: &str, port, tls| Ok(BrokerAddress { tls, host: host.to_owned(), port });
        assert_eq!("mqtt://127.0.0.1:1884".parse(), address("127.0.0.1", 1884, false));
        assert_eq!("mqtt://broker".parse(), address("broker", 1883, false));
        assert_eq!("mqtts://broker.example.com".parse(), address("broker.example.com", 8883, true));
        assert_eq!("mqtts://[fe80::1]:8884".parse(), address("fe80::1", 8884, true));
        for text in ["mqtt://127.0.0.1:1884", "mqtts://[fe80::1]:8884"] {
            assert_eq!(text.parse::<BrokerAddress>().map(|address| address.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "broker", "http://x", "mqtt://", "mqtt://x:", "mqtt://x:0", "mqtt://x:99999", "mqtt://u@x"] {
            assert!(text.parse::<BrokerAddress>().is_err(), "{text}");
        }
    }
}
