//! What sales and machines say and what shoppers were given, field by field.

use schemars::JsonSchema;
use serde::Serialize;

use super::payload::Data;
use crate::types::{
    Cash, CashKind, LaneStatus, MachineStatus, PartState, Payment, Reason, SaleStep, SampleRuling, Selection, Step,
    Stock, StockSource,
};

/// `vend.sale.v1`: a step of a sale.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct VendSaleV1<'a> {
    /// Which sale; the key of everything about its money.
    sale: &'a str,
    /// How far it has come.
    #[schemars(extend("enum" = Step::ALL.map(Step::as_str)))]
    step: &'static str,
    /// The lane, by the machine's own number; null when it is not known.
    #[schemars(required, extend("type" = ["integer", "null"]))]
    slot: Option<u16>,
    /// The price in minor units.
    price_minor: i64,
    /// ISO 4217; `XXX`: nobody said one.
    currency: &'a str,
    /// How it is paid.
    #[schemars(extend("enum" = Payment::ALL.map(Payment::as_str)))]
    payment: &'static str,
    /// What the drop sensor says; null: nobody knows.
    #[schemars(required, extend("type" = ["boolean", "null"]))]
    dropped: Option<bool>,
    /// Why, in a machine's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// What the payment provider calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_ref: Option<&'a str>,
    /// Who decided it, when a person did.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
}

impl<'a> From<&'a SaleStep> for VendSaleV1<'a> {
    fn from(of: &'a SaleStep) -> Self {
        let SaleStep { sale, step, slot, price, currency, payment, dropped, reason, provider_ref, by } = of;
        Self {
            sale: sale.as_str(),
            step: step.as_str(),
            slot: slot.map(|slot| slot.0),
            price_minor: price.0,
            currency: currency.as_str(),
            payment: payment.as_str(),
            dropped: *dropped,
            reason: reason.as_ref().map(Reason::as_str),
            provider_ref: provider_ref.as_deref(),
            by: by.as_deref(),
        }
    }
}

/// `vend.stock.v1`: one lane of a machine, when something about it changed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct VendStockV1 {
    /// The lane.
    slot: u16,
    /// How many are in it; null: not known.
    #[schemars(required, extend("type" = ["integer", "null"]))]
    count: Option<u16>,
    /// How many it can hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<u16>,
    /// What it costs, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    price_minor: Option<i64>,
    /// Whether it can be sold from.
    #[schemars(extend("enum" = LaneStatus::ALL.map(LaneStatus::as_str)))]
    status: &'static str,
    /// Who says so.
    #[schemars(extend("enum" = StockSource::ALL.map(StockSource::as_str)))]
    source: &'static str,
}

impl From<&Stock> for VendStockV1 {
    fn from(of: &Stock) -> Self {
        let Stock { slot, count, capacity, price, status, source } = of;
        Self {
            slot: slot.0,
            count: *count,
            capacity: *capacity,
            price_minor: price.map(|price| price.0),
            status: status.as_str(),
            source: source.as_str(),
        }
    }
}

/// What one cabinet's sensors say.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ClimateV1 {
    /// Tenths of a degree Celsius.
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature_dc: Option<i16>,
    /// Tenths of a percent of relative humidity.
    #[serde(skip_serializing_if = "Option::is_none")]
    humidity_dpct: Option<u16>,
}

/// One part of a machine.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PartV1 {
    /// Whether it works.
    #[schemars(extend("enum" = ["works", "absent", "fault"]))]
    state: &'static str,
    /// The machine's own number of the fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<u16>,
}

impl From<PartState> for PartV1 {
    fn from(state: PartState) -> Self {
        match state {
            PartState::Works => Self { state: "works", fault: None },
            PartState::Absent => Self { state: "absent", fault: None },
            PartState::Fault(number) => Self { state: "fault", fault: Some(number) },
        }
    }
}

/// `vend.machine.v1`: what a machine says of itself. What its protocol cannot say is left out.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct VendMachineV1<'a> {
    /// Cabinets, the machine's own first; none when it does not say.
    climate: Vec<ClimateV1>,
    /// Whether the door is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    door_open: Option<bool>,
    /// The bill acceptor.
    #[serde(skip_serializing_if = "Option::is_none")]
    bills: Option<PartV1>,
    /// The coin changer.
    #[serde(skip_serializing_if = "Option::is_none")]
    coins: Option<PartV1>,
    /// The card reader.
    #[serde(skip_serializing_if = "Option::is_none")]
    cards: Option<PartV1>,
    /// The temperature control.
    #[serde(skip_serializing_if = "Option::is_none")]
    cooling: Option<PartV1>,
    /// The lift.
    #[serde(skip_serializing_if = "Option::is_none")]
    lift: Option<PartV1>,
    /// The board that turns the motors.
    #[serde(skip_serializing_if = "Option::is_none")]
    board: Option<PartV1>,
    /// Change in bills, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    bill_change_minor: Option<i64>,
    /// Change in coins, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    coin_change_minor: Option<i64>,
    /// The machine's own number.
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<&'a str>,
    /// Its firmware's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    firmware: Option<&'a str>,
}

impl<'a> From<&'a MachineStatus> for VendMachineV1<'a> {
    fn from(of: &'a MachineStatus) -> Self {
        let climate = of.climate.iter();
        Self {
            climate: climate
                .map(|one| ClimateV1 { temperature_dc: one.temperature_dc, humidity_dpct: one.humidity_dpct })
                .collect(),
            door_open: of.door_open,
            bills: of.bills.map(Into::into),
            coins: of.coins.map(Into::into),
            cards: of.cards.map(Into::into),
            cooling: of.cooling.map(Into::into),
            lift: of.lift.map(Into::into),
            board: of.board.map(Into::into),
            bill_change_minor: of.bill_change.map(|change| change.0),
            coin_change_minor: of.coin_change.map(|change| change.0),
            serial: of.serial.as_deref(),
            firmware: of.firmware.as_deref(),
        }
    }
}

/// `vend.selection.v1`: a shopper chose a lane at a machine.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct VendSelectionV1 {
    /// The lane; null: the choice was taken back.
    #[schemars(required, extend("type" = ["integer", "null"]))]
    slot: Option<u16>,
}

impl From<&Selection> for VendSelectionV1 {
    fn from(of: &Selection) -> Self {
        Self { slot: of.slot.map(|slot| slot.0) }
    }
}

/// `vend.cash.v1`: a machine took or gave money by its own account.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct VendCashV1<'a> {
    /// How.
    #[schemars(extend("enum" = CashKind::ALL.map(CashKind::as_str)))]
    kind: &'static str,
    /// How much, in minor units.
    amount_minor: i64,
    /// ISO 4217.
    currency: &'a str,
}

impl<'a> From<&'a Cash> for VendCashV1<'a> {
    fn from(of: &'a Cash) -> Self {
        let Cash { kind, amount, currency } = of;
        Self { kind: kind.as_str(), amount_minor: amount.0, currency: currency.as_str() }
    }
}

/// `sample.dispensed.v1`: a member was given a free sample.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SampleDispensedV1<'a> {
    /// The campaign.
    campaign: &'a str,
    /// The member's code, as it was scanned.
    member: &'a str,
    /// The sale of the sample.
    #[schemars(required, extend("type" = ["string", "null"]))]
    sale: Option<&'a str>,
    /// The lane.
    #[schemars(required, extend("type" = ["integer", "null"]))]
    slot: Option<u16>,
}

/// `sample.refused.v1`: a member was given none.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SampleRefusedV1<'a> {
    /// The campaign.
    campaign: &'a str,
    /// The member's code, as it was scanned.
    member: &'a str,
    /// Why.
    reason: &'a str,
    /// The sale of the sample, when one was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    sale: Option<&'a str>,
}

/// The contract's word for what became of a wish for a sample, and what it carries.
pub(super) fn sample(ruling: &SampleRuling) -> (&'static str, Data<'_>) {
    let SampleRuling { campaign, member, sale, slot, refused } = ruling;
    let sale = sale.as_ref().map(crate::types::SaleId::as_str);
    match refused {
        Some(reason) => {
            let data = SampleRefusedV1 { campaign, member, reason: reason.as_str(), sale };
            ("sample.refused.v1", Data::SampleRefused(data))
        }
        None => {
            let slot = slot.map(|slot| slot.0);
            ("sample.dispensed.v1", Data::SampleDispensed(SampleDispensedV1 { campaign, member, sale, slot }))
        }
    }
}
