//! Questions about a sale's money, on their way up: the one message that does not come from the journal, because a
//! payment code never enters it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::types::{Currency, Minor, PaymentCode, SaleId, Timestamp};

/// A question about a sale's money. Idempotent by `sale`.
pub struct Authorise {
    /// The sale.
    pub sale: SaleId,
    /// What is asked.
    pub what: AuthoriseWhat,
    /// The price.
    pub amount: Minor,
    /// Its currency.
    pub currency: Currency,
    /// The payment code, when the shopper has shown one.
    pub code: Option<PaymentCode>,
    /// After this nobody waits for the answer any more.
    pub not_after: Timestamp,
}

/// See [`Authorise`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthoriseWhat {
    /// Promise the money: answered by `sale.authorised`.
    Promise,
    /// Is it paid? Answered by `sale.queried`, or by `sale.authorised`.
    Query,
    /// Undo it, paid or not: answered by `sale.cancelled`.
    Cancel,
}

impl std::fmt::Debug for Authorise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sale, what, code, .. } = self;
        write!(f, "Authorise({sale}, {what:?}, code: {})", code.is_some())
    }
}

/// A question about a sale's money.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Authorise")]
pub(super) struct AuthoriseV1<'a> {
    /// The sale: the key. The same sale is the same trade, however often it is asked about.
    sale: &'a str,
    /// The price in minor units.
    amount_minor: i64,
    /// ISO 4217.
    currency: &'a str,
    /// The payment code, when the shopper has shown one. Never to be stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_code: Option<&'a str>,
    /// What is asked; without it: promise the money.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["query", "cancel"]))]
    ask: Option<&'static str>,
    /// After this nobody waits for the answer any more.
    #[schemars(extend("format" = "date-time"))]
    not_after: String,
}

/// The message.
pub fn authorise_message(of: &Authorise) -> Vec<u8> {
    let Authorise { sale, what, amount, currency, code, not_after } = of;
    let ask = match what {
        AuthoriseWhat::Promise => None,
        AuthoriseWhat::Query => Some("query"),
        AuthoriseWhat::Cancel => Some("cancel"),
    };
    let form = AuthoriseV1 {
        sale: sale.as_str(),
        amount_minor: amount.0,
        currency: currency.as_str(),
        auth_code: None,
        ask,
        not_after: not_after.to_string(),
    };
    match code {
        Some(code) => code.with(|digits| write(&AuthoriseV1 { auth_code: Some(digits), ..form })),
        None => write(&form),
    }
}

fn write(form: &AuthoriseV1<'_>) -> Vec<u8> {
    serde_json::to_vec(form).unwrap_or_default()
}
