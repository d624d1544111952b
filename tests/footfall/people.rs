//! People in a real lab: calibrated on some days, judged on others, against the simplest thing that could work.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use smartstore::wire::dot11::{Link, decode};
use smartstore::wire::pcap::{Capture, write_header, write_record};

use super::{captures, smartstore};

/// The lab's own computers, which the data set names.
const OWN: [([u8; 3], &[[u8; 3]]); 2] = [
    (
        [0xdc, 0xfb, 0x48],
        &[
            [0x68, 0xbe, 0xe4],
            [0x8c, 0x71, 0xfc],
            [0x2a, 0x52, 0xe0],
            [0xf5, 0xc6, 0xc2],
            [0xe3, 0xab, 0x78],
            [0x00, 0x51, 0x90],
            [0x75, 0xd8, 0x42],
            [0xde, 0x86, 0x8d],
            [0xdd, 0xc6, 0x0b],
            [0x55, 0xd5, 0x78],
            [0xc2, 0x1d, 0x64],
        ],
    ),
    ([0x40, 0xec, 0x99], &[[0xf9, 0x34, 0xa6], [0x8e, 0x3f, 0x63], [0x1f, 0x3e, 0x75]]),
];
const WINDOW_US: i64 = 600_000_000;

/// A day's capture without the lab's own computers, its counts, and what the baseline hears in each.
struct Day {
    path: PathBuf,
    counts: Vec<(String, f64)>,
    orders: Vec<f64>,
}

fn is_own(address: [u8; 6]) -> bool {
    OWN.iter().any(|(maker, own)| address.starts_with(maker) && own.iter().any(|own| address.ends_with(own)))
}

fn day(folder: &Path, name: &str, into: &Path) -> Day {
    let zone = jiff::tz::TimeZone::get("Europe/Prague").unwrap();
    let text = std::fs::read_to_string(folder.join(format!("{name}.occupancy.csv"))).unwrap();
    let mut counts = Vec::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let local = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", fields[0]).unwrap();
        if (7..19).contains(&local.hour()) {
            counts.push((local.to_zoned(zone.clone()).unwrap().timestamp(), fields[1].parse::<f64>().unwrap()));
        }
    }
    let path = into.join(format!("{name}.pcap"));
    let mut orders: BTreeMap<i64, BTreeSet<Vec<u8>>> = BTreeMap::new();
    let mut kept = Vec::new();
    write_header(Link::Radiotap, &mut kept);
    let file = File::open(folder.join(format!("{name}.pcap"))).unwrap();
    let mut capture = Capture::open(BufReader::new(file)).unwrap();
    while let Some(record) = capture.next_record().unwrap() {
        let Ok(probe) = decode(Link::Radiotap, record.frame) else { continue };
        if is_own(probe.source.octets()) {
            continue;
        }
        write_record(record.at_us, record.frame, &mut kept);
        if probe.radio.rssi_dbm.is_some_and(|dbm| dbm >= -75) {
            let maker = |body: &[u8]| body.iter().take(3).copied().collect::<Vec<u8>>();
            let order = probe.elements.flat_map(|element| {
                let vendor = if element.id == 221 { maker(element.body) } else { Vec::new() };
                std::iter::once(element.id).chain(vendor)
            });
            orders.entry(record.at_us.div_euclid(WINDOW_US)).or_default().insert(order.collect());
        }
    }
    std::fs::write(&path, kept).unwrap();
    let heard = |at: &jiff::Timestamp| orders.get(&at.as_microsecond().div_euclid(WINDOW_US)).map_or(0, BTreeSet::len);
    Day {
        path,
        orders: counts.iter().map(|(at, _)| f64::from(u32::try_from(heard(at)).unwrap())).collect(),
        counts: counts.into_iter().map(|(at, people)| (at.to_string(), people)).collect(),
    }
}

/// Absolute errors of ours, and of the baseline's linear fit, on days that neither has seen.
fn errors(days: &[Day], is_test: impl Fn(usize) -> bool, folder: &Path) -> (Vec<f64>, Vec<f64>) {
    let (test, train): (Vec<usize>, Vec<usize>) = (0..days.len()).partition(|day| is_test(*day));
    let truth = folder.join("truth.csv");
    let lines = train.iter().flat_map(|day| &days[*day].counts).map(|(at, people)| format!("{at},{people}\n"));
    std::fs::write(&truth, "start,people\n".to_owned() + &lines.collect::<String>()).unwrap();
    let calibration = folder.join("cal.toml");
    let (truth, calibration) = (truth.to_str().unwrap(), calibration.to_str().unwrap());
    let mut arguments = vec!["calibrate", "--truth", truth, "-o", calibration];
    arguments.extend(train.iter().map(|day| days[*day].path.to_str().unwrap()));
    let done = smartstore(&arguments);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let points = train.iter().flat_map(|day| days[*day].orders.iter().zip(days[*day].counts.iter().map(|c| c.1)));
    let points: Vec<(f64, f64)> = points.map(|(x, y)| (*x, y)).collect();
    let (slope, offset) = line(&points);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for day in test.iter().map(|day| &days[*day]) {
        let path = day.path.to_str().unwrap();
        let done = smartstore(&["replay", path, "--calibration", calibration, "--window", "600s", "--json"]);
        let mut people = BTreeMap::new();
        for window in String::from_utf8(done.stdout).unwrap().lines() {
            let window: serde_json::Value = serde_json::from_str(window).unwrap();
            assert_eq!(window["calibrated"], true);
            let start: jiff::Timestamp = window["start"].as_str().unwrap().parse().unwrap();
            people.insert(start.to_string(), window["people"].as_f64().unwrap());
        }
        for ((at, truth), x) in day.counts.iter().zip(&day.orders) {
            ours.push((people[at] - truth).abs());
            theirs.push((offset + slope * x - truth).abs());
        }
    }
    (ours, theirs)
}

fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let n = f64::from(u32::try_from(points.len()).unwrap());
    let (mean_x, mean_y) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let xy: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let slope = xy / points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>();
    (slope, mean_y - slope * mean_x)
}

fn mean(errors: &[f64]) -> f64 {
    errors.iter().sum::<f64>() / f64::from(u32::try_from(errors.len()).unwrap())
}

#[test]
fn people_in_a_lab_are_estimated_better_than_by_a_line_on_days_not_seen() {
    let Some(folder) = captures("lab") else { return };
    let scratch = tempfile::tempdir().unwrap();
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".pcap").map(str::to_owned))
        .collect();
    names.sort();
    let days: Vec<Day> = names.iter().map(|name| day(&folder, name, scratch.path())).collect();
    let halves: [fn(usize) -> bool; 3] = [|day| day % 2 == 0, |day| day % 2 == 1, |day| day % 3 == 0];
    for (number, is_test) in halves.into_iter().enumerate() {
        let (ours, theirs) = errors(&days, is_test, scratch.path());
        let (ours, theirs) = (mean(&ours), mean(&theirs));
        println!("split {number}: mean error {ours:.2} people, a line over element orders {theirs:.2}");
        assert!(ours <= 0.9 * theirs, "split {number}: {ours} against {theirs}");
    }
}
