//! The unit file and its drop-ins, judged by systemd itself: valid and locked down. And the daemon's half of what the
//! unit says: exit codes, the watchdog.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this crate is a test"
)]

use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Highest exposure that passes, in tenths (systemd calls 1.7 "OK"). Lower is tighter.
const EXPOSURE_TENTHS: &str = "20";
/// The same with every drop-in.
const EXPOSURE_WITH_DROP_INS_TENTHS: &str = "27";
/// How long the daemon may take to say something.
const BOUND: Duration = Duration::from_secs(60);

/// The unit with the binary where `verify` finds one: it looks whether `ExecStart` exists.
fn unit_in(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/smartstore.service")).unwrap();
    assert!(text.contains("ExecStart=/usr/bin/smartstore run "), "the unit starts the daemon");
    let unit = folder.join("smartstore.service");
    std::fs::write(&unit, text.replace("/usr/bin/smartstore", env!("CARGO_BIN_EXE_smartstore"))).unwrap();
    unit
}

/// Adds the drop-ins, as `systemctl edit` does.
fn with_drop_ins(unit: &Path) {
    let beside = unit.with_extension("service.d");
    std::fs::create_dir(&beside).unwrap();
    for name in ["capture.conf", "credentials.conf"] {
        std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name), beside.join(name)).unwrap();
    }
}

/// `None` where there is no systemd.
fn analyze(arguments: &[&str], unit: &Path) -> Option<Output> {
    match Command::new("systemd-analyze").args(arguments).arg(unit).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("SKIPPED: systemd-analyze does not start: {error}");
            None
        }
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_kiosks_unit_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/smartstore-kiosk@.service");
    let unit_text = std::fs::read_to_string(file).unwrap();
    assert!(unit_text.contains("ExecStart=/usr/bin/cage -d -- /usr/bin/chromium ") && unit_text.contains("/s/%i"));
    // `verify` looks whether the program is there; a box that shows nothing has no cage.
    let unit = folder.path().join("smartstore-kiosk@screen-1.service");
    std::fs::write(&unit, unit_text.replace("/usr/bin/cage", "/bin/true")).unwrap();
    let Some(output) = analyze(&["verify", "--recursive-errors=no"], &unit) else { return };
    let words: Vec<_> = text(&output).lines().filter(|line| line.contains("kiosk")).map(str::to_owned).collect();
    assert!(words.is_empty(), "{words:#?}");
}

#[test]
fn the_unit_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let Some(output) = analyze(&["verify", "--recursive-errors=no"], &unit_in(folder.path())) else { return };
    assert!(output.status.success() && text(&output).is_empty(), "{}", text(&output));
}

#[test]
fn the_unit_is_locked_down() {
    let folder = tempfile::tempdir().unwrap();
    let threshold = format!("--threshold={EXPOSURE_TENTHS}");
    let arguments = ["security", "--offline=true", "--no-pager", &threshold];
    let Some(output) = analyze(&arguments, &unit_in(folder.path())) else { return };
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn an_unlocked_unit_would_not_pass() {
    let folder = tempfile::tempdir().unwrap();
    let unit = unit_in(folder.path());
    let open = std::fs::read_to_string(&unit).unwrap().replace("CapabilityBoundingSet=\n", "");
    std::fs::write(&unit, open).unwrap();
    let threshold = format!("--threshold={EXPOSURE_TENTHS}");
    let Some(output) = analyze(&["security", "--offline=true", "--no-pager", &threshold], &unit) else { return };
    assert!(!output.status.success(), "{}", text(&output));
}

#[test]
fn the_drop_ins_are_valid_and_open_only_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let unit = unit_in(folder.path());
    let exposure = ["security", "--offline=true", "--no-pager", "--json=short"];
    let Some(without) = analyze(&exposure, &unit) else { return };
    with_drop_ins(&unit);
    let Some(output) = analyze(&["verify", "--recursive-errors=no"], &unit) else { return };
    assert!(output.status.success() && text(&output).is_empty(), "{}", text(&output));
    let threshold = format!("--threshold={EXPOSURE_WITH_DROP_INS_TENTHS}");
    let Some(output) = analyze(&["security", "--offline=true", "--no-pager", &threshold], &unit) else { return };
    assert!(output.status.success(), "{}", text(&output));
    let Some(with) = analyze(&exposure, &unit) else { return };
    let open = |output: &Output| -> BTreeSet<String> {
        let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let open = rows.as_array().unwrap().iter().filter(|row| row["set"] == false);
        open.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    let (without, with) = (open(&without), open(&with));
    let given: Vec<_> = with.difference(&without).map(String::as_str).collect();
    let expected = [
        "AmbientCapabilities=",
        "CapabilityBoundingSet=~CAP_NET_(BIND_SERVICE|BROADCAST|RAW)",
        "RestrictAddressFamilies=~AF_PACKET",
    ];
    assert_eq!(given, expected);
}

/// The process that is watched; ended with the test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn configuration(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("store.toml");
    std::fs::write(&file, text).unwrap();
    file
}

const SMALLEST: &str = "\
[store]
id = \"s\"
timezone = \"Asia/Shanghai\"
[gateway]
id = \"g\"
data_dir = \"data\"
clock = \"trusted\"
";

#[test]
fn a_broken_configuration_ends_with_the_code_after_which_systemd_does_not_start_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let unit = std::fs::read_to_string(unit_in(folder.path())).unwrap();
    let kept_down = unit.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus=")).unwrap();
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_smartstore"));
    daemon.args(["run", "--config"]).arg(configuration(folder.path(), "[store]\nid = 7\n"));
    let output = daemon.output().unwrap();
    assert_eq!(output.status.code().map(|code| code.to_string()).as_deref(), Some(kept_down), "{}", text(&output));
}

#[test]
fn the_daemon_feeds_the_watchdog_often_enough_and_only_when_it_is_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), SMALLEST);
    let address = folder.path().join("notify");
    let socket = UnixDatagram::bind(&address).unwrap();
    socket.set_read_timeout(Some(BOUND)).unwrap();
    let said = || {
        let mut message = [0; 512];
        let count = socket.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..count]).into_owned()
    };
    let start = |watched: bool| {
        let mut daemon = Command::new(env!("CARGO_BIN_EXE_smartstore"));
        daemon.args(["run", "--config"]).arg(&config).env("NOTIFY_SOCKET", &address).env_remove("WATCHDOG_USEC");
        if watched {
            daemon.env("WATCHDOG_USEC", "400000");
        }
        Daemon(daemon.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    };

    let mut watched = start(true);
    let mut fed = 0;
    while fed < 5 {
        fed += u32::from(said().contains("WATCHDOG=1"));
    }
    let _ = Command::new("kill").arg(watched.0.id().to_string()).status();
    let mut last = Vec::new();
    while !last.iter().any(|line: &String| line.contains("STOPPING=1")) {
        last.push(said());
    }
    assert!(watched.0.wait().unwrap().success());
    socket.set_nonblocking(true).unwrap();
    while socket.recv(&mut [0; 512]).is_ok() {}
    socket.set_nonblocking(false).unwrap();

    let unwatched = start(false);
    let mut heard = Vec::new();
    while !heard.iter().any(|line: &String| line.contains("READY=1")) {
        heard.push(said());
    }
    let _ = Command::new("kill").arg(unwatched.0.id().to_string()).status();
    while !heard.iter().any(|line: &String| line.contains("STOPPING=1")) {
        heard.push(said());
    }
    assert!(!heard.iter().any(|line| line.contains("WATCHDOG=1")), "{heard:?}");
}
