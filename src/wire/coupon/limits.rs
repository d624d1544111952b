//! Every number a coupon is bounded by.

use crate::types::Timestamp;

/// Longest coupon, in characters: a QR code of version 40 holds twice as many bytes, a scanner reads 4096.
pub const TEXT_CHARACTERS: usize = 2048;
/// Members of a header or of the claims, known or not.
pub(super) const MEMBERS: usize = 32;
/// Words of an audience.
pub(super) const AUDIENCE: usize = 16;
/// Longest word of an audience, in bytes: `store/gateway` has 65 at most.
pub(super) const AUDIENCE_BYTES: usize = 65;
/// How deep a claim that is not known may be nested.
pub(super) const DEPTH: u8 = 4;
/// Latest second that can be written, 9999-12-30T22:00:00Z.
pub(super) const LAST_SECOND: i64 = Timestamp::from_unix_ms(i64::MAX).unix_ms() / 1000;
/// An Ed25519 signature (RFC 8032).
pub(super) const SIGNATURE_BYTES: usize = 64;
