//! What is sealed of a member: version (1 byte), member and consent (length in 1 byte, text), purpose (length in 2
//! bytes, text), end of the consent (Unix milliseconds, 8 bytes), template (128 numbers of 4 bytes). Little-endian.

use crate::sense::vision::Embedding;
use crate::types::{ConsentId, MemberKey, Timestamp};

const VERSION: u8 = 1;

/// A member, without their template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Consent {
    pub(super) member: MemberKey,
    pub(super) consent: ConsentId,
    pub(super) purpose: String,
    pub(super) expires: Timestamp,
}

/// The form that is sealed. Whoever has it overwrites it.
pub(super) fn write(consent: &Consent, template: &Embedding) -> Vec<u8> {
    let Consent { member, consent, purpose, expires } = consent;
    let mut out = vec![VERSION];
    for text in [member.as_str(), consent.as_str()] {
        out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(&u16::try_from(purpose.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(purpose.as_bytes());
    out.extend_from_slice(&expires.unix_ms().to_le_bytes());
    out.extend(template.values().iter().flat_map(|value| value.to_le_bytes()));
    out
}

/// The counterpart of [`write`].
pub(super) fn read(bytes: &[u8]) -> Option<(Consent, Embedding)> {
    let (&VERSION, mut rest) = bytes.split_first()? else { return None };
    let member = MemberKey::new(take_text(&mut rest, 1)?).ok()?;
    let consent = ConsentId::new(take_text(&mut rest, 1)?).ok()?;
    let purpose = take_text(&mut rest, 2)?.to_owned();
    let (expires, values) = rest.split_first_chunk::<8>()?;
    let expires = Timestamp::from_unix_ms(i64::from_le_bytes(*expires));
    let mut template = [0.0; Embedding::LEN];
    if values.len() != template.len() * 4 {
        return None;
    }
    for (value, bytes) in template.iter_mut().zip(values.chunks_exact(4)) {
        *value = f32::from_le_bytes(bytes.try_into().ok()?);
    }
    let embedding = Embedding::new(&template).ok();
    crate::types::wipe(&mut template);
    Some((Consent { member, consent, purpose, expires }, embedding?))
}

fn take_text<'a>(rest: &mut &'a [u8], width: usize) -> Option<&'a str> {
    let (length, after) = rest.split_at_checked(width)?;
    let length = length.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let (text, after) = after.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_not_when_it_is_cut() {
        let consent = Consent {
            member: MemberKey::new("M00012345").unwrap(),
            consent: ConsentId::new("c-7").unwrap(),
            purpose: "迎宾".to_owned(),
            expires: Timestamp::from_unix_ms(1_795_000_000_123),
        };
        let values: [f32; Embedding::LEN] = std::array::from_fn(|at| at as f32 - 60.0);
        let template = Embedding::new(&values).unwrap();
        let bytes = write(&consent, &template);
        let (read_back, again) = read(&bytes).unwrap();
        assert_eq!(read_back, consent);
        assert!((again.similarity(&template) - 1.0).abs() < 1e-6);
        assert!((0..bytes.len()).all(|length| read(&bytes[..length]).is_none()));
        assert!(read(&[&bytes[..], b"x"].concat()).is_none());
        assert!(read(&[&[2], &bytes[1..]].concat()).is_none(), "a later version");
    }
}
