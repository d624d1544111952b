//! Frames ↔ meaning: every command of the manufacturer's documents V3.0, V3.2.11 and V3.2.131.
//!
//! Numbers of more than one byte are big-endian. Where the documents and captured frames disagree about a length, both
//! are read, and [`Decoded::odd`] says that it was not the documents' form.

use super::code;
use super::codec::{Text, read, write};
use super::frame::Frame;

/// What a frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// 41: the machine asks whether there is something for it.
    Poll,
    /// 42: the last frame has been understood.
    Ack,
    /// 01: may this lane be sold from?
    CheckSlot {
        /// The lane.
        slot: u16,
    },
    /// 02: the answer.
    SlotState {
        /// 01 ready; the rest says why not.
        status: u8,
        /// The lane.
        slot: u16,
    },
    /// 03: sell from this lane against the machine's own credit.
    Buy {
        /// The lane.
        slot: u16,
    },
    /// 04: how a dispense goes, or went.
    Dispensing {
        /// What became of the order: its status byte (1 dispensing, 2 success).
        status: u8,
        /// The lane; with status 23 the seconds left.
        slot: u16,
        /// The microwave's number, of machines that have one.
        microwave: Option<u8>,
    },
    /// 05: a lane is chosen; 0 takes the choice back.
    Select {
        /// The lane.
        slot: u16,
    },
    /// 06: turn the motor.
    Drive {
        /// Whether to watch the product fall.
        drop_sensor: bool,
        /// Whether to use the lift.
        lift: bool,
        /// The lane.
        slot: u16,
    },
    /// 11: all about one lane.
    SlotReport {
        /// The lane.
        slot: u16,
        /// In the currency's smallest unit.
        price: u32,
        /// Products in it.
        stock: u8,
        /// Products that fit into it.
        capacity: u8,
        /// The product's number.
        product: u16,
        /// 0 well, 1 out of order; 3 was seen in the field.
        status: u8,
    },
    /// 12: a lane's price; lane 1000 + n is tray n, lane 0 all.
    Price {
        /// The lane.
        slot: u16,
        /// In the currency's smallest unit.
        price: u32,
    },
    /// 13: how many products are in a lane.
    Stock {
        /// The lane.
        slot: u16,
        /// How many.
        count: u8,
    },
    /// 14: how many fit into a lane.
    Capacity {
        /// The lane.
        slot: u16,
        /// How many.
        count: u8,
    },
    /// 15: which product is in a lane.
    Product {
        /// The lane.
        slot: u16,
        /// Its number.
        product: u16,
    },
    /// 16: how often the machine shall poll.
    PollInterval {
        /// In tenths of a second, at most 20.
        tenths_s: u8,
    },
    /// 17 and 68: somebody at the machine says that every lane has been filled.
    FullLoad {
        /// Which of the two.
        command: u8,
    },
    /// 21: money has come in.
    Money {
        /// 1 bill, 2 coin, 3 IC card, 4 bank, 5 WeChat, 6 Alipay, 7 JD, 8 swallowed, 9 UnionPay.
        mode: u8,
        /// In the currency's smallest unit.
        amount: u32,
        /// The card's number or what else follows. Never shown.
        card: Hidden,
    },
    /// 23: the shopper's credit in the machine.
    Credit {
        /// In the currency's smallest unit.
        amount: u32,
    },
    /// 24: a text for, or of, a payment terminal. Never shown.
    PosText(Hidden),
    /// 25: give the change out.
    TakeChange {
        /// What follows the number.
        text: Vec<u8>,
    },
    /// 26: so much change has been given out.
    GiveChange {
        /// In the currency's smallest unit.
        amount: u32,
    },
    /// 27: money that the gateway has taken.
    MoneyFromUpper {
        /// As with 21.
        mode: u8,
        /// In the currency's smallest unit.
        amount: u32,
        /// The card's number or what else follows. Never shown.
        card: Hidden,
    },
    /// 31: both sides say it at their start; the machine then reports all lanes.
    Sync,
    /// 32: the machine's firmware.
    Firmware {
        /// Printable ASCII; other bytes are left out.
        name: String,
    },
    /// 51: how are you?
    AskStatus,
    /// 52: the answer.
    Status(Status),
    /// 53: how is the lift?
    AskLift,
    /// 54: 00 well, 01 product in it, 02 door open, 03 fault, 04 self-test.
    Lift {
        /// The code.
        status: u8,
    },
    /// 61: what is on the card?
    AskBalance,
    /// 62: the answer.
    Balance {
        /// In the currency's smallest unit.
        amount: u32,
    },
    /// 64: take so much from the card; 0 takes the wish back.
    Deduct {
        /// In the currency's smallest unit.
        amount: u32,
    },
    /// 70 and, as answer, 71: the machine's menu.
    Menu {
        /// 70 or 71.
        answer: bool,
        /// Number of the menu point.
        point: u8,
        /// 00 read, 01 write, or the point's own.
        operation: u8,
        /// What follows.
        text: Vec<u8>,
    },
    /// 83: what lies in one lane of a gravity cabinet.
    Weight {
        /// The lane.
        slot: u16,
        /// The scale's state.
        status: u8,
        /// In grams.
        weight_g: u16,
    },
    /// 81: the doors of a gravity cabinet.
    Doors {
        /// Of each: 0 locked, 1 not locked, 2 not opened.
        states: Vec<u8>,
    },
    /// 84: unlock the door of a gravity cabinet.
    Unlock {
        /// How long it stays unlocked, 5 to 250 seconds.
        timeout_s: u8,
    },
    /// 85: what became of it.
    UnlockResult {
        /// 0 or 1, as the machine says it.
        result: u8,
        /// What follows.
        text: Vec<u8>,
    },
    /// A command that the documents name but whose form is not known well enough to be read.
    Opaque {
        /// The command.
        command: u8,
        /// What follows the number.
        text: Hidden,
    },
    /// A command that the documents do not name.
    Unknown {
        /// The command.
        command: u8,
        /// What follows the number.
        text: Hidden,
    },
}

/// Bytes that may hold a card's number: they do not show.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(pub(crate) Vec<u8>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// 52: how the machine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Bill acceptor; 0 is well.
    pub bill: u8,
    /// Coin changer; 0 is well.
    pub coin: u8,
    /// Card reader; 0 is well.
    pub card: u8,
    /// Temperature control; 0 is well or off.
    pub temperature_control: u8,
    /// Set or measured, in degrees Celsius; `None`: not read.
    pub temperature_c: Option<i8>,
    /// 0: closed.
    pub door: u8,
    /// Change in bills, in the currency's smallest unit.
    pub bill_change: u32,
    /// Change in coins, in the currency's smallest unit.
    pub coin_change: u32,
    /// Its name, ten bytes.
    pub id: [u8; 10],
    /// Of up to eight cabinets, in degrees Celsius; `None`: not read.
    pub cabinets_c: [Option<i8>; 8],
    /// Of up to eight cabinets, in percent; machines in the field leave it out.
    pub humidity_percent: Option<[Option<u8>; 8]>,
}

/// A frame that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// What it says.
    pub message: Message,
    /// Whether its length is not the one that the documents print.
    pub odd: bool,
}

/// A frame whose text is shorter than its command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text of command {command:02x} is too short: {length} bytes")]
pub struct TooShort {
    /// The command.
    pub command: u8,
    /// Bytes after the number.
    pub length: usize,
}

impl Message {
    /// Reads a frame.
    pub fn decode(frame: &Frame) -> Result<Decoded, TooShort> {
        let mut text = Text { left: &frame.text, short: false };
        let message = read(frame.command, &mut text);
        if text.short {
            return Err(TooShort { command: frame.command, length: frame.text.len() });
        }
        let numbered = frame.pack.is_some() || matches!(message, Message::Poll | Message::Ack);
        let odd = !text.left.is_empty() || !numbered || documents_differ(&message, frame.text.len());
        Ok(Decoded { message, odd })
    }

    /// The frame that says it, in the form that machines in the field use.
    pub fn frame(&self, pack: u8) -> Frame {
        let pack = (!matches!(self, Self::Poll | Self::Ack)).then_some(pack);
        Frame { command: self.command(), pack, text: write(self) }
    }

    /// Its command byte.
    pub fn command(&self) -> u8 {
        match self {
            Self::Poll => code::POLL,
            Self::Ack => code::ACK,
            Self::CheckSlot { .. } => code::CHECK_SLOT,
            Self::SlotState { .. } => code::SLOT_STATE,
            Self::Buy { .. } => code::BUY,
            Self::Dispensing { .. } => code::DISPENSING,
            Self::Select { .. } => code::SELECT,
            Self::Drive { .. } => code::DRIVE,
            Self::SlotReport { .. } => code::SLOT_REPORT,
            Self::Price { .. } => code::PRICE,
            Self::Stock { .. } => code::STOCK,
            Self::Capacity { .. } => code::CAPACITY,
            Self::Product { .. } => code::PRODUCT,
            Self::PollInterval { .. } => code::POLL_INTERVAL,
            Self::Money { .. } => code::MONEY,
            Self::Credit { .. } => code::CREDIT,
            Self::PosText(_) => code::POS_TEXT,
            Self::TakeChange { .. } => code::TAKE_CHANGE,
            Self::GiveChange { .. } => code::GIVE_CHANGE,
            Self::MoneyFromUpper { .. } => code::MONEY_FROM_UPPER,
            Self::Sync => code::SYNC,
            Self::Firmware { .. } => code::FIRMWARE,
            Self::AskStatus => code::ASK_STATUS,
            Self::Status(_) => code::STATUS,
            Self::AskLift => code::ASK_LIFT,
            Self::Lift { .. } => code::LIFT,
            Self::AskBalance => code::ASK_BALANCE,
            Self::Balance { .. } => code::BALANCE,
            Self::Deduct { .. } => code::DEDUCT,
            Self::Menu { answer: false, .. } => code::MENU,
            Self::Menu { answer: true, .. } => code::MENU_ANSWER,
            Self::Weight { .. } => code::WEIGHTS,
            Self::Doors { .. } => code::DOORS,
            Self::Unlock { .. } => code::UNLOCK,
            Self::UnlockResult { .. } => code::UNLOCK_RESULT,
            Self::FullLoad { command } | Self::Opaque { command, .. } | Self::Unknown { command, .. } => *command,
        }
    }
}

/// 04 has five bytes in the Chinese documents and three in the English ones, four on every captured machine; 52 has
/// humidity in the documents and none in captured frames; 01 is padded by one application. Money comes in nine modes.
fn documents_differ(message: &Message, text: usize) -> bool {
    match message {
        Message::Dispensing { .. } => text != 3,
        Message::Status(status) => status.humidity_percent.is_some(),
        Message::Money { mode, .. } => !(1..=9).contains(mode),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
