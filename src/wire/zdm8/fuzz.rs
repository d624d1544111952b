//! Bodies for fuzzing: run from property tests and on the kept corpus, and by any fuzzer that gives bytes.

use std::time::Instant;

use super::{FRAME_BYTES, Reply, Request, Zdm8Machine, Zdm8Settings};
use crate::wire::framer::Parsed;
use crate::wire::vend;

/// Frames: what parses is as long as it says and encodes to the same bytes.
#[doc(hidden)]
pub fn fuzz_frames(data: &[u8]) -> usize {
    let mut whole = 0;
    for at in 0..data.len() {
        if let Parsed::Whole(reply, length) = Reply::parse(1, &data[at..]) {
            assert!(length <= FRAME_BYTES && reply.encode(1) == data[at..at + length]);
            whole += 1;
        }
        if let Parsed::Whole(request, length) = Request::parse(1, &data[at..]) {
            assert!(length <= FRAME_BYTES && request.encode(1) == data[at..at + length]);
            whole += 1;
        }
    }
    whole
}

/// The machine.
#[doc(hidden)]
pub fn fuzz_machine(start: Instant, data: &[u8]) -> usize {
    vend::drive(Zdm8Machine::new(Zdm8Settings::default(), start), start, data)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::scan::test_start;

    #[test]
    fn the_kept_corpus_passes_every_body() {
        assert!(vend::corpus("zdm8", |data| fuzz_frames(data) + fuzz_machine(test_start(), data)) > 0);
    }

    #[test]
    fn random_and_mutated_bytes_break_nothing() {
        let replies = [
            Reply::Read(vec![0x20, 0x02, 0x0a, 0x0a]),
            Reply::Read(vec![0, 0]),
            Reply::Read(vec![1, 0]),
            Reply::Read(vec![2, 0]),
            Reply::Read(vec![3, 7]),
            Reply::Written { register: 0x2001, words: 2 },
            Reply::Exception { function: 0x06, code: 4 },
            Reply::Exception { function: 0x10, code: 6 },
        ];
        let good: Vec<Vec<u8>> = replies.iter().map(|reply| reply.encode(1)).collect();
        let good: Vec<&[u8]> = good.iter().map(Vec::as_slice).collect();
        vend::long_run("zdm8", &good, |data| fuzz_machine(test_start(), data));
    }

    proptest! {
        #[test]
        fn no_bytes_break_a_body(data in prop::collection::vec(any::<u8>(), 0..600)) {
            fuzz_frames(&data);
            fuzz_machine(test_start(), &data);
        }
    }
}
