//! Serial and HID scanners: framing, GM65 commands, key events, and what a code means.
//!
//! The way of a code: bytes → [`Framer`] (what is one code, what is noise) → gate (AIM identifier, repeat window) →
//! [`Heard::Decoded`] → [`classify`] (member, payment, coupon, product …). A scanner on a serial line is a
//! [`SerialScanner`], a HID keyboard a [`HidScanner`]; both share everything after the framer.
//!
//! What is absent: no I/O, no clock, no profile files, no verification of coupons (only their shape is known here).
//!
//! Invariants: any split of the stream gives the same codes; noise is counted and never an error; no code is
//! invented, beyond the odds given at [`Framer`]; memory is bounded whatever arrives.
//!
//! Limits: a code is at most `Framing::max_code_bytes` long (4096 unless a profile says otherwise), a reply at most
//! 10 bytes, four actions wait, 64 recent codes are remembered for the repeat window, and at most 17 rounds of
//! configuration (of at most five commands, each at most three times) are ever written to one scanner.
//!
//! A GM65 with AIM identifiers on, reading an EAN-13 after it was triggered:
//!
//! ```text
//! → 7E 00 08 01 00 02 01 02 DA         write 01 to zone 0002: read now
//! ← 02 00 00 01 00 33 31               done
//! ← 5D 45 30                           ]E0  EAN-13
//! ← 36 39 30 31 32 33 34 35 36 37 38 39 32   6901234567892
//! ← 0D                                 CR
//! ```

mod aim;
mod classify;
mod coupon;
mod frame;
mod fuzz;
mod gate;
pub mod gm65;
mod gs1;
mod hid;
mod intake;
mod machine;
mod product;
mod session;

pub use aim::split_aim;
pub use classify::{Classified, classify, masked};
pub use frame::{Frame, Framer, Framing, Terminator};
pub use fuzz::{fuzz_classify, fuzz_gm65, fuzz_gs1, fuzz_hid, fuzz_serial};
pub use gs1::{AiError, Elements, parse_digital_link, parse_element_string};
pub use hid::{EVENT_BYTES, HidScanner, HidSettings};
pub use intake::{Decoded, Heard, ScanAction};
pub use machine::{Dialect, SerialScanner, SerialSettings};
pub use session::{Gm65Settings, ScanMode};

/// A point in elapsed time for tests: which one does not matter, only what follows.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant can be had in no other way, and tests only add to it")]
pub(crate) fn test_start() -> std::time::Instant {
    std::time::Instant::now()
}

/// SplitMix64 (Steele, Lea, Flood 2014), for noise that a test can repeat.
#[cfg(test)]
pub(crate) fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
