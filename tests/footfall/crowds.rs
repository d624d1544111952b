//! Labelled phones, each captured alone, shifted and overlaid in time as a crowd.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use smartstore::wire::dot11::{Address, Link, decode};
use smartstore::wire::pcap::{Capture, write_header, write_record};

use super::measure::v_measure;
use super::{captures, smartstore};

type Frames = Vec<(i64, Vec<u8>)>;

const START_US: i64 = 1_700_000_000_000_000;
const SECOND_US: i64 = 1_000_000;

/// Every frame of one phone, in the order of time.
fn phone(folder: &Path) -> Frames {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut frames = Frames::new();
    for file in files {
        let mut capture = Capture::open(BufReader::new(File::open(file).unwrap())).unwrap();
        while let Some(record) = capture.next_record().unwrap() {
            frames.push((record.at_us, record.frame.to_vec()));
        }
    }
    frames.sort_by_key(|(at_us, _)| *at_us);
    frames
}

fn phones(folder: &Path) -> Vec<Frames> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.iter().map(|folder| phone(folder)).collect()
}

/// A small repeatable dice (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 % end).unwrap()
    }
}

/// Runs each phone's frames, shifted to a start of its own, through `footfall replay`, and compares.
fn overlay(phones: &[&[(i64, Vec<u8>)]], dice: &mut Dice, spread_s: u64) -> (f64, usize) {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = vec!["replay".to_owned(), "--json".to_owned()];
    let mut addresses: BTreeMap<(String, u64), Address> = BTreeMap::new();
    let mut files = Vec::new();
    for (label, frames) in phones.iter().enumerate() {
        let shift_us = START_US - frames[0].0 + dice.below(spread_s) * SECOND_US;
        let path = folder.path().join(format!("{label}.pcap")).to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        write_header(Link::Radiotap, &mut bytes);
        for (number, (at_us, frame)) in (1..).zip(frames.iter()) {
            write_record(at_us + shift_us, frame, &mut bytes);
            if let Ok(probe) = decode(Link::Radiotap, frame) {
                addresses.insert((path.clone(), number), probe.source);
            }
        }
        std::fs::write(&path, bytes).unwrap();
        arguments.push(path.clone());
        files.push(path);
    }
    let out = folder.path().join("out.csv").to_str().unwrap().to_owned();
    arguments.extend(["--assign".to_owned(), out.clone()]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = smartstore(&arguments);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    judge(&std::fs::read_to_string(out).unwrap(), &files, &addresses)
}

/// V-measure over addresses, each counted to the device of most of its frames, and the number of devices.
fn judge(rows: &str, files: &[String], addresses: &BTreeMap<(String, u64), Address>) -> (f64, usize) {
    let mut votes: BTreeMap<(usize, [u8; 6]), BTreeMap<u32, u32>> = BTreeMap::new();
    let mut devices = BTreeSet::new();
    let mut count = 0;
    for row in rows.lines().skip(1) {
        let fields: Vec<&str> = row.split(',').collect();
        let (number, device): (u64, u32) = (fields[1].parse().unwrap(), fields[2].parse().unwrap());
        let label = files.iter().position(|file| file == fields[0]).unwrap();
        let address = addresses[&(fields[0].to_owned(), number)].octets();
        *votes.entry((label, address)).or_default().entry(device).or_default() += 1;
        devices.insert(device);
        count += 1;
    }
    assert_eq!(count, addresses.len(), "one row for every probe request");
    let most = |votes: &BTreeMap<u32, u32>| *votes.iter().max_by_key(|(_, count)| **count).unwrap().0;
    let pairs: Vec<(usize, u32)> = votes.iter().map(|((label, _), votes)| (*label, most(votes))).collect();
    (v_measure(&pairs), devices.len())
}

#[test]
fn phones_that_were_captured_alone_are_told_apart_in_a_crowd() {
    let Some(folder) = captures("labelled") else { return };
    let phones = phones(&folder);
    let all: Vec<&[(i64, Vec<u8>)]> = phones.iter().map(Vec::as_slice).collect();
    let mut seen = Vec::new();
    for seed in 1..=5 {
        let (v, devices) = overlay(&all, &mut Dice(seed * 7919), 1800);
        println!("crowd, seed {seed}: V {v:.3}, {devices} devices of {}", all.len());
        seen.push((v, devices));
    }
    // A WiFi adapter that names itself stands in one phone's captures beside it.
    assert!(seen.iter().all(|(v, devices)| *v >= 0.97 && devices.abs_diff(all.len()) <= 1), "{seen:?}");
}

/// Stretches without a pause of three minutes.
fn sessions(frames: &[(i64, Vec<u8>)]) -> Vec<&[(i64, Vec<u8>)]> {
    frames.chunk_by(|a, b| b.0 - a.0 <= 180 * SECOND_US).collect()
}

#[test]
fn twins_stay_two_when_sessions_of_one_phone_are_overlaid() {
    let Some(folder) = captures("labelled") else { return };
    // The phones that change their address within a session often enough for a measure.
    let mut seen = Vec::new();
    for name in ["B", "E", "I", "J"] {
        let frames = phone(&folder.join(name));
        let long = |session: &&[(i64, Vec<u8>)]| session.len() > 100 && session[session.len() - 1].0 > session[0].0;
        let sessions: Vec<&[(i64, Vec<u8>)]> = sessions(&frames).into_iter().filter(long).collect();
        assert!(sessions.len() >= 2, "{name}");
        for seed in 1..=3 {
            let (v, devices) = overlay(&[sessions[0], sessions[1]], &mut Dice(seed * 104_729), 300);
            println!("twins of {name}, seed {seed}: V {v:.3}, {devices} devices of 2");
            seen.push((v, devices));
        }
    }
    let mean = seen.iter().map(|(v, _)| v).sum::<f64>() / f64::from(u32::try_from(seen.len()).unwrap());
    assert!(mean >= 0.90, "mean {mean:.3}: {seen:?}");
    assert!(seen.iter().all(|(v, devices)| *v >= 0.70 && (2..=3).contains(devices)), "{seen:?}");
}
