//! Configurations on their way down, and what became of them on its way up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::types::{ConfigError, ConfigReport, ConfigState, ConfigVersion, DesiredConfig};

/// Largest message that holds a configuration, in bytes.
pub const DESIRED_BYTES: usize = 256 * 1024;
/// Mistakes that are reported of one configuration, at most: it is mended by a person, a few at a time.
pub const REPORTED_ERRORS: usize = 20;
/// Longest text of a mistake, in characters.
const TEXT_CHARACTERS: usize = 500;

/// A message on the topic that holds no configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a configuration: {detail}")]
pub struct UnreadDesired {
    /// Its version, if that much could be read.
    pub version: Option<ConfigVersion>,
    /// What is wrong with it.
    pub detail: String,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    version: Value,
    #[serde(default)]
    toml: Value,
}

/// A version as it travels.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum VersionV1 {
    Number(i64),
    Text(String),
}

/// A configuration that the cloud wants.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DesiredV1<'a> {
    /// A whole number, or a text of at most 128 bytes; only compared.
    version: VersionV1,
    /// The configuration, as the file holds it.
    toml: &'a str,
}

/// What became of a configuration that the cloud wanted.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ReportedV1 {
    /// As it was given; null when it could not be read.
    version: Option<VersionV1>,
    /// `applied`, `refused` or `rolled-back`.
    #[schemars(extend("enum" = ["applied", "refused", "rolled-back"]))]
    state: String,
    /// Why, as `smartstore check --json` says it.
    errors: Vec<ReportedErrorV1>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct ReportedErrorV1 {
    file: String,
    line: usize,
    column: usize,
    severity: String,
    code: String,
    message: String,
    help: String,
}

/// Reads a message of the topic `config/desired`.
///
/// # Errors
/// What is wrong, with the version wherever that could be read.
pub fn parse_desired(message: &[u8]) -> Result<DesiredConfig, UnreadDesired> {
    let unread = |version, detail: &str| UnreadDesired { version, detail: cut(detail) };
    if message.len() > DESIRED_BYTES {
        return Err(unread(None, &format!("{} bytes, at most {DESIRED_BYTES}", message.len())));
    }
    if message.trim_ascii_start().first() != Some(&b'{') {
        return Err(unread(None, "not a JSON object"));
    }
    let raw: Raw = serde_json::from_slice(message).map_err(|error| unread(None, &error.to_string()))?;
    let version = match raw.version {
        Value::Number(number) => number.as_i64().map(ConfigVersion::Number),
        Value::String(text) if !text.is_empty() && text.len() <= ConfigVersion::LONGEST => {
            Some(ConfigVersion::Text(text))
        }
        _ => None,
    };
    let Some(version) = version else {
        return Err(unread(None, "`version` must be a whole number, or a text of at most 128 bytes"));
    };
    match raw.toml {
        Value::String(toml) => Ok(DesiredConfig { version, toml }),
        _ => Err(unread(Some(version), "`toml` must be a text: the configuration")),
    }
}

/// A configuration as it travels: for instruments and tests that play the cloud.
pub fn desired_message(desired: &DesiredConfig) -> Vec<u8> {
    let DesiredConfig { version, toml } = desired;
    serde_json::to_vec(&DesiredV1 { version: version.into(), toml }).unwrap_or_default()
}

/// The retained message of the topic `config/reported`.
pub fn reported_message(report: &ConfigReport) -> Vec<u8> {
    let ConfigReport { version, state, errors } = report;
    let message = ReportedV1 {
        version: version.as_ref().map(VersionV1::from),
        state: state.as_str().to_owned(),
        errors: errors.iter().take(REPORTED_ERRORS).map(ReportedErrorV1::from).collect(),
    };
    serde_json::to_vec(&message).unwrap_or_default()
}

/// Reads a report back.
pub fn parse_reported(message: &[u8]) -> Option<ConfigReport> {
    let ReportedV1 { version, state, errors } = serde_json::from_slice(message).ok()?;
    Some(ConfigReport {
        version: version.map(|version| match version {
            VersionV1::Number(number) => ConfigVersion::Number(number),
            VersionV1::Text(text) => ConfigVersion::Text(text),
        }),
        state: ConfigState::ALL.into_iter().find(|known| known.as_str() == state)?,
        errors: errors.into_iter().map(ConfigError::from).collect(),
    })
}

impl From<&ConfigVersion> for VersionV1 {
    fn from(version: &ConfigVersion) -> Self {
        match version {
            ConfigVersion::Number(number) => Self::Number(*number),
            ConfigVersion::Text(text) => Self::Text(text.clone()),
        }
    }
}

impl From<&ConfigError> for ReportedErrorV1 {
    fn from(error: &ConfigError) -> Self {
        let ConfigError { file, line, column, severity, code, message, help } = error;
        Self {
            file: cut(file),
            line: *line,
            column: *column,
            severity: cut(severity),
            code: cut(code),
            message: cut(message),
            help: cut(help),
        }
    }
}

impl From<ReportedErrorV1> for ConfigError {
    fn from(error: ReportedErrorV1) -> Self {
        let ReportedErrorV1 { file, line, column, severity, code, message, help } = error;
        Self { file, line, column, severity, code, message, help }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_configuration_is_named_with_its_version_where_that_can_be_read() {
        for message in ["", "[]", "{", "{}", r#"{"version":1.5,"toml":""}"#, r#"{"version":"","toml":""}"#] {
            assert_eq!(parse_desired(message.as_bytes()).unwrap_err().version, None, "{message}");
        }
        let unread = parse_desired(br#"{"version":7,"toml":[]}"#).unwrap_err();
        assert_eq!(unread.version, Some(ConfigVersion::Number(7)));
        let long = format!(r#"{{"version":1,"toml":"{}"}}"#, "x".repeat(DESIRED_BYTES));
        assert!(parse_desired(long.as_bytes()).unwrap_err().detail.contains("at most"));
    }

    #[test]
    fn what_is_written_is_read_back_and_a_report_is_bounded() {
        for version in [ConfigVersion::Number(-3), ConfigVersion::Text("2026-11-22.1".into())] {
            let desired = DesiredConfig { version, toml: "[store]\n# \"门店\"\n".into() };
            assert_eq!(parse_desired(&desired_message(&desired)), Ok(desired));
        }
        let error = ConfigError {
            file: "config/desired".into(),
            line: 3,
            column: 12,
            severity: "error".into(),
            code: "x".into(),
            message: "y".repeat(10_000),
            help: String::new(),
        };
        let report = ConfigReport { version: None, state: ConfigState::RolledBack, errors: vec![error; 300] };
        let read = parse_reported(&reported_message(&report)).unwrap();
        assert_eq!((read.errors.len(), read.errors[0].message.len()), (REPORTED_ERRORS, TEXT_CHARACTERS));
        assert_eq!((read.version, read.state), (None, ConfigState::RolledBack));
    }
}
