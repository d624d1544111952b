//! Bodies for fuzzing: run from property tests and on the kept corpus, and by any fuzzer that gives bytes.

use std::time::Instant;

use super::block::{self, Ask, Say};
use super::{MdbMachine, MdbSettings, Role, Said};
use crate::wire::vend;

/// Blocks and lines: what opens seals to the same; what a line says it says again.
#[doc(hidden)]
pub fn fuzz_blocks(data: &[u8]) -> usize {
    let mut opened = 0;
    if let Ok(body) = block::open(data) {
        assert_eq!(block::seal(body), data);
        assert!(Say::read_all(body).len() <= body.len());
        opened += usize::from(Ask::read(body) != Ask::Other);
    }
    let text = String::from_utf8_lossy(data);
    if let Some(said) = Said::read(&text, 2) {
        let again = Said::read(&said.line(2), 2);
        assert!(again == Some(said.clone()) || said == Said::Other, "{said:?} {again:?}");
        opened += 1;
    }
    opened
}

/// The machine; the first byte chooses the role.
#[doc(hidden)]
pub fn fuzz_machine(start: Instant, data: &[u8]) -> usize {
    let [choice, rest @ ..] = data else { return 0 };
    let role = if choice % 4 == 3 { Role::Master } else { Role::Slave };
    vend::drive(MdbMachine::new(MdbSettings { role, ..MdbSettings::default() }, start), start, rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::scan::test_start;

    #[test]
    fn the_kept_corpus_passes_every_body() {
        assert!(vend::corpus("mdb", |data| fuzz_blocks(data) + fuzz_machine(test_start(), data)) > 0);
    }

    #[test]
    fn random_and_mutated_bytes_break_nothing() {
        let good: [&[u8]; 10] = [
            b"c,STATUS,ENABLED\r\n",
            b"c,STATUS,IDLE\r\n",
            b"c,STATUS,VEND,1.00,2\r\n",
            b"c,VEND,SUCCESS\r\n",
            b"c,ERR,VEND 3\r\n",
            b"c,STATUS,INACTIVE\r\n",
            b"d,STATUS,INIT,1\r\n",
            b"d,STATUS,IDLE\r\n",
            b"d,STATUS,RESULT,1,1.20\r\n",
            b"r,ACK\r\n",
        ];
        vend::long_run("mdb", &good, |data| fuzz_machine(test_start(), data));
    }

    proptest! {
        #[test]
        fn no_bytes_break_a_body(data in prop::collection::vec(any::<u8>(), 0..600)) {
            fuzz_blocks(&data);
            fuzz_machine(test_start(), &data);
        }

        #[test]
        fn no_line_breaks_a_body(line in "[cdpr],(STATUS|VEND|ERR|RESULT|ACK|,|[0-9.]{1,12}|-1|\"| |[A-Z]){0,8}") {
            fuzz_blocks(line.as_bytes());
        }
    }
}
