//! `smartstore face`: what the face networks see in pictures.

mod compare;
#[cfg(feature = "device-camera")]
mod replay;
#[cfg(feature = "device-camera")]
mod source;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::exit::{Exit, tell};
use super::models::ModelsArgs;
use super::weights::Library;
use crate::sense::vision::card::{Card, Role};
use crate::sense::vision::yunet::{Face, InputSize, Thresholds};
use crate::sense::vision::{Detector, Frame, picture};
use crate::types::Chain;

/// Crowds are looked at in this size.
const WHOLE: InputSize = InputSize { width: 640, height: 640 };
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
    /// Run pictures through the whole pipeline: visits and windows as JSON lines, a summary at the end.
    #[cfg(feature = "device-camera")]
    Replay(replay::Args),
}

/// Carries the subcommand out.
pub(super) fn run(args: &Args) -> ExitCode {
    let done = match &args.what {
        What::Detect { images, models, .. } => detect(images, models),
        What::Compare { pairs, models, .. } => compare::run(pairs, models),
        #[cfg(feature = "device-camera")]
        What::Replay(args) => replay::run(args),
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
    let card_says = card.detection();
    let thresholds = Thresholds { score: score.unwrap_or(card_says.score), ..card_says };
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
