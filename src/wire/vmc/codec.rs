//! The texts of the messages, read and written.

use super::code;
use super::message::{Hidden, Message, Status};

/// A temperature that was not read.
const NOT_READ: u8 = 0xaa;

/// What is left of a text; reading beyond its end gives zeros and is remembered.
pub(super) struct Text<'a> {
    pub(super) left: &'a [u8],
    pub(super) short: bool,
}

impl Text<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        match self.left.split_first_chunk() {
            Some((bytes, left)) => {
                self.left = left;
                *bytes
            }
            None => {
                self.short = true;
                [0; N]
            }
        }
    }

    fn byte(&mut self) -> u8 {
        let [byte] = self.bytes();
        byte
    }

    fn word(&mut self) -> u16 {
        u16::from_be_bytes(self.bytes())
    }

    fn long(&mut self) -> u32 {
        u32::from_be_bytes(self.bytes())
    }

    fn flag(&mut self) -> bool {
        self.byte() != 0
    }

    fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.left).to_vec()
    }
}

pub(super) fn read(command: u8, text: &mut Text<'_>) -> Message {
    match command {
        code::POLL => Message::Poll,
        code::ACK => Message::Ack,
        code::CHECK_SLOT => Message::CheckSlot { slot: text.word() },
        code::SLOT_STATE => Message::SlotState { status: text.byte(), slot: text.word() },
        code::BUY => Message::Buy { slot: text.word() },
        code::DISPENSING => read_dispensing(text),
        code::SELECT => Message::Select { slot: text.word() },
        code::DRIVE => Message::Drive { drop_sensor: text.flag(), lift: text.flag(), slot: text.word() },
        code::SLOT_REPORT..=code::FULL_LOAD | code::FULL_LOAD_KEY => read_lane(command, text),
        code::MONEY..=code::MONEY_FROM_UPPER | code::ASK_BALANCE..=code::DEDUCT => read_money(command, text),
        code::SYNC => Message::Sync,
        code::FIRMWARE => Message::Firmware { name: read_name(&text.rest()) },
        code::ASK_STATUS => Message::AskStatus,
        code::STATUS => Message::Status(read_status(text)),
        code::ASK_LIFT => Message::AskLift,
        code::LIFT => Message::Lift { status: text.byte() },
        code::MENU..=code::MENU_ANSWER => Message::Menu {
            answer: command == code::MENU_ANSWER,
            point: text.byte(),
            operation: text.byte(),
            text: text.rest(),
        },
        code::WEIGHTS => Message::Weight { slot: text.word(), status: text.byte(), weight_g: text.word() },
        code::DOORS => Message::Doors { states: text.rest() },
        code::UNLOCK => Message::Unlock { timeout_s: text.byte() },
        code::UNLOCK_RESULT => Message::UnlockResult { result: text.byte(), text: text.rest() },
        _ if code::is_known(command) => Message::Opaque { command, text: Hidden(text.rest()) },
        _ => Message::Unknown { command, text: Hidden(text.rest()) },
    }
}

/// With a text of two bytes the lane is one byte long.
fn read_dispensing(text: &mut Text<'_>) -> Message {
    let short = text.left.len() == 2;
    let status = text.byte();
    let slot = if short { u16::from(text.byte()) } else { text.word() };
    let microwave = if text.left.is_empty() { None } else { Some(text.byte()) };
    Message::Dispensing { status, slot, microwave }
}

fn read_lane(command: u8, text: &mut Text<'_>) -> Message {
    match command {
        code::SLOT_REPORT => Message::SlotReport {
            slot: text.word(),
            price: text.long(),
            stock: text.byte(),
            capacity: text.byte(),
            product: text.word(),
            status: text.byte(),
        },
        code::PRICE => Message::Price { slot: text.word(), price: text.long() },
        code::STOCK => Message::Stock { slot: text.word(), count: text.byte() },
        code::CAPACITY => Message::Capacity { slot: text.word(), count: text.byte() },
        code::PRODUCT => Message::Product { slot: text.word(), product: text.word() },
        code::POLL_INTERVAL => Message::PollInterval { tenths_s: text.byte() },
        _ => Message::FullLoad { command },
    }
}

fn read_money(command: u8, text: &mut Text<'_>) -> Message {
    match command {
        code::MONEY => Message::Money { mode: text.byte(), amount: text.long(), card: Hidden(text.rest()) },
        code::MONEY_FROM_UPPER => {
            Message::MoneyFromUpper { mode: text.byte(), amount: text.long(), card: Hidden(text.rest()) }
        }
        code::CREDIT => Message::Credit { amount: text.long() },
        code::POS_TEXT => Message::PosText(Hidden(text.rest())),
        code::TAKE_CHANGE => Message::TakeChange { text: text.rest() },
        code::GIVE_CHANGE => Message::GiveChange { amount: text.long() },
        code::ASK_BALANCE => Message::AskBalance,
        code::BALANCE => Message::Balance { amount: text.long() },
        code::DEDUCT => Message::Deduct { amount: text.long() },
        _ => Message::Opaque { command, text: Hidden(text.rest()) },
    }
}

pub(super) fn read_name(bytes: &[u8]) -> String {
    bytes.iter().filter(|byte| byte.is_ascii_graphic() || **byte == b' ').map(|byte| char::from(*byte)).collect()
}

fn read_status(text: &mut Text<'_>) -> Status {
    Status {
        bill: text.byte(),
        coin: text.byte(),
        card: text.byte(),
        temperature_control: text.byte(),
        temperature_c: celsius(text.byte()),
        door: text.byte(),
        bill_change: text.long(),
        coin_change: text.long(),
        id: text.bytes(),
        cabinets_c: text.bytes().map(celsius),
        humidity_percent: (!text.left.is_empty()).then(|| text.bytes().map(measured)),
    }
}

fn measured(byte: u8) -> Option<u8> {
    (byte != NOT_READ).then_some(byte)
}

fn celsius(byte: u8) -> Option<i8> {
    measured(byte).map(|byte| i8::from_be_bytes([byte]))
}

pub(super) fn write(message: &Message) -> Vec<u8> {
    let mut text = Vec::new();
    match message {
        Message::Poll
        | Message::Ack
        | Message::Sync
        | Message::AskStatus
        | Message::AskLift
        | Message::AskBalance
        | Message::FullLoad { .. } => {}
        Message::CheckSlot { slot } | Message::Buy { slot } | Message::Select { slot } => {
            text.extend(slot.to_be_bytes());
        }
        Message::SlotState { status, slot } => {
            text.push(*status);
            text.extend(slot.to_be_bytes());
        }
        Message::Dispensing { status, slot, microwave } => {
            text.push(*status);
            text.extend(slot.to_be_bytes());
            text.extend(microwave);
        }
        Message::Drive { drop_sensor, lift, slot } => {
            text.extend([u8::from(*drop_sensor), u8::from(*lift)]);
            text.extend(slot.to_be_bytes());
        }
        Message::Lift { status } => text.push(*status),
        Message::PollInterval { tenths_s } => text.push(*tenths_s),
        Message::Firmware { name } => text.extend(name.bytes()),
        Message::Status(status) => write_status(&mut text, status),
        Message::Menu { point, operation, text: rest, .. } => {
            text.extend([*point, *operation]);
            text.extend(rest);
        }
        Message::Weight { slot, status, weight_g } => {
            text.extend(slot.to_be_bytes());
            text.push(*status);
            text.extend(weight_g.to_be_bytes());
        }
        Message::Unlock { timeout_s } => text.push(*timeout_s),
        Message::UnlockResult { result, text: rest } => {
            text.push(*result);
            text.extend(rest);
        }
        Message::TakeChange { text: rest } | Message::Doors { states: rest } => text.extend(rest),
        Message::Opaque { text: rest, .. } | Message::Unknown { text: rest, .. } => text.extend(&rest.0),
        lane_or_money => write_lane_or_money(&mut text, lane_or_money),
    }
    text
}

fn write_lane_or_money(text: &mut Vec<u8>, message: &Message) {
    match message {
        Message::SlotReport { slot, price, stock, capacity, product, status } => {
            text.extend(slot.to_be_bytes());
            text.extend(price.to_be_bytes());
            text.extend([*stock, *capacity]);
            text.extend(product.to_be_bytes());
            text.push(*status);
        }
        Message::Price { slot, price } => {
            text.extend(slot.to_be_bytes());
            text.extend(price.to_be_bytes());
        }
        Message::Stock { slot, count } | Message::Capacity { slot, count } => {
            text.extend(slot.to_be_bytes());
            text.push(*count);
        }
        Message::Product { slot, product } => {
            text.extend(slot.to_be_bytes());
            text.extend(product.to_be_bytes());
        }
        Message::Money { mode, amount, card } | Message::MoneyFromUpper { mode, amount, card } => {
            text.push(*mode);
            text.extend(amount.to_be_bytes());
            text.extend(&card.0);
        }
        Message::PosText(card) => text.extend(&card.0),
        Message::Credit { amount }
        | Message::GiveChange { amount }
        | Message::Balance { amount }
        | Message::Deduct { amount } => text.extend(amount.to_be_bytes()),
        _ => {}
    }
}

fn write_status(text: &mut Vec<u8>, status: &Status) {
    text.extend([status.bill, status.coin, status.card, status.temperature_control]);
    text.push(unread(status.temperature_c));
    text.push(status.door);
    text.extend(status.bill_change.to_be_bytes());
    text.extend(status.coin_change.to_be_bytes());
    text.extend(status.id);
    text.extend(status.cabinets_c.map(unread));
    if let Some(humidity) = &status.humidity_percent {
        text.extend(humidity.map(|percent| percent.unwrap_or(NOT_READ)));
    }
}

fn unread(celsius: Option<i8>) -> u8 {
    celsius.map_or(NOT_READ, |degrees| degrees.to_be_bytes()[0])
}
