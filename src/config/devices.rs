//! The meaning of `[[device]]`: names, endpoints, profiles; the rest is its kind's to check.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::document::Document;
use super::limits;
use super::profiles::{Places, ProfileText, is_profile_name};
use super::raw::{RawDeviceTable, RawProfile};
use super::report::{Checked, Report};
use super::sections::NAME_HELP;
use super::sources::Sources;
use super::store::ConfiguredDevice;
use crate::device::{Device, DeviceKind, RawDevice, Section};
use crate::types::{CodeGrammars, DeviceId, Diagnostic, Endpoint, Span, nearest};

/// Stands in for a name that is wrong, so that the rest of the device is still checked.
const UNNAMED: &str = "unnamed";

/// A device's name as the file writes it, right or wrong, and its profile if there is one of that name: what stations
/// are compared with, so that a mistake in a device does not make its station wrong, too.
pub(super) type Declared = BTreeMap<String, Option<String>>;

/// The kinds there are, and the profiles.
#[derive(Clone, Copy)]
pub(super) struct Shelf<'a> {
    pub(super) catalogue: &'a [&'a dyn DeviceKind],
    pub(super) places: &'a Places,
}

/// What a device may need to know of the store that it stands in.
#[derive(Clone, Copy)]
pub(super) struct Premises<'a> {
    pub(super) codes: &'a CodeGrammars,
    pub(super) timezone: &'a TimeZone,
    pub(super) models_dir: &'a Path,
}

/// A `[[device]]` read, its parts not yet checked.
struct Read<'a> {
    raw: RawDeviceTable,
    settings: Option<Section<'a>>,
    span: Span,
    /// Its unknown keys, which its kind may know where to put.
    unknown: Vec<Diagnostic>,
}

impl Read<'_> {
    /// Its name as written.
    fn name(&self) -> &str {
        self.raw.id.as_ref().map_or(UNNAMED, |id| id.get_ref().as_str())
    }
}

/// Reads every `[[device]]`, and makes devices of those that are right.
pub(super) fn devices<'a>(
    sections: Vec<Section<'a>>,
    shelf: Shelf<'_>,
    premises: Premises<'_>,
    sources: &mut Sources,
    checked: &mut Checked<'a>,
) -> (Vec<ConfiguredDevice>, Declared) {
    if let Some(first) = sections.get(limits::DEVICES) {
        let message = format!("more than {} devices", limits::DEVICES);
        checked.error(first.span.clone(), "too-many", message, "use a second gateway");
    }
    let read: Vec<Read<'a>> =
        sections.into_iter().take(limits::DEVICES).filter_map(|section| read_device(section, checked)).collect();
    distinct_names(&read, checked);
    distinct_endpoints(&read, checked);
    let profiles = find_profiles(&read, shelf, sources, checked);
    let declared = read.iter().filter_map(|device| declared(device, &profiles)).collect();
    let devices: Vec<ConfiguredDevice> =
        read.iter().filter_map(|device| configure(device, &profiles, shelf, premises, checked)).collect();
    speakers(&devices, &declared, checked);
    distinct_holdings(&devices, checked);
    (devices, declared)
}

/// What a device has to itself, such as a kiosk's browser, no other one has.
fn distinct_holdings(devices: &[ConfiguredDevice], checked: &mut Checked<'_>) {
    let mut seen: BTreeMap<String, &DeviceId> = BTreeMap::new();
    for (device, held) in devices.iter().filter_map(|one| Some((one, one.device.held()?))) {
        match seen.get(&held.what) {
            Some(first) => {
                let message = format!("\"{first}\" has {} already", held.what);
                checked.error(held.span, "duplicate-endpoint", message, "each device has one of its own");
            }
            None => {
                seen.insert(held.what, device.id());
            }
        }
    }
}

/// Who speaks for another device has to be there, to be of its family and to speak for itself.
fn speakers(devices: &[ConfiguredDevice], declared: &Declared, checked: &mut Checked<'_>) {
    let family = |of: &ConfiguredDevice| of.kind.split('.').next();
    for (device, speaker) in devices.iter().filter_map(|one| Some((one, one.device.speaker()?))) {
        let name = speaker.device.as_str();
        let found = devices.iter().find(|other| other.id() == speaker.device);
        let (message, help) = match found {
            // A mistake of that device has been said there.
            None if declared.contains_key(name) => continue,
            None => (format!("there is no device \"{name}\""), "name a [[device]] of this file"),
            Some(other) if other.id() == device.id() => {
                (format!("\"{name}\" cannot speak for itself in this way"), "leave it out")
            }
            Some(other) if family(other) != family(device) => {
                (format!("\"{name}\" is another kind of device"), "name a device of the same family")
            }
            Some(other) if other.device.speaker().is_some() => {
                (format!("another device speaks for \"{name}\", too"), "name that one here")
            }
            Some(_) => continue,
        };
        checked.error(speaker.span, "wrong-speaker", message, help.to_owned());
    }
}

fn read_device<'a>(mut section: Section<'a>, checked: &mut Checked<'a>) -> Option<Read<'a>> {
    let span = section.span.clone();
    let settings = Document::take_inner(&mut section, "settings", span.clone(), &mut checked.report);
    let (raw, mistakes) = section.salvage::<RawDeviceTable>();
    let (unknown, mistakes) = mistakes.into_iter().partition(|mistake| mistake.code == "unknown-key");
    checked.report.extend(mistakes);
    Some(Read { raw: raw?, settings, span, unknown })
}

fn declared(device: &Read<'_>, profiles: &BTreeMap<String, ProfileText>) -> Option<(String, Option<String>)> {
    let id = device.raw.id.as_ref()?.get_ref().clone();
    let profile = device.raw.profile.as_ref().map(|profile| profile.get_ref());
    Some((id, profile.filter(|profile| profiles.contains_key(*profile)).cloned()))
}

fn distinct_names(devices: &[Read<'_>], checked: &mut Checked<'_>) {
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for id in devices.iter().filter_map(|device| device.raw.id.as_ref()) {
        match seen.get(id.get_ref().as_str()) {
            Some(first) => {
                let help = format!("the first one is in line {}: give each its own name", checked.line(first));
                checked.error(id.span(), "duplicate-id", format!("a second device named \"{}\"", id.get_ref()), help);
            }
            None => {
                seen.insert(id.get_ref(), id.span());
            }
        }
    }
}

fn distinct_endpoints(devices: &[Read<'_>], checked: &mut Checked<'_>) {
    let mut seen: BTreeMap<Endpoint, Span> = BTreeMap::new();
    for text in devices.iter().filter_map(|device| device.raw.endpoint.as_ref()) {
        let Ok(endpoint) = Endpoint::parse(text.get_ref()) else { continue };
        if endpoint == Endpoint::Screen {
            continue;
        }
        let line = resolved(absolute(endpoint.clone(), checked.base));
        match seen.get(&line) {
            Some(first) => {
                let help =
                    format!("the first one is in line {}: each device has a line of its own", checked.line(first));
                let message = format!("a second device at {endpoint}");
                checked.error(text.span(), "duplicate-endpoint", message, help);
            }
            None => {
                seen.insert(line, text.span());
            }
        }
    }
}

/// The endpoint with its path relative to the configuration's directory.
fn absolute(endpoint: Endpoint, base: &Path) -> Endpoint {
    on_path(endpoint, |path| base.join(path))
}

/// What two devices cannot share: the endpoint with every link of its path followed, as far as the path exists on this
/// machine.
fn resolved(endpoint: Endpoint) -> Endpoint {
    match endpoint {
        // Each listens at an address of its own, whatever the path.
        Endpoint::Post(place) => Endpoint::Post(place.split('/').next().unwrap_or_default().to_owned()),
        other => on_path(other, |path| path.canonicalize().unwrap_or(path)),
    }
}

fn on_path(endpoint: Endpoint, change: impl FnOnce(PathBuf) -> PathBuf) -> Endpoint {
    match endpoint {
        Endpoint::Serial(path) => Endpoint::Serial(change(path)),
        Endpoint::Evdev(path) => Endpoint::Evdev(change(path)),
        Endpoint::V4l2(path) => Endpoint::V4l2(change(path)),
        Endpoint::Frames(path) => Endpoint::Frames(change(path)),
        Endpoint::Pcap(path) => Endpoint::Pcap(change(path)),
        other => other,
    }
}

/// Finds each profile once; what is missing is said at every device that names it.
fn find_profiles(
    devices: &[Read<'_>],
    shelf: Shelf<'_>,
    sources: &mut Sources,
    checked: &mut Checked<'_>,
) -> BTreeMap<String, ProfileText> {
    let mut found: BTreeMap<String, ProfileText> = BTreeMap::new();
    for name in devices.iter().filter_map(|device| device.raw.profile.as_ref()) {
        if found.contains_key(name.get_ref()) {
            continue;
        }
        let profile = if is_profile_name(name.get_ref()) { shelf.places.find(name.get_ref()) } else { None };
        let Some(profile) = profile else {
            unknown_profile(name, shelf.places, checked);
            continue;
        };
        match &profile.text {
            Ok(text) => sources.insert(&profile.path, text.clone()),
            Err(unreadable) => {
                let (code, message, help) = unreadable.explain();
                let message = format!("profile {}: {message}", profile.path.display());
                checked.error(name.span(), code, message, help);
            }
        }
        found.insert(name.get_ref().clone(), profile);
    }
    found
}

fn unknown_profile(name: &Spanned<String>, places: &Places, checked: &mut Checked<'_>) {
    let known = places.names();
    let near = nearest(name.get_ref(), known.iter().map(String::as_str));
    let guess = near.map_or_else(String::new, |near| format!("did you mean \"{near}\"? "));
    let listed: Vec<&str> = known.iter().map(String::as_str).take(limits::NAMES).collect();
    let help = if listed.is_empty() {
        "no profile was found anywhere".to_owned()
    } else {
        format!("{guess}Profiles here: {}", listed.join(", "))
    };
    checked.error(name.span(), "unknown-profile", format!("there is no profile \"{}\"", name.get_ref()), help);
}

/// Checks one device: what it says itself, then its profile, then what only its kind can check.
fn configure<'a>(
    device: &Read<'a>,
    profiles: &BTreeMap<String, ProfileText>,
    shelf: Shelf<'_>,
    premises: Premises<'_>,
    checked: &mut Checked<'a>,
) -> Option<ConfiguredDevice> {
    let raw = &device.raw;
    let id = checked.parse("id", raw.id.as_ref(), NAME_HELP, DeviceId::new);
    let endpoint = raw.endpoint.as_ref().and_then(|text| endpoint(text, checked));
    let profile = raw.profile.as_ref().and_then(|name| profiles.get(name.get_ref()));
    let mut report = Report::default();
    let described = profile.and_then(|profile| {
        let text = profile.text.as_ref().ok()?;
        facts(&profile.path, text, shelf, &mut report)
    });
    let profile_path = profile.map_or(Path::new(""), |profile| profile.path.as_path());
    checked.report.extend(used_by(report.into_sorted(profile_path), device.name()));
    let kind = described.as_ref().map(|(kind, _)| *kind);
    checked.report.extend(misplaced(device.unknown.clone(), kind, checked.text));
    let (kind, facts) = described?;
    let made = make(device, kind, facts, (id, endpoint), premises, checked)?;
    let written = device.settings.as_ref().and_then(|settings| settings.table.clone());
    let settings = with_defaults(written, &kind.schemas().settings);
    let profile = raw.profile.as_ref()?.get_ref().clone();
    let profile_text = profiles.get(&profile).and_then(|found| found.text.as_ref().ok()).cloned().unwrap_or_default();
    Some(ConfiguredDevice { device: made, kind: kind.name(), profile, profile_text, settings })
}

/// Lets the kind check facts, settings and endpoint. A wrong name or endpoint is stood in for, so that the rest is
/// checked in the same run.
fn make<'a>(
    device: &Read<'a>,
    kind: &dyn DeviceKind,
    facts: Section<'_>,
    (id, endpoint): (Option<DeviceId>, Option<Endpoint>),
    premises: Premises<'_>,
    checked: &mut Checked<'a>,
) -> Option<Box<dyn Device>> {
    let profile = facts.file;
    let whole = id.is_some() && endpoint.is_some();
    let endpoint_known = endpoint.is_some();
    let endpoint_span = device.raw.endpoint.as_ref().map_or(device.span.clone(), Spanned::span);
    let made = kind.configure(RawDevice {
        id: id.or_else(|| DeviceId::new(UNNAMED).ok())?,
        endpoint: endpoint.unwrap_or(Endpoint::Screen),
        endpoint_span: endpoint_span.clone(),
        facts,
        settings: device.settings.clone()?,
        codes: premises.codes,
        timezone: premises.timezone,
        models_dir: premises.models_dir,
    });
    let mut mistakes = match made {
        Ok(made) => return whole.then_some(made),
        Err(mistakes) => mistakes,
    };
    // Of an endpoint that only stands in for a wrong one nothing more is to be said.
    mistakes.retain(|d| endpoint_known || d.file != checked.file || d.span.as_ref() != Some(&endpoint_span));
    let (of_profile, of_config) = mistakes.into_iter().partition(|d| d.file == profile);
    checked.report.extend(of_config);
    checked.report.extend(used_by(of_profile, device.name()));
    None
}

fn endpoint(text: &Spanned<String>, checked: &mut Checked<'_>) -> Option<Endpoint> {
    let schemes = || Endpoint::SCHEMES.split(", ").filter_map(|form| form.split(':').next());
    let scheme = text.get_ref().split(':').next().unwrap_or_default();
    let near = nearest(scheme, schemes()).filter(|near| *near != scheme);
    let guess = near.map_or_else(String::new, |near| format!("did you mean `{near}:`? "));
    let help = format!("{guess}One of {}", Endpoint::SCHEMES);
    let endpoint = checked.parse("endpoint", Some(text), &help, Endpoint::parse)?;
    Some(absolute(endpoint, checked.base))
}

/// Says of unknown keys of a device where they belong, when its kind knows them.
fn misplaced(mut unknown: Vec<Diagnostic>, kind: Option<&dyn DeviceKind>, text: &str) -> Vec<Diagnostic> {
    let Some(schemas) = kind.map(DeviceKind::schemas) else { return unknown };
    let has = |schema: &schemars::Schema, key: &str| {
        schema.get("properties").and_then(|keys| keys.as_object()).is_some_and(|keys| keys.contains_key(key))
    };
    for mistake in &mut unknown {
        let key = mistake.span.clone().and_then(|span| text.get(span)).unwrap_or_default();
        if has(&schemas.settings, key) {
            mistake.help = format!("`{key}` is this shop's choice: move it below a line [device.settings]");
        } else if has(&schemas.facts, key) {
            mistake.help = format!("`{key}` is a fact of the hardware: it stands in the profile, not here");
        }
    }
    unknown
}

/// The profile's kind and its facts.
fn facts<'p, 'k>(
    path: &'p Path,
    text: &'p str,
    shelf: Shelf<'k>,
    report: &mut Report,
) -> Option<(&'k dyn DeviceKind, Section<'p>)> {
    let mut document = Document::parse(path, text, report)?;
    let facts = document.take("facts", report);
    let (raw, mistakes) = document.whole().salvage::<RawProfile>();
    report.extend(mistakes);
    let kind = raw?.kind?;
    let absent = Section { file: path, span: kind.span(), table: None };
    let known = shelf.catalogue.iter().find(|known| known.name() == kind.get_ref().as_str());
    let Some(known) = known else {
        let names: Vec<&str> = shelf.catalogue.iter().map(|kind| kind.name()).collect();
        let near = nearest(kind.get_ref(), names.iter().copied());
        let guess = near.map_or_else(String::new, |near| format!("did you mean \"{near}\"? "));
        let help = format!("{guess}Kinds in this build: {}", names.join(", "));
        report.error(path, Some(kind.span()), "unknown-kind", format!("there is no kind \"{}\"", kind.get_ref()), help);
        return None;
    };
    Some((*known, facts.unwrap_or(absent)))
}

/// Says which device a mistake in a profile is about.
fn used_by(mut mistakes: Vec<Diagnostic>, device: &str) -> Vec<Diagnostic> {
    for mistake in &mut mistakes {
        mistake.help = format!("{} (profile of device `{device}`)", mistake.help);
    }
    mistakes
}

/// The settings as written, and the defaults that the schema names for what is not written.
fn with_defaults(written: Option<Spanned<DeTable<'_>>>, schema: &schemars::Schema) -> toml::Table {
    use serde::Deserialize;
    let mut settings = written
        .and_then(|table| {
            let value = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
            toml::Table::deserialize(ValueDeserializer::from(value)).ok()
        })
        .unwrap_or_default();
    let properties = schema.get("properties").and_then(|properties| properties.as_object());
    for (key, property) in properties.into_iter().flatten() {
        let default = property.get("default").and_then(|default| toml::Value::try_from(default).ok());
        if let Some(default) = default.filter(|_| !settings.contains_key(key)) {
            settings.insert(key.clone(), default);
        }
    }
    settings
}
