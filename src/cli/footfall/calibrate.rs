//! `smartstore footfall calibrate`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use super::captures::Captures;
use super::windows;
use crate::sense::footfall::{Basis, Calibration, Count, Counter, Ear, Features, Settings};
use crate::types::Timestamp;

/// Arguments of `footfall calibrate`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Counts of people: CSV `start,people` with RFC 3339 starts, people on the average of each window.
    #[arg(long, value_name = "COUNTS.csv")]
    truth: PathBuf,
    /// Captures (pcap, 802.11 with or without radiotap), merged in the order of time.
    #[arg(required_unless_present = "windows", conflicts_with = "windows", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// In the place of captures, what a running gateway has counted: lines of `smartstore events --json` or of
    /// `smartstore journal export`.
    #[arg(long, value_name = "EVENTS.jsonl")]
    windows: Option<PathBuf>,
    /// Whose windows, if there are those of several sensors.
    #[arg(long, value_name = "DEVICE", requires = "windows")]
    device: Option<String>,
    /// Length of the windows that were counted. Without it: the usual distance of two starts.
    #[arg(long, value_name = "TIME", value_parser = super::window)]
    window: Option<Duration>,
    /// Where to write what was learned.
    #[arg(short, long = "out", value_name = "CAL.toml")]
    out: PathBuf,
}

/// One line of the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Truth {
    start_us: i64,
    people: f64,
}

/// A truth's window, and what was heard in it.
struct Watched {
    truth: Truth,
    end_us: i64,
    features: Option<Features>,
    /// Something was listening during it.
    is_covered: bool,
}

const DAY_US: i64 = 86_400_000_000;
/// Without anything to tell it by.
const USUAL_WINDOW: Duration = Duration::from_secs(600);

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let text =
        std::fs::read_to_string(&args.truth).with_context(|| format!("{}: cannot be read", args.truth.display()))?;
    let truths = parse(&text, &args.truth)?;
    let window = args.window.unwrap_or_else(|| usual_distance(&truths));
    let length_us = i64::try_from(window.as_micros())?;
    let watch = |truth: &Truth| Watched {
        truth: *truth,
        end_us: truth.start_us + length_us,
        features: None,
        is_covered: false,
    };
    let mut watched: Vec<Watched> = truths.iter().map(watch).collect();
    let (basis, source) = match &args.windows {
        Some(file) => {
            look_up(&windows::read(file, args.device.as_deref(), length_us)?, &mut watched);
            (Basis::Windows, "complete windows of that length")
        }
        None => {
            listen(args, window, &mut watched)?;
            (Basis::Frames, "captures")
        }
    };
    let counts: Vec<Count> = watched.iter().filter(|watched| watched.is_covered).filter_map(count).collect();
    if counts.len() < watched.len() {
        eprintln!(
            "{} of {} counts lie outside the {source} and are left out",
            watched.len() - counts.len(),
            watched.len()
        );
    }
    let window_s = u32::try_from(window.as_secs())?;
    let calibration = Calibration::learn(basis, window_s, &counts)?;
    let written = toml::to_string(&calibration).context("the calibration cannot be written as TOML")?;
    std::fs::write(&args.out, written).with_context(|| format!("{}: cannot be written", args.out.display()))?;
    say!(
        "learned from {} counts of {} s; on counts that were left out the mean error is {:.2} people",
        calibration.points(),
        window.as_secs(),
        calibration.error_people()
    );
    Ok(())
}

/// Finds each count's window.
fn look_up(heard: &windows::Heard, watched: &mut [Watched]) {
    for one in watched {
        one.features = heard.get(&one.truth.start_us).copied();
        one.is_covered = one.features.is_some();
    }
}

fn count(watched: &Watched) -> Option<Count> {
    let features = watched.features?;
    Some(Count { features, people: watched.truth.people, day: watched.truth.start_us.div_euclid(DAY_US) })
}

/// Every line, with its number when it is wrong.
fn parse(text: &str, path: &Path) -> anyhow::Result<Vec<Truth>> {
    let mut truths = Vec::new();
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || (at == 0 && line.replace(' ', "").eq_ignore_ascii_case("start,people")) {
            continue;
        }
        let truth = parse_line(line)
            .with_context(|| format!("{}:{}: {line:?} is no `start,people`", path.display(), at + 1))?;
        truths.push(truth);
    }
    truths.sort_by_key(|truth| truth.start_us);
    anyhow::ensure!(!truths.is_empty(), "{} holds no counts", path.display());
    Ok(truths)
}

fn parse_line(line: &str) -> anyhow::Result<Truth> {
    let (start, people) = line.split_once(',').context("there is no comma")?;
    let start: Timestamp = start.trim().trim_matches('"').parse()?;
    let people: f64 = people.trim().trim_matches('"').parse().context("people is no number")?;
    anyhow::ensure!((0.0..=100_000.0).contains(&people), "people must be 0 to 100000");
    Ok(Truth { start_us: start.unix_ms() * 1000, people })
}

/// The median distance of neighbours, at most a day.
fn usual_distance(truths: &[Truth]) -> Duration {
    let apart = |pair: &[Truth]| pair[1].start_us - pair[0].start_us;
    let mut distances: Vec<i64> = truths.windows(2).map(apart).filter(|distance| *distance > 0).collect();
    distances.sort_unstable();
    let usual_us = distances.get(distances.len() / 2).copied().unwrap_or(0);
    let seconds = u64::try_from(usual_us / 1_000_000).unwrap_or(0);
    if (1..=86_400).contains(&seconds) { Duration::from_secs(seconds) } else { USUAL_WINDOW }
}

/// Runs the captures and notes down what was heard when each window ended.
fn listen(args: &Args, window: Duration, watched: &mut [Watched]) -> anyhow::Result<()> {
    let mut captures = Captures::open(&args.files)?;
    let settings = Settings { windows: vec![window], ..Settings::default() };
    let mut counter = Counter::new(settings, super::key()?, None);
    counter.learn_over(window);
    let mut ended = 0;
    while let Some(next) = captures.next() {
        // Windows of the truth that ended before this frame.
        while let Some(over) = watched.get_mut(ended).filter(|over| over.end_us <= next.at_us) {
            counter.advance(over.end_us);
            over.features = counter.features(over.end_us);
            over.is_covered |= next.is_within;
            ended += 1;
        }
        let heard_in = watched[ended..].iter_mut().take_while(|open| open.truth.start_us <= next.at_us);
        heard_in.for_each(|open| open.is_covered = true);
        // What a frame says is counted; that one is damaged is the replay's to tell.
        let _ = counter.frame(next.at_us, Ear::FIRST, next.link, next.bytes);
        while counter.pop_window().is_some() {}
    }
    for over in &mut watched[ended..] {
        over.features = counter.features(over.end_us);
    }
    captures.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_and_wrong_lines_named() {
        let path = Path::new("counts.csv");
        let truths = parse("start,people\n2026-11-22T02:00:00Z,4\n2026-11-22T03:10:00+01:00, 5.5\n\n", path).unwrap();
        let people: Vec<f64> = truths.iter().map(|truth| truth.people).collect();
        assert_eq!(people, [4.0, 5.5]);
        assert_eq!(usual_distance(&truths), Duration::from_secs(600));
        let wrong = parse("start,people\n2026-11-22T02:00:00Z,4\nyesterday,4\n", path).unwrap_err();
        assert!(format!("{wrong:#}").starts_with("counts.csv:3: \"yesterday,4\""), "{wrong:#}");
        assert!(parse("2026-11-22T02:00:00Z,-1", path).is_err() && parse("start,people\n", path).is_err());
    }
}
