use proptest::prelude::*;
use serde::Deserialize;

use super::*;

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn read(zone: u16) -> Command {
    Command::Read { zone, count: 1 }
}

fn write(zone: u16, data: &[u8]) -> Command {
    Command::Write { zone, data: data.to_vec() }
}

/// GM65 user manual (Hangzhou Grow Technology) and published field notes.
fn golden() -> Vec<(&'static str, Command, Check)> {
    vec![
        ("7E000701000A01EE8A", read(0x0a), Check::Crc),
        ("7E000801000A3E4CCF", write(0x0a, &[0x3e]), Check::Crc),
        ("7E000901000000DEC8", Command::Save, Check::Crc),
        ("7E000802002A3901A7EA", write(0x2a, &[0x39, 0x01]), Check::Crc),
        ("7E000701002A02D80F", Command::Read { zone: 0x2a, count: 2 }, Check::Crc),
        ("7E000801000201ABCD", write(ZONE_TRIGGER, &[1]), Check::Wildcard),
        ("7E000801000200ABCD", write(ZONE_TRIGGER, &[0]), Check::Wildcard),
        ("7E00080100D080ABCD", write(ZONE_AIM, &[AIM_BIT]), Check::Wildcard),
    ]
}

#[test]
fn the_frames_of_the_manual_are_written_and_read() {
    for (hex, command, check) in golden() {
        assert_eq!(command.encode(check), unhex(hex));
        assert_eq!(Command::parse(&unhex(hex)), Parsed::Whole(command, hex.len() / 2));
    }
    for (hex, data) in [("020000013EE4AC", 0x3e), ("02000001003331", 0), ("0200000100ABCD", 0)] {
        assert_eq!(Reply::parse(&unhex(hex)), Parsed::Whole(Reply { data: vec![data] }, 7));
    }
    assert_eq!(Reply::done().encode(Check::Crc), unhex("02000001003331"));
}

#[test]
fn the_crc_is_xmodem() {
    // Catalogue of parametrised CRC algorithms: the check value of CRC-16/XMODEM over "123456789" is 31C3.
    assert_eq!(crc(b"123456789"), 0x31c3);
}

#[derive(Deserialize)]
struct Vector {
    hex: String,
    note: String,
}

#[test]
fn every_frame_of_the_shared_vectors_parses_and_encodes_to_itself() {
    #[expect(clippy::disallowed_methods, reason = "where the shared vectors are is told to tests this way")]
    let folder = std::env::var("SMARTSTORE_DATA").unwrap_or_else(|_| "../shared/data".to_owned());
    let path = format!("{folder}/scanner/gm65_frames.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        return eprintln!("SKIPPED: no vectors at {path}; set SMARTSTORE_DATA");
    };
    let vectors: Vec<Vector> = serde_json::from_str(&text).unwrap();
    assert!(vectors.len() >= 10);
    for Vector { hex, note } in vectors {
        let frame = unhex(&hex);
        let check = if hex.ends_with("abcd") { Check::Wildcard } else { Check::Crc };
        let again = match (Command::parse(&frame), Reply::parse(&frame)) {
            (Parsed::Whole(command, _), Parsed::No) => command.encode(check),
            (Parsed::No, Parsed::Whole(reply, _)) => reply.encode(check),
            other => panic!("{note}: {other:?}"),
        };
        assert_eq!(again, frame, "{note}");
    }
}

#[test]
fn every_flipped_bit_is_rejected_and_every_truncation_is_incomplete() {
    for (hex, ..) in golden().into_iter().filter(|(_, _, check)| *check == Check::Crc) {
        let frame = unhex(hex);
        for bit in 0..frame.len() * 8 {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(Command::parse(&flipped), Parsed::Whole(..)), "{hex}, bit {bit}");
        }
        for length in 0..frame.len() {
            assert_eq!(Command::parse(&frame[..length]), Parsed::Incomplete, "{hex}, {length} bytes");
        }
    }
    for reply in [unhex("020000013EE4AC"), unhex("02000001003331")] {
        for bit in 0..reply.len() * 8 {
            let mut flipped = reply.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(Reply::parse(&flipped), Parsed::Whole(..)), "bit {bit}");
        }
        for length in 0..reply.len() {
            assert_eq!(Reply::parse(&reply[..length]), Parsed::Incomplete);
        }
    }
}

proptest! {
    #[test]
    fn every_command_survives_its_frame(zone: u16, data in prop::collection::vec(any::<u8>(), 1..=16), wild: bool) {
        let check = if wild { Check::Wildcard } else { Check::Crc };
        let command = write(zone, &data);
        let frame = command.encode(check);
        prop_assert_eq!(Command::parse(&frame), Parsed::Whole(command, frame.len()));
    }

    #[test]
    fn a_reply_says_in_ten_bytes_whether_it_is_one(noise in prop::collection::vec(any::<u8>(), 10..20), head: bool) {
        let bytes = if head { [&[0x02, 0, 0], &noise[..]].concat() } else { noise };
        prop_assert_ne!(Reply::parse(&bytes[..10]), Parsed::Incomplete);
    }
}
