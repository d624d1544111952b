//! What a vending machine says of itself: its lanes, its health, what a shopper chose, what money it took.

use super::{Currency, Minor, Slot};

/// Whether a lane can be sold from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LaneStatus {
    /// It can.
    Open,
    /// It is empty.
    Empty,
    /// Something is stuck in it.
    Jammed,
    /// The machine or a technician has taken it out of sale.
    Paused,
    /// The machine has no such lane.
    Missing,
    /// Its motor, lock, lift or sensor does not work, or its last sale is not resolved.
    Faulty,
}

impl LaneStatus {
    /// Every status.
    pub const ALL: [Self; 6] = [Self::Open, Self::Empty, Self::Jammed, Self::Paused, Self::Missing, Self::Faulty];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Empty => "empty",
            Self::Jammed => "jammed",
            Self::Paused => "paused",
            Self::Missing => "missing",
            Self::Faulty => "faulty",
        }
    }

    /// The status the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// Who says how much is in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StockSource {
    /// The machine counted, or was told at its own keypad.
    Machine,
    /// A technician, by `stock.set` or `lane.clear`.
    Technician,
    /// The ledger, after a sale.
    Sale,
}

impl StockSource {
    /// Every source.
    pub const ALL: [Self; 3] = [Self::Machine, Self::Technician, Self::Sale];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Technician => "technician",
            Self::Sale => "sale",
        }
    }

    /// The source the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == word)
    }
}

/// One lane of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// Which lane.
    pub slot: Slot,
    /// How many are in it; `None`: not known.
    pub count: Option<u16>,
    /// How many it can hold, when that is known.
    pub capacity: Option<u16>,
    /// What it costs, when the machine says it.
    pub price: Option<Minor>,
    /// Whether it can be sold from.
    pub status: LaneStatus,
    /// Who says so.
    pub source: StockSource,
}

/// One part of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartState {
    /// It works.
    Works,
    /// It is not there.
    Absent,
    /// It does not work; the number is the machine's own.
    Fault(u16),
}

/// What one cabinet's sensors say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Climate {
    /// Tenths of a degree Celsius.
    pub temperature_dc: Option<i16>,
    /// Tenths of a percent of relative humidity.
    pub humidity_dpct: Option<u16>,
}

/// What a machine says of itself. Whatever its dialect cannot say is `None` or left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MachineStatus {
    /// Cabinets, the machine's own first; at most 8.
    pub climate: Vec<Climate>,
    /// Whether the door is open.
    pub door_open: Option<bool>,
    /// The bill acceptor.
    pub bills: Option<PartState>,
    /// The coin changer.
    pub coins: Option<PartState>,
    /// The card reader.
    pub cards: Option<PartState>,
    /// The temperature control.
    pub cooling: Option<PartState>,
    /// The lift.
    pub lift: Option<PartState>,
    /// The board that turns the motors.
    pub board: Option<PartState>,
    /// Change in bills, in minor units.
    pub bill_change: Option<Minor>,
    /// Change in coins, in minor units.
    pub coin_change: Option<Minor>,
    /// The machine's own number.
    pub serial: Option<String>,
    /// Its firmware's version.
    pub firmware: Option<String>,
}

/// A shopper pressed a lane's button, or took the choice back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The lane; `None`: the choice was taken back.
    pub slot: Option<Slot>,
}

/// How money reached a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CashKind {
    /// A bill.
    Bill,
    /// A coin.
    Coin,
    /// A card of the machine's own, or a bank's.
    Card,
    /// A wallet that the machine speaks to itself.
    Wallet,
    /// Change that the machine paid out.
    Change,
    /// The machine has it and gives no credit for it.
    Swallowed,
}

impl CashKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Bill, Self::Coin, Self::Card, Self::Wallet, Self::Change, Self::Swallowed];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bill => "bill",
            Self::Coin => "coin",
            Self::Card => "card",
            Self::Wallet => "wallet",
            Self::Change => "change",
            Self::Swallowed => "swallowed",
        }
    }

    /// The kind the contract's word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Money that a machine took or gave, by its own account. Never a credit of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cash {
    /// How.
    pub kind: CashKind,
    /// How much, in minor units.
    pub amount: Minor,
    /// Its currency.
    pub currency: Currency,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_machine_survives() {
        for status in LaneStatus::ALL {
            assert_eq!(LaneStatus::parse(status.as_str()), Some(status));
        }
        for source in StockSource::ALL {
            assert_eq!(StockSource::parse(source.as_str()), Some(source));
        }
        for kind in CashKind::ALL {
            assert_eq!(CashKind::parse(kind.as_str()), Some(kind));
        }
    }
}
