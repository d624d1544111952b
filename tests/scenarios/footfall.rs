//! Footfall with a real daemon: a crowd is played over each way that a sensor can hear it, windows arrive at the
//! broker, and of everybody who was heard nothing is left: not in the journal, not in the log, not in a bundle, and
//! one second after the last frame not in the process's memory.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::broker::{Mosquitto, free_port, pid_of};
use super::daemon::{Shop, smartstore};
use super::subscriber::{Subscriber, publish};
use super::wait_until;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The shop's own till: it lies in the configuration and so in memory, which proves that the search finds what is
/// there.
const OWN: [u8; 6] = [0x28, 0x6c, 0x07, 0x71, 0xeb, 0x5f];
const OWN_TEXT: &str = "28:6c:07:71:eb:5f";

/// A crowd being played, and what it says is true.
struct Crowd {
    child: Child,
    lines: Receiver<String>,
    told: Vec<Value>,
}

impl Crowd {
    /// Eight minutes of a busy door in twelve seconds.
    fn plays(outlet: &[&str]) -> Self {
        Self::with(outlet, &["--people", "20", "--for", "8min", "--speed", "40", "--wait", "2s"])
    }

    fn with(outlet: &[&str], more: &[&str]) -> Self {
        let mut command = smartstore(&["sim", "probe"]);
        command.args(outlet).args(more).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (told, lines) = sync_channel(100_000);
        std::thread::spawn(move || output.lines().map_while(Result::ok).for_each(|line| drop(told.send(line))));
        let endpoint = lines.recv_timeout(PATIENCE).expect("the first line is the endpoint");
        assert!(endpoint.contains(':'), "{endpoint}");
        Self { child, lines, told: Vec::new() }
    }

    fn listen(&mut self) {
        self.told
            .extend(self.lines.try_iter().map(|line| serde_json::from_str::<Value>(&line).expect("a truth is JSON")));
    }

    /// Waits for its end; its totals.
    fn ends(&mut self) -> Value {
        wait_until("the crowd has gone", PATIENCE, || self.child.try_wait().unwrap().is_some());
        wait_until("the totals are told", PATIENCE, || {
            self.listen();
            self.told.last().is_some_and(|truth| truth["truth"] == "totals")
        });
        self.told.last().unwrap().clone()
    }

    /// Ends it as a person does.
    fn stop(&mut self) -> Value {
        rustix::process::kill_process(pid_of(&self.child), rustix::process::Signal::TERM).unwrap();
        self.ends()
    }

    /// Everything of anybody that was in the air: addresses as bytes, and texts.
    fn traces(&self) -> Traces {
        let mut traces = Traces::default();
        for truth in self.told.iter().filter(|truth| truth["truth"] == "address") {
            let text = truth["address"].as_str().unwrap();
            let octets: Vec<u8> = text.split(':').map(|two| u8::from_str_radix(two, 16).unwrap()).collect();
            traces.octets.insert(octets.try_into().unwrap());
            traces.texts.extend([text.to_owned(), text.to_uppercase(), text.replace(':', "%3A").to_uppercase()]);
            traces.texts.extend([text.replace(':', "%3a"), text.replace(':', "")]);
            traces.texts.extend(truth["ssid"].as_str().map(str::to_owned));
        }
        assert!(traces.octets.len() > 50 && traces.texts.iter().any(|text| text.starts_with("Sim-Home-")));
        traces
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What may be found nowhere.
#[derive(Default)]
struct Traces {
    octets: HashSet<[u8; 6]>,
    texts: BTreeSet<String>,
}

impl Traces {
    /// Every trace in these bytes.
    fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        // Most places are dismissed by their first two bytes.
        let mut begins = vec![false; 1 << 16];
        let key = |a: u8, b: u8| usize::from(u16::from_be_bytes([a, b]));
        self.octets.iter().for_each(|octets| begins[key(octets[0], octets[1])] = true);
        self.texts.iter().for_each(|text| begins[key(text.as_bytes()[0], text.as_bytes()[1])] = true);
        let by_length: BTreeMap<usize, HashSet<&[u8]>> = self.texts.iter().fold(BTreeMap::new(), |mut all, text| {
            all.entry(text.len()).or_insert_with(HashSet::new).insert(text.as_bytes());
            all
        });
        let mut found = Vec::new();
        for at in 0..bytes.len().saturating_sub(1) {
            if !begins[key(bytes[at], bytes[at + 1])] {
                continue;
            }
            if bytes.get(at..at + 6).is_some_and(|six| self.octets.contains(six)) {
                found.push(format!("{:02x?} at {at:#x}", &bytes[at..at + 6]));
            }
            for (length, texts) in &by_length {
                if bytes.get(at..at + length).is_some_and(|piece| texts.contains(piece)) {
                    found.push(format!("{:?} at {at:#x}", String::from_utf8_lossy(&bytes[at..at + length])));
                }
            }
        }
        found
    }
}

/// All that the process can write to, region by region.
pub(crate) fn memory(pid: u32) -> Vec<(String, Vec<u8>)> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = File::open(format!("/proc/{pid}/mem")).expect("this user may read the daemon's memory");
    let regions = maps.lines().filter_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let (from, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
        if !rest.starts_with("rw") {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(to - from).ok()?];
        memory.read_exact_at(&mut bytes, from).ok()?;
        Some((line.to_owned(), bytes))
    });
    regions.collect()
}

pub(crate) fn all_files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(all_files(&path));
        } else if path.is_file() {
            files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    files
}

/// A shop with a sensor whose windows last two seconds, so that a test sees some.
struct Counting {
    shop: Shop,
    subscriber: Subscriber,
    _broker: Mosquitto,
    _folder: tempfile::TempDir,
}

impl Counting {
    fn with(profile: &str, endpoint: &str, settings: &str) -> Self {
        let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let broker = Mosquitto::started(folder.path());
        let subscriber = Subscriber::started(broker.port());
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("device-profiles/footfall/{profile}.toml"));
        let quick = std::fs::read_to_string(shipped).unwrap();
        let quick = quick.replace("windows = [\"1min\", \"10min\", \"60min\"]", "windows = [\"2s\", \"10s\"]");
        assert!(quick.contains("\"2s\""));
        let profiles = home.path().join("device-profiles/footfall");
        std::fs::create_dir_all(&profiles).unwrap();
        std::fs::write(profiles.join("quick.toml"), quick).unwrap();
        let mut shop = Shop::new(home, "scanner/generic-serial", Some(&broker.url()));
        let text = std::fs::read_to_string(shop.config()).unwrap();
        let device = format!(
            "\n[[device]]\nid = \"probe-1\"\nprofile = \"footfall/quick\"\nendpoint = \"{endpoint}\"\n\
             [device.settings]\nown_devices = [\"{OWN_TEXT}\"]\n{settings}\n"
        );
        std::fs::write(shop.config(), text + &device).unwrap();
        shop.spawn_with(&["--log", "smartstore=debug"]);
        wait_until("the console answers", PATIENCE, || shop.get("/health").is_some());
        Self { shop, subscriber, _broker: broker, _folder: folder }
    }

    fn state(&self) -> String {
        let devices: Value = serde_json::from_str(&self.shop.get("/api/v1/devices").unwrap_or_default()).unwrap();
        let devices = devices.as_array().cloned().unwrap_or_default();
        let sensor = devices.iter().find(|device| device["id"] == "probe-1").expect("the sensor is configured");
        sensor["state"].as_str().unwrap().to_owned()
    }

    fn wait_for(&self, state: &str) {
        wait_until(&format!("the sensor is {state}"), PATIENCE, || self.state() == state);
    }

    /// The windows of two seconds that have arrived.
    fn windows(&self) -> Vec<Value> {
        let is_short = |data: &Value| {
            let seconds = |name: &str| data[name].as_str().unwrap()[17..19].parse::<i64>().unwrap();
            (seconds("end") - seconds("start")).rem_euclid(60) == 2
        };
        let all: Vec<Value> = self.subscriber.look(|got| got.of_type("footfall.window.v1").cloned().collect());
        all.into_iter().map(|event| event["data"].clone()).filter(is_short).collect()
    }

    fn sum(&self, name: &str) -> u64 {
        self.windows().iter().map(|window| window[name].as_u64().unwrap()).sum()
    }

    /// One second after the last frame, nobody is in memory any more; and nobody was ever written anywhere.
    fn holds_nothing_of(&self, traces: &Traces, last: Instant) {
        let wait = (last + Duration::from_secs(1)).saturating_duration_since(Instant::now());
        // waits: the second that the promise speaks of
        std::thread::sleep(wait);
        let memory = memory(self.shop.pid());
        let known = Traces { octets: HashSet::from([OWN]), texts: BTreeSet::from(["hz-wulin-001".to_owned()]) };
        let seen: Vec<_> = memory.iter().flat_map(|(_, bytes)| known.found_in(bytes)).collect();
        assert!(seen.iter().any(|found| found.contains("hz-wulin")), "the search reads text");
        assert!(seen.iter().any(|found| found.contains("6c")), "the search reads addresses: {seen:?}");
        let bundle = self.shop.config().parent().unwrap().join("bundle.json");
        let made = self.shop.tool(&["doctor", "--bundle", bundle.to_str().unwrap()]);
        assert!(bundle.exists(), "{}", String::from_utf8_lossy(&made.stderr));
        let files = all_files(self.shop.config().parent().unwrap());
        assert!(files.iter().any(|(name, _)| name.ends_with("journal.db")) && files.len() >= 4);
        for (place, bytes) in memory.iter().chain(&files) {
            let found = traces.found_in(bytes);
            assert!(found.is_empty(), "{place} holds {found:?}");
        }
    }

    fn settles(&mut self) {
        let received = self.subscriber.look(Clone::clone);
        let problems = [received.problems.clone(), received.numbering_problems()].concat();
        assert!(problems.is_empty(), "{problems:?}");
        for window in self.windows() {
            let count = |name: &str| window[name].as_u64().unwrap();
            assert_eq!(count("passed") + count("visited") + count("stayed"), count("devices"), "{window}");
            assert!(count("devices_low") <= count("devices") && count("devices") <= count("devices_high"), "{window}");
            assert_eq!((count("missed"), window["calibrated"].as_bool()), (0, Some(false)), "{window}");
        }
        self.shop.stop();
        assert!(!self.shop.whole_log().contains("panicked"), "{}", self.shop.log_tail());
    }
}

/// Whether interfaces can be made here; if not, loudly not.
fn may_make_interfaces() -> bool {
    let may = rustix::process::geteuid().is_root() && File::options().write(true).open("/dev/net/tun").is_ok();
    if !may {
        println!("SKIPPED: a TAP interface needs root and /dev/net/tun");
    }
    may
}

/// A name that no other test has.
fn interface(letter: char) -> String {
    format!("s{letter}{:x}", std::process::id())
}

/// Plays a crowd and sees that all of it was counted and nothing of it is left.
fn plays_through(mut counting: Counting, outlet: &[&str], counts_frames: bool) {
    let mut crowd = Crowd::plays(outlet);
    let totals = crowd.ends();
    let last = Instant::now();
    counting.holds_nothing_of(&crowd.traces(), last);
    let (sent, lost) = (totals["frames"].as_u64().unwrap(), totals["lost"].as_u64().unwrap());
    assert!(sent > 500 && lost == 0, "{totals}");
    if counts_frames {
        // Phones so far away that they do not count are heard, too: the gate is at -90 dBm, the crowd ends at -95.
        wait_until("every frame is in a window", PATIENCE, || counting.sum("frames") * 20 > sent * 19);
        assert!(counting.sum("frames") <= sent);
    }
    wait_until("devices were counted, near and far", PATIENCE, || {
        counting.sum("devices") > 30 && counting.sum("passed") > 0 && counting.sum("visited") > 0
    });
    assert_eq!(counting.sum("rejected"), 0);
    counting.settles();
}

#[test]
fn a_crowd_in_the_air_is_counted_and_forgotten() {
    if !may_make_interfaces() {
        return;
    }
    let name = interface('a');
    // The radio is not there when the daemon starts.
    let counting = Counting::with("linux-monitor", &format!("wifi:{name}"), "");
    counting.wait_for("waiting");
    let mut first = Crowd::with(&["--tap", &name], &["--people", "1"]);
    counting.wait_for("running");
    first.stop();
    wait_until("the radio is missed", PATIENCE, || counting.shop.conditions().contains(&"radio.missing".to_owned()));
    plays_through(counting, &["--tap", &name], true);
}

#[test]
fn a_box_on_a_serial_line_is_counted_and_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let line = folder.path().join("line");
    let mut first = Crowd::with(&["--link", line.to_str().unwrap()], &["--people", "1"]);
    let counting = Counting::with("mncats-tz001", &format!("serial:{}", line.display()), "");
    counting.wait_for("running");
    first.stop();
    counting.wait_for("waiting");
    plays_through(counting, &["--link", line.to_str().unwrap()], true);
}

#[test]
fn a_box_that_sends_datagrams_is_counted_and_forgotten() {
    let to = format!("127.0.0.1:{}", free_port());
    let counting = Counting::with("mncats-tz001", &format!("udp:{to}"), "box_id = \"48cd02\"");
    counting.wait_for("running");
    plays_through(counting, &["--udp", &to], true);
}

#[test]
fn a_box_that_pushes_lists_is_counted_and_forgotten() {
    let to = format!("127.0.0.1:{}/datasky", free_port());
    let settings = "box_id = \"00f40f9a\"\nbox_address = \"14:6b:9c:00:00:01\"\n\
                    own_access_points = [\"00:1d:0f:aa:bb:01\"]";
    let counting = Counting::with("datasky", &format!("post:{to}"), settings);
    counting.wait_for("running");
    plays_through(counting, &["--post", &to, "--box", "00f40f9a"], false);
}

#[test]
fn a_box_that_pushes_forms_is_counted_and_a_foreign_box_is_turned_away() {
    let to = format!("127.0.0.1:{}/datasky", free_port());
    let settings = "box_id = \"00f40f9a\"\nown_access_points = [\"00:1d:0f:aa:bb:01\"]";
    let counting = Counting::with("datasky", &format!("post:{to}"), settings);
    counting.wait_for("running");
    let mut foreign = Crowd::with(&["--post", &to, "--box", "11111111"], &["--for", "2min", "--speed", "60"]);
    let totals = foreign.ends();
    assert_eq!(totals["frames"], totals["lost"], "none of its lists was taken");
    let metrics = counting.shop.get("/metrics").unwrap();
    assert!(metrics.contains("device=\"probe-1\",what=\"frames_foreign\""), "{metrics}");
    assert_eq!(counting.sum("frames"), 0);
    plays_through(counting, &["--post", &to, "--form", "--box", "00f40f9a"], false);
}

#[test]
fn a_capture_is_played_at_its_own_time_and_a_sensor_can_be_started_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crowd.pcap");
    let mut crowd = Crowd::with(&["--pcap", file.to_str().unwrap()], &["--people", "20", "--for", "10min"]);
    let sent = crowd.ends()["frames"].as_u64().unwrap();
    let counting = &mut Counting::with("linux-monitor", &format!("pcap:{}", file.display()), "replay_times = 120");
    wait_until("the capture is counted", PATIENCE, || counting.sum("frames") + 300 > sent);
    let windows = counting.windows();
    let start = |window: &Value| window["start"].as_str().unwrap().to_owned();
    assert!(windows.iter().all(|window| start(window).starts_with("2026-11-22T02:")), "in the capture's time");
    let before = windows.len();
    let restart = json!({ "id": "again-1", "device": "probe-1", "action": "device.restart", "args": {},
        "not_after": "2099-01-01T00:00:00Z" });
    publish(counting._broker.port(), "smartstore/v1/hz-wulin-001/gw-1/commands", &restart.to_string());
    wait_until("it begins anew", PATIENCE, || counting.windows().len() > before);
    wait_until("the command is answered", PATIENCE, || {
        counting.subscriber.look(|got| got.of_type("command.ended.v1").any(|event| event["data"]["ended"] == "done"))
    });
    counting.settles();
}
