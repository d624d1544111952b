//! GS1 Digital Link URIs: `https://example.com/01/09506000134352/10/ABC?17=261231`.

use super::{AiError, Elements, put, table};

/// Takes an uncompressed GS1 Digital Link apart: its key, the key's qualifiers and the attributes of its query.
///
/// A GTIN of 8, 12 or 13 digits in the path is padded to 14.
pub fn parse_digital_link(text: &str) -> Result<Elements, AiError> {
    let (scheme, rest) = text.split_once("://").ok_or(AiError::NoKey)?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(AiError::NoKey);
    }
    let rest = rest.split('#').next().unwrap_or("");
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = address.split_once('/').ok_or(AiError::NoKey)?;
    if host.is_empty() {
        return Err(AiError::NoKey);
    }
    let mut elements = from_path(path)?;
    attributes(&mut elements, query)?;
    Ok(elements)
}

/// The key is the last one from which the path goes on in pairs of identifier and value.
fn from_path(path: &str) -> Result<Elements, AiError> {
    let segments: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let start = (0..segments.len())
        .rev()
        .filter(|at| (segments.len() - at).is_multiple_of(2))
        .find(|at| table::qualifiers(segments[*at]).is_some())
        .ok_or(AiError::NoKey)?;
    let mut elements = Elements::new();
    let mut pairs = segments[start..].chunks_exact(2);
    let Some([key, value]) = pairs.next() else { return Err(AiError::NoKey) };
    element(&mut elements, key, &pad(key, &decoded(value)?))?;
    let mut order = Order::of(table::qualifiers(key).unwrap_or(&[]));
    for pair in pairs {
        let [ai, value] = pair else { continue };
        if !order.take(ai) {
            return Err(AiError::Qualifier { ai: clipped(ai) });
        }
        element(&mut elements, ai, &decoded(value)?)?;
    }
    Ok(elements)
}

/// Qualifiers are optional and come in one of the key's sequences, in order.
struct Order {
    sequences: Vec<&'static [&'static str]>,
}

impl Order {
    fn of(sequences: &'static [&'static [&'static str]]) -> Self {
        Self { sequences: sequences.to_vec() }
    }

    fn take(&mut self, ai: &str) -> bool {
        self.sequences.retain_mut(|sequence| match sequence.iter().position(|allowed| *allowed == ai) {
            Some(place) => {
                *sequence = &sequence[place + 1..];
                true
            }
            None => false,
        });
        !self.sequences.is_empty()
    }
}

/// All-digit names in a query are identifiers; other names belong to the web site.
fn attributes(elements: &mut Elements, query: &str) -> Result<(), AiError> {
    for pair in query.split(['&', ';']).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()) {
            element(elements, name, &pad(name, &decoded(value)?))?;
        }
    }
    Ok(())
}

fn element(elements: &mut Elements, ai: &str, value: &str) -> Result<(), AiError> {
    let row = table::named(ai).ok_or_else(|| AiError::Value { ai: clipped(ai) })?;
    put(elements, row, ai, value)
}

fn pad(ai: &str, value: &str) -> String {
    match (ai, value.len()) {
        ("01", 8 | 12 | 13) => format!("{value:0>14}"),
        _ => value.to_owned(),
    }
}

fn clipped(text: &str) -> String {
    text.chars().take(8).collect()
}

/// Percent-decoding (RFC 3986, section 2.1).
fn decoded(text: &str) -> Result<String, AiError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, tail @ ..] = rest else { return Err(AiError::Percent) };
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (Some(high), Some(low)) = (digit(high), digit(low)) else { return Err(AiError::Percent) };
        bytes.push(high << 4 | low);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| AiError::Percent)
}
