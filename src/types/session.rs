//! A member's session at a screen.

use uuid::Uuid;

use super::{StationId, Timestamp};

/// A member's session at a screen has begun or is over. Between the two, what is done at the screen names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StationSession {
    /// The session: another one each time.
    pub session: Uuid,
    /// What has become of it.
    pub change: SessionChange,
}

/// See [`StationSession`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionChange {
    /// A member has shown their code.
    Bound {
        /// Where.
        station: StationId,
        /// The member's code, as it was scanned.
        member: String,
        /// When.
        started: Timestamp,
    },
    /// It is over. The first end that is said counts.
    Ended {
        /// When.
        ended: Timestamp,
        /// How.
        how: SessionEnd,
    },
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SessionEnd {
    /// Nobody touched the screen any more, or nobody stood before its camera.
    Idle,
    /// Another member has shown their code.
    OtherMember,
    /// The member ended it, or the page went, or no page was there.
    Closed,
}

impl SessionEnd {
    /// Every end.
    pub const ALL: [Self; 3] = [Self::Idle, Self::OtherMember, Self::Closed];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::OtherMember => "other-member",
            Self::Closed => "closed",
        }
    }

    /// The end the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.as_str() == word)
    }
}
