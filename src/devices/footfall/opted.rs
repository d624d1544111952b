//! Whom the site's list leaves out: read again when the list changes, and nothing is counted while it cannot be read.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::sense::footfall::Listed;

/// A list beside its key, which has the same name and `.key` behind it.
pub(super) struct OptedOut {
    list: PathBuf,
    /// When the list that was read had been written.
    written: Option<SystemTime>,
}

impl OptedOut {
    pub(super) fn new(list: PathBuf) -> Self {
        Self { list, written: None }
    }

    /// The list, if it is not the one that was given last.
    ///
    /// # Errors
    ///
    /// One of the files cannot be read or is none, or others can read the key. The words name the file.
    pub(super) fn news(&mut self) -> io::Result<Option<Arc<Listed>>> {
        let told = |file| move |error: io::Error| named(file, &error.to_string());
        let written = std::fs::metadata(&self.list).and_then(|list| list.modified()).map_err(told(&self.list))?;
        if self.written == Some(written) {
            return Ok(None);
        }
        let mut key_file = self.list.clone().into_os_string();
        key_file.push(".key");
        let key_file = PathBuf::from(key_file);
        let mode = std::fs::metadata(&key_file).map_err(told(&key_file))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(named(&key_file, "others can read it: chmod 600"));
        }
        let key = std::fs::read_to_string(&key_file).map_err(told(&key_file))?;
        let list = std::fs::read_to_string(&self.list).map_err(told(&self.list))?;
        let listed = Listed::parse(&key, &list).map_err(|error| named(&self.list, &error.to_string()))?;
        self.written = Some(written);
        Ok(Some(Arc::new(listed)))
    }
}

fn named(file: &Path, reason: &str) -> io::Error {
    let help = "`smartstore footfall opt-out` makes both files";
    io::Error::other(format!("opt-out list {}: {reason} ({help})", file.display()))
}
