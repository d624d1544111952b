//! AIM symbology identifiers in front of a code: `]E06901234567892`.

use crate::types::Symbology;

/// Splits the identifier off, when there is one (ISO/IEC 15424: `]`, a letter, a letter or digit).
///
/// A code whose own text starts so is indistinguishable from it; scanners that send identifiers send one always.
pub fn split_aim(text: &str) -> (Option<Symbology>, &str) {
    match text.get(..3).and_then(Symbology::parse) {
        Some(symbology) => (Some(symbology), &text[3..]),
        None => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_split_off_and_anything_else_is_left_alone() {
        assert_eq!(split_aim("]E06901234567892"), (Symbology::parse("]E0"), "6901234567892"));
        assert_eq!(split_aim("]d2"), (Symbology::parse("]d2"), ""));
        for plain in ["", "]", "]E", "]1Q1", "6901234567892", "]é1x", "[E0123"] {
            assert_eq!(split_aim(plain), (None, plain));
        }
    }
}
