//! Files of networks: read whole, and never used when their digest is another than the card's.

use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};

/// Why a network is not used.
#[derive(Debug, thiserror::Error)]
pub enum NetworkFileError {
    /// The file is not there, or not to be read.
    #[error("{}: cannot be read; fetch it with `smartstore models fetch --models {}`", file.display(), folder(file))]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not the card's.
    #[error("{} has SHA-256 {found}, and its card says {expected}: it is not used; delete it and fetch it with \
             `smartstore models fetch --models {}`", file.display(), folder(file))]
    Digest {
        /// Which.
        file: PathBuf,
        /// The card's.
        expected: String,
        /// The file's.
        found: String,
    },
}

fn folder(file: &Path) -> std::path::Display<'_> {
    file.parent().unwrap_or(Path::new(".")).display()
}

/// Where the network of this name is.
pub fn network_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.onnx"))
}

/// Reads the network of this name.
///
/// # Errors
///
/// When it is not there, or its SHA-256, hexadecimal in lower case, is another.
pub fn read_network(folder: &Path, name: &str, sha256: &str) -> Result<Vec<u8>, NetworkFileError> {
    let file = network_file(folder, name);
    let bytes = match std::fs::read(&file) {
        Ok(bytes) => bytes,
        Err(source) => return Err(NetworkFileError::Read { file, source }),
    };
    let found = digest(&SHA256, &bytes).as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    if found == sha256 { Ok(bytes) } else { Err(NetworkFileError::Digest { file, expected: sha256.to_owned(), found }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bytes_of_the_card_are_a_network() {
        let folder = tempfile::tempdir().unwrap();
        // SHA-256 of "abc" (FIPS 180-2, appendix B.1).
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(matches!(read_network(folder.path(), "net", abc), Err(NetworkFileError::Read { .. })));
        std::fs::write(network_file(folder.path(), "net"), "abc").unwrap();
        assert_eq!(read_network(folder.path(), "net", abc).unwrap(), b"abc");
        std::fs::write(network_file(folder.path(), "net"), "abd").unwrap();
        let refused = read_network(folder.path(), "net", abc).unwrap_err();
        assert!(refused.to_string().contains("it is not used"), "{refused}");
    }
}
