//! What a driver can say. Closed: a new word is a change of contract with the cloud, and the compiler shows the
//! places that must answer (class here, the stored form in `journal`, the payload in `wire::cloud`).

use super::{Class, CodeScanned, Outcome};

/// What a driver says happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// A scanner read a code.
    Code(CodeScanned),
    /// An action that was asked of the device has ended.
    Ended(Outcome),
}

impl Observation {
    /// The one dial: lane, commit group and retention follow from it.
    pub const fn class(&self) -> Class {
        match self {
            Self::Code(_) => Class::Record,
            Self::Ended(_) => Class::Money,
        }
    }
}
