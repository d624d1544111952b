//! Where a device is: `serial:/dev/ttyUSB0`, `udp:127.0.0.1:7000`, `screen:` …

use std::fmt;
use std::path::PathBuf;

/// One end of a line to a device, as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// A serial port; the path may be a symlink, resolved at every open.
    Serial(PathBuf),
    /// A Linux input device (HID keyboard scanner).
    Evdev(PathBuf),
    /// A V4L2 camera node.
    V4l2(PathBuf),
    /// An RTSP camera's URL.
    Rtsp(CameraUrl),
    /// An HTTP MJPEG camera's URL.
    Http(CameraUrl),
    /// A folder of frames.
    Frames(PathBuf),
    /// A WiFi interface that can monitor.
    Wifi(String),
    /// A capture file.
    Pcap(PathBuf),
    /// A UDP address to bind.
    Udp(String),
    /// A TCP address to connect to.
    Tcp(String),
    /// Address and path of an HTTP listener that devices push to.
    Post(String),
    /// A GPIO line: chip and line.
    Gpio(String),
    /// A page that connects to us.
    Screen,
}

/// A camera's URL. Who logs in, and what stands behind the question mark, is shown and logged nowhere.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CameraUrl(String);

impl CameraUrl {
    /// All of it, for whoever opens it.
    pub fn exact(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CameraUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_secrets(&self.0))
    }
}

impl fmt::Debug for CameraUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text with the login and the query of a URL taken out. In doubt more is: a password may hold any sign.
fn without_secrets(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (login, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("***@", rest));
    let (place, query) = rest.split_once('?').map_or((rest, ""), |(place, _)| (place, "?***"));
    format!("{scheme}://{login}{place}{query}")
}

/// Why an endpoint was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// No scheme known here stands before the colon.
    #[error("unknown endpoint {0:?}")]
    Scheme(String),
    /// Nothing stands after the scheme.
    #[error("endpoint {0:?} names nothing after its scheme")]
    Empty(String),
    /// `screen:` takes nothing after the colon.
    #[error("a screen connects to us: `screen:` takes nothing after the colon")]
    ScreenTakesNothing,
}

impl Endpoint {
    /// The schemes, for a help line.
    pub const SCHEMES: &'static str = "serial:PATH, evdev:PATH, v4l2:PATH, rtsp://…, http://…, frames:DIR, wifi:IFACE, \
        pcap:FILE, udp:ADDR, tcp:ADDR, post:ADDR/PATH, gpio:CHIP/LINE, screen:";

    /// Reads an endpoint as the configuration writes it.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let (scheme, rest) = text.split_once(':').ok_or_else(|| EndpointError::Scheme(without_secrets(text)))?;
        if scheme == "screen" {
            return if rest.is_empty() { Ok(Self::Screen) } else { Err(EndpointError::ScreenTakesNothing) };
        }
        let endpoint = match scheme {
            "serial" => Self::Serial(rest.into()),
            "evdev" => Self::Evdev(rest.into()),
            "v4l2" => Self::V4l2(rest.into()),
            "rtsp" => Self::Rtsp(CameraUrl(text.to_owned())),
            "http" => Self::Http(CameraUrl(text.to_owned())),
            "frames" => Self::Frames(rest.into()),
            "wifi" => Self::Wifi(rest.to_owned()),
            "pcap" => Self::Pcap(rest.into()),
            "udp" => Self::Udp(rest.to_owned()),
            "tcp" => Self::Tcp(rest.to_owned()),
            "post" => Self::Post(rest.to_owned()),
            "gpio" => Self::Gpio(rest.to_owned()),
            _ => return Err(EndpointError::Scheme(without_secrets(text))),
        };
        if rest.trim_start_matches('/').is_empty() {
            return Err(EndpointError::Empty(without_secrets(text)));
        }
        Ok(endpoint)
    }

    /// All of it as it was written, login included: to be compared, never to be shown.
    pub fn exact(&self) -> String {
        match self {
            Self::Rtsp(url) | Self::Http(url) => url.exact().to_owned(),
            other => other.to_string(),
        }
    }

    /// The scheme alone: `serial`.
    pub const fn scheme(&self) -> &'static str {
        match self {
            Self::Serial(_) => "serial",
            Self::Evdev(_) => "evdev",
            Self::V4l2(_) => "v4l2",
            Self::Rtsp(_) => "rtsp",
            Self::Http(_) => "http",
            Self::Frames(_) => "frames",
            Self::Wifi(_) => "wifi",
            Self::Pcap(_) => "pcap",
            Self::Udp(_) => "udp",
            Self::Tcp(_) => "tcp",
            Self::Post(_) => "post",
            Self::Gpio(_) => "gpio",
            Self::Screen => "screen",
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(path) | Self::Evdev(path) | Self::V4l2(path) | Self::Frames(path) | Self::Pcap(path) => {
                write!(f, "{}:{}", self.scheme(), path.display())
            }
            Self::Rtsp(url) | Self::Http(url) => write!(f, "{url}"),
            Self::Wifi(name) | Self::Udp(name) | Self::Tcp(name) | Self::Post(name) | Self::Gpio(name) => {
                write!(f, "{}:{name}", self.scheme())
            }
            Self::Screen => f.write_str("screen:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_as_they_are_written() {
        let texts = [
            "serial:/dev/ttyUSB0",
            "evdev:/dev/input/event3",
            "rtsp://camera/stream",
            "http://10.0.0.9/mjpeg",
            "udp:127.0.0.1:7000",
            "gpio:gpiochip0/17",
            "screen:",
        ];
        for text in texts {
            assert_eq!(Endpoint::parse(text).map(|e| e.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_a_url_keeps_secret_is_shown_nowhere() {
        for (text, shown) in [
            ("rtsp://admin:se/c@r?et@10.0.0.7:554/live/1", "rtsp://***@10.0.0.7:554/live/1"),
            ("http://10.0.0.9/video.cgi?user=admin&pwd=secret", "http://10.0.0.9/video.cgi?***"),
            ("rtsp://admin@10.0.0.7/?token=x@y", "rtsp://***@y"),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!(endpoint.to_string(), shown);
            assert!(format!("{endpoint:?}").contains(shown) && !format!("{endpoint:?}").contains("admin"));
            let (Endpoint::Rtsp(url) | Endpoint::Http(url)) = endpoint else { panic!("it is a camera's") };
            assert_eq!(url.exact(), text);
        }
        let refused = Endpoint::parse("rtps://admin:secret@10.0.0.7/").unwrap_err().to_string();
        assert!(!refused.contains("secret"), "{refused}");
    }

    #[test]
    fn wrong_endpoints_say_why() {
        assert_eq!(Endpoint::parse("/dev/ttyUSB0"), Err(EndpointError::Scheme("/dev/ttyUSB0".to_owned())));
        assert_eq!(Endpoint::parse("seriel:/dev/x"), Err(EndpointError::Scheme("seriel:/dev/x".to_owned())));
        assert_eq!(Endpoint::parse("serial:"), Err(EndpointError::Empty("serial:".to_owned())));
        assert_eq!(Endpoint::parse("http://"), Err(EndpointError::Empty("http://".to_owned())));
        assert_eq!(Endpoint::parse("screen:1"), Err(EndpointError::ScreenTakesNothing));
    }
}
