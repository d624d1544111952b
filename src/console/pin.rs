//! PINs: derived slowly, compared in constant time.

use std::num::NonZeroU32;

use ring::pbkdf2;

use crate::types::PinHash;

/// OWASP's figure for PBKDF2-HMAC-SHA-256 (2023). A PIN is short: what protects it against guessing over the network
/// is the limit of attempts, and against a stolen file only this.
pub const ITERATIONS: NonZeroU32 = NonZeroU32::new(600_000).unwrap();
/// Digits or other characters of a PIN, at least and at most.
const CHARACTERS: std::ops::RangeInclusive<usize> = 6..=64;

/// A PIN as it is kept. `None`: it is shorter than 6 characters or longer than 64.
pub fn seal_pin(pin: &str, salt: [u8; 16], iterations: NonZeroU32) -> Option<PinHash> {
    if !CHARACTERS.contains(&pin.chars().count()) {
        return None;
    }
    let mut hash = vec![0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, pin.as_bytes(), &mut hash);
    Some(PinHash { iterations, salt: salt.to_vec(), hash })
}

/// Whether this is the PIN. Takes a fraction of a second on purpose.
pub(super) fn opens(kept: &PinHash, pin: &str) -> bool {
    pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, kept.iterations, &kept.salt, pin.as_bytes(), &kept.hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pin_itself_opens_and_a_short_one_is_none() {
        let few = NonZeroU32::new(10).unwrap();
        let kept = seal_pin("482913", [7; 16], few).unwrap();
        assert!(opens(&kept, "482913"));
        for other in ["482914", "48291", "", "4829133"] {
            assert!(!opens(&kept, other), "{other}");
        }
        assert_eq!(seal_pin("48291", [7; 16], few), None);
    }

    /// RFC 7914, section 11: PBKDF2-HMAC-SHA-256 of "passwd" with the salt "salt", once; the first 32 of its bytes.
    #[test]
    fn it_derives_what_the_rfc_says() {
        let mut hash = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, NonZeroU32::MIN, b"salt", b"passwd", &mut hash);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    }
}
