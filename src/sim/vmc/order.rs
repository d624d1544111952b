//! What a person or a script types to a running machine.

use std::str::FromStr;

use super::{Do, Sensor};
use crate::types::units::{UnitError, parse_duration};

/// All orders, for a help text.
pub const ORDERS: &str = "\
jam SLOT             the lane's motor is stuck from now on
clear SLOT           it is free again
fill SLOT COUNT      so many products are in the lane
silent TIME          the machine hears and turns and is not heard (silent on, silent off)
late TIME            it says its results so much later
blind on|off         the drop sensor sees nothing
stuck on|off         the drop sensor sees a product always
power-off            takes its power, wherever its motor is
power-off mid-turn   takes it when the next product has fallen, before anybody is told
power on             gives it back (power off is power-off)
coin AMOUNT          a coin falls in, in the currency's smallest unit
swallow AMOUNT       money is swallowed
give-back            the shopper asks for the coins back
flip-bits N          one in N bytes sent has a flipped bit; 0: none
select SLOT          a shopper presses a button
shopper SLOT|none    a shopper presses it whenever a session begins (MDB)
truth                prints the totals";

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// For the machine.
    Do(Do),
    /// Prints the totals.
    Truth,
}

/// Why a line is no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOrder {
    /// No order begins so.
    #[error("there is no order {0:?}")]
    Unknown(String),
    /// It wants other words behind it.
    #[error("{order:?} wants {wants}")]
    Wants {
        /// The order.
        order: &'static str,
        /// What belongs behind it.
        wants: &'static str,
    },
    /// What shall be a number is none, or too large.
    #[error("{0:?} is no number that fits here")]
    Number(String),
    /// What shall be a time is none.
    #[error(transparent)]
    Time(#[from] UnitError),
}

impl FromStr for Order {
    type Err = BadOrder;

    fn from_str(line: &str) -> Result<Self, BadOrder> {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words == ["truth"] { Ok(Self::Truth) } else { read(&words).map(Self::Do) }
    }
}

fn read(words: &[&str]) -> Result<Do, BadOrder> {
    Ok(match *words {
        ["jam", slot] => Do::Jam(number(slot)?, true),
        ["clear", slot] => Do::Jam(number(slot)?, false),
        ["fill", slot, count] => Do::Fill(number(slot)?, number(count)?),
        ["silent", "on"] => Do::Silent(true),
        ["silent", "off"] => Do::Silent(false),
        ["silent", time] => Do::SilentFor(parse_duration(time)?),
        ["late", time] => Do::Late(parse_duration(time)?),
        ["blind", "on"] => Do::Sensor(Sensor::Blind),
        ["stuck", "on"] => Do::Sensor(Sensor::Stuck),
        ["blind" | "stuck", "off"] => Do::Sensor(Sensor::Works),
        ["power-off"] | ["power", "off"] => Do::PowerOff,
        ["power-off", "mid-turn"] => Do::PowerOffMidTurn,
        ["power", "on"] => Do::PowerOn,
        ["coin", amount] => Do::Coin(number(amount)?),
        ["swallow", amount] => Do::Swallow(number(amount)?),
        ["give-back"] => Do::GiveBack,
        ["flip-bits", one_in] => Do::Flip(number(one_in)?),
        ["select", slot] => Do::Choose(number(slot)?),
        ["shopper", "none"] => Do::Shopper(None),
        ["shopper", slot] => Do::Shopper(Some(number(slot)?)),
        _ => return Err(wanted(words)),
    })
}

fn number<N: FromStr>(text: &str) -> Result<N, BadOrder> {
    text.parse().map_err(|_| BadOrder::Number(text.chars().take(32).collect()))
}

/// What is wrong with words that are no order.
fn wanted(words: &[&str]) -> BadOrder {
    let first = words.first().copied().unwrap_or_default();
    let line = ORDERS.lines().find(|line| line.split_whitespace().next() == Some(first) && !first.is_empty());
    let Some(line) = line else { return BadOrder::Unknown(first.chars().take(32).collect()) };
    let (order, rest) = line.split_once(' ').unwrap_or((line, ""));
    let wants = rest.trim_start().split("  ").next().unwrap_or_default();
    let alone = rest.starts_with("   ");
    BadOrder::Wants { order, wants: if alone { "nothing behind it, or other words: see --help" } else { wants } }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn order(line: &str) -> Result<Order, BadOrder> {
        line.parse()
    }

    #[test]
    fn every_order_is_read_as_it_is_typed() {
        for (line, meaning) in [
            (" jam  3 ", Do::Jam(3, true)),
            ("clear 3", Do::Jam(3, false)),
            ("fill 3 8", Do::Fill(3, 8)),
            ("silent 3s", Do::SilentFor(Duration::from_secs(3))),
            ("silent off", Do::Silent(false)),
            ("late 150ms", Do::Late(Duration::from_millis(150))),
            ("blind on", Do::Sensor(Sensor::Blind)),
            ("blind off", Do::Sensor(Sensor::Works)),
            ("stuck on", Do::Sensor(Sensor::Stuck)),
            ("power-off", Do::PowerOff),
            ("power off", Do::PowerOff),
            ("power-off mid-turn", Do::PowerOffMidTurn),
            ("power on", Do::PowerOn),
            ("coin 500", Do::Coin(500)),
            ("swallow 500", Do::Swallow(500)),
            ("give-back", Do::GiveBack),
            ("flip-bits 1000", Do::Flip(1000)),
            ("select 60", Do::Choose(60)),
            ("shopper 2", Do::Shopper(Some(2))),
            ("shopper none", Do::Shopper(None)),
        ] {
            assert_eq!(order(line), Ok(Order::Do(meaning)), "{line}");
        }
        assert_eq!(order("truth"), Ok(Order::Truth));
    }

    #[test]
    fn a_line_that_is_no_order_says_what_is_wrong_with_it() {
        for (line, why) in [
            ("", "there is no order \"\""),
            ("jump 3", "there is no order \"jump\""),
            ("jam", "\"jam\" wants SLOT"),
            ("fill 3", "\"fill\" wants SLOT COUNT"),
            ("blind", "\"blind\" wants on|off"),
            ("jam x", "\"x\" is no number that fits here"),
            ("jam 70000", "\"70000\" is no number that fits here"),
            ("fill 1 999", "\"999\" is no number that fits here"),
            ("coin -5", "\"-5\" is no number that fits here"),
            ("silent 3", "\"\" is not a unit"),
            ("late soon", "\"soon\" does not begin with a whole number"),
        ] {
            assert_eq!(order(line).unwrap_err().to_string(), why, "{line}");
        }
        assert!(matches!(order("power-off now"), Err(BadOrder::Wants { order: "power-off", .. })));
        assert!(matches!(order("truth be told"), Err(BadOrder::Wants { order: "truth", .. })));
    }

    #[test]
    fn the_help_names_every_order_that_is_read() {
        for line in ORDERS.lines() {
            let (words, _) = line.split_once("  ").unwrap();
            let filled = words.replace("SLOT|none", "1").replace("on|off", "on").replace("TIME", "1s");
            let filled = filled.replace("SLOT", "1").replace("COUNT", "1").replace("AMOUNT", "1").replace('N', "1");
            assert!(order(&filled).is_ok(), "{filled}");
        }
    }
}
