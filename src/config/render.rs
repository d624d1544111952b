//! Shows mistakes: to people under the text they are about, to machines as JSON.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::sources::Sources;
use crate::types::{Diagnostic, Severity, Span};

/// A mistake as `check --json` prints it. Line and column count from 1, the column in characters; a file as a whole
/// is at 1, 1.
#[derive(Debug, Serialize)]
struct JsonDiagnostic<'a> {
    file: String,
    line: usize,
    column: usize,
    severity: &'static str,
    code: &'static str,
    message: &'a str,
    help: &'a str,
}

/// The mistakes as one JSON array.
pub fn json(diagnostics: &[Diagnostic], sources: &Sources) -> Result<String, serde_json::Error> {
    let list: Vec<JsonDiagnostic<'_>> = diagnostics
        .iter()
        .map(|diagnostic| {
            let (line, column) = sources.position(&diagnostic.file, diagnostic.span.as_ref());
            JsonDiagnostic {
                file: diagnostic.file.display().to_string(),
                line,
                column,
                severity: diagnostic.severity.as_str(),
                code: diagnostic.code,
                message: &diagnostic.message,
                help: &diagnostic.help,
            }
        })
        .collect();
    serde_json::to_string_pretty(&list)
}

/// The mistakes for people: file, line and column, the text itself, a help line. `colour`: for a terminal.
pub fn text(diagnostics: &[Diagnostic], sources: &Sources, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    diagnostics.iter().map(|diagnostic| renderer.render(&[group(diagnostic, sources)]) + "\n\n").collect()
}

fn group<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code);
    let path = diagnostic.file.to_string_lossy();
    let text = sources.get(&diagnostic.file).filter(|text| !text.is_empty());
    let group = match (text, &diagnostic.span) {
        (Some(text), Some(span)) => {
            let mark = AnnotationKind::Primary.span(shown(text, span));
            title.element(Snippet::source(text).path(path).annotation(mark))
        }
        _ => title.element(Origin::path(path)),
    };
    if diagnostic.help.is_empty() { group } else { group.element(Level::HELP.message(diagnostic.help.as_str())) }
}

/// The part of a span that is marked: its first line, on whole characters, inside the text.
fn shown(text: &str, span: &Span) -> Span {
    let start = text.floor_char_boundary(span.start);
    let end = text.ceil_char_boundary(span.end).max(start);
    let first_line = text[start..end].find('\n').map_or(end, |newline| start + newline);
    start..first_line
}
