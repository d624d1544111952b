//! The configuration: text → tables with positions → a valid [`Store`].
//!
//! Every mistake is found in one run and shown at its place: the form of each table by its section, its meaning here,
//! facts and settings of a device by its kind, and the cross-references after all of them have had their say. What is
//! wrong in one table does not keep the others from being checked.
//!
//! What is absent: inheritance, merging, environment variables, secrets (only paths of files), and positions in the
//! result. Nothing here opens a device.
//!
//! Limits: see [`limits`]; a file is at most 1 MiB long, and 200 mistakes are shown.

mod devices;
mod document;
mod effective;
mod last_good;
pub mod limits;
mod profiles;
mod raw;
mod render;
mod report;
mod schema;
mod sections;
mod sources;
mod start;
mod stations;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

pub use last_good::{Kept, LastGood};
pub use profiles::{BUILT_IN, PROFILES_DIR, SYSTEM_DIR};
pub use render::{json, text};
pub use report::Refused;
pub use schema::{config_schema, profile_schema};
pub use sources::Sources;
pub use start::{Origin, Start, load_kept, sha256_hex, start};
pub use store::{
    CLOUD_BACKFILL_MOST_PER_S, CLOUD_BACKFILL_PER_S, CLOUD_TRIAL, CONSOLE_LISTEN, Cloud, ConfiguredDevice, Console,
    DATA_DIR, Flow, Gateway, JOURNAL_KEEP_CONFIRMED, JOURNAL_MAX_SIZE, JOURNAL_MIN_SIZE, Journal, MEMBERS_AT_MOST,
    MEMBERS_KEY_FILE, MODELS_DIR, Members, Role, Station, StationSettings, Store, TlsIdentity, Trust,
};

use crate::device::{DeviceKind, Section};
use crate::devices::CATALOGUE;
use crate::types::{CodeGrammars, Diagnostic};
use devices::{Premises, Shelf};
use document::Document;
use profiles::Places;
use report::{Checked, Report};

/// What stands at the top of a configuration.
const TOP: [&str; 10] =
    ["store", "gateway", "cloud", "console", "journal", "content", "members", "codes", "device", "station"];

/// A configuration that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// The store it describes.
    pub store: Store,
    /// What the technician should still know.
    pub warnings: Vec<Diagnostic>,
    /// The texts the warnings point into.
    pub sources: Sources,
    /// The configuration's text, as it was read.
    pub text: String,
}

/// Loads the configuration in `path`. `profiles_dir` is looked into before the usual places.
pub fn load(path: &Path, profiles_dir: Option<&Path>) -> Result<Loaded, Refused> {
    let base = path.parent().unwrap_or(Path::new(""));
    match document::read_text(path) {
        Ok(text) => load_text(&text, path, base, profiles_dir),
        Err(unreadable) => Err(refuse_file(path, unreadable)),
    }
}

/// Loads a configuration from its text. `file` is the name that diagnostics show; relative paths in the text are
/// relative to `base`, and profiles are looked for in `profiles_dir` and then, as usual, beside the configuration,
/// which is `base`.
pub fn load_text(text: &str, file: &Path, base: &Path, profiles_dir: Option<&Path>) -> Result<Loaded, Refused> {
    load_with(text, file, base, CATALOGUE, &Places::usual(profiles_dir, base, CATALOGUE))
}

/// [`load_text`], with profiles that are given beside it and count before those of the usual places.
pub fn load_draft(
    text: &str,
    profiles: &BTreeMap<String, String>,
    file: &Path,
    base: &Path,
    profiles_dir: Option<&Path>,
) -> Result<Loaded, Refused> {
    let places = Places { kept: profiles.clone(), ..Places::usual(profiles_dir, base, CATALOGUE) };
    load_with(text, file, base, CATALOGUE, &places)
}

fn refuse_file(path: &Path, unreadable: document::Unreadable) -> Refused {
    let (code, message, help) = unreadable.explain();
    let mut sources = Sources::default();
    let mut report = Report::default();
    let mut span = None;
    if let document::Unreadable::NotUtf8(text, valid) = unreadable {
        span = Some(valid..valid + char::REPLACEMENT_CHARACTER.len_utf8());
        sources.insert(path, text);
    }
    report.error(path, span, code, message, help);
    Refused { diagnostics: report.into_sorted(path), sources }
}

fn load_with(
    text: &str,
    file: &Path,
    base: &Path,
    catalogue: &[&dyn DeviceKind],
    places: &Places,
) -> Result<Loaded, Refused> {
    let mut sources = Sources::default();
    sources.insert(file, text.to_owned());
    let mut checked = Checked { file, base, text, report: Report::default() };
    let document = Document::parse(file, text, &mut checked.report);
    let store = document.and_then(|document| check(document, Shelf { catalogue, places }, &mut sources, &mut checked));
    let refuses = checked.report.refuses();
    let diagnostics = checked.report.into_sorted(file);
    match store {
        Some(store) if !refuses => Ok(Loaded { store, warnings: diagnostics, sources, text: text.to_owned() }),
        _ => Err(Refused { diagnostics, sources }),
    }
}

/// Checks everything. `None` only together with an error in the report.
fn check<'a>(
    mut document: Document<'a>,
    shelf: Shelf<'_>,
    sources: &mut Sources,
    checked: &mut Checked<'a>,
) -> Option<Store> {
    document.unknown_keys(&TOP, &mut checked.report);
    let store = required(&mut document, "store", checked).and_then(|raw| sections::store(&raw, checked));
    let gateway = required(&mut document, "gateway", checked).and_then(|raw| sections::gateway(&raw, checked));
    let cloud = optional(&mut document, "cloud", checked).map(|(raw, _)| sections::cloud(&raw, checked));
    let console = optional(&mut document, "console", checked).map(|(raw, at)| sections::console(&raw, &at, checked));
    let journal = optional(&mut document, "journal", checked).map(|(raw, _)| sections::journal(&raw, checked));
    let content = optional(&mut document, "content", checked).map(|(raw, _)| sections::content(&raw, checked));
    let members = optional(&mut document, "members", checked);
    let members = members.map(|(raw, at)| sections::members(&raw, &at, checked));
    let codes = optional(&mut document, "codes", checked).map(|(raw, _)| sections::codes(&raw, checked));
    let codes: CodeGrammars = codes.unwrap_or_default();
    let devices = document.take_list("device", &mut checked.report);
    let utc = jiff::tz::TimeZone::UTC;
    let premises = Premises {
        codes: &codes,
        timezone: store.as_ref().map_or(&utc, |(_, timezone)| timezone),
        models_dir: gateway.as_ref().map_or(Path::new(""), |gateway| &gateway.models_dir),
    };
    let (devices, declared) = devices::devices(devices, shelf, premises, sources, checked);
    let stations = document.take_list("station", &mut checked.report);
    let stations = stations::stations(&stations, &declared, checked);
    let ((id, timezone), gateway) = (store?, gateway?);
    Some(Store {
        id,
        timezone,
        gateway,
        cloud: cloud.flatten(),
        console: console.flatten(),
        journal: journal.unwrap_or_default(),
        content,
        members,
        codes,
        devices,
        stations,
    })
}

fn required<T>(document: &mut Document<'_>, key: &str, checked: &mut Checked<'_>) -> Option<T>
where
    T: serde::de::DeserializeOwned + schemars::JsonSchema,
{
    if !document.has(key) {
        let help = format!("add a line `[{key}]` and its keys below it");
        checked.error(0..0, "missing-key", format!("the section [{key}] is missing"), help);
    }
    optional(document, key, checked).map(|(raw, _)| raw)
}

fn optional<T>(document: &mut Document<'_>, key: &str, checked: &mut Checked<'_>) -> Option<(T, crate::types::Span)>
where
    T: serde::de::DeserializeOwned + schemars::JsonSchema,
{
    let section: Section<'_> = document.take(key, &mut checked.report)?;
    let (raw, mistakes) = section.salvage();
    checked.report.extend(mistakes);
    raw.map(|raw| (raw, section.span))
}
