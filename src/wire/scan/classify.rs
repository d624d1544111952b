//! What a code is for, as far as its own text tells.
//!
//! The first row that fits decides; the order is part of the contract.
//!
//! | # | kind | symbology | text |
//! |---|---|---|---|
//! | 1 | coupon | any | JWS in compact form with `alg` EdDSA, or `SC1:` and Base45 |
//! | 2 | member, clerk, pickup | any | the chain's own grammar, in this order |
//! | 3 | product | `]C1 ]Q3 ]d2 ]e0 ]J1` | GS1 element strings |
//! |   | product | any but EAN/UPC | a GS1 Digital Link |
//! |   | product | unknown | GS1 element strings that begin with GS or hold one |
//! | 4 | payment | `]Q*`, `]C0`, unknown | digits: 16–24 that begin with 25–30 (Alipay), 18 with 10–15 (WeChat Pay), 19 with 62 (UnionPay) |
//! | 5 | product | EAN/UPC, ITF, unknown | 8, 12, 13 or 14 digits with a right check digit (see `product`) |
//! | 6 | url | any | `http://` or `https://` and a host |
//! | 7 | unknown | any | anything else |
//!
//! Row 4 and row 5 never compete: payment codes have 16 digits or more, product numbers 14 or fewer. Thirteen
//! digits of unknown symbology are therefore a product when the check digit fits, else unknown, whatever they
//! begin with. What does compete with row 4 is a number of 16 to 24 digits of another purpose on a scanner without
//! AIM identifiers, such as an SSCC: it is taken for a payment code, because the mistake in this direction masks a
//! number, and in the other it puts money into a log. A symbol that claims GS1 (row 3) but does not hold to it goes
//! on to the next rows.
//!
//! Sources: Alipay 付款码 and WeChat Pay 付款码 of the two wallets' documentation of pay-by-code; UnionPay by common
//! use; GS1 General Specifications; contract, section 3.

use super::coupon::is_coupon;
use super::gs1::{Elements, FNC1, parse_digital_link, parse_element_string};
use super::product::plain_gtin;
use crate::types::{CodeGrammars, CodeKind, CodeScanned, Gtin, PaymentCode, Symbology};

/// A code with its kind.
pub struct Classified {
    /// What may be kept and told: a payment code's value is masked.
    pub code: CodeScanned,
    /// The full payment code, when it is one.
    pub payment: Option<PaymentCode>,
}

/// Decides what a code is for. Takes the text, so that a payment code is not left lying about in a second copy.
pub fn classify(symbology: Option<Symbology>, text: String, grammars: &CodeGrammars) -> Classified {
    let (kind, gtin, ai) = recognise(symbology, &text, grammars);
    let (value, payment) = match kind {
        CodeKind::Payment => (masked(&text), Some(PaymentCode::new(text))),
        _ => (text, None),
    };
    Classified { code: CodeScanned { kind, symbology, value, gtin, ai }, payment }
}

/// The first two and the last four characters, with `*` for each between; shorter texts are masked whole.
pub fn masked(text: &str) -> String {
    let length = text.chars().count();
    let shown = |place: usize| length > 6 && (place < 2 || place + 4 >= length);
    text.chars().enumerate().map(|(place, c)| if shown(place) { c } else { '*' }).collect()
}

fn recognise(symbology: Option<Symbology>, text: &str, grammars: &CodeGrammars) -> (CodeKind, Option<Gtin>, Elements) {
    let plain = |kind| (kind, None, Elements::new());
    if is_coupon(text) {
        return plain(CodeKind::Coupon);
    }
    if let Some(kind) = by_grammar(text, grammars) {
        return plain(kind);
    }
    if let Some(elements) = gs1(symbology, text) {
        return (CodeKind::Product, gtin_of(&elements), elements);
    }
    if is_payment(symbology, text) {
        return plain(CodeKind::Payment);
    }
    match plain_gtin(symbology, text) {
        Some(gtin) => (CodeKind::Product, Some(gtin), Elements::new()),
        None if is_url(text) => plain(CodeKind::Url),
        None => plain(CodeKind::Unknown),
    }
}

fn by_grammar(text: &str, grammars: &CodeGrammars) -> Option<CodeKind> {
    let kinds = [
        (&grammars.member, CodeKind::Member),
        (&grammars.clerk, CodeKind::Clerk),
        (&grammars.pickup, CodeKind::Pickup),
    ];
    kinds.into_iter().find(|(grammar, _)| grammar.as_ref().is_some_and(|g| g.is_match(text))).map(|(_, kind)| kind)
}

fn gs1(symbology: Option<Symbology>, text: &str) -> Option<Elements> {
    match symbology.map(|s| (s.code, s.modifier)) {
        Some((b'C' | b'J', b'1') | (b'Q', b'3') | (b'd', b'2') | (b'e', b'0')) => parse_element_string(text).ok(),
        Some((b'E', _)) => None,
        None if text.contains(FNC1) => parse_element_string(text).ok(),
        _ => parse_digital_link(text).ok(),
    }
}

/// The trade item: itself, what is contained, made to order, or a piece of it.
fn gtin_of(elements: &Elements) -> Option<Gtin> {
    let value = ["01", "02", "03", "8006", "8026"].iter().find_map(|ai| elements.get(*ai))?;
    Gtin::from_digits(value.get(..14)?)
}

fn is_payment(symbology: Option<Symbology>, text: &str) -> bool {
    let carries = match symbology.map(|s| (s.code, s.modifier)) {
        None | Some((b'Q', _) | (b'C', b'0')) => true,
        Some(_) => false,
    };
    if !carries || text.len() < 16 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    match (text[..2].parse(), text.len()) {
        (Ok(25..=30), 16..=24) | (Ok(10..=15), 18) | (Ok(62), 19) => true,
        (Ok::<u8, _>(_) | Err(_), _) => false,
    }
}

fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| {
        let web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        web && rest.starts_with(|c: char| c.is_alphanumeric() || c == '[')
    })
}

#[cfg(test)]
mod tests;
