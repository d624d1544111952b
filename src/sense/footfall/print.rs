//! The fingerprint of a device model: what its probe requests say it can, in their order.
//!
//! After Vanhoef et al. 2016 ("Why MAC Address Randomization is not Enough"): order and content of the elements,
//! vendor elements by their type. Left out is what changes within one device or names a person: the SSID, the channel,
//! the body of WPS, and the body of Microsoft's element 8, whose last bytes change from scan to scan.

use crate::wire::dot11::{Address, Elements};

/// Under which kind of address a device speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Manner {
    /// Burnt in.
    Global,
    /// Made up below a company identifier of Android's.
    Android,
    /// Made up in any other way.
    Local,
}

impl Manner {
    /// How an address was made.
    pub fn of(address: Address) -> Self {
        match (address.is_local(), address.is_android()) {
            (false, _) => Self::Global,
            (true, true) => Self::Android,
            (true, false) => Self::Local,
        }
    }
}

/// A fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Print {
    /// Of ids, order and lasting contents.
    pub hash: u64,
    /// Of ids and their order alone, with the company of vendor elements.
    pub order: u64,
    /// Only rates and nothing else: many models look alike in it.
    pub is_weak: bool,
    /// The walk over the elements was cut short.
    pub is_cut: bool,
    /// How many elements have no meaning known here.
    pub unknown: u32,
}

const SSID: u8 = 0;
const CHANNEL: u8 = 3;
const VENDOR: u8 = 221;
/// What even the barest probe request has: SSID, rates, channel, more rates.
const BARE: [u8; 4] = [SSID, 1, CHANNEL, 50];
/// Ids that are known to stand in probe requests (IEEE 802.11-2020, table 9-38).
const KNOWN: [u8; 19] = [0, 1, 3, 10, 45, 50, 59, 70, 84, 107, 114, 127, 148, 158, 191, 199, 221, 244, 255];
const WPS: [u8; 4] = [0x00, 0x50, 0xf2, 0x04];
const MICROSOFT_8: [u8; 4] = [0x00, 0x50, 0xf2, 0x08];

/// The fingerprint of a frame's elements; `seed` keeps hashes of different keys apart.
#[inline]
pub fn fingerprint(seed: u64, mut elements: Elements<'_>) -> Print {
    let (mut hash, mut order) = (seed, seed);
    let (mut is_weak, mut unknown) = (true, 0);
    for element in elements.by_ref() {
        hash = mix(hash, u64::from(element.id));
        order = mix(order, u64::from(element.id));
        if BARE.contains(&element.id) {
            if !matches!(element.id, SSID | CHANNEL) {
                hash = mix_all(hash, element.body);
            }
            continue;
        }
        is_weak = false;
        unknown += u32::from(!KNOWN.contains(&element.id));
        if element.id == VENDOR {
            hash = mix_vendor(hash, element.body);
            order = element.body.iter().take(3).fold(order, |order, byte| mix(order, u64::from(*byte)));
        } else {
            hash = mix_all(hash, element.body);
        }
    }
    Print { hash: finish(hash), order: finish(order), is_weak, is_cut: elements.is_cut(), unknown }
}

fn mix_vendor(hash: u64, body: &[u8]) -> u64 {
    match body.first_chunk() {
        Some(&WPS) => mix_all(hash, &WPS),
        Some(&MICROSOFT_8) => mix(mix_all(hash, &MICROSOFT_8), body.len() as u64),
        _ => mix_all(hash, body),
    }
}

#[inline]
fn mix_all(hash: u64, bytes: &[u8]) -> u64 {
    let mut chunks = bytes.chunks_exact(8);
    let mut hash = mix(hash, bytes.len() as u64);
    for chunk in chunks.by_ref() {
        hash = mix(hash, chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }
    match chunks.remainder() {
        [] => hash,
        rest => mix(hash, rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))),
    }
}

#[inline]
fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn finish(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ hash >> 32
}
