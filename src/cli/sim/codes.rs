//! Codes of every kind, each with a number of its own, so that what was sent can be counted.

use crate::sim::scanner::Print;
use crate::types::Symbology;

/// The grammars of the chain whose codes [`code`] makes, as a `[codes]` table.
pub(in crate::cli) const GRAMMARS: &str =
    "[codes]\nmember = \"^M[0-9]{8,}$\"\nclerk = \"^C[0-9]{6,}$\"\npickup = \"^P[0-9]{6,}$\"\n";

/// A header that says `{"alg":"EdDSA","kid":"demo"}`, in base64url: the shape of a signed coupon. Nobody signed it.
const COUPON_HEADER: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6ImRlbW8ifQ";

/// The `number`th code: one kind after the other, never the same code twice.
pub(in crate::cli) fn code(number: u64) -> Print {
    let (symbology, text) = match number % 12 {
        0 => ("]Q1", format!("M{number:09}")),
        1 => ("]E0", ean13(690_123_000_000 + number % 1_000_000)),
        2 => ("]Q1", format!("28763443825{:07}", number % 10_000_000)),
        3 => ("]Q1", format!("134650328919{:06}", number % 1_000_000)),
        4 => ("]C0", format!("62{:017}", number)),
        5 => ("]Q1", format!("{COUPON_HEADER}.{number:016}.{:086}", number)),
        6 => ("]Q3", format!("0106901234567892\u{1d}21SN{number}")),
        7 => ("]Q1", format!("https://id.example.com/01/06901234567892/21/SN{number}")),
        8 => ("]C0", format!("C{number:08}")),
        9 => ("]Q1", format!("P{number:08}")),
        10 => ("]Q1", format!("https://shop.example.com/share?from={number}&mode=smart shelf")),
        _ => ("]Q1", format!("note {number}: +{{}}[]|\\~^_`!\"#$%&'()*,;<=>?@")),
    };
    let symbology = Symbology::parse(symbology).unwrap_or(Symbology { code: b'Q', modifier: b'1' });
    Print { symbology, text }
}

/// Twelve digits with their check digit (GS1 General Specifications, section 7.9).
fn ean13(twelve: u64) -> String {
    let digits = format!("{twelve:012}");
    let sum: u32 = digits.bytes().zip([1, 3].into_iter().cycle()).map(|(d, weight)| u32::from(d - b'0') * weight).sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::types::{CodeGrammars, CodeKind};
    use crate::wire::scan::classify;

    #[test]
    fn codes_are_of_every_kind_and_never_repeat() {
        let pattern = |text| Some(regex::Regex::new(text).unwrap());
        let grammars = CodeGrammars {
            member: pattern("^M[0-9]{8,}$"),
            clerk: pattern("^C[0-9]{6,}$"),
            pickup: pattern("^P[0-9]{6,}$"),
        };
        let prints: Vec<Print> = (0..1200).map(code).collect();
        let texts: BTreeSet<&str> = prints.iter().map(|print| print.text.as_str()).collect();
        assert_eq!(texts.len(), 1200);
        let kind = |print: &Print| classify(Some(print.symbology), print.text.clone(), &grammars).code.kind;
        let kinds: BTreeSet<CodeKind> = prints.iter().map(kind).collect();
        assert_eq!(kinds.len(), CodeKind::ALL.len(), "{kinds:?}");
    }

    #[test]
    fn a_check_digit_is_right() {
        assert_eq!(ean13(629_104_150_021), "6291041500213");
    }
}
