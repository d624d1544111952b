//! What the camera films.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageError, ImageReader};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::Shot;
use super::scene::{Scene, Truth};
use super::shopper::Shopper;

/// Of the JPEGs that are made here, of 100.
const QUALITY: u8 = 85;

/// Why a film cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum FilmError {
    /// The folder.
    #[error("{} cannot be read as a folder of JPEG or PNG files", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file in it.
    #[error("{} cannot be shown", file.display())]
    Picture {
        /// Which.
        file: PathBuf,
        /// Why.
        #[source]
        source: ImageError,
    },
    /// A drawn picture.
    #[error("a picture cannot be encoded")]
    Encode(#[source] ImageError),
}

/// See the module.
#[derive(Debug)]
pub enum Film {
    /// A folder's files in the order of their names, so often.
    Folder {
        /// JPEG or PNG.
        files: Vec<PathBuf>,
        /// Rounds.
        rounds: u32,
    },
    /// Drawn people, so many pictures long.
    Scene {
        /// They.
        scene: Box<Scene>,
        /// Columns and rows.
        size: (u32, u32),
        /// Pictures in all.
        pictures: u64,
    },
    /// One person before a mirror.
    Shopper {
        /// They.
        shopper: Box<Shopper>,
        /// Columns and rows.
        size: (u32, u32),
        /// Pictures in all.
        pictures: u64,
    },
}

impl Film {
    /// A folder's film.
    ///
    /// # Errors
    ///
    /// When it has no pictures.
    pub fn of_folder(folder: &Path, rounds: u32) -> Result<Self, FilmError> {
        let failed = |source| FilmError::Folder { folder: folder.to_owned(), source };
        let entries = std::fs::read_dir(folder).map_err(failed)?;
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|file| {
            let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            ["jpg", "jpeg", "png"].contains(&ending.to_ascii_lowercase().as_str())
        });
        files.sort();
        match files.is_empty() {
            true => Err(failed(io::Error::new(io::ErrorKind::NotFound, "there are none"))),
            false => Ok(Self::Folder { files, rounds }),
        }
    }

    /// Shows one picture after the other, at its time; says what is true when it is. How many pictures there were.
    pub(super) async fn play(
        mut self,
        fps: u32,
        newest: watch::Sender<Option<Arc<Shot>>>,
        stop: &CancellationToken,
        mut tell: impl FnMut(&Truth),
    ) -> Result<u64, FilmError> {
        let mut tick = tokio::time::interval(Duration::from_secs(1) / fps);
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut number = 0;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = tick.tick() => {}
            }
            let at_ms = i64::try_from(number * 1000 / u64::from(fps)).unwrap_or(i64::MAX);
            let Some(shot) = self.shot(number, at_ms)? else { break };
            newest.send_replace(Some(Arc::new(shot)));
            number += 1;
            if let Self::Scene { scene, .. } = &mut self {
                while let Some(truth) = scene.pop_truth(at_ms) {
                    tell(&truth);
                }
            }
        }
        if let Self::Scene { scene, .. } = &self {
            tell(&scene.totals(number));
        }
        Ok(number)
    }

    /// The picture of a number, from 0; nothing: the film is over.
    fn shot(&self, number: u64, at_ms: i64) -> Result<Option<Shot>, FilmError> {
        match self {
            Self::Folder { files, rounds } => {
                let at = usize::try_from(number).unwrap_or(usize::MAX);
                match at < files.len().saturating_mul(*rounds as usize) {
                    true => shot_of_file(number + 1, &files[at % files.len()]).map(Some),
                    false => Ok(None),
                }
            }
            Self::Scene { pictures, .. } | Self::Shopper { pictures, .. } if number >= *pictures => Ok(None),
            Self::Scene { scene, size, .. } => drawn(number, scene.picture(at_ms), *size).map(Some),
            Self::Shopper { shopper, size, .. } => drawn(number, shopper.picture(at_ms), *size).map(Some),
        }
    }
}

fn drawn(number: u64, rgb: Vec<u8>, (width, height): (u32, u32)) -> Result<Shot, FilmError> {
    let jpeg = jpeg(&rgb, width, height).map_err(FilmError::Encode)?;
    Ok(Shot { number: number + 1, width, height, rgb, jpeg })
}

/// A file's picture: a JPEG goes out as it is.
fn shot_of_file(number: u64, file: &Path) -> Result<Shot, FilmError> {
    let failed = |source| FilmError::Picture { file: file.to_owned(), source };
    let bytes = std::fs::read(file).map_err(|source| failed(ImageError::IoError(source)))?;
    let reader = ImageReader::new(io::Cursor::new(&bytes)).with_guessed_format();
    let reader = reader.map_err(|source| failed(ImageError::IoError(source)))?;
    let is_jpeg = reader.format() == Some(image::ImageFormat::Jpeg);
    let picture = reader.decode().map_err(failed)?.into_rgb8();
    let (width, height) = picture.dimensions();
    let rgb = picture.into_raw();
    let jpeg = if is_jpeg { bytes } else { jpeg(&rgb, width, height).map_err(failed)? };
    Ok(Shot { number, width, height, rgb, jpeg })
}

fn jpeg(rgb: &[u8], width: u32, height: u32) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode(rgb, width, height, ExtendedColorType::Rgb8)?;
    Ok(bytes)
}
