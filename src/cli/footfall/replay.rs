//! `smartstore footfall replay`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;

use super::captures::Captures;
use crate::sense::footfall::{Calibration, Counter, Ear, Heard, Settings, Window};
use crate::types::Timestamp;

/// Arguments of `footfall replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Captures (pcap, 802.11 with or without radiotap), merged in the order of time.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write here which frame was counted to which device.
    #[arg(long, value_name = "OUT.csv")]
    assign: Option<PathBuf>,
    /// What is heard more weakly does not count.
    #[arg(long, value_name = "DBM", default_value_t = -128, allow_negative_numbers = true)]
    rssi_min: i8,
    /// Who is once heard this strongly has come in.
    #[arg(long, value_name = "DBM", default_value_t = -75, allow_negative_numbers = true)]
    visit_rssi_min: i8,
    /// Length of the windows, aligned to the epoch.
    #[arg(long, value_name = "TIME", default_value = "600s", value_parser = super::window)]
    window: Duration,
    /// What `footfall calibrate` has learned.
    #[arg(long, value_name = "CAL.toml")]
    calibration: Option<PathBuf>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Which file and record was counted to which track.
struct Row {
    file: usize,
    number: u64,
    track: u32,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let calibration = args.calibration.as_deref().map(read_calibration).transpose()?;
    let mut captures = Captures::open(&args.files)?;
    let settings = Settings {
        rssi_min_dbm: args.rssi_min,
        visit_rssi_min_dbm: args.visit_rssi_min,
        windows: vec![args.window],
        ..Settings::default()
    };
    // Made before anything is read: a place that cannot be written to is told at once.
    let assign = args.assign.as_deref().map(create).transpose()?;
    let mut counter = Counter::new(settings, super::key()?, calibration);
    counter.devices().keep_forgotten();
    let mut rows = Vec::new();
    while let Some(next) = captures.next() {
        let (file, number, is_within) = (next.file, next.number, next.is_within);
        if let Ok(Heard::Placed(placed)) = counter.frame(next.at_us, Ear::FIRST, next.link, next.bytes)
            && assign.is_some()
        {
            rows.push(Row { file, number, track: placed.track });
        }
        show_closed(args, &mut counter, is_within);
    }
    counter.finish();
    show_closed(args, &mut counter, false);
    if let Some((path, out)) = assign {
        write_rows(args, &mut counter, &rows, out).with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    captures.finish()
}

fn read_calibration(path: &Path) -> anyhow::Result<Calibration> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is no calibration", path.display()))
}

fn create(path: &Path) -> anyhow::Result<(&Path, BufWriter<File>)> {
    let file = File::create(path).with_context(|| format!("{}: cannot be written", path.display()))?;
    Ok((path, BufWriter::new(file)))
}

/// Windows in which nobody listened are no windows.
fn show_closed(args: &Args, counter: &mut Counter, is_within: bool) {
    while let Some(window) = counter.pop_window() {
        let is_silent = window.frames + window.rejected + window.weak + window.listed == 0;
        if is_silent && !is_within {
            continue;
        }
        show(args, &window);
    }
}

#[derive(Serialize)]
struct Shown {
    start: String,
    end: String,
    devices: u32,
    devices_low: u32,
    devices_high: u32,
    passed: u32,
    visited: u32,
    stayed: u32,
    people: f64,
    people_low: f64,
    people_high: f64,
    calibrated: bool,
    frames: u64,
    rejected: u64,
    weak: u64,
}

fn time(at_us: i64) -> String {
    Timestamp::from_unix_ms(at_us.div_euclid(1000)).to_string()
}

fn hundredths(people: f64) -> f64 {
    (people * 100.0).round() / 100.0
}

fn show(args: &Args, window: &Window) {
    let shown = Shown {
        start: time(window.start_us),
        end: time(window.end_us),
        devices: window.devices,
        devices_low: window.devices_low,
        devices_high: window.devices_high,
        passed: window.passed,
        visited: window.visited,
        stayed: window.stayed,
        people: hundredths(window.people),
        people_low: hundredths(window.people_low),
        people_high: hundredths(window.people_high),
        calibrated: window.calibrated,
        frames: window.frames,
        rejected: window.rejected,
        weak: window.weak,
    };
    if args.json {
        // Numbers and texts without a key that is not one: this cannot fail.
        let Ok(line) = serde_json::to_string(&shown) else { return };
        say!("{line}");
        return;
    }
    let Shown { start, people, people_low, people_high, .. } = &shown;
    let note = if window.calibrated { "" } else { ", not calibrated" };
    say!(
        "{start}  devices {} ({} to {}): passed {}, visited {}, stayed {}; people {people} ({people_low} to \
         {people_high}{note}); frames {}, rejected {}, too weak {}",
        window.devices,
        window.devices_low,
        window.devices_high,
        window.passed,
        window.visited,
        window.stayed,
        window.frames,
        window.rejected,
        window.weak
    );
}

/// A path as a field of a CSV line (RFC 4180).
fn field(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.into_owned() }
}

fn write_rows(args: &Args, counter: &mut Counter, rows: &[Row], mut out: impl Write) -> std::io::Result<()> {
    let devices = counter.devices();
    devices.settle();
    let mut of_track: HashMap<u32, u32> = devices.forgotten().into_iter().collect();
    of_track.extend(devices.assignments().map(|(track, device, _)| (track, device)));
    let files: Vec<String> = args.files.iter().map(|path| field(path)).collect();
    writeln!(out, "file,frame,device")?;
    for row in rows {
        let device = of_track.get(&row.track).copied().unwrap_or(u32::MAX);
        writeln!(out, "{},{},{device}", files[row.file], row.number)?;
    }
    out.flush()
}
