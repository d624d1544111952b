//! Commands on their way down.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::action::{self, ActionV1};
use crate::types::{ActionKind, Command, CommandId, DeviceId, Origin, Reason, Timestamp};

/// Largest command, in bytes.
pub const COMMAND_BYTES: usize = 64 * 1024;

/// Longest explanation, in characters: what a stranger sent is not repeated at length in a log.
const DETAIL_CHARACTERS: usize = 200;

/// A message on the command topic that is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Unparsed {
    /// Its id, if that much could be read: then the cloud is told, else there is nobody to tell.
    pub id: Option<CommandId>,
    /// `too-large`, `malformed`, `bad-id`, `bad-device`, `unknown-action`, `bad-args` or `bad-not-after`.
    pub reason: Reason,
    /// What exactly, for the log.
    pub detail: String,
}

/// The envelope, every field still to be checked by itself so that the id of a bad command can be answered.
#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    device: Value,
    #[serde(default)]
    action: Value,
    #[serde(default)]
    args: Value,
    #[serde(default)]
    not_after: Value,
}

/// A command.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "Command")]
pub(super) struct CommandV1<'a> {
    /// Chosen by whoever asks. The same id never acts twice: it repeats the outcome.
    #[schemars(extend("pattern" = "^[A-Za-z0-9._:-]{1,64}$"))]
    id: &'a str,
    /// Whom it is for; without it, the gateway itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^[a-z0-9-]{1,32}$"))]
    device: Option<&'a str>,
    #[serde(flatten)]
    action: ActionV1,
    /// It is not begun after this time.
    #[schemars(extend("format" = "date-time"))]
    not_after: String,
}

/// Reads one message of the command topic.
///
/// # Errors
///
/// [`Unparsed`], with the command's id wherever that could be read.
pub fn parse_command(message: &[u8]) -> Result<Command, Unparsed> {
    if message.len() > COMMAND_BYTES {
        return Err(unparsed(None, "too-large", &format!("{} bytes, at most {COMMAND_BYTES}", message.len())));
    }
    // A derived reader would take a bare array for the fields in their order.
    if message.trim_ascii_start().first() != Some(&b'{') {
        return Err(unparsed(None, "malformed", "not a JSON object"));
    }
    let raw: Raw = serde_json::from_slice(message).map_err(|error| unparsed(None, "malformed", &error.to_string()))?;
    let id = text(&raw.id)
        .and_then(|id| CommandId::new(id).map_err(|error| error.to_string()))
        .map_err(|detail| unparsed(None, "bad-id", &format!("id {detail}")))?;
    let refuse = |reason, detail: String| unparsed(Some(&id), reason, &detail);
    let device = match &raw.device {
        Value::Null => None,
        device => Some(
            text(device)
                .and_then(|name| DeviceId::new(name).map_err(|error| error.to_string()))
                .map_err(|detail| refuse("bad-device", format!("device {detail}")))?,
        ),
    };
    let word = text(&raw.action).map_err(|detail| refuse("unknown-action", format!("action {detail}")))?;
    let kind = ActionKind::parse(word).filter(|kind| kind.offered());
    let kind = kind.ok_or_else(|| refuse("unknown-action", format!("{word:?}")))?;
    let action = action::read(kind, &id, raw.args).map_err(|error| refuse("bad-args", format!("{word}: {error}")))?;
    let not_after = text(&raw.not_after)
        .and_then(|time| time.parse::<Timestamp>().map_err(|error| error.to_string()))
        .map_err(|detail| refuse("bad-not-after", format!("not_after {detail}")))?;
    Ok(Command { id, device, action, not_after, origin: Origin::Cloud })
}

/// A command as it travels: for instruments and tests that play the cloud. Empty for an action that the contract does
/// not offer.
pub fn command_message(command: &Command) -> Vec<u8> {
    let Command { id, device, action, not_after, origin: _ } = command;
    let Some(action) = ActionV1::of(action) else { return Vec::new() };
    let device = device.as_ref().map(DeviceId::as_str);
    let command = CommandV1 { id: id.as_str(), device, action, not_after: not_after.to_string() };
    serde_json::to_vec(&command).unwrap_or_default()
}

fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Null => Err("is missing".to_owned()),
        _ => Err("is not text".to_owned()),
    }
}

fn unparsed(id: Option<&CommandId>, reason: &str, detail: &str) -> Unparsed {
    Unparsed { id: id.cloned(), reason: Reason::new(reason), detail: detail.chars().take(DETAIL_CHARACTERS).collect() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::Action;

    fn refusal(message: &str) -> (Option<String>, String) {
        let unparsed = parse_command(message.as_bytes()).unwrap_err();
        (unparsed.id.map(|id| id.to_string()), unparsed.reason.to_string())
    }

    #[test]
    fn a_command_is_read_and_a_newer_envelope_is_tolerated() {
        let message = br#"{"id":"c-1","device":"scanner-1","action":"scan.trigger","args":{"on":true},
            "not_after":"2026-11-22T10:01:00+08:00","priority":9}"#;
        let command = parse_command(message).unwrap();
        assert_eq!(command.id.as_str(), "c-1");
        assert_eq!(command.device.as_ref().map(DeviceId::as_str), Some("scanner-1"));
        assert_eq!(command.action, Action::ScanTrigger { on: true });
        assert_eq!(command.not_after.to_string(), "2026-11-22T02:01:00.000Z");
        assert_eq!(command.origin, Origin::Cloud);
        for args in ["", r#""args":{},"#, r#""args":null,"#] {
            let message = format!(r#"{{"id":"c","action":"device.restart",{args}"not_after":"2026-11-22T02:01:00Z"}}"#);
            let command = parse_command(message.as_bytes()).unwrap();
            assert_eq!((command.action, command.device), (Action::DeviceRestart, None));
        }
    }

    #[test]
    fn a_bad_command_says_what_is_bad_and_keeps_its_id_when_that_can_be_read() {
        let time = r#""not_after":"2026-11-22T02:01:00Z""#;
        let known = |reason: &str| (Some("c".to_owned()), reason.to_owned());
        let unknown = |reason: &str| (None, reason.to_owned());
        for message in ["", "{", "[]", "null", "7", r#"{"id":"a","id":"b"}"#, "{\"id\":\"a\u{0}\"}"] {
            assert_eq!(refusal(message), unknown("malformed"), "{message}");
        }
        for message in ["{}", r#"{"id":7}"#, r#"{"id":""}"#, r#"{"id":"a b"}"#] {
            assert_eq!(refusal(message), unknown("bad-id"), "{message}");
        }
        assert_eq!(refusal(r#"{"id":"c","device":"A"}"#), known("bad-device"));
        assert_eq!(refusal(r#"{"id":"c","device":[]}"#), known("bad-device"));
        assert_eq!(refusal(r#"{"id":"c"}"#), known("unknown-action"));
        assert_eq!(refusal(&format!(r#"{{"id":"c","action":"fly",{time}}}"#)), known("unknown-action"));
        for args in ["null", "{}", "7", "[]", "[true]", r#"{"on":1}"#, r#"{"on":true,"off":true}"#] {
            let message = format!(r#"{{"id":"c","action":"scan.trigger","args":{args},{time}}}"#);
            assert_eq!(refusal(&message), known("bad-args"), "{args}");
        }
        assert_eq!(refusal(r#"{"id":"c","action":"device.restart"}"#), known("bad-not-after"));
        assert_eq!(refusal(r#"{"id":"c","action":"device.restart","not_after":"soon"}"#), known("bad-not-after"));
    }

    #[test]
    fn size_and_depth_are_bounded() {
        let large = format!(r#"{{"id":"c","x":"{}"}}"#, "x".repeat(COMMAND_BYTES));
        assert_eq!(refusal(&large), (None, "too-large".to_owned()));
        let deep = format!(r#"{{"id":"c","args":{}"#, "[".repeat(COMMAND_BYTES / 2));
        assert_eq!(refusal(&deep), (None, "malformed".to_owned()));
        let unparsed = parse_command(format!(r#"{{"id":"c","action":"{}"}}"#, "y".repeat(60_000)).as_bytes());
        assert!(unparsed.unwrap_err().detail.len() <= DETAIL_CHARACTERS);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_command(&bytes);
        }

        #[test]
        fn what_is_written_is_read_back(
            id in "[A-Za-z0-9._:-]{1,64}",
            device in proptest::option::of("[a-z0-9-]{1,32}"),
            on in proptest::option::of(any::<bool>()),
            unix_ms in 0_i64..4_000_000_000_000,
        ) {
            let command = Command {
                id: CommandId::new(&id).unwrap(),
                device: device.map(|name| DeviceId::new(&name).unwrap()),
                action: on.map_or(Action::DeviceRestart, |on| Action::ScanTrigger { on }),
                not_after: Timestamp::from_unix_ms(unix_ms),
                origin: Origin::Cloud,
            };
            prop_assert_eq!(parse_command(&command_message(&command)), Ok(command));
        }
    }
}
