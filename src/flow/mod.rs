//! In-store stories as pure state machines: what happened goes in, what follows comes out.
//!
//! A flow reads the journal's events in order, is asked commands, and is woken when time has passed. All that follows
//! (events, commands, changed state) is stored in one transaction with the flow's place in the journal, so that a
//! crash neither loses nor repeats it. Ids of what follows derive from what it follows from.
//!
//! | flow | one for each | its story |
//! |---|---|---|
//! | [`Ledger`] | vending machine | lanes, stock, and the second half of every sale: what fell, what is kept, what goes
//! back |
//! | [`SaleFlow`] | station `sale` | the first half: who wants what, and whether the money is promised |
//! | [`SamplingFlow`] | station `sampling` | one free sample per member and campaign |
//! | [`ShelfFlow`] | station `shelf` | what is lifted or scanned is shown |
//! | [`SessionFlow`] | station `shelf` or `mirror` with a scanner | a member's session at the screen |
//! | [`VerdictFlow`] | station `redeem`, `sale` or `sampling` with a screen | the shopper is told what became of it |
//! | [`redeem::Redeem`] | station `redeem` | a coupon, once; asked and answered, with a runner of its own |
//!
//! What is absent: no clock (time is an argument), no disk, no driver, no broker, no
//! payment code (an [`Ask`] names the scan whose code whoever sends it may take).
//!
//! Limits: see `limits.rs`.

mod form;
mod lane;
mod ledger;
pub mod limits;
pub mod redeem;
mod sale;
mod sampling;
mod session;
mod shelf;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

pub use lane::{Lane, closed_by};
pub use ledger::{Ledger, LedgerSettings, turned_down};
pub use sale::{SaleFlow, SaleSettings};
pub use sampling::{SamplingFlow, SamplingSettings};
pub use session::{SessionFlow, SessionSettings};
pub use shelf::{ShelfFlow, ShelfSettings};
pub use verdict::{About, VerdictFlow, VerdictSettings};

use crate::types::{
    Action, Body, Cause, Command, CommandId, Condition, Currency, DeviceId, Draft, Ended, Event, EventId, Minor,
    Observation, Origin, Outcome, SaleId, Show, Slot, Stamp, Timestamp,
};

/// What a flow is told.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// Something happened.
    Event(&'a Event),
    /// Something is asked. The answer holds the command's end.
    Asked(&'a Command),
    /// A time that [`Flow::due`] named has come.
    Tick,
    /// A new connection to the payment side stands: what was asked before may be lost.
    Connected,
}

/// What stands around a flow at this moment.
pub struct Around<'a> {
    /// Now.
    pub at: Stamp,
    /// Whether the payment side can be asked now.
    pub online: bool,
    /// The lanes of the machines.
    pub lanes: &'a dyn Fn(&DeviceId, Slot) -> Option<Lane>,
    /// The values of the keys that [`Flow::recalls`] named, as far as there are any.
    pub recalled: &'a BTreeMap<String, Vec<u8>>,
}

impl Around<'_> {
    /// Whether an event is too old to be answered: whoever caused it has gone.
    fn is_stale(&self, event: &Event) -> bool {
        let at = event.draft.at;
        at.boot != self.at.boot || self.at.up.saturating_sub(at.up) > limits::STALE
    }
}

/// What follows. Everything but `asks` is stored in one transaction; `asks` go out after it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effects {
    /// Events.
    pub events: Vec<Draft>,
    /// Commands.
    pub commands: Vec<Command>,
    /// Changed keys of the flow's own state.
    pub state: Vec<Change>,
    /// Questions to the payment side.
    pub asks: Vec<Ask>,
}

impl Effects {
    /// Whether nothing follows.
    pub const fn is_empty(&self) -> bool {
        self.events.is_empty() && self.commands.is_empty() && self.state.is_empty() && self.asks.is_empty()
    }

    /// Ends the command that was asked.
    fn end(&mut self, command: &Command, ended: Ended, at: Stamp) {
        self.events.push(Draft {
            id: EventId(derived(&format!("command/{}/{}", command.id, at.up.as_nanos()), "ended")),
            device: command.device.clone(),
            at,
            cause: Some(Cause::Command(command.id.clone())),
            body: Body::Observed(Observation::Ended(Outcome { command: command.id.clone(), ended })),
        });
    }

    /// Has a screen show something, in a moment or not at all.
    fn show(&mut self, id: CommandId, screen: &DeviceId, show: Show, at: Stamp) {
        let (device, not_after) = (Some(screen.clone()), at.wall.plus(limits::SHOW));
        self.commands.push(Command { id, device, action: Action::Show(show), not_after, origin: Origin::Flow });
    }

    fn put(&mut self, key: String, value: Option<Vec<u8>>) {
        self.state.push(Change { key, value, expires: None });
    }
}

/// A changed key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key. What begins with `a/` is read back at every start, what begins with `z/` only when it is recalled.
    pub key: String,
    /// The new value; `None` removes the key.
    pub value: Option<Vec<u8>>,
    /// Wall time after which it counts as removed.
    pub expires: Option<Timestamp>,
}

/// A question to the payment side. The same sale may be asked about any number of times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The sale.
    pub sale: SaleId,
    /// What is asked.
    pub what: Asking,
    /// The price.
    pub amount: Minor,
    /// Its currency.
    pub currency: Currency,
    /// After this nobody waits for the answer any more.
    pub not_after: Timestamp,
}

/// See [`Ask`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// Promise the money; with the payment code of this scan, when there was one.
    Authorise(Option<EventId>),
    /// Is it paid?
    Query,
    /// Undo it, paid or not.
    Cancel,
}

/// A condition that a flow finds given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    /// Which one.
    pub condition: Condition,
    /// Whose.
    pub device: DeviceId,
    /// What exactly.
    pub detail: String,
}

/// A story. [`Flow::handle`] is called on a copy ([`Flow::fork`]) that replaces the flow only when what follows is on
/// disk.
pub trait Flow: Send + Sync {
    /// Its name as a reader of the journal and as the owner of its state.
    fn name(&self) -> &str;

    /// Takes one key of its state back, at the start; without state there is none.
    fn load(&mut self, _key: &str, _value: &[u8]) {}

    /// Whether it has anything to do with this; cheap, and asked before everything else.
    fn cares(&self, input: Input<'_>) -> bool;

    /// The keys of its state that it needs to know for this.
    fn recalls(&self, _input: Input<'_>) -> Vec<String> {
        Vec::new()
    }

    /// What follows.
    fn handle(&mut self, input: Input<'_>, around: &Around<'_>) -> Effects;

    /// When it wants [`Input::Tick`], as uptime of this boot; `None`: never.
    fn due(&self, _at: &Stamp) -> Option<Duration> {
        None
    }

    /// What it finds wrong now.
    fn troubles(&self) -> Vec<Trouble> {
        Vec::new()
    }

    /// A lane, of the flow that keeps it.
    fn lane(&self, _device: &DeviceId, _slot: Slot) -> Option<Lane> {
        None
    }

    /// Whether a sale is open here, of the flow that keeps them.
    fn knows(&self, _sale: &SaleId) -> bool {
        false
    }

    /// A copy to try the next step on.
    fn fork(&self) -> Box<dyn Flow>;
}

/// A time that outlives the process: uptime of one boot. In any other boot it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Deadline {
    boot: Uuid,
    up: Duration,
}

impl Deadline {
    fn after(at: &Stamp, span: Duration) -> Self {
        Self { boot: at.boot.0, up: at.up + span }
    }

    fn has_come(self, at: &Stamp) -> bool {
        self.due(at) <= at.up
    }

    fn due(self, at: &Stamp) -> Duration {
        if self.boot == at.boot.0 { self.up } else { Duration::ZERO }
    }
}

/// Ids of what follows derive from what it follows from, so that the same step has the same id however often it is
/// tried.
fn derived(cause: &str, what: &str) -> Uuid {
    const FOLLOWS: Uuid = Uuid::from_u128(0x5f1c_0a52_6d0e_4a2b_9d57_3c1e_7a90_44d1);
    Uuid::new_v5(&FOLLOWS, format!("{cause}/{what}").as_bytes())
}

/// The id of a command that follows.
fn derived_command(cause: EventId, what: &str) -> Option<CommandId> {
    CommandId::new(&format!("flow.{}", derived(&cause.to_string(), what))).ok()
}
