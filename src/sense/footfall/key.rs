//! The key under which addresses become pseudonyms.

use crate::wire::dot11::Address;

/// 128 random bits that live in memory only and are replaced at least daily. With the key gone, nothing leads from a
/// pseudonym to an address: the 2^48 addresses cannot be tried without it.
pub struct Key {
    k0: u64,
    k1: u64,
}

/// An address under a key: SipHash-2-4 (Aumasson and Bernstein 2012).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pseudonym(u64);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // A plain store could be left out as dead; `black_box` makes the zeroes count.
        self.k0 = std::hint::black_box(0);
        self.k1 = std::hint::black_box(0);
    }
}

impl Key {
    /// From 16 random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        let word = |at: usize| (0..8).fold(0, |word, i| word | u64::from(random[at + i]) << (8 * i));
        Self { k0: word(0), k1: word(8) }
    }

    /// The address's pseudonym.
    #[inline]
    pub fn pseudonym(&self, address: Address) -> Pseudonym {
        let tail = address.octets().iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        Pseudonym(self.sip(&[], 6 << 56 | tail))
    }

    fn sip(&self, words: &[u64], last: u64) -> u64 {
        let mut v = [
            self.k0 ^ 0x736f_6d65_7073_6575,
            self.k1 ^ 0x646f_7261_6e64_6f6d,
            self.k0 ^ 0x6c79_6765_6e65_7261,
            self.k1 ^ 0x7465_6462_7974_6573,
        ];
        for &word in words.iter().chain([&last]) {
            v[3] ^= word;
            round(&mut v);
            round(&mut v);
            v[0] ^= word;
        }
        v[2] ^= 0xff;
        (0..4).for_each(|_| round(&mut v));
        v[0] ^ v[1] ^ v[2] ^ v[3]
    }
}

impl Pseudonym {
    /// The 64 bits, which already are as good as random.
    pub(super) fn bits(self) -> u64 {
        self.0
    }
}

#[inline]
fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paper_key() -> Key {
        Key::new(std::array::from_fn(|at| u8::try_from(at).unwrap()))
    }

    #[test]
    fn the_papers_vectors_come_out() {
        // SipHash-2-4 of the 15 bytes 00 … 0e under the key 00 … 0f (appendix A of the paper), and of 00 … 05.
        let last = 15 << 56 | 0x000e_0d0c_0b0a_0908;
        assert_eq!(paper_key().sip(&[0x0706_0504_0302_0100], last), 0xa129_ca61_49be_45e5);
        let address = Address::new([0, 1, 2, 3, 4, 5]);
        assert_eq!(paper_key().pseudonym(address).bits(), 0xcbc9_466e_58fe_e3ce);
    }

    #[test]
    fn another_key_gives_another_pseudonym_and_a_key_is_not_shown() {
        let address = Address::new([2, 0, 0, 0, 0, 1]);
        assert_ne!(Key::new([1; 16]).pseudonym(address), Key::new([2; 16]).pseudonym(address));
        assert_eq!(format!("{:?}", paper_key()), "Key(…)");
    }
}
