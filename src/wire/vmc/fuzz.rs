//! Bodies for fuzzing: run from property tests and on the kept corpus, and by any fuzzer that gives bytes.

use std::time::{Duration, Instant};

use super::limits::FRAME_BYTES;
use super::{Frame, Message, VmcMachine, VmcSettings, parse};
use crate::wire::framer::{Parsed, Piece};
use crate::wire::vend;

/// Frames: what parses is as long as it says, encodes to the same bytes, and means something that says itself again.
#[doc(hidden)]
pub fn fuzz_frames(start: Instant, data: &[u8]) -> usize {
    let mut whole = 0;
    for at in 0..data.len() {
        let Parsed::Whole(frame, length) = parse(&data[at..]) else { continue };
        assert!(length <= FRAME_BYTES && frame.encode() == data[at..at + length]);
        whole += 1;
        let Ok(decoded) = Message::decode(&frame) else { continue };
        let again = decoded.message.frame(frame.pack.unwrap_or(1));
        let again = Message::decode(&again).map(|decoded| decoded.message);
        assert_eq!(again, Ok(decoded.message));
    }
    let mut framer = super::framer(Duration::from_millis(50), start);
    let (mut bytes, mut frames) = (0, 0);
    let mut count = |piece: Piece<Frame>| match piece {
        Piece::Noise(noise) => bytes += noise,
        Piece::Frame(frame) => {
            bytes += frame.encode().len() as u64;
            frames += 1;
        }
    };
    framer.push(start, data, &mut count);
    framer.tick(start + Duration::from_millis(50), &mut count);
    assert_eq!(bytes, data.len() as u64, "every byte is in a frame or noise");
    assert!(frames <= whole);
    whole
}

/// The machine.
#[doc(hidden)]
pub fn fuzz_machine(start: Instant, data: &[u8]) -> usize {
    vend::drive(VmcMachine::new(VmcSettings::default(), 0, start), start, data)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::scan::test_start;

    #[test]
    fn the_kept_corpus_passes_every_body() {
        let results = vend::corpus("vmc", |data| fuzz_frames(test_start(), data) + fuzz_machine(test_start(), data));
        assert!(results > 0);
    }

    #[test]
    fn random_and_mutated_bytes_break_nothing() {
        let good: [&[u8]; 9] = [
            &[0xfa, 0xfb, 0x41, 0x00, 0x40],
            &[0xfa, 0xfb, 0x42, 0x00, 0x43],
            &[0xfa, 0xfb, 0x31, 0x01, 0x02, 0x33],
            &[0xfa, 0xfb, 0x04, 0x04, 0xa3, 0x01, 0x00, 0x3c, 0x9f],
            &[0xfa, 0xfb, 0x04, 0x04, 0xa4, 0x02, 0x00, 0x3c, 0x9b],
            &[0xfa, 0xfb, 0x04, 0x04, 0x9e, 0x03, 0x00, 0x3c, 0xa0],
            &[0xfa, 0xfb, 0x02, 0x04, 0xa2, 0x01, 0x00, 0x3c, 0x98],
            &[0xfa, 0xfb, 0x21, 0x06, 0x91, 0x01, 0x00, 0x01, 0x86, 0xa0, 0x91],
            &[0xfa, 0xfb, 0x11, 0x0c, 0x41, 0, 1, 0, 0, 0x26, 0xac, 4, 4, 0, 1, 3, 0xd4],
        ];
        vend::long_run("vmc", &good, |data| fuzz_machine(test_start(), data));
    }

    proptest! {
        #[test]
        fn no_bytes_break_a_body(data in prop::collection::vec(any::<u8>(), 0..600)) {
            fuzz_frames(test_start(), &data);
            fuzz_machine(test_start(), &data);
        }
    }
}
