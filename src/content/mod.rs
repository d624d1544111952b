//! What the screens show, on the box: fetched, verified, and in force only as a whole.
//!
//! ```text
//! DATA/content/active.jws      the signed manifest that is in force
//!              previous.jws    the one before
//!              cas/<sha256>    files of both, each verified before its name appeared
//!              part/<sha256>   files on their way
//! ```
//!
//! `content.put` names a manifest; its files are fetched from `assets/<sha256>` beside it. Only when every one of them
//! is here and has the digest that the manifest gives it does the manifest take the place of the one before, by one
//! rename. Until then, and whatever goes wrong, the screens show what they showed.
//!
//! What is absent: no schedule (`wire::screen`), no HTTP towards screens (`console`), no screen. A key that is no
//! longer trusted puts nothing new in force; what it had put in force stays on, because a black screen is no remedy.
//!
//! Invariants: a name in `cas` is the digest of its bytes; nothing of a URL becomes a path; a manifest is never in
//! force without its files; an older revision never replaces a newer one; an override is on disk before its command has
//! ended.
//!
//! Limits: a manifest of 2 MiB, 2,000 files of 512 MiB each, together no more than `[content] max_size`; each file may
//! take ten minutes and eight tries.

mod desk;
mod herald;
mod shelf;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use desk::Desk;
pub use herald::Herald;
pub use shelf::{Active, Content, Opened, ShelfError, open};

use crate::types::KeyId;

/// As the configuration has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Who may sign content: Ed25519 public keys by name. Empty: nobody.
    pub keys: BTreeMap<KeyId, [u8; 32]>,
    /// Most bytes of files of one content.
    pub max_bytes: u64,
}
