//! Sensors on a real terminal line and a real socket.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{GPIO, HTTP, SERIAL};
use crate::clock::{Clock, Trust};
use crate::device::testing::{configure, mistakes, plug};
use crate::device::{Port, PortEnds, port};
use crate::observe::{Board, Conditions, DeviceScope, Metrics};
use crate::types::{Body, DeviceId, Observation, ScreenAction, Verb};

const LIFT_GPIO: &str = include_str!("../../../device-profiles/sensor/lift-gpio.toml");
const LIFT_HTTP: &str = include_str!("../../../device-profiles/sensor/lift-http.toml");
const LIFT_SERIAL: &str = include_str!("../../../device-profiles/sensor/lift-serial.toml");
const BOUND: Duration = Duration::from_secs(20);

fn opened() -> (Port, PortEnds, CancellationToken) {
    let clock = Clock::system(Trust::Trusted);
    let device = DeviceId::new("device-1").unwrap();
    let conditions = Conditions::new(clock.clone());
    let scope = DeviceScope::new(device, clock.clone(), conditions, Metrics::default(), Board::default());
    let stop = CancellationToken::new();
    let (port, ends) = port(scope, clock, stop.clone());
    (port, ends, stop)
}

/// The next place that is not the one by which the line is tried.
async fn lifted(ends: &mut PortEnds) -> (String, bool) {
    loop {
        let found = said(ends).await;
        if found.0 != "H1" {
            return found;
        }
    }
}

async fn said(ends: &mut PortEnds) -> (String, bool) {
    let draft = tokio::time::timeout(BOUND, ends.observed.recv()).await.expect("it is said").unwrap();
    let Body::Observed(Observation::ScreenAction(action)) = draft.body else { panic!("a sensor says this alone") };
    let ScreenAction { verb, facing, lifted, session, .. } = *action;
    assert_eq!((verb, session), (Verb::ItemSensor, None));
    (facing.unwrap().to_string(), lifted.unwrap())
}

fn pair(facing: &str, lifted: bool) -> (String, bool) {
    (facing.to_owned(), lifted)
}

#[tokio::test]
async fn a_line_says_what_changes_and_says_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("sensor");
    let mut far = plug(&link);
    let device = configure(&[&SERIAL], LIFT_SERIAL, &format!("serial:{}", link.display()), "").unwrap();
    let (mut port, mut ends, stop) = opened();
    let story = async {
        // What waits when a line is opened may be discarded: it is held once something is heard.
        let mut is_up = true;
        while ends.observed.try_recv().is_err() {
            far.say(if is_up { b"H1 1\n" } else { b"H1 0\n" });
            is_up = !is_up;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        far.say(b"A3 1\nA3 1\nnoise\nA4 1\r\nA3 0\n");
        for expected in [pair("A3", true), pair("A4", true), pair("A3", false)] {
            assert_eq!(lifted(&mut ends).await, expected);
        }
        stop.cancel();
    };
    let (ran, ()) = tokio::join!(device.run(&mut port), story);
    ran.unwrap();
}

async fn post(address: &str, body: &str) -> String {
    let mut line = TcpStream::connect(address).await.unwrap();
    let request = format!("POST /lift HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    line.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    line.read_to_string(&mut answer).await.unwrap();
    answer.split("\r\n").next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_push_is_answered_and_one_that_never_ends_hinders_nobody() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let device = configure(&[&HTTP], LIFT_HTTP, &format!("post:{free}/lift"), "").unwrap();
    let (mut port, mut ends, stop) = opened();
    let story = async {
        let address = free.to_string();
        while TcpStream::connect(&address).await.is_err() {
            // waits: the interval at which the listener is looked for
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut slow = TcpStream::connect(&address).await.unwrap();
        slow.write_all(b"POST /lift HTTP/1.1\r\n").await.unwrap();
        assert_eq!(post(&address, "{\"facing\":\"A3\",\"lifted\":true}").await, "HTTP/1.1 200 OK");
        assert_eq!(lifted(&mut ends).await, pair("A3", true));
        assert_eq!(post(&address, "{\"facing\":\"A3\"}").await, "HTTP/1.1 400 Bad Request");
        assert_eq!(post(&address, "[{\"facing\":\"A3\",\"lifted\":false}]").await, "HTTP/1.1 200 OK");
        assert_eq!(lifted(&mut ends).await, pair("A3", false));
        stop.cancel();
    };
    let (ran, ()) = tokio::join!(device.run(&mut port), story);
    ran.unwrap();
}

#[test]
fn every_wrong_place_is_named() {
    assert_eq!(mistakes(&[&HTTP], LIFT_HTTP, "serial:/dev/ttyS0", "")[0].0, "wrong-endpoint");
    assert_eq!(mistakes(&[&HTTP], LIFT_HTTP, "post:shelf/lift", "")[0].0, "wrong-endpoint");
    assert_eq!(mistakes(&[&HTTP], &LIFT_HTTP.replace("1h", "soon"), "post:127.0.0.1:1/lift", "").len(), 1);
    assert_eq!(mistakes(&[&SERIAL], LIFT_SERIAL, "post:127.0.0.1:1/lift", "")[0].0, "wrong-endpoint");
    assert_eq!(mistakes(&[&SERIAL], &LIFT_SERIAL.replace("115200", "9"), "serial:/dev/x", "colour = 1").len(), 2);
}

#[test]
fn every_wrong_line_is_named() {
    let of = |endpoint: &str, settings: &str| -> Vec<_> {
        mistakes(&[&GPIO], LIFT_GPIO, endpoint, settings).into_iter().map(|(code, _, at)| (code, at)).collect()
    };
    let good = "facing = \"A3\"\n";
    for wrong in ["gpio:gpiochip0", "gpio:gpiochip0/x", "gpio:gpiochip0/-1", "gpio:/3", "serial:/dev/ttyS0"] {
        assert_eq!(of(wrong, good)[0].0, "wrong-endpoint", "{wrong}");
    }
    assert_eq!(of("gpio:gpiochip0/3", "")[0].0, "missing-key");
    let settings = "facing = \"a place\"\nbias = \"up\"\ndebounce = \"2s\"\n[more]\nA4 = 7\nA5 = 7\n";
    let mut found = of("gpio:gpiochip0/3", settings);
    found.sort();
    let at = |text: &str| ("invalid-value", text.to_owned());
    assert_eq!(found, [at("\"2s\""), at("\"a place\""), at("\"up\""), at("7")]);
    assert!(configure(&[&GPIO], LIFT_GPIO, "gpio:INT34C5:00/3", good).is_ok());
    assert_eq!(mistakes(&[&GPIO], &LIFT_GPIO.replace("20ms", "20"), "gpio:gpiochip0/3", good).len(), 1);
}

#[tokio::test]
async fn a_chip_that_is_not_there_is_waited_for() {
    let device = configure(&[&GPIO], LIFT_GPIO, "gpio:no-such-chip/3", "facing = \"A3\"").unwrap();
    let clock = Clock::system(Trust::Trusted);
    let (id, conditions) = (DeviceId::new("device-1").unwrap(), Conditions::new(clock.clone()));
    let scope = DeviceScope::new(id, clock.clone(), conditions.clone(), Metrics::default(), Board::default());
    let stop = CancellationToken::new();
    let (mut port, _ends) = port(scope, clock, stop.clone());
    let story = async {
        // `endpoint.missing` is news after 2 s only: that it is given at all is seen before.
        while conditions.next_due().is_none() {
            // waits: the interval at which the condition is looked for
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
    };
    let (ran, told) = tokio::join!(device.run(&mut port), tokio::time::timeout(BOUND, story));
    told.expect("it waits for the chip");
    ran.unwrap();
}
