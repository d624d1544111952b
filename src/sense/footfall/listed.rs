//! Devices that are not to be counted: their owners opted out, or they are the shop's own.
//!
//! The list holds addresses under a second key that lives as long as the list does and is used for nothing else. Who
//! holds both key and list can try all 2^48 addresses against it: the key belongs where passwords are.

use std::collections::HashSet;

use super::key::Key;
use crate::wire::dot11::Address;

/// The list.
pub struct Listed {
    key: Key,
    hashes: HashSet<u64>,
}

impl std::fmt::Debug for Listed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listed({} devices)", self.hashes.len())
    }
}

impl Listed {
    /// From the site's long-lived key and what [`Listed::hash`] made of each address under it.
    pub fn new(key: Key, hashes: impl IntoIterator<Item = u64>) -> Self {
        Self { key, hashes: hashes.into_iter().collect() }
    }

    /// What is written down of an address.
    pub fn hash(key: &Key, address: Address) -> u64 {
        key.pseudonym(address).bits()
    }

    /// Whether the device is listed.
    pub fn has(&self, address: Address) -> bool {
        !self.hashes.is_empty() && self.hashes.contains(&Self::hash(&self.key, address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_device_is_known_again_and_nobody_is_shown() {
        let key = || Key::new([9; 16]);
        let [mine, other] = [Address::new([2, 0, 0, 0, 0, 1]), Address::new([2, 0, 0, 0, 0, 2])];
        let list = Listed::new(key(), [Listed::hash(&key(), mine)]);
        assert!(list.has(mine) && !list.has(other));
        assert_eq!(format!("{list:?}"), "Listed(1 devices)");
        assert!(!Listed::new(Key::new([8; 16]), [Listed::hash(&key(), mine)]).has(mine), "under another key");
    }
}
