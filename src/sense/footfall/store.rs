//! What is remembered: chains, devices, addresses and the two indices over them. Bounded; no decisions are made here.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::chain::{Chain, Manners, Prints};
use super::limits::{ADDRESSES, CANDIDATES, CHAINS, PRINTS, SEQUENCE_GAP, UNITED};
use super::print::Print;

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

/// One device, as far as it is known.
#[derive(Debug, Clone)]
pub(super) struct Device {
    /// Unique within the key's life.
    pub(super) serial: u32,
    /// Its latest chain.
    pub(super) newest: u32,
    pub(super) full: Prints,
    pub(super) weak: Prints,
    /// How long it was heard while the shop was closed, in microseconds.
    pub(super) closed_us: i64,
    /// Of a device that has only shown what many models share: the device it is supposed to be, with its serial.
    pub(super) host: Option<(u32, u32)>,
    pub(super) is_live: bool,
}

/// What is known of one fingerprint.
#[derive(Debug, Default)]
struct Known {
    devices: Vec<u32>,
    /// Weak ones that devices with this one have shown.
    mates: Prints,
    /// How often a new address went on with a frame counter, and how often not.
    steps: u32,
    jumps: u32,
}

/// Place of a chain whose frame counter is not known.
const NO_SLOT: u32 = u32::MAX;
const BUCKETS: usize = 64;
const PER_BUCKET: u16 = 64;

fn bucket(sequence: u16) -> usize {
    usize::from(sequence / PER_BUCKET) % BUCKETS
}

/// See the module.
pub(super) struct Store {
    pub(super) chains: Vec<Chain>,
    free_chains: Vec<u32>,
    pub(super) devices: Vec<Device>,
    free_devices: Vec<u32>,
    addresses: ByHash<(u32, u32)>,
    prints: ByHash<u16>,
    with_print: Vec<Known>,
    counters: Vec<Vec<u32>>,
    next_chain: u32,
    next_device: u32,
    /// A silence that ends a visit.
    pub(super) silence_us: i64,
    /// Chains that were forgotten, with the device they were counted to, for whoever still asks.
    pub(super) forgotten: Option<Vec<(u32, u32)>>,
}

impl Store {
    pub(super) fn new(silence_us: i64) -> Self {
        Self {
            chains: Vec::new(),
            free_chains: Vec::new(),
            devices: Vec::new(),
            free_devices: Vec::new(),
            addresses: HashMap::default(),
            prints: HashMap::default(),
            with_print: Vec::new(),
            counters: vec![Vec::new(); BUCKETS],
            next_chain: 0,
            next_device: 0,
            silence_us,
            forgotten: None,
        }
    }

    pub(super) fn chain(&self, at: u32) -> &Chain {
        &self.chains[at as usize]
    }

    pub(super) fn chain_mut(&mut self, at: u32) -> &mut Chain {
        &mut self.chains[at as usize]
    }

    pub(super) fn device(&self, at: u32) -> &Device {
        &self.devices[at as usize]
    }

    pub(super) fn device_mut(&mut self, at: u32) -> &mut Device {
        &mut self.devices[at as usize]
    }

    /// The chain an address belongs to.
    #[inline]
    pub(super) fn chain_of(&self, address: u64) -> Option<u32> {
        let (at, serial) = *self.addresses.get(&address)?;
        let chain = self.chain(at);
        (chain.is_live && chain.serial == serial).then_some(at)
    }

    /// From now on the address belongs to the chain.
    pub(super) fn bind(&mut self, address: u64, chain: u32) {
        if self.addresses.len() >= ADDRESSES {
            self.forget_addresses();
        }
        let serial = self.chain(chain).serial;
        self.addresses.insert(address, (chain, serial));
    }

    /// Drops addresses of forgotten chains, and if that is not enough those of the chains that are silent longest.
    fn forget_addresses(&mut self) {
        let chains = &self.chains;
        self.addresses.retain(|_, (at, serial)| {
            let chain = &chains[*at as usize];
            chain.is_live && chain.serial == *serial
        });
        if self.addresses.len() > ADDRESSES / 2 {
            let mut last: Vec<_> = self.addresses.values().map(|(at, _)| chains[*at as usize].last_us).collect();
            let middle = last.len() / 2;
            let (_, &mut silent_us, _) = last.select_nth_unstable(middle);
            self.addresses.retain(|_, (at, _)| chains[*at as usize].last_us > silent_us);
        }
    }

    /// A small number for a fingerprint.
    pub(super) fn print_id(&mut self, print: &Print) -> u16 {
        if let Some(id) = self.prints.get(&print.hash) {
            return *id;
        }
        let id = self.with_print.len();
        if id < PRINTS {
            self.with_print.push(Known::default());
        }
        let id = u16::try_from(id.min(PRINTS - 1)).unwrap_or(u16::MAX);
        if self.prints.len() < PRINTS {
            self.prints.insert(print.hash, id);
        }
        id
    }

    /// Devices that have shown a fingerprint, the latest ones last.
    pub(super) fn devices_with(&self, print: u16) -> &[u32] {
        let all = &self.with_print[usize::from(print)].devices;
        &all[all.len().saturating_sub(CANDIDATES)..]
    }

    /// How often senders with this fingerprint carry their frame counter over to a new address, from 0 to 1.
    pub(super) fn steady(&self, print: u16) -> f64 {
        let known = &self.with_print[usize::from(print)];
        (f64::from(known.steps) + 2.0) / (f64::from(known.steps) + f64::from(known.jumps) + 3.0)
    }

    /// What is known of devices with the fingerprint `full` sending `weak` too, as a logarithm.
    pub(super) fn mating(&self, full: u16, weak: u16) -> f64 {
        let known = &self.with_print[usize::from(full)];
        let addresses = known.steps.saturating_add(known.jumps).min(10);
        if known.mates.has(weak) { -0.5 } else { -1.5 - 0.1 * f64::from(addresses) }
    }

    /// A new address with this fingerprint went on with a frame counter, or did not.
    pub(super) fn note_step(&mut self, print: u16, is_step: bool) {
        let known = &mut self.with_print[usize::from(print)];
        let count = if is_step { &mut known.steps } else { &mut known.jumps };
        *count = count.saturating_add(1);
    }

    /// The device that a device is supposed to be: itself, unless it lodges with one.
    pub(super) fn host(&self, at: u32) -> u32 {
        let host = self.device(at).host.filter(|_| self.device(at).full.is_empty());
        host.filter(|(host, serial)| self.device(*host).is_live && self.device(*host).serial == *serial)
            .map_or(at, |(host, _)| host)
    }

    /// A device without any chain yet.
    pub(super) fn new_device(&mut self) -> u32 {
        let device = Device {
            serial: self.next_device,
            newest: u32::MAX,
            full: Prints::default(),
            weak: Prints::default(),
            closed_us: 0,
            host: None,
            is_live: true,
        };
        self.next_device = self.next_device.wrapping_add(1);
        put(&mut self.devices, &mut self.free_devices, device)
    }

    /// A chain that belongs to nobody yet.
    pub(super) fn new_chain(&mut self, at_us: i64, sequence: Option<u16>, rssi_dbm: i8) -> u32 {
        if self.chains.len() - self.free_chains.len() >= CHAINS {
            self.forget_chains();
        }
        let chain = Chain {
            serial: self.next_chain,
            device: u32::MAX,
            older: None,
            first_us: at_us,
            last_us: at_us,
            first_sequence: sequence.unwrap_or(0),
            sequence: sequence.unwrap_or(0),
            slot: NO_SLOT,
            stride: 0.0,
            last_print: 0,
            full: Prints::default(),
            weak: Prints::default(),
            full_manners: Manners::default(),
            weak_manners: Manners::default(),
            visit_us: at_us,
            visit_dbm: rssi_dbm,
            is_live: true,
        };
        self.next_chain = self.next_chain.wrapping_add(1);
        let at = put(&mut self.chains, &mut self.free_chains, chain);
        if sequence.is_some() {
            self.enter(at);
        }
        at
    }

    fn enter(&mut self, at: u32) {
        let bucket = &mut self.counters[bucket(self.chains[at as usize].sequence)];
        self.chains[at as usize].slot = index(bucket.len());
        bucket.push(at);
    }

    fn leave(&mut self, at: u32) {
        let chain = &self.chains[at as usize];
        if chain.slot == NO_SLOT {
            return;
        }
        let (slot, bucket) = (chain.slot, &mut self.counters[bucket(chain.sequence)]);
        bucket.swap_remove(slot as usize);
        if let Some(&moved) = bucket.get(slot as usize) {
            self.chains[moved as usize].slot = slot;
        }
    }

    /// The chain's counter has come to `sequence`. A step back is a late copy of an earlier frame.
    #[inline]
    pub(super) fn count_on(&mut self, at: u32, sequence: u16) {
        let now = self.chain(at).sequence;
        if sequence.wrapping_sub(now) & 0xfff >= 0x800 && self.chain(at).slot != NO_SLOT {
            return;
        }
        if self.chain(at).slot != NO_SLOT && bucket(now) == bucket(sequence) {
            self.chain_mut(at).sequence = sequence;
        } else {
            self.leave(at);
            self.chain_mut(at).sequence = sequence;
            self.enter(at);
        }
    }

    /// Chains whose counter stood at most [`SEQUENCE_GAP`] before `sequence`, with the step between.
    pub(super) fn counters_before(&self, sequence: u16) -> impl Iterator<Item = (u32, u16)> {
        let buckets = usize::from(SEQUENCE_GAP / PER_BUCKET) + 1;
        let here = bucket(sequence) + BUCKETS;
        let near = (0..buckets).flat_map(move |back| &self.counters[(here - back) % BUCKETS]);
        near.filter_map(move |&at| {
            let gap = sequence.wrapping_sub(self.chain(at).sequence) & 0xfff;
            (gap <= SEQUENCE_GAP).then_some((at, gap))
        })
    }

    /// The next older chain of the same device, if it is still remembered.
    pub(super) fn older(&self, at: u32) -> Option<u32> {
        let (older, serial) = self.chain(at).older?;
        let chain = self.chain(older);
        (chain.is_live && chain.serial == serial).then_some(older)
    }

    /// A device's chains, newest first; `None` if there are too many to look at.
    pub(super) fn chains_of(&self, device: u32) -> Option<Vec<u32>> {
        let mut found = Vec::new();
        let mut at = Some(self.device(device).newest);
        while let Some(chain) = at {
            if found.len() >= UNITED {
                return None;
            }
            found.push(chain);
            at = self.older(chain);
        }
        Some(found)
    }

    /// Makes two devices one if no chain of one spoke while a chain of the other did; `from` is gone then.
    pub(super) fn unite(&mut self, into: u32, from: u32) -> bool {
        let (Some(mut chains), Some(others)) = (self.chains_of(into), self.chains_of(from)) else { return false };
        chains.extend(others);
        if chains.len() > UNITED {
            return false;
        }
        chains.sort_by_key(|at| std::cmp::Reverse(self.chain(*at).first_us));
        let is_apart = chains.windows(2).all(|pair| self.chain(pair[1]).last_us < self.chain(pair[0]).first_us);
        if is_apart {
            self.device_mut(into).closed_us += self.device(from).closed_us;
            for pair in chains.windows(2) {
                self.chain_mut(pair[0]).older = Some((pair[1], self.chain(pair[1]).serial));
            }
            self.remove_device(from);
            self.device_mut(into).newest = u32::MAX;
            self.stack(into, chains[0], chains[chains.len() - 1]);
        }
        is_apart
    }

    /// Puts chains, which are linked from `newest` down to `oldest`, on top of a device's own.
    pub(super) fn stack(&mut self, device: u32, newest: u32, oldest: u32) {
        let below = self.device(device).newest;
        let below = (below != u32::MAX).then(|| (below, self.chain(below).serial));
        self.chain_mut(oldest).older = below;
        self.device_mut(device).newest = newest;
        let mut at = Some(newest);
        while let Some(chain) = at {
            self.chain_mut(chain).device = device;
            self.tell_device(chain);
            at = if chain == oldest { None } else { self.older(chain) };
        }
    }

    /// The device learns what its chain has shown.
    pub(super) fn tell_device(&mut self, at: u32) {
        let (device, full, weak) = (self.chain(at).device, self.chain(at).full, self.chain(at).weak);
        for &id in full.all() {
            if self.device_mut(device).full.add(id) {
                self.with_print[usize::from(id)].devices.push(device);
            }
        }
        for &id in weak.all() {
            if self.device_mut(device).weak.add(id) {
                self.with_print[usize::from(id)].devices.push(device);
            }
        }
        for &id in full.all() {
            for mate in weak.all() {
                self.with_print[usize::from(id)].mates.add(*mate);
            }
        }
    }

    /// Removes a device that has no chain any more.
    pub(super) fn remove_device(&mut self, at: u32) {
        let device = &mut self.devices[at as usize];
        device.is_live = false;
        device.newest = u32::MAX;
        let (full, weak) = (std::mem::take(&mut device.full), std::mem::take(&mut device.weak));
        for &id in full.all().iter().chain(weak.all()) {
            self.with_print[usize::from(id)].devices.retain(|device| *device != at);
        }
        self.free_devices.push(at);
    }

    /// How many chains and devices are remembered.
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.chains.len() - self.free_chains.len(), self.devices.len() - self.free_devices.len())
    }

    /// Forgets the eighth of the chains that is silent longest, and every chain below one that goes.
    fn forget_chains(&mut self) {
        let mut last: Vec<_> = self.chains.iter().filter(|chain| chain.is_live).map(|chain| chain.last_us).collect();
        let eighth = last.len() / 8;
        let (_, &mut silent_us, _) = last.select_nth_unstable(eighth);
        let goes = |chain: &Chain| chain.is_live && chain.last_us <= silent_us;
        let without: Vec<bool> = self.devices.iter().map(|d| d.is_live && goes(self.chain(d.newest))).collect();
        let gone: Vec<u32> = (0u32..)
            .zip(&self.chains)
            .filter(|(_, chain)| goes(chain) || (chain.is_live && without[chain.device as usize]))
            .map(|(at, _)| at)
            .collect();
        for at in gone {
            self.leave(at);
            let (serial, device) = (self.chain(at).serial, self.device(self.host(self.chain(at).device)).serial);
            if let Some(forgotten) = &mut self.forgotten {
                forgotten.push((serial, device));
            }
            self.chain_mut(at).is_live = false;
            self.free_chains.push(at);
        }
        (0u32..).zip(without).filter(|(_, goes)| *goes).for_each(|(at, _)| self.remove_device(at));
    }
}

/// An index as it is remembered: every table is bounded far below 2^32.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Puts into a free place, or at the end.
fn put<T>(places: &mut Vec<T>, free: &mut Vec<u32>, value: T) -> u32 {
    match free.pop() {
        Some(at) => {
            places[at as usize] = value;
            at
        }
        None => {
            places.push(value);
            index(places.len() - 1)
        }
    }
}
