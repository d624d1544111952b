//! Actions and their arguments, as the cloud writes them.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::coupon::CouponKeysArgs;
use super::face::{MemberEnrolArgs, MemberForgetArgs};
use super::screen::{ContentPutArgs, ScreenOverrideArgs, ShowArgs};
use crate::types::{
    Action, ActionKind, CommandId, Currency, Minor, Order, Payment, PaymentAnswer, Reason, Said, SaleId, Slot,
};

/// Longest reference of a payment provider, in characters.
const PROVIDER_REF_CHARACTERS: usize = 128;

#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "action", content = "args")]
pub(super) enum ActionV1 {
    /// Start or stop reading, of a scanner in command mode.
    #[serde(rename = "scan.trigger")]
    ScanTrigger(ScanTriggerArgs),
    /// Close the device's line and start its driver anew.
    #[serde(rename = "device.restart")]
    DeviceRestart(NoArgs),
    /// Send a diagnostics bundle as `diagnostics.chunk.v1`; for the gateway itself, without `device`.
    #[serde(rename = "diagnostics")]
    Diagnostics(NoArgs),
    /// Let a machine give something out: a paid order when it has a price, a sample when it has none.
    #[serde(rename = "dispense")]
    Dispense(DispenseArgs),
    /// A technician has counted or filled a lane.
    #[serde(rename = "stock.set")]
    StockSet(StockSetArgs),
    /// A technician has cleared a lane: it is sold from again.
    #[serde(rename = "lane.clear")]
    LaneClear(LaneClearArgs),
    /// Keys that an issuer signs coupons with: new ones come to those that are known, which stay until their `until`.
    #[serde(rename = "coupon.keys")]
    CouponKeys(CouponKeysArgs),
    /// A member consents to be recognised.
    #[serde(rename = "member.enrol")]
    MemberEnrol(MemberEnrolArgs),
    /// A member is to be forgotten: their template is erased, and they are taken out of what has not been sent yet.
    #[serde(rename = "member.forget")]
    MemberForget(MemberForgetArgs),
    /// Show something on a screen. Done when its page has painted it; a screen without a page refuses it.
    #[serde(rename = "show")]
    Show(ShowArgs),
    /// Get new content for the screens. Done when all of it is on the box, verified and in force.
    #[serde(rename = "content.put")]
    ContentPut(ContentPutArgs),
    /// Say something on every screen before everything else; it survives restarts. Without `text` it is called off.
    #[serde(rename = "screen.override")]
    ScreenOverride(ScreenOverrideArgs),
    /// The answer to an `authorise`: whether the money of this sale is promised.
    #[serde(rename = "sale.authorised")]
    SaleAuthorised(SaleAuthorisedArgs),
    /// The answer to an `authorise` with `ask: query`.
    #[serde(rename = "sale.queried")]
    SaleQueried(SaleQueriedArgs),
    /// The answer to an `authorise` with `ask: cancel`, and to a step `refunding`.
    #[serde(rename = "sale.cancelled")]
    SaleCancelled(SaleCancelledArgs),
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScanTriggerArgs {
    /// `true`: read now; `false`: stop.
    on: bool,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoArgs {}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DispenseArgs {
    /// The lane, by the machine's own number.
    slot: u16,
    /// The sale it belongs to; without it the command's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^[A-Za-z0-9._:-]{1,64}$"))]
    sale: Option<String>,
    /// What was paid for it, in minor units; without it nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    price_minor: Option<i64>,
    /// Its currency (ISO 4217); without it the machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^[A-Z]{3}$"))]
    currency: Option<String>,
    /// Whether the drop sensor watches; without it as the machine's profile says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    drop_sensor: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StockSetArgs {
    /// The lane.
    slot: u16,
    /// How many are in it now.
    count: u16,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LaneClearArgs {
    /// The lane.
    slot: u16,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SaleAuthorisedArgs {
    /// The sale that was asked about.
    #[schemars(extend("pattern" = "^[A-Za-z0-9._:-]{1,64}$"))]
    sale: String,
    /// Whether the money is promised.
    approved: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What the payment provider calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = PROVIDER_REF_CHARACTERS))]
    provider_ref: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SaleQueriedArgs {
    /// The sale that was asked about.
    #[schemars(extend("pattern" = "^[A-Za-z0-9._:-]{1,64}$"))]
    sale: String,
    /// Whether it is paid; `unknown`: not known yet.
    state: Settlement,
    /// Why, where there is a why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What the payment provider calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = PROVIDER_REF_CHARACTERS))]
    provider_ref: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Settlement {
    Paid,
    Unpaid,
    Unknown,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SaleCancelledArgs {
    /// The sale that was to be undone.
    #[schemars(extend("pattern" = "^[A-Za-z0-9._:-]{1,64}$"))]
    sale: String,
    /// `true`: it is undone for good, closed if it was not paid and given back if it was. `false`: not yet.
    done: bool,
    /// Why, where there is a why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What the payment provider calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = PROVIDER_REF_CHARACTERS))]
    provider_ref: Option<String>,
}

impl ActionV1 {
    /// `None`: the contract does not offer it.
    pub(super) fn of(action: &Action) -> Option<Self> {
        Some(match action {
            Action::ScanTrigger { on } => Self::ScanTrigger(ScanTriggerArgs { on: *on }),
            Action::DeviceRestart => Self::DeviceRestart(NoArgs {}),
            Action::Diagnostics => Self::Diagnostics(NoArgs {}),
            Action::Dispense(order) => Self::Dispense(order.into()),
            Action::StockSet { slot, count } => Self::StockSet(StockSetArgs { slot: slot.0, count: *count }),
            Action::LaneClear { slot } => Self::LaneClear(LaneClearArgs { slot: slot.0 }),
            Action::CouponKeys(keys) => Self::CouponKeys(keys.into()),
            Action::MemberEnrol(enrolment) => Self::MemberEnrol((&**enrolment).into()),
            Action::MemberForget { member } => Self::MemberForget(MemberForgetArgs::of(member)),
            Action::Show(show) => Self::Show(show.into()),
            Action::ContentPut(source) => Self::ContentPut(source.into()),
            Action::ScreenOverride(said) => Self::ScreenOverride(said.into()),
            Action::Answer(answer) => Self::answer(answer),
            Action::Approve(_)
            | Action::Deny { .. }
            | Action::Recover(_)
            | Action::Charge(_)
            | Action::ChargeEnd { .. }
            | Action::JamClear { .. }
            | Action::StockWrite { .. }
            | Action::SaleResolve { .. } => return None,
        })
    }

    fn answer(answer: &PaymentAnswer) -> Self {
        let sale = answer.sale.to_string();
        let reason = answer.reason.as_ref().map(ToString::to_string);
        let provider_ref = answer.provider_ref.clone();
        match answer.said {
            Said::Authorised(approved) => {
                Self::SaleAuthorised(SaleAuthorisedArgs { sale, approved, reason, provider_ref })
            }
            Said::Queried(paid) => {
                let state =
                    paid.map_or(Settlement::Unknown, |paid| if paid { Settlement::Paid } else { Settlement::Unpaid });
                Self::SaleQueried(SaleQueriedArgs { sale, state, reason, provider_ref })
            }
            Said::Cancelled(done) => Self::SaleCancelled(SaleCancelledArgs { sale, done, reason, provider_ref }),
        }
    }
}

impl From<&Order> for DispenseArgs {
    fn from(order: &Order) -> Self {
        Self {
            slot: order.slot.0,
            sale: Some(order.sale.to_string()),
            price_minor: (order.payment != Payment::Free).then_some(order.price.0),
            currency: (order.currency != Currency::NONE).then(|| order.currency.to_string()),
            drop_sensor: order.drop_sensor,
        }
    }
}

impl DispenseArgs {
    fn order(self, id: &CommandId) -> Result<Order, serde_json::Error> {
        let sale = self.sale.as_deref().unwrap_or(id.as_str());
        let price = self.price_minor.unwrap_or(0);
        if price < 0 {
            return Err(serde::de::Error::custom("price_minor is below zero"));
        }
        let currency = match &self.currency {
            None => Currency::NONE,
            Some(word) => {
                Currency::parse(word).ok_or_else(|| serde::de::Error::custom("currency is no ISO 4217 code"))?
            }
        };
        Ok(Order {
            sale: sale_id(sale)?,
            slot: Slot(self.slot),
            price: Minor(price),
            currency,
            payment: if self.price_minor.is_some() { Payment::Cloud } else { Payment::Free },
            drop_sensor: self.drop_sensor,
        })
    }
}

/// Reads the arguments of an action that the contract offers.
pub(super) fn read(kind: ActionKind, id: &CommandId, args: Value) -> Result<Action, serde_json::Error> {
    Ok(match kind {
        ActionKind::ScanTrigger => Action::ScanTrigger { on: arguments::<ScanTriggerArgs>(args)?.on },
        ActionKind::DeviceRestart => {
            let NoArgs {} = arguments(args)?;
            Action::DeviceRestart
        }
        ActionKind::Diagnostics => {
            let NoArgs {} = arguments(args)?;
            Action::Diagnostics
        }
        ActionKind::Dispense => Action::Dispense(arguments::<DispenseArgs>(args)?.order(id)?),
        ActionKind::StockSet => {
            let StockSetArgs { slot, count } = arguments(args)?;
            Action::StockSet { slot: Slot(slot), count }
        }
        ActionKind::LaneClear => Action::LaneClear { slot: Slot(arguments::<LaneClearArgs>(args)?.slot) },
        ActionKind::CouponKeys => Action::CouponKeys(arguments::<CouponKeysArgs>(args)?.keys()?),
        ActionKind::MemberEnrol => Action::MemberEnrol(Box::new(arguments::<MemberEnrolArgs>(args)?.read()?)),
        ActionKind::MemberForget => Action::MemberForget { member: arguments::<MemberForgetArgs>(args)?.read()? },
        ActionKind::Show => Action::Show(arguments::<ShowArgs>(args)?.read()?),
        ActionKind::ContentPut => Action::ContentPut(arguments::<ContentPutArgs>(args)?.read()?),
        ActionKind::ScreenOverride => Action::ScreenOverride(arguments::<ScreenOverrideArgs>(args)?.read()?),
        ActionKind::SaleAuthorised => {
            let SaleAuthorisedArgs { sale, approved, reason, provider_ref } = arguments(args)?;
            answer(&sale, Said::Authorised(approved), reason.as_deref(), provider_ref)?
        }
        ActionKind::SaleQueried => {
            let SaleQueriedArgs { sale, state, reason, provider_ref } = arguments(args)?;
            let paid = match state {
                Settlement::Paid => Some(true),
                Settlement::Unpaid => Some(false),
                Settlement::Unknown => None,
            };
            answer(&sale, Said::Queried(paid), reason.as_deref(), provider_ref)?
        }
        ActionKind::SaleCancelled => {
            let SaleCancelledArgs { sale, done, reason, provider_ref } = arguments(args)?;
            answer(&sale, Said::Cancelled(done), reason.as_deref(), provider_ref)?
        }
        ActionKind::Approve
        | ActionKind::Deny
        | ActionKind::Recover
        | ActionKind::Charge
        | ActionKind::ChargeEnd
        | ActionKind::JamClear
        | ActionKind::StockWrite
        | ActionKind::SaleResolve => return Err(serde::de::Error::custom("it is not offered")),
    })
}

fn answer(
    sale: &str,
    said: Said,
    reason: Option<&str>,
    provider_ref: Option<String>,
) -> Result<Action, serde_json::Error> {
    if provider_ref.as_ref().is_some_and(|text| text.chars().count() > PROVIDER_REF_CHARACTERS) {
        return Err(serde::de::Error::custom("provider_ref is too long"));
    }
    let reason = reason.map(Reason::new);
    Ok(Action::Answer(PaymentAnswer { sale: sale_id(sale)?, said, reason, provider_ref }))
}

fn sale_id(text: &str) -> Result<SaleId, serde_json::Error> {
    SaleId::new(text).map_err(|error| serde::de::Error::custom(format!("sale {error}")))
}

/// `args` left out is the same as no arguments.
fn arguments<T: DeserializeOwned>(args: Value) -> Result<T, serde_json::Error> {
    match args {
        Value::Null => serde_json::from_value(Value::Object(serde_json::Map::new())),
        Value::Object(_) => serde_json::from_value(args),
        _ => Err(serde::de::Error::custom("args must be an object")),
    }
}
