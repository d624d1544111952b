//! A sale, step by step: the words that drivers, flows and the router share about money and what fell for it.

use std::fmt;

use super::{Currency, Ended, Minor, Reason, SaleId};

/// A lane of a machine, by the number that the machine itself gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u16);

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a sale is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Payment {
    /// The cloud takes the money and gives it back.
    Cloud,
    /// Nobody pays: a sample.
    Free,
    /// The machine took the money itself (coins, bills, its own card reader) and keeps its own account of it.
    Machine,
}

impl Payment {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Cloud, Self::Free, Self::Machine];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::Free => "free",
            Self::Machine => "machine",
        }
    }

    /// The way the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|payment| payment.as_str() == word)
    }
}

/// How far a sale has come.
///
/// ```text
/// requested ─▶ authorised ─▶ dispatched ─▶ dispensed ─▶ settled
///     │            │             ├───────▶ failed ────▶ refunding ─▶ refunded
///     │            │             └───────▶ indeterminate ─▶ (a person) ─▶ settled │ refunding
///     └─▶ refused  └─▶ failed, before anything could move │ refunding, before the machine heard of it
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Somebody wants it. A driver says so when a shopper chose at a machine whose card reader the gateway is.
    Requested,
    /// The money is promised.
    Authorised,
    /// The next bytes to the machine make it move, and this is on disk before they leave: from here on it may have
    /// moved, before it nothing has. Said by its driver, or by the router for a driver that cannot
    /// [recover](super::Action).
    Dispatched,
    /// The machine says it gave the product out. Said by its driver.
    Dispensed,
    /// The money is kept: the end.
    Settled,
    /// The money is on its way back.
    Refunding,
    /// The money is back: the end.
    Refunded,
    /// Nothing moved and nothing was paid: the end.
    Refused,
    /// The machine is known to have given nothing out. Said by its driver.
    Failed,
    /// Nobody can know whether it gave something out. Said by its driver, or by the router after a power cut.
    Indeterminate,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 10] = [
        Self::Requested,
        Self::Authorised,
        Self::Dispatched,
        Self::Dispensed,
        Self::Settled,
        Self::Refunding,
        Self::Refunded,
        Self::Refused,
        Self::Failed,
        Self::Indeterminate,
    ];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Authorised => "authorised",
            Self::Dispatched => "dispatched",
            Self::Dispensed => "dispensed",
            Self::Settled => "settled",
            Self::Refunding => "refunding",
            Self::Refunded => "refunded",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Indeterminate => "indeterminate",
        }
    }

    /// The step the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == word)
    }

    /// Whether it is what became of an order in the machine, and so the end of the command that carried it.
    pub const fn is_result(self) -> bool {
        matches!(self, Self::Dispensed | Self::Failed | Self::Indeterminate)
    }
}

/// One step of one sale: the only thing the ledger of money is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleStep {
    /// Which sale.
    pub sale: SaleId,
    /// How far it has come.
    pub step: Step,
    /// The lane, when it is known.
    pub slot: Option<Slot>,
    /// The price.
    pub price: Minor,
    /// Its currency.
    pub currency: Currency,
    /// How it is paid.
    pub payment: Payment,
    /// What the drop sensor says: something fell, nothing fell, or nobody knows (no sensor, or not asked).
    pub dropped: Option<bool>,
    /// Why, where there is a why: see the words in the vending driver's README.
    pub reason: Option<Reason>,
    /// What the payment provider calls it.
    pub provider_ref: Option<String>,
    /// Who decided it, when a person did.
    pub by: Option<String>,
}

impl SaleStep {
    /// How the command ends that carried the order, when this is what became of it. A product that its sensor did not
    /// see fall counts as not given out.
    pub fn ends_command(&self) -> Option<Ended> {
        let reason = |otherwise| self.reason.clone().unwrap_or_else(|| Reason::new(otherwise));
        match self.step {
            Step::Dispensed if self.dropped == Some(false) => Some(Ended::Failed(reason("no-drop"))),
            Step::Dispensed => Some(Ended::Done),
            Step::Failed => Some(Ended::Failed(reason("failed"))),
            Step::Indeterminate => Some(Ended::Indeterminate(reason("no-answer"))),
            _ => None,
        }
    }
}

/// What a machine is to give out, for which sale, at which price. A driver needs `slot` and `drop_sensor` for its
/// machine and hands the rest back in its answer: see [`Order::dispensed`], [`Order::failed`] and
/// [`Order::indeterminate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The sale; of a `dispense` command that names none, the command's own id.
    pub sale: SaleId,
    /// The lane.
    pub slot: Slot,
    /// The price; zero for a sample.
    pub price: Minor,
    /// Its currency; [`Currency::NONE`] until the router has filled in the machine's.
    pub currency: Currency,
    /// How it is paid.
    pub payment: Payment,
    /// Whether the machine shall watch its drop sensor; `None`: as the machine's profile says.
    pub drop_sensor: Option<bool>,
}

impl Order {
    /// A step of this order's sale, without sensor, reason, provider's reference or person.
    pub fn step(&self, step: Step) -> SaleStep {
        SaleStep {
            sale: self.sale.clone(),
            step,
            slot: Some(self.slot),
            price: self.price,
            currency: self.currency,
            payment: self.payment,
            dropped: None,
            reason: None,
            provider_ref: None,
            by: None,
        }
    }

    /// A driver's answer: the machine gave it out; `dropped` as in [`SaleStep`].
    pub fn dispensed(&self, dropped: Option<bool>) -> SaleStep {
        SaleStep { dropped, ..self.step(Step::Dispensed) }
    }

    /// A driver's answer: the machine is known to have given nothing out.
    pub fn failed(&self, reason: Reason) -> SaleStep {
        SaleStep { reason: Some(reason), ..self.step(Step::Failed) }
    }

    /// A driver's answer: nobody can know whether the machine gave something out.
    pub fn indeterminate(&self, reason: Reason) -> SaleStep {
        SaleStep { reason: Some(reason), ..self.step(Step::Indeterminate) }
    }

    /// The answer that an end without the machine's word amounts to: expired in a queue, turned away, abandoned.
    pub fn ended(&self, ended: &Ended) -> SaleStep {
        match ended {
            Ended::Done => self.dispensed(None),
            Ended::Refused(reason) | Ended::Failed(reason) => self.failed(reason.clone()),
            Ended::Expired => self.failed(Reason::new("expired")),
            Ended::Indeterminate(reason) => self.indeterminate(reason.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        Order {
            sale: SaleId::new("s-1").unwrap(),
            slot: Slot(60),
            price: Minor(350),
            currency: Currency::parse("CNY").unwrap(),
            payment: Payment::Cloud,
            drop_sensor: None,
        }
    }

    #[test]
    fn every_step_and_every_payment_survives_its_word() {
        for step in Step::ALL {
            assert_eq!(Step::parse(step.as_str()), Some(step));
        }
        for payment in Payment::ALL {
            assert_eq!(Payment::parse(payment.as_str()), Some(payment));
        }
    }

    #[test]
    fn a_result_ends_the_command_and_nothing_else_does() {
        for step in Step::ALL {
            assert_eq!(order().step(step).ends_command().is_some(), step.is_result(), "{step:?}");
        }
        let jam = Reason::new("jam");
        assert_eq!(order().dispensed(None).ends_command(), Some(Ended::Done));
        assert_eq!(order().dispensed(Some(false)).ends_command(), Some(Ended::Failed(Reason::new("no-drop"))));
        assert_eq!(order().failed(jam.clone()).ends_command(), Some(Ended::Failed(jam.clone())));
        assert_eq!(order().indeterminate(jam.clone()).ends_command(), Some(Ended::Indeterminate(jam)));
    }
}
