//! `footfall replay`, `calibrate` and `opt-out` as tools: what they keep, and what they say of files that are none.

use smartstore::wire::dot11::Link;
use smartstore::wire::pcap::{write_header, write_record};

use super::smartstore;

fn probe(address: u8, sequence: u16) -> Vec<u8> {
    let mut frame = vec![0, 0, 9, 0, 0x20, 0, 0, 0, 0xc4, 0x40, 0, 0, 0];
    frame.extend([0xff; 6]);
    frame.extend([2, 0, 0, 0, 0, address]);
    frame.extend([0xff; 6]);
    frame.extend((sequence << 4).to_le_bytes());
    frame.extend([0, 0, 1, 1, 2, 45, 1, 9]);
    frame
}

fn capture() -> Vec<u8> {
    let mut bytes = Vec::new();
    write_header(Link::Radiotap, &mut bytes);
    for second in 0..90_u8 {
        let at_us = 1_700_006_430_000_000 + i64::from(second) * 1_000_000;
        write_record(at_us, &probe(second % 3, u16::from(second)), &mut bytes);
    }
    bytes
}

/// What a file gives: exit code, standard output and error.
fn replay(bytes: &[u8], more: &[&str]) -> (Option<i32>, String, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let mut arguments = vec!["replay", file.path().to_str().unwrap(), "--json"];
    arguments.extend(more);
    let done = smartstore(&arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.code(), text(done.stdout), text(done.stderr))
}

#[test]
fn windows_are_lines_of_json_aligned_to_the_epoch() {
    let (code, out, err) = replay(&capture(), &["--window", "1min"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let windows: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let starts: Vec<&str> = windows.iter().map(|window| window["start"].as_str().unwrap()).collect();
    assert_eq!(starts, ["2023-11-15T00:00:00.000Z", "2023-11-15T00:01:00.000Z"]);
    assert_eq!((&windows[0]["frames"], &windows[1]["frames"]), (&30.into(), &60.into()));
    assert_eq!((&windows[0]["devices"], &windows[0]["calibrated"]), (&3.into(), &false.into()));
    let names: Vec<&str> = out.lines().next().unwrap().split('"').skip(1).step_by(2).collect();
    assert!(names.starts_with(&["start", "2023-11-15T00:00:00.000Z", "end"]), "{names:?}");
}

#[test]
fn a_weak_signal_is_left_out_of_windows_and_assignments() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.csv");
    let assign = ["--assign", out.to_str().unwrap()];
    assert_eq!(replay(&capture(), &assign).0, Some(0));
    assert_eq!(std::fs::read_to_string(&out).unwrap().lines().count(), 91);
    let (code, windows, _) = replay(&capture(), &[&assign[..], &["--rssi-min", "-50"]].concat());
    assert_eq!(code, Some(0));
    assert!(windows.contains("\"devices\":0"), "{windows}");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "file,frame,device\n");
}

#[test]
fn broken_captures_are_named_with_the_byte_and_what_came_before_is_counted() {
    let whole = capture();
    let (code, out, err) = replay(&whole[..whole.len() - 5], &[]);
    let last = whole.len() - 16 - probe(0, 0).len();
    assert_eq!(code, Some(1));
    assert!(err.contains(&format!("at byte {last}")) && err.contains("ends within record 90"), "{err}");
    assert!(out.contains("\"frames\":89"), "{out}");
    for (bytes, word) in [
        (&b"\x0a\x0d\x0d\x0a\x1c\0\0\0"[..], "pcapng"),
        (b"GIF89a", "no pcap file"),
        (b"", "no pcap file"),
        (&whole[..20], "within its header"),
    ] {
        let (code, out, err) = replay(bytes, &[]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        assert!(err.contains(word) && err.contains("at byte 0"), "{err}");
    }
    let mut ethernet = whole.clone();
    ethernet[20] = 1;
    assert!(replay(&ethernet, &[]).2.contains("link type 1 is not 802.11"));
    let mut endless = whole;
    endless[32..36].fill(0xff);
    let (code, _, err) = replay(&endless, &[]);
    assert!(code == Some(1) && err.contains("at byte 24") && err.contains("damaged"), "{err}");
}

#[test]
fn a_calibration_needs_counts_that_fall_into_the_capture() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("door.pcap"), capture()).unwrap();
    std::fs::write(at("counts.csv"), "start,people\n2023-11-15T00:00:30Z,3\n2001-01-01T00:00:00Z,9\n").unwrap();
    let done = smartstore(&["calibrate", "--truth", &at("counts.csv"), &at("door.pcap"), "-o", &at("cal.toml")]);
    let err = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.code() == Some(1) && err.contains("1 of 2 counts lie outside"), "{err}");
    assert!(err.contains("1 counts are too few"), "{err}");
    let minute = |second: u32| format!("2023-11-15T00:00:{:02}Z,{}\n", 30 + second * 5, second);
    std::fs::write(at("counts.csv"), (0..6).map(minute).collect::<String>()).unwrap();
    let done = smartstore(&[
        "calibrate",
        "--truth",
        &at("counts.csv"),
        "--window",
        "5s",
        &at("door.pcap"),
        "-o",
        &at("cal.toml"),
    ]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (code, out, _) = replay(&capture(), &["--calibration", &at("cal.toml")]);
    assert!(code == Some(0) && out.contains("\"calibrated\":true"), "{out}");
    std::fs::write(at("cal.toml"), "version = 7\n").unwrap();
    let (code, _, err) = replay(&capture(), &["--calibration", &at("cal.toml")]);
    assert!(code == Some(1) && err.contains("is no calibration"), "{err}");
}

/// A quarter of an hour's window as the journal has it, with `devices` that came in.
fn event(quarter: i64, device: &str, devices: i64, complete: bool) -> String {
    let at = |quarter: i64| jiff::Timestamp::from_second(1_795_309_200 + 900 * quarter).unwrap().to_string();
    let data = serde_json::json!({
        "start": at(quarter), "end": at(quarter + 1), "devices": devices + 2, "devices_low": 1,
        "devices_high": devices + 5, "passed": 2, "visited": devices, "stayed": 0, "people": 1.0, "complete": complete,
    });
    serde_json::json!({"row": quarter, "type": "footfall.window.v1", "subject": device, "data": data}).to_string()
}

fn calibrate(events: &str, truth: &str, more: &[&str]) -> (Option<i32>, String, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(file("events.jsonl"), events).unwrap();
    std::fs::write(file("counts.csv"), truth).unwrap();
    let (events, counts, out) = (file("events.jsonl"), file("counts.csv"), file("cal.toml"));
    let mut arguments = vec!["calibrate", "--truth", &counts, "--windows", &events, "-o", &out];
    arguments.extend(more);
    let done = smartstore(&arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let learned = std::fs::read_to_string(&out).unwrap_or_default();
    (done.status.code(), text(done.stdout), text(done.stderr), learned)
}

#[test]
fn a_running_sensors_windows_are_calibrated_by_counts() {
    let mut events =
        String::from("{\"row\":1,\"type\":\"scan.code.v1\",\"subject\":\"door\",\"data\":{\"value\":1}}\n");
    let mut truth = String::from("start,people\n");
    for quarter in 0..40 {
        // Two devices a person, from one person to eight.
        let people = 1 + quarter % 8;
        events +=
            &format!("{}\n{}\n", event(quarter, "door", 2 * people, quarter != 7), event(quarter, "till", 9, true));
        let start = jiff::Timestamp::from_second(1_795_309_200 + 900 * quarter).unwrap();
        truth += &format!("{start},{people}\n");
    }
    let (code, _, err, _) = calibrate(&events, &truth, &[]);
    assert_eq!(code, Some(1));
    assert!(err.contains("windows of door and of till") && err.contains("--device"), "{err}");
    let (code, out, err, learned) = calibrate(&events, &truth, &["--device", "door"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("39 counts of 900 s"), "{out}");
    assert!(err.contains("1 of 40 counts lie outside the complete windows of that length"), "{err}");
    assert!(learned.contains("basis = \"windows\""), "{learned}");
    let error: f64 = out.rsplit(" is ").next().unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(error < 0.6, "a count that follows the devices is learned: {out}");
    let (code, .., err, _) = calibrate(&format!("{events}noise\n"), &truth, &["--device", "door"]);
    assert!(code == Some(1) && err.contains("events.jsonl:82"), "{err}");
}

#[test]
fn who_opts_out_stands_in_the_list_as_a_hash_and_the_key_is_its_owners() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("opt-out.txt").to_str().unwrap().to_owned();
    let key = format!("{list}.key");
    let run = |what: &str, address: &str| {
        let done = smartstore(&["opt-out", &list, what, address]);
        (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    };
    let (code, said) = run("add", "28:6c:07:71:eb:5f");
    assert!(code == Some(0) && said.contains("listed; 1 devices"), "{said}");
    let (text, secret) = (std::fs::read_to_string(&list).unwrap(), std::fs::read_to_string(&key).unwrap());
    assert_eq!((text.len(), secret.len()), (17, 33));
    assert!(!text.contains("286c07") && !said.contains("28:6c"), "{said}");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(run("add", "28:6C:07:71:EB:5F").1.contains("listed already; 1 "));
    assert!(run("add", "28:6c:07:71:eb:60").1.contains("listed; 2 "));
    assert!(run("remove", "28:6c:07:71:eb:5f").1.contains("not listed any more; 1 "));
    assert_eq!(std::fs::read_to_string(&key).unwrap(), secret, "the key stays");
    let (code, said) = run("add", "da:a1:19:00:00:01");
    assert!(code == Some(1) && said.contains("turn WiFi off"), "{said}");
    assert_eq!(run("add", "nonsense").0, Some(1));
    std::fs::remove_file(&key).unwrap();
    let (code, said) = run("add", "28:6c:07:71:eb:61");
    assert!(code == Some(1) && said.contains("opt-out.txt.key is gone"), "{said}");
}
