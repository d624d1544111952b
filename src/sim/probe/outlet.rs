//! Where a crowd's frames go.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::phone::Sent;
use super::truth::spelled;
use crate::sim::pty::{Plugged, plug};
use crate::transport::Tap;
use crate::wire::dot11::Link;
use crate::wire::pcap::{write_header, write_record};

/// Lines of one datagram, as the boxes send them.
const DATAGRAM_LINES: usize = 10;
/// Entries of one push.
const PUSH_ENTRIES: usize = 200;
/// How long the gateway may take for a push.
const ANSWER: Duration = Duration::from_secs(5);
/// Signals of one sender in one push: `rssi`, `rssi1` to `rssi5`.
const SIGNALS: usize = 6;

/// How a pushing box writes its lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormOf {
    /// As JSON.
    Json,
    /// As the form field `data`, percent-encoded, as the real devices do.
    Form,
}

/// Why frames cannot be carried away.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step}")]
pub struct OutletError {
    step: &'static str,
    #[source]
    source: io::Error,
}

fn failed(step: &'static str) -> impl FnOnce(io::Error) -> OutletError {
    move |source| OutletError { step, source }
}

/// The other end of what the gateway listens to.
#[derive(Debug)]
pub struct Outlet(Way);

#[derive(Debug)]
enum Way {
    Tap(Tap),
    Pcap { file: BufWriter<File>, from_us: i64 },
    Line { link: PathBuf, cable: Plugged, _slave: File },
    Datagrams { socket: UdpSocket, name: String, lines: Vec<String> },
    Push { to: SocketAddr, path: String, form: FormOf, id: String, heard: Vec<Heard> },
}

/// What a pushing box has of one sender.
#[derive(Debug)]
struct Heard {
    address: [u8; 6],
    signals: Vec<i8>,
    ssid: Option<String>,
}

/// An access point and its client, which a pushing box hears all the time.
const NEIGHBOURS: &str = r#"{"mac":"00:1d:0f:aa:bb:01","rssi":"-41","rssi1":"-43","router":"Sim-Shop","range":"1.5"},
{"mac":"00:1d:0f:aa:bb:02","rssi":"-47","ts":"Sim-Shop","tmc":"00:1d:0f:aa:bb:01","tc":"Y","ds":"Y","range":"2.5"}"#;

impl Outlet {
    /// A new interface of that name with the link type of a monitor interface. Needs root.
    pub fn tap(name: &str) -> Result<Self, OutletError> {
        Tap::create(name).map(Way::Tap).map(Self).map_err(failed("make the TAP interface"))
    }

    /// A capture file; the crowd begins at `from_us` microseconds since 1970.
    pub fn pcap(path: &Path, from_us: i64) -> Result<Self, OutletError> {
        let mut file = BufWriter::new(File::create(path).map_err(failed("make the capture file"))?);
        let mut header = Vec::new();
        write_header(Link::Radiotap, &mut header);
        file.write_all(&header).map_err(failed("write the capture file"))?;
        Ok(Self(Way::Pcap { file, from_us }))
    }

    /// A pseudo-terminal under that path, with a TZ001 at its end. Needs a tokio runtime.
    pub fn line(link: &Path) -> Result<Self, OutletError> {
        let (cable, slave) = plug(link).map_err(failed("make the line"))?;
        Ok(Self(Way::Line { link: link.to_owned(), cable, _slave: slave }))
    }

    /// Datagrams as a TZ006 of that name sends them. Needs a tokio runtime.
    pub async fn datagrams(to: &str, name: &str) -> Result<Self, OutletError> {
        let socket = UdpSocket::bind("0.0.0.0:0").await.map_err(failed("make a socket"))?;
        socket.connect(to).await.map_err(failed("reach the address"))?;
        Ok(Self(Way::Datagrams { socket, name: name.to_owned(), lines: Vec::new() }))
    }

    /// Pushes as a DS-006 of that name makes them.
    pub fn push(to: SocketAddr, path: &str, form: FormOf, id: &str) -> Self {
        Self(Way::Push { to, path: path.to_owned(), form, id: id.to_owned(), heard: Vec::new() })
    }

    /// Carries one frame, or keeps it until [`Outlet::flush`]; how many frames were lost because nobody takes them.
    pub async fn send(&mut self, sent: &Sent) -> Result<u64, OutletError> {
        match &mut self.0 {
            Way::Tap(tap) => tap.play(&sent.frame).map(|()| 0).map_err(failed("play a frame")),
            Way::Pcap { file, from_us } => {
                let mut record = Vec::new();
                write_record(*from_us + sent.at_us, &sent.frame, &mut record);
                file.write_all(&record).map(|()| 0).map_err(failed("write the capture file"))
            }
            Way::Line { cable, .. } => {
                let line = format!("{}\r\n", line_of(sent));
                // Nobody reads: what does not fit into the terminal is lost, as on a wire.
                let written = tokio::time::timeout(Duration::from_millis(50), cable.writer.write_all(line.as_bytes()));
                match written.await {
                    Ok(written) => written.map(|()| 0).map_err(failed("write to the line")),
                    Err(_nobody_reads) => Ok(1),
                }
            }
            Way::Datagrams { lines, .. } => {
                lines.push(line_of(sent));
                if lines.len() < DATAGRAM_LINES { Ok(0) } else { self.flush().await }
            }
            Way::Push { heard, .. } => {
                add(heard, sent);
                if heard.len() < PUSH_ENTRIES { Ok(0) } else { self.flush().await }
            }
        }
    }

    /// Sends on what was kept; how many frames were lost.
    pub async fn flush(&mut self) -> Result<u64, OutletError> {
        match &mut self.0 {
            Way::Tap(_) | Way::Line { .. } => Ok(0),
            Way::Pcap { file, .. } => file.flush().map(|()| 0).map_err(failed("write the capture file")),
            Way::Datagrams { lines, .. } if lines.is_empty() => Ok(0),
            Way::Datagrams { socket, name, lines } => {
                let datagram = format!("{name}\n{}\n", lines.join("\n"));
                let count = std::mem::take(lines).len() as u64;
                // Refused: nobody listens there yet. A real box cannot tell either.
                Ok(if socket.send(datagram.as_bytes()).await.is_ok() { 0 } else { count })
            }
            Way::Push { heard, .. } if heard.is_empty() => Ok(0),
            Way::Push { to, path, form, id, heard } => {
                let heard = std::mem::take(heard);
                let frames: u64 = heard.iter().map(|one| one.signals.len() as u64).sum();
                let request = request(*to, path, *form, &list(id, &heard));
                let answered = tokio::time::timeout(ANSWER, post(*to, &request)).await;
                Ok(if matches!(answered, Ok(Ok(true))) { 0 } else { frames })
            }
        }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        if let Way::Line { link, .. } = &self.0 {
            let _ = std::fs::remove_file(link);
        }
    }
}

/// As a TZ001 writes it.
fn line_of(sent: &Sent) -> String {
    format!("{}|FF:FF:FF:FF:FF:FF|00|04|{:02}|{}", spelled(sent.address).to_uppercase(), sent.channel, sent.rssi_dbm)
}

fn add(heard: &mut Vec<Heard>, sent: &Sent) {
    let known = heard.iter_mut().find(|one| one.address == sent.address && one.signals.len() < SIGNALS);
    match known {
        Some(one) => one.signals.push(sent.rssi_dbm),
        None => {
            // Behind the radiotap header and the 24 bytes of the frame's own: element 0.
            let ssid = sent.frame.get(14 + 24 + 1..).and_then(|rest| rest.split_first());
            let ssid = ssid.and_then(|(length, rest)| rest.get(..usize::from(*length)));
            let ssid = ssid.filter(|ssid| !ssid.is_empty()).map(|ssid| String::from_utf8_lossy(ssid).into_owned());
            heard.push(Heard { address: sent.address, signals: vec![sent.rssi_dbm], ssid });
        }
    }
}

fn list(id: &str, heard: &[Heard]) -> String {
    let entries = heard.iter().map(|one| {
        let numbered = one.signals.iter().enumerate();
        let signals = numbered.map(|(at, dbm)| match at {
            0 => format!("\"rssi\":\"{dbm}\""),
            _ => format!("\"rssi{at}\":\"{dbm}\""),
        });
        let ssid = one.ssid.as_ref().map_or_else(String::new, |ssid| format!(",\"essid0\":\"{ssid}\""));
        let signals = signals.collect::<Vec<_>>().join(",");
        format!("{{\"mac\":\"{}\",{signals}{ssid},\"range\":\"33.0\"}}", spelled(one.address))
    });
    let entries = entries.collect::<Vec<_>>().join(",\n");
    format!(
        "{{\"id\":\"{id}\",\"mmac\":\"14:6b:9c:00:00:01\",\"rate\":\"2\",\"time\":\"Wed Jan 15 02:26:28 2020\",\
         \"lat\":\"\",\"lon\":\"\",\"data\":[{NEIGHBOURS},\n{entries}]}}"
    )
}

fn request(to: SocketAddr, path: &str, form: FormOf, list: &str) -> String {
    let (kind, body) = match form {
        FormOf::Json => ("application/json", list.to_owned()),
        FormOf::Form => {
            let encoded = list.bytes().map(|byte| match byte {
                b' ' => "+".to_owned(),
                byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            });
            ("application/x-www-form-urlencoded", format!("data={}", encoded.collect::<String>()))
        }
    };
    format!(
        "POST {path} HTTP/1.1\r\nHost: {to}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n\
         {body}",
        body.len()
    )
}

/// Whether the list was taken.
async fn post(to: SocketAddr, request: &str) -> io::Result<bool> {
    let mut line = TcpStream::connect(to).await?;
    line.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    line.take(1024).read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200 "))
}
