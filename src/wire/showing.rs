//! What a line carried, as far as others may see it. What is masked here is never kept anywhere.

/// Bytes of a frame that are shown, at most.
const SHOWN_BYTES: usize = 48;

/// Which way bytes went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the device.
    In,
    /// To the device.
    Out,
}

/// How much of a frame may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// How long it is.
    Length,
    /// Which characters are digits and which are letters: what a code looks like, and not which it is.
    Shape,
    /// All of it, in hexadecimal.
    Bytes,
}

impl Showing {
    /// The frame as it may be shown, cut at 48 bytes.
    pub fn of(self, bytes: &[u8]) -> String {
        let shown = &bytes[..bytes.len().min(SHOWN_BYTES)];
        let mut text: String = match self {
            Self::Length => return String::new(),
            Self::Shape => shown.iter().map(|byte| shape(*byte)).collect(),
            Self::Bytes => shown.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        if shown.len() < bytes.len() {
            text.push('…');
        }
        text
    }
}

/// The class of a character; of the marks that frame a code, the mark.
const fn shape(byte: u8) -> &'static str {
    match byte {
        b'0'..=b'9' => "9",
        b'A'..=b'Z' => "A",
        b'a'..=b'z' => "a",
        b'\r' => "\\r",
        b'\n' => "\\n",
        b'\t' => "\\t",
        0x02 => "<STX>",
        0x03 => "<ETX>",
        0x1d => "<GS>",
        _ => ".",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_says_what_a_code_looks_like_and_not_which_it_is() {
        assert_eq!(Showing::Shape.of(b"]Q1M12345678\r"), ".A9A99999999\\r");
        assert_eq!(Showing::Length.of(b"M12345678"), "");
        assert_eq!(Showing::Bytes.of(&[0x7e, 0x00, 0xff]), "7e00ff");
        assert_eq!(Showing::Shape.of(&[b'1'; 100]), format!("{}…", "9".repeat(48)));
    }
}
