//! What a scanner read, classified.

use std::collections::BTreeMap;
use std::fmt;

use regex::Regex;

/// What a code is for, as far as its own text tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CodeKind {
    /// A member's code, by the chain's own grammar.
    Member,
    /// A wallet's payment code (Alipay, WeChat Pay, UnionPay). Its value is masked.
    Payment,
    /// A signed coupon.
    Coupon,
    /// A product: EAN, UPC, ITF-14, GS1 element string or GS1 Digital Link.
    Product,
    /// A clerk's code, by the chain's own grammar.
    Clerk,
    /// A pick-up code, by the chain's own grammar.
    Pickup,
    /// A web address that is none of the above.
    Url,
    /// Anything else.
    Unknown,
}

impl CodeKind {
    /// Every kind, in the order of the contract.
    pub const ALL: [Self; 8] =
        [Self::Member, Self::Payment, Self::Coupon, Self::Product, Self::Clerk, Self::Pickup, Self::Url, Self::Unknown];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Payment => "payment",
            Self::Coupon => "coupon",
            Self::Product => "product",
            Self::Clerk => "clerk",
            Self::Pickup => "pickup",
            Self::Url => "url",
            Self::Unknown => "unknown",
        }
    }

    /// The kind the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// An AIM symbology identifier (ISO/IEC 15424): `]`, a code character, a modifier: `]Q1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symbology {
    /// Code character: which symbology (`Q` QR, `C` Code 128, `E` EAN/UPC …).
    pub code: u8,
    /// Modifier: which variant of it.
    pub modifier: u8,
}

impl Symbology {
    /// Checks both characters: an ASCII letter and an ASCII letter or digit.
    pub fn new(code: u8, modifier: u8) -> Option<Self> {
        (code.is_ascii_alphabetic() && modifier.is_ascii_alphanumeric()).then_some(Self { code, modifier })
    }

    /// Reads `]Q1`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.as_bytes() {
            [b']', code, modifier] => Self::new(*code, *modifier),
            _ => None,
        }
    }
}

impl fmt::Display for Symbology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "]{}{}", char::from(self.code), char::from(self.modifier))
    }
}

/// A GTIN-14 whose check digit is right (GS1 General Specifications, section 7.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gtin([u8; 14]);

impl Gtin {
    /// From 8, 12, 13 or 14 ASCII digits, padded with zeros on the left; `None` when the check digit is wrong.
    pub fn from_digits(digits: &str) -> Option<Self> {
        let bytes = digits.as_bytes();
        if !matches!(bytes.len(), 8 | 12 | 13 | 14) || !bytes.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut padded = [b'0'; 14];
        padded[14 - bytes.len()..].copy_from_slice(bytes);
        let weighted: u32 = padded
            .iter()
            .enumerate()
            .map(|(place, digit)| u32::from(digit - b'0') * if place % 2 == 0 { 3 } else { 1 })
            .sum();
        weighted.is_multiple_of(10).then_some(Self(padded))
    }

    /// The 14 digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("")
    }
}

impl fmt::Display for Gtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One code that a scanner read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeScanned {
    /// What it is for.
    pub kind: CodeKind,
    /// Symbology, when the scanner said it.
    pub symbology: Option<Symbology>,
    /// What was scanned, without the AIM identifier; of a payment code only its first two and last four characters.
    pub value: String,
    /// The product's GTIN-14, when there is one.
    pub gtin: Option<Gtin>,
    /// GS1 application identifiers and their values, when the code carries them.
    pub ai: BTreeMap<String, String>,
}

/// The chain's own code grammars (`[codes]`), tried after coupon signatures and before the standard kinds.
#[derive(Debug, Clone, Default)]
pub struct CodeGrammars {
    /// Member codes.
    pub member: Option<Regex>,
    /// Clerk codes.
    pub clerk: Option<Regex>,
    /// Pick-up codes.
    pub pickup: Option<Regex>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gtin_is_padded_and_its_check_digit_verified() {
        // GS1 General Specifications, figure 7.9-1: 629104150021 has the check digit 3.
        assert_eq!(Gtin::from_digits("6291041500213").map(|g| g.to_string()), Some("06291041500213".to_owned()));
        assert_eq!(Gtin::from_digits("6291041500214"), None);
        assert_eq!(Gtin::from_digits("629104150021"), None);
        assert_eq!(Gtin::from_digits("96385074").map(|g| g.to_string()), Some("00000096385074".to_owned()));
        assert_eq!(Gtin::from_digits("9638507x"), None);
    }

    #[test]
    fn kinds_and_symbologies_survive_their_words() {
        for kind in CodeKind::ALL {
            assert_eq!(CodeKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(Symbology::parse("]Q1").map(|s| s.to_string()), Some("]Q1".to_owned()));
        assert_eq!(Symbology::parse("]Q"), None);
        assert_eq!(Symbology::parse("]1Q"), None);
    }
}
