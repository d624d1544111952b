//! What a shopper was given, or not, as a member.

use super::{Reason, SaleId, Slot};

/// What became of a member's wish for a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleRuling {
    /// The campaign.
    pub campaign: String,
    /// The member's code, as it was scanned.
    pub member: String,
    /// The sale of the sample, when one was begun.
    pub sale: Option<SaleId>,
    /// The lane, when it was given.
    pub slot: Option<Slot>,
    /// Why it was refused; `None`: it was given.
    pub refused: Option<Reason>,
}
