//! Checking what a profile and its settings say, so that one run names every mistake.

use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use toml::Spanned;

use super::{RawDevice, Section};
use crate::types::{Diagnostic, Endpoint};

/// What is wrong so far.
#[derive(Debug, Default)]
pub struct Checks(Vec<Diagnostic>);

impl Checks {
    /// Reads a table; what is left when its mistakes are taken out.
    pub fn read<T: DeserializeOwned + JsonSchema>(&mut self, section: &Section<'_>) -> Option<T> {
        let (value, mistakes) = section.salvage();
        self.0.extend(mistakes);
        value
    }

    /// A mistake at a place of a section: its code, its message, what to do.
    pub fn add(&mut self, section: &Section<'_>, at: Range<usize>, code: &'static str, words: (String, &str)) {
        self.0.push(section.error(at, code, words.0, words.1.to_owned()));
    }

    /// A number that must lie in a range.
    pub fn range(&mut self, section: &Section<'_>, name: &str, value: &Spanned<u32>, range: &RangeInclusive<u32>) {
        if !range.contains(value.get_ref()) {
            let message = format!("{name} is {}", value.get_ref());
            let help = format!("give a value from {} to {}", range.start(), range.end());
            self.add(section, value.span(), "out-of-range", (message, &help));
        }
    }

    /// The path of a device that must be at an endpoint of this scheme: `serial` or `evdev`.
    pub fn path(&mut self, raw: &RawDevice<'_>, wanted: &str) -> Option<PathBuf> {
        match &raw.endpoint {
            Endpoint::Serial(path) if wanted == "serial" => Some(path.clone()),
            Endpoint::Evdev(path) if wanted == "evdev" => Some(path.clone()),
            other => {
                let message = format!("a device of this profile cannot be at {}:", other.scheme());
                let help = format!("name its port: {wanted}:PATH; `smartstore scan` lists what is there");
                self.add(&raw.settings, raw.endpoint_span.clone(), "wrong-endpoint", (message, &help));
                None
            }
        }
    }

    /// Whether nothing is wrong.
    pub fn passed(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything that is wrong.
    pub fn mistakes(self) -> Vec<Diagnostic> {
        self.0
    }
}

/// A number of milliseconds as a duration.
pub fn milliseconds(value: &Spanned<u32>) -> Duration {
    Duration::from_millis(u64::from(*value.get_ref()))
}
