//! An error and its causes, in one line: the one way to print them.

use std::error::Error;
use std::fmt;

/// Shows an error and its causes: `first: second: third`.
#[derive(Debug)]
pub struct Chain<'a>(pub &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(inner) = source {
            write!(f, ": {inner}")?;
            source = inner.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outside")]
    struct Outside(#[source] fmt::Error);

    #[test]
    fn every_cause_is_shown_once() {
        assert_eq!(Chain(&Outside(fmt::Error)).to_string(), format!("outside: {}", fmt::Error));
    }
}
