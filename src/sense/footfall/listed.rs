//! Devices that are not to be counted: their owners opted out, or they are the shop's own.
//!
//! The list holds addresses under a second key that lives as long as the list does and is used for nothing else. Who
//! holds both key and list can try all 2^48 addresses against it: the key belongs where passwords are. Addresses that
//! a phone has made up are not worth listing.

use std::collections::HashSet;

use super::key::Key;
use super::limits::LISTED;
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

/// What no list can be read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListedError {
    /// The key's text.
    #[error("the key is not 32 hexadecimal digits")]
    Key,
    /// A line of the list, from 1.
    #[error("line {0} is no entry: 16 hexadecimal digits each")]
    Line(usize),
    /// More entries than are kept.
    #[error("there are more than {LISTED} entries")]
    TooMany,
}

impl Listed {
    /// Nobody is listed, under a new key.
    pub fn empty(key: Key) -> Self {
        Self { key, hashes: HashSet::new() }
    }

    /// From the texts of two files: the site's long-lived key as 32 hexadecimal digits, and one entry a line. Empty
    /// lines and those that begin with `#` say nothing.
    ///
    /// # Errors
    ///
    /// One of them is not that.
    pub fn parse(key: &str, list: &str) -> Result<Self, ListedError> {
        let word = |digits: &str| {
            let is_word = digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            is_word.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
        };
        let (first, second) = key.trim().split_at_checked(16).ok_or(ListedError::Key)?;
        let (first, second) = word(first).zip(word(second)).ok_or(ListedError::Key)?;
        let mut random = [0; 16];
        random[..8].copy_from_slice(&first.to_be_bytes());
        random[8..].copy_from_slice(&second.to_be_bytes());
        let mut listed = Self::empty(Key::new(random));
        for (line, text) in (1..).zip(list.lines().map(str::trim)) {
            if !text.is_empty() && !text.starts_with('#') {
                listed.hashes.insert(word(text).ok_or(ListedError::Line(line))?);
            }
        }
        if listed.hashes.len() > LISTED { Err(ListedError::TooMany) } else { Ok(listed) }
    }

    /// The entries as a file has them: in an order that does not say who came first.
    pub fn text(&self) -> String {
        let mut hashes: Vec<u64> = self.hashes.iter().copied().collect();
        hashes.sort_unstable();
        hashes.iter().map(|hash| format!("{hash:016x}\n")).collect()
    }

    /// Lists a device; whether it was not.
    pub fn add(&mut self, address: Address) -> bool {
        self.hashes.insert(self.key.pseudonym(address).bits())
    }

    /// Lists a device no more; whether it was.
    pub fn remove(&mut self, address: Address) -> bool {
        self.hashes.remove(&self.key.pseudonym(address).bits())
    }

    /// How many devices are listed.
    pub fn count(&self) -> usize {
        self.hashes.len()
    }

    /// Whether the device is listed.
    pub fn has(&self, address: Address) -> bool {
        !self.hashes.is_empty() && self.hashes.contains(&self.key.pseudonym(address).bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "000102030405060708090a0b0c0d0e0f\n";

    #[test]
    fn a_listed_device_is_known_again_and_nobody_is_shown() {
        let [mine, other] = [Address::new([0, 0, 0, 0, 0, 1]), Address::new([0, 0, 0, 0, 0, 2])];
        let mut list = Listed::empty(Key::new([9; 16]));
        assert!(list.add(mine) && !list.add(mine));
        assert!(list.has(mine) && !list.has(other));
        assert_eq!(format!("{list:?}"), "Listed(1 devices)");
        assert!(list.remove(mine) && !list.remove(mine) && !list.has(mine));
    }

    #[test]
    fn what_is_written_is_read_under_its_own_key_only() {
        let mine = Address::new([0, 1, 2, 3, 4, 5]);
        let mut list = Listed::parse(KEY, "# nobody yet\n\n").unwrap();
        list.add(mine);
        // SipHash-2-4 of the bytes 00 … 05 under the key 00 … 0f, as in the test of `Key`.
        assert_eq!(list.text(), "cbc9466e58fee3ce\n");
        assert!(Listed::parse(KEY, &list.text()).unwrap().has(mine));
        assert!(!Listed::parse(&KEY.replace("0f", "1f"), &list.text()).unwrap().has(mine));
    }

    #[test]
    fn what_is_no_list_is_refused_by_its_line() {
        let error = |key, list| Listed::parse(key, list).unwrap_err();
        assert_eq!(error("00", ""), ListedError::Key);
        assert_eq!(error("+0102030405060708090a0b0c0d0e0f0", ""), ListedError::Key);
        assert_eq!(error("äöüäöüäöüäöüäöüäöüäö", ""), ListedError::Key);
        assert_eq!(error(KEY, "0011223344556677\n28:6c:07:71:eb:5f\n"), ListedError::Line(2));
    }
}
