//! From the dialect's messages to the words that all dialects share.

use super::code;
use super::message::{Message, Status};
use crate::wire::vend::{Heard, Lane, MachineReport, Money, MoneyKind};

/// The menu point of jams.
pub(super) fn jam_menu(operation: u8) -> Message {
    Message::Menu { answer: false, point: code::MENU_JAM, operation, text: Vec::new() }
}

/// What a message means to the house, where it means anything by itself.
pub(super) fn heard(message: &Message) -> Option<Heard> {
    let lane = |slot| Lane { slot, price_minor: None, stock: None, capacity: None, product: None, status: None };
    Some(match *message {
        Message::SlotReport { slot, price, stock, capacity, product, status } => Heard::Lane(Lane {
            slot,
            price_minor: Some(price),
            stock: Some(u16::from(stock)),
            capacity: Some(u16::from(capacity)),
            product: Some(product),
            status: Some(status),
        }),
        Message::Price { slot, price } => Heard::Lane(Lane { price_minor: Some(price), ..lane(slot) }),
        Message::Stock { slot, count } => Heard::Lane(Lane { stock: Some(u16::from(count)), ..lane(slot) }),
        Message::Capacity { slot, count } => Heard::Lane(Lane { capacity: Some(u16::from(count)), ..lane(slot) }),
        Message::Product { slot, product } => Heard::Lane(Lane { product: Some(product), ..lane(slot) }),
        Message::Money { mode, amount, .. } => {
            let kind = money_kind(mode);
            let credited = !matches!(kind, MoneyKind::Swallowed | MoneyKind::Unknown);
            Heard::Money(Money { kind, amount_minor: amount, credited })
        }
        Message::Select { slot } if slot != 0 => Heard::Chosen { slot, price_minor: None },
        Message::Status(ref status) => Heard::Report(report(status)),
        Message::Lift { status } => Heard::Report(MachineReport { fault: lift_fault(status), ..MachineReport::default() }),
        _ => return None,
    })
}

fn money_kind(mode: u8) -> MoneyKind {
    match mode {
        1 => MoneyKind::Bill,
        2 => MoneyKind::Coin,
        3 => MoneyKind::Card,
        4..=7 | 9 => MoneyKind::Cashless,
        8 => MoneyKind::Swallowed,
        _ => MoneyKind::Unknown,
    }
}

fn report(status: &Status) -> MachineReport {
    MachineReport {
        door_open: Some(status.door != 0),
        temperature_c: status.cabinets_c[0].or(status.temperature_c),
        humidity_percent: status.humidity_percent.and_then(|humidity| humidity[0]),
        bill_change_minor: Some(status.bill_change),
        coin_change_minor: Some(status.coin_change),
        fault: None,
    }
}

const fn lift_fault(status: u8) -> Option<&'static str> {
    match status {
        0 => None,
        1 => Some("product-in-lift"),
        2 => Some("lift-door-open"),
        4 => Some("lift-self-test"),
        _ => Some("lift-fault"),
    }
}
