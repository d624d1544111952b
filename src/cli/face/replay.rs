//! `face replay`: pictures through the whole pipeline, as a camera sends them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use tokio_util::sync::CancellationToken;

use super::super::exit::Exit;
use super::super::models::ModelsArgs;
use super::super::until_told::{Told, until_told};
use super::super::weights::Library;
use super::compare::Eyes;
use super::source::Source;
use super::{detector, failed, network, open, print};
use crate::clock::{Clock, Trust};
use crate::devices::camera::{INPUT, Lens, News, Picture, Slot, TRACKS, pictures};
use crate::sense::vision::card::Role;
use crate::sense::vision::gallery::Gallery;
use crate::sense::vision::scene::{Distance, Scene};
use crate::sense::vision::watch::{Recognition, Seen, Watch};
use crate::sense::vision::{Embedder, visit::Visit};
use crate::types::Chain;
use crate::types::units::parse_duration;

/// Longest time without looking whether to end.
const TICK: Duration = Duration::from_millis(200);
const WINDOW_US: i64 = 60_000_000;

/// Arguments of `face replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A folder of JPEG or PNG files, taken in the order of their names; an MJPEG camera (`http://…`); an H.264 camera
    /// (`rtsp://…`); a V4L2 node.
    #[arg(value_name = "SOURCE")]
    source: String,
    /// Pictures a second: a folder's pace [default: 10]; of a camera so many are looked at [default: all].
    #[arg(long, value_parser = rate)]
    fps: Option<f64>,
    /// How long to look through a camera [default: until it ends, or until interrupted].
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    length: Option<Duration>,
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
        /// Pictures that were left out because a newer one had come.
        dropped: u64,
        decode_ms: Option<f64>,
        look_ms: Option<f64>,
        /// For each time that faces were looked for.
        detector_ms: Option<f64>,
        /// For each face that was compared.
        embedder_ms: Option<f64>,
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
    clock: Clock,
    /// When the last picture came.
    ended_us: i64,
}

#[derive(Default)]
struct Window {
    start_us: i64,
    visits: u32,
    present_most: usize,
}

pub(super) fn run(args: &Args) -> Result<(), Exit> {
    let refuse = |what: String| {
        eprintln!("smartstore: {}: {what}", shown(&args.source));
        Exit::Usage
    };
    let source = Source::of(&args.source, args.fps).map_err(refuse)?;
    let csv = args.tracks.as_deref().map(begin_table).transpose()?;
    let library = args.models.open()?;
    let (recognition, members) = match &args.gallery {
        Some(folder) => enrol(&library, folder)?,
        None => (None, Vec::new()),
    };
    let scene = Scene { view_deg: 70.0, zones: Vec::new(), line: None, hidden: Vec::new() };
    let mut watch = Watch::new(scene, TRACKS, detector(&library, INPUT, None)?, recognition);
    let clock = Clock::system(Trust::Kernel);
    let stopwatch = clock.clone();
    watch.measure(Box::new(move || stopwatch.now()));
    let (window, met) = (Window::default(), std::collections::BTreeSet::new());
    let replay = Replay { watch, members, window, visits: 0, met, csv, clock, ended_us: 0 };
    let length = args.length;
    let ended =
        until_told(async |stop| tokio::task::spawn_blocking(move || replay.through(source, length, &stop)).await);
    match ended {
        Ok(Told::Ended(Ok(done))) => done,
        Ok(Told::Twice) => Err(Exit::Failed),
        Ok(Told::Ended(Err(error))) => Err(failed(&error)),
        Err(error) => Err(failed(&error)),
    }
}

/// The source as it may be shown: without a login.
fn shown(source: &str) -> String {
    crate::types::Endpoint::parse(source).map_or_else(|_| source.to_owned(), |endpoint| endpoint.to_string())
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

/// What became of the pictures, and how long it took.
#[derive(Default)]
struct Done {
    unreadable: u64,
    dropped: u64,
    decode: Duration,
    look: Duration,
}

impl Replay {
    /// Looks through a source until it ends, the time is over or somebody says stop.
    fn through(mut self, source: Source, length: Option<Duration>, stop: &CancellationToken) -> Result<(), Exit> {
        let Source { plan, pace, fps } = source;
        let (slot, ends) = (Slot::default(), stop.child_token());
        let lens = Lens::new(plan, pace, slot.clone(), self.clock.clone(), ends.clone());
        let lens = std::thread::spawn(move || lens.run());
        let until = length.map(|length| self.clock.now() + length);
        let (mut began, mut done, mut news) = (None, Done::default(), None);
        while !stop.is_cancelled() && !slot.is_over() && until.is_none_or(|until| self.clock.now() < until) {
            let picture = slot.take(TICK);
            news = slot.take_news().or(news);
            let Some(picture) = picture else { continue };
            let at_us = match fps {
                Some(fps) => time_of(picture.number - 1, fps),
                None => micros(picture.at - *began.get_or_insert(picture.at)),
            };
            self.look(picture, at_us, &mut done)?;
        }
        ends.cancel();
        slot.close();
        let _ = lens.join();
        news = slot.take_news().or(news);
        let counts = slot.take_counts();
        done.dropped += counts.replaced;
        done.unreadable += counts.malformed + counts.oversized;
        let has_seen = self.watch.counts().pictures > 0;
        self.finish(&done)?;
        match news {
            Some(News::Away(why) | News::Stalled(why)) => {
                eprintln!("smartstore: the camera has gone: {why}");
                if has_seen { Ok(()) } else { Err(Exit::Unavailable) }
            }
            _ => Ok(()),
        }
    }

    fn look(&mut self, picture: Picture, at_us: i64, done: &mut Done) -> Result<(), Exit> {
        let start = self.clock.now();
        let frame = picture.pixels.frame();
        let decoded = self.clock.now();
        done.decode += decoded - start;
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                eprintln!("smartstore: picture {}: {}", picture.number, Chain(&error));
                done.unreadable += 1;
                return Ok(());
            }
        };
        let seen = self.watch.look(at_us, frame).map_err(|error| failed(&error))?;
        done.look += self.clock.now() - decoded;
        self.ended_us = at_us;
        self.note(picture.number, at_us, &seen).map_err(|error| unwritten(&error))
    }

    fn note(&mut self, number: u64, at_us: i64, seen: &[Seen]) -> std::io::Result<()> {
        while at_us >= self.window.start_us + WINDOW_US {
            self.close_window(self.window.start_us + WINDOW_US);
        }
        self.window.present_most = self.window.present_most.max(self.watch.present());
        self.tell(seen);
        let Some(table) = &mut self.csv else { return Ok(()) };
        for shown in self.watch.shown() {
            let (track, place) = (shown.track, shown.place);
            let member = shown.member.map_or("", |row| self.members[row].as_str());
            write!(table, "{number},{track},{:.1},{:.1},", place.x, place.y)?;
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

    fn finish(&mut self, done: &Done) -> Result<(), Exit> {
        let left = self.watch.end();
        self.tell(&left);
        self.close_window(self.ended_us);
        let (counts, took) = (self.watch.counts(), self.watch.took());
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
            dropped: done.dropped,
            decode_ms: each_ms(done.decode, counts.pictures),
            look_ms: each_ms(done.look, counts.pictures),
            detector_ms: each_ms(took.detector, counts.detected),
            embedder_ms: each_ms(took.embedder, counts.compared),
        });
        self.csv.as_mut().map_or(Ok(()), Write::flush).map_err(|error| unwritten(&error))
    }
}

fn each_ms(took: Duration, count: u64) -> Option<f64> {
    let count = u32::try_from(count).ok().filter(|count| *count > 0);
    count.map(|count| (took / count).as_secs_f64() * 1e3)
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
fn time_of(at: u64, fps: f64) -> i64 {
    (at as f64 * 1e6 / fps) as i64
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// A gallery of one picture for each member.
fn enrol(library: &Library, folder: &Path) -> Result<(Option<Recognition>, Vec<String>), Exit> {
    let (card, bytes) = network(library, Role::Embedder)?;
    let mut eyes = Eyes::open(library)?;
    let (mut gallery, mut members) = (Gallery::default(), BTreeMap::new());
    let files = pictures(folder).map_err(|error| {
        eprintln!("smartstore: {}: {error}", folder.display());
        Exit::Usage
    })?;
    for file in files {
        let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        match open(&file).and_then(|frame| eyes.look(&frame)) {
            Ok(template) => {
                members.insert(gallery.add(template), name);
            }
            Err(error) => eprintln!("smartstore: {}: not enrolled: {error}", file.display()),
        }
    }
    let settings = card.matching(gallery.len());
    let embedder = Embedder::load(&bytes).map_err(|error| failed(&error))?;
    let recognition = Recognition::new(embedder, Arc::new(gallery), settings);
    Ok((Some(recognition), members.into_values().collect()))
}
