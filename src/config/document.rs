//! Text to a table of tables, with every error of the syntax in plain words.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::limits;
use super::report::Report;
use crate::device::{Section, unknown_key};
use crate::types::Span;

/// Why a file could not be read as text.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// The operating system refused.
    Io(std::io::Error),
    /// A directory.
    Directory,
    /// Longer than [`limits::FILE_BYTES`].
    TooLong,
    /// Not UTF-8: the text as far as it could be read, and where that ends.
    NotUtf8(String, usize),
}

impl Unreadable {
    /// Code, message and help.
    pub(super) fn explain(&self) -> (&'static str, String, String) {
        match self {
            Self::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {
                ("file-missing", "there is no such file".to_owned(), "check the path".to_owned())
            }
            Self::Io(error) => (
                "file-unreadable",
                format!("cannot be read: {error}"),
                "check the file's owner and permissions".to_owned(),
            ),
            Self::Directory => {
                ("file-unreadable", "this is a directory".to_owned(), "name the file in it: store.toml".to_owned())
            }
            Self::TooLong => (
                "file-too-large",
                format!("longer than {} KiB", limits::FILE_BYTES / 1024),
                "this cannot be a configuration: check the path".to_owned(),
            ),
            Self::NotUtf8(..) => (
                "not-utf8",
                "this byte is not UTF-8 text".to_owned(),
                "save the file as UTF-8 (not GBK, not UTF-16)".to_owned(),
            ),
        }
    }
}

/// Reads a file, but no more of it than a configuration can be long.
pub(super) fn read_text(path: &Path) -> Result<String, Unreadable> {
    if path.is_dir() {
        return Err(Unreadable::Directory);
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Unreadable::Io)?;
    file.take(limits::FILE_BYTES + 1).read_to_end(&mut bytes).map_err(Unreadable::Io)?;
    if bytes.len() as u64 > limits::FILE_BYTES {
        return Err(Unreadable::TooLong);
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        Unreadable::NotUtf8(String::from_utf8_lossy(error.as_bytes()).into_owned(), valid)
    })
}

/// A parsed file, taken apart section by section.
#[derive(Debug)]
pub(super) struct Document<'a> {
    file: &'a Path,
    table: DeTable<'a>,
}

impl<'a> Document<'a> {
    /// Parses the text. Keys that stand twice are reported and the rest is still used; after any other error of the
    /// syntax nothing more can be said (`None`).
    pub(super) fn parse(file: &'a Path, text: &'a str, report: &mut Report) -> Option<Self> {
        if text.trim().is_empty() {
            let help = "write a configuration: docs/store.example.toml is one to start from";
            report.error(file, Some(0..0), "empty", "the file is empty", help);
            return None;
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut usable = true;
        let mut places: Vec<(Span, &str)> =
            errors.iter().map(|error| (error.span().unwrap_or(0..0), error.message())).collect();
        places.sort_by_key(|(span, _)| span.start);
        let mut last: Option<usize> = None;
        for (span, message) in places {
            let duplicate = message == "duplicate key";
            usable &= duplicate;
            let between = last.map(|last| &text.as_bytes()[last.min(span.start)..span.start.min(text.len())]);
            if between.is_some_and(|between| !between.contains(&b'\n')) {
                continue;
            }
            last = Some(span.start.min(text.len()));
            if duplicate {
                let key = text.get(span.clone()).unwrap_or_default();
                report.error(
                    file,
                    Some(span),
                    "duplicate-key",
                    format!("`{key}` stands here a second time"),
                    duplicate_help(key),
                );
            } else {
                report.error(file, Some(span), "syntax", format!("not TOML: {message}"), syntax_help(message));
            }
        }
        usable.then(|| Self { file, table: table.into_inner() })
    }

    /// Names what stands at the top of the file and is none of `known`.
    pub(super) fn unknown_keys(&self, known: &[&str], report: &mut Report) {
        for key in self.table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let (message, help) = unknown_key(key.get_ref(), known);
            report.error(self.file, Some(key.span()), "unknown-key", message, help);
        }
    }

    /// Whether there is such a key at the top.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Everything as one table, without what was taken out.
    pub(super) fn whole(self) -> Section<'a> {
        Section { file: self.file, span: 0..0, table: Some(Spanned::new(0..0, self.table)) }
    }

    /// Takes `[key]` out.
    pub(super) fn take(&mut self, key: &str, report: &mut Report) -> Option<Section<'a>> {
        let value = self.table.remove(key)?;
        section(self.file, key, value, report)
    }

    /// Takes every `[[key]]` out, and a lone `[key]`, which is reported, too.
    pub(super) fn take_list(&mut self, key: &str, report: &mut Report) -> Vec<Section<'a>> {
        let Some(value) = self.table.remove(key) else { return Vec::new() };
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(list) => {
                list.into_iter().filter_map(|element| section(self.file, key, element, report)).collect()
            }
            DeValue::Table(table) => {
                let message = format!("`{key}` stands in single brackets");
                report.error(self.file, Some(span.clone()), "wrong-type", message, format!("write `[[{key}]]`"));
                vec![Section { file: self.file, span: span.clone(), table: Some(Spanned::new(span, table)) }]
            }
            _ => {
                let message = format!("`{key}` must be tables in double brackets");
                report.error(self.file, Some(span), "wrong-type", message, format!("write `[[{key}]]`"));
                Vec::new()
            }
        }
    }

    /// Takes the table out of another one; one that is not there is expected at `at`.
    pub(super) fn take_inner(outer: &mut Section<'a>, key: &str, at: Span, report: &mut Report) -> Option<Section<'a>> {
        let absent = Section { file: outer.file, span: at, table: None };
        match outer.table.as_mut().and_then(|table| table.get_mut().remove(key)) {
            Some(value) => section(outer.file, key, value, report),
            None => Some(absent),
        }
    }
}

fn section<'a>(file: &'a Path, key: &str, value: Spanned<DeValue<'a>>, report: &mut Report) -> Option<Section<'a>> {
    let span = value.span();
    match value.into_inner() {
        DeValue::Table(table) => Some(Section { file, span: span.clone(), table: Some(Spanned::new(span, table)) }),
        _ => {
            let help = format!("write a line `[{key}]` and its keys below it");
            report.error(file, Some(span), "wrong-type", format!("`{key}` must be a table"), help);
            None
        }
    }
}

fn duplicate_help(key: &str) -> String {
    match key {
        "device" | "station" => format!("for several write `[[{key}]]` with double brackets, each time"),
        _ => "keep one of the two".to_owned(),
    }
}

fn syntax_help(message: &str) -> &'static str {
    if message.starts_with("string values must be quoted") {
        "put text in quotes: \"…\""
    } else if message.starts_with("unexpected key or value") {
        "one key and one value per line: key = value"
    } else if message.starts_with("unclosed table") {
        "close the brackets: [section]"
    } else if message.contains("basic string") || message.contains("literal string") {
        "close the quotes on the same line"
    } else if message.contains("escape") {
        "write a backslash twice, or use single quotes: '^M\\d+$'"
    } else {
        "a line is `key = value`, `[section]` or `# a comment`"
    }
}
