//! `face compare`: pictures two by two.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::super::exit::Exit;
use super::super::models::ModelsArgs;
use super::super::weights::Library;
use super::{WHOLE, detector, failed, network, open, print};
use crate::sense::vision::card::Role;
use crate::sense::vision::yunet::{Face, InputSize};
use crate::sense::vision::{Detector, Embedder, Embedding, Frame, Point};
use crate::types::Chain;

/// A portrait is looked at in this size.
const PORTRAIT: InputSize = InputSize { width: 320, height: 320 };
/// The least score of a face that is compared: somebody says there is one.
const PORTRAIT_SCORE: f32 = 0.5;

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

pub(super) fn run(pairs: &Path, models: &ModelsArgs) -> Result<(), Exit> {
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
pub(super) struct Eyes {
    near: Detector,
    far: Detector,
    embedder: Embedder,
}

impl Eyes {
    pub(super) fn open(library: &Library) -> Result<Self, Exit> {
        let (_, bytes) = network(library, Role::Embedder)?;
        Ok(Self {
            near: detector(library, PORTRAIT, Some(PORTRAIT_SCORE))?,
            far: detector(library, WHOLE, Some(PORTRAIT_SCORE))?,
            embedder: Embedder::load(&bytes).map_err(|error| failed(&error))?,
        })
    }

    /// The face nearest to the picture's middle; a second, closer look when there seems to be none.
    pub(super) fn look(&mut self, frame: &Frame) -> Result<Embedding, String> {
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
