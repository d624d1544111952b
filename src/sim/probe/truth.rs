//! What nobody but the simulator knows.

use serde::Serialize;

/// What somebody did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Did {
    /// Walked by outside.
    Passed,
    /// Came in and soon left.
    Visited,
    /// Came in and stayed.
    Stayed,
}

/// A fact. As JSON: `{"truth":"person",…}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "truth", rename_all = "lowercase")]
pub enum Truth {
    /// Somebody came.
    Person {
        /// Who.
        person: u32,
        /// When, in seconds since the crowd began.
        came_s: i64,
        /// Until when.
        left_s: i64,
        /// To do what.
        did: Did,
        /// With how many phones that look for networks.
        phones: u32,
    },
    /// A phone speaks under an address that it has not had before.
    Address {
        /// Which phone.
        phone: u32,
        /// Whose.
        person: u32,
        /// Its model.
        model: &'static str,
        /// The address, as it is usually written.
        address: String,
        /// The network that it asks for by name.
        #[serde(skip_serializing_if = "Option::is_none")]
        ssid: Option<String>,
    },
}

/// The sums. As JSON: `{"truth":"totals",…}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "truth", rename = "totals")]
pub struct Totals {
    /// People who came, in all.
    pub people: u64,
    /// Of these, only walked by.
    pub passed: u64,
    /// Of these, came in and soon left.
    pub visited: u64,
    /// Of these, came in and stayed.
    pub stayed: u64,
    /// Phones that were heard.
    pub phones: u64,
    /// Addresses that they used.
    pub addresses: u64,
    /// Frames that were carried away.
    pub frames: u64,
    /// Frames that could not be: nobody took them.
    pub lost: u64,
}

impl Totals {
    pub(super) fn add(&mut self, truth: &Truth) {
        match truth {
            Truth::Person { did, phones, .. } => {
                self.people += 1;
                self.phones += u64::from(*phones);
                match did {
                    Did::Passed => self.passed += 1,
                    Did::Visited => self.visited += 1,
                    Did::Stayed => self.stayed += 1,
                }
            }
            Truth::Address { .. } => self.addresses += 1,
        }
    }
}

/// An address as it is usually written.
pub(super) fn spelled(address: [u8; 6]) -> String {
    let [a, b, c, d, e, f] = address;
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}
