//! The stored form of actions: a word and its arguments as JSON.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::coupon::KeysForm;
use super::face::{EnrolForm, ForgetForm};
use super::screen::{ContentForm, OverrideForm, ShowForm};
use crate::types::{
    Action, ActionKind, Currency, MemberKey, Minor, Order, Payment, PaymentAnswer, Reason, Resolution, Said, SaleId,
    Slot,
};

#[derive(Serialize, Deserialize)]
struct ScanTriggerArgs {
    on: bool,
}

#[derive(Serialize, Deserialize)]
struct OrderArgs {
    sale: String,
    slot: u16,
    price: i64,
    currency: String,
    payment: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sensor: Option<bool>,
}

impl From<&Order> for OrderArgs {
    fn from(order: &Order) -> Self {
        Self {
            sale: order.sale.to_string(),
            slot: order.slot.0,
            price: order.price.0,
            currency: order.currency.to_string(),
            payment: order.payment.as_str().to_owned(),
            sensor: order.drop_sensor,
        }
    }
}

impl OrderArgs {
    fn read(self) -> Option<Order> {
        Some(Order {
            sale: SaleId::new(&self.sale).ok()?,
            slot: Slot(self.slot),
            price: Minor(self.price),
            currency: Currency::parse(&self.currency)?,
            payment: Payment::parse(&self.payment)?,
            drop_sensor: self.sensor,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct DenyArgs {
    sale: String,
    reason: String,
}

#[derive(Serialize, Deserialize)]
struct ChargeEndArgs {
    sale: String,
    dispensed: bool,
}

#[derive(Serialize, Deserialize)]
struct SlotArgs {
    slot: u16,
}

#[derive(Serialize, Deserialize)]
struct CountArgs {
    slot: u16,
    count: u16,
}

#[derive(Serialize, Deserialize)]
struct AnswerArgs {
    sale: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
}

impl From<&PaymentAnswer> for AnswerArgs {
    fn from(answer: &PaymentAnswer) -> Self {
        let said = match answer.said {
            Said::Authorised(said) | Said::Cancelled(said) => Some(said),
            Said::Queried(said) => said,
        };
        Self {
            sale: answer.sale.to_string(),
            said,
            reason: answer.reason.as_ref().map(ToString::to_string),
            provider: answer.provider_ref.clone(),
        }
    }
}

impl AnswerArgs {
    fn read(self, kind: ActionKind) -> Option<PaymentAnswer> {
        let said = match (kind, self.said) {
            (ActionKind::SaleAuthorised, Some(said)) => Said::Authorised(said),
            (ActionKind::SaleQueried, said) => Said::Queried(said),
            (ActionKind::SaleCancelled, Some(said)) => Said::Cancelled(said),
            _ => return None,
        };
        Some(PaymentAnswer {
            sale: SaleId::new(&self.sale).ok()?,
            said,
            reason: self.reason.as_deref().map(Reason::new),
            provider_ref: self.provider,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct ResolveArgs {
    sale: String,
    r#as: String,
    by: String,
}

fn json(args: &impl Serialize) -> String {
    serde_json::to_string(args).unwrap_or_default()
}

/// An action's word and its arguments as JSON.
pub(in crate::journal) fn encode(action: &Action) -> (&'static str, String) {
    let args = match action {
        Action::ScanTrigger { on } => json(&ScanTriggerArgs { on: *on }),
        Action::DeviceRestart | Action::Diagnostics => "{}".to_owned(),
        Action::Dispense(order) | Action::Approve(order) | Action::Recover(order) | Action::Charge(order) => {
            json(&OrderArgs::from(order))
        }
        Action::Deny { sale, reason } => json(&DenyArgs { sale: sale.to_string(), reason: reason.to_string() }),
        Action::ChargeEnd { sale, dispensed } => json(&ChargeEndArgs { sale: sale.to_string(), dispensed: *dispensed }),
        Action::JamClear { slot } | Action::LaneClear { slot } => json(&SlotArgs { slot: slot.0 }),
        Action::StockWrite { slot, count } | Action::StockSet { slot, count } => {
            json(&CountArgs { slot: slot.0, count: *count })
        }
        Action::CouponKeys(keys) => json(&KeysForm::from(keys)),
        Action::MemberEnrol(enrolment) => json(&EnrolForm::from(&**enrolment)),
        Action::MemberForget { member } => json(&ForgetForm { member: member.to_string() }),
        Action::Show(show) => json(&ShowForm::from(show)),
        Action::ContentPut(source) => json(&ContentForm::from(source)),
        Action::ScreenOverride(said) => json(&OverrideForm::from(said)),
        Action::Answer(answer) => json(&AnswerArgs::from(answer)),
        Action::SaleResolve { sale, resolution, by } => {
            json(&ResolveArgs { sale: sale.to_string(), r#as: resolution.as_str().to_owned(), by: by.clone() })
        }
    };
    (action.kind().as_str(), args)
}

/// The counterpart of [`encode`].
pub(in crate::journal) fn decode(word: &str, args: &str) -> Option<Action> {
    let kind = ActionKind::parse(word)?;
    let order = || read::<OrderArgs>(args)?.read();
    let slot = || Some(Slot(read::<SlotArgs>(args)?.slot));
    let count = || read::<CountArgs>(args).map(|args| (Slot(args.slot), args.count));
    Some(match kind {
        ActionKind::ScanTrigger => Action::ScanTrigger { on: read::<ScanTriggerArgs>(args)?.on },
        ActionKind::DeviceRestart => Action::DeviceRestart,
        ActionKind::Diagnostics => Action::Diagnostics,
        ActionKind::Dispense => Action::Dispense(order()?),
        ActionKind::Approve => Action::Approve(order()?),
        ActionKind::Recover => Action::Recover(order()?),
        ActionKind::Charge => Action::Charge(order()?),
        ActionKind::Deny => {
            let DenyArgs { sale, reason } = read(args)?;
            Action::Deny { sale: SaleId::new(&sale).ok()?, reason: Reason::new(&reason) }
        }
        ActionKind::ChargeEnd => {
            let ChargeEndArgs { sale, dispensed } = read(args)?;
            Action::ChargeEnd { sale: SaleId::new(&sale).ok()?, dispensed }
        }
        ActionKind::JamClear => Action::JamClear { slot: slot()? },
        ActionKind::LaneClear => Action::LaneClear { slot: slot()? },
        ActionKind::StockWrite => count().map(|(slot, count)| Action::StockWrite { slot, count })?,
        ActionKind::StockSet => count().map(|(slot, count)| Action::StockSet { slot, count })?,
        ActionKind::CouponKeys => Action::CouponKeys(read::<KeysForm>(args)?.read()?),
        ActionKind::MemberEnrol => Action::MemberEnrol(Box::new(read::<EnrolForm>(args)?.read()?)),
        ActionKind::MemberForget => {
            Action::MemberForget { member: MemberKey::new(&read::<ForgetForm>(args)?.member).ok()? }
        }
        ActionKind::Show => Action::Show(read::<ShowForm>(args)?.read()?),
        ActionKind::ContentPut => Action::ContentPut(read::<ContentForm>(args)?.read()?),
        ActionKind::ScreenOverride => Action::ScreenOverride(read::<OverrideForm>(args)?.read()),
        ActionKind::SaleAuthorised | ActionKind::SaleQueried | ActionKind::SaleCancelled => {
            Action::Answer(read::<AnswerArgs>(args)?.read(kind)?)
        }
        ActionKind::SaleResolve => {
            let ResolveArgs { sale, r#as, by } = read(args)?;
            Action::SaleResolve { sale: SaleId::new(&sale).ok()?, resolution: Resolution::parse(&r#as)?, by }
        }
    })
}

fn read<T: DeserializeOwned>(args: &str) -> Option<T> {
    serde_json::from_str(args).ok()
}
