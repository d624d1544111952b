use proptest::prelude::*;

use super::*;

fn framing(terminator: Terminator) -> Framing {
    Framing { terminator, max_code_bytes: 32, ..Framing::default() }
}

fn start() -> Instant {
    crate::wire::scan::test_start()
}

/// Everything the framer says of a stream; `None` in the stream is an idle gap.
fn frames(framer: &mut Framer, stream: &[Option<u8>]) -> Vec<Frame> {
    let mut now = start();
    let mut said = Vec::new();
    for step in stream {
        said.extend(match step {
            Some(byte) => framer.push(now, *byte),
            None => {
                now += Duration::from_millis(500);
                framer.tick(now)
            }
        });
    }
    said
}

fn bytes(text: &[u8]) -> Vec<Option<u8>> {
    text.iter().copied().map(Some).collect()
}

fn codes(terminator: Terminator, text: &[u8]) -> Vec<String> {
    let mut framer = Framer::new(framing(terminator));
    only_codes(frames(&mut framer, &bytes(text)))
}

fn only_codes(frames: Vec<Frame>) -> Vec<String> {
    frames.into_iter().filter_map(|frame| if let Frame::Code(text) = frame { Some(text) } else { None }).collect()
}

#[test]
fn each_terminator_ends_a_code_and_its_neighbours_are_tolerated() {
    assert_eq!(codes(Terminator::Cr, b"abc\rdef\r"), ["abc", "def"]);
    assert_eq!(codes(Terminator::Cr, b"abc\r\ndef\r\n\r\n"), ["abc", "def"]);
    assert_eq!(codes(Terminator::Lf, b"abc\ndef\r\n\n"), ["abc", "def"]);
    assert_eq!(codes(Terminator::CrLf, b"abc\r\ndef\r\n\r\n"), ["abc", "def"]);
    // In a multi-line code a lone CR or LF is content, and content of that kind is refused as a whole.
    assert_eq!(codes(Terminator::CrLf, b"BEGIN:VCARD\nEND:VCARD\r\n"), [""; 0]);
    assert_eq!(codes(Terminator::Cr, b"ab\ncd\r"), [""; 0]);
}

#[test]
fn without_a_terminator_an_idle_gap_ends_a_code() {
    let mut framer = Framer::new(framing(Terminator::IdleGap));
    let stream = [bytes(b"abc"), vec![None], bytes(b"def\r\n"), vec![None, None]].concat();
    assert_eq!(only_codes(frames(&mut framer, &stream)), ["abc", "def"]);
    assert_eq!(framer.deadline(), None);
}

#[test]
fn a_cut_off_code_never_glues_to_the_next_and_only_a_tick_gives_it_up() {
    let mut framer = Framer::new(framing(Terminator::Cr));
    let stream = [bytes(b"69012345"), vec![None], bytes(b"new\r")].concat();
    assert_eq!(frames(&mut framer, &stream), [Frame::Partial { bytes: 8 }, Frame::Code("new".to_owned())]);
    // Bytes that come late were held up by the reader: the code is whole.
    let late = start() + Duration::from_secs(9);
    for byte in b"69012345" {
        assert_eq!(framer.push(start(), *byte), None);
    }
    for byte in b"678" {
        assert_eq!(framer.push(late, *byte), None);
    }
    assert_eq!(framer.tick(late), None, "a tick before the gap is over says nothing");
    assert_eq!(framer.push(late, b'\r'), Some(Frame::Code("69012345678".to_owned())));
}

#[test]
fn an_oversized_code_is_counted_once_and_the_next_is_read() {
    for terminator in [Terminator::Cr, Terminator::Lf, Terminator::CrLf] {
        let end = terminator.bytes();
        let longest = [b'x'; 32];
        let stream = [&longest[..], end, b"xx", &longest[..], end, b"abc", end].concat();
        let mut framer = Framer::new(framing(terminator));
        let said = frames(&mut framer, &bytes(&stream));
        let oversized = said.iter().filter(|frame| matches!(frame, Frame::Oversized { .. })).count();
        assert_eq!((oversized, said.len()), (1, 3), "{terminator:?}: {said:?}");
        assert_eq!(only_codes(said), ["x".repeat(32), "abc".to_owned()]);
    }
}

#[test]
fn a_mebibyte_without_end_takes_no_memory_and_every_byte_is_counted() {
    let mut framer = Framer::new(Framing::default());
    let mut counted = 0;
    for _ in 0..1 << 20 {
        if let Some(Frame::Oversized { bytes }) = framer.push(start(), b'x') {
            counted += bytes;
        }
        assert!(framer.bytes.capacity() <= 2 * 4097);
    }
    assert_eq!(counted + framer.take_skipped(), 1 << 20);
    assert_eq!(framer.push(start(), b'\r'), None);
    assert_eq!(only_codes(frames(&mut framer, &bytes(b"abc\r"))), ["abc"]);
}

#[test]
fn after_noise_a_short_frame_is_not_believed_until_the_line_was_idle_or_a_long_one_came() {
    let mut framer = Framer::new(framing(Terminator::Cr));
    let stream = [bytes(b"a\x01b\rabcdef\r"), vec![None], bytes(b"abcdef\r")].concat();
    assert_eq!(only_codes(frames(&mut framer, &stream)), ["abcdef"]);
    assert_eq!(only_codes(frames(&mut framer, &bytes(b"\x80\rA1B2C3D4\rabc\r"))), ["A1B2C3D4", "abc"]);
    assert_eq!(only_codes(frames(&mut framer, &bytes(b"\x80\r{[(;:)]}\r"))), [""; 0]);
}

#[test]
fn what_waited_while_nobody_listened_is_stale_and_a_code_begun_then_is_whole() {
    let mut framer = Framer::new(framing(Terminator::Cr));
    framer.expect_backlog(b"5678\rold-code\rnew-".len());
    let said = frames(&mut framer, &bytes(b"5678\rold-code\rnew-code\r"));
    let stale = |bytes| Frame::Stale { bytes };
    assert_eq!(said, [stale(4), stale(8), Frame::Code("new-code".to_owned())]);
    // A line that was not raw yet turned the terminators of what waited into line feeds.
    framer.expect_backlog(10);
    assert_eq!(only_codes(frames(&mut framer, &bytes(b"5678\nabcd\nlive\r"))), ["live"]);
    // The very first frame may have lost its head to whoever held the line before.
    framer.expect_backlog(2);
    assert_eq!(only_codes(frames(&mut framer, &bytes(b"4567890\rabc\r"))), ["abc"]);
}

#[test]
fn only_the_control_characters_of_codes_are_let_through() {
    for byte in (0..=0x1f_u8).chain([0x7f]) {
        let allowed = [0x1c, 0x1d, 0x1e, 0x1f, 0x04].contains(&byte);
        let text = [b"01", [byte].as_slice(), b"99X\n"].concat();
        if !matches!(byte, b'\r' | b'\n') {
            assert_eq!(codes(Terminator::Lf, &text).len(), usize::from(allowed), "{byte:02x}");
        }
    }
    assert_eq!(codes(Terminator::Cr, "商品-七\r".as_bytes()), ["商品-七"]);
    assert_eq!(codes(Terminator::Cr, b"\xc9\xcc\xc6\xb7\r"), [""; 0], "GBK is not UTF-8");
    assert_eq!(codes(Terminator::Cr, "ab\u{85}cd\r".as_bytes()), [""; 0], "nor is C1 content");
}

#[test]
fn a_mebibyte_of_random_bytes_invents_next_to_nothing_and_the_next_code_is_read() {
    // Uniform bytes from SplitMix64. Expected per mebibyte: 0.0043 codes (see `Framer`); 16 of them here.
    let mut state = 7_u64;
    let mut framer = Framer::new(Framing::default());
    let mut invented = 0;
    for _ in 0..(16 << 20) / 8 {
        for byte in crate::wire::scan::splitmix(&mut state).to_le_bytes() {
            invented += usize::from(matches!(framer.push(start(), byte), Some(Frame::Code(_))));
        }
    }
    assert!(invented <= 2, "{invented} codes in 16 MiB of noise");
    assert_eq!(only_codes(frames(&mut framer, &bytes(b"\r6901234567892\r"))), ["6901234567892"]);
}

fn step() -> impl Strategy<Value = Option<u8>> {
    prop_oneof![
        8 => prop_oneof![Just(b'A'), Just(b'7'), Just(0xc3), Just(0xa9)].prop_map(Some),
        3 => prop_oneof![Just(b'\r'), Just(b'\n')].prop_map(Some),
        1 => any::<u8>().prop_map(Some),
        1 => Just(None),
    ]
}

proptest! {
    #[test]
    fn what_comes_out_is_never_more_than_what_went_in(stream in prop::collection::vec(step(), 0..400), choice in 0..4) {
        let all = [Terminator::Cr, Terminator::Lf, Terminator::CrLf, Terminator::IdleGap];
        let terminator = all[usize::try_from(choice).unwrap()];
        let mut framer = Framer::new(framing(terminator));
        let said = frames(&mut framer, &stream);
        let input: Vec<u8> = stream.iter().copied().flatten().collect();
        for code in only_codes(said) {
            prop_assert!((3..=32).contains(&code.len()));
            prop_assert!(input.windows(code.len()).any(|window| window == code.as_bytes()));
        }
    }

    #[test]
    fn every_good_code_after_a_gap_is_read(noise in prop::collection::vec(any::<u8>(), 0..99), code in "[ -~]{3,32}") {
        let mut framer = Framer::new(framing(Terminator::Cr));
        frames(&mut framer, &[bytes(&noise), vec![None]].concat());
        prop_assert_eq!(only_codes(frames(&mut framer, &bytes(format!("{code}\r").as_bytes()))), [code]);
    }
}
