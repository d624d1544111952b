//! Plain product numbers: EAN-13, EAN-8, UPC-A, UPC-E, ITF-14.

use crate::types::{Gtin, Symbology};

/// The GTIN of a plain number, where its symbology and its check digit allow.
///
/// | symbology | digits | read as |
/// |---|---|---|
/// | `]E0` | 13 | EAN-13; UPC-A and UPC-E too, which the identifier's standard wants expanded |
/// | `]E3` | 15, 18 | EAN-13 and an add-on of 2 or 5 digits, which is left out |
/// | `]E4` | 8 | EAN-8 |
/// | `]I*` | 14 | ITF-14 |
/// | unknown | 14, 13, 12 | ITF-14, EAN-13, UPC-A |
/// | unknown | 8 | EAN-8, else UPC-E |
pub(super) fn plain_gtin(symbology: Option<Symbology>, text: &str) -> Option<Gtin> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let kind = symbology.map(|s| (s.code, s.modifier));
    match (kind, text.len()) {
        (Some((b'E', b'0')), 13) | (Some((b'E', b'4')), 8) | (Some((b'I', _)), 14) => Gtin::from_digits(text),
        (Some((b'E', b'3')), 15 | 18) => Gtin::from_digits(&text[..13]),
        (None, 12..=14) => Gtin::from_digits(text),
        (None, 8) => Gtin::from_digits(text).or_else(|| upc_e(text)),
        _ => None,
    }
}

/// Expands a UPC-E with number system and check digit to UPC-A (GS1 General Specifications, section 5.2.2.4.2).
fn upc_e(text: &str) -> Option<Gtin> {
    let digits = text.as_bytes();
    let [system @ (b'0' | b'1'), a, b, c, d, e, last, check] = *digits else { return None };
    let zeros = |n: usize| std::iter::repeat_n(b'0', n);
    let (head, gap, tail) = match last {
        b'0'..=b'2' => (vec![a, b, last], 4, vec![c, d, e]),
        b'3' => (vec![a, b, c], 5, vec![d, e]),
        b'4' => (vec![a, b, c, d], 5, vec![e]),
        _ => (vec![a, b, c, d, e], 4, vec![last]),
    };
    let upc_a = std::iter::once(system).chain(head).chain(zeros(gap)).chain(tail).chain([check]);
    Gtin::from_digits(&upc_a.map(char::from).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gtin(symbology: &str, text: &str) -> Option<String> {
        plain_gtin(Symbology::parse(symbology), text).map(|gtin| gtin.to_string())
    }

    #[test]
    fn plain_numbers_become_fourteen_digits() {
        // gs1-syntax-engine, src/c-lib/scandata.c (Apache-2.0): the EAN vectors of its tests.
        assert_eq!(gtin("]E0", "2112345678900").as_deref(), Some("02112345678900"));
        assert_eq!(gtin("]E4", "02345673").as_deref(), Some("00000002345673"));
        for bad in ["", "123456789012", "12345678901234", "1234ABC890123", "2112345678901"] {
            assert_eq!(gtin("]E0", bad), None, "{bad}");
        }
        for bad in ["", "1234567", "123456789", "12ABC678", "02345674"] {
            assert_eq!(gtin("]E4", bad), None, "{bad}");
        }
    }

    #[test]
    fn a_number_is_a_product_only_in_a_symbology_that_carries_products() {
        assert_eq!(gtin("", "6291041500213").as_deref(), Some("06291041500213"));
        assert_eq!(gtin("]I1", "06291041500213").as_deref(), Some("06291041500213"));
        assert_eq!(gtin("]E3", "629104150021312").as_deref(), Some("06291041500213"));
        assert_eq!(gtin("]Q1", "6291041500213"), None);
        assert_eq!(gtin("]C0", "06291041500213"), None);
    }

    #[test]
    fn upc_e_expands_by_its_last_digit() {
        // GS1 General Specifications 5.2.2.4.2: the four rows of the zero-suppression table, check digits computed
        // by hand from the expanded number.
        let table = [
            ("01234505", "012000003455"),
            ("01234531", "012300000451"),
            ("01234543", "012340000053"),
            ("01234565", "012345000065"),
        ];
        for (short, long) in table {
            let expanded = Gtin::from_digits(long);
            assert!(expanded.is_some(), "{long}");
            assert_eq!(upc_e(short), expanded, "{short}");
        }
        assert_eq!(upc_e("21234505"), None);
        assert_eq!(gtin("", "01234505").as_deref(), Some("00012000003455"));
    }
}
