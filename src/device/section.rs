//! A table of a TOML file with its positions, so that a kind's mistakes are shown under the text they are about.
//!
//! Serde stops at the first mistake. A section reads on: it notes the mistake, takes the smallest value that holds it
//! out of its copy of the table, and reads again, so that one run of `check` names everything. What it needs from a
//! type: `#[serde(deny_unknown_fields)]`, `Spanned` where a value is checked further, a derived `JsonSchema` (with
//! `#[schemars(with = "…")]` on `Spanned` fields), and neither `flatten`, `tag` nor `alias`: the first two destroy
//! positions, the third is unknown to the schema.
//!
//! Limits: [`limits::SECTION_ROUNDS`] mistakes of form per table; more are summed up in one line.

use std::path::Path;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, ValueDeserializer};

use super::limits;
use super::mistake::{self, Found, Keys};
use crate::types::{Diagnostic, Severity, Span};

/// One table of one file.
#[derive(Debug, Clone)]
pub struct Section<'a> {
    /// The file it stands in.
    pub file: &'a Path,
    /// Where it stands; for a table that is not there, where it would be expected.
    pub span: Span,
    /// Its content; `None`: the file has no such table, which reads as an empty one.
    pub table: Option<Spanned<DeTable<'a>>>,
}

impl Section<'_> {
    /// Reads the table as `T`, or says every mistake at once: unknown keys with the nearest known one
    /// (`unknown-key`), wrong types (`wrong-type`), values that cannot be (`invalid-value`), missing keys
    /// (`missing-key`).
    pub fn read<T: DeserializeOwned + JsonSchema>(&self) -> Result<T, Vec<Diagnostic>> {
        match self.salvage() {
            (Some(value), mistakes) if mistakes.is_empty() => Ok(value),
            (_, mistakes) => Err(mistakes),
        }
    }

    /// Like [`Section::read`], and hands out what is left when the wrong parts are taken out, so that its meaning can
    /// be checked in the same run. There are always mistakes when there is no value.
    pub fn salvage<T: DeserializeOwned + JsonSchema>(&self) -> (Option<T>, Vec<Diagnostic>) {
        let keys = Keys::of::<T>();
        let mut table = self.table.clone().map(Spanned::into_inner).unwrap_or_default();
        let mut mistakes = self.unknown(&keys, &mut table);
        mistakes.extend(self.missing(&keys, &table));
        let mut removed = Vec::new();
        for _ in 0..limits::SECTION_ROUNDS {
            let value = Spanned::new(self.span.clone(), DeValue::Table(table.clone()));
            let error = match T::deserialize(ValueDeserializer::from(value)) {
                Ok(value) => return (Some(value), mistakes),
                Err(error) => error,
            };
            let at = error.span().unwrap_or_else(|| self.span.clone());
            let found = Found::from_serde(error.message());
            let place = take_out(&mut table, &at, &self.span);
            if !found.follows_from(&removed, &at) && !self.already_said(&mistakes, &found) {
                mistakes.push(self.describe(&found, at, place.as_ref()));
            }
            match place {
                Some(place) => removed.push(place),
                None => return (None, mistakes),
            }
        }
        let message = format!("more than {} mistakes in this table; the rest is not shown", limits::SECTION_ROUNDS);
        mistakes.push(self.error(self.span.clone(), "too-many", message, "mend these first".to_owned()));
        (None, mistakes)
    }

    /// A mistake in this file.
    pub fn error(&self, span: Span, code: &'static str, message: String, help: String) -> Diagnostic {
        Diagnostic { file: self.file.to_owned(), span: Some(span), severity: Severity::Error, code, message, help }
    }

    /// Takes the unknown keys out of the table and names them.
    fn unknown(&self, keys: &Keys, table: &mut DeTable<'_>) -> Vec<Diagnostic> {
        let mut mistakes = Vec::new();
        let (kept, unknown): (DeTable<'_>, DeTable<'_>) =
            std::mem::take(table).into_iter().partition(|(key, _)| keys.knows(key.get_ref()));
        *table = kept;
        for key in unknown.keys() {
            let (message, help) = mistake::unknown_key(key.get_ref(), &keys.names());
            mistakes.push(self.error(key.span(), "unknown-key", message, help));
        }
        mistakes
    }

    fn missing(&self, keys: &Keys, table: &DeTable<'_>) -> Vec<Diagnostic> {
        let absent = keys.required.iter().filter(|key| !table.contains_key(key.as_str()));
        absent
            .map(|key| self.error(self.span.clone(), "missing-key", mistake::missing_key(key), keys.describe(key)))
            .collect()
    }

    /// A key that is missing at the top was already found by the schema.
    fn already_said(&self, mistakes: &[Diagnostic], found: &Found) -> bool {
        let Found::Missing(key) = found else { return false };
        let said = mistake::missing_key(key);
        mistakes.iter().any(|mistake| mistake.span.as_ref() == Some(&self.span) && mistake.message == said)
    }

    fn describe(&self, found: &Found, at: Span, place: Option<&Place>) -> Diagnostic {
        let (code, message, help) = found.explain(place.and_then(|place| place.key.as_deref()));
        self.error(at, code, message, help)
    }
}

/// What was taken out of a table.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Where the table or list that held it stands.
    pub(super) parent: Span,
    /// Its key; an element of a list has none.
    pub(super) key: Option<String>,
}

/// Takes the smallest entry out that stands at `at` or around it. `None`: the table holds no such entry.
fn take_out(table: &mut DeTable<'_>, at: &Span, parent: &Span) -> Option<Place> {
    let mut taken = None;
    for (key, value) in table.iter_mut() {
        if key.span() != *at {
            if let Some(place) = take_out_of_value(value, at) {
                return Some(place);
            }
            if !holds(&value.span(), at) {
                continue;
            }
        }
        taken = Some(key.get_ref().to_string());
        break;
    }
    let key = taken?;
    table.remove(key.as_str());
    Some(Place { parent: parent.clone(), key: Some(key) })
}

fn take_out_of_value(value: &mut Spanned<DeValue<'_>>, at: &Span) -> Option<Place> {
    let parent = value.span();
    match value.get_mut() {
        DeValue::Table(table) => take_out(table, at, &parent),
        DeValue::Array(list) => take_out_of_list(list, at, &parent),
        _ => None,
    }
}

fn take_out_of_list(list: &mut DeArray<'_>, at: &Span, parent: &Span) -> Option<Place> {
    let mut taken = None;
    for (index, element) in list.iter_mut().enumerate() {
        if let Some(place) = take_out_of_value(element, at) {
            return Some(place);
        }
        if holds(&element.span(), at) {
            taken = Some(index);
            break;
        }
    }
    let taken = taken?;
    let elements = std::mem::replace(list, DeArray::new()).into_iter().enumerate();
    *list = elements.filter(|(index, _)| *index != taken).map(|(_, element)| element).collect();
    Some(Place { parent: parent.clone(), key: None })
}

fn holds(outer: &Span, inner: &Span) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

#[cfg(test)]
#[path = "section_tests.rs"]
mod tests;
