//! The mechanics that all machines share: lanes, one motor at a time, gravity, a sensor.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::{Do, Sensor, Setup, Truth};
use crate::wire::Output;

/// Orders that make a machine say something are dropped beyond this.
const OUTPUTS: usize = 4096;

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) stock: u8,
    pub(super) jammed: bool,
}

#[derive(Debug)]
struct Turn {
    slot: u16,
    falls_at: Option<Instant>,
    ends_at: Instant,
    watched: bool,
    fell: bool,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turned {
    pub(super) slot: u16,
    /// What the machine believes.
    pub(super) good: bool,
}

/// Lanes, motor and sensor, and everything that is said of them.
#[derive(Debug)]
pub(super) struct Mechanics {
    pub(super) setup: Setup,
    pub(super) lanes: BTreeMap<u16, Lane>,
    pub(super) powered: bool,
    pub(super) silent: bool,
    pub(super) late: Duration,
    /// What the shopper may still spend at the machine.
    pub(super) credit: u32,
    speaks_at: Option<Instant>,
    cut_mid_turn: bool,
    sensor: Sensor,
    flip_one_in: u64,
    dice: u64,
    turn: Option<Turn>,
    out: VecDeque<Output<Truth>>,
}

impl Mechanics {
    pub(super) fn new(setup: Setup) -> Self {
        let lanes = (1..=setup.lanes).map(|slot| (slot, Lane { stock: setup.stock, jammed: false })).collect();
        Self {
            lanes,
            powered: true,
            silent: false,
            late: Duration::ZERO,
            credit: 0,
            speaks_at: None,
            cut_mid_turn: false,
            sensor: Sensor::Works,
            flip_one_in: 0,
            dice: setup.seed,
            turn: None,
            out: VecDeque::new(),
            setup,
        }
    }

    pub(super) fn poll(&mut self) -> Option<Output<Truth>> {
        self.out.pop_front()
    }

    pub(super) fn truth(&mut self, truth: Truth) {
        self.out.push_back(Output::Observe(truth));
    }

    /// Puts bytes on the line, unless its wire is cut or its power gone.
    pub(super) fn send(&mut self, mut bytes: Vec<u8>) {
        if !self.powered || self.silent || self.out.len() >= OUTPUTS {
            return;
        }
        for byte in &mut bytes {
            if self.flip_one_in > 0 && self.roll().is_multiple_of(self.flip_one_in) {
                *byte ^= 1 << (self.roll() % 8);
            }
        }
        self.out.push_back(Output::Send(bytes));
    }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    fn roll(&mut self) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.dice;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// What is done to the mechanics; the rest is the dialect's.
    pub(super) fn act(&mut self, now: Instant, action: &Do) {
        match *action {
            Do::Jam(slot, jammed) => {
                if let Some(lane) = self.lanes.get_mut(&slot) {
                    lane.jammed = jammed;
                }
            }
            Do::Fill(slot, stock) => {
                if let Some(lane) = self.lanes.get_mut(&slot) {
                    lane.stock = stock;
                }
            }
            Do::Sensor(sensor) => self.sensor = sensor,
            Do::Silent(silent) => (self.silent, self.speaks_at) = (silent, None),
            Do::SilentFor(span) => (self.silent, self.speaks_at) = (true, Some(now + span)),
            Do::Late(late) => self.late = late,
            Do::Flip(one_in) => self.flip_one_in = one_in,
            Do::PowerOff => self.power_off(),
            Do::PowerOffMidTurn if self.turn.as_ref().is_some_and(|turn| turn.fell) => self.power_off(),
            Do::PowerOffMidTurn => self.cut_mid_turn = true,
            Do::PowerOn => self.powered = true,
            Do::Coin(amount) => {
                self.credit = self.credit.saturating_add(amount);
                self.truth(Truth::Credit(amount));
            }
            Do::GiveBack => {
                let credit = std::mem::take(&mut self.credit);
                self.truth(Truth::Returned(credit));
            }
            Do::Swallow(amount) => self.truth(Truth::Swallowed(amount)),
            Do::Choose(_) | Do::Shopper(_) => {}
        }
    }

    fn power_off(&mut self) {
        self.powered = false;
        self.cut_mid_turn = false;
        if let Some(turn) = self.turn.take() {
            self.truth(Truth::CutOff(turn.slot));
        }
    }

    pub(super) fn turning(&self) -> bool {
        self.turn.is_some()
    }

    pub(super) fn start(&mut self, now: Instant, slot: u16, watched: bool) {
        let falls = self.lanes.get(&slot).is_some_and(|lane| lane.stock > 0 && !lane.jammed);
        let turn = self.setup.turn;
        let falls_at = falls.then(|| now + turn / 2);
        self.turn = Some(Turn { slot, falls_at, ends_at: now + turn, watched, fell: false });
        self.truth(Truth::Turned(slot));
    }

    /// Lets gravity and the motor go on; the end of a turn is handed out once.
    pub(super) fn tick(&mut self, now: Instant) -> Option<Turned> {
        if self.speaks_at.take_if(|at| now >= *at).is_some() {
            self.silent = false;
        }
        let turn = self.turn.as_mut()?;
        if turn.falls_at.is_some_and(|at| now >= at) {
            turn.falls_at = None;
            turn.fell = true;
            let slot = turn.slot;
            if let Some(lane) = self.lanes.get_mut(&slot) {
                lane.stock = lane.stock.saturating_sub(1);
            }
            self.truth(Truth::Fell(slot));
            if self.cut_mid_turn {
                self.power_off();
            }
        }
        let over = self.turn.take_if(|turn| now >= turn.ends_at)?;
        if !over.fell {
            self.truth(Truth::Nothing(over.slot));
        }
        let jammed = self.lanes.get(&over.slot).is_none_or(|lane| lane.jammed);
        let seen = match self.sensor {
            Sensor::Works => over.fell,
            Sensor::Blind => false,
            Sensor::Stuck => true,
        };
        let good = !jammed && (seen || !over.watched);
        Some(Turned { slot: over.slot, good })
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let turn = self.turn.as_ref().map(|turn| turn.falls_at.unwrap_or(turn.ends_at));
        turn.into_iter().chain(self.speaks_at).min()
    }
}
