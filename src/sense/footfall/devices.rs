//! Devices from addresses: online, in one pass, every decision with its reason.
//!
//! 1. What is heard of one address without a long pause is a track. That costs one look-up a frame.
//! 2. When a window closes ([`Devices::settle`]), tracks are linked: each goes on from at most one that ended before,
//!    and from each at most one goes on. First by the frame counter: its step in the time between has to be usual for
//!    the model, which is learned on the way ([`Reason::Counter`]). The links of the greatest sum are taken, so that a
//!    track which fits one device by chance goes to another whose counter needs it.
//! 3. Rows of linked tracks are linked where one of the same model was silent ([`Reason::Model`]): as few devices as
//!    explain what was heard. What only ever spoke weakly finds a host that was silent meanwhile.
//! 4. Tracks of one address are one device ([`Reason::Address`]), and so is a row of linked tracks.
//!
//! The last six hours are linked anew each time: a supposition is taken back as soon as something speaks against it.
//! Two devices of one model stay two as long as both speak at some time.
//!
//! Ideas from: Vanhoef et al. 2016 (elements as fingerprint, counters across addresses), Tan and Chan 2021 (linking as
//! an assignment over elements, counter and signal), Uras et al. 2022 (rates of a model). Bertsekas 1988 (auction).

use super::cells::Ear;
use super::key::Pseudonym;
use super::limits::{NAMELESS, NAMELESS_GAP, NAMELESS_US};
use super::links;
use super::print::{Manner, Print};
use super::tracks::{Reason, Seen, Tracks};

/// One probe request, as far as devices are concerned.
#[derive(Debug, Clone, Copy)]
pub struct Sighting {
    /// When, in microseconds since 1970-01-01T00:00:00Z.
    pub at_us: i64,
    /// From whom; `None` when the address is one that many share ([`Address::is_shared`]).
    ///
    /// [`Address::is_shared`]: crate::wire::dot11::Address::is_shared
    pub address: Option<Pseudonym>,
    /// How the address was made.
    pub manner: Manner,
    /// The sender's frame counter, 0 to 4095; `None` from a box that reports addresses only.
    pub sequence: Option<u16>,
    /// Who heard it.
    pub ear: Ear,
    /// Signal, dBm.
    pub rssi_dbm: i8,
    /// What it said it can.
    pub print: Print,
}

/// To which track a frame was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The track's number; ask [`Devices::assignments`] for its device when later frames have had their say.
    pub track: u32,
    /// Whether the track began with this frame.
    pub is_new: bool,
}

/// See the module.
pub struct Devices {
    pub(super) tracks: Tracks,
    /// Open tracks without an address that says anything, the latest last.
    nameless: Vec<u32>,
    /// Something was heard since tracks were linked.
    is_news: bool,
}

/// Shows numbers only: pseudonyms stay inside.
impl std::fmt::Debug for Devices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Devices").field("tracks", &self.tracks.all.len()).finish_non_exhaustive()
    }
}

impl Devices {
    /// Nobody is known; a silence of `silence_us` ends a visit.
    pub fn new(silence_us: i64) -> Self {
        Self { tracks: Tracks::new(silence_us), nameless: Vec::new(), is_news: false }
    }

    /// Keeps the device of tracks that have to be forgotten, until they are taken by [`Devices::forgotten`].
    pub fn keep_forgotten(&mut self) {
        self.tracks.forgotten = Some(Vec::new());
    }

    /// Tracks that were forgotten since the last time, each with its device.
    pub fn forgotten(&mut self) -> Vec<(u32, u32)> {
        self.tracks.forgotten.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Every remembered track with its device and why it is that one, as of the last [`Devices::settle`].
    pub fn assignments(&self) -> impl Iterator<Item = (u32, u32, Reason)> {
        self.tracks.all.iter().map(|track| (track.serial, track.device, track.reason))
    }

    /// How many tracks and devices are remembered.
    pub fn sizes(&self) -> (usize, usize) {
        let mut devices: Vec<u32> = self.tracks.all.iter().map(|track| track.device).collect();
        devices.sort_unstable();
        devices.dedup();
        (self.tracks.all.len(), devices.len())
    }

    /// Takes one probe request.
    #[inline]
    pub fn see(&mut self, seen: &Sighting) -> Placed {
        let Sighting { at_us, manner, sequence, ear, rssi_dbm, print, .. } = *seen;
        self.is_news = true;
        let of_track = Seen { at_us, sequence, manner, ear, rssi_dbm, print };
        let known = match seen.address {
            Some(address) => self.tracks.of(address.bits()),
            None => self.nameless(&of_track),
        };
        let (at, is_new) = match known.filter(|at| !self.tracks.is_over(*at, at_us)) {
            Some(at) => {
                self.tracks.go_on(at, &of_track);
                (at, false)
            }
            None => (self.begin(seen.address, &of_track), true),
        };
        Placed { track: self.tracks.all[at as usize].serial, is_new }
    }

    fn begin(&mut self, address: Option<Pseudonym>, seen: &Seen) -> u32 {
        let before = self.tracks.all.len();
        let at = self.tracks.begin(address.map(Pseudonym::bits), seen);
        if self.tracks.all.len() <= before {
            // Places have changed.
            self.nameless.clear();
        }
        if address.is_none() {
            if self.nameless.len() >= NAMELESS {
                self.nameless.remove(0);
            }
            self.nameless.push(at);
        }
        at
    }

    /// The open track whose counter a frame of a shared address goes on with.
    fn nameless(&self, seen: &Seen) -> Option<u32> {
        let gap = |at: &u32| {
            let track = &self.tracks.all[*at as usize];
            let gap = seen.sequence?.wrapping_sub(track.sequence) & 0xfff;
            let is_near = gap <= NAMELESS_GAP && seen.at_us - track.last_us <= NAMELESS_US;
            is_near.then_some((gap, *at))
        };
        self.nameless.iter().filter_map(gap).min().map(|(_, at)| at)
    }

    /// Another ear has heard a frame that was counted already, perhaps better.
    pub(super) fn echo(&mut self, address: Option<Pseudonym>, ear: Ear, rssi_dbm: i8) {
        if let Some(at) = address.and_then(|address| self.tracks.of(address.bits())) {
            self.tracks.echo(at, ear, rssi_dbm);
        }
    }

    /// Links tracks to devices anew.
    pub fn settle(&mut self) {
        if std::mem::take(&mut self.is_news) {
            links::link(&mut self.tracks);
        }
    }
}
