//! Facts and settings of cameras: as the files have them, then checked.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::eyes::Manner;
use super::source::{LoginFile, Pace, Plan};
use crate::device::{Checks, RawDevice, Section};
use crate::sense::vision::scene::{Line, Scene, Zone};
use crate::sense::vision::{Point, Rect};
use crate::transport::{CameraWish, Pixels};
use crate::types::{Endpoint, ZoneId, units};

const SIDE: RangeInclusive<u32> = 64..=3840;
const FPS: RangeInclusive<u32> = 1..=60;
const VIEW_DEG: RangeInclusive<u32> = 10..=170;
/// Zones of one camera, and parts that are hidden.
const ZONES: usize = 32;
/// Size of what a camera of a network gives: it is its own choice.
const USUAL: (u32, u32) = (1280, 720);
/// Length of windows.
const WINDOW: Duration = Duration::from_secs(60);

/// Facts of a camera.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Facts {
    /// Columns that are asked for; the camera gives what it has that is nearest. `camera.v4l2` only.
    #[schemars(with = "Option<u32>", range(min = 64, max = 3840))]
    width: Option<Spanned<u32>>,
    /// Rows that are asked for. `camera.v4l2` only.
    #[schemars(with = "Option<u32>", range(min = 64, max = 3840))]
    height: Option<Spanned<u32>>,
    /// Forms of pictures, the best first: "mjpeg", "yuyv". `camera.v4l2` only.
    #[schemars(with = "Option<Vec<String>>")]
    pixels: Option<Vec<Spanned<String>>>,
    /// Pictures a second that are looked at; a USB camera is asked for so many.
    #[schemars(with = "u32", range(min = 1, max = 60))]
    fps: Spanned<u32>,
    /// How much of the world the picture's width shows, in degrees: what distances are told by.
    #[schemars(with = "u32", range(min = 10, max = 170))]
    view_deg: Spanned<u32>,
    /// A camera that gives no picture for so long has stalled, and is opened anew: "3s".
    #[schemars(with = "String")]
    stalled_after: Spanned<String>,
}

/// Settings of a camera. Places in the picture are parts of its width and height, 0 to 1, from the top left.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choices {
    /// Columns that are asked for, if not as the profile says. `camera.v4l2` only.
    #[schemars(with = "Option<u32>", range(min = 64, max = 3840))]
    width: Option<Spanned<u32>>,
    /// Rows that are asked for, if not as the profile says. `camera.v4l2` only.
    #[schemars(with = "Option<u32>", range(min = 64, max = 3840))]
    height: Option<Spanned<u32>>,
    /// Pictures a second that are looked at, if not as the profile says.
    #[schemars(with = "Option<u32>", range(min = 1, max = 60))]
    fps: Option<Spanned<u32>>,
    /// How much of the world the picture's width shows, in degrees, if not as the profile says.
    #[schemars(with = "Option<u32>", range(min = 10, max = 170))]
    view_deg: Option<Spanned<u32>>,
    /// Named parts of the picture, at most 32: `[{ name = "shelf", x = 0.0, y = 0.2, w = 0.4, h = 0.6 }]`. Where they
    /// overlap, the first counts.
    #[serde(default)]
    #[schemars(with = "Vec<NamedPart>")]
    zones: Vec<Spanned<NamedPart>>,
    /// A line that people cross: `{ from = [0.5, 0.0], to = [0.5, 1.0] }`. Inwards is from its left to its right side,
    /// looking from `from` to `to`.
    #[schemars(with = "Option<Ends>")]
    line: Option<Spanned<Ends>>,
    /// Parts of the picture that are blackened before anything looks, at most 32: `[{ x = 0.0, y = 0.0, w = 0.2, h =
    /// 1.0 }]`.
    #[serde(default)]
    #[schemars(with = "Vec<Part>")]
    hidden: Vec<Spanned<Part>>,
    /// Length of the windows that are counted: 1 s to 1 h, in whole seconds that divide a day. Default: "1min".
    #[schemars(with = "Option<String>")]
    window: Option<Spanned<String>>,
    /// Whether members who consented are recognised. Default: false.
    #[serde(default)]
    recognition: bool,
    /// Who logs in at a network camera.
    #[schemars(with = "Option<String>")]
    username: Option<Spanned<String>>,
    /// The file that has the password, relative to the configuration.
    #[schemars(with = "Option<String>")]
    password_file: Option<Spanned<String>>,
    /// Whether a folder is played again and again. Default: false. `camera.frames` only.
    #[schemars(with = "Option<bool>")]
    repeat: Option<Spanned<bool>>,
}

/// A rectangle, by parts of the picture's width and height.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// Left edge.
    x: f32,
    /// Upper edge.
    y: f32,
    /// Width.
    w: f32,
    /// Height.
    h: f32,
}

/// A rectangle with a name.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedPart {
    /// Its name: a-z, 0-9 and `-`.
    name: String,
    /// Left edge.
    x: f32,
    /// Upper edge.
    y: f32,
    /// Width.
    w: f32,
    /// Height.
    h: f32,
}

/// The ends of a line.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ends {
    /// One end: `[x, y]`.
    from: [f32; 2],
    /// The other: `[x, y]`.
    to: [f32; 2],
}

/// The sorts of cameras.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// USB.
    Node,
    /// H.264 over RTSP.
    Rtsp,
    /// MJPEG over HTTP.
    Mjpeg,
    /// A folder.
    Folder,
}

impl Sort {
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Node => "camera.v4l2",
            Self::Rtsp => "camera.rtsp",
            Self::Mjpeg => "camera.mjpeg",
            Self::Folder => "camera.frames",
        }
    }

    pub(super) const fn profiles(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Node => &[("camera/v4l2", include_str!("../../../device-profiles/camera/v4l2.toml"))],
            Self::Rtsp => &[("camera/rtsp", include_str!("../../../device-profiles/camera/rtsp.toml"))],
            Self::Mjpeg => &[("camera/mjpeg", include_str!("../../../device-profiles/camera/mjpeg.toml"))],
            Self::Folder => &[("camera/frames", include_str!("../../../device-profiles/camera/frames.toml"))],
        }
    }

    const fn endpoint(self) -> &'static str {
        match self {
            Self::Node => "v4l2:PATH",
            Self::Rtsp => "rtsp://…",
            Self::Mjpeg => "http://…",
            Self::Folder => "frames:DIR",
        }
    }
}

/// Where it looks through, checked.
pub(super) fn plan(
    checks: &mut Checks,
    sort: Sort,
    raw: &RawDevice<'_>,
    facts: &Facts,
    choices: &Choices,
) -> Option<Plan> {
    misplaced(checks, sort, raw, facts, choices);
    let login = login(checks, raw, choices);
    match (sort, &raw.endpoint) {
        (Sort::Node, Endpoint::V4l2(path)) => {
            Some(Plan::Node { path: path.clone(), wish: wish(checks, raw, facts, choices) })
        }
        (Sort::Rtsp, Endpoint::Rtsp(url)) => Some(Plan::Rtsp { url: url.clone(), login }),
        (Sort::Mjpeg, Endpoint::Http(url)) => Some(Plan::Mjpeg { url: url.clone(), login }),
        (Sort::Folder, Endpoint::Frames(path)) => {
            let repeats = choices.repeat.as_ref().is_some_and(|repeat| *repeat.get_ref());
            Some(Plan::Folder { path: path.clone(), fps: f64::from(fps(facts, choices)), repeats })
        }
        (_, other) => {
            let message = format!("a device of this profile cannot be at {}:", other.scheme());
            let help = format!("name {}", sort.endpoint());
            checks.add(&raw.settings, raw.endpoint_span.clone(), "wrong-endpoint", (message, &help));
            None
        }
    }
}

/// What is said of a camera that it does not have.
fn misplaced(checks: &mut Checks, sort: Sort, raw: &RawDevice<'_>, facts: &Facts, choices: &Choices) {
    let mut refuse = |section: &Section<'_>, key: &str, at: Option<std::ops::Range<usize>>, only: &str| {
        if let Some(at) = at {
            let message = format!("`{key}` means nothing for this camera");
            checks.add(section, at, "misplaced", (message, &format!("take it out: it is for {only} only")));
        }
    };
    let span = |value: &Option<Spanned<u32>>| value.as_ref().map(Spanned::span);
    let text = |value: &Option<Spanned<String>>| value.as_ref().map(Spanned::span);
    if sort != Sort::Node {
        refuse(&raw.facts, "width", span(&facts.width), "camera.v4l2");
        refuse(&raw.facts, "height", span(&facts.height), "camera.v4l2");
        let first = facts.pixels.as_ref().map(|pixels| pixels.first().map_or(raw.facts.span.clone(), Spanned::span));
        refuse(&raw.facts, "pixels", first, "camera.v4l2");
        refuse(&raw.settings, "width", span(&choices.width), "camera.v4l2");
        refuse(&raw.settings, "height", span(&choices.height), "camera.v4l2");
    }
    if !matches!(sort, Sort::Rtsp | Sort::Mjpeg) {
        refuse(&raw.settings, "username", text(&choices.username), "network cameras");
        refuse(&raw.settings, "password_file", text(&choices.password_file), "network cameras");
    }
    if sort != Sort::Folder {
        refuse(&raw.settings, "repeat", choices.repeat.as_ref().map(Spanned::span), "camera.frames");
    }
}

fn login(checks: &mut Checks, raw: &RawDevice<'_>, choices: &Choices) -> Option<LoginFile> {
    let beside = raw.settings.file.parent().unwrap_or(Path::new(""));
    match (&choices.username, &choices.password_file) {
        (Some(user), Some(file)) => {
            Some(LoginFile { user: user.get_ref().clone(), password_file: beside.join(file.get_ref()) })
        }
        (Some(alone), None) | (None, Some(alone)) => {
            let message = "a login has a `username` and a `password_file`".to_owned();
            checks.add(&raw.settings, alone.span(), "missing-key", (message, "add the other one"));
            None
        }
        (None, None) => None,
    }
}

fn wish(checks: &mut Checks, raw: &RawDevice<'_>, facts: &Facts, choices: &Choices) -> CameraWish {
    let mut side = |name: &str, fact: &Option<Spanned<u32>>, choice: &Option<Spanned<u32>>, usual: u32| {
        for (section, value) in [(&raw.facts, fact), (&raw.settings, choice)] {
            if let Some(value) = value {
                checks.range(section, name, value, &SIDE);
            }
        }
        choice.as_ref().or(fact.as_ref()).map_or(usual, |side| *side.get_ref())
    };
    let width = side("width", &facts.width, &choices.width, USUAL.0);
    let height = side("height", &facts.height, &choices.height, USUAL.1);
    let mut pixels = Vec::new();
    for word in facts.pixels.iter().flatten() {
        match word.get_ref().as_str() {
            "mjpeg" => pixels.push(Pixels::Mjpeg),
            "yuyv" => pixels.push(Pixels::Yuyv),
            other => {
                let message = format!("there is no form \"{other}\"");
                checks.add(&raw.facts, word.span(), "invalid-value", (message, "write \"mjpeg\" or \"yuyv\""));
            }
        }
    }
    if pixels.is_empty() {
        pixels = vec![Pixels::Mjpeg, Pixels::Yuyv];
    }
    CameraWish { width, height, fps: fps(facts, choices), pixels }
}

fn fps(facts: &Facts, choices: &Choices) -> u32 {
    *choices.fps.as_ref().unwrap_or(&facts.fps).get_ref()
}

/// How the camera looks, checked.
pub(super) fn manner(checks: &mut Checks, raw: &RawDevice<'_>, facts: &Facts, choices: &Choices) -> Manner {
    checks.range(&raw.facts, "fps", &facts.fps, &FPS);
    checks.range(&raw.facts, "view_deg", &facts.view_deg, &VIEW_DEG);
    for (name, value, range) in [("fps", &choices.fps, &FPS), ("view_deg", &choices.view_deg, &VIEW_DEG)] {
        if let Some(value) = value {
            checks.range(&raw.settings, name, value, range);
        }
    }
    let stalled_after = duration(checks, &raw.facts, "stalled_after", &facts.stalled_after, Duration::from_secs(600));
    let window = choices.window.as_ref().map_or(WINDOW, |text| window(checks, &raw.settings, text));
    let (scene, zones) = scene(checks, raw, facts, choices);
    let every = Duration::from_secs(1) / fps(facts, choices).max(1);
    Manner {
        scene,
        zones,
        window,
        pace: Pace { every, stalled_after, waits: false, returns: true },
        recognition: choices.recognition,
        models_dir: raw.models_dir.to_owned(),
    }
}

fn scene(checks: &mut Checks, raw: &RawDevice<'_>, facts: &Facts, choices: &Choices) -> (Scene, Vec<ZoneId>) {
    let section = &raw.settings;
    let too_many = [choices.zones.get(ZONES).map(Spanned::span), choices.hidden.get(ZONES).map(Spanned::span)];
    for at in too_many.into_iter().flatten() {
        let message = format!("more than {ZONES} parts of the picture");
        checks.add(section, at, "too-many", (message, "join some of them"));
    }
    let (mut zones, mut names) = (Vec::new(), Vec::new());
    for zone in choices.zones.iter().take(ZONES) {
        let NamedPart { name, x, y, w, h } = zone.get_ref().clone();
        match ZoneId::new(&name) {
            Ok(id) if !names.contains(&id) => names.push(id),
            Ok(_) => {
                let message = format!("a second zone named \"{name}\"");
                checks.add(section, zone.span(), "duplicate-id", (message, "give each its own name"));
            }
            Err(error) => {
                let message = format!("zone name \"{name}\": {error}");
                checks.add(section, zone.span(), "invalid-value", (message, "write a name such as \"shelf-1\""));
            }
        }
        zones.push(Zone { name, place: part(checks, section, Part { x, y, w, h }, zone.span()) });
    }
    let hidden = choices.hidden.iter().take(ZONES);
    let hidden = hidden.map(|one| part(checks, section, *one.get_ref(), one.span())).collect();
    let line = choices.line.as_ref().and_then(|line| ends(checks, section, line));
    let view = choices.view_deg.as_ref().unwrap_or(&facts.view_deg);
    let view_deg = f32::from(u16::try_from(*view.get_ref()).unwrap_or(0));
    (Scene { view_deg, zones, line, hidden }, names)
}

fn part(checks: &mut Checks, section: &Section<'_>, part: Part, at: std::ops::Range<usize>) -> Rect {
    let Part { x, y, w, h } = part;
    let is_inside = |from: f32, length: f32| from >= 0.0 && length > 0.0 && from + length <= 1.0 + f32::EPSILON;
    if !(is_inside(x, w) && is_inside(y, h)) {
        let help = "x, y, w and h are parts of the picture, 0 to 1, with x + w and y + h at most 1";
        checks.add(section, at, "out-of-range", ("this is no part of the picture".to_owned(), help));
    }
    Rect { x, y, w, h }
}

fn ends(checks: &mut Checks, section: &Section<'_>, line: &Spanned<Ends>) -> Option<Line> {
    let Ends { from, to } = *line.get_ref();
    let is_inside = from.iter().chain(&to).all(|at| (0.0..=1.0).contains(at));
    if !is_inside || (from[0] - to[0]).hypot(from[1] - to[1]) < 0.05 {
        let help = "its ends are parts of the picture, 0 to 1, and at least 0.05 apart";
        checks.add(section, line.span(), "out-of-range", ("this is no line in the picture".to_owned(), help));
        return None;
    }
    let point = |[x, y]: [f32; 2]| Point { x, y };
    Some(Line { from: point(from), to: point(to) })
}

fn duration(
    checks: &mut Checks,
    section: &Section<'_>,
    name: &str,
    text: &Spanned<String>,
    most: Duration,
) -> Duration {
    let help = format!("give a time from 1s to {}", units::format_duration(most));
    match units::parse_duration(text.get_ref()) {
        Ok(time) if (Duration::from_secs(1)..=most).contains(&time) => return time,
        Ok(_) => {
            let message = format!("{name} is \"{}\"", text.get_ref());
            checks.add(section, text.span(), "out-of-range", (message, &help));
        }
        Err(error) => {
            checks.add(section, text.span(), "invalid-value", (format!("{name}: {error}"), units::DURATION_HELP));
        }
    }
    Duration::from_secs(1)
}

fn window(checks: &mut Checks, section: &Section<'_>, text: &Spanned<String>) -> Duration {
    let window = duration(checks, section, "window", text, Duration::from_secs(3600));
    if window.subsec_nanos() != 0 || 86_400 % window.as_secs() != 0 {
        let message = format!("a day is not a number of windows of \"{}\"", text.get_ref());
        checks.add(
            section,
            text.span(),
            "out-of-range",
            (message, "write whole seconds such as \"1min\" or \"15min\""),
        );
    }
    window
}
