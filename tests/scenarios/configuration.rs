//! Broken configurations: every one is named at its line, with exit code 78, by `check` and by `run`.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use super::daemon::smartstore;
use super::wait_until;

/// A good file of which each case breaks one thing. Line numbers below count from its first line.
const GOOD: &str = r#"[store]
id = "hz-wulin-001"
timezone = "Asia/Shanghai"

[gateway]
id = "gw-1"
data_dir = "data"
clock = "kernel"

[cloud]
broker = "mqtt://127.0.0.1:1883"

[console]
listen = "127.0.0.1:8480"

[codes]
member = "^M[0-9]{8,}$"

[[device]]
id = "scanner-1"
profile = "scanner/gm65"
endpoint = "serial:/dev/ttyUSB0"

[[device]]
id = "scanner-2"
profile = "scanner/hid-keyboard"
endpoint = "evdev:/dev/input/event7"
"#;

/// What is broken, how, and on which line it must be named.
struct Case {
    what: &'static str,
    from: &'static str,
    to: &'static str,
    line: u64,
}

const fn case(what: &'static str, from: &'static str, to: &'static str, line: u64) -> Case {
    Case { what, from, to, line }
}

const CASES: &[Case] = &[
    case("not TOML at all", "[store]\n", "[store\n", 1),
    case("an unclosed string", "timezone = \"Asia/Shanghai\"", "timezone = \"Asia/Shanghai", 3),
    case("a key twice", "id = \"gw-1\"\n", "id = \"gw-1\"\nid = \"gw-2\"\n", 7),
    case("an unknown key", "data_dir = \"data\"", "data_dri = \"data\"", 7),
    case("an unknown section", "[codes]", "[coeds]", 16),
    case("a store without a name", "id = \"hz-wulin-001\"\n", "", 1),
    case("a name with capitals", "id = \"hz-wulin-001\"", "id = \"HZ Wulin\"", 2),
    case("a time zone that is not there", "Asia/Shanghai", "Asia/Shanghigh", 3),
    case("a clock that is neither", "clock = \"kernel\"", "clock = \"sundial\"", 8),
    case("a number for a text", "id = \"gw-1\"", "id = 1", 6),
    case("a broker that speaks HTTP", "mqtt://127.0.0.1:1883", "http://127.0.0.1:1883", 11),
    case("a broker with a port too high", "127.0.0.1:1883", "127.0.0.1:99999", 11),
    case("a console open to the network", "127.0.0.1:8480", "0.0.0.0:8480", 14),
    case("a console without a port", "127.0.0.1:8480", "127.0.0.1", 14),
    case("a grammar that is no expression", "^M[0-9]{8,}$", "^M[0-9{8,}$", 17),
    case("a profile that is not there", "scanner/gm65", "scanner/gm66", 21),
    case("a device without an endpoint", "endpoint = \"serial:/dev/ttyUSB0\"\n", "", 19),
    case("an endpoint of no kind", "serial:/dev/ttyUSB0", "seriell:/dev/ttyUSB0", 22),
    case("an endpoint the profile cannot use", "evdev:/dev/input/event7", "udp:127.0.0.1:9000", 27),
    case("two devices of one name", "id = \"scanner-2\"", "id = \"scanner-1\"", 25),
    case(
        "two devices on one port",
        "profile = \"scanner/hid-keyboard\"\nendpoint = \"evdev:/dev/input/event7\"",
        "profile = \"scanner/gm65\"\nendpoint = \"serial:/dev/ttyUSB0\"",
        27,
    ),
    case(
        "an unknown setting of a device",
        "endpoint = \"serial:/dev/ttyUSB0\"\n",
        "endpoint = \"serial:/dev/ttyUSB0\"\n[device.settings]\nbuad = 9600\n",
        24,
    ),
    case(
        "a station that names a device that is not there",
        "endpoint = \"evdev:/dev/input/event7\"\n",
        "endpoint = \"evdev:/dev/input/event7\"\n\n\
         [[station]]\nid = \"r-1\"\nflow = \"redeem\"\nscanner = \"scanner-9\"\n",
        32,
    ),
    case(
        "a station of no flow",
        "endpoint = \"evdev:/dev/input/event7\"\n",
        "endpoint = \"evdev:/dev/input/event7\"\n\n\
         [[station]]\nid = \"r-1\"\nflow = \"dance\"\nscanner = \"scanner-1\"\n",
        31,
    ),
];

fn write(folder: &Path, text: &str) -> String {
    let file = folder.join("store.toml");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn check(folder: &Path, text: &str, json: bool) -> Output {
    let file = write(folder, text);
    let arguments: &[&str] = if json { &["check", &file, "--json"] } else { &["check", &file] };
    smartstore(arguments).output().unwrap()
}

fn all_text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Starts the daemon on it and waits for its end.
fn run(folder: &Path, text: &str) -> Output {
    let file = write(folder, text);
    let log = folder.join("log");
    let output = std::fs::File::create(&log).unwrap();
    let mut command = smartstore(&["run", "--config", &file]);
    let mut child = command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
    let mut ended = None;
    wait_until("`run` ends on a broken configuration", Duration::from_secs(10), || {
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    Output { status: ended.unwrap(), stdout: std::fs::read(&log).unwrap(), stderr: Vec::new() }
}

/// What is wrong with how a broken file was reported.
fn problems_of(case: &Case) -> Vec<String> {
    assert!(GOOD.contains(case.from), "{}: the good file has `{}`", case.what, case.from);
    let text = GOOD.replacen(case.from, case.to, 1);
    let folder = tempfile::tempdir().unwrap();
    let mut problems = problems_of_json(case, &check(folder.path(), &text, true));
    let place = format!("store.toml:{}", case.line);
    for (tool, output) in [("check", check(folder.path(), &text, false)), ("run", run(folder.path(), &text))] {
        let said = all_text(&output);
        if output.status.code() != Some(78) {
            problems.push(format!("{tool} ended with {:?}", output.status));
        }
        if !said.contains(&place) || said.contains("panicked") {
            problems.push(format!("{tool} does not name {place}:\n{said}"));
        }
    }
    problems.into_iter().map(|problem| format!("{}: {problem}", case.what)).collect()
}

fn problems_of_json(case: &Case, output: &Output) -> Vec<String> {
    let mut problems = Vec::new();
    if output.status.code() != Some(78) {
        problems.push(format!("check --json ended with {:?}", output.status));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let Ok(Value::Array(found)) = serde_json::from_str(&said) else {
        problems.push(format!("check --json says no list: {}", all_text(output)));
        return problems;
    };
    let is_named = |entry: &Value| {
        let filled = ["file", "severity", "code", "message"]
            .iter()
            .all(|key| entry[key].as_str().is_some_and(|s| !s.is_empty()));
        filled
            && entry["line"].as_u64() == Some(case.line)
            && entry["column"].as_u64().is_some_and(|column| column >= 1)
    };
    if !found.iter().any(is_named) {
        problems.push(format!("line {} is not named: {said}", case.line));
    }
    problems
}

#[test]
fn each_of_the_broken_files_is_named_at_its_line() {
    assert!(CASES.len() >= 20);
    let problems: Vec<_> = CASES.iter().flat_map(problems_of).collect();
    assert!(problems.is_empty(), "{} problem(s):\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn the_good_file_passes() {
    let folder = tempfile::tempdir().unwrap();
    let output = check(folder.path(), GOOD, true);
    assert_eq!(output.status.code(), Some(0), "{}", all_text(&output));
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), Value::Array(Vec::new()));
}

#[test]
fn several_mistakes_are_named_at_once() {
    let chosen = ["a time zone that is not there", "a profile that is not there", "an endpoint the profile cannot use"];
    let broken = CASES.iter().filter(|case| chosen.contains(&case.what));
    let text = broken.clone().fold(GOOD.to_owned(), |text, case| text.replacen(case.from, case.to, 1));
    let folder = tempfile::tempdir().unwrap();
    let output = check(folder.path(), &text, true);
    let problems: Vec<_> = broken.flat_map(|case| problems_of_json(case, &output)).collect();
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn a_file_that_is_not_there_or_no_text_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("nowhere.toml");
    let file = folder.path().join("binary.toml");
    std::fs::write(&file, [0xFF, 0xFE, 0x00, 0x80]).unwrap();
    for path in [&missing, &file] {
        for command in [["check"].as_slice(), &["run", "--config"]] {
            let output = smartstore(command).arg(path).output().unwrap();
            let said = all_text(&output);
            assert_eq!(output.status.code(), Some(78), "{command:?} {}: {said}", path.display());
            assert!(!said.contains("panicked") && said.contains(path.file_name().unwrap().to_str().unwrap()), "{said}");
        }
    }
}

#[test]
fn a_wrong_argument_ends_with_64() {
    for arguments in [&["run"][..], &["--no-such-flag"], &["dance"], &["events", "--config"]] {
        let output = smartstore(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {}", all_text(&output));
    }
}
