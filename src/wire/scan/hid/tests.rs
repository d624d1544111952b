use proptest::prelude::*;

use super::*;
use crate::wire::scan::test_start;

fn settings() -> HidSettings {
    HidSettings {
        frame_gap: Duration::from_millis(500),
        max_code_bytes: 4096,
        min_code_bytes: 3,
        repeat_window: Duration::ZERO,
    }
}

fn event(kind: u16, code: u16, value: i32) -> Vec<u8> {
    let time = [0xee; 2 * size_of::<usize>()];
    [&time[..], &kind.to_ne_bytes(), &code.to_ne_bytes(), &value.to_ne_bytes()].concat()
}

/// Press and release, as the kernel reports it: scan code, key, report.
fn tap(code: u16) -> Vec<u8> {
    [event(4, 4, 0x7001e), event(1, code, 1), event(0, 0, 0), event(1, code, 0), event(0, 0, 0)].concat()
}

fn with(modifier: u16, code: u16) -> Vec<u8> {
    [event(1, modifier, 1), tap(code), event(1, modifier, 0)].concat()
}

/// The keys of a US keyboard, row by row, as printed on the key caps (and numbered in linux/input-event-codes.h):
/// key code, plain, with Shift. Written from the caps, not from the code under test.
const CAPS: &[(u16, char, char)] = &[
    (41, '`', '~'),
    (2, '1', '!'),
    (3, '2', '@'),
    (4, '3', '#'),
    (5, '4', '$'),
    (6, '5', '%'),
    (7, '6', '^'),
    (8, '7', '&'),
    (9, '8', '*'),
    (10, '9', '('),
    (11, '0', ')'),
    (12, '-', '_'),
    (13, '=', '+'),
    (16, 'q', 'Q'),
    (17, 'w', 'W'),
    (18, 'e', 'E'),
    (19, 'r', 'R'),
    (20, 't', 'T'),
    (21, 'y', 'Y'),
    (22, 'u', 'U'),
    (23, 'i', 'I'),
    (24, 'o', 'O'),
    (25, 'p', 'P'),
    (26, '[', '{'),
    (27, ']', '}'),
    (43, '\\', '|'),
    (30, 'a', 'A'),
    (31, 's', 'S'),
    (32, 'd', 'D'),
    (33, 'f', 'F'),
    (34, 'g', 'G'),
    (35, 'h', 'H'),
    (36, 'j', 'J'),
    (37, 'k', 'K'),
    (38, 'l', 'L'),
    (39, ';', ':'),
    (40, '\'', '"'),
    (44, 'z', 'Z'),
    (45, 'x', 'X'),
    (46, 'c', 'C'),
    (47, 'v', 'V'),
    (48, 'b', 'B'),
    (49, 'n', 'N'),
    (50, 'm', 'M'),
    (51, ',', '<'),
    (52, '.', '>'),
    (53, '/', '?'),
    (57, ' ', ' '),
];

/// Types a text as a scanner does.
fn typed(text: &str) -> Vec<u8> {
    let key = |c: char| match CAPS.iter().find(|(_, plain, shifted)| *plain == c || *shifted == c) {
        Some((code, plain, _)) if *plain == c => tap(*code),
        Some((code, ..)) => with(42, *code),
        None => panic!("no key for {c:?}"),
    };
    text.chars().flat_map(key).collect()
}

fn codes(machine: &mut HidScanner, events: &[u8]) -> Vec<String> {
    machine.handle(test_start(), Input::Bytes(events)).unwrap();
    let outputs = std::iter::from_fn(|| machine.poll());
    outputs
        .filter_map(|output| match output {
            Output::Observe(Heard::Decoded(decoded)) => Some(decoded.text),
            _ => None,
        })
        .collect()
}

fn once(events: &[u8]) -> Vec<String> {
    codes(&mut HidScanner::new(&settings()), events)
}

#[test]
fn every_printable_character_survives() {
    let all: String = (' '..='~').collect();
    assert_eq!(all.len(), 95);
    assert_eq!(once(&[typed(&all), tap(28)].concat()), [all]);
    let url = "https://example.com/01/12312312312333?99=TEST&x=%7E#top";
    assert_eq!(once(&[typed(url), tap(96)].concat()), [url]);
    let base45 = "SC1:6BF+70790T9WJWG.FKY*4GO0.O1CV2 O5 N2FBBRW1*70HS8WY04AC*WIFN0AHCD8";
    assert_eq!(once(&[typed(base45), tap(28)].concat()), [base45]);
}

#[test]
fn caps_lock_turns_letters_only_and_shift_turns_them_back() {
    let events = [tap(58), typed("aZ1!"), tap(58), typed("aZ1!"), tap(28)].concat();
    assert_eq!(once(&events), ["Az1!aZ1!"]);
}

#[test]
fn ctrl_gives_the_control_characters_of_gs1_and_number_pad_keys_give_digits() {
    let gs = with(29, 27);
    assert_eq!(once(&[typed("10ABC"), gs, typed("99X"), tap(28)].concat()), ["10ABC\u{1d}99X"]);
    let others = [with(97, 43), [event(1, 42, 1), with(29, 7), event(1, 42, 0)].concat(), with(29, 32)].concat();
    assert_eq!(once(&[typed("a"), others, typed("b"), tap(28)].concat()), ["a\u{1c}\u{1e}\u{4}b"]);
    let pad: Vec<u8> = [79, 80, 81, 75, 76, 77, 71, 72, 73, 82, 83, 98, 55, 74, 78].into_iter().flat_map(tap).collect();
    assert_eq!(once(&[pad, tap(28)].concat()), ["1234567890./*-+"]);
}

#[test]
fn a_key_that_stands_for_no_character_spoils_the_code_it_is_in() {
    for key in [59, 103, 111, 1, 14, 240] {
        let events = [typed("abc"), tap(key), typed("def"), tap(28), typed("next-good-1"), tap(28)].concat();
        assert_eq!(once(&events), ["next-good-1"], "key {key}");
    }
    assert_eq!(once(&[typed("abc"), with(56, 30), tap(28)].concat()), [""; 0], "Alt");
}

#[test]
fn a_dropped_report_discards_up_to_the_next_terminator_and_forgets_held_keys() {
    let dropped = [event(1, 42, 1), event(0, 3, 0)].concat();
    let events = [typed("690123"), dropped, typed("4567892"), tap(28), typed("next-good-1"), tap(28)].concat();
    assert_eq!(once(&events), ["next-good-1"]);
}

#[test]
fn auto_repeat_is_no_second_key() {
    let held = [event(1, 30, 1), event(1, 30, 2), event(1, 30, 2), event(1, 30, 0)].concat();
    assert_eq!(once(&[held, typed("bc"), tap(28)].concat()), ["abc"]);
}

proptest! {
    // Not begun with `]`: what follows might be read as a symbology identifier, and is then no part of the code.
    #[test]
    fn any_split_of_the_events_gives_the_same_codes(
        text in "[ -\\\\^-~][ -~]{2,39}",
        cut in any::<prop::sample::Index>(),
    ) {
        let events = [typed(&text), tap(28)].concat();
        let (before, after) = events.split_at(cut.index(events.len()));
        let mut machine = HidScanner::new(&settings());
        let mut said = codes(&mut machine, before);
        said.extend(codes(&mut machine, after));
        prop_assert_eq!(said, [text]);
    }
}
