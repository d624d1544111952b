//! A mistake in a file, precise enough to be shown under the text it is about.

use std::ops::Range;
use std::path::PathBuf;

/// Byte range in a file's text.
pub type Span = Range<usize>;

/// Whether a file can be used with this mistake in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It can; the technician should still know.
    Warning,
    /// It cannot.
    Error,
}

impl Severity {
    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file it is in.
    pub file: PathBuf,
    /// Where in the file's text; `None`: the file as a whole (it cannot be read, say).
    pub span: Option<Span>,
    /// How bad.
    pub severity: Severity,
    /// Stable code, such as `unknown-key`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// The word that is most like `word`, when one is like enough to be meant: one slip in three letters.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > NEAREST_BYTES {
        return None;
    }
    let slips = (word.chars().count() / 3).max(1);
    known
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= slips)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Longer words than this are not misspelt, they are something else.
const NEAREST_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_only_when_it_is_near() {
        let known = ["id", "profile", "endpoint"];
        assert_eq!(nearest("ednpoint", known.into_iter()), Some("endpoint"));
        assert_eq!(nearest("profil", known.into_iter()), Some("profile"));
        assert_eq!(nearest("baud", known.into_iter()), None);
        assert_eq!(nearest(&"p".repeat(100_000), known.into_iter()), None);
    }
}
