//! Messages of events, packed by Zstandard (RFC 8878): a hundred events of a shop are alike, and shrink to a tenth.

use std::borrow::Cow;
use std::io::Read;

use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// Every frame begins so, and no JSON does.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// No message of ours unpacks to more.
pub const UNPACKED_BYTES: usize = 256 * 1024;

/// Why a frame could not be unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unpackable {
    /// It is broken.
    #[error("a broken Zstandard frame: {0}")]
    Broken(String),
    /// It unpacks to more than [`UNPACKED_BYTES`].
    #[error("a Zstandard frame of more than {UNPACKED_BYTES} bytes")]
    TooLarge,
}

/// The message as a frame, or as it is where a frame would be no smaller.
pub fn packed(message: Vec<u8>) -> Vec<u8> {
    let frame = compress_to_vec(message.as_slice(), CompressionLevel::Fastest);
    if frame.len() < message.len() { frame } else { message }
}

/// The message in a frame; one that is no frame as it is.
///
/// # Errors
/// [`Unpackable`]
pub fn unpacked(message: &[u8]) -> Result<Cow<'_, [u8]>, Unpackable> {
    if !message.starts_with(&MAGIC) {
        return Ok(Cow::Borrowed(message));
    }
    let broken = |error: &dyn std::fmt::Display| Unpackable::Broken(error.to_string());
    let decoder = StreamingDecoder::new(message).map_err(|error| broken(&error))?;
    let mut out = Vec::new();
    decoder.take(UNPACKED_BYTES as u64 + 1).read_to_end(&mut out).map_err(|error| broken(&error))?;
    if out.len() > UNPACKED_BYTES { Err(Unpackable::TooLarge) } else { Ok(Cow::Owned(out)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_repeats_becomes_small_and_what_does_not_stays_as_it_is() {
        let many: String =
            (0..100).map(|seq| format!(r#"{{"specversion":"1.0","seq":{seq},"synced":true}},"#)).collect();
        let frame = packed(many.clone().into_bytes());
        assert!(frame.starts_with(&MAGIC) && frame.len() * 5 < many.len(), "{} of {}", frame.len(), many.len());
        assert_eq!(unpacked(&frame).unwrap(), many.as_bytes());
        assert_eq!(packed(b"[{}]".to_vec()), b"[{}]");
    }

    #[test]
    fn a_frame_that_is_broken_or_unpacks_to_too_much_is_refused() {
        let frame = packed(vec![b'x'; UNPACKED_BYTES]);
        assert_eq!(unpacked(&frame).unwrap().len(), UNPACKED_BYTES);
        assert_eq!(unpacked(&packed(vec![b'x'; UNPACKED_BYTES + 1])), Err(Unpackable::TooLarge));
        assert!(matches!(unpacked(&frame[..frame.len() - 1]), Err(Unpackable::Broken(_))));
        assert!(matches!(unpacked(&MAGIC), Err(Unpackable::Broken(_))));
    }

    proptest! {
        #[test]
        fn whatever_is_packed_comes_back(message: Vec<u8>) {
            prop_assume!(!message.starts_with(&MAGIC));
            let there = packed(message.clone());
            prop_assert_eq!(&*unpacked(&there).unwrap(), message.as_slice());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = unpacked(&[MAGIC.as_slice(), &bytes].concat());
        }
    }
}
