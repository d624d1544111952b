//! A signed manifest: a JWS in compact form (RFC 7515, section 7.1) with Ed25519 (RFC 8037).
//!
//! ```text
//! {"alg":"EdDSA","kid":"content-2026","typ":"smartstore-content"} . manifest . signature      each in Base64url
//! ```
//!
//! The signature is over the bytes that travel, so that there is no canonical form to disagree about. `typ` keeps a
//! text that was signed for another purpose with the same key from being taken for content.

use ring::signature::{ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::limits;
use crate::types::KeyId;
use crate::wire::coupon::{base64url_decode, base64url_encode};

const ALGORITHM: &str = "EdDSA";
const KIND: &str = "smartstore-content";
const SIGNATURE_BYTES: usize = 64;

/// Why a text is no signed manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignedError {
    /// It is built otherwise.
    #[error("it is not a signed manifest: {0}")]
    Malformed(&'static str),
    /// The signature is not the key's.
    #[error("the signature is not the key's")]
    Forged,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
    typ: &'a str,
}

/// A text that is built as a signed manifest is; nobody knows yet who wrote it.
#[derive(Debug)]
pub struct Signed {
    key: KeyId,
    signed: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl Signed {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// When it is built otherwise, or larger than [`limits::SIGNED_BYTES`].
    pub fn read(text: &[u8]) -> Result<Self, SignedError> {
        let wrong = SignedError::Malformed;
        if text.len() > limits::SIGNED_BYTES {
            return Err(wrong("it is too large"));
        }
        let text = std::str::from_utf8(text).map_err(|_| wrong("it is not text"))?.trim_ascii_end();
        let (signed, signature) = text.rsplit_once('.').ok_or(wrong("it has no signature"))?;
        let (header, payload) = signed.split_once('.').ok_or(wrong("it has no header"))?;
        let part = |part: &str| base64url_decode(part).ok_or(wrong("a part is not base64url"));
        let (header, payload, signature) = (part(header)?, part(payload)?, part(signature)?);
        let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| wrong("its header is another"))?;
        if header.alg != ALGORITHM || header.typ != KIND {
            return Err(wrong("its header names another algorithm or purpose"));
        }
        if signature.len() != SIGNATURE_BYTES {
            return Err(wrong("its signature has another length"));
        }
        let key = KeyId::new(header.kid).map_err(|_| wrong("its key has no name"))?;
        Ok(Self { key, signed: signed.as_bytes().to_vec(), payload, signature })
    }

    /// With which key it says it is signed.
    pub fn key(&self) -> &KeyId {
        &self.key
    }

    /// The manifest, whoever wrote it: for one that was verified when it came.
    pub fn unverified(self) -> Vec<u8> {
        self.payload
    }

    /// The manifest, if the key signed it.
    ///
    /// # Errors
    ///
    /// [`SignedError::Forged`].
    pub fn open(self, key: &[u8; 32]) -> Result<Vec<u8>, SignedError> {
        let verified = UnparsedPublicKey::new(&ED25519, key).verify(&self.signed, &self.signature);
        verified.map(|()| self.payload).map_err(|_| SignedError::Forged)
    }
}

/// Signs a manifest; `sign` lends the private key.
pub fn seal(key: &KeyId, manifest: &[u8], sign: impl FnOnce(&[u8]) -> [u8; SIGNATURE_BYTES]) -> String {
    let header = Header { alg: ALGORITHM, kid: key.as_str(), typ: KIND };
    let header = serde_json::to_vec(&header).unwrap_or_default();
    let signed = format!("{}.{}", base64url_encode(&header), base64url_encode(manifest));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", base64url_encode(&signature))
}
