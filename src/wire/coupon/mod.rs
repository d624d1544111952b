//! Coupons and pick-up codes that are verified without a network: a text and the issuers' keys in, claims or a refusal
//! out.
//!
//! Two forms of the same claims, both signed with Ed25519 (RFC 8032): a JWS in compact form (RFC 7515, RFC 8037), and
//! the denser `SC1:` and Base45 of a COSE_Sign1 (see `cose`), which a QR code holds in fewer modules and a keyboard
//! scanner types with fewer risks. What a token is stands in [`CouponClaims`](crate::types::CouponClaims).
//!
//! The order of the checks is that of [`CouponRefusal`](crate::types::CouponRefusal): built as a coupon is, key known,
//! signature good, audience, clock, key valid now, not before, expired. Nothing of a coupon is repeated anywhere unless
//! its signature was good.
//!
//! What is absent: no clock (the time is an argument), no memory of what was redeemed, no private key (whoever issues
//! lends a closure that signs), no compression, no algorithm but EdDSA with Ed25519, no key that comes with the token
//! (`jwk`, `jku`, `x5c` are not looked at).
//!
//! Invariants: one text for one coupon (strict Base64url, Base45 and CBOR; no unprotected header), so that any flipped
//! bit is refused; a name that stands twice is refused; memory is bounded by the text.
//!
//! Limits: a text has at most [`TEXT_CHARACTERS`] characters, a header and the claims 32 members each, an audience 16
//! words of 65 bytes; names and values as in `types`. See `limits.rs`.

mod base45;
pub(in crate::wire) mod base64url;
mod cbor;
mod cose;
mod fields;
mod fuzz;
mod jws;
mod limits;
mod token;

pub use base64url::{decode as base64url_decode, encode as base64url_encode};
pub use cose::{PREFIX, issue_cose};
pub use fuzz::fuzz_coupon;
pub use jws::issue_jws;
pub use limits::TEXT_CHARACTERS;
pub use token::{Refused, Token, verify};

#[cfg(test)]
mod tests;
