//! People who come and go, and what their phones send.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use super::phone::{Phone, Sent};
use super::truth::{Did, Totals, Truth, spelled};
use crate::sim::dice::Dice;

/// What kind of crowd it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// Of all its chances.
    pub seed: u64,
    /// People who come in a minute, on the average; 1 to 64.
    pub people_per_min: u32,
    /// How long it goes on, in microseconds.
    pub length_us: i64,
}

/// The next thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// A frame is on the air.
    Sent(Sent),
    /// Something is true from now on.
    Truth(Truth),
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Comes,
    Scans { person: u32, phone: usize },
    Leaves { person: u32 },
    Sends(u64),
}

#[derive(Debug)]
struct Person {
    came_us: i64,
    left_us: i64,
    /// Loudest, dBm.
    near_dbm: i64,
    phones: Vec<Phone>,
}

/// See the module.
#[derive(Debug)]
pub struct Crowd {
    setup: Setup,
    dice: Dice,
    due: BinaryHeap<Reverse<(i64, Due)>>,
    people: BTreeMap<u32, Person>,
    on_the_air: BTreeMap<u64, Sent>,
    told: VecDeque<Happening>,
    next_person: u32,
    next_phone: u32,
    next_frame: u64,
    totals: Totals,
}

/// How long people walk from outside to where they are nearest, at most, in microseconds.
const WALK_US: i64 = 15_000_000;
/// How loud a phone is that is about to be out of reach, dBm.
const FAR_DBM: i64 = -92;
const SECOND_US: i64 = 1_000_000;

impl Crowd {
    /// Before anybody has come.
    pub fn new(setup: Setup) -> Self {
        let due = BinaryHeap::from([Reverse((0, Due::Comes))]);
        Self {
            setup,
            dice: Dice::new(setup.seed),
            due,
            people: BTreeMap::new(),
            on_the_air: BTreeMap::new(),
            told: VecDeque::new(),
            next_person: 0,
            next_phone: 0,
            next_frame: 0,
            totals: Totals::default(),
        }
    }

    /// The same crowd from its beginning.
    pub(super) fn again(&self) -> Self {
        Self::new(self.setup)
    }

    /// The sums of what has been given out.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    fn tell(&mut self, truth: Truth) {
        self.totals.add(&truth);
        self.told.push_back(Happening::Truth(truth));
    }

    fn comes(&mut self, at_us: i64) {
        let mean_us = 60e6 / f64::from(self.setup.people_per_min.clamp(1, 64));
        let next_us = at_us + self.dice.until_next_us(mean_us);
        self.due.push(Reverse((next_us, Due::Comes)));
        let dice = &mut self.dice;
        let (did, seconds, near_dbm) = match dice.below(20) {
            0..12 => (Did::Passed, dice.within(20, 60), dice.within(-84, -77)),
            12..17 => (Did::Visited, dice.within(60, 240), dice.within(-64, -50)),
            _ => (Did::Stayed, dice.within(360, 1200), dice.within(-64, -48)),
        };
        let phones = match dice.below(20) {
            0..2 => 0,
            2..17 => 1,
            _ => 2,
        };
        let person = self.next_person;
        self.next_person += 1;
        let left_us = at_us + seconds * SECOND_US;
        let (came_s, left_s) = (at_us / SECOND_US, left_us / SECOND_US);
        self.tell(Truth::Person { person, came_s, left_s, did, phones });
        let mut somebody = Person { came_us: at_us, left_us, near_dbm, phones: Vec::new() };
        for phone in 0..usize::try_from(phones).unwrap_or(0) {
            somebody.phones.push(Phone::new(self.next_phone, at_us, &mut self.dice));
            self.next_phone += 1;
            // The first scan soon: a walk past takes less than a minute.
            let first_us = at_us + self.dice.within(2, 15) * SECOND_US;
            self.due.push(Reverse((first_us, Due::Scans { person, phone })));
        }
        self.people.insert(person, somebody);
        self.due.push(Reverse((left_us, Due::Leaves { person })));
    }

    fn scans(&mut self, at_us: i64, person: u32, phone: usize) {
        let Some(mut somebody) = self.people.remove(&person) else { return };
        let mut owned = somebody.phones.swap_remove(phone);
        let (sent, is_new) = owned.scan(at_us, |at_us| loudness(&somebody, at_us), &mut self.dice);
        // A kept address is told with the phone's first scan.
        if is_new || at_us - somebody.came_us <= 15 * SECOND_US {
            let (address, ssid) = (spelled(owned.address()), owned.ssid.clone());
            self.tell(Truth::Address { phone: owned.number, person, model: owned.model().name, address, ssid });
        }
        for sent in sent {
            self.due.push(Reverse((sent.at_us, Due::Sends(self.next_frame))));
            self.on_the_air.insert(self.next_frame, sent);
            self.next_frame += 1;
        }
        let next_us = at_us + owned.until_scan_us(&mut self.dice);
        if next_us < somebody.left_us {
            self.due.push(Reverse((next_us, Due::Scans { person, phone })));
        }
        somebody.phones.push(owned);
        let last = somebody.phones.len() - 1;
        somebody.phones.swap(phone, last);
        self.people.insert(person, somebody);
    }
}

/// How loud somebody's phones are at a moment, dBm: nearer and nearer, there, and away again.
fn loudness(somebody: &Person, at_us: i64) -> i64 {
    let (since, until) = ((at_us - somebody.came_us).max(0), (somebody.left_us - at_us).max(0));
    let walk_us = ((somebody.left_us - somebody.came_us) / 2).clamp(1, WALK_US);
    let walked_us = since.min(until).min(walk_us);
    FAR_DBM + (somebody.near_dbm - FAR_DBM) * walked_us / walk_us
}

impl Iterator for Crowd {
    type Item = (i64, Happening);

    /// The next happening and its time, in microseconds since the crowd began; `None` when its time is over.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let at_us = self.due.peek().map_or(0, |Reverse((at_us, _))| *at_us);
            if let Some(happening) = self.told.pop_front() {
                return Some((at_us, happening));
            }
            let Reverse((at_us, due)) = self.due.pop().filter(|_| at_us < self.setup.length_us)?;
            match due {
                Due::Comes => self.comes(at_us),
                Due::Scans { person, phone } => self.scans(at_us, person, phone),
                Due::Leaves { person } => {
                    self.people.remove(&person);
                }
                Due::Sends(frame) => {
                    if let Some(sent) = self.on_the_air.remove(&frame) {
                        return Some((at_us, Happening::Sent(sent)));
                    }
                }
            }
        }
    }
}
