//! What a driver can say. Closed: a new word is a change of contract with the cloud, and the compiler shows the
//! places that must answer (class here, the stored form in `journal`, the payload in `wire::cloud`).

use super::{
    Cash, Class, CodeScanned, FaceMember, FaceVisit, FaceWindow, FootfallWindow, MachineStatus, Outcome, SaleStep,
    ScreenAction, ScreenPlay, Selection, StationSession, Stock,
};

/// What a driver says happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// A scanner read a code.
    Code(CodeScanned),
    /// A step of a sale. A driver says `dispensed`, `failed` or `indeterminate` of an order that it was given: that
    /// one word is also the end of the command that carried the order, in the same transaction; it must not say
    /// [`Observation::Ended`] of it. It says `requested` when a shopper chose at a machine whose card reader the
    /// gateway is, and `dispensed` with [`Payment::Machine`](super::Payment::Machine) of a sale that the machine
    /// took the money for itself.
    Sale(SaleStep),
    /// What a machine says of one of its lanes.
    Stock(Stock),
    /// What a machine says of itself. Said when it changes.
    Machine(Box<MachineStatus>),
    /// A shopper chose a lane at a machine.
    Selection(Selection),
    /// A machine took or gave money by its own account.
    Cash(Cash),
    /// What a footfall sensor counted in a stretch of time.
    Footfall(Box<FootfallWindow>),
    /// Somebody was before a camera and has gone.
    FaceVisit(Box<FaceVisit>),
    /// What a camera counted in a stretch of time.
    FaceWindow(Box<FaceWindow>),
    /// A member who consented is before a camera.
    FaceMember(FaceMember),
    /// A screen has played an item.
    ScreenPlay(Box<ScreenPlay>),
    /// Somebody did something at a screen or a shelf.
    ScreenAction(Box<ScreenAction>),
    /// A member's session at a screen has begun or is over.
    Session(Box<StationSession>),
    /// An action that was asked of the device has ended.
    Ended(Outcome),
}

impl Observation {
    /// The one dial: lane, commit group and retention follow from it.
    pub const fn class(&self) -> Class {
        match self {
            Self::Code(_)
            | Self::Stock(_)
            | Self::Cash(_)
            | Self::FaceMember(_)
            | Self::ScreenPlay(_)
            | Self::ScreenAction(_)
            | Self::Session(_) => Class::Record,
            Self::Ended(_) | Self::Sale(_) => Class::Money,
            Self::Machine(_) | Self::Selection(_) | Self::Footfall(_) | Self::FaceVisit(_) | Self::FaceWindow(_) => {
                Class::Telemetry
            }
        }
    }
}
