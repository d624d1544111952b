//! What the dialects of vending machines have in common: what is asked of one, what one says.
//!
//! The dialects are [`super::vmc`], [`super::mdb`] and [`super::zdm8`]. Each is a [`Machine`](crate::wire::Machine)
//! over [`VendAction`] and [`Heard`], so that one driver serves them all.
//!
//! What is absent: money decisions, stock, sales. A machine says what the wire says, and where the wire does not say
//! whether a product fell it says exactly that ([`Ended::Indeterminate`]).
//!
//! Invariants of every dialect: one [`Dispensed`] for each [`Dispense`]; the motor is asked to turn at most once for
//! each, whatever is repeated on the line, and not before [`Heard::Driving`] is on disk; `Done` only on the machine's
//! own word.

mod board;
mod fuzz;
mod unclaimed;

pub(crate) use board::Board;
pub(crate) use fuzz::drive;
#[cfg(test)]
pub(crate) use fuzz::{corpus, long_run};
pub(crate) use unclaimed::Unclaimed;

use std::time::Instant;

use crate::types::{CashKind, CommandId, Ended, MachineStatus, Outcome, Reason, Stock};

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
    /// Let the machine give out what the shopper has chosen at it, if it is this.
    Approve(Dispense),
    /// Tell the machine that its jams have been cleared.
    ClearJam {
        /// The command this carries out.
        command: CommandId,
    },
    /// Tell the machine how many products are in a lane.
    WriteStock {
        /// The command this carries out.
        command: CommandId,
        /// The lane.
        slot: u16,
        /// How many.
        count: u16,
    },
    /// Take a price by the card reader that the machine is.
    Charge {
        /// The command this carries out.
        command: CommandId,
        /// The item number that the reader is told.
        slot: u16,
        /// In the currency's smallest unit.
        price_minor: u32,
    },
    /// Keep what was charged, or give it back.
    EndCharge {
        /// The command this carries out.
        command: CommandId,
        /// Whether the product fell.
        dispensed: bool,
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
            | Self::Approve(Dispense { command, .. })
            | Self::Recover { command, .. }
            | Self::ClearJam { command }
            | Self::WriteStock { command, .. }
            | Self::Charge { command, .. }
            | Self::EndCharge { command, .. }
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

impl Dispense {
    /// How it ended, without a drop sensor's word.
    pub(crate) fn end(&self, ended: Ended) -> Dispensed {
        Dispensed { command: self.command.clone(), slot: self.slot, ended, dropped: None, rule: None }
    }

    pub(crate) fn refused(&self, why: &str) -> Dispensed {
        self.end(Ended::Refused(Reason::new(why)))
    }
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

/// What a vending machine says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Of a dispense that this carries out: the next thing that the machine is told makes it move, and it is told when
    /// this is on disk ([`Machine::stored`](crate::wire::Machine::stored)). Without it nothing has moved.
    Driving(CommandId),
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
    Stock(Stock),
    /// About money that the machine took or gave by itself. Nothing of it is credit of ours.
    Cash {
        /// How.
        kind: CashKind,
        /// In the currency's smallest unit.
        amount_minor: u32,
    },
    /// About the machine: all that it has said so far, whenever something of it changes.
    Machine(Box<MachineStatus>),
    /// The shopper pressed a lane's button; `None`: took it back. The machine wants nothing of us.
    Selection(Option<u16>),
    /// The shopper has chosen at a machine whose card reader we are: it waits for [`VendAction::Approve`] or
    /// [`VendAction::Decline`].
    Chosen {
        /// The item number.
        slot: u16,
        /// Its price there, in the currency's smallest unit.
        price_minor: u32,
    },
    /// The choice is off: nobody answered it in time, or the machine took it back.
    ChoiceGone,
}
