//! `face replay`: pictures through the whole pipeline, as a camera would send them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::super::exit::Exit;
use super::super::models::ModelsArgs;
use super::super::weights::Library;
use super::compare::Eyes;
use super::{detector, failed, network, open, print};
use crate::clock::{Clock, Trust};
use crate::sense::vision::card::Role;
use crate::sense::vision::gallery::{Gallery, MatchSettings};
use crate::sense::vision::scene::{Distance, Scene};
use crate::sense::vision::track::TrackSettings;
use crate::sense::vision::watch::{Recognition, Seen, Watch};
use crate::sense::vision::yunet::InputSize;
use crate::sense::vision::{Embedder, visit::Visit};

/// What a camera's pictures are looked at in.
const INPUT: InputSize = InputSize { width: 640, height: 384 };
const TRACKS: TrackSettings = TrackSettings { lost_after_us: 2_000_000, sightings: 3 };
/// By how much a member must be more alike than the next one.
const MARGIN: f32 = 0.05;
const WINDOW_US: i64 = 60_000_000;

/// Arguments of `face replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A folder of JPEG or PNG files, taken in the order of their names.
    #[arg(value_name = "SOURCE")]
    source: PathBuf,
    /// Pictures a second.
    #[arg(long, default_value_t = 10.0, value_parser = rate)]
    fps: f64,
    /// Write each followed face of each picture to a CSV file: `frame,track,x,y,w,h,member`.
    #[arg(long, value_name = "OUT.csv")]
    tracks: Option<PathBuf>,
    /// A folder with one picture for each member; the file's name is the member's.
    #[arg(long, value_name = "DIR")]
    gallery: Option<PathBuf>,
    #[command(flatten)]
    models: ModelsArgs,
    /// Answer as JSON lines (there is no other form).
    #[arg(long)]
    json: bool,
}

fn rate(word: &str) -> Result<f64, String> {
    let rate = word.parse::<f64>().ok().filter(|rate| (0.1..=240.0).contains(rate));
    rate.ok_or_else(|| "a number of pictures a second from 0.1 to 240".to_owned())
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Visit {
        track: u32,
        from_s: f64,
        to_s: f64,
        attention: f32,
        distance: &'static str,
        crossed_in: u32,
        crossed_out: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        member: Option<&'a str>,
    },
    Window {
        start_s: f64,
        end_s: f64,
        visits: u32,
        present_most: usize,
    },
    Summary {
        frames: u64,
        unreadable: u64,
        fps: f64,
        detected: u64,
        compared: u64,
        visits: u32,
        members: usize,
        decode_ms: Option<f64>,
        look_ms: Option<f64>,
    },
}

/// A replay under way.
struct Replay {
    watch: Watch,
    members: Vec<String>,
    window: Window,
    visits: u32,
    met: std::collections::BTreeSet<usize>,
    csv: Option<BufWriter<File>>,
}

#[derive(Default)]
struct Window {
    start_us: i64,
    visits: u32,
    present_most: usize,
}

pub(super) fn run(args: &Args) -> Result<(), Exit> {
    let pictures = pictures(&args.source)?;
    let csv = args.tracks.as_deref().map(begin_table).transpose()?;
    let library = args.models.open()?;
    let (recognition, members) = match &args.gallery {
        Some(folder) => enrol(&library, folder)?,
        None => (None, Vec::new()),
    };
    let scene = Scene { view_deg: 70.0, zones: Vec::new(), line: None, hidden: Vec::new() };
    let watch = Watch::new(scene, TRACKS, detector(&library, INPUT, None)?, recognition);
    let (window, met) = (Window::default(), std::collections::BTreeSet::new());
    let mut replay = Replay { watch, members, window, visits: 0, met, csv };
    let done = replay.all(&pictures, args.fps)?;
    replay.finish(&pictures, args.fps, &done);
    replay.csv.as_mut().map_or(Ok(()), Write::flush).map_err(|error| unwritten(&error))?;
    Ok(())
}

/// The table of tracks, with its head.
fn begin_table(file: &Path) -> Result<BufWriter<File>, Exit> {
    let begun = File::create(file).map(BufWriter::new).and_then(|mut table| {
        writeln!(table, "frame,track,x,y,w,h,member")?;
        Ok(table)
    });
    begun.map_err(|error| {
        eprintln!("smartstore: {}: cannot be written: {error}", file.display());
        Exit::Failed
    })
}

fn unwritten(error: &std::io::Error) -> Exit {
    eprintln!("smartstore: the table of tracks cannot be written: {error}");
    Exit::Failed
}

/// How long it took.
#[derive(Default)]
struct Done {
    unreadable: u64,
    decode: Duration,
    look: Duration,
}

impl Replay {
    fn all(&mut self, pictures: &[PathBuf], fps: f64) -> Result<Done, Exit> {
        let (clock, mut done) = (Clock::system(Trust::Kernel), Done::default());
        for (at, path) in pictures.iter().enumerate() {
            let start = clock.now();
            let frame = open(path);
            let decoded = clock.now();
            done.decode += decoded - start;
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => {
                    eprintln!("smartstore: {}: {error}", path.display());
                    done.unreadable += 1;
                    continue;
                }
            };
            let at_us = time_of(at, fps);
            let seen = self.watch.look(at_us, frame).map_err(|error| failed(&error))?;
            let looked = clock.now();
            done.look += looked - decoded;
            self.note(at, at_us, &seen).map_err(|error| unwritten(&error))?;
        }
        Ok(done)
    }

    fn note(&mut self, at: usize, at_us: i64, seen: &[Seen]) -> std::io::Result<()> {
        while at_us >= self.window.start_us + WINDOW_US {
            self.close_window(self.window.start_us + WINDOW_US);
        }
        self.window.present_most = self.window.present_most.max(self.watch.present());
        self.tell(seen);
        let Some(table) = &mut self.csv else { return Ok(()) };
        for shown in self.watch.shown() {
            let (track, place) = (shown.track, shown.place);
            let member = shown.member.map_or("", |row| self.members[row].as_str());
            write!(table, "{},{track},{:.1},{:.1},", at + 1, place.x, place.y)?;
            writeln!(table, "{:.1},{:.1},{member}", place.w, place.h)?;
        }
        Ok(())
    }

    fn tell(&mut self, seen: &[Seen]) {
        for one in seen {
            match one {
                Seen::Visit(visit, member) => {
                    self.visits += 1;
                    self.window.visits += 1;
                    print(&line(visit, member.map(|row| self.members[row].as_str())));
                }
                Seen::Member(_, found) => {
                    self.met.insert(found.row);
                }
                Seen::NotMember(..) => {}
            }
        }
    }

    fn close_window(&mut self, end_us: i64) {
        let Window { start_us, visits, present_most } = std::mem::take(&mut self.window);
        print(&Line::Window { start_s: seconds(start_us), end_s: seconds(end_us), visits, present_most });
        self.window.start_us = end_us;
    }

    fn finish(&mut self, pictures: &[PathBuf], fps: f64, done: &Done) {
        let left = self.watch.end();
        self.tell(&left);
        self.close_window(time_of(pictures.len(), fps));
        let counts = self.watch.counts();
        let each = |took: Duration| {
            let frames = u32::try_from(counts.pictures).ok().filter(|frames| *frames > 0);
            frames.map(|frames| (took / frames).as_secs_f64() * 1e3)
        };
        let whole = (done.decode + done.look).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a count of pictures")]
        let fps = if whole > 0.0 { counts.pictures as f64 / whole } else { 0.0 };
        print(&Line::Summary {
            frames: counts.pictures,
            unreadable: done.unreadable,
            fps,
            detected: counts.detected,
            compared: counts.compared,
            visits: self.visits,
            members: self.met.len(),
            decode_ms: each(done.decode),
            look_ms: each(done.look),
        });
    }
}

fn line<'a>(visit: &Visit, member: Option<&'a str>) -> Line<'a> {
    let distance = match visit.distance {
        Distance::Near => "near",
        Distance::Middle => "middle",
        Distance::Far => "far",
    };
    Line::Visit {
        track: visit.track,
        from_s: seconds(visit.from_us),
        to_s: seconds(visit.to_us),
        attention: visit.attention,
        distance,
        crossed_in: visit.crossed_in,
        crossed_out: visit.crossed_out,
        member,
    }
}

#[expect(clippy::cast_precision_loss, reason = "hours in microseconds")]
fn seconds(at_us: i64) -> f64 {
    at_us as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a count of pictures")]
fn time_of(at: usize, fps: f64) -> i64 {
    (at as f64 * 1e6 / fps) as i64
}

/// The pictures of a folder in the order of their names.
fn pictures(folder: &Path) -> Result<Vec<PathBuf>, Exit> {
    let refuse = |what: String| {
        eprintln!("smartstore: {}: {what}", folder.display());
        Exit::Usage
    };
    let entries = std::fs::read_dir(folder)
        .map_err(|error| refuse(format!("cannot be read as a folder of JPEG or PNG files: {error}")))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| {
        let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        ["jpg", "jpeg", "png"].contains(&ending.to_ascii_lowercase().as_str())
    });
    files.sort();
    if files.is_empty() { Err(refuse("has no JPEG or PNG files".to_owned())) } else { Ok(files) }
}

/// A gallery of one picture for each member.
fn enrol(library: &Library, folder: &Path) -> Result<(Option<Recognition>, Vec<String>), Exit> {
    let (card, bytes) = network(library, Role::Embedder)?;
    let mut eyes = Eyes::open(library)?;
    let (mut gallery, mut members) = (Gallery::default(), BTreeMap::new());
    for file in pictures(folder)? {
        let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        match open(&file).and_then(|frame| eyes.look(&frame)) {
            Ok(template) => {
                members.insert(gallery.add(template), name);
            }
            Err(error) => eprintln!("smartstore: {}: not enrolled: {error}", file.display()),
        }
    }
    let similarity = card.similarity_for(gallery.len()).unwrap_or(1.0);
    let settings = MatchSettings { similarity, margin: MARGIN };
    let embedder = Embedder::load(&bytes).map_err(|error| failed(&error))?;
    let recognition = Recognition::new(embedder, Arc::new(gallery), settings);
    Ok((Some(recognition), members.into_values().collect()))
}
