//! A configuration that the cloud wants, and what became of it.

use std::fmt;

/// The cloud's own name of a configuration: it is compared and repeated, never ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigVersion {
    /// A number.
    Number(i64),
    /// A text, at most [`ConfigVersion::LONGEST`] bytes.
    Text(String),
}

impl ConfigVersion {
    /// Longest text, in bytes.
    pub const LONGEST: usize = 128;
}

impl fmt::Display for ConfigVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// A configuration that the cloud wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredConfig {
    /// Its name.
    pub version: ConfigVersion,
    /// Its text.
    pub toml: String,
}

/// What became of a configuration that the cloud wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigState {
    /// It is in force.
    Applied,
    /// It was never in force.
    Refused,
    /// It was in force and is not any more; the one before it is.
    RolledBack,
}

impl ConfigState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Applied, Self::Refused, Self::RolledBack];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::RolledBack => "rolled-back",
        }
    }
}

/// What the cloud is told of a configuration it wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigReport {
    /// Which one; `None`: its name could not be read.
    pub version: Option<ConfigVersion>,
    /// What became of it.
    pub state: ConfigState,
    /// Why, as `check` says it. Empty when it is in force without a remark.
    pub errors: Vec<ConfigError>,
}

/// A mistake at its place, in the words of `check --json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file it is in.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// `error` or `warning`.
    pub severity: String,
    /// Stable code, such as `unknown-key`.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}
