//! Cameras with a real daemon: drawn people walk before a simulated network camera, and what the journal says of them
//! is what was true. Needs the face networks; without them a test says so and is skipped.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::daemon::{Shop, smartstore};
use super::wait_until;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(90);
/// From the left of the picture to the right is inwards.
const LINE: &str = "line = { from = [0.5, 1.0], to = [0.5, 0.0] }\nwindow = \"5s\"";

/// The folder of the networks: `make test` fetches them there.
fn models() -> Option<PathBuf> {
    let folder = std::env::var_os("SMARTSTORE_MODELS").map_or_else(|| PathBuf::from("models"), PathBuf::from);
    let folder = std::path::absolute(folder).unwrap();
    if folder.join("yunet-2023mar.onnx").is_file() {
        return Some(folder);
    }
    println!("SKIPPED: no networks in {}; fetch them with `smartstore models fetch`", folder.display());
    None
}

/// A simulated camera.
struct Filming {
    child: Child,
    url: String,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Filming {
    fn starts(arguments: &[&str]) -> Self {
        let mut command = smartstore(&["sim", "camera"]);
        let mut child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (told, lines) = std::sync::mpsc::sync_channel(1000);
        std::thread::spawn(move || output.lines().map_while(Result::ok).for_each(|line| drop(told.send(line))));
        let url = lines.recv_timeout(PATIENCE).expect("the first line is the endpoint");
        Self { child, url, lines }
    }

    /// Waits for the film's end; what was true.
    fn ends(&mut self) -> Value {
        wait_until("the film is over", PATIENCE, || self.child.try_wait().unwrap().is_some());
        let truths: Vec<Value> = self.lines.iter().map(|line| serde_json::from_str(&line).unwrap()).collect();
        let totals = truths.last().expect("the totals are told").clone();
        assert_eq!(totals["truth"], "totals");
        totals
    }
}

impl Drop for Filming {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A shop with cameras.
struct Watched {
    shop: Shop,
}

impl Watched {
    fn by(cameras: &[(&str, &str)], settings: &str, models: &Path) -> Self {
        let home = tempfile::tempdir().unwrap();
        let shop = Shop::new(home, "scanner/generic-serial", None);
        shop.reconfigure("data_dir = \"data\"", &format!("data_dir = \"data\"\nmodels_dir = {models:?}"));
        let mut text = std::fs::read_to_string(shop.config()).unwrap();
        for (number, (profile, endpoint)) in (1..).zip(cameras) {
            text += &format!(
                "\n[[device]]\nid = \"camera-{number}\"\nprofile = \"camera/{profile}\"\nendpoint = \"{endpoint}\"\n\
                 [device.settings]\n{settings}\n"
            );
        }
        std::fs::write(shop.config(), text).unwrap();
        let mut watched = Self { shop };
        watched.shop.start();
        watched
    }

    fn events(&self, kind: &str) -> Vec<Value> {
        let events = self.shop.tool(&["events", "--type", kind, "--json"]);
        let lines = String::from_utf8_lossy(&events.stdout).into_owned();
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect()
    }

    fn visits(&self) -> Vec<Value> {
        self.events("face.visit")
    }

    fn has(&self, condition: &str) -> bool {
        self.shop.conditions().iter().any(|code| code == condition)
    }

    /// A counter of the first camera.
    fn count(&self, name: &str) -> u64 {
        let metrics = self.shop.get("/metrics").unwrap_or_default();
        let what = format!("smartstore_device_total{{device=\"camera-1\",what=\"{name}\"}}");
        let line = metrics.lines().find(|line| line.starts_with(&what));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
    }
}

fn sum(visits: &[Value], name: &str) -> u64 {
    visits.iter().map(|visit| visit["data"][name].as_u64().unwrap_or(0)).sum()
}

/// Both ways to speak: as many visits as people, and each crossing of the line in its direction.
#[test]
fn drawn_people_are_counted_by_their_hidden_truth() {
    let Some(models) = models() else { return };
    for (profile, speech) in [("mjpeg", &["--no-length"][..]), ("rtsp", &["--rtsp"])] {
        let mut film = Filming::starts(&[speech, &["--for", "25s", "--seed", "3"]].concat());
        let mut watched = Watched::by(&[(profile, &film.url)], LINE, &models);
        let truth = film.ends();
        let people = truth["people"].as_u64().unwrap();
        assert!(people >= 4, "{truth}");
        wait_until("everybody has gone", PATIENCE, || watched.visits().len() as u64 >= people);
        watched.shop.stop();
        let visits = watched.visits();
        println!("{profile}: {truth}; {} visits", visits.len());
        assert_eq!(visits.len() as u64, people, "{profile}: {truth} {visits:?}");
        let crossed = (sum(&visits, "crossed_in"), sum(&visits, "crossed_out"));
        let expected = (truth["rightwards"].as_u64().unwrap(), truth["leftwards"].as_u64().unwrap());
        assert_eq!(crossed, expected, "{profile}: {visits:?}");
        let windows = watched.events("face.window");
        assert!(windows.iter().any(|window| window["data"]["complete"] == true), "{windows:?}");
        assert_eq!(sum(&windows, "visits"), people, "every visit is in a window");
        assert!(watched.events("face.member").is_empty());
    }
}

/// Nothing of a login is in a file, in the log, in an answer or in a bundle, though the camera was let in by it.
#[test]
fn a_login_is_used_and_shown_nowhere() {
    let Some(models) = models() else { return };
    let (mjpeg, rtsp) = (["--login", "warden:Pa55-w0rd"], ["--rtsp", "--login", "warden:Pa55-w0rd"]);
    let films = [Filming::starts(&mjpeg), Filming::starts(&rtsp)];
    let with_login = |url: &str| url.replace("://", "://warden:Pa55-w0rd@");
    let urls = films.each_ref().map(|film| with_login(&film.url));
    let mut watched = Watched::by(&[("mjpeg", &urls[0]), ("rtsp", &urls[1])], "", &models);
    wait_until("both cameras are seen", PATIENCE, || {
        watched.shop.get("/api/v1/devices").is_some_and(|devices| devices.matches("pictures/s").count() == 2)
    });
    let shown = ["/health", "/metrics", "/api/v1/devices", "/api/v1/events?after=0&limit=100", "/"];
    let mut texts: Vec<String> = shown.iter().filter_map(|path| watched.shop.get(path)).collect();
    let bundle = watched.shop.config().parent().unwrap().join("bundle.json");
    let made = watched.shop.tool(&["doctor", "--bundle", bundle.to_str().unwrap()]);
    texts.push(String::from_utf8_lossy(&made.stdout).into_owned());
    texts.push(std::fs::read_to_string(&bundle).unwrap());
    let config = watched.shop.config();
    let effective = smartstore(&["check", config.to_str().unwrap(), "--effective"]).output().unwrap();
    texts.push(String::from_utf8_lossy(&effective.stdout).into_owned());
    watched.shop.stop();
    texts.push(watched.shop.whole_log());
    assert!(texts.len() == 9 && texts.iter().all(|text| !text.is_empty()));
    for text in texts {
        let at = text.find("Pa55-w0rd").or_else(|| text.find("warden"));
        assert!(at.is_none(), "{}", &text[at.unwrap_or(0).saturating_sub(200)..]);
    }
}

#[test]
fn a_wrong_login_a_camera_that_stalls_and_one_that_goes_are_conditions_with_their_reason() {
    let Some(models) = models() else { return };
    let mut stalls = Filming::starts(&["--fault", "stall:15", "--for", "60s"]);
    let locked = Filming::starts(&["--login", "a:b"]);
    let settings = "fps = 10";
    let mut watched = Watched::by(&[("mjpeg", &stalls.url), ("mjpeg", &locked.url)], settings, &models);
    wait_until("the refusal is told", PATIENCE, || {
        watched.shop.get("/health").is_some_and(|health| health.contains("camera.missing"))
    });
    wait_until("the stall is told", PATIENCE, || watched.has("camera.stalled"));
    stalls.child.kill().unwrap();
    wait_until("the camera is missed", PATIENCE, || {
        !watched.has("camera.stalled")
            && watched.shop.conditions().iter().filter(|c| *c == "camera.missing").count() == 2
    });
    watched.shop.stop();
}

#[test]
fn a_network_that_is_missing_is_a_condition_and_is_taken_up_when_it_comes() {
    let Some(models) = models() else { return };
    let empty = tempfile::tempdir().unwrap();
    let film = Filming::starts(&["--for", "60s"]);
    let mut watched = Watched::by(&[("mjpeg", &film.url)], "", empty.path());
    wait_until("the network is missed", PATIENCE, || watched.has("model.missing"));
    std::fs::copy(models.join("yunet-2023mar.onnx"), empty.path().join("yunet-2023mar.onnx")).unwrap();
    wait_until("the network is taken up", PATIENCE, || !watched.has("model.missing"));
    wait_until("pictures are looked at", PATIENCE, || {
        watched.shop.get("/api/v1/devices").is_some_and(|devices| devices.contains("pictures/s"))
    });
    watched.shop.stop();
}

/// Noise, halves and giants between the pictures: counted, and those who walk by are still counted right.
#[test]
fn hostile_parts_are_counted_and_nobody_is_lost() {
    let Some(models) = models() else { return };
    for (fault, counter) in
        [("garbage:7", "frames_good"), ("truncated:5", "frames_malformed"), ("huge:5", "frames_malformed")]
    {
        let mut film = Filming::starts(&["--for", "15s", "--seed", "5", "--fault", fault]);
        let mut watched = Watched::by(&[("mjpeg", &film.url)], LINE, &models);
        let truth = film.ends();
        let people = truth["people"].as_u64().unwrap();
        wait_until("everybody has gone", PATIENCE, || watched.visits().len() as u64 >= people);
        assert!(watched.count(counter) >= 10, "{fault}: {} {counter}", watched.count(counter));
        let peak_kib = watched.shop.memory_kib("VmHWM");
        println!("{fault}: {truth}; peak {peak_kib} KiB");
        watched.shop.stop();
        assert_eq!(watched.visits().len() as u64, people, "{fault}: {truth}");
        assert!(!watched.shop.whole_log().contains("panicked"));
    }
}

/// Four cameras on the cores there are: none of them holds the daemon up, nothing grows.
#[test]
fn four_cameras_leave_pictures_out_rather_than_grow() {
    let Some(models) = models() else { return };
    let films: Vec<Filming> =
        (0..4).map(|seed| Filming::starts(&["--for", "60s", "--fps", "15", "--seed", &seed.to_string()])).collect();
    let cameras: Vec<(&str, &str)> = films.iter().map(|film| ("mjpeg", film.url.as_str())).collect();
    let began = Instant::now();
    let mut watched = Watched::by(&cameras, "fps = 15", &models);
    wait_until("all four are seen", PATIENCE, || {
        watched.shop.get("/api/v1/devices").is_some_and(|devices| devices.matches("pictures/s").count() == 4)
    });
    println!("all four are seen after {:?}", began.elapsed());
    let early_kib = watched.shop.memory_kib("VmRSS");
    // waits: twenty seconds of four cameras are the subject
    std::thread::sleep(Duration::from_secs(20));
    let asked = Instant::now();
    assert!(watched.shop.get("/health").is_some());
    let (answered, late_kib) = (asked.elapsed(), watched.shop.memory_kib("VmRSS"));
    println!(
        "health after {answered:?}; {early_kib} KiB, then {late_kib} KiB; {} looked at",
        watched.count("frames_good")
    );
    assert!(answered < Duration::from_secs(1), "{answered:?}");
    assert!(late_kib < early_kib + early_kib / 4 + 32 * 1024, "{early_kib} KiB, then {late_kib} KiB");
    watched.shop.stop();
}
