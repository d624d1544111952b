use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio_util::sync::CancellationToken;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::*;
use crate::clock::Clock;
use crate::device::{DriverError, Port, PortEnds, Section, port};
use crate::observe::{Board, Conditions, DeviceScope, Metrics};
use crate::types::{
    Action, ActionKind, Assigned, Body, CodeGrammars, CodeKind, CodeScanned, CommandId, DeviceId, Ended, Endpoint,
    Observation, Outcome, Timestamp,
};

const GM65: &str = include_str!("../../../device-profiles/scanner/gm65.toml");
const GENERIC: &str = include_str!("../../../device-profiles/scanner/generic-serial.toml");
const KEYBOARD: &str = include_str!("../../../device-profiles/scanner/hid-keyboard.toml");
const BOUND: Duration = Duration::from_secs(20);

/// Does what `config` does with a `[[device]]` and its profile.
fn configure(profile: &str, endpoint: &str, settings: &str) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
    let mut profile = DeTable::parse(profile).unwrap().into_inner();
    let name = match profile.get("kind").map(Spanned::get_ref) {
        Some(DeValue::String(name)) => name.to_string(),
        other => panic!("the profile's kind is {other:?}"),
    };
    let facts = profile.remove("facts").map(|facts| {
        let span = facts.span();
        let DeValue::Table(table) = facts.into_inner() else { panic!("facts are a table") };
        Spanned::new(span, table)
    });
    let settings = DeTable::parse(settings).unwrap();
    let kinds: [&dyn DeviceKind; 2] = [&SERIAL, &HID];
    kinds.into_iter().find(|kind| kind.name() == name).expect("a kind of this folder").configure(RawDevice {
        id: DeviceId::new("scanner-1").unwrap(),
        endpoint: Endpoint::parse(endpoint).unwrap(),
        endpoint_span: 7..9,
        facts: Section { file: Path::new("profile.toml"), span: 0..1, table: facts },
        settings: Section { file: Path::new("store.toml"), span: 0..1, table: Some(settings) },
        codes: &CodeGrammars { member: regex::Regex::new("^M[0-9]{8,}$").ok(), ..CodeGrammars::default() },
    })
}

#[test]
fn the_shipped_profiles_make_devices_that_can_what_they_say() {
    let gm65 = configure(GM65, "serial:/dev/ttyUSB0", "").unwrap();
    assert_eq!(gm65.can(), [ActionKind::ScanTrigger]);
    assert_eq!(gm65.endpoint(), &Endpoint::Serial("/dev/ttyUSB0".into()));
    let settings = "mode = \"command\"\naim_ids = false\nbaud = 115200\nterminator = \"crlf\"\nrepeat_window_ms = 0";
    assert!(configure(GM65, "serial:/dev/ttyUSB0", settings).is_ok());
    assert_eq!(configure(GENERIC, "serial:/dev/ttyUSB0", "").unwrap().can(), []);
    assert_eq!(configure(KEYBOARD, "evdev:/dev/input/event3", "repeat_window_ms = 0").unwrap().can(), []);
}

/// Code, file and the text at the span of each mistake.
fn mistakes(profile: &str, endpoint: &str, settings: &str) -> Vec<(&'static str, String, String)> {
    let Err(found) = configure(profile, endpoint, settings) else { panic!("no mistake was found") };
    let shown = |mistake: Diagnostic| {
        assert!(!mistake.help.is_empty(), "{}", mistake.message);
        let text = if mistake.file == Path::new("profile.toml") { profile } else { settings };
        let span = mistake.span.unwrap();
        (mistake.code, mistake.file.display().to_string(), text.get(span).unwrap_or("").to_owned())
    };
    found.into_iter().map(shown).collect()
}

#[test]
fn every_mistake_is_named_at_once_where_it_stands() {
    let profile = GENERIC.replace("9600", "7").replace("4096", "4").replace("stop_bits = 1", "stop_bits = 3");
    let found = mistakes(&profile, "udp:127.0.0.1:1", "mode = \"command\"\naim_ids = true\nbaud = 1");
    let wanted = [
        ("wrong-endpoint", "store.toml", "\"c"),
        ("out-of-range", "profile.toml", "7"),
        ("out-of-range", "profile.toml", "4"),
        ("out-of-range", "profile.toml", "3"),
        ("out-of-range", "store.toml", "1"),
        ("not-supported", "store.toml", "\"command\""),
        ("not-supported", "store.toml", "true"),
    ];
    assert_eq!(found.len(), wanted.len(), "{found:?}");
    for (code, file, text) in wanted {
        assert!(found.iter().any(|f| f.0 == code && f.1 == file && f.2 == text), "{code} {text}: {found:?}");
    }
    let Err(found) = configure(KEYBOARD, "serial:/dev/ttyUSB0", "repeat_window_ms = 9999999") else { panic!() };
    assert_eq!(found.iter().map(|mistake| mistake.code).collect::<Vec<_>>(), ["wrong-endpoint", "out-of-range"]);
    assert!(configure(GENERIC, "serial:/dev/ttyUSB0", "buad = 1").is_err());
}

/// The far end of a line: a PTY's master under a stable name.
struct Far {
    master: File,
    /// Kept open, so that the master outlives a driver that lets go.
    _slave: File,
}

fn plug(link: &Path) -> Far {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = PathBuf::from(ptsname(&master, Vec::new()).unwrap().into_string().unwrap());
    let slave = File::options().read(true).write(true).open(&path).unwrap();
    let mut raw = rustix::termios::tcgetattr(&slave).unwrap();
    raw.make_raw();
    rustix::termios::tcsetattr(&slave, rustix::termios::OptionalActions::Now, &raw).unwrap();
    let _ = std::fs::remove_file(link);
    std::os::unix::fs::symlink(&path, link).unwrap();
    Far { master: File::from(master), _slave: slave }
}

impl Far {
    fn expect(&mut self, bytes: &[u8]) {
        let mut got = vec![0; bytes.len()];
        self.master.read_exact(&mut got).unwrap();
        assert_eq!(got, bytes);
    }
}

struct Bench {
    folder: tempfile::TempDir,
    device: Box<dyn Device>,
    port: Port,
    ends: PortEnds,
    stop: CancellationToken,
    clock: Clock,
}

fn bench(profile: &str, settings: &str) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = format!("serial:{}", folder.path().join("tty").display());
    let device = configure(profile, &endpoint, settings).unwrap();
    let clock = Clock::manual(Timestamp::from_unix_ms(1_763_776_800_000), 1);
    let conditions = Conditions::new(clock.clone());
    let scope = DeviceScope::new(device.id().clone(), clock.clone(), conditions, Metrics::default(), Board::default());
    let stop = CancellationToken::new();
    let (port, ends) = port(scope, clock.clone(), stop.clone());
    Bench { folder, device, port, ends, stop, clock }
}

async fn said(ends: &mut PortEnds) -> Observation {
    let draft = tokio::time::timeout(BOUND, ends.observed.recv()).await.expect("the driver says it in time").unwrap();
    match draft.body {
        Body::Observed(observation) => observation,
        other @ Body::Noticed(_) => panic!("a driver said {other:?}"),
    }
}

async fn code(ends: &mut PortEnds) -> CodeScanned {
    match said(ends).await {
        Observation::Code(code) => code,
        other => panic!("no code but {other:?}"),
    }
}

#[tokio::test]
async fn codes_are_read_classified_and_masked_and_an_unplug_at_any_byte_loses_only_what_it_cut() {
    let Bench { folder, device, mut port, mut ends, stop, .. } = bench(GENERIC, "");
    let link = folder.path().join("tty");
    let far = async {
        let mut far = plug(&link);
        held(&mut far, &mut ends, "first").await;
        far.master.write_all(b"M12345678\r]E06901234567892\r28763443825664394\r").unwrap();
        assert_eq!(code(&mut ends).await.kind, CodeKind::Member);
        let product = code(&mut ends).await;
        assert_eq!(product.gtin.map(|gtin| gtin.to_string()).as_deref(), Some("06901234567892"));
        let payment = code(&mut ends).await;
        assert_eq!((payment.kind, payment.value.as_str()), (CodeKind::Payment, "28***********4394"));
        for cut in 0..10 {
            far.master.write_all(format!("before-{cut}\r").as_bytes()).unwrap();
            assert_eq!(code(&mut ends).await.value, format!("before-{cut}"));
            far.master.write_all(&b"M87654321\r"[..cut]).unwrap();
            far = plug(&link);
            held(&mut far, &mut ends, &format!("plug-{cut}")).await;
        }
        stop.cancel();
    };
    let driver = async {
        loop {
            match device.run(&mut port).await {
                Ok(()) => break,
                Err(DriverError::Closed) => {}
                Err(other) => panic!("{other}"),
            }
        }
    };
    tokio::time::timeout(BOUND, async { tokio::join!(far, driver) }).await.expect("in time");
}

/// Scans until the driver holds the line: what waited before that is discarded, what comes after is all read.
async fn held(far: &mut Far, ends: &mut PortEnds, name: &str) {
    for scan in 0..1000 {
        far.master.write_all(format!("{name}-{scan}\r").as_bytes()).unwrap();
        let Ok(first) = tokio::time::timeout(Duration::from_millis(20), code(ends)).await else { continue };
        let mut last = first.value;
        while last != format!("{name}-{scan}") {
            last = code(ends).await.value;
            assert!(last.starts_with(name), "{last} was cut off and yet read");
        }
        return;
    }
    panic!("nobody took the line");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trigger_is_done_when_the_scanner_says_so_and_indeterminate_when_it_is_pulled_out() {
    let Bench { folder, device, mut port, mut ends, clock, .. } = bench(GM65, "aim_ids = false");
    let mut far = plug(&folder.path().join("tty"));
    let assign = ends.assign.clone();
    let give = |id: &str| Assigned {
        command: CommandId::new(id).unwrap(),
        action: Action::ScanTrigger { on: true },
        deadline: clock.now() + BOUND,
    };
    let (first, second) = (give("t-1"), give("t-2"));
    let scanner = tokio::task::spawn_blocking(move || {
        far.expect(&[0x7e, 0, 7, 1, 0, 0xe2, 1, 0x77, 0x91]);
        far.master.write_all(&[2, 0, 0, 1, 0x57, 0x19, 0x23]).unwrap();
        assign.blocking_send(first).unwrap();
        far.expect(&[0x7e, 0, 8, 1, 0, 2, 1, 0x02, 0xda]);
        far.master.write_all(&[2, 0, 0, 1, 0, 0xab, 0xcd]).unwrap();
        assign.blocking_send(second).unwrap();
        far.expect(&[0x7e, 0, 8, 1, 0, 2, 1, 0x02, 0xda]);
    });
    let ended = tokio::time::timeout(BOUND, device.run(&mut port)).await.expect("in time");
    assert!(matches!(ended, Err(DriverError::Closed)), "{ended:?}");
    scanner.await.unwrap();
    port.abandon(false).await.unwrap();
    let outcome = |id: &str, ended| Observation::Ended(Outcome { command: CommandId::new(id).unwrap(), ended });
    assert_eq!(said(&mut ends).await, outcome("t-1", Ended::Done));
    let lost = Ended::Indeterminate(crate::types::Reason::new("driver-failed"));
    assert_eq!(said(&mut ends).await, outcome("t-2", lost));
}
