use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::clock::Clock;
use crate::device::testing::{BOUND, configure, configure_named, mistakes, plug, said};
use crate::device::{Commons, Device, DeviceKind, Port, PortEnds, port};
use crate::observe::{Board, Conditions, DeviceScope, DeviceState, Metrics};
use crate::sense::footfall::Listed;
use crate::types::{Condition, DeviceId, FootfallWindow, Observation, Tally, Timestamp};
use crate::wire::dot11::Link;
use crate::wire::pcap::{write_header, write_record};
use crate::wire::probebox::parse_address;

const KINDS: &[&dyn DeviceKind] = &[&MONITOR, &TZ001, &DATASKY];
const MONITOR_TEXT: &str = include_str!("../../../device-profiles/footfall/linux-monitor.toml");
const TZ001_TEXT: &str = include_str!("../../../device-profiles/footfall/mncats-tz001.toml");
const DATASKY_TEXT: &str = include_str!("../../../device-profiles/footfall/datasky.toml");
/// 2026-11-22T01:59:58Z: two seconds before a closing time.
const NOW_MS: i64 = 1_795_312_798_000;

/// A profile whose windows last two seconds.
fn quick(profile: &str) -> String {
    let quick = profile.replace("windows = [\"1min\", \"10min\", \"60min\"]", "windows = [\"2s\"]");
    assert_ne!(quick, profile);
    quick
}

/// What is around a sensor that runs.
struct World {
    id: DeviceId,
    clock: Clock,
    ends: PortEnds,
    metrics: Metrics,
    conditions: Conditions,
    board: Board,
}

impl World {
    async fn until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let mut waited = Duration::ZERO;
        while !is(self) {
            assert!(waited < BOUND, "in vain: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
            waited += Duration::from_millis(5);
        }
    }

    async fn until_running(&self) {
        self.until("the sensor runs", |world| world.board.state(&world.id) == Some(DeviceState::Running)).await;
    }

    async fn until_counted(&self, tally: Tally, count: u64) {
        let reached = |world: &Self| world.metrics.read(&world.id, tally) >= count;
        self.until(&format!("{count} {}", tally.as_str()), reached).await;
    }

    /// Two seconds pass, in steps that are no jump; the window that closes.
    async fn window(&mut self) -> FootfallWindow {
        loop {
            self.clock.pass(Duration::from_millis(500));
            let next = tokio::time::timeout(Duration::from_millis(1500), said(&mut self.ends)).await;
            if let Ok(Observation::Footfall(window)) = next {
                return *window;
            }
        }
    }

    fn has(&self, condition: Condition) -> bool {
        self.conditions.standing().iter().any(|standing| standing.condition == condition)
    }
}

/// A port for the sensor, and what is around it.
fn world_of(device: &dyn Device, clock: &Clock, stop: &CancellationToken) -> (Port, World) {
    let (conditions, metrics, board) = (Conditions::new(clock.clone()), Metrics::default(), Board::default());
    board.add(device.id().clone(), "footfall/test".to_owned());
    let scope =
        DeviceScope::new(device.id().clone(), clock.clone(), conditions.clone(), metrics.clone(), board.clone());
    let (port, ends) = port(scope, clock.clone(), stop.clone());
    (port, World { id: device.id().clone(), clock: clock.clone(), ends, metrics, conditions, board })
}

/// Runs a sensor beside a story, and sees that it ends when it is told to; what is around it then.
async fn beside(profile: &str, endpoint: &str, settings: &str, story: impl AsyncFnOnce(&mut World)) -> World {
    let device = configure(KINDS, profile, endpoint, settings).unwrap();
    let (clock, stop) = (Clock::manual(Timestamp::from_unix_ms(NOW_MS), 1), CancellationToken::new());
    let (mut port, mut world) = world_of(&*device, &clock, &stop);
    let told = async {
        story(&mut world).await;
        stop.cancel();
    };
    let both = async { tokio::join!(device.run(&mut port), told) };
    let (ended, ()) = tokio::time::timeout(BOUND * 2, both).await.expect("the sensor ends when it is told to");
    ended.unwrap();
    world
}

fn line(number: u8, rssi: i8) -> String {
    format!("28:01:00:00:40:{number:02X}|FF:FF:FF:FF:FF:FF|00|04|11|{rssi}\r\n")
}

#[test]
fn the_shipped_profiles_make_sensors_at_their_endpoints() {
    let box_id = "box_id = \"00f40f9a\"";
    for (profile, endpoint, settings) in [
        (MONITOR_TEXT, "wifi:wlan1", ""),
        (MONITOR_TEXT, "pcap:/tmp/a.pcap", "replay_times = 60"),
        (TZ001_TEXT, "serial:/dev/ttyUSB0", ""),
        (TZ001_TEXT, "udp:0.0.0.0:9002", box_id),
        (DATASKY_TEXT, "post:0.0.0.0:8481/datasky", box_id),
    ] {
        let device = configure(KINDS, profile, endpoint, settings).unwrap();
        assert_eq!(device.endpoint().to_string(), endpoint);
    }
}

#[test]
fn mistakes_are_named_together() {
    let settings = "rssi_min_dbm = 5\ncloses = \"25:00\"\nown_devices = [\"28:6c\"]\nchannels = [1, 15]\nopen = 1";
    let found = mistakes(KINDS, MONITOR_TEXT, "udp:x", settings);
    let codes: Vec<_> = found.iter().map(|(code, _, text)| (*code, text.as_str())).collect();
    let expected = [("unknown-key", "open"), ("out-of-range", "15"), ("out-of-range", "5")];
    for one in expected {
        assert!(codes.contains(&one), "{one:?} in {codes:?}");
    }
    assert!(codes.contains(&("invalid-value", "\"25:00\"")) && codes.contains(&("invalid-value", "\"28:6c\"")));
    assert!(codes.iter().any(|(code, _)| *code == "wrong-endpoint"));
    let profile = TZ001_TEXT.replace("\"1min\"", "\"1500ms\"").replace("stay_after = \"5min\"", "stay_after = \"5\"");
    let found = mistakes(KINDS, &profile, "udp:9002", "");
    let codes: Vec<_> = found.iter().map(|(code, file, _)| (*code, file.as_str())).collect();
    assert!(codes.contains(&("out-of-range", "profile.toml")) && codes.contains(&("invalid-value", "profile.toml")));
    assert!(codes.contains(&("invalid-value", "store.toml")), "an address to listen at: {codes:?}");
    assert_eq!(mistakes(KINDS, DATASKY_TEXT, "post:0.0.0.0:1/x", "")[0].0, "missing-key");
}

#[tokio::test]
async fn lines_of_a_box_become_windows_and_the_shops_own_devices_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let tty = folder.path().join("tty");
    let mut far = plug(&tty);
    far.say(b"28:01:00:00:40:7F|FF:FF:FF:FF:FF:FF|00|04|11|-20\r\n");
    let settings = "own_devices = [\"28:01:00:00:40:03\"]";
    beside(&quick(TZ001_TEXT), &format!("serial:{}", tty.display()), settings, async |world: &mut World| {
        world.until_running().await;
        // Whatever waited is left out, even when it is cut.
        world.until_counted(Tally::BytesIn, 50).await;
        far.say(format!("{}{}{}", line(1, -60), line(2, -80), line(3, -50)).as_bytes());
        far.say(b"noise\r\n28:01:00:00:40:04|70:F9:6D:34:BD:51|02|08|11|-40\r\n");
        world.until_counted(Tally::FramesGood, 4).await;
        let window = world.window().await;
        assert_eq!((window.devices, window.frames, window.rejected), (2, 2, 1), "{window:?}");
        assert_eq!((window.passed, window.visited, window.stayed), (1, 1, 0), "{window:?}");
        assert_eq!(window.end.since(window.start), Duration::from_secs(2));
        assert!(!window.calibrated && window.missed == 0);
        assert!(world.window().await.complete, "the second window is heard from its start");
        drop(far);
        world.until("the cable is missed", |world| world.has(Condition::TtyMissing)).await;
        let window = world.window().await;
        assert!(!window.complete, "the cable was out");
        let _far = plug(&tty);
        world.until("it is back", |world| !world.has(Condition::TtyMissing)).await;
    })
    .await;
}

#[tokio::test]
async fn a_key_ends_at_closing_time_and_when_the_clock_jumps() {
    let folder = tempfile::tempdir().unwrap();
    let tty = folder.path().join("tty");
    let mut far = plug(&tty);
    let endpoint = format!("serial:{}", tty.display());
    let profile = quick(TZ001_TEXT).replace("[\"2s\"]", "[\"2s\", \"10s\"]");
    beside(&profile, &endpoint, "closes = \"02:00\"", async |world: &mut World| {
        world.until_running().await;
        far.say(line(1, -60).as_bytes());
        world.until_counted(Tally::FramesGood, 1).await;
        // The first window ends with the closing time, and so does the ten seconds' window that is not whole.
        let windows = [world.window().await, world.window().await];
        assert!(windows.iter().all(|window| window.devices == 1), "{windows:?}");
        far.say(line(1, -60).as_bytes());
        world.until_counted(Tally::FramesGood, 2).await;
        let window = world.window().await;
        assert_eq!((window.devices, window.complete), (1, true), "heard anew under the new key: {window:?}");

        world.clock.pass(Duration::from_secs(7200));
        let Observation::Footfall(window) = said(&mut world.ends).await else { panic!("a window") };
        assert!(!window.complete && window.end < Timestamp::from_unix_ms(NOW_MS + 3_600_000), "{window:?}");
        let Observation::Footfall(longer) = said(&mut world.ends).await else { panic!("a window") };
        assert_eq!((longer.end.since(longer.start).as_secs(), longer.complete), (10, false), "{longer:?}");
        let window = world.window().await;
        assert!(window.start >= Timestamp::from_unix_ms(NOW_MS + 7_200_000), "no windows between: {window:?}");
    })
    .await;
}

#[tokio::test]
async fn datagrams_are_answered_and_those_of_another_box_are_turned_away() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let listen = socket.local_addr().unwrap();
    let endpoint = format!("udp:{listen}");
    beside(&quick(TZ001_TEXT), &endpoint, "box_id = \"48cd02\"", async |world: &mut World| {
        world.until("the address is taken", |world| world.has(Condition::EndpointMissing)).await;
        drop(socket);
        world.until_running().await;
        let from = UdpSocket::bind("127.0.0.1:0").unwrap();
        from.set_read_timeout(Some(BOUND)).unwrap();
        let mut answer = [0; 4];
        for name in ["48cd02", "99ffff"] {
            from.send_to(format!("{name}\n{}{}", line(1, -60), line(2, -61)).as_bytes(), listen).unwrap();
            assert_eq!(from.recv(&mut answer).unwrap(), 1);
            assert_eq!(answer[0], 1);
        }
        from.send_to(&[b'x'; 4000], listen).unwrap();
        world.until_counted(Tally::FramesForeign, 2).await;
        let window = world.window().await;
        assert_eq!((window.devices, window.frames), (2, 2), "{window:?}");
    })
    .await;
}

/// What the sensor's listener answers to a request.
fn asked(listen: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(listen).unwrap();
    stream.set_read_timeout(Some(BOUND)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

fn post(body: &str) -> String {
    format!("POST /datasky HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn pushes_are_taken_from_the_configured_box_only() {
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let settings = "box_id = \"00f40f9a\"\nbox_address = \"14:6b:9c:f4:0f:9a\"\n\
                    own_access_points = [\"f4:2a:7d:f1:4e:59\"]";
    beside(&quick(DATASKY_TEXT), &format!("post:{listen}/datasky"), settings, async |world: &mut World| {
        world.until_running().await;
        let list = |id: &str| {
            format!(
                "{{\"id\":\"{id}\",\"mmac\":\"14:6b:9c:f4:0f:9a\",\"data\":[\
                 {{\"mac\":\"10:9f:4f:69:75:bf\",\"rssi\":\"-76\",\"router\":\"x\"}},\
                 {{\"mac\":\"86:73:6a:87:2c:de\",\"rssi\":\"-60\",\"tmc\":\"f4:2a:7d:f1:4e:59\",\"tc\":\"Y\"}},\
                 {{\"mac\":\"28:6c:07:71:eb:5f\",\"rssi\":\"-85\",\"rssi1\":\"-65\",\"essid0\":\"GZ\"}},\
                 {{\"mac\":\"28:6c:07:71:eb:60\",\"rssi\":\"-66\",\"tmc\":\"f4:2a:7d:f1:4e:60\",\"tc\":\"N\"}}]}}"
            )
        };
        let (good, foreign) = (post(&list("00f40f9a")), post(&list("00f40f9b")));
        let big = format!("POST /datasky HTTP/1.1\r\nContent-Length: {}\r\n\r\n", 1 << 20);
        let asks = [
            (good.clone(), "200"),
            (foreign, "403"),
            (post("nonsense"), "400"),
            ("GET /datasky HTTP/1.1\r\n\r\n".to_owned(), "405"),
            ("POST /other HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}".to_owned(), "404"),
            (big, "413"),
        ];
        let at = listen.clone();
        let answers =
            tokio::task::spawn_blocking(move || asks.map(|(request, expected)| (asked(&at, &request), expected)));
        for (answer, expected) in answers.await.unwrap() {
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{answer} and not {expected}");
        }
        world.until_counted(Tally::FramesForeign, 1).await;
        let window = world.window().await;
        assert_eq!((window.devices, window.frames, window.visited), (2, 2, 2), "{window:?}");
    })
    .await;
}

fn probe(number: u8, rssi: i8) -> Vec<u8> {
    let mut frame = vec![0, 0, 14, 0, 0x28, 8, 0, 0, 0x6c, 0x09, 0x80, 0, rssi.cast_unsigned(), 0];
    frame.extend([0x40, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x28, 1, 0, 0, 0x40, number]);
    frame.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, number << 4, 0]);
    frame.extend([0, 0, 1, 4, 2, 4, 0x0b, 0x16, 127, 1, number]);
    frame
}

fn capture(file: &Path, damaged: bool) {
    let mut bytes = Vec::new();
    write_header(Link::Radiotap, &mut bytes);
    for number in 0..10 {
        write_record(1_600_000_000_000_000 + i64::from(number) * 1_000_000, &probe(number, -60), &mut bytes);
    }
    if damaged {
        bytes.truncate(bytes.len() - 3);
    }
    std::fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn a_capture_is_counted_in_its_own_time_up_to_where_it_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.pcap");
    for damaged in [false, true] {
        capture(&file, damaged);
        let endpoint = format!("pcap:{}", file.display());
        beside(&quick(MONITOR_TEXT), &endpoint, "replay_times = 100", async |world: &mut World| {
            let mut windows = Vec::new();
            while windows.len() < 5 {
                let Observation::Footfall(window) = said(&mut world.ends).await else { panic!("a window") };
                windows.push(*window);
            }
            assert_eq!(windows[0].start, Timestamp::from_unix_ms(1_600_000_000_000));
            let frames: u64 = windows.iter().map(|window| window.frames).sum();
            let rejected: u64 = windows.iter().map(|window| window.rejected).sum();
            assert_eq!((frames, rejected), if damaged { (9, 1) } else { (10, 0) }, "{windows:?}");
            assert!(!world.has(Condition::EndpointMissing));
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_no_capture_is_said_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.pcap");
    std::fs::write(&file, "hello").unwrap();
    beside(MONITOR_TEXT, &format!("pcap:{}", file.display()), "", async |world: &mut World| {
        world.until("it is said", |world| world.has(Condition::EndpointMissing)).await;
        let standing = world.conditions.standing();
        let detail = standing[0].detail.clone().unwrap_or_default();
        assert!(detail.contains("no pcap file"), "{detail}");
    })
    .await;
}

#[tokio::test]
async fn a_box_that_says_nothing_for_long_is_silent() {
    let listen = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let profile = quick(TZ001_TEXT).replace("silent_after = \"30min\"", "silent_after = \"300ms\"");
    beside(&profile, &format!("udp:{listen}"), "", async |world: &mut World| {
        world.until("it is silent", |world| world.has(Condition::DeviceSilent)).await;
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"x\n", listen).unwrap();
        world.until("it is heard", |world| !world.has(Condition::DeviceSilent)).await;
    })
    .await;
}

#[tokio::test]
async fn who_opted_out_is_not_counted_and_without_the_list_nobody_is() {
    let folder = tempfile::tempdir().unwrap();
    let (tty, list) = (folder.path().join("tty"), folder.path().join("opt-out.txt"));
    let key = folder.path().join("opt-out.txt.key");
    let mut far = plug(&tty);
    let settings = format!("opt_out = \"{}\"", list.display());
    beside(&quick(TZ001_TEXT), &format!("serial:{}", tty.display()), &settings, async |world: &mut World| {
        world.until("the list is missed", |world| world.has(Condition::TtyMissing)).await;
        let detail = world.conditions.standing()[0].detail.clone().unwrap_or_default();
        assert!(detail.contains("opt-out.txt") && detail.contains("footfall opt-out"), "{detail}");
        let secret = "000102030405060708090a0b0c0d0e0f";
        let mut listed = Listed::parse(secret, "").unwrap();
        listed.add(parse_address(b"28:01:00:00:40:01").unwrap());
        std::fs::write(&key, secret).unwrap();
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
        std::fs::write(&list, listed.text()).unwrap();
        let says =
            |world: &World| world.conditions.standing().iter().filter_map(|one| one.detail.clone()).collect::<String>();
        world.until("the key is too open", |world| says(world).contains("chmod 600")).await;
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
        world.until_running().await;
        far.say(format!("{}{}", line(1, -60), line(2, -60)).as_bytes());
        world.until_counted(Tally::FramesGood, 2).await;
        assert_eq!(world.window().await.devices, 1);
        listed.add(parse_address(b"28:01:00:00:40:02").unwrap());
        std::fs::remove_file(&list).unwrap();
        std::fs::write(&list, listed.text()).unwrap();
        let mut devices = u32::MAX;
        for _ in 0..20 {
            far.say(line(2, -60).as_bytes());
            devices = world.window().await.devices;
            if devices == 0 {
                break;
            }
        }
        assert_eq!(devices, 0, "the longer list is taken up");
    })
    .await;
}

#[tokio::test]
async fn what_a_stop_interrupts_is_said_and_not_called_complete() {
    let folder = tempfile::tempdir().unwrap();
    let tty = folder.path().join("tty");
    let mut far = plug(&tty);
    let profile = TZ001_TEXT.replace("[\"1min\", \"10min\", \"60min\"]", "[\"1min\", \"60min\"]");
    let mut world = beside(&profile, &format!("serial:{}", tty.display()), "", async |world: &mut World| {
        world.until_running().await;
        far.say(line(1, -60).as_bytes());
        world.until_counted(Tally::FramesGood, 1).await;
    })
    .await;
    let mut lengths = Vec::new();
    for _ in 0..2 {
        let Observation::Footfall(window) = said(&mut world.ends).await else { panic!("a window") };
        assert_eq!((window.devices, window.complete), (1, false), "{window:?}");
        lengths.push(window.end.since(window.start).as_secs());
    }
    assert_eq!(lengths, [60, 3600]);
}

fn free_udp() -> std::net::SocketAddr {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A box's datagram: these numbers, all this strong.
fn heard(numbers: std::ops::Range<u8>, rssi: i8) -> Vec<u8> {
    let lines: String = numbers.map(|number| line(number, rssi)).collect();
    format!("48cd02\n{lines}").into_bytes()
}

#[tokio::test]
async fn who_is_heard_by_two_sensors_is_counted_once_where_they_are_heard_best() {
    let (at_door, at_back) = (free_udp(), free_udp());
    let profile = TZ001_TEXT.replace("[\"1min\", \"10min\", \"60min\"]", "[\"2s\", \"60min\"]");
    // Early in an hour, which is then interrupted by the stop.
    let (clock, stop) = (Clock::manual(Timestamp::from_unix_ms(NOW_MS + 10_000), 1), CancellationToken::new());
    let door = configure(KINDS, &profile, &format!("udp:{at_door}"), "suppress_below = 5").unwrap();
    let settings = "counted_by = \"device-1\"";
    let back = configure_named("device-2", KINDS, &profile, &format!("udp:{at_back}"), settings).unwrap();
    assert_eq!(back.speaker().unwrap().device.as_str(), "device-1");
    let ((mut door_port, mut world), (mut back_port, beside)) =
        (world_of(&*door, &clock, &stop), world_of(&*back, &clock, &stop));
    let commons = Commons::default();
    (door_port.commons, back_port.commons) = (commons.clone(), commons);
    let story = async {
        world.until_running().await;
        beside.until_running().await;
        let from = UdpSocket::bind("127.0.0.1:0").unwrap();
        from.send_to(&heard(0..8, -50), at_door).unwrap();
        from.send_to(&heard(0..8, -60), at_back).unwrap();
        from.send_to(&heard(8..14, -60), at_back).unwrap();
        world.until_counted(Tally::FramesGood, 8).await;
        beside.until_counted(Tally::FramesGood, 14).await;
        let window = world.window().await;
        assert_eq!((window.devices, window.visited), (14, 14), "{window:?}");
        assert_eq!(window.breakdown, None, "two seconds are too short for one");
        let mut windows = 0;
        while !world.window().await.complete {
            windows += 1;
            assert!(windows < 10, "both listen");
        }
        stop.cancel();
    };
    let all = async { tokio::join!(door.run(&mut door_port), back.run(&mut back_port), story) };
    let (door_ended, back_ended, ()) = tokio::time::timeout(BOUND * 2, all).await.expect("both end");
    door_ended.unwrap();
    back_ended.unwrap();
    let mut beside = beside;
    assert!(beside.ends.observed.try_recv().is_err(), "the other one says nothing");
    let hour = loop {
        let Observation::Footfall(window) = said(&mut world.ends).await else { panic!("a window") };
        if window.end.since(window.start) == Duration::from_secs(3600) {
            break window;
        }
    };
    let breakdown = hour.breakdown.unwrap();
    let cells: Vec<_> =
        breakdown.cells.iter().map(|cell| (cell.zone.as_str(), cell.dwell.as_str(), cell.devices)).collect();
    assert_eq!((breakdown.least, cells), (5, vec![("device-1", "visited", 8), ("device-2", "visited", 6)]));
}

#[tokio::test]
async fn a_sensor_whose_counting_one_is_away_misses_what_it_hears() {
    let listen = free_udp();
    beside(&quick(TZ001_TEXT), &format!("udp:{listen}"), "counted_by = \"device-9\"", async |world: &mut World| {
        world.until_running().await;
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&heard(0..3, -50), listen).unwrap();
        world.until_counted(Tally::FramesMissed, 3).await;
        world.until("it is said", |world| world.has(Condition::RadioDrops)).await;
    })
    .await;
}

#[test]
fn a_sensor_that_is_counted_by_another_is_not_told_how_to_count() {
    let settings =
        "counted_by = \"Door 1\"\nopens = \"10:00\"\nown_devices = [\"28:6c:07:71:eb:5f\"]\nsuppress_below = 4";
    let found = mistakes(KINDS, TZ001_TEXT, "udp:127.0.0.1:1", settings);
    let found: Vec<_> = found.iter().map(|(code, _, text)| (*code, text.as_str())).collect();
    for expected in [
        ("invalid-value", "\"Door 1\""),
        ("no-meaning", "\"10:00\""),
        ("no-meaning", "\"28:6c:07:71:eb:5f\""),
        ("out-of-range", "4"),
        ("no-meaning", "4"),
    ] {
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
}
