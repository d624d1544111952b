//! What the dialects of vending machines have in common: what is asked of one, what one says.
//!
//! The dialects are [`super::vmc`], [`super::mdb`] and [`super::zdm8`]. Each is a [`Machine`](crate::wire::Machine)
//! over [`VendAction`] and [`Heard`], so that one driver serves them all.
//!
//! What is absent: money decisions, stock, sales. A machine says what the wire says, and where the wire does not say
//! whether a product fell it says exactly that ([`Ended::Indeterminate`]).
//!
//! Invariants of every dialect: one [`Dispensed`] for each [`Dispense`]; the motor is asked to turn at most once for
//! each, whatever is repeated on the line; `Done` only on the machine's own word.

mod board;
mod fuzz;

pub(crate) use board::Board;
pub(crate) use fuzz::drive;
#[cfg(test)]
pub(crate) use fuzz::{corpus, long_run};

use std::time::Instant;

use crate::types::{CommandId, Ended, Outcome};

/// What can be asked of a vending machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VendAction {
    /// Let one product fall.
    Dispense(Dispense),
    /// Find out how a dispense ended that was begun by an earlier process: nothing is moved, the machine is asked
    /// where it can say, and listened to where it cannot.
    Recover {
        /// The command it was begun for.
        command: CommandId,
        /// Its lane.
        slot: u16,
    },
    /// Tell the machine that its jams have been cleared.
    ClearJam {
        /// The command this carries out.
        command: CommandId,
    },
    /// Refuse what the shopper chose at the machine.
    Decline {
        /// The command this carries out.
        command: CommandId,
    },
}

impl VendAction {
    /// The command it carries out.
    pub const fn command(&self) -> &CommandId {
        match self {
            Self::Dispense(Dispense { command, .. })
            | Self::Recover { command, .. }
            | Self::ClearJam { command }
            | Self::Decline { command } => command,
        }
    }
}

/// One product to fall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispense {
    /// The command it carries out.
    pub command: CommandId,
    /// The lane; of an MDB machine the item number.
    pub slot: u16,
    /// What was paid for it, in the currency's smallest unit. Only MDB machines are told.
    pub price_minor: u32,
    /// Whether the machine shall watch the product fall.
    pub drop_sensor: bool,
    /// The motor must not be started later than this.
    pub until: Instant,
}

/// How one dispense ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispensed {
    /// The command it was for.
    pub command: CommandId,
    /// The lane.
    pub slot: u16,
    /// `Done`: the product is out. `Failed`: the machine says it is not. `Refused`, `Expired`: nothing was moved.
    /// `Indeterminate`: nobody can know.
    pub ended: Ended,
    /// What the drop sensor saw; `None`: it was not asked or did not say.
    pub dropped: Option<bool>,
    /// A rule that decided instead of the machine's own word, such as `mdb-reset`.
    pub rule: Option<&'static str>,
}

/// A machine's word on one of its lanes. What it does not say is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// Its number.
    pub slot: u16,
    /// Its price, in the currency's smallest unit.
    pub price_minor: Option<u32>,
    /// Products in it.
    pub stock: Option<u16>,
    /// Products that fit into it.
    pub capacity: Option<u16>,
    /// The machine's number of the product.
    pub product: Option<u16>,
    /// The machine's own code of the lane's state. 0: well, 1: out of order; others are seen in the field.
    pub status: Option<u8>,
}

/// Money the machine reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    /// How it came.
    pub kind: MoneyKind,
    /// In the currency's smallest unit.
    pub amount_minor: u32,
    /// Whether the shopper may spend it: money that was swallowed is none of the shopper's.
    pub credited: bool,
}

/// How money came into the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoneyKind {
    /// A bill.
    Bill,
    /// A coin.
    Coin,
    /// A card of the machine's own.
    Card,
    /// A bank's or wallet's payment at the machine.
    Cashless,
    /// Kept after a failed sale or a time-out: not to be spent any more.
    Swallowed,
    /// A code that the documents do not know: counted as no credit.
    Unknown,
}

/// A machine's word on itself. What it does not say is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MachineReport {
    /// Whether its door is open.
    pub door_open: Option<bool>,
    /// Inside, in degrees Celsius.
    pub temperature_c: Option<i8>,
    /// Inside, relative, in percent.
    pub humidity_percent: Option<u8>,
    /// Change in bills, in the currency's smallest unit.
    pub bill_change_minor: Option<u32>,
    /// Change in coins, in the currency's smallest unit.
    pub coin_change_minor: Option<u32>,
    /// What is wrong with it, in short words; `None`: it did not say, which is not the same as well.
    pub fault: Option<&'static str>,
}

/// What a vending machine says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A dispense has ended, once for each.
    Dispensed(Dispensed),
    /// The result of a dispense that had been given up as indeterminate: the truth came late.
    Late(Dispensed),
    /// A result that belongs to nothing that was asked here: the machine sold by itself, or for an earlier process.
    Unasked {
        /// The lane, where the machine says it.
        slot: Option<u16>,
        /// `Done` or `Failed`.
        ended: Ended,
    },
    /// Another action has ended.
    Ended(Outcome),
    /// About a lane.
    Lane(Lane),
    /// About money.
    Money(Money),
    /// About the machine.
    Report(MachineReport),
    /// The shopper has chosen at the machine, which waits for a dispense of that lane or a refusal.
    Chosen {
        /// The lane or item number.
        slot: u16,
        /// Its price there, in the currency's smallest unit, where the machine says it.
        price_minor: Option<u32>,
    },
}
