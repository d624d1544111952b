//! A line between two machines that have never seen a runtime: seeded, so that a failing run can be repeated.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// `0..below`.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.word() % below
    }

    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        times > 0 && self.below(times) == 0
    }

    pub(crate) fn bytes(&mut self, count: u64) -> Vec<u8> {
        (0..count).map(|_| self.word().to_le_bytes()[0]).collect()
    }

    pub(crate) fn milliseconds(&mut self, below: u64) -> Duration {
        Duration::from_millis(self.below(below.max(1)))
    }
}

/// What the line does to bytes. One in so many bytes; 0: never.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// A piece is delayed by less than this many milliseconds.
    pub(crate) delay_ms: u64,
    pub(crate) drop_one_in: u64,
    pub(crate) duplicate_one_in: u64,
    pub(crate) flip_one_in: u64,
}

/// One direction of a line. Always splits anywhere; never reorders, because serial lines do not.
#[derive(Debug)]
pub(crate) struct Line {
    random: Random,
    faults: Faults,
    on_the_way: VecDeque<(Instant, Vec<u8>)>,
}

impl Line {
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        Self { random: Random(seed), faults, on_the_way: VecDeque::new() }
    }

    pub(crate) fn send(&mut self, now: Instant, bytes: &[u8]) {
        let mut rest: Vec<u8> = bytes.iter().flat_map(|byte| self.damage(*byte)).collect();
        while !rest.is_empty() {
            let cut = 1 + usize::try_from(self.random.below(rest.len() as u64)).unwrap();
            let after = rest.split_off(cut);
            let earliest = self.on_the_way.back().map_or(now, |(at, _)| now.max(*at));
            self.on_the_way.push_back((earliest + self.random.milliseconds(self.faults.delay_ms), rest));
            rest = after;
        }
    }

    fn damage(&mut self, byte: u8) -> Vec<u8> {
        let mut byte = byte;
        if self.random.one_in(self.faults.flip_one_in) {
            byte ^= 1 << self.random.below(8);
        }
        match (self.random.one_in(self.faults.drop_one_in), self.random.one_in(self.faults.duplicate_one_in)) {
            (true, _) => vec![],
            (_, true) => vec![byte, byte],
            _ => vec![byte],
        }
    }

    /// When the next piece arrives.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.on_the_way.front().map(|(at, _)| *at)
    }

    /// What has arrived by now, in one piece or several.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Vec<u8>> {
        let mut arrived = Vec::new();
        while self.next().is_some_and(|at| at <= now) {
            arrived.extend(self.on_the_way.pop_front().unwrap().1);
            if self.random.one_in(2) {
                break;
            }
        }
        (!arrived.is_empty()).then_some(arrived)
    }
}
