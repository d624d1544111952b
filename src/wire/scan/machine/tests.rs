use proptest::prelude::*;

use super::*;
use crate::types::{CommandId, Condition, Tally};
use crate::wire::scan::frame::Terminator;
use crate::wire::scan::session::ScanMode;
use crate::wire::scan::test_start;

fn settings(dialect: Dialect) -> SerialSettings {
    SerialSettings { framing: Framing::default(), repeat_window: Duration::from_secs(1), dialect }
}

fn gm65() -> SerialSettings {
    settings(Dialect::Gm65(Gm65Settings { mode: Some(ScanMode::Command), aim_ids: true }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ")
}

fn said(output: Output<Heard>) -> String {
    match output {
        Output::Send(bytes) => format!("→ {}", hex(&bytes)),
        Output::Observe(Heard::Decoded(decoded)) => {
            format!("= {}{}", decoded.symbology.map(|s| s.to_string()).unwrap_or_default(), decoded.text)
        }
        Output::Observe(Heard::Ended(outcome)) => {
            let reason = outcome.ended.reason().map(|r| format!(" {r}")).unwrap_or_default();
            format!("= {} {}{reason}", outcome.command, outcome.ended.as_str())
        }
        Output::Health(condition, raised) => format!("! {} {raised}", condition.code()),
        Output::Count(tally, by) => format!("# {} {by}", tally.as_str()),
    }
}

fn drain(machine: &mut SerialScanner) -> Vec<String> {
    std::iter::from_fn(|| machine.poll()).map(said).collect()
}

/// Runs a conversation. Lines that are done: `← hex`, `< text` (with `\r` for CR), `+ milliseconds` with a tick at
/// each deadline on the way, `trigger NAME on|off`. Every other line is what the machine must say next, in order.
fn check(mut machine: SerialScanner, trace: &str) {
    let mut now = test_start();
    let mut heard: Vec<String> = drain(&mut machine);
    for line in trace.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (line, _) = line.split_once("  ; ").unwrap_or((line, ""));
        let (word, rest) = line.trim_end().split_once(' ').unwrap_or((line, ""));
        match word {
            "←" => {
                let bytes: Vec<u8> = rest.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
                machine.handle(now, Input::Bytes(&bytes)).unwrap();
            }
            "<" => machine.handle(now, Input::Bytes(rest.replace("\\r", "\r").as_bytes())).unwrap(),
            "+" => {
                let until = now + Duration::from_millis(rest.parse().unwrap());
                while let Some(at) = machine.deadline().filter(|at| *at <= until) {
                    now = at.max(now);
                    machine.handle(now, Input::Tick).unwrap();
                }
                now = until;
            }
            "trigger" => {
                let (name, on) = rest.split_once(' ').unwrap();
                let action = ScanAction::Trigger { command: CommandId::new(name).unwrap(), on: on == "on" };
                machine.handle(now, Input::Action(action)).unwrap();
            }
            _ => {
                assert!(!heard.is_empty(), "nothing was said where {line:?} was wanted");
                assert_eq!(heard.remove(0), line);
                continue;
            }
        }
        assert_eq!(heard, [""; 0], "left over before {line:?}");
        heard = drain(&mut machine);
    }
    assert_eq!(heard, [""; 0], "left over at the end");
}

/// The frames of the traces were computed with a CRC-16/XMODEM written independently of this crate.
#[test]
fn a_gm65_is_configured_and_triggered_while_codes_come_in() {
    let trace = r"
        → 7E 00 07 01 00 E2 01 77 91  ; version?
        < ]E06901234567892\r
        = ]E06901234567892
        # frames_good 1
        ← 02 00 00 01 57 19 23
        → 7E 00 07 01 00 00 01 01 41  ; zone 0000?
        ← 02 00 00 01 D0 F8 4C
        → 7E 00 08 01 00 00 D1 AF C5  ; its mode becomes command, its other bits stay
        + 399
        ← 02 00 00 01 00 33 31
        → 7E 00 07 01 00 D0 01 14 66  ; zone 00D0?
        ← 02 00 00 01 80 AB CD
        + 5000
        trigger t1 on
        → 7E 00 08 01 00 02 01 02 DA
        ← 02 00 00
        ← 01 00
        ← 33 31 36 39 30
        = t1 done
        < 1234567892\r
        = 6901234567892
        # frames_good 1
        trigger t2 off
        → 7E 00 08 01 00 02 00 12 FB
        ← 02 00 00 01 00 AB CD
        = t2 done
    ";
    check(SerialScanner::new(gm65(), test_start()), trace);
}

#[test]
fn a_scanner_that_never_answers_is_silent_until_heard_and_its_codes_are_read() {
    let trace = r"
        → 7E 00 07 01 00 E2 01 77 91
        + 400
        → 7E 00 07 01 00 E2 01 77 91
        + 400
        → 7E 00 07 01 00 E2 01 77 91
        + 400
        # unanswered 1
        ! device.silent true
        + 3600000
        < 6901
        ! device.silent false
        → 7E 00 07 01 00 E2 01 77 91  ; somebody is there: once more
        < 234567892\r
        = 6901234567892
        # frames_good 1
        + 1200
        → 7E 00 07 01 00 E2 01 77 91
        → 7E 00 07 01 00 E2 01 77 91
        # unanswered 1
        trigger t on
        → 7E 00 08 01 00 02 01 02 DA
        + 1200
        → 7E 00 08 01 00 02 01 02 DA
        → 7E 00 08 01 00 02 01 02 DA
        # unanswered 1
        = t indeterminate no-answer
    ";
    check(SerialScanner::new(gm65(), test_start()), trace);
}

#[test]
fn a_late_answer_to_a_repeated_command_is_not_taken_for_the_next_ones() {
    let trace = r"
        → 7E 00 07 01 00 E2 01 77 91
        + 400
        → 7E 00 07 01 00 E2 01 77 91
        ← 02 00 00 01 57 19 23
        + 399
        ← 02 00 00 01 57 19 23
        + 1
        → 7E 00 07 01 00 00 01 01 41
        ← 02 00 00 01 D1 E8 6D        ; as it should be: nothing to write
        → 7E 00 07 01 00 D0 01 14 66
        ← 02 00 00 01 00 33 31
        → 7E 00 08 01 00 D0 80 F0 36
        ← 02 00 00 01 00 33 31
    ";
    check(SerialScanner::new(gm65(), test_start()), trace);
}

#[test]
fn an_answer_with_a_wrong_crc_is_none_and_does_not_become_a_code() {
    let trace = r"
        → 7E 00 07 01 00 E2 01 77 91
        ← 02 00 00 01 57 19 24
        < abcdefgh\r
        # noise_bytes 15
        # frames_malformed 1
        + 400
        → 7E 00 07 01 00 E2 01 77 91
        ← 02 00 00 01
        + 600
        # noise_bytes 4
        → 7E 00 07 01 00 E2 01 77 91
    ";
    check(SerialScanner::new(gm65(), test_start()), trace);
}

#[test]
fn a_generic_scanner_is_never_written_to_and_its_noise_is_told() {
    let noise = format!("{}\\r", "~\u{1}".repeat(32));
    let trace = format!(
        r"
        + 3600000
        trigger t on
        = t refused not-supported
        < {noise}
        ! scanner.noise true
        # noise_bytes 64
        # frames_malformed 1
        < 6901234567892\r
        = 6901234567892
        # frames_good 1
        < 6901234567892\r
        # frames_good 1
        # repeats_suppressed 1
        < abc\rdef\r
        = abc
        ! scanner.noise false
        = def
        # frames_good 2
        < {noise}
        ! scanner.noise true
        # noise_bytes 64
        # frames_malformed 1
        + 60000
        ! scanner.noise false
    "
    );
    check(SerialScanner::new(settings(Dialect::Generic), test_start()), &trace);
}

#[test]
fn a_code_is_news_again_when_the_window_is_over() {
    let trace = r"
        < abc\r
        = abc
        # frames_good 1
        + 600
        < abc\r
        # frames_good 1
        # repeats_suppressed 1
        + 399
        < ]Q1abc\rabc\r
        = ]Q1abc
        # frames_good 2
        # repeats_suppressed 1
        + 1
        < abc\r
        = abc
        # frames_good 1
    ";
    check(SerialScanner::new(settings(Dialect::Generic), test_start()), trace);
}

#[test]
fn a_scanner_that_talks_but_never_answers_is_not_written_to_for_ever() {
    let mut now = test_start();
    let mut machine = SerialScanner::new(gm65(), now);
    let mut sent = 0;
    for second in 0..86_400 {
        machine.handle(now, Input::Bytes(format!("code-{second}\r").as_bytes())).unwrap();
        for _ in 0..2 {
            now += Duration::from_millis(500);
            machine.handle(now, Input::Tick).unwrap();
        }
        while let Some(output) = machine.poll() {
            assert!(!matches!(output, Output::Health(Condition::DeviceSilent, true)), "it talks");
            sent += if let Output::Send(bytes) = output { bytes.len() } else { 0 };
        }
    }
    assert_eq!(sent, 17 * 3 * 9);
}

#[test]
fn more_actions_than_can_wait_are_refused() {
    let mut machine = SerialScanner::new(gm65(), test_start());
    assert!(!machine.in_flight());
    for number in 0..5 {
        let command = CommandId::new(&format!("c{number}")).unwrap();
        machine.handle(test_start(), Input::Action(ScanAction::Trigger { command, on: true })).unwrap();
    }
    assert_eq!(drain(&mut machine), ["→ 7E 00 07 01 00 E2 01 77 91", "= c4 refused busy"]);
    assert!(machine.in_flight());
}

fn run(settings: SerialSettings, pieces: &[&[u8]]) -> Vec<String> {
    let mut machine = SerialScanner::new(settings, test_start());
    for piece in pieces {
        machine.handle(test_start(), Input::Bytes(piece)).unwrap();
    }
    let mut counts = std::collections::BTreeMap::<Tally, u64>::new();
    let mut all = Vec::new();
    while let Some(output) = machine.poll() {
        match output {
            Output::Count(tally, by) => *counts.entry(tally).or_default() += by,
            other => all.push(said(other)),
        }
    }
    all.extend(counts.into_iter().map(|(tally, by)| format!("{tally:?} {by}")));
    // Which of two machines inside speaks first within one call is not part of the promise.
    all.sort();
    all
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => "[ -~]{0,40}".prop_map(String::into_bytes),
        2 => Just(b"\r".to_vec()),
        1 => Just(b"\r\n".to_vec()),
        1 => Just(vec![0x02, 0, 0, 1, 0x57, 0x19, 0x23]),
        1 => Just(vec![0x02, 0, 0, 1, 0, 0xab, 0xcd]),
        1 => Just(vec![0x02, 0, 0]),
        1 => prop::collection::vec(any::<u8>(), 0..80),
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_split_of_the_stream_says_the_same(
        stream in stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
        end in 0..4_u8,
        with_gm65: bool,
    ) {
        let mut settings = if with_gm65 { gm65() } else { settings(Dialect::Generic) };
        let terminators = [Terminator::Cr, Terminator::Lf, Terminator::CrLf, Terminator::IdleGap];
        settings.framing.terminator = terminators[usize::from(end)];
        settings.framing.max_code_bytes = 32;
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut rest = &stream[..];
        for cut in cuts.iter().rev() {
            let (before, after) = rest.split_at(*cut);
            pieces.insert(0, after);
            rest = before;
        }
        pieces.insert(0, rest);
        prop_assert_eq!(run(settings.clone(), &pieces), run(settings, &[&stream]));
    }

    #[test]
    fn every_truncation_is_given_up_in_silence(code in "[A-Z0-9]{8,30}", keep in any::<prop::sample::Index>()) {
        let start = test_start();
        let mut machine = SerialScanner::new(settings(Dialect::Generic), start);
        machine.handle(start, Input::Bytes(&code.as_bytes()[..keep.index(code.len())])).unwrap();
        machine.handle(start + Duration::from_millis(500), Input::Tick).unwrap();
        machine.handle(start + Duration::from_millis(500), Input::Bytes(b"next-good\r")).unwrap();
        let said: Vec<String> = drain(&mut machine).into_iter().filter(|line| line.starts_with('=')).collect();
        prop_assert_eq!(said, ["= next-good"]);
    }
}
