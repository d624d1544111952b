//! Command bytes, menu points and what the status codes mean.

pub(crate) const CHECK_SLOT: u8 = 0x01;
pub(crate) const SLOT_STATE: u8 = 0x02;
pub(crate) const BUY: u8 = 0x03;
pub(crate) const DISPENSING: u8 = 0x04;
pub(crate) const SELECT: u8 = 0x05;
pub(crate) const DRIVE: u8 = 0x06;
pub(crate) const SLOT_REPORT: u8 = 0x11;
pub(crate) const PRICE: u8 = 0x12;
pub(crate) const STOCK: u8 = 0x13;
pub(crate) const CAPACITY: u8 = 0x14;
pub(crate) const PRODUCT: u8 = 0x15;
pub(crate) const POLL_INTERVAL: u8 = 0x16;
pub(crate) const FULL_LOAD: u8 = 0x17;
pub(crate) const MONEY: u8 = 0x21;
pub(crate) const CREDIT: u8 = 0x23;
pub(crate) const POS_TEXT: u8 = 0x24;
pub(crate) const TAKE_CHANGE: u8 = 0x25;
pub(crate) const GIVE_CHANGE: u8 = 0x26;
pub(crate) const MONEY_FROM_UPPER: u8 = 0x27;
pub(crate) const SYNC: u8 = 0x31;
pub(crate) const FIRMWARE: u8 = 0x32;
pub(crate) const POLL: u8 = 0x41;
pub(crate) const ACK: u8 = 0x42;
pub(crate) const ASK_STATUS: u8 = 0x51;
pub(crate) const STATUS: u8 = 0x52;
pub(crate) const ASK_LIFT: u8 = 0x53;
pub(crate) const LIFT: u8 = 0x54;
pub(crate) const ASK_BALANCE: u8 = 0x61;
pub(crate) const BALANCE: u8 = 0x62;
pub(crate) const DEDUCT: u8 = 0x64;
pub(crate) const FULL_LOAD_KEY: u8 = 0x68;
pub(crate) const MENU: u8 = 0x70;
pub(crate) const MENU_ANSWER: u8 = 0x71;
pub(crate) const DOORS: u8 = 0x81;
pub(crate) const WEIGHTS: u8 = 0x83;
pub(crate) const UNLOCK: u8 = 0x84;
pub(crate) const UNLOCK_RESULT: u8 = 0x85;
/// Commands that the documents name without their form, or in forms that differ between the versions.
pub(crate) const OPAQUE: &[u8] = &[0x22, 0x28, 0x29, 0x63, 0x65, 0x66, 0x67, 0x80, 0x82, 0x86, 0x87];

/// Whether the documents name the command.
pub(crate) fn is_known(command: u8) -> bool {
    matches!(
        command,
        CHECK_SLOT..=DRIVE
            | SLOT_REPORT..=FULL_LOAD
            | MONEY
            | CREDIT..=MONEY_FROM_UPPER
            | SYNC
            | FIRMWARE
            | POLL
            | ACK
            | ASK_STATUS..=LIFT
            | ASK_BALANCE
            | BALANCE
            | DEDUCT
            | FULL_LOAD_KEY
            | MENU
            | MENU_ANSWER
            | DOORS
            | WEIGHTS..=UNLOCK_RESULT
    ) || OPAQUE.contains(&command)
}

/// Menu number of the jam query and clearing (V3.0, 4.5.32).
pub const MENU_JAM: u8 = 0x32;
/// Menu operation: ask.
pub const MENU_READ: u8 = 0x00;
/// Menu operation: set, or do.
pub const MENU_WRITE: u8 = 0x01;
/// Slot status 02 of a lane that may be sold from.
pub const SLOT_READY: u8 = 0x01;

/// Status of 04 whose lane is the seconds left.
pub const SECONDS_LEFT: u8 = 0x23;
/// Status of 04: the motor is stuck.
pub const JAM: u8 = 0x03;

/// What a status of 04 means (V3.2.11, page 9: results are printed in blue, progress in black).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DispenseWord {
    /// 02, and only that: the product is out.
    Good,
    /// The product is not out; its price goes back.
    Bad(&'static str),
    /// It goes on. Codes that the documents print as progress and word as ends (21, 24, FF) are here too, and so is
    /// every code that they do not know: what follows decides, and silence decides nothing.
    Progress,
}

/// Sorts a status of 04. The codes are hexadecimal as printed.
pub const fn dispense_word(status: u8) -> DispenseWord {
    match status {
        0x02 => DispenseWord::Good,
        0x03 => DispenseWord::Bad("jam"),
        0x04 => DispenseWord::Bad("motor-not-stopped"),
        0x06 => DispenseWord::Bad("no-motor"),
        0x07 => DispenseWord::Bad("lift-fault"),
        0x0a => DispenseWord::Bad("drop-sensor-self-test"),
        0x12 => DispenseWord::Bad("lift-ascent"),
        0x13 => DispenseWord::Bad("lift-descent"),
        0x15 | 0x17 => DispenseWord::Bad("door-fault"),
        0x20 | 0x25 | 0x27..=0x29 | 0x30..=0x32 => DispenseWord::Bad("machine-fault"),
        _ => DispenseWord::Progress,
    }
}

/// Why a lane may not be sold from (status of 02).
pub const fn slot_refusal(status: u8) -> &'static str {
    match status {
        0x02 => "sold-out",
        0x03 => "no-such-slot",
        0x04 => "slot-paused",
        0x05 => "product-in-lift",
        0x06 => "door-open",
        0x07 => "lift-fault",
        0x08 => "lift-self-test",
        0x09..=0x23 => "machine-fault",
        _ => "slot-not-ready",
    }
}
