//! Identifiers with checked constructors.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// Why a name was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name is empty or longer than the limit.
    #[error("must be 1 to {limit} characters long, this is {length}")]
    Length {
        /// Longest name accepted.
        limit: usize,
        /// Length of what was given, in bytes.
        length: usize,
    },
    /// A character outside the alphabet.
    #[error("may hold only {alphabet}, not {found:?}")]
    Character {
        /// The alphabet, for people.
        alphabet: &'static str,
        /// The first offending character.
        found: char,
    },
}

fn checked(text: &str, limit: usize, alphabet: &'static str, allowed: fn(char) -> bool) -> Result<Arc<str>, NameError> {
    if text.is_empty() || text.len() > limit {
        return Err(NameError::Length { limit, length: text.len() });
    }
    match text.chars().find(|c| !allowed(*c)) {
        Some(found) => Err(NameError::Character { alphabet, found }),
        None => Ok(text.into()),
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $limit:literal, $alphabet:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the text against the alphabet and the length limit.
            pub fn new(text: &str) -> Result<Self, NameError> {
                checked(text, $limit, $alphabet, $allowed).map(Self)
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

fn name_character(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

fn command_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':')
}

text_id!(
    /// A store, unique in the chain: `[a-z0-9-]{1,32}`.
    StoreId, 32, "a-z, 0-9 and -", name_character
);
text_id!(
    /// A gateway, unique in its store: `[a-z0-9-]{1,32}`.
    GatewayId, 32, "a-z, 0-9 and -", name_character
);
text_id!(
    /// A device, unique on its gateway: `[a-z0-9-]{1,32}`.
    DeviceId, 32, "a-z, 0-9 and -", name_character
);
text_id!(
    /// A station, unique on its gateway: `[a-z0-9-]{1,32}`.
    StationId, 32, "a-z, 0-9 and -", name_character
);
text_id!(
    /// A command, chosen by whoever asks: `[A-Za-z0-9._:-]{1,64}`. The same id never acts twice.
    CommandId, 64, "A-Z, a-z, 0-9 and . _ : -", command_character
);

text_id!(
    /// A sale, unique for ever: `[A-Za-z0-9._:-]{1,64}`. Money is asked for, and given back, once for each.
    SaleId, 64, "A-Z, a-z, 0-9 and . _ : -", command_character
);

text_id!(
    /// A member of the chain, by the cloud's name for them: `[A-Za-z0-9._:-]{1,64}`. Personal data.
    MemberKey, 64, "A-Z, a-z, 0-9 and . _ : -", command_character
);
text_id!(
    /// A consent, by the cloud's name for it: `[A-Za-z0-9._:-]{1,64}`.
    ConsentId, 64, "A-Z, a-z, 0-9 and . _ : -", command_character
);
text_id!(
    /// A part of a camera's picture, unique for the camera: `[a-z0-9-]{1,32}`.
    ZoneId, 32, "a-z, 0-9 and -", name_character
);

text_id!(
    /// Something that a screen can show: an item of its content, or a scene: `[A-Za-z0-9._:-]{1,64}`.
    SceneId, 64, "A-Z, a-z, 0-9 and . _ : -", command_character
);
text_id!(
    /// A product, by the chain's own number: `[A-Za-z0-9._:-]{1,64}`.
    Sku, 64, "A-Z, a-z, 0-9 and . _ : -", command_character
);
text_id!(
    /// A place on a shelf: `[A-Za-z0-9._:-]{1,16}`.
    FacingId, 16, "A-Z, a-z, 0-9 and . _ : -", command_character
);

fn visible_character(c: char) -> bool {
    c.is_ascii_graphic()
}

text_id!(
    /// Who signs coupons (`iss`): 1 to 48 visible ASCII characters, such as `brand.example`.
    IssuerId, 48, "visible ASCII characters", visible_character
);
text_id!(
    /// A key of an issuer (`kid`): 1 to 64 visible ASCII characters.
    KeyId, 64, "visible ASCII characters", visible_character
);
text_id!(
    /// A coupon, unique for its issuer (`jti`): 1 to 64 visible ASCII characters.
    CouponId, 64, "visible ASCII characters", visible_character
);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id!(
    /// An event, unique for ever (UUIDv7, RFC 9562); the receiver de-duplicates on it.
    EventId
);
uuid_id!(
    /// One journal file. A replaced box or a damaged file starts a new epoch.
    Epoch
);
uuid_id!(
    /// One boot of the machine, as the kernel names it.
    BootId
);

/// Position in the journal: local, total order over all classes. Readers and cursors use it; the cloud never sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Row(pub i64);

/// Number of an event within its epoch and class: 1, 2, 3 … without gaps. The cloud proves completeness by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_once_and_say_what_is_wrong() {
        assert_eq!(DeviceId::new("scanner-1").map(|id| id.to_string()), Ok("scanner-1".to_owned()));
        assert_eq!(DeviceId::new(""), Err(NameError::Length { limit: 32, length: 0 }));
        assert_eq!(DeviceId::new(&"x".repeat(33)), Err(NameError::Length { limit: 32, length: 33 }));
        assert!(matches!(DeviceId::new("Scanner"), Err(NameError::Character { found: 'S', .. })));
        assert!(matches!(CommandId::new("a/b"), Err(NameError::Character { found: '/', .. })));
    }
}
