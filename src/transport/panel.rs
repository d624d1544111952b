//! Whether the panel behind a graphics connector is there and has power, as the kernel knows it.
//!
//! `/sys/class/drm/<connector>/{status,enabled,dpms}` (Linux, `drivers/gpu/drm/drm_sysfs.c`): small files with one word
//! each. A panel with a switch of its own may hold its line up although it is dark: what is said here is what the
//! kernel can know.

use std::fs;
use std::path::Path;

/// Where the kernel shows its connectors.
pub const CONNECTORS: &str = "/sys/class/drm";
/// Longest word that is read, in bytes.
const WORD_BYTES: usize = 32;

/// What is known of a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panel {
    /// It is there, and the connector drives it.
    On,
    /// It is there, and the connector gives it no picture: it sleeps or is switched off.
    Off,
    /// Nothing is connected.
    Unplugged,
    /// Nobody can tell: there is no such connector, or it says something else.
    Unknown,
}

impl Panel {
    /// Whether nobody can see anything on it.
    pub const fn is_dark(self) -> bool {
        matches!(self, Self::Off | Self::Unplugged)
    }

    /// What a connector's words mean: of `status`, `enabled` and `dpms`. What is missing says nothing.
    pub fn from_words(status: &str, enabled: &str, dpms: &str) -> Self {
        match (status.trim(), enabled.trim(), dpms.trim()) {
            ("disconnected", _, _) => Self::Unplugged,
            (_, "disabled", _) | (_, _, "Off" | "Standby" | "Suspend") => Self::Off,
            ("connected", _, _) | (_, "enabled", _) | (_, _, "On") => Self::On,
            _ => Self::Unknown,
        }
    }

    /// Reads the words of a connector below a folder, such as [`CONNECTORS`]. The name must be one of a connector.
    pub fn of(folder: &Path, connector: &str) -> Self {
        let place = folder.join(connector);
        let word = |name: &str| {
            let word = fs::read_to_string(place.join(name)).unwrap_or_default();
            if word.len() > WORD_BYTES { String::new() } else { word }
        };
        Self::from_words(&word("status"), &word("enabled"), &word("dpms"))
    }
}

/// Whether a name can be that of a connector: `card0-HDMI-A-1`.
pub fn is_connector(name: &str) -> bool {
    let rest = name.strip_prefix("card").unwrap_or_default();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let port = rest[digits..].strip_prefix('-').unwrap_or_default();
    let is_plain = port.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (1..=3).contains(&digits) && !port.is_empty() && name.len() <= 40 && is_plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connectors_words_say_whether_anybody_can_see_it() {
        // The words are those of drm_sysfs.c and drm_connector.c of Linux 6.1.
        for (words, panel) in [
            (("connected\n", "enabled\n", "On\n"), Panel::On),
            (("connected\n", "enabled\n", "Off\n"), Panel::Off),
            (("connected\n", "enabled\n", "Standby\n"), Panel::Off),
            (("connected\n", "disabled\n", "On\n"), Panel::Off),
            (("disconnected\n", "disabled\n", "Off\n"), Panel::Unplugged),
            (("disconnected\n", "enabled\n", "On\n"), Panel::Unplugged),
            (("unknown\n", "enabled\n", "On\n"), Panel::On),
            (("unknown\n", "", ""), Panel::Unknown),
            (("", "", ""), Panel::Unknown),
        ] {
            assert_eq!(Panel::from_words(words.0, words.1, words.2), panel, "{words:?}");
        }
    }

    #[test]
    fn a_connector_is_read_from_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("card0-HDMI-A-1");
        std::fs::create_dir(&place).unwrap();
        let is = || Panel::of(folder.path(), "card0-HDMI-A-1");
        assert_eq!(is(), Panel::Unknown);
        for (status, dpms, panel) in [
            ("connected\n", "On\n", Panel::On),
            ("connected\n", "Off\n", Panel::Off),
            ("disconnected\n", "Off\n", Panel::Unplugged),
        ] {
            std::fs::write(place.join("status"), status).unwrap();
            std::fs::write(place.join("dpms"), dpms).unwrap();
            assert_eq!((is(), is().is_dark()), (panel, panel != Panel::On));
        }
        assert_eq!(Panel::of(folder.path(), "card1-DP-1"), Panel::Unknown);
    }

    #[test]
    fn a_name_that_is_no_connectors_is_none() {
        for name in ["card0-HDMI-A-1", "card1-eDP-1", "card12-DP-2"] {
            assert!(is_connector(name), "{name}");
        }
        for name in
            ["", "card0", "card0-", "HDMI-A-1", "card-HDMI-A-1", "card0-../..", "card0-a/b", "../card0-DP-1", "card0-?"]
        {
            assert!(!is_connector(name), "{name}");
        }
    }
}
