//! Devices from addresses: online, in one pass, every decision with its reason.
//!
//! 1. An address that is known stays with its chain ([`Reason::Address`]).
//! 2. A new address whose frame counter goes on where a chain's stopped, and whose fingerprint does not speak
//!    against it, is that chain's next address ([`Reason::Counter`]).
//! 3. Otherwise it starts a chain, which is counted to a silent device of the same fingerprint if there is one
//!    ([`Reason::Print`]): the smallest number of devices that explains what was heard. It is a supposition, and is
//!    taken back as soon as that device's older chain speaks again: then there are two of one model
//!    ([`Reason::Twin`]), and the younger chain goes to another silent device of the model or becomes one.
//! 4. Otherwise it is a new device ([`Reason::New`]).

use super::chain::{Chain, Manners, Prints, continuity};
use super::key::Pseudonym;
use super::limits::{SEQUENCE_GAP, SEQUENCE_MEMORY_US};
use super::print::{Manner, Print};
use super::store::Store;

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
    /// Signal, dBm.
    pub rssi_dbm: i8,
    /// What it said it can.
    pub print: Print,
}

/// Why a frame was counted to its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The address is known.
    Address,
    /// The frame counter goes on, this many frames and milliseconds later.
    Counter {
        /// The counter's step.
        gap: u16,
        /// Since the chain's last frame.
        after_ms: u32,
    },
    /// A device of the same fingerprint was silent.
    Print,
    /// Every device of the same fingerprint was speaking.
    Twin,
    /// Nothing like it was known.
    New,
}

/// To which chain a frame was counted, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The chain's number; ask [`Devices::assignments`] at the end, when later frames have had their say.
    pub chain: u32,
    /// Why.
    pub reason: Reason,
}

/// A new address goes on with a chain from this log-ratio on.
const LEAST_SCORE: f64 = 1.0;
/// What it costs to suppose one more device of a model, because a chain that a younger one had replaced goes on.
const TWIN_COST: f64 = 1.5;
/// After this long an address below Android's company identifier is somebody else's, in microseconds.
const LENT_US: i64 = 600_000_000;
/// What it costs to suppose that a chain of which only a weak fingerprint is known is of a certain model.
const NAMING_COST: f64 = 1.0;
/// A silent device is supposed to have sent a chain from this log-ratio on: not against the manner of its addresses.
const LEAST_SILENT: f64 = -1.5;
/// A device that spoke this short a time ago is not silent, in microseconds.
const SILENT_US: i64 = 300_000;

/// See the module.
pub struct Devices {
    pub(super) store: Store,
}

/// Shows numbers only: pseudonyms stay inside.
impl std::fmt::Debug for Devices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (chains, devices) = self.sizes();
        f.debug_struct("Devices").field("chains", &chains).field("devices", &devices).finish_non_exhaustive()
    }
}

/// Copies of one frame from several radios come within this time, in microseconds.
const COPY_US: i64 = 20_000;

/// What is asked of a device that a chain may be counted to.
#[derive(Clone, Copy)]
struct Wanted {
    full: Prints,
    manners: Manners,
    is_global: bool,
    from_us: i64,
    sequence: u16,
}

impl Devices {
    /// Nobody is known; a silence of `silence_us` ends a visit.
    pub fn new(silence_us: i64) -> Self {
        Self { store: Store::new(silence_us) }
    }

    /// Keeps the device of chains that have to be forgotten, until they are taken by [`Devices::forgotten`].
    pub fn keep_forgotten(&mut self) {
        self.store.forgotten = Some(Vec::new());
    }

    /// Chains that were forgotten since the last time, each with its device.
    pub fn forgotten(&mut self) -> Vec<(u32, u32)> {
        self.store.forgotten.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Every remembered chain with its device.
    pub fn assignments(&self) -> impl Iterator<Item = (u32, u32)> {
        let live = self.store.chains.iter().filter(|chain| chain.is_live);
        live.map(|chain| (chain.serial, self.store.device(self.store.host(chain.device)).serial))
    }

    /// How many chains and devices are remembered.
    pub fn sizes(&self) -> (usize, usize) {
        self.store.sizes()
    }

    /// Takes one probe request.
    pub fn see(&mut self, seen: &Sighting) -> Placed {
        let known = seen.address.and_then(|address| self.store.chain_of(address.bits()));
        let known = known.filter(|at| !self.is_chance(*at, seen));
        let (at, reason) = match known {
            Some(at) => (at, Reason::Address),
            None => self.place(seen),
        };
        self.go_on(at, seen);
        Placed { chain: self.store.chain(at).serial, reason }
    }

    /// Whether a known address is another sender's by chance. Below Android's company identifier there are 2^24, radios
    /// draw them badly, and each lasts one scan.
    fn is_chance(&mut self, at: u32, seen: &Sighting) -> bool {
        let after_us = seen.at_us - self.store.chain(at).last_us;
        if seen.manner != Manner::Android || after_us < SILENT_US {
            return false;
        }
        let Some(sequence) = seen.sequence else { return false };
        let gap = sequence.wrapping_sub(self.store.chain(at).sequence) & 0xfff;
        let id = self.store.print_id(&seen.print);
        let is_elsewhere = || self.continuation(seen, id).is_some_and(|(other, _)| other != at);
        after_us > LENT_US || (gap > SEQUENCE_GAP && is_elsewhere())
    }

    /// The chain has spoken again.
    #[inline]
    fn go_on(&mut self, at: u32, seen: &Sighting) {
        if let Some(sequence) = seen.sequence {
            self.store.count_on(at, sequence);
        }
        let silence_us = self.store.silence_us;
        let chain = self.store.chain_mut(at);
        chain.hear(seen.at_us, seen.rssi_dbm, silence_us);
        if chain.last_print != seen.print.hash {
            self.learn(at, seen);
        }
        if self.store.device(self.store.chain(at).device).newest != at {
            self.part(at);
        }
    }

    /// A chain shows a fingerprint: it may be in the wrong house.
    fn learn(&mut self, at: u32, seen: &Sighting) {
        let id = self.store.print_id(&seen.print);
        let home = self.store.chain(at).device;
        let chain = self.store.chain_mut(at);
        chain.last_print = seen.print.hash;
        if seen.print.is_weak {
            chain.weak.add(id);
            chain.weak_manners.add(Manners::of(seen.manner));
            return self.store.tell_device(at);
        }
        let is_first = chain.full.is_empty();
        chain.full.add(id);
        chain.full_manners.add(Manners::of(seen.manner));
        let device = self.store.device(home);
        let (is_news, is_newest) = (!device.full.has(id), device.newest == at);
        if is_first && is_news && is_newest {
            self.rehouse(at);
        }
        self.store.tell_device(at);
        if !is_first && is_news && is_newest && self.store.older(at).is_none() {
            self.join(home, id);
        }
    }

    /// A device of one chain shows a second fingerprint, which others have: it is one of them, unless all of them
    /// spoke when it did.
    fn join(&mut self, home: u32, id: u16) {
        let others: Vec<u32> = self.store.devices_with(id).iter().copied().filter(|at| *at != home).collect();
        for other in others {
            if self.store.unite(home, other) {
                break;
            }
        }
    }

    /// A chain that was only weakly known has shown what it is, and its device is not known to be that.
    fn rehouse(&mut self, at: u32) {
        let device = self.store.chain(at).device;
        let is_alone = self.store.device(device).full.is_empty();
        let wanted = self.wanted(at, at);
        let home = self.silent_device(&wanted, Some(device));
        match home {
            Some(home) => self.move_chains(device, at, at, home),
            None if is_alone => {}
            None => {
                let home = self.store.new_device();
                self.move_chains(device, at, at, home);
            }
        }
    }

    /// A chain spoke again after younger chains were counted to its device: they are another's.
    fn part(&mut self, at: u32) {
        let device = self.store.chain(at).device;
        let newest = self.store.device(device).newest;
        let mut oldest = newest;
        while let Some(older) = self.store.older(oldest).filter(|older| *older != at) {
            oldest = older;
        }
        if self.store.older(oldest).is_none() {
            // What lay between was forgotten: it starts anew.
            let home = self.store.new_device();
            return self.store.stack(home, at, at);
        }
        let wanted = self.wanted(newest, oldest);
        let home = self.silent_device(&wanted, Some(device)).unwrap_or_else(|| self.store.new_device());
        self.move_chains(device, newest, oldest, home);
    }

    /// Moves the chains from `newest` down to `oldest`, which are the top of `from`, on top of `to`.
    fn move_chains(&mut self, from: u32, newest: u32, oldest: u32, to: u32) {
        match self.store.older(oldest) {
            Some(below) => self.store.device_mut(from).newest = below,
            None => self.store.remove_device(from),
        }
        self.store.stack(to, newest, oldest);
    }

    /// What a row of chains asks of a device.
    fn wanted(&self, newest: u32, oldest: u32) -> Wanted {
        let mut at = newest;
        let mut wanted = self.wanted_by(self.store.chain(newest));
        while at != oldest {
            let Some(older) = self.store.older(at) else { break };
            at = older;
            let chain = self.store.chain(at);
            for id in chain.full.all() {
                wanted.full.add(*id);
            }
        }
        let chain = self.store.chain(at);
        Wanted { from_us: chain.first_us, sequence: chain.first_sequence, ..wanted }
    }

    fn wanted_by(&self, chain: &Chain) -> Wanted {
        Wanted {
            full: chain.full,
            manners: chain.full_manners,
            is_global: chain.is_global(),
            from_us: chain.first_us,
            sequence: chain.first_sequence,
        }
    }

    /// A new address: the chain it goes on with, or a new one.
    fn place(&mut self, seen: &Sighting) -> (u32, Reason) {
        let id = self.store.print_id(&seen.print);
        if let Some((at, reason)) = self.continuation(seen, id) {
            if let (Some(_), Reason::Counter { gap, .. }) = (seen.address, reason) {
                self.store.note_step(id, true);
                self.store.chain_mut(at).step(gap);
            }
            self.bind(seen, at);
            return (at, reason);
        }
        let at = self.store.new_chain(seen.at_us, seen.sequence, seen.rssi_dbm);
        let chain = self.store.chain_mut(at);
        chain.last_print = seen.print.hash;
        if seen.print.is_weak {
            chain.weak.add(id);
            chain.weak_manners.add(Manners::of(seen.manner));
        } else {
            chain.full.add(id);
            chain.full_manners.add(Manners::of(seen.manner));
        }
        let wanted = self.wanted(at, at);
        let (home, reason) = match self.silent_device(&wanted, None) {
            Some(home) => {
                self.store.note_step(id, false);
                (home, Reason::Print)
            }
            None => {
                let reason = if self.store.devices_with(id).is_empty() { Reason::New } else { Reason::Twin };
                (self.store.new_device(), reason)
            }
        };
        self.store.stack(home, at, at);
        self.bind(seen, at);
        (at, reason)
    }

    fn bind(&mut self, seen: &Sighting, at: u32) {
        if let Some(address) = seen.address {
            self.store.bind(address.bits(), at);
        }
    }

    /// The chain whose frame counter the new address goes on with.
    fn continuation(&self, seen: &Sighting, id: u16) -> Option<(u32, Reason)> {
        let mut best: Option<(f64, u32, Reason)> = None;
        let steady = self.store.steady(id);
        for (at, gap) in self.store.counters_before(seen.sequence?) {
            let chain = self.store.chain(at);
            let after_us = seen.at_us - chain.last_us;
            // The same number again is another radio's copy, which only a shared address needs to be told by.
            let is_copy = gap == 0 && (seen.address.is_some() || after_us > COPY_US);
            if is_copy || after_us > SEQUENCE_MEMORY_US || (seen.manner == Manner::Global && chain.is_global()) {
                continue;
            }
            let twin = if self.store.device(chain.device).newest == at { 0.0 } else { TWIN_COST };
            let score = continuity(gap, after_us, steady, chain.stride) + self.affinity(chain, seen, id) - twin;
            if score >= LEAST_SCORE && best.is_none_or(|(most, ..)| score > most) {
                let after_ms = u32::try_from(after_us.max(0) / 1000).unwrap_or(u32::MAX);
                best = Some((score, at, Reason::Counter { gap, after_ms }));
            }
        }
        best.map(|(_, at, reason)| (at, reason))
    }

    /// What the fingerprint says for or against one sender, as a logarithm.
    fn affinity(&self, chain: &Chain, seen: &Sighting, id: u16) -> f64 {
        let device = self.store.device(chain.device);
        let manner = |manners: Manners| if manners.fits(Manners::of(seen.manner)) { 0.0 } else { -2.0 };
        if seen.print.is_weak {
            return match () {
                () if chain.weak.has(id) => 0.5 + manner(chain.weak_manners),
                () if device.weak.has(id) => 0.0,
                () if chain.full.is_empty() || chain.is_global() => -4.0,
                () => chain.full.all().iter().map(|full| self.store.mating(*full, id)).fold(-4.0, f64::max),
            };
        }
        match () {
            () if chain.full.has(id) => manner(chain.full_manners),
            () if !chain.full.is_empty() || seen.manner == Manner::Global => -4.0,
            () if device.full.has(id) => 0.5,
            () => chain.weak.all().iter().map(|weak| self.store.mating(id, *weak)).fold(-4.0, f64::max) - NAMING_COST,
        }
    }

    /// The best device that was silent when the chains began and has shown a fingerprint of theirs.
    fn silent_device(&self, wanted: &Wanted, not: Option<u32>) -> Option<u32> {
        let mut best: Option<(f64, u32)> = None;
        for at in wanted.full.all().iter().flat_map(|id| self.store.devices_with(*id)).copied() {
            if Some(at) == not {
                continue;
            }
            if let Some(score) = self.suits(at, wanted)
                && best.is_none_or(|(most, _)| score > most)
            {
                best = Some((score, at));
            }
        }
        best.map(|(_, at)| at)
    }

    /// How well a device suits chains, if it can be theirs at all.
    fn suits(&self, at: u32, wanted: &Wanted) -> Option<f64> {
        let newest = self.store.chain(self.store.device(at).newest);
        let after_us = wanted.from_us - newest.last_us;
        if after_us < SILENT_US || wanted.is_global || newest.is_global() {
            return None;
        }
        let gap = wanted.sequence.wrapping_sub(newest.sequence) & 0xfff;
        let manner = if newest.full_manners.fits(wanted.manners) { 0.0 } else { -2.0 };
        Some(continuity(gap, after_us, 0.5, 0.0) + manner).filter(|score| *score > LEAST_SILENT)
    }
}
