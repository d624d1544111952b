//! Serde's words about a mistake, said again in words a technician understands.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use super::section::Place;
use crate::types::{Span, nearest};

/// The keys of a table, as its type's schema says.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Every key and its description; `None`: any key is taken (a map).
    known: Option<Vec<(String, String)>>,
    /// The keys that must be there.
    pub(super) required: Vec<String>,
}

impl Keys {
    pub(super) fn of<T: JsonSchema>() -> Self {
        let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
        let known = schema.get("properties").and_then(|properties| properties.as_object()).map(|properties| {
            properties
                .iter()
                .map(|(key, schema)| {
                    let description = schema.get("description").and_then(|text| text.as_str()).unwrap_or_default();
                    (key.clone(), description.to_owned())
                })
                .collect()
        });
        let required = schema
            .get("required")
            .and_then(|keys| keys.as_array())
            .map(|keys| keys.iter().filter_map(|key| key.as_str().map(str::to_owned)).collect());
        let closed = schema.get("additionalProperties").and_then(|more| more.as_bool()) == Some(false);
        Self {
            known: if closed { Some(known.unwrap_or_default()) } else { known },
            required: required.unwrap_or_default(),
        }
    }

    pub(super) fn knows(&self, key: &str) -> bool {
        self.known.as_ref().is_none_or(|known| known.iter().any(|(name, _)| name == key))
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.known.iter().flatten().map(|(name, _)| name.as_str()).collect()
    }

    /// What a missing key is for.
    pub(super) fn describe(&self, key: &str) -> String {
        let description = self.known.iter().flatten().find(|(name, _)| name == key).map(|(_, text)| text.as_str());
        match description {
            Some(text) if !text.is_empty() => format!("`{key}`: {}", text.replace('\n', " ")),
            _ => format!("add a line `{key} = …`"),
        }
    }
}

/// Message and help for a key nobody knows.
pub fn unknown_key(key: &str, known: &[&str]) -> (String, String) {
    let guess = nearest(key, known.iter().copied()).map_or_else(String::new, |near| format!("did you mean `{near}`? "));
    let help = if known.is_empty() {
        "no key is expected here".to_owned()
    } else {
        format!("{guess}Keys here: {}", known.join(", "))
    };
    (format!("unknown key `{key}`"), help)
}

pub(super) fn missing_key(key: &str) -> String {
    format!("the key `{key}` is missing")
}

/// A mistake as serde words it, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// ``unknown field `x`, expected one of `a`, `b` ``.
    Unknown {
        /// The key.
        key: String,
        /// The keys there are.
        known: Vec<String>,
    },
    /// ``missing field `x` ``.
    Missing(String),
    /// ``unknown variant `x`, expected `a` or `b` ``.
    Variant {
        /// The word.
        word: String,
        /// The words there are.
        known: Vec<String>,
    },
    /// ``invalid type: integer `3`, expected a string``; `kind` is `type`, `value` or `length`.
    Invalid {
        /// `type`, `value` or `length`.
        kind: String,
        /// What was found, in serde's words.
        found: String,
        /// What was expected, in serde's words.
        expected: String,
    },
    /// A message of the type's own.
    Other(String),
}

impl Found {
    pub(super) fn from_serde(message: &str) -> Self {
        Self::known_form(message).unwrap_or_else(|| Self::Other(message.to_owned()))
    }

    fn known_form(message: &str) -> Option<Self> {
        if let Some(rest) = message.strip_prefix("unknown field `") {
            let (key, rest) = rest.split_once("`, ")?;
            return Some(Self::Unknown { key: key.to_owned(), known: in_backticks(rest) });
        }
        if let Some(rest) = message.strip_prefix("unknown variant `") {
            let (word, rest) = rest.split_once("`, ")?;
            return Some(Self::Variant { word: word.to_owned(), known: in_backticks(rest) });
        }
        if let Some(rest) = message.strip_prefix("missing field `") {
            return Some(Self::Missing(rest.strip_suffix('`')?.to_owned()));
        }
        let (kind, rest) = message.strip_prefix("invalid ")?.split_once(": ")?;
        let (found, expected) = rest.rsplit_once(", expected ")?;
        Some(Self::Invalid { kind: kind.to_owned(), found: found.to_owned(), expected: expected.to_owned() })
    }

    /// Whether it is only there because something was taken out before.
    pub(super) fn follows_from(&self, removed: &[Place], at: &Span) -> bool {
        let Self::Missing(missing) = self else { return false };
        removed.iter().any(|place| place.parent == *at && place.key.as_deref() == Some(missing))
    }

    /// Code, message and help. `key`: whose value it is about.
    pub(super) fn explain(&self, key: Option<&str>) -> (&'static str, String, String) {
        let subject = key.map_or_else(|| "this value".to_owned(), |key| format!("`{key}`"));
        match self {
            Self::Unknown { key, known } => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let (message, help) = unknown_key(key, &known);
                ("unknown-key", message, help)
            }
            Self::Missing(key) => ("missing-key", missing_key(key), format!("add a line `{key} = …`")),
            Self::Variant { word, known } => {
                let guess = nearest(word, known.iter().map(String::as_str));
                let guess = guess.map_or_else(String::new, |near| format!("did you mean \"{near}\"? "));
                let help = format!("{guess}Possible here: {}", quoted(known));
                ("invalid-value", format!("{subject} cannot be \"{word}\""), help)
            }
            Self::Invalid { kind, found, expected } => {
                let code = if kind == "type" { "wrong-type" } else { "invalid-value" };
                let expected = expectation(expected);
                let help = format!("write {expected}");
                (code, format!("{subject} must be {expected}, not {}", finding(found)), help)
            }
            Self::Other(message) => ("invalid-value", message.clone(), format!("correct {subject}")),
        }
    }
}

fn in_backticks(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn quoted(words: &[String]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

/// Serde's name of what is expected, in plain words.
fn expectation(expected: &str) -> String {
    let range = |low: &str, high: &str| format!("a whole number from {low} to {high}");
    match expected {
        "u8" => range("0", "255"),
        "u16" => range("0", "65535"),
        "u32" => range("0", "4294967295"),
        "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a string" | "string" | "str" => "text in quotes".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a character" => "one character in quotes".to_owned(),
        "a sequence" => "a list `[…]`".to_owned(),
        "a map" => "a table".to_owned(),
        text if text.starts_with("struct ") => "a table".to_owned(),
        text => text.to_owned(),
    }
}

/// Serde's name of what was found, in plain words.
fn finding(found: &str) -> String {
    match found.split_once(' ') {
        Some(("integer", number)) => format!("the number {}", number.trim_matches('`')),
        Some(("floating", rest)) => format!("the number {}", rest.trim_start_matches("point ").trim_matches('`')),
        Some(("boolean", word)) => word.trim_matches('`').to_owned(),
        Some(("string", text)) => format!("the text {text}"),
        _ => match found {
            "sequence" => "a list".to_owned(),
            "map" => "a table".to_owned(),
            other => other.to_owned(),
        },
    }
}
