//! The stored form of what machines and sales say, and of what shoppers were given.

use serde::{Deserialize, Serialize};

use crate::types::{
    Cash, CashKind, Climate, Currency, LaneStatus, MachineStatus, Minor, PartState, Payment, Reason, SaleId, SaleStep,
    SampleRuling, Selection, Slot, Step, Stock, StockSource,
};

#[derive(Serialize, Deserialize)]
pub(super) struct SaleForm {
    i: String,
    w: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<u16>,
    m: i64,
    c: String,
    p: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

impl From<&SaleStep> for SaleForm {
    fn from(step: &SaleStep) -> Self {
        Self {
            i: step.sale.to_string(),
            w: step.step.as_str().to_owned(),
            n: step.slot.map(|slot| slot.0),
            m: step.price.0,
            c: step.currency.to_string(),
            p: step.payment.as_str().to_owned(),
            f: step.dropped,
            r: step.reason.as_ref().map(ToString::to_string),
            x: step.provider_ref.clone(),
            y: step.by.clone(),
        }
    }
}

impl SaleForm {
    pub(super) fn read(self) -> Option<SaleStep> {
        Some(SaleStep {
            sale: SaleId::new(&self.i).ok()?,
            step: Step::parse(&self.w)?,
            slot: self.n.map(Slot),
            price: Minor(self.m),
            currency: Currency::parse(&self.c)?,
            payment: Payment::parse(&self.p)?,
            dropped: self.f,
            reason: self.r.as_deref().map(Reason::new),
            provider_ref: self.x,
            by: self.y,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StockForm {
    n: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    z: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    m: Option<i64>,
    w: String,
    o: String,
}

impl From<&Stock> for StockForm {
    fn from(stock: &Stock) -> Self {
        Self {
            n: stock.slot.0,
            k: stock.count,
            z: stock.capacity,
            m: stock.price.map(|price| price.0),
            w: stock.status.as_str().to_owned(),
            o: stock.source.as_str().to_owned(),
        }
    }
}

impl StockForm {
    pub(super) fn read(self) -> Option<Stock> {
        Some(Stock {
            slot: Slot(self.n),
            count: self.k,
            capacity: self.z,
            price: self.m.map(Minor),
            status: LaneStatus::parse(&self.w)?,
            source: StockSource::parse(&self.o)?,
        })
    }
}

/// A part's state: -2 absent, -1 works, else the fault's number.
const ABSENT: i32 = -2;
const WORKS: i32 = -1;

fn part(state: PartState) -> i32 {
    match state {
        PartState::Absent => ABSENT,
        PartState::Works => WORKS,
        PartState::Fault(number) => i32::from(number),
    }
}

/// `None` stays `None` inside; a number that cannot be is `None` outside.
#[expect(clippy::option_option, reason = "absent and unreadable are two things")]
fn read_part(state: Option<i32>) -> Option<Option<PartState>> {
    match state {
        None => Some(None),
        Some(ABSENT) => Some(Some(PartState::Absent)),
        Some(WORKS) => Some(Some(PartState::Works)),
        Some(number) => u16::try_from(number).ok().map(|number| Some(PartState::Fault(number))),
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct MachineForm {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    t: Vec<(Option<i16>, Option<u16>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    d: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    b: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    l: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    v: Option<String>,
}

impl From<&MachineStatus> for MachineForm {
    fn from(status: &MachineStatus) -> Self {
        Self {
            t: status.climate.iter().map(|one| (one.temperature_dc, one.humidity_dpct)).collect(),
            d: status.door_open,
            b: status.bills.map(part),
            c: status.coins.map(part),
            k: status.cards.map(part),
            f: status.cooling.map(part),
            l: status.lift.map(part),
            p: status.board.map(part),
            x: status.bill_change.map(|change| change.0),
            y: status.coin_change.map(|change| change.0),
            s: status.serial.clone(),
            v: status.firmware.clone(),
        }
    }
}

impl MachineForm {
    pub(super) fn read(self) -> Option<MachineStatus> {
        let climate = |(temperature_dc, humidity_dpct)| Climate { temperature_dc, humidity_dpct };
        Some(MachineStatus {
            climate: self.t.into_iter().map(climate).collect(),
            door_open: self.d,
            bills: read_part(self.b)?,
            coins: read_part(self.c)?,
            cards: read_part(self.k)?,
            cooling: read_part(self.f)?,
            lift: read_part(self.l)?,
            board: read_part(self.p)?,
            bill_change: self.x.map(Minor),
            coin_change: self.y.map(Minor),
            serial: self.s,
            firmware: self.v,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct SelectionForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<u16>,
}

impl From<&Selection> for SelectionForm {
    fn from(selection: &Selection) -> Self {
        Self { n: selection.slot.map(|slot| slot.0) }
    }
}

impl SelectionForm {
    pub(super) fn read(self) -> Selection {
        Selection { slot: self.n.map(Slot) }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct CashForm {
    k: String,
    m: i64,
    c: String,
}

impl From<&Cash> for CashForm {
    fn from(cash: &Cash) -> Self {
        Self { k: cash.kind.as_str().to_owned(), m: cash.amount.0, c: cash.currency.to_string() }
    }
}

impl CashForm {
    pub(super) fn read(self) -> Option<Cash> {
        Some(Cash { kind: CashKind::parse(&self.k)?, amount: Minor(self.m), currency: Currency::parse(&self.c)? })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct SampleForm {
    c: String,
    m: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    i: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<String>,
}

impl From<&SampleRuling> for SampleForm {
    fn from(ruling: &SampleRuling) -> Self {
        Self {
            c: ruling.campaign.clone(),
            m: ruling.member.clone(),
            i: ruling.sale.as_ref().map(ToString::to_string),
            n: ruling.slot.map(|slot| slot.0),
            r: ruling.refused.as_ref().map(ToString::to_string),
        }
    }
}

impl SampleForm {
    pub(super) fn read(self) -> Option<SampleRuling> {
        let sale = match self.i {
            None => None,
            Some(sale) => Some(SaleId::new(&sale).ok()?),
        };
        Some(SampleRuling {
            campaign: self.c,
            member: self.m,
            sale,
            slot: self.n.map(Slot),
            refused: self.r.as_deref().map(Reason::new),
        })
    }
}
