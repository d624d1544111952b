//! The closed list of health conditions: what can be wrong, how badly, in whose words, and what to do.

use std::time::Duration;

use super::DeviceId;

/// How bad a condition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Worth knowing; nothing is lost and nothing stands still.
    Info,
    /// Something does not work as it should; the shop goes on.
    Warning,
    /// A part of the shop stands still until somebody acts.
    Error,
}

impl Level {
    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

macro_rules! conditions {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $level:ident, $visible_after_s:literal,
        $text:literal, $help:literal;)*) => {
        /// A named thing that can be wrong. Codes are never renamed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Condition { $($(#[$doc])* #[doc = $text] $name,)* }

        impl Condition {
            /// Every condition there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The contract's code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// How bad it is.
            pub const fn level(self) -> Level {
                match self { $(Self::$name => Level::$level,)* }
            }

            /// How long it must have lasted before it is news: a five-second flap is not.
            pub const fn visible_after(self) -> Duration {
                match self { $(Self::$name => Duration::from_secs($visible_after_s),)* }
            }

            /// What is wrong, in plain words.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What to do about it.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$name => $help,)* }
            }
        }
    };
}

conditions! {
    CloudAway = "cloud.away", Warning, 10, "The cloud's broker cannot be reached.",
        "Check the network and [cloud] broker. Nothing is lost: events wait on disk and are sent when it is back.";
    CloudRefused = "cloud.refused", Error, 0, "The broker refuses this gateway or some of its messages.",
        "Check username, password_file, client certificate and the broker's access list for this gateway.";
    CloudTls = "cloud.tls", Error, 0, "The broker's certificate, or ours, is not accepted.",
        "Check ca_file, cert_file, key_file, their dates, the broker's host name and this box's clock.";
    CloudQuota = "cloud.quota", Warning, 10, "The broker says its quota for this gateway is used up.",
        "Raise the quota or wait: sending goes on more slowly by itself.";
    JournalFull = "journal.full", Error, 0, "The journal may not grow any more.",
        "Let the gateway reach the cloud so that it can empty, or enlarge [journal] max_size.";
    JournalLowSpace = "journal.low-space", Warning, 10, "The disk under the journal is nearly full.",
        "Free space on data_dir's file system; old telemetry is dropped first and every dropped range is announced.";
    JournalDamaged = "journal.damaged", Error, 0, "The journal was damaged and has been set aside.",
        "Keep the .corrupt-… file beside the journal for analysis and check the disk; a new journal is in use.";
    ClockUnsynced = "clock.unsynced", Warning, 60, "The clock is not synchronised.",
        "Check the time service (chrony, systemd-timesyncd) and the network.";
    ConfigSafeMode = "config.safe-mode", Error, 0, "The configuration is broken; the gateway runs in safe mode.",
        "Run `smartstore check` on the configuration file and mend what it names.";
    TtyMissing = "tty.missing", Error, 2, "The device's port is not there.",
        "Plug the cable in, or check the endpoint's path. It is opened as soon as it appears.";
    DeviceSilent = "device.silent", Warning, 5, "The device does not answer.",
        "Check its power, the cable, and that profile and baud rate fit the device.";
    ScannerNoise = "scanner.noise", Warning, 2, "The scanner's line delivers bytes that are no code.",
        "Check baud rate, terminator and the cable's ground; codes between the noise are still read.";
    LineNoise = "line.noise", Warning, 2, "The machine's line delivers bytes that are no message.",
        "Check baud rate, parity, the cable's ground and shield; messages between the noise are still read.";
    VendJam = "vend.jam", Error, 0, "A lane of the machine is jammed.",
        "Clear the lane, then clear the jam at the machine or the console.";
    VendUnresolved = "vend.unresolved", Error, 0, "The outcome of a sale is not known.",
        "Look at the machine, then use `smartstore sale resolve`.";
    StockLow = "stock.low", Info, 0, "A lane is nearly empty.",
        "Refill it and set its stock.";
    CameraMissing = "camera.missing", Error, 2, "The camera is not there.",
        "Plug it in, or check the endpoint.";
    CameraStalled = "camera.stalled", Warning, 5, "The camera delivers no frames.",
        "Replug the camera; a USB hub without power of its own is a usual cause.";
    ModelMissing = "model.missing", Error, 0, "A model file is missing.",
        "Run `smartstore models fetch`.";
    RadioMissing = "radio.missing", Error, 2, "The WiFi monitor interface is not there.",
        "Plug the adapter in, or check the endpoint and that it can do monitor mode.";
    RadioDrops = "radio.drops", Warning, 0, "The kernel had no room for all frames of the WiFi monitor interface.",
        "The box is too busy: counts are too low. Look at its load; move other work away or take a faster box.";
    EndpointMissing = "endpoint.missing", Error, 2, "The device's endpoint cannot be opened.",
        "Check the endpoint: a file that is there, an address of this box that no other program uses.";
    ScreenDark = "screen.dark", Error, 30, "A screen shows nothing.",
        "Check the screen's power and its kiosk browser.";
    ContentMissing = "content.missing", Warning, 0, "Content a screen should show is not on the box.",
        "Let the gateway reach the content's address; the last good content stays on.";
}

impl Condition {
    /// The condition a code names.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|condition| condition.code() == code)
    }
}

/// A condition became visible, or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthChange {
    /// Which one.
    pub condition: Condition,
    /// Whose it is; `None`: the gateway's own.
    pub device: Option<DeviceId>,
    /// `true`: it appeared; `false`: it went.
    pub raised: bool,
    /// What exactly, where there is more to say than the condition's own text. Holds no secret and no personal data.
    pub detail: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_every_condition_says_what_to_do() {
        let mut codes: Vec<_> = Condition::ALL.iter().map(|c| c.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Condition::ALL.len());
        for condition in Condition::ALL {
            assert_eq!(Condition::parse(condition.code()), Some(*condition));
            assert!(condition.text().ends_with('.') && condition.help().ends_with('.'), "{}", condition.code());
        }
    }
}
