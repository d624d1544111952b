//! The other ends of vending machines' lines: a controller that speaks FA FB, an adapter on the MDB bus with its
//! machine behind it, a lane board.
//!
//! Pure machines on the same wire layer as the driver. What really happened is their observation, [`Truth`]: what a
//! test compares the gateway's belief with. They keep their state whatever the gateway does; only [`Do::PowerOff`]
//! makes them forget, as power does. [`MachinePty`] puts one behind a real line.

mod lanes;
mod mdb;
mod order;
mod shell;
mod totals;
mod xy;
mod zdm8;

use std::time::Duration;

use crate::wire::Machine;

pub use mdb::MdbSim;
pub use order::{BadOrder, ORDERS, Order};
pub use shell::{Knobs, MachinePty};
pub use totals::{Lane, Money, Polls, Totals};
pub use xy::XySim;
pub use zdm8::Zdm8Sim;

/// A machine of any dialect.
pub trait VendSim: Machine<Action = Do, Observation = Truth, Error = std::convert::Infallible> + Send {}

impl<M: Machine<Action = Do, Observation = Truth, Error = std::convert::Infallible> + Send> VendSim for M {}

/// How a machine is filled and how fast it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// Lanes 1 to so many.
    pub lanes: u16,
    /// Products in each at the start.
    pub stock: u8,
    /// What each costs, in the currency's smallest unit.
    pub price_minor: u32,
    /// How long a motor turns; the product falls at half of it.
    pub turn: Duration,
    /// Seed of its own dice (flipped bits).
    pub seed: u64,
}

impl Default for Setup {
    fn default() -> Self {
        Self { lanes: 60, stock: 8, price_minor: 350, turn: Duration::from_millis(1500), seed: 1 }
    }
}

/// What the drop sensor sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sensor {
    /// What falls.
    Works,
    /// Nothing, ever.
    Blind,
    /// A product, always.
    Stuck,
}

/// What somebody does with the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Do {
    /// Jams a lane, or frees it.
    Jam(u16, bool),
    /// Fills a lane.
    Fill(u16, u8),
    /// Holds the sensor.
    Sensor(Sensor),
    /// Cuts the machine's transmit wire, or mends it: it hears, turns, and is not heard.
    Silent(bool),
    /// The same, and it mends itself after so long.
    SilentFor(Duration),
    /// Makes it say its results so much later.
    Late(Duration),
    /// Breaks one in so many of the bytes that it sends; 0: none.
    Flip(u64),
    /// Takes its power, wherever its motor is.
    PowerOff,
    /// Takes its power when the next product has fallen (at once if one has, and its motor still turns): the motor has
    /// turned, the product is out, nobody is told.
    PowerOffMidTurn,
    /// Gives it back; it starts anew.
    PowerOn,
    /// A coin falls in.
    Coin(u32),
    /// Money is swallowed: the machine has it and owes nothing.
    Swallow(u32),
    /// The shopper presses the lever that gives the coins back.
    GiveBack,
    /// A shopper presses a button at the machine. An FA FB machine that has credit enough sells by itself.
    Choose(u16),
    /// From now on a shopper presses this button whenever a session begins; `None`: nobody does.
    Shopper(Option<u16>),
}

/// What really happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// A motor has begun to turn.
    Turned(u16),
    /// A product has fallen: it is the shopper's.
    Fell(u16),
    /// A turn is over and nothing fell.
    Nothing(u16),
    /// The power went while a motor turned.
    CutOff(u16),
    /// Money came in that the shopper may spend at the machine.
    Credit(u32),
    /// Money came in that nobody may spend.
    Swallowed(u32),
    /// The machine has sold by itself: so much of the shopper's credit is its own now.
    Kept(u32),
    /// The machine has given so much credit back.
    Returned(u32),
    /// The gateway has answered a poll, so long after it.
    Answered(Duration),
    /// A poll was not answered in time (100 ms), or not at all.
    Unanswered,
    /// A message was repeated as often as it may be and never acknowledged: it is lost.
    GaveUp,
    /// A command came again under its number and was not carried out again.
    Repeated,
    /// A card reader has taken money, or given it back.
    Charged(u32, bool),
}

impl Truth {
    /// One JSON object, for a test in another process.
    pub fn json(&self) -> String {
        match self {
            Self::Turned(slot) => format!(r#"{{"truth":"turned","slot":{slot}}}"#),
            Self::Fell(slot) => format!(r#"{{"truth":"fell","slot":{slot}}}"#),
            Self::Nothing(slot) => format!(r#"{{"truth":"nothing","slot":{slot}}}"#),
            Self::CutOff(slot) => format!(r#"{{"truth":"cut-off","slot":{slot}}}"#),
            Self::Credit(amount) => format!(r#"{{"truth":"credit","amount_minor":{amount}}}"#),
            Self::Swallowed(amount) => format!(r#"{{"truth":"swallowed","amount_minor":{amount}}}"#),
            Self::Kept(amount) => format!(r#"{{"truth":"kept","amount_minor":{amount}}}"#),
            Self::Returned(amount) => format!(r#"{{"truth":"returned","amount_minor":{amount}}}"#),
            Self::Answered(after) => format!(r#"{{"truth":"answered","after_us":{}}}"#, after.as_micros()),
            Self::Unanswered => r#"{"truth":"unanswered"}"#.to_owned(),
            Self::GaveUp => r#"{"truth":"gave-up"}"#.to_owned(),
            Self::Repeated => r#"{"truth":"repeated"}"#.to_owned(),
            Self::Charged(amount, kept) => {
                format!(r#"{{"truth":"charged","amount_minor":{amount},"kept":{kept}}}"#)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_truth_is_one_json_object() {
        let fell: serde_json::Value = serde_json::from_str(&Truth::Fell(3).json()).unwrap();
        assert_eq!((fell["truth"].as_str(), fell["slot"].as_u64()), (Some("fell"), Some(3)));
        let charged: serde_json::Value = serde_json::from_str(&Truth::Charged(100, true).json()).unwrap();
        assert_eq!(charged["kept"].as_bool(), Some(true));
    }
}
