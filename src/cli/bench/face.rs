//! The face networks and the whole way of a picture, on one thread and on as many as there are cores: three people
//! before a camera of ten pictures a second. The peer in the same run is onnxruntime with the same networks, when it is
//! installed.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use serde::{Deserialize, Serialize};

use super::super::models::ModelsArgs;
use super::super::network_times::{INPUT, Times, milliseconds, percentile, times, times_of};
use super::super::weights::Library;
use crate::clock::{Clock, Trust};
use crate::journal::bench::load;
use crate::sense::vision::card::Role;
use crate::sense::vision::gallery::Gallery;
use crate::sense::vision::scene::Scene as View;
use crate::sense::vision::track::TrackSettings;
use crate::sense::vision::watch::{Recognition, Seen, Watch};
use crate::sense::vision::yunet::InputSize;
use crate::sense::vision::{Detector, Embedder, Embedding, convert, picture};
use crate::sim::camera::{Scene, SceneSetup};

/// The peer's program.
const PEER: &str = include_str!("face.py");
/// The pipeline's camera.
const FPS: u32 = 10;
const SIZE: (u32, u32) = (1280, 720);
/// The detector's second size.
const SMALL: u16 = 320;
const TRACKS: TrackSettings = TrackSettings { lost_after_us: 2_000_000, sightings: 3 };

/// Arguments of `bench face`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Runs of each network.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(5..=100_000))]
    runs: u32,
    /// Pictures of the whole pipeline.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(50..=100_000))]
    pictures: u32,
    /// Members that a face is compared with.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    members: u32,
    /// The Python that has onnxruntime.
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: PathBuf,
    #[command(flatten)]
    models: ModelsArgs,
    /// Answer as one JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Answer {
    detector: Times,
    detector_small: Times,
    embedder: Times,
    pipeline: Pipeline,
    all_cores: AllCores,
    peer: Option<Peer>,
    /// Why there is no peer.
    peer_absent: Option<String>,
    /// Our time by the peer's: above 1 the peer is faster.
    detector_to_peer: Option<f64>,
    detector_small_to_peer: Option<f64>,
    embedder_to_peer: Option<f64>,
    /// Before the work of all cores, which has every network once for each.
    peak_memory_kib: u64,
    load: String,
}

/// What as many threads as there are cores do together, each with networks of its own, by the middle of each one's
/// runs.
#[derive(Debug, Serialize)]
struct AllCores {
    threads: usize,
    detector_per_s: f64,
    embedder_per_s: f64,
    pictures_per_s: f64,
}

/// From a JPEG of 1280 x 720 to visits.
#[derive(Debug, Serialize)]
struct Pipeline {
    pictures: u32,
    people: u32,
    visits: u32,
    members: u32,
    compared: u64,
    decode_p50_ms: f64,
    look_p50_ms: f64,
    whole_p50_ms: f64,
    whole_p99_ms: f64,
    /// Of one core, at ten pictures a second.
    core_percent: f64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Peer {
    peer: String,
    detector: PeerTimes,
    detector_small: PeerTimes,
    embedder: PeerTimes,
}

#[derive(Debug, Serialize, Deserialize)]
struct PeerTimes {
    p50_ms: f64,
    shape: Vec<u32>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let Ok(library) = args.models.open() else { anyhow::bail!("the cards cannot be read") };
    let detector = times(&library, Role::Detector, args.runs)?;
    let small = InputSize { width: SMALL.into(), height: SMALL.into() };
    let detector_small = times_of(&library, Role::Detector, small, args.runs)?;
    let embedder = times(&library, Role::Embedder, args.runs)?;
    let pipeline = pipeline(args, &library)?;
    let (peer, peer_absent) = match peer(args, &library) {
        Ok(peer) => (Some(peer), None),
        Err(error) => (None, Some(format!("{error:#}"))),
    };
    let peak_memory_kib = peak_kib()?;
    let answer = Answer {
        detector_to_peer: peer.as_ref().map(|peer| detector.p50_ms / peer.detector.p50_ms),
        detector_small_to_peer: peer.as_ref().map(|peer| detector_small.p50_ms / peer.detector_small.p50_ms),
        embedder_to_peer: peer.as_ref().map(|peer| embedder.p50_ms / peer.embedder.p50_ms),
        detector,
        detector_small,
        embedder,
        pipeline,
        all_cores: all_cores(args, &library)?,
        peer,
        peer_absent,
        peak_memory_kib,
        load: load(),
    };
    if args.json {
        say!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        show(&answer);
    }
    Ok(())
}

fn show(answer: &Answer) {
    let Answer { detector, detector_small, embedder, pipeline, peer, peak_memory_kib, .. } = answer;
    say!("load {}; peak memory {peak_memory_kib} KiB", answer.load);
    for (name, times, to_peer) in [
        ("detector 640 x 640", detector, answer.detector_to_peer),
        ("detector 320 x 320", detector_small, answer.detector_small_to_peer),
        ("embedder", embedder, answer.embedder_to_peer),
    ] {
        let Times { load_ms, runs, p50_ms, p99_ms } = times;
        let ratio = to_peer.map_or_else(String::new, |ratio| format!("; {ratio:.2} times the peer's"));
        say!("{name}: loaded in {load_ms:.0} ms; {runs} runs, p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms{ratio}");
    }
    let Pipeline { pictures, people, visits, members, compared, .. } = pipeline;
    say!(
        "pipeline: {pictures} pictures of {people} people, at most three at a time: {visits} visits, {compared} faces \
         compared with {members} members"
    );
    say!(
        "          decode p50 {:.1} ms, look p50 {:.1} ms, whole p50 {:.1} ms, p99 {:.1} ms: {:.0} % of a core \
         at {FPS} pictures a second",
        pipeline.decode_p50_ms,
        pipeline.look_p50_ms,
        pipeline.whole_p50_ms,
        pipeline.whole_p99_ms,
        pipeline.core_percent
    );
    let AllCores { threads, detector_per_s, embedder_per_s, pictures_per_s } = &answer.all_cores;
    say!(
        "all cores: {threads} threads together {detector_per_s:.0} detections, {embedder_per_s:.0} embeddings or \
         {pictures_per_s:.0} whole pictures a second"
    );
    match (peer, &answer.peer_absent) {
        (Some(Peer { peer, detector, detector_small, embedder }), _) => say!(
            "peer {peer}, one thread: detector p50 {:.1} ms and {:.1} ms, embedder p50 {:.1} ms",
            detector.p50_ms,
            detector_small.p50_ms,
            embedder.p50_ms
        ),
        (None, why) => say!("no peer: {}", why.as_deref().unwrap_or_default()),
    }
}

fn all_cores(args: &Args, library: &Library) -> anyhow::Result<AllCores> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let together = |one: &(dyn Fn() -> anyhow::Result<f64> + Sync)| -> anyhow::Result<f64> {
        std::thread::scope(|scope| {
            let works: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
            let rates = works.into_iter().map(|work| work.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?);
            rates.sum()
        })
    };
    let of = |role| move || anyhow::Ok(1000.0 / times(library, role, args.runs)?.p50_ms);
    Ok(AllCores {
        threads,
        detector_per_s: together(&of(Role::Detector))?,
        embedder_per_s: together(&of(Role::Embedder))?,
        pictures_per_s: together(&|| Ok(1000.0 / pipeline(args, library)?.whole_p50_ms))?,
    })
}

/// The same files by onnxruntime.
fn peer(args: &Args, library: &Library) -> anyhow::Result<Peer> {
    let file = |role: Role| {
        let card = library.cards().iter().find(|card| card.role == role).context("a card")?;
        anyhow::Ok(library.file(card))
    };
    let detector = file(Role::Detector)?;
    let small = tempfile::NamedTempFile::new()?;
    std::fs::write(&small, convert::for_size(&std::fs::read(&detector)?, [1, 3, SMALL.into(), SMALL.into()])?)?;
    let output = Command::new(&args.python)
        .args(["-c", PEER, &args.runs.to_string()])
        .args([detector.as_path(), small.path(), file(Role::Embedder)?.as_path()])
        .output()
        .with_context(|| format!("{} cannot be started", args.python.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    anyhow::ensure!(output.status.success(), "onnxruntime was not measured: {last}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn pipeline(args: &Args, library: &Library) -> anyhow::Result<Pipeline> {
    let length_ms = i64::from(args.pictures) * 1000 / i64::from(FPS);
    let setup = SceneSetup { width: SIZE.0, height: SIZE.1, seed: 1, length_ms, lanes: 3 };
    let mut scene = Scene::new(setup);
    let people = u32::try_from(std::iter::from_fn(|| scene.pop_truth(i64::MAX)).count())?;
    let mut watch = watch(args, library)?;
    let clock = Clock::system(Trust::Trusted);
    let (mut decode, mut look, mut whole, mut visits) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for number in 0..args.pictures {
        let at_ms = i64::from(number) * 1000 / i64::from(FPS);
        let mut jpeg = Vec::new();
        let rgb = scene.picture(at_ms);
        JpegEncoder::new_with_quality(&mut jpeg, 85).encode(&rgb, SIZE.0, SIZE.1, ExtendedColorType::Rgb8)?;
        let began = clock.now();
        let frame = picture::decode(&jpeg)?;
        let decoded = clock.now();
        let seen = watch.look(at_ms * 1000, frame)?;
        let ended = clock.now();
        visits += seen.iter().filter(|one| matches!(one, Seen::Visit(..))).count();
        decode.push(decoded - began);
        look.push(ended - decoded);
        whole.push(ended - began);
    }
    visits += watch.end().len();
    let all: Duration = whole.iter().sum();
    [&mut decode, &mut look, &mut whole].into_iter().for_each(|times| times.sort_unstable());
    let at = |times: &[Duration], percent| milliseconds(percentile(times, percent));
    Ok(Pipeline {
        pictures: args.pictures,
        people,
        visits: u32::try_from(visits)?,
        members: args.members,
        compared: watch.counts().compared,
        decode_p50_ms: at(&decode, 50),
        look_p50_ms: at(&look, 50),
        whole_p50_ms: at(&whole, 50),
        whole_p99_ms: at(&whole, 99),
        core_percent: all.as_secs_f64() / f64::from(args.pictures) * f64::from(FPS) * 100.0,
    })
}

/// The whole pipeline, with members whom nobody is like.
fn watch(args: &Args, library: &Library) -> anyhow::Result<Watch> {
    let (card, bytes) = library.network(Role::Detector)?;
    let detector = Detector::load(&bytes, INPUT, card.detection())?;
    let (card, bytes) = library.network(Role::Embedder)?;
    let mut gallery = Gallery::default();
    let mut word = 1_u64;
    for _ in 0..args.members {
        let values: Vec<f32> = (0..Embedding::LEN)
            .map(|_| {
                word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                f32::from(u16::from_be_bytes([word.to_be_bytes()[0], word.to_be_bytes()[1]])) - 32_767.5
            })
            .collect();
        let template = Embedding::new(&values).map_err(|wrong| anyhow::anyhow!("a template of {}", wrong.0))?;
        gallery.add(template);
    }
    let settings = card.matching(gallery.len());
    let recognition = Recognition::new(Embedder::load(&bytes)?, gallery.into(), settings);
    let view = View { view_deg: 70.0, zones: Vec::new(), line: None, hidden: Vec::new() };
    Ok(Watch::new(view, TRACKS, detector, Some(recognition)))
}

/// The most that the process held of memory.
fn peak_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse().ok());
    number.context("/proc/self/status names no VmHWM")
}
