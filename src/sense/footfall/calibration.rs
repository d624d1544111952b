//! From what was heard to people: what a site's door count teaches.
//!
//! Many simple estimates are learned: ridge regressions of several sets of features, with penalties of several sizes,
//! down to the plain mean. Each is tried on points that it was not learned from, whole days left out if there are
//! days enough, and weighs the less the worse it did (stacking after Wolpert 1992, with fixed weights so that few
//! points suffice). All are linear, so that their weighted mean is one linear function, clamped to what the site has
//! seen. The interval comes from the same left-out residuals, in units of the square root of the estimate (jackknife+
//! in the manner of Barber et al. 2021).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::levels::{FEATURES, Features, GATES_DBM, SPANS};
use super::limits::{CALIBRATION_POINTS, LONGEST_WINDOW, SHORTEST_WINDOW};
use super::regress::{Line, Point, Sums};

/// What a calibration was learned from, and estimates by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Frames: element orders and addresses at several levels.
    #[default]
    Frames,
    /// A running sensor's windows: who passed, came in and stayed.
    Windows,
}

/// A site's calibration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Calibration {
    basis: Basis,
    window_s: u32,
    points: u32,
    error_people: f64,
    spread: f64,
    most_people: f64,
    line: Line,
}

/// As it stands in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Form of this file.
    version: u32,
    /// What was learned from.
    #[serde(default)]
    basis: Basis,
    /// Over which time was counted.
    window_s: u32,
    /// Counts that were learned from.
    points: u32,
    /// Mean absolute error on counts that were left out, in people.
    error_people: f64,
    /// Half the interval that holds nine of ten, in square roots of people.
    spread: f64,
    /// No estimate is higher.
    most_people: f64,
    offset: f64,
    /// For each square root of a number: element orders, then addresses; of windows the counts, then nothing.
    weights: Vec<f64>,
}

/// What a file cannot say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CalibrationError {
    /// Another form.
    #[error("version {0} of the calibration is not known, {VERSION} is: calibrate again")]
    Version(u32),
    /// A number that is no number, or an impossible one.
    #[error("`{0}` of the calibration is impossible: calibrate again")]
    Number(&'static str),
    /// Too few counts.
    #[error("{0} counts are too few to learn from: at least {LEAST_POINTS} are needed")]
    TooFew(usize),
    /// A count is negative, no number, or more than can be.
    #[error("the counts are no counts of people: they must be numbers from 0 to 100000")]
    Counts,
}

/// How many people were there.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Estimate {
    pub(super) people: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

const VERSION: u32 = 1;
const LEAST_POINTS: usize = 4;
/// From this many days on whole days are left out.
const LEAST_DAYS: usize = 4;
/// Up to this many counts are left out one by one, more in as many blocks.
const BLOCKS: usize = 40;
/// No estimate is more than this much higher than what was ever counted.
const BEYOND: f64 = 1.5;
/// What an estimate weighs falls with a power of its error: this times the square root of the number of counts, since
/// with few counts nobody can tell which estimate is the best.
const SHARPNESS: f64 = 2.0;
const PENALTIES: [f64; 6] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0];
/// The interval holds the truth this often.
const HELD: f64 = 0.9;
/// Without a calibration a count may be off by this factor.
const UNKNOWN: f64 = 4.0;
const MOST_PEOPLE: f64 = 100_000.0;

/// One count: what was heard, how many people there were, and on which day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Count {
    /// What was heard in the windows that end when the count's window does.
    pub features: Features,
    /// People who were there, on the average.
    pub people: f64,
    /// Any number for the day.
    pub day: i64,
}

/// One way to estimate, tried on what was left out.
struct Tried {
    line: Line,
    error: f64,
    left_out: Vec<f64>,
}

impl Calibration {
    /// What it was learned from.
    pub fn basis(&self) -> Basis {
        self.basis
    }

    /// Over which time the counts were made.
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.window_s.into())
    }

    /// How many counts were learned from.
    pub fn points(&self) -> u32 {
        self.points
    }

    /// Mean absolute error on counts that were left out in turn, in people.
    pub fn error_people(&self) -> f64 {
        self.error_people
    }

    /// Learns from counts that were made over times of `window_s` seconds, all of one basis.
    ///
    /// # Errors
    ///
    /// There are too few counts, or they are no numbers of people.
    pub fn learn(basis: Basis, window_s: u32, counts: &[Count]) -> Result<Self, CalibrationError> {
        let counts = &counts[..counts.len().min(CALIBRATION_POINTS)];
        if counts.len() < LEAST_POINTS {
            return Err(CalibrationError::TooFew(counts.len()));
        }
        if counts.iter().any(|count| !(0.0..=MOST_PEOPLE).contains(&count.people)) {
            return Err(CalibrationError::Counts);
        }
        let points = grouped(counts);
        let most_people = BEYOND * counts.iter().map(|count| count.people).fold(0.0, f64::max);
        let tried = try_all(&points, most_people);
        let least = tried.iter().map(|tried| tried.error).fold(f64::INFINITY, f64::min).max(1e-9);
        let sharpness = SHARPNESS * (points.len() as f64).sqrt();
        let shares: Vec<f64> = tried.iter().map(|tried| (least / tried.error.max(1e-9)).powf(sharpness)).collect();
        let whole: f64 = shares.iter().sum();
        let mut line = Line { offset: 0.0, weights: [0.0; FEATURES] };
        let mut left_out = vec![0.0; points.len()];
        for (tried, share) in tried.iter().zip(&shares) {
            line.add(share / whole, &tried.line);
            left_out.iter_mut().zip(&tried.left_out).for_each(|(sum, one)| *sum += share / whole * one);
        }
        let error = left_out.iter().zip(&points).map(|(people, point)| (people - point.y).abs()).sum::<f64>();
        Ok(Self {
            basis,
            window_s,
            points: u32::try_from(points.len()).unwrap_or(u32::MAX),
            error_people: error / points.len() as f64,
            spread: spread(&left_out, &points),
            most_people,
            line,
        })
    }

    /// The estimate for what was heard.
    pub(super) fn estimate(&self, features: &Features) -> Estimate {
        let people = self.line.at(features).clamp(0.0, self.most_people);
        let half = self.spread * (people + 1.0).sqrt();
        Estimate { people, low: (people - half).max(0.0), high: people + half }
    }
}

/// The devices themselves, for want of a calibration.
pub(super) fn uncalibrated(devices: u32) -> Estimate {
    let people = f64::from(devices);
    Estimate { people, low: people / UNKNOWN, high: people * UNKNOWN }
}

/// Points with their groups: days, or blocks of neighbours, or each its own.
fn grouped(counts: &[Count]) -> Vec<Point> {
    let mut days: Vec<i64> = counts.iter().map(|count| count.day).collect();
    days.sort_unstable();
    days.dedup();
    let block = counts.len().div_ceil(BLOCKS);
    let group = |at: usize, day: i64| match days.binary_search(&day) {
        Ok(day) if days.len() >= LEAST_DAYS => day,
        _ => at / block,
    };
    let point =
        |(at, count): (usize, &Count)| Point { x: count.features.0, y: count.people, group: group(at, count.day) };
    counts.iter().enumerate().map(point).collect()
}

/// Sets of features, from one to all.
fn feature_sets() -> Vec<Vec<usize>> {
    let (gates, spans) = (GATES_DBM.len(), SPANS.len());
    let now = |kind: usize| (0..gates).map(move |gate| kind * gates * spans + gate);
    let mut sets: Vec<Vec<usize>> = now(0).chain(now(1)).map(|one| vec![one]).collect();
    sets.extend([now(0).collect(), now(1).collect(), now(0).chain(now(1)).collect(), (0..FEATURES).collect()]);
    sets
}

fn try_all(points: &[Point], most: f64) -> Vec<Tried> {
    let mut all = Sums::new();
    points.iter().for_each(|point| all.add(point, 1.0));
    let deviations = all.deviations();
    let groups = points.iter().map(|point| point.group).max().map_or(0, |last| last + 1);
    let without: Vec<Sums> = (0..groups)
        .map(|group| {
            let mut sums = all.clone();
            points.iter().filter(|point| point.group == group).for_each(|point| sums.add(point, -1.0));
            sums
        })
        .collect();
    let mut tried = vec![try_one(points, &all, &without, |sums| sums.fit(&[], &deviations, 0.0), most)];
    for set in feature_sets() {
        for penalty in PENALTIES {
            tried.push(try_one(points, &all, &without, |sums| sums.fit(&set, &deviations, penalty), most));
        }
    }
    tried
}

fn try_one(points: &[Point], all: &Sums, without: &[Sums], fit: impl Fn(&Sums) -> Line, most: f64) -> Tried {
    let lines: Vec<Line> = without.iter().map(&fit).collect();
    let guess = |point: &Point| lines[point.group].at(&Features(point.x)).clamp(0.0, most);
    let left_out: Vec<f64> = points.iter().map(guess).collect();
    let error = left_out.iter().zip(points).map(|(people, point)| (people - point.y).abs()).sum::<f64>();
    Tried { line: fit(all), error: error / points.len() as f64, left_out }
}

/// Half the width, in square roots of the estimate, that holds nine of ten of the left-out counts.
fn spread(left_out: &[f64], points: &[Point]) -> f64 {
    let off = |(people, point): (&f64, &Point)| (people - point.y).abs() / (people + 1.0).sqrt();
    let mut off: Vec<f64> = left_out.iter().zip(points).map(off).collect();
    off.sort_by(f64::total_cmp);
    let rank = (HELD * (off.len() + 1) as f64).ceil();
    let at = (1..off.len()).find(|at| *at as f64 >= rank).unwrap_or(off.len());
    off[at - 1]
}

impl From<Calibration> for Written {
    fn from(calibration: Calibration) -> Self {
        Self {
            version: VERSION,
            basis: calibration.basis,
            window_s: calibration.window_s,
            points: calibration.points,
            error_people: calibration.error_people,
            spread: calibration.spread,
            most_people: calibration.most_people,
            offset: calibration.line.offset,
            weights: calibration.line.weights.to_vec(),
        }
    }
}

impl TryFrom<Written> for Calibration {
    type Error = CalibrationError;

    fn try_from(written: Written) -> Result<Self, CalibrationError> {
        if written.version != VERSION {
            return Err(CalibrationError::Version(written.version));
        }
        if !(SHORTEST_WINDOW..=LONGEST_WINDOW).contains(&Duration::from_secs(written.window_s.into())) {
            return Err(CalibrationError::Number("window_s"));
        }
        let positive =
            [("error_people", written.error_people), ("spread", written.spread), ("most_people", written.most_people)];
        if let Some((name, _)) = positive.into_iter().find(|(_, number)| !(0.0..=1e9).contains(number)) {
            return Err(CalibrationError::Number(name));
        }
        let Ok(weights) = <[f64; FEATURES]>::try_from(written.weights) else {
            return Err(CalibrationError::Number("weights"));
        };
        if !weights.iter().chain([&written.offset]).all(|number| number.abs() <= 1e9) {
            return Err(CalibrationError::Number("weights"));
        }
        Ok(Self {
            basis: written.basis,
            window_s: written.window_s,
            points: written.points,
            error_people: written.error_people,
            spread: written.spread,
            most_people: written.most_people,
            line: Line { offset: written.offset, weights },
        })
    }
}
