//! A million probe requests of ten thousand devices through the counter: decode, fingerprint, association, windows.
//! The peer in the same run only decodes and walks the elements.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::clock::{Clock, Trust};
use crate::journal::bench::load;
use crate::sense::footfall::{Counter, Ear, Settings};
use crate::wire::dot11::{Link, decode};

/// Arguments of `bench footfall`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Frames in all.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=100_000_000))]
    frames: u32,
    /// Devices that are there at a time.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    devices: u32,
    /// Answer as one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Answer {
    frames: u32,
    devices: u32,
    /// Decode, fingerprint, association and windows, one core.
    frames_per_s: f64,
    /// Decoding and walking the elements only.
    walk_frames_per_s: f64,
    /// The longest that closing windows held up the frames.
    longest_close_ms: f64,
    windows: u32,
    /// What the counter's memory added to the process, in KiB.
    memory_kib: u64,
    load: String,
}

/// Frames that a device sends at a time.
const BURST: u32 = 10;
/// How often a device sends.
const EVERY_US: i64 = 60_000_000;
const START_US: i64 = 1_700_000_000_000_000;

/// Frames of a crowd, one after the other, without a list of them.
struct Crowd {
    devices: u32,
    frame: Vec<u8>,
}

/// Where in the frame things stand.
const SIGNAL: usize = 8;
const ADDRESS: usize = 9 + 10;
const SEQUENCE: usize = 9 + 22;
const MODEL: usize = 9 + 24 + 26;

impl Crowd {
    /// A probe request as a phone sends it: 8 elements.
    fn new(devices: u32) -> Self {
        let mut frame = vec![0, 0, 9, 0, 0x20, 0, 0, 0, 0];
        frame.extend([0x40, 0, 0, 0]);
        frame.extend([0xff; 6]);
        frame.extend([0; 6]);
        frame.extend([0xff; 6]);
        frame.extend([0, 0]);
        frame.extend([0, 0, 1, 4, 2, 4, 0x0b, 0x16, 50, 8, 0x0c, 0x12, 0x18, 0x24, 0x30, 0x48, 0x60, 0x6c, 3, 1, 6]);
        frame.extend([45, 26, 0x2d, 0x40, 0, 0xff]);
        frame.extend([0; 22]);
        frame.extend([127, 8, 4, 0, 0x08, 0x84, 0, 0, 0, 0x40, 107, 1, 0x0f]);
        frame.extend([221, 7, 0x00, 0x50, 0xf2, 0x08, 0, 0x12, 0]);
        Self { devices, frame }
    }

    /// The frame of a number, and when it comes. Every third scan has a new address; the counter goes on.
    fn frame(&mut self, number: u32) -> (i64, &[u8]) {
        let burst = number / BURST;
        let (device, scan) = (burst % self.devices, burst / self.devices);
        let at_us = START_US
            + i64::from(scan) * EVERY_US
            + i64::from(device) * EVERY_US / i64::from(self.devices)
            + i64::from(number % BURST) * 20_000;
        let mixed = (u64::from(device) << 20 | u64::from(scan / 3)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.frame[ADDRESS..ADDRESS + 6].copy_from_slice(&mixed.to_be_bytes()[..6]);
        self.frame[ADDRESS] = (self.frame[ADDRESS] | 2) & !1;
        let sequence = device.wrapping_mul(977).wrapping_add(scan * BURST * 3 + number % BURST);
        self.frame[SEQUENCE..SEQUENCE + 2].copy_from_slice(&(sequence << 4).to_le_bytes()[..2]);
        self.frame[SIGNAL] = 0x100_u32.wrapping_sub(40 + device % 45).to_le_bytes()[0];
        self.frame[MODEL] = (device % 200).to_le_bytes()[0];
        (at_us, &self.frame)
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let clock = Clock::system(Trust::Trusted);
    let walk = walk(args, &clock)?;
    let answer = count(args, &clock, walk)?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    say!("load {}", answer.load);
    say!(
        "{} frames of {} devices: {:.0} frames/s decoded, fingerprinted and counted; only decoded and walked {:.0}",
        answer.frames,
        answer.devices,
        answer.frames_per_s,
        answer.walk_frames_per_s
    );
    say!(
        "{} windows closed, the longest took {:.1} ms; the counter's memory: {} KiB",
        answer.windows,
        answer.longest_close_ms,
        answer.memory_kib
    );
    Ok(())
}

fn rate(frames: u32, took: Duration) -> f64 {
    f64::from(frames) / took.as_secs_f64().max(1e-9)
}

fn walk(args: &Args, clock: &Clock) -> anyhow::Result<f64> {
    let mut crowd = Crowd::new(args.devices);
    let from: Instant = clock.now();
    let mut elements = 0_usize;
    for number in 0..args.frames {
        let (_, bytes) = crowd.frame(number);
        elements += decode(Link::Radiotap, bytes)?.elements.count();
    }
    let took = clock.now() - from;
    anyhow::ensure!(std::hint::black_box(elements) == args.frames as usize * 8, "the benchmark's frames are wrong");
    Ok(rate(args.frames, took))
}

fn count(args: &Args, clock: &Clock, walk_frames_per_s: f64) -> anyhow::Result<Answer> {
    let mut crowd = Crowd::new(args.devices);
    let before_kib = resident_kib()?;
    let mut counter = Counter::new(Settings::default(), super::super::footfall::key()?, None);
    let (mut windows, mut longest) = (0, Duration::ZERO);
    let minute_us = 60_000_000;
    let mut next_us = START_US - START_US % minute_us + minute_us;
    let from: Instant = clock.now();
    for number in 0..args.frames {
        let (at_us, bytes) = crowd.frame(number);
        if at_us >= next_us {
            let closing = clock.now();
            counter.advance(at_us);
            while counter.pop_window().is_some() {
                windows += 1;
            }
            longest = longest.max(clock.now() - closing);
            next_us += minute_us;
        }
        counter.frame(at_us, Ear::FIRST, Link::Radiotap, bytes)?;
    }
    let took = clock.now() - from;
    Ok(Answer {
        frames: args.frames,
        devices: args.devices,
        frames_per_s: rate(args.frames, took),
        walk_frames_per_s,
        longest_close_ms: longest.as_secs_f64() * 1e3,
        windows,
        memory_kib: resident_kib()?.saturating_sub(before_kib),
        load: load(),
    })
}

/// What the process holds of memory.
fn resident_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse().ok());
    number.ok_or_else(|| anyhow::anyhow!("/proc/self/status names no VmRSS"))
}
