//! A subscriber of its own making: MQTT 5 by hand, a session that outlives every connection, and an acknowledgement
//! only after what came has been written down. It shares no code with the daemon.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use super::wait_until;

/// What came, after removing duplicates by `id`.
#[derive(Debug, Default, Clone)]
pub(crate) struct Received {
    /// Each event by its id.
    pub(crate) events: BTreeMap<String, Value>,
    /// The numbers of each epoch and class, in the order in which they were first seen.
    pub(crate) seqs: BTreeMap<(String, String), Vec<u64>>,
    /// The ids under which each scanned code came.
    pub(crate) codes: BTreeMap<String, BTreeSet<String>>,
    /// The ids of the events that said when they first came that they are late.
    pub(crate) historical: BTreeSet<String>,
    /// What each retained status said, in the order of arrival.
    pub(crate) states: Vec<String>,
    /// What each retained report of a configuration said, in the order of arrival.
    pub(crate) reports: Vec<Value>,
    /// What was asked about money, in the order of arrival.
    pub(crate) asks: Vec<Value>,
    /// How many events came again.
    pub(crate) duplicates: u64,
    /// What was wrong as it came.
    pub(crate) problems: Vec<String>,
}

impl Received {
    fn take(&mut self, topic: &str, payload: &[u8]) {
        if topic.ends_with("/status") {
            let status: Value = serde_json::from_slice(payload).unwrap_or_default();
            return self.states.push(status["state"].as_str().unwrap_or("unreadable").to_owned());
        }
        if topic.ends_with("/config/reported") {
            return self.reports.push(serde_json::from_slice(payload).unwrap_or_default());
        }
        if topic.ends_with("/authorise") {
            return self.asks.push(serde_json::from_slice(payload).unwrap_or_default());
        }
        let Some(class) = topic.split("/events/").nth(1) else { return };
        let Ok(Value::Array(events)) = serde_json::from_slice(payload) else {
            return self.problems.push(format!("{topic}: no JSON array"));
        };
        if events.is_empty() || events.len() > 100 {
            self.problems.push(format!("{topic}: a batch of {}", events.len()));
        }
        for event in events {
            self.take_event(class, event);
        }
    }

    fn take_event(&mut self, class: &str, mut event: Value) {
        let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let (id, epoch) = (text(&event, "id"), text(&event, "epoch"));
        let Some(seq) = event["seq"].as_u64().filter(|_| !id.is_empty() && !epoch.is_empty()) else {
            return self.problems.push(format!("{class}: an event without id, epoch or seq: {event}"));
        };
        // The one field that may differ between two deliveries of one event.
        let is_late = std::mem::take(&mut event["historical"]) == true;
        if let Some(before) = self.events.get(&id) {
            self.duplicates += 1;
            if *before != event {
                self.problems.push(format!("the same id says two things: {before} and {event}"));
            }
            return;
        }
        if text(&event, "type") == "scan.code.v1" {
            self.codes.entry(text(&event["data"], "value")).or_default().insert(id.clone());
        }
        if is_late {
            self.historical.insert(id.clone());
        }
        self.seqs.entry((epoch, class.to_owned())).or_default().push(seq);
        self.events.insert(id, event);
    }

    /// The events of one type.
    pub(crate) fn of_type<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.values().filter(move |event| event["type"] == name)
    }

    /// What is wrong with the form of the events that came.
    pub(crate) fn form_problems(&self) -> Vec<String> {
        let is_text = |event: &Value, name: &str| event[name].as_str().is_some_and(|text| !text.is_empty());
        let is_well_formed = |event: &&Value| {
            let texts = ["id", "type", "time", "epoch", "boot"].iter().all(|name| is_text(event, name));
            let time = event["time"].as_str().unwrap_or_default();
            let is_in_utc_with_milliseconds = time.len() == "2026-11-22T02:00:00.123Z".len() && time.ends_with('Z');
            let others = event["up_ms"].is_u64() && event["synced"].is_boolean() && event["data"].is_object();
            let source = event["source"] == "/smartstore/hz-wulin-001/gw-1" && event["specversion"] == "1.0";
            texts && is_in_utc_with_milliseconds && others && source
        };
        self.events
            .values()
            .filter(|event| !is_well_formed(event))
            .map(|event| format!("ill-formed: {event}"))
            .collect()
    }

    /// What is wrong with the numbering: it must be 1, 2, 3 … in the order of arrival, per epoch and class.
    pub(crate) fn numbering_problems(&self) -> Vec<String> {
        let broken = self.seqs.iter().filter_map(|((epoch, class), seqs)| {
            let at = seqs.iter().zip(1..).position(|(seq, expected)| *seq != expected)?;
            Some(format!("{epoch} {class}: {} where {} was due", seqs[at], at + 1))
        });
        broken.collect()
    }
}

/// A subscriber that runs until it is dropped.
pub(crate) struct Subscriber {
    received: Arc<Mutex<Received>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Subscriber {
    /// Subscribed, which the broker has confirmed.
    pub(crate) fn started(port: u16) -> Self {
        let received = Arc::new(Mutex::new(Received::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let subscribed = Arc::new(AtomicBool::new(false));
        let mut session = Session {
            port,
            received: Arc::clone(&received),
            stop: Arc::clone(&stop),
            subscribed: Arc::clone(&subscribed),
            buffer: Vec::new(),
        };
        let thread = std::thread::spawn(move || session.run());
        wait_until("the subscription stands", Duration::from_secs(10), || subscribed.load(Ordering::Acquire));
        Self { received, stop, thread: Some(thread) }
    }

    /// Everything so far.
    pub(crate) fn received(&self) -> Received {
        self.received.lock().unwrap().clone()
    }

    /// Looks at what came without copying it.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Received) -> T) -> T {
        look(&self.received.lock().unwrap())
    }

    /// Waits until the code has come.
    pub(crate) fn wait_for(&self, code: &str, bound: Duration) {
        wait_until(&format!("{code} is delivered"), bound, || self.look(|received| received.codes.contains_key(code)));
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Session {
    port: u16,
    received: Arc<Mutex<Received>>,
    stop: Arc<AtomicBool>,
    subscribed: Arc<AtomicBool>,
    buffer: Vec<u8>,
}

impl Session {
    fn run(&mut self) {
        while !self.stop.load(Ordering::Acquire) {
            if self.connection().is_err() {
                // waits: the broker is away; it is tried again at this interval
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    fn connection(&mut self) -> io::Result<()> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        self.buffer.clear();
        socket.write_all(&connect_packet("auditor"))?;
        while !self.stop.load(Ordering::Acquire) {
            while let Some((kind, body)) = self.next_packet() {
                self.answer(&mut socket, kind, &body)?;
            }
            let mut bytes = [0; 65536];
            match socket.read(&mut bytes) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.buffer.extend_from_slice(&bytes[..count]),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn answer(&mut self, socket: &mut TcpStream, kind: u8, body: &[u8]) -> io::Result<()> {
        match kind >> 4 {
            2 => socket.write_all(&subscribe_packet("smartstore/v1/#")),
            9 => {
                self.subscribed.store(true, Ordering::Release);
                Ok(())
            }
            3 => {
                let publish = Publish::read(kind, body).ok_or(io::ErrorKind::InvalidData)?;
                self.received.lock().unwrap().take(&publish.topic, publish.payload);
                match publish.packet {
                    Some(packet) => socket.write_all(&[0x40, 2, packet[0], packet[1]]),
                    None => Ok(()),
                }
            }
            _ => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    /// The next whole packet: first byte and body.
    fn next_packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let (length, used) = variable_length(self.buffer.get(1..)?)?;
        let end = 1 + used + length;
        let body = self.buffer.get(1 + used..end)?.to_vec();
        let kind = self.buffer[0];
        self.buffer.drain(..end);
        Some((kind, body))
    }
}

struct Publish<'a> {
    topic: String,
    packet: Option<[u8; 2]>,
    payload: &'a [u8],
}

impl<'a> Publish<'a> {
    fn read(kind: u8, body: &'a [u8]) -> Option<Self> {
        let length = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
        let topic = String::from_utf8(body.get(2..2 + length)?.to_vec()).ok()?;
        let mut rest = &body[2 + length..];
        let has_packet = kind & 0b0110 != 0;
        let packet = if has_packet { Some([*rest.first()?, *rest.get(1)?]) } else { None };
        rest = if has_packet { &rest[2..] } else { rest };
        let (properties, used) = variable_length(rest)?;
        Some(Self { topic, packet, payload: rest.get(used + properties..)? })
    }
}

/// MQTT 5.0, section 1.5.5: seven bits a byte, least significant first. The value and how many bytes it took.
fn variable_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(4) {
        value |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

fn text(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let low = u8::try_from(body.len() % 128).unwrap();
    let high = u8::try_from(body.len() / 128).expect("two bytes of length are enough for what is sent here");
    let length = if high == 0 { vec![low] } else { vec![low | 0x80, high] };
    [&[kind][..], &length, body].concat()
}

/// MQTT 5.0, section 3.1: no clean start, no keep-alive, a session that never expires.
fn connect_packet(client: &str) -> Vec<u8> {
    let head = [&text("MQTT")[..], &[5, 0, 0, 0]].concat();
    let session_never_expires = [5, 0x11, 0xFF, 0xFF, 0xFF, 0xFF];
    packet(0x10, &[&head[..], &session_never_expires, &text(client)].concat())
}

/// MQTT 5.0, section 3.8: one filter at QoS 1.
fn subscribe_packet(filter: &str) -> Vec<u8> {
    packet(0x82, &[&[0, 1, 0][..], &text(filter), &[1]].concat())
}

#[test]
fn the_subscriber_sees_a_gap_a_contradiction_and_an_event_without_a_number() {
    let mut received = Received::default();
    let event = |id: &str, seq: u64| format!(r#"{{"id":"{id}","epoch":"e","seq":{seq},"type":"x"}}"#);
    received.take("a/events/record", format!("[{},{}]", event("a", 1), event("b", 2)).as_bytes());
    assert!(received.numbering_problems().is_empty() && received.problems.is_empty());
    received.take("a/events/record", format!("[{}]", event("b", 2)).as_bytes());
    assert_eq!((received.duplicates, received.problems.len()), (1, 0));
    received.take("a/events/record", format!("[{}]", event("c", 4)).as_bytes());
    assert_eq!(received.numbering_problems(), ["e record: 4 where 3 was due"]);
    received.take("a/events/record", format!("[{}]", event("a", 9)).as_bytes());
    received.take("a/events/record", br#"[{"id":"d"}]"#);
    assert_eq!(received.problems.len(), 2, "{:?}", received.problems);
}

#[test]
fn the_subscriber_misses_nothing_while_the_broker_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = super::broker::Mosquitto::started(folder.path());
    let subscriber = Subscriber::started(broker.port());
    for seq in 1..=40 {
        if seq % 10 == 0 {
            broker.stop();
            broker.start();
        }
        let event = format!(r#"[{{"id":"{seq}","epoch":"e","seq":{seq}}}]"#);
        publish(broker.port(), "smartstore/v1/s/g/events/record", &event);
    }
    let all = || subscriber.look(|received| received.events.len() == 40);
    wait_until("everything has come", Duration::from_secs(20), all);
    assert_eq!(subscriber.received().numbering_problems(), Vec::<String>::new());
}

/// Publishes one message at QoS 1 and waits until the broker has it.
pub(crate) fn publish(port: u16, topic: &str, payload: &str) {
    publish_as(0x32, port, topic, payload);
}

/// [`publish`], retained.
pub(crate) fn publish_retained(port: u16, topic: &str, payload: &str) {
    publish_as(0x33, port, topic, payload);
}

fn publish_as(kind: u8, port: u16, topic: &str, payload: &str) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.write_all(&connect_packet("publisher")).unwrap();
    let body = [&text(topic)[..], &[0, 1, 0], payload.as_bytes()].concat();
    socket.write_all(&packet(kind, &body)).unwrap();
    let mut seen = Vec::new();
    while !seen.windows(4).any(|window| window[0] == 0x40 && window[2..] == [0, 1]) {
        let mut bytes = [0; 256];
        let count = socket.read(&mut bytes).unwrap();
        assert!(count > 0, "the broker acknowledges");
        seen.extend_from_slice(&bytes[..count]);
    }
}
