//! Bodies for fuzzing: run from property tests and on the kept corpus, and by any fuzzer that gives bytes.
//!
//! Each returns how many codes or frames came out, so that a test can say that something did.

use std::time::{Duration, Instant};

use super::frame::{Framing, Terminator};
use super::gm65::{Check, Command, Parsed, Reply};
use super::intake::{Heard, ScanAction};
use super::{
    Dialect, Gm65Settings, HidScanner, HidSettings, ScanMode, SerialScanner, SerialSettings, classify,
    parse_digital_link, parse_element_string,
};
use crate::types::{CodeGrammars, CodeKind, CommandId, Symbology};
use crate::wire::{Input, Machine, Output};

/// Drives a machine: each chunk's first byte says how long it is and whether time passes after it.
fn drive<M: Machine<Observation = Heard, Action = ScanAction>>(mut machine: M, start: Instant, data: &[u8]) -> usize {
    let mut now = start;
    let mut rest = data;
    let mut codes = 0;
    while let [head, tail @ ..] = rest {
        let (chunk, after) = tail.split_at(tail.len().min(usize::from(head >> 2)));
        rest = after;
        let _ = machine.handle(now, Input::Bytes(chunk));
        if head & 1 == 1 {
            now += Duration::from_millis(600);
            let _ = machine.handle(now, Input::Tick);
        }
        if let (0b10, Ok(command)) = (head & 0b11, CommandId::new("fuzz")) {
            let _ = machine.handle(now, Input::Action(ScanAction::Trigger { command, on: true }));
        }
        while let Some(output) = machine.poll() {
            codes += usize::from(matches!(output, Output::Observe(Heard::Decoded(_))));
        }
    }
    codes
}

/// A serial scanner; the first byte chooses terminator and dialect.
#[doc(hidden)]
pub fn fuzz_serial(start: Instant, data: &[u8]) -> usize {
    let [choice, rest @ ..] = data else { return 0 };
    let terminator = match choice & 0b11 {
        0 => Terminator::Cr,
        1 => Terminator::Lf,
        2 => Terminator::CrLf,
        _ => Terminator::IdleGap,
    };
    let dialect = match choice & 0b100 {
        0 => Dialect::Generic,
        _ => Dialect::Gm65(Gm65Settings { mode: Some(ScanMode::Command), aim_ids: true }),
    };
    let framing = Framing { terminator, max_code_bytes: 64, ..Framing::default() };
    let settings = SerialSettings { framing, repeat_window: Duration::from_millis(100), dialect };
    drive(SerialScanner::new(settings, start), start, rest)
}

/// A HID scanner.
#[doc(hidden)]
pub fn fuzz_hid(start: Instant, data: &[u8]) -> usize {
    let settings = HidSettings {
        frame_gap: Duration::from_millis(500),
        max_code_bytes: 64,
        min_code_bytes: 3,
        repeat_window: Duration::ZERO,
    };
    drive(HidScanner::new(&settings), start, data)
}

/// GM65 frames: what parses is as long as it says, and encodes to something that parses to the same.
#[doc(hidden)]
pub fn fuzz_gm65(data: &[u8]) -> usize {
    let mut whole = 0;
    for at in 0..data.len() {
        if let Parsed::Whole(reply, length) = Reply::parse(&data[at..]) {
            assert!((7..=10).contains(&length) && at + length <= data.len());
            assert_eq!(Reply::parse(&reply.encode(Check::Crc)), Parsed::Whole(reply, length));
            whole += 1;
        }
        if let Parsed::Whole(command, length) = Command::parse(&data[at..]) {
            assert!(at + length <= data.len());
            let again = command.encode(Check::Wildcard);
            assert!(matches!(Command::parse(&again), Parsed::Whole(same, _) if same == command));
            whole += 1;
        }
    }
    whole
}

/// GS1: what parses holds only identifiers of two to four digits with a value each.
#[doc(hidden)]
pub fn fuzz_gs1(data: &[u8]) -> usize {
    let text = String::from_utf8_lossy(data);
    let parsed = [parse_element_string(&text), parse_digital_link(&text)];
    let elements = parsed.into_iter().flatten().inspect(|elements| {
        let sound = |(ai, value): (&String, &String)| (2..=4).contains(&ai.len()) && !value.is_empty();
        assert!(!elements.is_empty() && elements.iter().all(sound));
    });
    elements.count()
}

/// Classification: the first two bytes may be a symbology. A payment code never shows.
#[doc(hidden)]
pub fn fuzz_classify(data: &[u8]) -> usize {
    let symbology = data.first_chunk().and_then(|[code, modifier]| Symbology::new(*code, *modifier));
    let rest = if symbology.is_some() { &data[2..] } else { data };
    let text = String::from_utf8_lossy(rest).into_owned();
    let classified = classify(symbology, text.clone(), &CodeGrammars::default());
    let payment = classified.code.kind == CodeKind::Payment;
    assert_eq!(classified.payment.is_some(), payment);
    assert_eq!(classified.code.value == text, !payment);
    assert_eq!(classified.code.value.len(), text.len());
    usize::from(classified.code.kind != CodeKind::Unknown)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::scan::test_start;

    /// Runs every body on every file of the kept corpus and on every truncation of it.
    #[test]
    fn the_kept_corpus_passes_every_body() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/scan");
        let mut files = 0;
        let mut results = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "bin") {
                let data = std::fs::read(path).unwrap();
                files += 1;
                for end in 0..=data.len() {
                    results += all(&data[..end]);
                }
            }
        }
        assert!(files >= 5 && results > 0, "{files} files gave {results} results");
    }

    fn all(data: &[u8]) -> usize {
        let start = test_start();
        fuzz_serial(start, data) + fuzz_hid(start, data) + fuzz_gm65(data) + fuzz_gs1(data) + fuzz_classify(data)
    }

    proptest! {
        #[test]
        fn no_bytes_break_a_body(data in prop::collection::vec(any::<u8>(), 0..600)) {
            all(&data);
        }

        #[test]
        fn no_text_breaks_a_body(text in "(\\]Q3)?(01|10|21|17|8003|https?://a/|253|\u{1d}|[0-9]{1,14}|.){0,12}") {
            all(text.as_bytes());
        }
    }
}
