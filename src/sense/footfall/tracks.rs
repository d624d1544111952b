//! What is remembered: one track for each address, bounded. No decisions are made here.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::cells::Ear;
use super::limits::{GLOBAL_PAUSE_US, LENT_US, PAUSE_US, PRINTS, PRINTS_OF_ONE, TRACKS};
use super::print::{Manner, Print};

/// Pseudonyms and fingerprints are as good as random already.
#[derive(Debug, Default)]
pub(super) struct Already(u64);

impl Hasher for Already {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |word, byte| word << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}

pub(super) type ByHash<V> = HashMap<u64, V, BuildHasherDefault<Already>>;

/// A few fingerprint numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Prints {
    ids: [u16; PRINTS_OF_ONE],
    count: u8,
}

impl Prints {
    pub(super) fn all(&self) -> &[u16] {
        &self.ids[..usize::from(self.count)]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Remembers one more, if there is room.
    pub(super) fn add(&mut self, id: u16) {
        if !self.all().contains(&id) && usize::from(self.count) < PRINTS_OF_ONE {
            self.ids[usize::from(self.count)] = id;
            self.count += 1;
        }
    }
}

/// What was heard of one address without a long pause, from first to last.
#[derive(Clone)]
pub(super) struct Track {
    /// Unique within the key's life.
    pub(super) serial: u32,
    /// Its address under the key, if it has one that says anything.
    pub(super) address: Option<u64>,
    /// The earlier track of the same address, if there was one.
    pub(super) same: Option<u32>,
    pub(super) first_us: i64,
    pub(super) last_us: i64,
    /// Whether the frame counter is known at all.
    pub(super) has_sequence: bool,
    pub(super) first_sequence: u16,
    pub(super) sequence: u16,
    pub(super) manner: Manner,
    /// Fingerprints that say which model it is.
    pub(super) full: Prints,
    /// Fingerprints that many models share.
    pub(super) weak: Prints,
    /// The fingerprint seen last, so that the usual frame needs no search.
    last_print: u64,
    /// Since when it has been there without a silence that ends a visit.
    pub(super) visit_us: i64,
    /// Strongest signal of this visit, dBm.
    pub(super) visit_dbm: i8,
    /// Who heard that.
    pub(super) visit_ear: Ear,
    /// Strongest signal, dBm.
    pub(super) rssi_dbm: i8,
    /// How long it was heard while the shop was closed, in microseconds.
    pub(super) closed_us: i64,
    /// The track that it is supposed to go on from, and why.
    pub(super) before: Option<u32>,
    /// A track of the device it lodges with, if it only ever spoke weakly.
    pub(super) host: Option<u32>,
    pub(super) reason: Reason,
    /// The serial of its device, should it be that device's earliest track.
    pub(super) origin: u32,
    /// The serial of its device.
    pub(super) device: u32,
}

impl Track {
    /// This visit was heard so well by that ear.
    #[inline]
    fn hear(&mut self, ear: Ear, rssi_dbm: i8) {
        if rssi_dbm > self.visit_dbm {
            (self.visit_dbm, self.visit_ear) = (rssi_dbm, ear);
        }
    }

    /// The same in a list that begins at a place; links to what stands before it are left out.
    pub(super) fn moved(&self, from: usize) -> Self {
        let inside = |at: Option<u32>| at.and_then(|at| u32::try_from((at as usize).checked_sub(from)?).ok());
        let (same, before, host) = (inside(self.same), inside(self.before), inside(self.host));
        Self { same, before, host, ..self.clone() }
    }
}

/// Why a track was counted to its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nothing like it was known, or everything like it spoke at that time.
    New,
    /// The address is known.
    Address,
    /// The frame counter goes on from another address, this many frames and milliseconds later.
    Counter {
        /// The counter's step.
        gap: u16,
        /// Since the other address was heard last.
        after_ms: u32,
    },
    /// A device of the same model was silent.
    Model,
}

/// What a frame says of its track.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) at_us: i64,
    pub(super) sequence: Option<u16>,
    pub(super) manner: Manner,
    pub(super) ear: Ear,
    pub(super) rssi_dbm: i8,
    pub(super) print: Print,
}

/// See the module.
pub(super) struct Tracks {
    pub(super) all: Vec<Track>,
    addresses: ByHash<u32>,
    /// Numbers of fingerprints, full and weak ones.
    prints: ByHash<u16>,
    /// Of each number, the order of the elements.
    orders: Vec<u64>,
    next: u32,
    silence_us: i64,
    /// Tracks that were forgotten, with the device they were counted to, for whoever still asks.
    pub(super) forgotten: Option<Vec<(u32, u32)>>,
}

impl Tracks {
    pub(super) fn new(silence_us: i64) -> Self {
        Self {
            all: Vec::new(),
            addresses: HashMap::default(),
            prints: HashMap::default(),
            orders: Vec::new(),
            next: 0,
            silence_us,
            forgotten: None,
        }
    }

    /// The track of an address.
    #[inline]
    pub(super) fn of(&self, address: u64) -> Option<u32> {
        self.addresses.get(&address).copied()
    }

    /// A new track, of an address if it has one that says anything.
    pub(super) fn begin(&mut self, address: Option<u64>, seen: &Seen) -> u32 {
        if self.all.len() >= TRACKS {
            self.forget();
        }
        let at = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let sequence = seen.sequence.unwrap_or(0);
        self.all.push(Track {
            serial: self.next,
            first_us: seen.at_us,
            last_us: seen.at_us,
            has_sequence: seen.sequence.is_some(),
            first_sequence: sequence,
            sequence,
            manner: seen.manner,
            full: Prints::default(),
            weak: Prints::default(),
            last_print: 0,
            visit_us: seen.at_us,
            visit_dbm: seen.rssi_dbm,
            visit_ear: seen.ear,
            rssi_dbm: seen.rssi_dbm,
            closed_us: 0,
            address,
            same: None,
            before: None,
            host: None,
            reason: Reason::New,
            origin: self.next,
            device: self.next,
        });
        self.next = self.next.wrapping_add(1);
        if let Some(address) = address
            && let Some(earlier) = self.addresses.insert(address, at)
            && !self.is_lent(earlier, seen)
        {
            self.follow(at, earlier);
        }
        self.learn(at, &seen.print);
        at
    }

    /// Whether the address is another sender's by chance. Below Android's company identifiers there are 2^24, radios
    /// draw them badly, and each lasts one scan.
    fn is_lent(&self, earlier: u32, seen: &Seen) -> bool {
        let silent_us = seen.at_us.saturating_sub(self.all[earlier as usize].last_us);
        seen.manner == Manner::Android && silent_us > LENT_US
    }

    /// A later track of the same address: the same device, for all that is known, and maybe the same visit.
    fn follow(&mut self, at: u32, earlier: u32) {
        let before = &self.all[earlier as usize];
        let (device, last_us, visit_us) = (before.device, before.last_us, before.visit_us);
        let (visit_dbm, visit_ear) = (before.visit_dbm, before.visit_ear);
        let track = &mut self.all[at as usize];
        (track.same, track.reason, track.device) = (Some(earlier), Reason::Address, device);
        if track.first_us.saturating_sub(last_us) <= self.silence_us {
            track.visit_us = visit_us;
            track.hear(visit_ear, visit_dbm);
        }
    }

    /// Whether the track is over for something that is heard now: after a pause others of its device may have spoken.
    #[inline]
    pub(super) fn is_over(&self, at: u32, at_us: i64) -> bool {
        let track = &self.all[at as usize];
        let pause_us = if track.manner == Manner::Global { GLOBAL_PAUSE_US } else { PAUSE_US };
        at_us.saturating_sub(track.last_us) > pause_us
    }

    /// The track is heard again.
    #[inline]
    pub(super) fn go_on(&mut self, at: u32, seen: &Seen) {
        let silence_us = self.silence_us;
        let track = &mut self.all[at as usize];
        if seen.at_us.saturating_sub(track.last_us) > silence_us {
            track.visit_us = seen.at_us;
            (track.visit_dbm, track.visit_ear) = (seen.rssi_dbm, seen.ear);
        }
        track.hear(seen.ear, seen.rssi_dbm);
        track.rssi_dbm = track.rssi_dbm.max(seen.rssi_dbm);
        track.last_us = track.last_us.max(seen.at_us);
        // A step back is a late copy of an earlier frame.
        if let Some(sequence) = seen.sequence
            && sequence.wrapping_sub(track.sequence) & 0xfff < 0x800
        {
            track.sequence = sequence;
        }
        if track.last_print != seen.print.hash {
            self.learn(at, &seen.print);
        }
    }

    /// Another ear has heard a frame of the track that was counted already.
    pub(super) fn echo(&mut self, at: u32, ear: Ear, rssi_dbm: i8) {
        let track = &mut self.all[at as usize];
        track.hear(ear, rssi_dbm);
        track.rssi_dbm = track.rssi_dbm.max(rssi_dbm);
    }

    fn learn(&mut self, at: u32, print: &Print) {
        let room = u16::try_from(self.prints.len().min(PRINTS - 1)).unwrap_or(u16::MAX);
        let id = match self.prints.get(&print.hash) {
            Some(id) => *id,
            None => {
                if self.prints.len() < PRINTS {
                    self.prints.insert(print.hash, room);
                    self.orders.push(print.order);
                }
                room
            }
        };
        let track = &mut self.all[at as usize];
        track.last_print = print.hash;
        if print.is_weak { track.weak.add(id) } else { track.full.add(id) }
    }

    /// The order of elements of each numbered fingerprint.
    pub(super) fn orders(&self) -> &[u64] {
        &self.orders
    }

    /// Forgets the quarter of the tracks that is silent longest.
    fn forget(&mut self) {
        let mut lasts: Vec<i64> = self.all.iter().map(|track| track.last_us).collect();
        let quarter = lasts.len() / 4;
        let (_, &mut silent_us, _) = lasts.select_nth_unstable(quarter);
        let mut places: Vec<Option<u32>> = Vec::with_capacity(self.all.len());
        let mut kept = 0;
        for track in &self.all {
            let stays = track.last_us > silent_us;
            places.push(stays.then_some(kept));
            kept += u32::from(stays);
            if let Some(forgotten) = self.forgotten.as_mut().filter(|_| !stays) {
                forgotten.push((track.serial, track.device));
            }
        }
        self.all.retain(|track| track.last_us > silent_us);
        for track in &mut self.all {
            let links = [&mut track.before, &mut track.same, &mut track.host];
            let was_linked = links.iter().any(|link| link.is_some());
            for link in links {
                *link = link.and_then(|at| places[at as usize]);
            }
            if was_linked && track.before.is_none() && track.same.is_none() && track.host.is_none() {
                track.origin = track.device;
            }
        }
        self.addresses.retain(|_, at| match places[*at as usize] {
            Some(place) => {
                *at = place;
                true
            }
            None => false,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_are_few_and_the_first_ones_stay() {
        let mut prints = Prints::default();
        (0..20).for_each(|id| prints.add(id));
        assert_eq!(prints.all(), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert!(Prints::default().is_empty() && !prints.is_empty());
    }

    #[test]
    fn the_number_of_tracks_is_bounded_and_the_latest_stay() {
        let mut tracks = Tracks::new(1);
        let print = Print { hash: 1, order: 1, is_weak: false, is_cut: false, unknown: 0 };
        tracks.forgotten = Some(Vec::new());
        for number in 0..TRACKS as u64 + 10 {
            let at_us = i64::try_from(number).unwrap();
            tracks.begin(
                Some(number),
                &Seen { at_us, sequence: None, manner: Manner::Local, ear: Ear::FIRST, rssi_dbm: -50, print },
            );
        }
        assert!(tracks.all.len() <= TRACKS);
        let last = tracks.of(TRACKS as u64 + 9).unwrap();
        assert_eq!(tracks.all[last as usize].first_us, i64::try_from(TRACKS).unwrap() + 9);
        assert_eq!(tracks.of(0), None);
        assert_eq!(tracks.forgotten.as_ref().unwrap().len() + tracks.all.len(), TRACKS + 10);
    }
}
