//! A table of a TOML file with its positions, so that a kind's mistakes are shown under the text they are about.
//! (Interim version: single error; being completed.)

use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::types::{Diagnostic, Severity, Span};

/// One table of one file.
#[derive(Debug)]
pub struct Section<'a> {
    /// The file it stands in.
    pub file: &'a Path,
    /// Where it stands; for a table that is not there, where it would be expected.
    pub span: Span,
    /// Its content; `None`: the file has no such table, which reads as an empty one.
    pub table: Option<Spanned<DeTable<'a>>>,
}

impl Section<'_> {
    /// Reads the table as `T` (`deny_unknown_fields`, with `Spanned` where the value will be checked further).
    /// Every mistake at once: unknown keys with the nearest known one, wrong types, missing keys.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Vec<Diagnostic>> {
        let table = self.table.clone().unwrap_or_else(|| Spanned::new(self.span.clone(), DeTable::new()));
        let span = table.span();
        let value = Spanned::new(span.clone(), DeValue::Table(table.into_inner()));
        T::deserialize(ValueDeserializer::from(value)).map_err(|error| {
            let at = error.span().unwrap_or(span);
            vec![self.error(at, "invalid-value", error.message().to_owned(), String::new())]
        })
    }

    /// A mistake in this file.
    pub fn error(&self, span: Span, code: &'static str, message: String, help: String) -> Diagnostic {
        Diagnostic { file: self.file.to_owned(), span: Some(span), severity: Severity::Error, code, message, help }
    }
}
