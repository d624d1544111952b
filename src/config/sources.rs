//! The texts that diagnostics point into.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::types::Span;

/// The text of every file that was read.
#[derive(Debug, Clone, Default)]
pub struct Sources(BTreeMap<PathBuf, String>);

impl Sources {
    /// Keeps a file's text.
    pub fn insert(&mut self, file: &Path, text: String) {
        self.0.insert(file.to_owned(), text);
    }

    /// A file's text.
    pub fn get(&self, file: &Path) -> Option<&str> {
        self.0.get(file).map(String::as_str)
    }

    /// Line and column of a span's beginning, both from 1, the column in characters. A file as a whole, or one that
    /// could not be read, is at 1, 1.
    pub fn position(&self, file: &Path, span: Option<&Span>) -> (usize, usize) {
        match (self.get(file), span) {
            (Some(text), Some(span)) => position(text, span.start),
            _ => (1, 1),
        }
    }
}

/// Line and column of a byte, both from 1, the column in characters.
pub(super) fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(byte)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_in_characters() {
        let text = "a = 1\nstraße = \"东门\" # x\n";
        assert_eq!(position(text, 0), (1, 1));
        assert_eq!(position(text, text.find("straße").unwrap()), (2, 1));
        assert_eq!(position(text, text.find('#').unwrap()), (2, 15));
        assert_eq!(position(text, 9_999), (3, 1));
    }
}
