//! Takes out of a text what may be somebody's: a second line of defence, for text that leaves the box. What is personal
//! is kept out of logs where they are written.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// A hardware address; who logs in, in a URL; a number of eight digits or more; a word of 24 letters and digits.
const PERSONAL: &str = "(?P<mac>\\b[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}\\b)|(?P<login>://[^/\\s@]+@)\
                        |(?P<number>[0-9]{8,})\
                        |(?P<word>[0-9A-Za-z]{24,})";

#[expect(clippy::expect_used, reason = "a constant, and a test compiles it")]
static PATTERN: LazyLock<Regex> = LazyLock::new(|| Regex::new(PERSONAL).expect("a regular expression"));

/// The text with what looks like a hardware address, a login, a code or a token replaced by what it was and how long.
pub fn redacted(text: &str) -> String {
    let replaced = PATTERN.replace_all(text, |found: &Captures<'_>| {
        let length = found.get(0).map_or(0, |all| all.len());
        if found.name("mac").is_some() {
            "<hardware address>".to_owned()
        } else if found.name("login").is_some() {
            "://***@".to_owned()
        } else {
            format!("<{length} characters>")
        }
    });
    replaced.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_addresses_logins_and_tokens_go_and_the_rest_stays() {
        let text = "2026-11-25T04:19:56.123456Z WARN rtsp://admin:secret@10.0.0.7/1 aa:bb:cc:dd:ee:ff \
                    00-11-22-33-44-55 134567890123456789 M12345678 eyJhbGciOiJFZERTQSJ9eyJqdGki \
                    id=6f1c2b9e-4d3a-4f5b-9c7d-8e0f1a2b3c4d";
        let expected = "2026-11-25T04:19:56.123456Z WARN rtsp://***@10.0.0.7/1 <hardware address> <hardware address> \
                        <18 characters> M<8 characters> <28 characters> id=6f1c2b9e-4d3a-4f5b-9c7d-8e0f1a2b3c4d";
        assert_eq!(redacted(text), expected);
    }
}
