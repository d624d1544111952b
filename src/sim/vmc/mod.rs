//! The other ends of vending machines' lines: a controller that speaks FA FB, an adapter on the MDB bus with its
//! machine behind it, a lane board.
//!
//! Pure machines on the same wire layer as the driver. What really happened is their observation, [`Truth`]: what a
//! test compares the gateway's belief with. They keep their state whatever the gateway does; only [`Do::PowerOff`]
//! makes them forget, as power does. [`MachinePty`] puts one behind a real line.

mod lanes;
mod mdb;
mod shell;
mod xy;
mod zdm8;

use std::time::Duration;

use crate::wire::Machine;

pub use mdb::MdbSim;
pub use shell::{Knobs, MachinePty};
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
    /// Makes it say its results so much later.
    Late(Duration),
    /// Breaks one in so many of the bytes that it sends; 0: none.
    Flip(u64),
    /// Takes its power, wherever its motor is.
    PowerOff,
    /// Gives it back; it starts anew.
    PowerOn,
    /// A coin falls in.
    Coin(u32),
    /// Money is swallowed: the machine has it and owes nothing.
    Swallow(u32),
    /// A shopper presses a button at the machine.
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

impl Do {
    /// Reads an order as a person types it: `jam 3`, `unjam 3`, `fill 3 8`, `sensor blind|works|stuck`, `silent`,
    /// `speak`, `late 2000` (milliseconds), `flip 500`, `power off`, `power on`, `coin 100`, `swallow 100`,
    /// `choose 2`, `shopper 2`, `shopper none`.
    pub fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        Some(match words[..] {
            ["jam", slot] => Self::Jam(slot.parse().ok()?, true),
            ["unjam", slot] => Self::Jam(slot.parse().ok()?, false),
            ["fill", slot, count] => Self::Fill(slot.parse().ok()?, count.parse().ok()?),
            ["sensor", "works"] => Self::Sensor(Sensor::Works),
            ["sensor", "blind"] => Self::Sensor(Sensor::Blind),
            ["sensor", "stuck"] => Self::Sensor(Sensor::Stuck),
            ["silent"] => Self::Silent(true),
            ["speak"] => Self::Silent(false),
            ["late", milliseconds] => Self::Late(Duration::from_millis(milliseconds.parse().ok()?)),
            ["flip", one_in] => Self::Flip(one_in.parse().ok()?),
            ["power", "off"] => Self::PowerOff,
            ["power", "on"] => Self::PowerOn,
            ["coin", amount] => Self::Coin(amount.parse().ok()?),
            ["swallow", amount] => Self::Swallow(amount.parse().ok()?),
            ["choose", slot] => Self::Choose(slot.parse().ok()?),
            ["shopper", "none"] => Self::Shopper(None),
            ["shopper", slot] => Self::Shopper(Some(slot.parse().ok()?)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_is_typed() {
        assert_eq!(Do::parse(" jam  3 "), Some(Do::Jam(3, true)));
        assert_eq!(Do::parse("late 2000"), Some(Do::Late(Duration::from_secs(2))));
        assert_eq!(Do::parse("sensor blind"), Some(Do::Sensor(Sensor::Blind)));
        for bad in ["", "jam", "jam x", "power", "fill 1 999"] {
            assert_eq!(Do::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_truth_is_one_json_object() {
        let fell: serde_json::Value = serde_json::from_str(&Truth::Fell(3).json()).unwrap();
        assert_eq!((fell["truth"].as_str(), fell["slot"].as_u64()), (Some("fell"), Some(3)));
        let charged: serde_json::Value = serde_json::from_str(&Truth::Charged(100, true).json()).unwrap();
        assert_eq!(charged["kept"].as_bool(), Some(true));
    }
}
