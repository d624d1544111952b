//! The meaning of `[[station]]`: who plays which role.
//!
//! What may be shared: a device that only tells (camera, sensor, probe, counter) serves any number of stations. A
//! scanner, a machine or a screen may serve stations of different flows, because the kind of code decides between
//! them (a payment code sells, a coupon samples), except where two flows would act on the same thing: two stations of
//! one flow, `sampling` and `redeem` at one scanner (both take coupons), and the screen of a mirror or a shelf.

use std::collections::BTreeMap;

use toml::Spanned;

use super::devices::Declared;
use super::limits;
use super::raw::{RawStation, RawStationSettings, Text};
use super::report::Checked;
use super::sections::NAME_HELP;
use super::store::{Flow, Role, Station, StationSettings};
use crate::device::Section;
use crate::types::{DeviceId, Minor, Slot, Span, StationId, Timestamp, nearest};

/// A filled role, where it was written.
#[derive(Debug, Clone)]
struct Use {
    flow: Flow,
    role: Role,
    device: String,
    span: Span,
}

/// Reads every `[[station]]`.
pub(super) fn stations(sections: &[Section<'_>], devices: &Declared, checked: &mut Checked<'_>) -> Vec<Station> {
    if let Some(first) = sections.get(limits::STATIONS) {
        let message = format!("more than {} stations", limits::STATIONS);
        checked.error(first.span.clone(), "too-many", message, "use a second gateway");
    }
    let mut stations = Vec::new();
    let mut uses = Vec::new();
    let mut names: BTreeMap<String, Span> = BTreeMap::new();
    for section in sections.iter().take(limits::STATIONS) {
        let (raw, mistakes) = section.salvage::<RawStation>();
        checked.report.extend(mistakes);
        let Some(raw) = raw else { continue };
        distinct_name(&raw, &mut names, checked);
        stations.extend(station(&raw, &section.span, devices, &mut uses, checked));
    }
    shared(&uses, checked);
    stations
}

fn distinct_name(raw: &RawStation, names: &mut BTreeMap<String, Span>, checked: &mut Checked<'_>) {
    let Some(id) = &raw.id else { return };
    match names.get(id.get_ref()) {
        Some(first) => {
            let help = format!("the first one is in line {}: give each its own name", checked.line(first));
            checked.error(id.span(), "duplicate-id", format!("a second station named \"{}\"", id.get_ref()), help);
        }
        None => {
            names.insert(id.get_ref().clone(), id.span());
        }
    }
}

fn station(
    raw: &RawStation,
    at: &Span,
    devices: &Declared,
    uses: &mut Vec<Use>,
    checked: &mut Checked<'_>,
) -> Option<Station> {
    let id = checked.parse("id", raw.id.as_ref(), NAME_HELP, StationId::new);
    let filled: Vec<(Role, &Spanned<String>)> =
        Role::ALL.into_iter().filter_map(|role| Some((role, written(raw, role).as_ref()?))).collect();
    let flow = raw.flow.as_ref().and_then(|word| flow(word, checked));
    for (role, device) in &filled {
        // A device in a role that the flow does not have is wrong for one reason only.
        let expected = flow.is_none_or(|flow| flow.has(*role));
        check_device(*role, device, expected, devices, checked);
    }
    let flow = flow?;
    check_roles(flow, &filled, at, checked);
    let used = filled.iter().map(|(role, device)| Use {
        flow,
        role: *role,
        device: device.get_ref().clone(),
        span: device.span(),
    });
    uses.extend(used);
    let roles = filled.iter().filter_map(|(role, device)| Some((*role, DeviceId::new(device.get_ref()).ok()?)));
    let unsynced_allowed = unsynced(raw.unsynced.as_ref(), flow, checked);
    let settings = raw.settings.as_ref().map(|raw| settings(raw, checked)).unwrap_or_default();
    if flow == Flow::Sampling && settings.slots.is_empty() {
        let help = "add a table `[station.settings]` with `slots = [1, 2]`: the lanes that hold the sample";
        checked.error(at.clone(), "missing-key", "a sampling station without `slots` has nothing to give", help);
    }
    Some(Station { id: id?, flow, roles: roles.collect(), unsynced_allowed, settings })
}

/// Whether coupons are taken without a clock; only where coupons are taken is there anything to say.
fn unsynced(word: Option<&Spanned<String>>, flow: Flow, checked: &mut Checked<'_>) -> bool {
    let Some(word) = word else { return false };
    if flow != Flow::Redeem {
        let message = format!("a {} station takes no coupons", flow.as_str());
        checked.error(word.span(), "unknown-role", message, "remove the line: only a redeem station has it");
    } else if !["refuse", "accept"].contains(&word.get_ref().as_str()) {
        let message = format!("there is no way \"{}\" to treat coupons without a clock", word.get_ref());
        checked.error(word.span(), "invalid-value", message, "write \"refuse\" or \"accept\"");
    }
    word.get_ref() == "accept"
}

fn settings(raw: &RawStationSettings, checked: &mut Checked<'_>) -> StationSettings {
    let time_help = "an RFC 3339 time such as \"2026-11-22T02:00:00Z\"";
    let is_free = |word: &str| match word {
        "cloud" => Ok(false),
        "free" => Ok(true),
        _ => Err("there is no such payment"),
    };
    if let Some(price) = raw.price_minor.as_ref().filter(|price| *price.get_ref() <= 0) {
        let help = "give it in minor units, as in `price_minor = 350` for 3.50; a sample is `payment = \"free\"`";
        checked.error(price.span(), "invalid-value", "price_minor must be above zero", help);
    }
    StationSettings {
        slots: raw.slots.iter().flatten().map(|slot| Slot(*slot)).collect(),
        price: raw.price_minor.as_ref().map(|price| Minor(*price.get_ref())),
        free: checked.parse("payment", raw.payment.as_ref(), "\"cloud\" or \"free\"", is_free).unwrap_or(false),
        campaign: checked
            .parse("campaign", raw.campaign.as_ref(), NAME_HELP, StationId::new)
            .map(|name| name.to_string()),
        quota: raw.quota,
        from: checked.parse("from", raw.from.as_ref(), time_help, str::parse::<Timestamp>),
        until: checked.parse("until", raw.until.as_ref(), time_help, str::parse::<Timestamp>),
    }
}

fn written(raw: &RawStation, role: Role) -> &Text {
    match role {
        Role::Machine => &raw.machine,
        Role::Scanner => &raw.scanner,
        Role::Screen => &raw.screen,
        Role::Camera => &raw.camera,
        Role::Sensor => &raw.sensor,
        Role::Probe => &raw.probe,
        Role::Counter => &raw.counter,
    }
}

fn flow(word: &Spanned<String>, checked: &mut Checked<'_>) -> Option<Flow> {
    let flow = Flow::parse(word.get_ref());
    if flow.is_none() {
        let names: Vec<&str> = Flow::ALL.iter().map(|flow| flow.as_str()).collect();
        let near = nearest(word.get_ref(), names.iter().copied());
        let guess = near.map_or_else(String::new, |near| format!("did you mean \"{near}\"? "));
        let help = format!("{guess}Flows: {}", names.join(", "));
        checked.error(word.span(), "invalid-value", format!("there is no flow \"{}\"", word.get_ref()), help);
    }
    flow
}

/// The device is there and, if the role is expected, of a family that can play it.
fn check_device(role: Role, device: &Spanned<String>, expected: bool, devices: &Declared, checked: &mut Checked<'_>) {
    let name = device.get_ref().as_str();
    let Some(profile) = devices.get(name) else {
        let near = nearest(name, devices.keys().map(String::as_str));
        let guess = near.map_or_else(String::new, |near| format!("did you mean \"{near}\"? "));
        let listed: Vec<&str> = devices.keys().map(String::as_str).take(limits::NAMES).collect();
        let help = match listed.is_empty() {
            true => "this file has no [[device]]".to_owned(),
            false => format!("{guess}Devices here: {}", listed.join(", ")),
        };
        checked.error(device.span(), "unknown-device", format!("there is no device \"{name}\""), help);
        return;
    };
    let Some((family, _)) = profile.as_deref().and_then(|profile| profile.split_once('/')) else { return };
    if expected && !role.families().contains(&family) {
        let wanted: Vec<String> = role.families().iter().map(|family| format!("{family}/…")).collect();
        let message = format!("\"{name}\" cannot be the {}: its profile is {family}/…", role.as_str());
        let help = format!("name a device whose profile is {}", wanted.join(" or "));
        checked.error(device.span(), "wrong-device", message, help);
    }
}

/// Every required role is filled, and no role is filled that the flow does not know.
fn check_roles(flow: Flow, filled: &[(Role, &Spanned<String>)], at: &Span, checked: &mut Checked<'_>) {
    let word = flow.as_str();
    for role in flow.required().iter().filter(|role| filled.iter().all(|(have, _)| have != *role)) {
        let message = format!("the key `{}` is missing: a {word} station needs one", role.as_str());
        checked.error(
            at.clone(),
            "missing-key",
            message,
            format!("add a line `{} = \"…\"` with a device's id", role.as_str()),
        );
    }
    if flow == Flow::Door && filled.is_empty() {
        let help = "add `camera`, `probe` or `counter` with a device's id";
        checked.error(at.clone(), "missing-key", "a door station without a device counts nothing", help);
    }
    for (role, device) in filled {
        if !flow.has(*role) {
            let roles: Vec<&str> = flow.required().iter().chain(flow.optional()).map(|role| role.as_str()).collect();
            let message = format!("a {word} station has no {}", role.as_str());
            let help = format!("remove the line; the roles of {word}: {}", roles.join(", "));
            checked.error(device.span(), "unknown-role", message, help);
        }
    }
}

fn shared(uses: &[Use], checked: &mut Checked<'_>) {
    for (index, later) in uses.iter().enumerate() {
        let earlier = uses[..index].iter().find(|earlier| conflict(earlier, later));
        if let Some(earlier) = earlier {
            let message = format!(
                "\"{}\" is already the {} of a {} station: both would act",
                later.device,
                earlier.role.as_str(),
                earlier.flow.as_str()
            );
            let help = format!("the other is in line {}: use a second device", checked.line(&earlier.span));
            checked.error(later.span.clone(), "shared-device", message, help);
        }
    }
}

fn conflict(a: &Use, b: &Use) -> bool {
    if a.device != b.device || a.role != b.role || a.role.only_tells() {
        return false;
    }
    let either = |flow| a.flow == flow || b.flow == flow;
    a.flow == b.flow
        || (a.role == Role::Scanner && either(Flow::Sampling) && either(Flow::Redeem))
        || (a.role == Role::Screen && (either(Flow::Mirror) || either(Flow::Shelf)))
}
