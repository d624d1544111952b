//! The body for fuzzing: run from property tests and by any fuzzer that gives bytes.

use super::probe::{Link, decode};

/// Decodes under both link types and walks every element; how many elements came out.
#[doc(hidden)]
pub fn fuzz_decode(data: &[u8]) -> usize {
    [Link::Bare, Link::Radiotap]
        .into_iter()
        .filter_map(|link| decode(link, data).ok())
        .map(|probe| probe.elements.filter(|element| element.body.len() <= 255).count())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_survived(data in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(fuzz_decode(&data) <= 128);
        }

        #[test]
        fn any_tail_behind_a_true_header_is_survived(tail in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut frame = vec![0, 0, 8, 0, 0, 0, 0, 0, 0x40, 0, 0, 0];
            frame.extend([0xff; 6]);
            frame.extend([2, 0, 0, 0, 0, 1]);
            frame.extend([0xff; 6]);
            frame.extend([0, 0]);
            let header = frame.len();
            frame.extend(&tail);
            let probe = decode(Link::Radiotap, &frame).unwrap();
            let mut elements = probe.elements;
            let walked: usize = elements.by_ref().map(|element| 2 + element.body.len()).sum();
            prop_assert!(walked <= frame.len() - header);
            prop_assert!(walked == tail.len() || elements.is_cut());
        }
    }
}
