//! From the dialect's messages to the words that all dialects share.

use super::code;
use super::codec::read_name;
use super::message::{Message, Status};
use crate::types::{CashKind, Climate, LaneStatus, MachineStatus, Minor, PartState, Slot, Stock, StockSource};
use crate::wire::vend::Heard;

/// The menu point of jams.
pub(super) fn jam_menu(operation: u8) -> Message {
    Message::Menu { answer: false, point: code::MENU_JAM, operation, text: Vec::new() }
}

/// What a message means to the house, where it means anything by itself.
pub(super) fn heard(message: &Message) -> Option<Heard> {
    Some(match *message {
        Message::SlotReport { slot, price, stock, capacity, status, .. } => Heard::Stock(Stock {
            slot: Slot(slot),
            count: Some(u16::from(stock)),
            capacity: Some(u16::from(capacity)),
            price: Some(Minor(i64::from(price))),
            status: lane_status(status, stock),
            source: StockSource::Machine,
        }),
        Message::Stock { slot, count } if is_lane(slot) => {
            let status = lane_status(0, count);
            Heard::Stock(Stock { count: Some(u16::from(count)), status, ..lane(slot) })
        }
        Message::Capacity { slot, count } if is_lane(slot) => {
            Heard::Stock(Stock { capacity: Some(u16::from(count)), ..lane(slot) })
        }
        Message::Price { slot, price } if is_lane(slot) => {
            Heard::Stock(Stock { price: Some(Minor(i64::from(price))), ..lane(slot) })
        }
        Message::Money { mode, amount, .. } => Heard::Cash { kind: cash_kind(mode)?, amount_minor: amount },
        Message::GiveChange { amount } => Heard::Cash { kind: CashKind::Change, amount_minor: amount },
        Message::Select { slot } => Heard::Selection((slot != 0).then_some(slot)),
        _ => return None,
    })
}

/// What a message adds to what is known of the machine.
pub(super) fn learn(message: &Message, known: &mut MachineStatus) {
    match message {
        Message::Status(status) => learn_status(status, known),
        Message::Lift { status } => known.lift = Some(part(*status)),
        Message::Firmware { name } => known.firmware = Some(name.clone()),
        _ => {}
    }
}

fn learn_status(status: &Status, known: &mut MachineStatus) {
    known.door_open = Some(status.door != 0);
    known.bills = Some(part(status.bill));
    known.coins = Some(part(status.coin));
    known.cards = Some(part(status.card));
    known.cooling = Some(part(status.temperature_control));
    known.bill_change = Some(Minor(i64::from(status.bill_change)));
    known.coin_change = Some(Minor(i64::from(status.coin_change)));
    known.serial = Some(read_name(&status.id));
    let humidity = status.humidity_percent.unwrap_or([None; 8]);
    let cabinets = status.cabinets_c.iter().zip(humidity).map(|(celsius, percent)| Climate {
        temperature_dc: celsius.map(|degrees| i16::from(degrees) * 10),
        humidity_dpct: percent.map(|percent| u16::from(percent) * 10),
    });
    let read = cabinets.clone().rposition(|cabinet| cabinet != Climate::default()).map_or(0, |last| last + 1);
    known.climate = cabinets.take(read).collect();
}

fn part(code: u8) -> PartState {
    if code == 0 { PartState::Works } else { PartState::Fault(u16::from(code)) }
}

/// Numbers above stand for trays, and zero for all lanes.
fn is_lane(slot: u16) -> bool {
    (1..1000).contains(&slot)
}

fn lane(slot: u16) -> Stock {
    let status = LaneStatus::Open;
    Stock { slot: Slot(slot), count: None, capacity: None, price: None, status, source: StockSource::Machine }
}

/// 0 is well. Of the others only 1, out of order, is documented; 3 is what machines in the field say of lanes that
/// sell, so that it closes nothing.
fn lane_status(status: u8, stock: u8) -> LaneStatus {
    match status {
        1 => LaneStatus::Paused,
        _ if stock == 0 => LaneStatus::Empty,
        _ => LaneStatus::Open,
    }
}

fn cash_kind(mode: u8) -> Option<CashKind> {
    Some(match mode {
        1 => CashKind::Bill,
        2 => CashKind::Coin,
        3 | 4 | 9 => CashKind::Card,
        5..=7 => CashKind::Wallet,
        8 => CashKind::Swallowed,
        _ => return None,
    })
}
