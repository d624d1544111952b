//! What the journal holds.

use super::{
    CommandId, DeviceId, Epoch, EventId, HealthChange, MemberKey, Observation, Redemption, Row, SampleRuling, Seq,
    SessionChange, Stamp,
};

/// How much an event matters. It alone decides when its group commits, how long it is kept, its lane to the
/// cloud and what may be dropped when the disk fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Money, entitlements and the outcome of commands: on disk at once, never dropped before the cloud has it.
    Money,
    /// What the shop wants to know singly: on disk at once, dropped last.
    Record,
    /// What is worth having in bulk: grouped, dropped first.
    Telemetry,
}

impl Class {
    /// Every class, most important first.
    pub const ALL: [Self; 3] = [Self::Money, Self::Record, Self::Telemetry];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Money => "money",
            Self::Record => "record",
            Self::Telemetry => "telemetry",
        }
    }

    /// The class the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }
}

/// Why a journal was opened as a new epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenReason {
    /// There was none.
    Created,
    /// The one before was damaged and set aside.
    Damaged,
}

impl OpenReason {
    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Damaged => "damaged",
        }
    }
}

/// Why a range of events was dropped before the cloud had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// The class had used up its share of the disk.
    Space,
    /// Its stored form could not be read back.
    Damaged,
    /// No broker will ever take it: larger than the largest message.
    Oversized,
    /// The broker took the connection and other events, but refused this one for good.
    Refused,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Space, Self::Damaged, Self::Oversized, Self::Refused];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Space => "space",
            Self::Damaged => "damaged",
            Self::Oversized => "oversized",
            Self::Refused => "refused",
        }
    }

    /// The reason the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// What the gateway says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A new journal begins. First event of an epoch.
    Opened {
        /// The new epoch.
        epoch: Epoch,
        /// The epoch before, when it could be read.
        previous: Option<Epoch>,
        /// The last sequence number of each class of the epoch before, when it could be read.
        last_seq: Vec<(Class, Seq)>,
        /// Why.
        reason: OpenReason,
    },
    /// Events of `class` numbered `from` to `to` are gone for good.
    Dropped {
        /// Their class.
        class: Class,
        /// First number of the range.
        from: Seq,
        /// Last number of the range.
        to: Seq,
        /// Why.
        reason: DropReason,
    },
    /// A health condition appeared or went.
    Health(HealthChange),
    /// A configuration took effect.
    ConfigApplied {
        /// SHA-256 of its text, hexadecimal.
        sha256: String,
        /// How many devices it drives.
        devices: u32,
    },
    /// A part of a diagnostics bundle that was asked for.
    Diagnostics {
        /// Which bundle; another one for every time that one is made.
        bundle: EventId,
        /// Which part, from 1.
        part: u32,
        /// Of how many.
        of: u32,
        /// Its text: the parts one after the other are a JSON document.
        text: String,
    },
    /// A coupon was shown at a station.
    Coupon(Redemption),
    /// A sample was given or refused.
    Sample(Box<SampleRuling>),
}

impl Notice {
    /// See [`Observation::class`].
    pub const fn class(&self) -> Class {
        match self {
            Self::Coupon(_) | Self::Sample(_) => Class::Money,
            Self::Diagnostics { .. } => Class::Telemetry,
            Self::Opened { .. } | Self::Dropped { .. } | Self::Health(_) | Self::ConfigApplied { .. } => Class::Record,
        }
    }
}

/// What stands where a member's code stood who has been forgotten.
const FORGOTTEN: &str = "*";

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A device said it.
    Observed(Observation),
    /// The gateway says it of itself.
    Noticed(Notice),
}

impl Body {
    /// See [`Observation::class`].
    pub const fn class(&self) -> Class {
        match self {
            Self::Observed(observation) => observation.class(),
            Self::Noticed(notice) => notice.class(),
        }
    }

    /// Takes a member out of it; whether they were in it.
    pub fn forget(&mut self, member: &MemberKey) -> bool {
        match self {
            Self::Observed(Observation::FaceMember(seen)) if seen.member.as_ref() == Some(member) => {
                (seen.member, seen.consent) = (None, None);
                true
            }
            Self::Observed(Observation::Code(code)) if code.value == member.as_str() => {
                code.value = FORGOTTEN.to_owned();
                true
            }
            Self::Observed(Observation::Session(said)) => match &mut said.change {
                SessionChange::Bound { member: bound, .. } if bound == member.as_str() => {
                    *bound = FORGOTTEN.to_owned();
                    true
                }
                SessionChange::Bound { .. } | SessionChange::Ended { .. } => false,
            },
            Self::Noticed(Notice::Sample(ruling)) if ruling.member == member.as_str() => {
                ruling.member = FORGOTTEN.to_owned();
                true
            }
            Self::Observed(_) | Self::Noticed(_) => false,
        }
    }
}

/// What an event is a consequence of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A command.
    Command(CommandId),
    /// Another event.
    Event(EventId),
}

/// An event before the journal has given it its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Unique for ever.
    pub id: EventId,
    /// The device it is about; `None`: the gateway itself.
    pub device: Option<DeviceId>,
    /// When it happened.
    pub at: Stamp,
    /// What it follows from.
    pub cause: Option<Cause>,
    /// What happened.
    pub body: Body,
}

/// An event with its place in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Place in the local total order.
    pub row: Row,
    /// Place in its epoch and class.
    pub seq: Seq,
    /// What was appended.
    pub draft: Draft,
}

impl Event {
    /// See [`Observation::class`].
    pub const fn class(&self) -> Class {
        self.draft.body.class()
    }
}
