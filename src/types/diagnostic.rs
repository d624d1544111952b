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
