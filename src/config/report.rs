//! Collects what is wrong.

use std::path::Path;

use toml::Spanned;

use super::limits;
use super::sources::Sources;
use crate::types::{Diagnostic, Severity, Span};

/// What is wrong so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    mistakes: Vec<Diagnostic>,
}

impl Report {
    /// Notes an error.
    pub(super) fn error(
        &mut self,
        file: &Path,
        span: Option<Span>,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let (message, help) = (message.into(), help.into());
        self.mistakes.push(Diagnostic { file: file.to_owned(), span, severity: Severity::Error, code, message, help });
    }

    /// Notes a warning.
    pub(super) fn warning(
        &mut self,
        file: &Path,
        span: Option<Span>,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let (message, help) = (message.into(), help.into());
        self.mistakes.push(Diagnostic {
            file: file.to_owned(),
            span,
            severity: Severity::Warning,
            code,
            message,
            help,
        });
    }

    /// Adds what somebody else found.
    pub(super) fn extend(&mut self, mistakes: Vec<Diagnostic>) {
        self.mistakes.extend(mistakes);
    }

    /// Whether the file cannot be used.
    pub(super) fn refuses(&self) -> bool {
        self.mistakes.iter().any(|mistake| mistake.severity == Severity::Error)
    }

    /// Everything once, `first` and then the other files by name, each from top to bottom; no more than
    /// [`limits::DIAGNOSTICS`].
    pub(super) fn into_sorted(mut self, first: &Path) -> Vec<Diagnostic> {
        let place =
            |d: &Diagnostic| (d.file != first, d.file.clone(), d.span.as_ref().map(|span| (span.start, span.end)));
        self.mistakes.sort_by_cached_key(|d| (place(d), d.code, d.message.clone()));
        self.mistakes.dedup_by(|later, earlier| {
            place(later) == place(earlier) && later.code == earlier.code && later.message == earlier.message
        });
        let more = self.mistakes.len().saturating_sub(limits::DIAGNOSTICS);
        if more > 0 {
            self.mistakes.truncate(limits::DIAGNOSTICS);
            self.error(first, None, "too-many", format!("{more} more mistakes are not shown"), "mend these first");
        }
        self.mistakes
    }
}

/// One file that is being checked.
#[derive(Debug)]
pub(super) struct Checked<'a> {
    /// Its path, as diagnostics show it.
    pub(super) file: &'a Path,
    /// What relative paths in it are relative to.
    pub(super) base: &'a Path,
    /// Its text.
    pub(super) text: &'a str,
    /// What is wrong.
    pub(super) report: Report,
}

impl Checked<'_> {
    /// Notes an error at a place of this file.
    pub(super) fn error(
        &mut self,
        span: Span,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.report.error(self.file, Some(span), code, message, help);
    }

    /// Notes a warning at a place of this file.
    pub(super) fn warning(
        &mut self,
        span: Span,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.report.warning(self.file, Some(span), code, message, help);
    }

    /// Reads a value's text, or notes what is wrong with it. `None` also when there is no value.
    pub(super) fn parse<T, E: std::fmt::Display>(
        &mut self,
        key: &str,
        value: Option<&Spanned<String>>,
        help: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = value?;
        parse(value.get_ref())
            .map_err(|error| self.error(value.span(), "invalid-value", format!("`{key}`: {error}"), help))
            .ok()
    }

    /// The line a place is in, from 1.
    pub(super) fn line(&self, span: &Span) -> usize {
        super::sources::position(self.text, span.start).0
    }
}

/// What a configuration could not be loaded for, with the texts to show it in.
#[derive(Debug)]
pub struct Refused {
    /// Every mistake, the configuration's first, each file from top to bottom. Never empty.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts they point into.
    pub sources: Sources,
}
