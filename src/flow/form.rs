//! The stored form of flows' state: the flows' own counterpart of `types`, so that a rename there breaks no file.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Deadline, Lane};
use crate::types::{Currency, EventId, LaneStatus, Minor, Order, Payment, SaleId, Slot};

/// As JSON.
pub(super) fn write(form: &impl Serialize) -> Option<Vec<u8>> {
    serde_json::to_vec(form).ok()
}

/// The counterpart of [`write`].
pub(super) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

#[derive(Serialize, Deserialize)]
pub(super) struct LaneForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    capacity: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    price: Option<i64>,
    machine: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed: Option<String>,
}

impl From<&Lane> for LaneForm {
    fn from(lane: &Lane) -> Self {
        Self {
            count: lane.count,
            capacity: lane.capacity,
            price: lane.price.map(|price| price.0),
            machine: lane.machine.as_str().to_owned(),
            closed: lane.closed.map(|closed| closed.as_str().to_owned()),
        }
    }
}

impl LaneForm {
    pub(super) fn lane(self) -> Option<Lane> {
        Some(Lane {
            count: self.count,
            capacity: self.capacity,
            price: self.price.map(Minor),
            machine: LaneStatus::parse(&self.machine)?,
            closed: match self.closed {
                None => None,
                Some(word) => Some(LaneStatus::parse(&word)?),
            },
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct DeadlineForm {
    #[serde(with = "as_text")]
    boot: Uuid,
    up_ms: u64,
}

impl From<Deadline> for DeadlineForm {
    fn from(deadline: Deadline) -> Self {
        Self { boot: deadline.boot, up_ms: u64::try_from(deadline.up.as_millis()).unwrap_or(u64::MAX) }
    }
}

impl DeadlineForm {
    pub(super) fn deadline(self) -> Deadline {
        Deadline { boot: self.boot, up: Duration::from_millis(self.up_ms) }
    }
}

/// What a sale is about, the same in every step.
#[derive(Serialize, Deserialize)]
pub(super) struct OrderForm {
    slot: Option<u16>,
    price: i64,
    currency: String,
    payment: String,
}

impl OrderForm {
    pub(super) fn of(slot: Option<Slot>, price: Minor, currency: Currency, payment: Payment) -> Self {
        Self {
            slot: slot.map(|slot| slot.0),
            price: price.0,
            currency: currency.to_string(),
            payment: payment.as_str().to_owned(),
        }
    }

    pub(super) fn terms(&self) -> Option<(Option<Slot>, Minor, Currency, Payment)> {
        let (currency, payment) = (Currency::parse(&self.currency)?, Payment::parse(&self.payment)?);
        Some((self.slot.map(Slot), Minor(self.price), currency, payment))
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct SessionForm {
    #[serde(with = "as_text")]
    pub(super) session: Uuid,
    #[serde(with = "as_text")]
    pub(super) who: Uuid,
    #[serde(with = "as_text")]
    pub(super) scan: Uuid,
    pub(super) until: DeadlineForm,
}

#[derive(Serialize, Deserialize)]
pub(super) struct OpenForm {
    pub(super) order: OrderForm,
    #[serde(with = "as_text")]
    pub(super) seed: Uuid,
    pub(super) stage: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) provider: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<DeadlineForm>,
    #[serde(default)]
    pub(super) asked: u32,
}

#[derive(Serialize, Deserialize)]
pub(super) struct CurrentForm {
    pub(super) sale: String,
    pub(super) order: OrderForm,
    #[serde(with = "as_text")]
    pub(super) seed: Uuid,
    pub(super) stage: String,
    pub(super) session: bool,
    pub(super) window: DeadlineForm,
    pub(super) next: DeadlineForm,
}

#[derive(Serialize, Deserialize)]
pub(super) struct PendingForm {
    pub(super) member: String,
    #[serde(with = "as_text")]
    pub(super) scan: Uuid,
    pub(super) slot: u16,
}

/// An order of a sample.
pub(super) fn sample_order(sale: SaleId, slot: Slot, currency: Currency) -> Order {
    let (price, payment) = (Minor::ZERO, Payment::Free);
    Order { sale, slot, price, currency, payment, drop_sensor: None }
}

/// An event's id as the seed of what follows.
pub(super) const fn seed(id: Uuid) -> EventId {
    EventId(id)
}

/// A UUID in its usual text.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};
    use uuid::Uuid;

    pub(super) fn serialize<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Uuid::parse_str(&text).map_err(serde::de::Error::custom)
    }
}
