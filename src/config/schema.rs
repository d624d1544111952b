//! JSON Schemas (draft 2020-12) of the configuration and of profiles, for editors and for the cloud's forms.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, json_schema};

use super::raw::{RawProfile, RawStore};
use crate::device::DeviceKind;
use crate::devices::CATALOGUE;

/// The schema of a configuration file. `[device.settings]` is one of the settings of the kinds in this build; which
/// one depends on the profile, which a schema cannot follow.
pub fn config_schema() -> Schema {
    config_schema_of(CATALOGUE)
}

/// The schema of a profile: the facts follow from its `kind`.
pub fn profile_schema() -> Schema {
    profile_schema_of(CATALOGUE)
}

pub(super) fn config_schema_of(catalogue: &[&dyn DeviceKind]) -> Schema {
    let mut schema = schema_of::<RawStore>();
    let settings: Vec<Schema> =
        catalogue.iter().map(|kind| part(kind.name(), "settings", kind.schemas().settings)).collect();
    let place = schema.pointer_mut("/properties/device/items/properties/settings");
    if let Some(place) = place.filter(|_| !settings.is_empty()) {
        *place = json_schema!({
            "description": "This shop's choices; what can be chosen depends on the profile's kind.",
            "anyOf": settings,
        })
        .to_value();
    }
    schema
}

pub(super) fn profile_schema_of(catalogue: &[&dyn DeviceKind]) -> Schema {
    let mut schema = schema_of::<RawProfile>();
    let names: Vec<&str> = catalogue.iter().map(|kind| kind.name()).collect();
    if let Some(kind) = schema.pointer_mut("/properties/kind") {
        *kind = json_schema!({ "description": "Which kind of device it is.", "enum": names }).to_value();
    }
    let rules: Vec<Schema> = catalogue
        .iter()
        .map(|kind| {
            let facts = part(kind.name(), "facts", kind.schemas().facts);
            json_schema!({
                "if": { "properties": { "kind": { "const": kind.name() } } },
                "then": { "properties": { "facts": facts } },
            })
        })
        .collect();
    if !rules.is_empty() {
        schema.insert("allOf".to_owned(), json_schema!({ "rules": rules }).remove("rules").unwrap_or_default());
    }
    schema
}

fn schema_of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    RecursiveTransform(tidy).transform(&mut schema);
    schema
}

/// Makes a schema that comes from Rust types one of a TOML file.
fn tidy(schema: &mut Schema) {
    without_null(schema);
    let description = schema.get("description").and_then(|text| text.as_str()).map(|text| text.replace('\n', " "));
    if let Some(description) = description {
        schema.insert("description".to_owned(), description.into());
    }
}

/// Takes `null` out of what may stand at a place: TOML has none, a key is there or it is not.
fn without_null(schema: &mut Schema) {
    if let Some(words) = schema.get_mut("enum").and_then(|words| words.as_array_mut()) {
        words.retain(|word| !word.is_null());
    }
    if let Some(types) = schema.get_mut("type").and_then(|types| types.as_array_mut()) {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    let choices = schema.get_mut("anyOf").and_then(|choices| choices.as_array_mut());
    let Some(choices) = choices else { return };
    choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
    let [only] = choices.as_slice() else { return };
    let only = only.as_object().cloned().unwrap_or_default();
    schema.remove("anyOf");
    for (key, value) in only {
        schema.ensure_object().entry(key).or_insert(value);
    }
}

/// A kind's schema as part of another one: with an `$id` of its own, so that its references stay within it.
fn part(kind: &str, what: &str, mut schema: Schema) -> Schema {
    schema.remove("$schema");
    schema.insert("title".to_owned(), format!("{what} of {kind}").into());
    RecursiveTransform(tidy).transform(&mut schema);
    let has_own = schema.get("$defs").is_some();
    if has_own {
        schema.insert("$id".to_owned(), format!("smartstore:{kind}/{what}").into());
    }
    schema
}
