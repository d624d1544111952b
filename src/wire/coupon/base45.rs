//! Base45 (RFC 9285): bytes in the alphabet of a QR code's alphanumeric mode, where two characters take 11 bits.
//!
//! Every sequence of bytes has exactly one text and the other way round; what is not one of those texts is refused.

const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// The text of `bytes`: three characters for two bytes, two for a last single one.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(2) * 3);
    for pair in bytes.chunks(2) {
        let (mut number, characters) = match pair {
            [high, low] => (usize::from(*high) * 256 + usize::from(*low), 3),
            _ => (pair.first().copied().map_or(0, usize::from), 2),
        };
        for _ in 0..characters {
            text.push(char::from(ALPHABET[number % 45]));
            number /= 45;
        }
    }
    text
}

/// The bytes of a text; `None`: a character outside the alphabet, a length that cannot be, or a number too large for
/// its bytes.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 3 * 2 + 1);
    for group in text.as_bytes().chunks(3) {
        let mut number = 0;
        for character in group.iter().rev() {
            number = number * 45 + digit(*character)?;
        }
        match group.len() {
            3 => bytes.extend(u16::try_from(number).ok()?.to_be_bytes()),
            2 => bytes.push(u8::try_from(number).ok()?),
            _ => return None,
        }
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u32> {
    ALPHABET.iter().position(|known| *known == character).and_then(|place| u32::try_from(place).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 9285, sections 4.3 and 4.4.
    const RFC_9285: [(&str, &str); 4] =
        [("BB8", "AB"), ("%69 VD92EX0", "Hello!!"), ("UJCLQE7W581", "base-45"), ("QED8WEX0", "ietf!")];

    #[test]
    fn the_examples_of_rfc_9285_go_both_ways() {
        for (text, bytes) in RFC_9285 {
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
            assert_eq!(encode(bytes.as_bytes()), text);
        }
        // Section 4.2: FGW is 65535, GGW would be 65536 and is no Base45.
        assert_eq!(decode("FGW"), Some(vec![0xff, 0xff]));
        assert_eq!(decode("GGW"), None);
        assert_eq!(
            [decode(":::"), decode("::"), decode("A"), decode("ab8"), decode("BB8\n"), decode("é0")],
            [const { None }; 6]
        );
        assert_eq!(decode(""), Some(vec![]));
    }

    proptest! {
        #[test]
        fn bytes_survive(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }

        #[test]
        fn a_text_is_the_only_one_of_its_bytes(text in "[0-9A-Z $%*+./:-]{0,40}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
