//! What may be asked of the gateway and its devices, and how it ends.

use std::fmt;

use super::{CommandId, DeviceId, Timestamp};

/// A short machine-readable reason: `[a-z0-9-]{1,64}`, such as `unknown-device`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// Longest reason, in bytes.
    pub const LIMIT: usize = 64;

    /// Keeps `[a-z0-9-]`, turns everything else into `-`, and cuts at the limit, so that text from outside can
    /// become a reason without carrying anything else along.
    pub fn new(text: &str) -> Self {
        let kept = |c: char| match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9') => c,
            _ => '-',
        };
        Self(text.chars().take(Self::LIMIT).map(kept).collect())
    }

    /// The reason as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start or stop reading, of a scanner in command mode.
    ScanTrigger {
        /// `true`: read now; `false`: stop.
        on: bool,
    },
    /// Close the device's line and start its driver anew.
    DeviceRestart,
    /// Send a diagnostics bundle; asked of the gateway itself.
    Diagnostics,
}

/// The name of an action, without its arguments: what a device says it can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActionKind {
    /// See [`Action::ScanTrigger`].
    ScanTrigger,
    /// See [`Action::DeviceRestart`].
    DeviceRestart,
    /// See [`Action::Diagnostics`].
    Diagnostics,
}

impl ActionKind {
    /// Every action.
    pub const ALL: [Self; 3] = [Self::ScanTrigger, Self::DeviceRestart, Self::Diagnostics];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ScanTrigger => "scan.trigger",
            Self::DeviceRestart => "device.restart",
            Self::Diagnostics => "diagnostics",
        }
    }

    /// The action the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether doing it twice does no more than doing it once. Only such an action may be repeated when it is
    /// not known whether it happened.
    pub const fn idempotent(self) -> bool {
        match self {
            Self::ScanTrigger | Self::DeviceRestart | Self::Diagnostics => true,
        }
    }
}

impl Action {
    /// Which action this is.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::ScanTrigger { .. } => ActionKind::ScanTrigger,
            Self::DeviceRestart => ActionKind::DeviceRestart,
            Self::Diagnostics => ActionKind::Diagnostics,
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The cloud, over MQTT.
    Cloud,
    /// Somebody at the box: the console or the command line.
    Local,
    /// A station's flow.
    Flow,
}

impl Origin {
    /// Its stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::Local => "local",
            Self::Flow => "flow",
        }
    }

    /// The origin a stored word names.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Cloud, Self::Local, Self::Flow].into_iter().find(|origin| origin.as_str() == word)
    }
}

/// Something asked, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Chosen by whoever asks; the same id never acts twice.
    pub id: CommandId,
    /// Whom it is for; `None`: the gateway itself.
    pub device: Option<DeviceId>,
    /// What is asked.
    pub action: Action,
    /// Wall time after which it must not be done any more.
    pub not_after: Timestamp,
    /// Who asks.
    pub origin: Origin,
}

/// How far a command has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandState {
    /// On disk, nothing done.
    Accepted,
    /// Recorded as handed to its device; after a power cut nobody knows whether it was done.
    Dispatched,
    /// Over, for ever.
    Ended(Ended),
}

/// How a command ended. There is exactly one end for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It was done.
    Done,
    /// It was not begun.
    Refused(Reason),
    /// It was begun and is known not to have worked.
    Failed(Reason),
    /// Its time was over before it was begun.
    Expired,
    /// Nobody can know whether it was done. Never retried on a guess.
    Indeterminate(Reason),
}

impl Ended {
    /// The contract's word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused(_) => "refused",
            Self::Failed(_) => "failed",
            Self::Expired => "expired",
            Self::Indeterminate(_) => "indeterminate",
        }
    }

    /// Why, where there is a why.
    pub const fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Refused(reason) | Self::Failed(reason) | Self::Indeterminate(reason) => Some(reason),
            Self::Done | Self::Expired => None,
        }
    }

    /// From the contract's word and reason.
    pub fn parse(word: &str, reason: Option<&str>) -> Option<Self> {
        let reason = || Reason::new(reason.unwrap_or("unspecified"));
        Some(match word {
            "done" => Self::Done,
            "refused" => Self::Refused(reason()),
            "failed" => Self::Failed(reason()),
            "expired" => Self::Expired,
            "indeterminate" => Self::Indeterminate(reason()),
            _ => return None,
        })
    }
}

/// The end of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Which command.
    pub command: CommandId,
    /// How it ended.
    pub ended: Ended,
}

/// An action on its way into a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The command it carries out; the driver's outcome names it.
    pub command: CommandId,
    /// What to do.
    pub action: Action,
    /// Elapsed-time deadline: a queue can outlive its purpose.
    pub deadline: std::time::Instant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_carries_nothing_but_its_alphabet() {
        assert_eq!(Reason::new("Unknown device: \"x\"").as_str(), "unknown-device---x-");
        assert_eq!(Reason::new(&"é".repeat(99)).as_str().len(), 64);
    }

    #[test]
    fn every_end_survives_its_word() {
        let reason = Reason::new("why-not");
        let ends = [
            Ended::Done,
            Ended::Refused(reason.clone()),
            Ended::Failed(reason.clone()),
            Ended::Expired,
            Ended::Indeterminate(reason),
        ];
        for end in ends {
            assert_eq!(Ended::parse(end.as_str(), end.reason().map(Reason::as_str)), Some(end));
        }
        assert_eq!(Ended::parse("perhaps", None), None);
    }
}
