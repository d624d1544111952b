//! The shape of a signed coupon. Only its shape: whether it is good is for
//! [`wire::coupon`](crate::wire::coupon) to say, with the issuers' keys.

use serde::Deserialize;

use crate::wire::coupon::PREFIX;
use crate::wire::coupon::base64url::{decode, sextet};

/// Longest JOSE header looked into, in characters; ours are below 120.
const HEADER_MAX: usize = 1024;

/// The one member of a JOSE header (RFC 7515) that tells a coupon from any other token.
#[derive(Deserialize)]
struct Header {
    alg: String,
}

/// A JWS in compact form whose header names EdDSA (RFC 8037), or `SC1:` and Base45 (RFC 9285).
pub(super) fn is_coupon(text: &str) -> bool {
    match text.strip_prefix(PREFIX) {
        Some(rest) => is_base45(rest),
        None => is_eddsa_jws(text),
    }
}

fn is_base45(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_digit() || b.is_ascii_uppercase() || b" $%*+-./:".contains(&b);
    !text.is_empty() && text.len() % 3 != 1 && text.bytes().all(known)
}

fn is_eddsa_jws(text: &str) -> bool {
    let mut parts = text.split('.');
    let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    if header.len() > HEADER_MAX || payload.is_empty() || signature.is_empty() {
        return false;
    }
    let known = |part: &str| part.bytes().all(|b| sextet(b).is_some());
    known(payload)
        && known(signature)
        && decode(header)
            .and_then(|json| serde_json::from_slice::<Header>(&json).ok())
            .is_some_and(|header| header.alg == "EdDSA")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A.4: a JWS signed with Ed25519.
    const RFC_8037: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
        hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    /// RFC 7515, appendix A.1: one with HMAC, no coupon of ours.
    const RFC_7515: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UifQ.\
        dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    #[test]
    fn a_jws_is_a_coupon_only_when_its_header_says_eddsa() {
        assert!(is_coupon(RFC_8037));
        assert!(!is_coupon(RFC_7515));
        assert!(!is_coupon(&RFC_8037.replace('.', "")));
        assert!(!is_coupon(&format!("{RFC_8037}.")));
        assert!(!is_coupon("eyJhbGciOiJFZERTQSJ9..x"));
        assert!(!is_coupon("..") && !is_coupon("www.example.com"));
    }

    #[test]
    fn base45_after_its_prefix_is_a_coupon() {
        // RFC 9285, section 4.3: "AB" is "BB8", "base-45" is "UJCLQE7W581".
        assert!(is_coupon("SC1:BB8"));
        assert!(is_coupon("SC1:UJCLQE7W581"));
        assert!(!is_coupon("SC1:"));
        assert!(!is_coupon("SC1:BB8a"));
        assert!(!is_coupon("SC1:BB8B"));
        assert!(!is_coupon("HC1:BB8"));
    }
}
