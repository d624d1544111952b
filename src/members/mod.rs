//! Members who consented to be recognised: enrolling them, forgetting them, and the end of each consent.
//!
//! ```text
//! member.enrol ─▶ fetch into RAM ──────────────────────────▶ one face? good enough? ─▶ template ─▶ sealed ─▶ journal,
//!              └▶ their scan ─▶ the station's camera looks ─┘                                  with the command's end
//! member.forget, or a consent that ends ─▶ out of the list at once ─▶ out of the journal ─▶ everybody else sealed anew
//! ```
//!
//! Templates are on disk only sealed, under a key that is in a file of its own and not in the journal. When somebody
//! is taken out, the others are sealed under a new key and the old one is overwritten: what a copy of the journal, a
//! log or a disk's spare blocks still hold of them can be read by nobody.
//!
//! What is absent: a camera, a cloud. Cameras get the list of who may be recognised now, and nothing else.
//!
//! Invariants: nobody is enrolled without a configuration that allows it, a consent and its end; nobody is recognised
//! while the clock may be wrong, because nobody knows then whether their consent has ended; a picture is in RAM for as
//! long as it is looked at, and is overwritten.
//!
//! Limits: a picture of 16 MiB, fetched within 30 s; 64 members who are expected at stations, each seen by the camera
//! within 20 s of their scan, or they scan again; as many members as `[members] at_most` says.

mod blind;
mod desk;
#[cfg(feature = "onnx")]
mod eyes;
mod record;
mod seal;
mod waiting;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use desk::Desk;
pub use seal::SealError;

use crate::types::{DeviceId, StationId};

/// `[members]`, as the desk needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether anybody may be enrolled and recognised. Forgetting works without.
    pub enabled: bool,
    /// The key that templates are sealed with.
    pub key_file: PathBuf,
    /// The networks.
    pub models_dir: PathBuf,
    /// Members, at most.
    pub at_most: usize,
    /// Stations where somebody can be enrolled: each has a camera and this scanner.
    pub stations: BTreeMap<StationId, DeviceId>,
}
