//! What a shopper was given, or not, for a coupon or as a member.

use super::{Reason, SaleId, Slot};

/// What became of a coupon that was scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CouponRuling {
    /// Who issued it, as far as its claims could be believed.
    pub issuer: Option<String>,
    /// Its own number (`jti`), as far as its claims could be believed.
    pub coupon: Option<String>,
    /// What it is for, and how much.
    pub worth: Option<CouponWorth>,
    /// Why it was refused; `None`: it was redeemed, and never will be again.
    pub refused: Option<Reason>,
}

/// What a coupon is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CouponWorth {
    /// The claim `kind`.
    pub kind: String,
    /// The claim `value`.
    pub value: String,
}

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
