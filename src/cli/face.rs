//! `smartstore face`: what the face networks see in pictures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::exit::{Chain, Exit, tell};
use super::models::ModelsArgs;
use super::weights::Library;
use crate::sense::vision::card::{Card, Role};
use crate::sense::vision::yunet::{Face, InputSize, Thresholds};
use crate::sense::vision::{Detector, Embedder, Embedding, Frame, Point, picture};

/// Crowds are looked at in this size.
const WHOLE: InputSize = InputSize { width: 640, height: 640 };
/// A portrait in this one.
const PORTRAIT: InputSize = InputSize { width: 320, height: 320 };
/// The least score of a face that is compared: somebody says there is one.
const PORTRAIT_SCORE: f32 = 0.5;
/// Longest encoded picture.
const PICTURE_BYTES: u64 = 64 << 20;

/// Arguments of `face`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Find the faces of pictures: one JSON line for each picture.
    Detect {
        /// JPEG or PNG files.
        #[arg(value_name = "IMG", required = true)]
        images: Vec<PathBuf>,
        #[command(flatten)]
        models: ModelsArgs,
        /// Answer as JSON lines (there is no other form).
        #[arg(long)]
        json: bool,
    },
    /// Compare pictures two by two: of each the face nearest to its middle.
    Compare {
        /// A CSV file with a first line that names the columns `a` and `b`: paths of pictures.
        #[arg(long, value_name = "PAIRS.csv")]
        pairs: PathBuf,
        #[command(flatten)]
        models: ModelsArgs,
        /// Answer as JSON lines (there is no other form).
        #[arg(long)]
        json: bool,
    },
}

/// Carries the subcommand out.
pub(super) fn run(args: &Args) -> ExitCode {
    let done = match &args.what {
        What::Detect { images, models, .. } => detect(images, models),
        What::Compare { pairs, models, .. } => compare(pairs, models),
    };
    done.map_or_else(ExitCode::from, |()| ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Detected<'a> {
    image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    faces: Option<Vec<Found>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct Found {
    #[serde(rename = "box")]
    place: [f32; 4],
    score: f32,
    landmarks: [[f32; 2]; 5],
}

impl Found {
    fn of(face: &Face) -> Self {
        let place = face.place;
        let landmarks = face.landmarks.map(|point| [point.x, point.y]);
        Self { place: [place.x, place.y, place.w, place.h], score: face.score, landmarks }
    }
}

fn detect(images: &[PathBuf], models: &ModelsArgs) -> Result<(), Exit> {
    let library = models.open()?;
    let mut detector = detector(&library, WHOLE, None)?;
    let mut failed = false;
    for image in images {
        let faces = open(image).and_then(|frame| detector.faces(&frame).map_err(|error| Chain(&error).to_string()));
        failed |= faces.is_err();
        let (faces, error) = match faces {
            Ok(faces) => (Some(faces.iter().map(Found::of).collect()), None),
            Err(error) => (None, Some(error)),
        };
        print(&Detected { image: image.display().to_string(), faces, error: error.as_deref() });
    }
    if failed { Err(Exit::Failed) } else { Ok(()) }
}

fn detector(library: &Library, size: InputSize, score: Option<f32>) -> Result<Detector, Exit> {
    let (card, bytes) = network(library, Role::Detector)?;
    let score = score.or(card.thresholds.score).unwrap_or(1.0);
    let thresholds = Thresholds { score, overlap: card.thresholds.overlap.unwrap_or(0.0) };
    Detector::load(&bytes, size, thresholds).map_err(|error| failed(&error))
}

fn network(library: &Library, role: Role) -> Result<(&Card, Vec<u8>), Exit> {
    library.network(role).map_err(|error| {
        tell(&error);
        Exit::Unavailable
    })
}

fn failed(error: &dyn std::error::Error) -> Exit {
    tell(error);
    Exit::Failed
}

/// Reads and decodes a picture; the answer's `error` otherwise.
fn open(path: &Path) -> Result<Frame, String> {
    let read = || -> std::io::Result<Vec<u8>> {
        let length = std::fs::metadata(path)?.len();
        if length > PICTURE_BYTES {
            return Err(std::io::Error::other(format!("{length} bytes; at most {PICTURE_BYTES} are read")));
        }
        std::fs::read(path)
    };
    let bytes = read().map_err(|error| format!("cannot read the file: {error}"))?;
    picture::decode(&bytes).map_err(|error| Chain(&error).to_string())
}

fn print(answer: &impl Serialize) {
    match serde_json::to_string(answer) {
        Ok(line) => say!("{line}"),
        Err(error) => tell(&error),
    }
}

#[derive(Serialize)]
struct Compared<'a> {
    a: &'a str,
    b: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    similarity: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// One line of the pairs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Pair {
    a: String,
    b: String,
}

/// Reads the pairs: a head line with `a` and `b` among its columns, commas between, no quotes.
fn read_pairs(text: &str) -> Result<Vec<Pair>, String> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let head: Vec<&str> = lines.next().map(|(_, line)| line.split(',').map(str::trim).collect()).unwrap_or_default();
    let column = |name: &str| {
        let at = head.iter().position(|column| *column == name);
        at.ok_or_else(|| format!("line 1: no column `{name}`; the first line names the columns `a` and `b`"))
    };
    let (a, b) = (column("a")?, column("b")?);
    lines
        .map(|(at, line)| {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let cell = |column: usize| cells.get(column).filter(|cell| !cell.is_empty());
            match (cell(a), cell(b)) {
                (Some(a), Some(b)) => Ok(Pair { a: (*a).to_owned(), b: (*b).to_owned() }),
                _ => Err(format!("line {}: two paths are expected, `a,b`", at + 1)),
            }
        })
        .collect()
}

fn compare(pairs: &Path, models: &ModelsArgs) -> Result<(), Exit> {
    let text = std::fs::read_to_string(pairs).map_err(|error| {
        eprintln!("smartstore: {}: cannot be read: {error}", pairs.display());
        Exit::Usage
    })?;
    let pairs_read = read_pairs(&text).map_err(|mistake| {
        eprintln!("smartstore: {}: {mistake}", pairs.display());
        Exit::Usage
    })?;
    let library = models.open()?;
    let seen = look_at_all(&library, &pairs_read, pairs.parent().unwrap_or(Path::new("")))?;
    let mut failed = false;
    for Pair { a, b } in &pairs_read {
        let (similarity, error) = match (&seen[a.as_str()], &seen[b.as_str()]) {
            (Ok(one), Ok(other)) => (Some(one.similarity(other)), None),
            (Err(error), _) => (None, Some(format!("a: {error}"))),
            (_, Err(error)) => (None, Some(format!("b: {error}"))),
        };
        failed |= error.is_some();
        print(&Compared { a, b, similarity, error });
    }
    if failed { Err(Exit::Failed) } else { Ok(()) }
}

type Seen<'a> = BTreeMap<&'a str, Result<Embedding, String>>;

/// What the pictures of the pairs show, each looked at once, on every core.
fn look_at_all<'a>(library: &Library, pairs: &'a [Pair], base: &Path) -> Result<Seen<'a>, Exit> {
    let mut paths: Vec<&str> = pairs.iter().flat_map(|pair| [pair.a.as_str(), pair.b.as_str()]).collect();
    paths.sort_unstable();
    paths.dedup();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(paths.len().max(1));
    let mut eyes = Vec::new();
    for _ in 0..cores {
        eyes.push(Eyes::open(library)?);
    }
    let (next, seen) = (AtomicUsize::new(0), Mutex::new(Seen::new()));
    std::thread::scope(|scope| {
        for mut eyes in eyes {
            let (next, seen, paths) = (&next, &seen, &paths);
            scope.spawn(move || {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let embedding = open(&found(path, base)).and_then(|frame| eyes.look(&frame));
                    seen.lock().unwrap_or_else(PoisonError::into_inner).insert(path, embedding);
                }
            });
        }
    });
    Ok(seen.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// A path as it is given; if nothing is there, from the folder of the pairs.
fn found(path: &str, base: &Path) -> PathBuf {
    let given = PathBuf::from(path);
    if given.exists() { given } else { base.join(path) }
}

/// Detector and embedder of one thread.
struct Eyes {
    near: Detector,
    far: Detector,
    embedder: Embedder,
}

impl Eyes {
    fn open(library: &Library) -> Result<Self, Exit> {
        let (_, bytes) = network(library, Role::Embedder)?;
        Ok(Self {
            near: detector(library, PORTRAIT, Some(PORTRAIT_SCORE))?,
            far: detector(library, WHOLE, Some(PORTRAIT_SCORE))?,
            embedder: Embedder::load(&bytes).map_err(|error| failed(&error))?,
        })
    }

    /// The face nearest to the picture's middle; a second, closer look when there seems to be none.
    fn look(&mut self, frame: &Frame) -> Result<Embedding, String> {
        let words = |error: &dyn std::error::Error| Chain(error).to_string();
        let mut faces = self.near.faces(frame).map_err(|error| words(&error))?;
        if faces.is_empty() {
            faces = self.far.faces(frame).map_err(|error| words(&error))?;
        }
        let middle = Point { x: frame.width() as f32 / 2.0, y: frame.height() as f32 / 2.0 };
        let away = |face: &Face| face.place.centre().distance(middle);
        let face = faces.iter().min_by(|one, other| away(one).total_cmp(&away(other)));
        let face = face.ok_or_else(|| "no face is found in it".to_owned())?;
        let embedding = self.embedder.embed(frame, face).map_err(|error| words(&error))?;
        embedding.ok_or_else(|| "the face in it has no landmarks".to_owned())
    }
}
