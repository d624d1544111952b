//! What the screens of a store show, as its manifest says it.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::{Date, Time};
use serde::{Deserialize, Serialize};

use super::limits;
use crate::types::{Currency, DeviceId, FacingId, Gtin, SceneId, Sha256, Sku, Timestamp, ZoneId};

/// The form that this version reads.
pub const FORMAT: &str = "smartstore-content/1";
/// Every screen that is not named itself.
pub const EVERY: &str = "*";
/// What a file may be: nothing that runs.
pub const TYPES: [&str; 7] =
    ["image/svg+xml", "image/png", "image/jpeg", "image/webp", "video/mp4", "video/webm", "image/avif"];

/// What is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

/// A text in the languages of the screens.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// Chinese, as it is written in mainland China.
    #[serde(rename = "zh-CN")]
    pub zh: String,
    /// English.
    pub en: String,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// Its size.
    pub bytes: u64,
    /// Its media type, one of [`TYPES`].
    pub r#type: String,
}

/// A part of a screen, in parts of its width and height.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Its name.
    pub id: String,
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
    /// Its width.
    pub w: f64,
    /// Its height.
    pub h: f64,
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemKind {
    /// A picture.
    Image,
    /// A film without sound.
    Video,
    /// A product's page.
    Product,
    /// Text alone.
    Text,
}

/// How an item comes after the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transition {
    /// At once.
    Cut,
    /// The one fades into the other.
    #[default]
    Fade,
    /// It pushes the other away.
    Slide,
}

/// Something that is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// Its file, of a picture or film.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// Its product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// How long it is shown, in milliseconds.
    pub dur_ms: u32,
    /// How it comes.
    #[serde(default)]
    pub transition: Transition,
    /// Its text; of a picture what it shows, for who cannot see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Words>,
}

/// A stretch of time that comes again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Days of the week, Monday is 1; none means every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dow: Vec<i8>,
    /// From when, `HH:MM` by the store's clock; midnight without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Until before when, `HH:MM` or `24:00`; not after `from` means the next day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// First day, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
}

/// Items that are shown one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playlist {
    /// Its name.
    pub id: String,
    /// On which screens; none means on every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub screens: Vec<String>,
    /// In which zone.
    pub zone: String,
    /// The highest that is on is shown; several of the same one after the other.
    #[serde(default)]
    pub prio: u8,
    /// The items, in order.
    pub items: Vec<String>,
    /// When; none means always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<When>,
}

/// Something that happens in the shop and has something shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Its name.
    pub id: String,
    /// The scene that sets it off, such as `facing:A3`.
    pub on: String,
    /// The item that is shown.
    pub show: String,
    /// How long, in milliseconds.
    pub for_ms: u32,
    /// Which of two that come together is shown.
    #[serde(default)]
    pub prio: u8,
    /// On which screens; none means on every one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub screens: Vec<String>,
}

/// Something that is sold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// The chain's number for it.
    pub sku: String,
    /// Its trade item number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gtin: Option<String>,
    /// Its name.
    pub name: Words,
    /// What is said of it.
    #[serde(default)]
    pub text: Words,
    /// Its price, in minor units.
    pub price_minor: u64,
    /// The price's currency (ISO 4217).
    pub currency: String,
    /// Its picture.
    pub asset: String,
    /// Where it lies on the shelf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facing: Option<String>,
    /// The machine that sells it, and from which lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock: Option<Stocked>,
    /// How it looks on a face, for a make-up mirror.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shade: Option<Shade>,
}

/// A product of make-up, as measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shade {
    /// Where it goes.
    pub part: FacePart,
    /// Its colour: CIELAB under D65.
    pub lab: [f32; 3],
    /// Whether it gleams.
    #[serde(default)]
    pub gloss: bool,
}

/// Where make-up goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FacePart {
    /// On the lips.
    Lips,
    /// On the cheeks.
    Blush,
}

/// Where a product's stock is known from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stocked {
    /// The machine.
    pub machine: String,
    /// Its lane.
    pub slot: u16,
}

/// The manifest.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    #[serde(default)]
    pub format: String,
    /// Counts up: content with a lower one than what is shown is refused.
    #[serde(default)]
    pub rev: u64,
    /// From when on it is shown (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// Until before when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<String>,
    /// The files, by their SHA-256.
    #[serde(default)]
    pub assets: BTreeMap<String, Asset>,
    /// Layouts: how a screen is divided.
    pub layouts: BTreeMap<String, Vec<Zone>>,
    /// The layout of each screen, by the device's name; `*` for those that are not named.
    pub screens: BTreeMap<String, String>,
    /// The items.
    #[serde(default)]
    pub items: BTreeMap<String, Item>,
    /// The playlists.
    #[serde(default)]
    pub playlists: Vec<Playlist>,
    /// The triggers.
    #[serde(default)]
    pub triggers: Vec<Trigger>,
    /// The products.
    #[serde(default)]
    pub products: Vec<Product>,
}

impl Manifest {
    /// Reads and checks one.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, up to [`limits::MISTAKES`].
    pub fn read(json: &[u8]) -> Result<Self, Mistakes> {
        let manifest: Self = serde_json::from_slice(json).map_err(|error| Mistakes(vec![error.to_string()]))?;
        let mistakes = Check::of(&manifest);
        if mistakes.is_empty() { Ok(manifest) } else { Err(Mistakes(mistakes)) }
    }

    /// The zones of a screen.
    pub fn zones(&self, screen: &str) -> &[Zone] {
        let layout = self.screens.get(screen).or_else(|| self.screens.get(EVERY));
        layout.and_then(|layout| self.layouts.get(layout)).map_or(&[], Vec::as_slice)
    }

    /// The files with their digests.
    pub fn files(&self) -> impl Iterator<Item = (Sha256, &Asset)> {
        self.assets.iter().filter_map(|(digest, asset)| Some((digest.parse().ok()?, asset)))
    }

    /// The product of that number.
    pub fn product(&self, sku: &str) -> Option<&Product> {
        self.products.iter().find(|product| product.sku == sku)
    }
}

/// Whether something is meant for a screen.
pub(super) fn is_for(screens: &[String], screen: &str) -> bool {
    screens.is_empty() || screens.iter().any(|named| named == screen || named == EVERY)
}

/// The minutes of a day that `HH:MM` names; `24:00` is the end of the day.
pub(super) fn minutes(text: &str) -> Option<u16> {
    if text == "24:00" {
        return Some(24 * 60);
    }
    let (hours, rest) = text.split_once(':')?;
    let is_two = |part: &str| part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_digit());
    let time = Time::new(hours.parse().ok()?, rest.parse().ok()?, 0, 0).ok()?;
    (is_two(hours) && is_two(rest)).then(|| u16::from(time.hour().unsigned_abs()) * 60 + minute_of(time))
}

fn minute_of(time: Time) -> u16 {
    u16::from(time.minute().unsigned_abs())
}

pub(super) fn day(text: &str) -> Option<Date> {
    text.parse().ok()
}

/// Collects what is wrong.
struct Check<'a> {
    manifest: &'a Manifest,
    mistakes: Vec<String>,
}

impl<'a> Check<'a> {
    fn of(manifest: &'a Manifest) -> Vec<String> {
        let mut check = Self { manifest, mistakes: Vec::new() };
        check.head();
        check.assets();
        check.layouts();
        check.items();
        check.playlists();
        check.triggers();
        check.products();
        check.mistakes.truncate(limits::MISTAKES);
        check.mistakes
    }

    fn demand(&mut self, holds: bool, words: impl FnOnce() -> String) {
        if !holds && self.mistakes.len() <= limits::MISTAKES {
            self.mistakes.push(words());
        }
    }

    fn most(&mut self, what: &str, count: usize, most: usize) {
        self.demand(count <= most, || format!("{count} {what}, at most {most}"));
    }

    fn head(&mut self) {
        let manifest = self.manifest;
        self.demand(manifest.format == FORMAT, || format!("format {:?}, not {FORMAT:?}", manifest.format));
        for (name, time) in [("valid_from", &manifest.valid_from), ("valid_to", &manifest.valid_to)] {
            let is_time = time.as_ref().is_none_or(|time| time.parse::<Timestamp>().is_ok());
            self.demand(is_time, || format!("{name} is not an RFC 3339 time"));
        }
    }

    fn assets(&mut self) {
        self.most("assets", self.manifest.assets.len(), limits::ASSETS);
        for (digest, asset) in &self.manifest.assets {
            self.demand(digest.parse::<Sha256>().is_ok(), || format!("asset {digest:?} is not named by a SHA-256"));
            let fits = (1..=limits::ASSET_BYTES).contains(&asset.bytes);
            self.demand(fits, || format!("asset {digest}: {} bytes", asset.bytes));
            let is_known = TYPES.contains(&asset.r#type.as_str());
            self.demand(is_known, || {
                format!("asset {digest}: type {:?}; {} can be shown", asset.r#type, TYPES.join(", "))
            });
        }
    }

    fn layouts(&mut self) {
        let manifest = self.manifest;
        self.most("layouts", manifest.layouts.len(), limits::LAYOUTS);
        self.most("screens", manifest.screens.len(), limits::LAYOUTS);
        for (name, zones) in &manifest.layouts {
            let fits = (1..=limits::ZONES).contains(&zones.len());
            self.demand(fits, || format!("layout {name:?}: {} zones, 1 to {}", zones.len(), limits::ZONES));
            for (place, zone) in zones.iter().enumerate() {
                let is_inside = [zone.x, zone.y].iter().all(|at| (0.0..1.0).contains(at))
                    && [zone.w, zone.h].iter().all(|size| *size > 0.0)
                    && zone.x + zone.w <= 1.000_001
                    && zone.y + zone.h <= 1.000_001;
                self.demand(is_inside, || format!("layout {name:?}: zone {:?} is not within the screen", zone.id));
                let is_new = !zones[..place].iter().any(|other| other.id == zone.id);
                let is_named = ZoneId::new(&zone.id).is_ok() && is_new;
                self.demand(is_named, || {
                    format!("layout {name:?}: {:?} is no name of a zone, or stands twice", zone.id)
                });
            }
        }
        for (screen, layout) in &manifest.screens {
            let is_screen = screen == EVERY || DeviceId::new(screen).is_ok();
            self.demand(is_screen, || format!("screens: {screen:?} is no device's name"));
            let is_layout = manifest.layouts.contains_key(layout);
            self.demand(is_layout, || format!("screens: {screen:?} has the layout {layout:?}, which there is not"));
        }
    }

    fn words(&mut self, of: &str, words: &Words) {
        for text in [&words.zh, &words.en] {
            let fits = text.chars().count() <= limits::WORDS && !text.chars().any(|c| c.is_control() && c != '\n');
            self.demand(fits, || format!("{of}: a text is longer than {} characters", limits::WORDS));
        }
    }

    fn asset_of(&mut self, of: &str, asset: Option<&String>, media: &str) {
        let found = asset.and_then(|digest| self.manifest.assets.get(digest));
        let fits = found.is_some_and(|asset| asset.r#type.starts_with(media));
        self.demand(fits, || format!("{of}: needs an `asset` of type {media}…"));
    }

    fn items(&mut self) {
        self.most("items", self.manifest.items.len(), limits::ITEMS);
        for (id, item) in &self.manifest.items {
            let of = format!("item {id:?}");
            let is_name = SceneId::new(id).is_ok() && !id.contains(':') && id != "home";
            self.demand(is_name, || format!("{of} is no name: letters, digits and . _ -"));
            let fits = (limits::SHORTEST_MS..=limits::LONGEST_MS).contains(&item.dur_ms);
            self.demand(fits, || format!("{of}: dur_ms is {}", item.dur_ms));
            match item.kind {
                ItemKind::Image => self.asset_of(&of, item.asset.as_ref(), "image/"),
                ItemKind::Video => self.asset_of(&of, item.asset.as_ref(), "video/"),
                ItemKind::Product => {
                    let is_there = item.sku.as_ref().is_some_and(|sku| self.manifest.product(sku).is_some());
                    self.demand(is_there, || format!("{of}: needs the `sku` of one of the products"));
                }
                ItemKind::Text => self.demand(item.text.is_some(), || format!("{of}: needs a `text`")),
            }
            if let Some(words) = &item.text {
                self.words(&of, words);
            }
        }
    }

    fn screens(&mut self, of: &str, screens: &[String]) {
        for screen in screens {
            let is_screen = screen == EVERY || DeviceId::new(screen).is_ok();
            self.demand(is_screen, || format!("{of}: {screen:?} is no device's name"));
        }
    }

    fn playlists(&mut self) {
        self.most("playlists", self.manifest.playlists.len(), limits::PLAYLISTS);
        for playlist in &self.manifest.playlists {
            let of = format!("playlist {:?}", playlist.id);
            let fits = (1..=limits::PLAYLIST_ITEMS).contains(&playlist.items.len());
            self.demand(fits, || format!("{of}: {} items", playlist.items.len()));
            for item in playlist.items.iter().filter(|item| !self.manifest.items.contains_key(*item)) {
                self.mistakes.push(format!("{of}: there is no item {item:?}"));
            }
            let has_zone = self.manifest.layouts.values().flatten().any(|zone| zone.id == playlist.zone);
            self.demand(has_zone, || format!("{of}: no layout has a zone {:?}", playlist.zone));
            self.screens(&of, &playlist.screens);
            self.most("times", playlist.when.len(), limits::WHENS);
            for when in &playlist.when {
                self.when(&of, when);
            }
        }
    }

    fn when(&mut self, of: &str, when: &When) {
        let is_week = when.dow.iter().all(|day| (1..=7).contains(day));
        self.demand(is_week, || format!("{of}: days of the week are 1 (Monday) to 7"));
        for time in [&when.from, &when.to].into_iter().flatten() {
            self.demand(minutes(time).is_some(), || format!("{of}: {time:?} is no time such as \"09:30\""));
        }
        self.demand(when.from.as_deref() != Some("24:00"), || format!("{of}: a time cannot begin at 24:00"));
        for date in [&when.first, &when.last].into_iter().flatten() {
            self.demand(day(date).is_some(), || format!("{of}: {date:?} is no day such as \"2026-11-22\""));
        }
    }

    fn triggers(&mut self) {
        self.most("triggers", self.manifest.triggers.len(), limits::TRIGGERS);
        for trigger in &self.manifest.triggers {
            let of = format!("trigger {:?}", trigger.id);
            let are_names = SceneId::new(&trigger.id).is_ok() && SceneId::new(&trigger.on).is_ok();
            self.demand(are_names, || format!("{of}: its name or `on` is none"));
            let has_item = self.manifest.items.contains_key(&trigger.show);
            self.demand(has_item, || format!("{of}: there is no item {:?}", trigger.show));
            let fits = (limits::SHORTEST_MS..=limits::LONGEST_MS).contains(&trigger.for_ms);
            self.demand(fits, || format!("{of}: for_ms is {}", trigger.for_ms));
            self.screens(&of, &trigger.screens);
        }
    }

    fn products(&mut self) {
        self.most("products", self.manifest.products.len(), limits::PRODUCTS);
        for product in &self.manifest.products {
            let of = format!("product {:?}", product.sku);
            self.demand(Sku::new(&product.sku).is_ok_and(|sku| sku.as_str().len() <= 56), || {
                format!("{of} is no number")
            });
            let is_gtin = product.gtin.as_deref().is_none_or(|digits| Gtin::from_digits(digits).is_some());
            self.demand(is_gtin, || format!("{of}: gtin has a wrong length or check digit"));
            let is_money = Currency::parse(&product.currency).is_some();
            self.demand(is_money, || format!("{of}: {:?} is no currency", product.currency));
            let is_place = product.facing.as_deref().is_none_or(|facing| FacingId::new(facing).is_ok());
            self.demand(is_place, || format!("{of}: its facing is no name"));
            let is_colour = product.shade.is_none_or(|Shade { lab: [l, a, b], .. }| {
                (0.0..=100.0).contains(&l) && a.abs() <= 128.0 && b.abs() <= 128.0
            });
            self.demand(is_colour, || format!("{of}: its shade is no colour: L is 0 to 100, a and b -128 to 128"));
            self.asset_of(&of, Some(&product.asset), "image/");
            self.words(&of, &product.name);
            self.words(&of, &product.text);
        }
    }
}
