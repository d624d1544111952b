//! What one screen's page is given: its part of the content, already set out in time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde::Serialize;

use super::limits;
use super::manifest::{Item, Manifest, Product, Trigger, Zone, is_for};
use super::schedule::{Segment, timetable};
use crate::types::Timestamp;

/// An emergency override, as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Override {
    /// What is said.
    pub text: String,
    /// When it is over by itself, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
}

/// What a page needs to know besides the content.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The screen's name.
    pub screen: &'a str,
    /// Its page: `signage`, `shelf`, `mirror`.
    pub kind: &'a str,
    /// The store's time zone, by name.
    pub timezone: &'a TimeZone,
    /// What comes before everything else.
    pub overriding: Option<&'a Override>,
    /// Counts in stock, by product.
    pub stock: &'a BTreeMap<String, u32>,
}

#[derive(Serialize)]
struct Timed<'a> {
    #[serde(flatten)]
    zone: &'a Zone,
    segments: Vec<Segment>,
}

#[derive(Serialize)]
struct Program<'a> {
    screen: &'a str,
    kind: &'a str,
    rev: u64,
    tz: &'a str,
    at_ms: i64,
    until_ms: i64,
    zones: Vec<Timed<'a>>,
    items: BTreeMap<&'a str, &'a Item>,
    /// Media types by digest.
    assets: BTreeMap<&'a str, &'a str>,
    triggers: Vec<&'a Trigger>,
    products: &'a [Product],
    stock: &'a BTreeMap<String, u32>,
    r#override: Option<&'a Override>,
}

/// The program of a screen from a moment on, as JSON. Without content there is one zone with nothing in it.
pub fn program(manifest: Option<&Manifest>, place: &Place<'_>, at: Timestamp) -> String {
    let nothing = Manifest::default();
    let whole = [Zone { id: "main".to_owned(), x: 0.0, y: 0.0, w: 1.0, h: 1.0 }];
    let manifest = manifest.unwrap_or(&nothing);
    let zones = match manifest.zones(place.screen) {
        [] => &whole,
        zones => zones,
    };
    let timed = |zone| {
        let of = (place.screen, Zone::id(zone));
        Timed { zone, segments: timetable(manifest, of, place.timezone, at, limits::AHEAD) }
    };
    let zones: Vec<_> = zones.iter().map(timed).collect();
    let triggers: Vec<_> = manifest.triggers.iter().filter(|trigger| is_for(&trigger.screens, place.screen)).collect();
    let items = items(manifest, &zones, &triggers);
    let pictures = manifest.products.iter().map(|product| product.asset.as_str());
    let files = items.values().filter_map(|item| item.asset.as_deref()).chain(pictures);
    let program = Program {
        screen: place.screen,
        kind: place.kind,
        rev: manifest.rev,
        tz: place.timezone.iana_name().unwrap_or("UTC"),
        at_ms: at.unix_ms(),
        until_ms: at.plus(limits::AHEAD).unix_ms(),
        assets: files.filter_map(|digest| Some((digest, manifest.assets.get(digest)?.r#type.as_str()))).collect(),
        zones,
        items,
        triggers,
        products: &manifest.products,
        stock: place.stock,
        r#override: place.overriding,
    };
    serde_json::to_string(&program).unwrap_or_default()
}

impl Zone {
    fn id(&self) -> &str {
        &self.id
    }
}

/// The items that may be shown on the screen, and no others. A scene may be any of them: all are kept when there are
/// few.
fn items<'a>(manifest: &'a Manifest, zones: &[Timed<'a>], triggers: &[&'a Trigger]) -> BTreeMap<&'a str, &'a Item> {
    let scheduled = zones.iter().flat_map(|zone| &zone.segments).flat_map(|segment| &segment.items);
    let shown = triggers.iter().map(|trigger| &trigger.show);
    let used: BTreeSet<&str> = scheduled.chain(shown).map(String::as_str).collect();
    let few = manifest.items.len() <= limits::PLAYLIST_ITEMS;
    let all = manifest.items.iter().map(|(id, item)| (id.as_str(), item));
    all.filter(|(id, _)| few || used.contains(id)).collect()
}
