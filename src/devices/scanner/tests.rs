use std::io::Write;
use std::time::Duration;

use super::*;
use crate::device::testing::{self, BOUND, Bench, Far, plug, said};
use crate::device::{DriverError, PortEnds};
use crate::types::{
    Action, ActionKind, Assigned, CodeKind, CodeScanned, CommandId, Ended, Endpoint, Observation, Outcome,
};

const GM65: &str = include_str!("../../../device-profiles/scanner/gm65.toml");
const GENERIC: &str = include_str!("../../../device-profiles/scanner/generic-serial.toml");
const KEYBOARD: &str = include_str!("../../../device-profiles/scanner/hid-keyboard.toml");

const KINDS: [&dyn DeviceKind; 2] = [&SERIAL, &HID];

fn configure(profile: &str, endpoint: &str, settings: &str) -> Result<Box<dyn Device>, Vec<Diagnostic>> {
    testing::configure(&KINDS, profile, endpoint, settings)
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

#[test]
fn every_mistake_is_named_at_once_where_it_stands() {
    let profile = GENERIC.replace("9600", "7").replace("4096", "4").replace("stop_bits = 1", "stop_bits = 3");
    let found = testing::mistakes(&KINDS, &profile, "udp:127.0.0.1:1", "mode = \"command\"\naim_ids = true\nbaud = 1");
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

fn bench(profile: &str, settings: &str) -> Bench {
    testing::bench(&KINDS, profile, settings)
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
