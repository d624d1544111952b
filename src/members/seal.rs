//! Sealing: AES-256-GCM under a key that stands in a file of its own.
//!
//! The file: a head line, then for each key its number (4 bytes, little-endian) and 32 bytes, the newest last; two at
//! most, and two only while everything is sealed anew. Mode 0600. A sealed form: the key's number, a nonce of 12 random
//! bytes, ciphertext, tag.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::types::wipe;

const HEAD: &[u8] = b"smartstore member keys 1\n";
const NUMBER_LEN: usize = 4;
const KEY_LEN: usize = 32;
const ENTRY_LEN: usize = NUMBER_LEN + KEY_LEN;
const KEYS: usize = 2;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The file cannot be read or written.
    #[error("the key of the members' templates, {}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} is no file of members' keys", file.display())]
    Form {
        /// Which.
        file: PathBuf,
    },
}

/// A key and its number. Overwritten when it goes.
struct Key {
    number: u32,
    bytes: [u8; KEY_LEN],
}

impl Drop for Key {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
    }
}

impl Key {
    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, &self.bytes).ok().map(LessSafeKey::new)
    }
}

/// The keys, and the file they are in.
pub(super) struct Seal {
    file: PathBuf,
    /// Newest last.
    keys: Vec<Key>,
}

impl Seal {
    /// Reads the file; one that is not there is made at the first key.
    pub(super) fn open(file: &Path) -> Result<Self, SealError> {
        let mut bytes = Vec::new();
        let read = match File::open(file) {
            Ok(open) => open.take((HEAD.len() + ENTRY_LEN * KEYS + 1) as u64).read_to_end(&mut bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { file: file.to_owned(), keys: Vec::new() });
            }
            Err(error) => Err(error),
        };
        let keys = read.map(|_| keys(&bytes));
        wipe(&mut bytes);
        match keys {
            Ok(Some(keys)) => Ok(Self { file: file.to_owned(), keys }),
            Ok(None) => Err(SealError::Form { file: file.to_owned() }),
            Err(source) => Err(SealError::File { file: file.to_owned(), source }),
        }
    }

    /// Makes a new key, which is used from now on. It is on disk before it is used.
    pub(super) fn renew(&mut self) -> Result<(), SealError> {
        let mut key = Key { number: self.keys.last().map_or(1, |key| key.number.wrapping_add(1)), bytes: [0; KEY_LEN] };
        let drawn = getrandom::fill(&mut key.bytes).map_err(|error| io::Error::other(error.to_string()));
        drawn.map_err(|source| self.failed(source))?;
        self.keys.push(key);
        if self.keys.len() > KEYS {
            self.keys.remove(0);
        }
        let written = self.write();
        if written.is_err() {
            self.keys.pop();
        }
        written
    }

    /// Overwrites every key but the newest: what was sealed with them is gone for good.
    pub(super) fn retire(&mut self) -> Result<(), SealError> {
        let before = self.keys.len().saturating_sub(1);
        if before == 0 {
            return Ok(());
        }
        self.keys.drain(..before);
        self.write()
    }

    /// Whether there is no key yet.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Overwrites keys that are not among these. Without any everything stays: a key is no secret of anybody then.
    pub(super) fn keep(&mut self, used: &BTreeSet<u32>) -> Result<(), SealError> {
        if used.is_empty() || self.keys.iter().all(|key| used.contains(&key.number)) {
            return Ok(());
        }
        self.keys.retain(|key| used.contains(&key.number));
        self.write()
    }

    /// The number of the key that something was sealed with.
    pub(super) fn number(sealed: &[u8]) -> Option<u32> {
        sealed.first_chunk().map(|number| u32::from_le_bytes(*number))
    }

    /// Seals with the newest key, bound to what it is `about`.
    pub(super) fn seal(&self, plain: &[u8], about: &[u8]) -> Option<Vec<u8>> {
        let key = self.keys.last()?;
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).ok()?;
        let mut body = plain.to_vec();
        let cipher = key.cipher()?;
        let sealed = cipher.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(about), &mut body);
        if sealed.is_err() {
            wipe(&mut body);
            return None;
        }
        Some([&key.number.to_le_bytes()[..], &nonce, &body].concat())
    }

    /// Opens what was sealed, if its key is still there and nothing was changed.
    pub(super) fn unseal(&self, sealed: &[u8], about: &[u8]) -> Option<Vec<u8>> {
        let (number, rest) = sealed.split_first_chunk::<NUMBER_LEN>()?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>()?;
        let key = self.keys.iter().find(|key| key.number == u32::from_le_bytes(*number))?;
        let mut body = body.to_vec();
        let cipher = key.cipher()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = cipher.open_in_place(nonce, Aad::from(about), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }

    /// Writes beside, syncs, renames, and overwrites what was there before.
    fn write(&self) -> Result<(), SealError> {
        let mut bytes = HEAD.to_vec();
        for key in &self.keys {
            bytes.extend_from_slice(&key.number.to_le_bytes());
            bytes.extend_from_slice(&key.bytes);
        }
        let written = put(&self.file, &bytes);
        wipe(&mut bytes);
        written.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> SealError {
        SealError::File { file: self.file.clone(), source }
    }
}

fn keys(bytes: &[u8]) -> Option<Vec<Key>> {
    let entries = bytes.strip_prefix(HEAD)?;
    if entries.is_empty() || !entries.len().is_multiple_of(ENTRY_LEN) || entries.len() > ENTRY_LEN * KEYS {
        return None;
    }
    let key = |entry: &[u8]| {
        let (number, bytes) = entry.split_first_chunk::<NUMBER_LEN>()?;
        Some(Key { number: u32::from_le_bytes(*number), bytes: bytes.try_into().ok()? })
    };
    entries.chunks(ENTRY_LEN).map(key).collect()
}

fn put(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = file.with_extension("new");
    let mut new = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    new.write_all(bytes)?;
    new.sync_all()?;
    let before = OpenOptions::new().write(true).open(file).ok();
    std::fs::rename(&beside, file)?;
    File::open(folder)?.sync_all()?;
    // Its name is gone; what was in it goes, too. A file system that never writes in place keeps it: its affair.
    if let Some(mut before) = before {
        let length = usize::try_from(before.metadata()?.len()).unwrap_or(0).min(HEAD.len() + ENTRY_LEN * KEYS);
        before.write_all(&vec![0; length])?;
        before.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_sealed_is_opened_by_its_key_alone_and_only_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("members.key");
        let mut seal = Seal::open(&file).unwrap();
        assert!(seal.seal(b"likeness", b"row").is_none(), "there is no key yet");
        seal.renew().unwrap();
        let sealed = seal.seal(b"likeness", b"row").unwrap();
        assert!(!sealed.windows(8).any(|window| window == b"likeness"));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let again = Seal::open(&file).unwrap();
        assert_eq!(again.unseal(&sealed, b"row").as_deref(), Some(&b"likeness"[..]));
        assert_eq!(again.unseal(&sealed, b"another row"), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(again.unseal(&changed, b"row"), None, "byte {at}");
            assert_eq!(again.unseal(&sealed[..at], b"row"), None, "{at} bytes");
        }
        let other = folder.path().join("other.key");
        let mut other = Seal::open(&other).unwrap();
        other.renew().unwrap();
        assert_eq!(other.unseal(&sealed, b"row"), None);
    }

    /// Two keys while everything is sealed anew, and nothing of the old one afterwards: neither in the file nor in what
    /// an open handle of the old file still shows.
    #[test]
    fn a_retired_key_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("members.key");
        let mut seal = Seal::open(&file).unwrap();
        seal.renew().unwrap();
        let sealed = seal.seal(b"likeness", b"row").unwrap();
        seal.renew().unwrap();
        assert!(Seal::open(&file).unwrap().unseal(&sealed, b"row").is_some(), "not retired yet");
        let mut before = File::open(&file).unwrap();
        seal.retire().unwrap();
        assert_eq!(Seal::open(&file).unwrap().unseal(&sealed, b"row"), None);
        let mut left = Vec::new();
        before.read_to_end(&mut left).unwrap();
        assert!(left.len() > HEAD.len() && left.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn another_file_is_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("members.key");
        for text in [&b""[..], b"password\n", b"smartstore member keys 1\n", b"smartstore member keys 1\nshort"] {
            std::fs::write(&file, text).unwrap();
            assert!(matches!(Seal::open(&file), Err(SealError::Form { .. })), "{text:?}");
        }
        assert!(matches!(Seal::open(folder.path()), Err(SealError::File { .. })));
    }
}
