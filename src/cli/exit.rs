//! Exit codes (sysexits.h), how a failure is told and how an answer is given.

use std::io::Write;
use std::process::ExitCode;

use crate::types::Chain;

/// Why a subcommand did not do what was asked, as an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// The thing asked for failed.
    Failed = 1,
    /// Bad usage (EX_USAGE).
    Usage = 64,
    /// A needed device or service is unavailable (EX_UNAVAILABLE).
    Unavailable = 69,
    /// Bad configuration (EX_CONFIG).
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Tells a failure with its causes on standard error.
pub(super) fn tell(error: &dyn std::error::Error) {
    eprintln!("smartstore: {}", Chain(error));
}

/// Prints an answer on standard output. A reader that has gone away (`| head`) is nobody's mistake.
pub(super) fn answer(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
