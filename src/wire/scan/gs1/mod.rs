//! GS1 element strings and GS1 Digital Link URIs, taken apart into application identifiers.
//!
//! ```text
//! ]Q3  01 12312312312333  10 ABC123  GS  99 TESTING
//!      │  └ GTIN-14       │  └ lot     │   └ company internal
//!      └ AI, value of predefined length └ FNC1, ends a value of variable length
//! ```
//!
//! Sources: GS1 General Specifications, sections 3 (the identifiers) and 7.8 (processing); GS1 Digital Link
//! standard: URI syntax. What is absent: required and forbidden pairs of identifiers (they are a property of the
//! item, which may carry more than one code), content rules beyond character set, length, check digit and
//! date, compressed Digital Link URIs.

mod link;
mod table;

use std::collections::BTreeMap;

pub use link::parse_digital_link;
use table::{Part, Row};

/// Function character 1 as scanners transmit it: GS.
pub(super) const FNC1: char = '\u{1d}';

/// Application identifiers and their values.
pub type Elements = BTreeMap<String, String>;

/// Why a text is not made of GS1 element strings, or not a GS1 Digital Link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AiError {
    /// There is nothing in it.
    #[error("no element string")]
    Empty,
    /// No application identifier begins like this.
    #[error("no application identifier at byte {at}")]
    Unknown {
        /// Where.
        at: usize,
    },
    /// The value has a wrong length, character set, check digit or date.
    #[error("application identifier {ai} does not allow its value")]
    Value {
        /// Which.
        ai: String,
    },
    /// The same identifier with two values.
    #[error("application identifier {ai} twice with different values")]
    Twice {
        /// Which.
        ai: String,
    },
    /// Not a web address, or one without a GS1 key in its path.
    #[error("no GS1 key in the address")]
    NoKey,
    /// A key qualifier that does not belong to the key, or out of order.
    #[error("{ai} may not stand there in the path")]
    Qualifier {
        /// Which.
        ai: String,
    },
    /// `%` without two hexadecimal digits, or bytes that are no UTF-8.
    #[error("bad percent-encoding")]
    Percent,
}

/// Takes the transmitted data of a GS1 symbol apart, its AIM identifier taken off.
pub fn parse_element_string(text: &str) -> Result<Elements, AiError> {
    let mut elements = Elements::new();
    // Some scanners transmit the leading FNC1 too, some a trailing one.
    let body = text.strip_prefix(FNC1).unwrap_or(text);
    let mut rest = body.strip_suffix(FNC1).unwrap_or(body);
    if rest.is_empty() {
        return Err(AiError::Empty);
    }
    while !rest.is_empty() {
        let row = table::starting(rest).ok_or(AiError::Unknown { at: body.len() - rest.len() })?;
        let (ai, after) = rest.split_at(row.width());
        let (value, next) = cut(row, after).ok_or_else(|| AiError::Value { ai: ai.to_owned() })?;
        put(&mut elements, row, ai, value)?;
        rest = next;
    }
    Ok(elements)
}

/// The value and what follows it.
fn cut<'a>(row: &Row, after: &'a str) -> Option<(&'a str, &'a str)> {
    if row.predefined {
        let length = row.parts.iter().map(Part::longest).sum();
        let (value, next) = (after.get(..length)?, &after[length..]);
        // A separator after a value of predefined length is superfluous and allowed (7.8.3).
        return Some((value, next.strip_prefix(FNC1).unwrap_or(next)));
    }
    Some(after.split_once(FNC1).unwrap_or((after, "")))
}

fn put(elements: &mut Elements, row: &Row, ai: &str, value: &str) -> Result<(), AiError> {
    if !row.allows(value) {
        return Err(AiError::Value { ai: ai.to_owned() });
    }
    match elements.insert(ai.to_owned(), value.to_owned()) {
        Some(before) if before != value => Err(AiError::Twice { ai: ai.to_owned() }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
