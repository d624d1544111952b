use super::*;
use crate::wire::framer::Piece;
use crate::wire::scan::{splitmix, test_start};
use crate::wire::vmc::Message;

/// Frames of the manufacturer's documents and of notes in a public operator's code (laoapps/vending-server), their
/// XOR checked, with what they mean there.
const CAPTURED: &[(&str, &str)] = &[
    ("fafb410040", "Poll"),
    ("fafb420043", "Ack"),
    ("fafb31010233", "Sync"),
    ("fafb010401000d0008", "CheckSlot { slot: 13 }"),
    ("fafb0605a60100003c99", "Drive { drop_sensor: true, lift: false, slot: 60 }"),
    ("fafb0605010101000d0e", "Drive { drop_sensor: true, lift: true, slot: 13 }"),
    ("fafb0605010100000d0f", "Drive { drop_sensor: true, lift: false, slot: 13 }"),
    ("fafb0404a301003c9f", "Dispensing { status: 1, slot: 60, microwave: None }"),
    ("fafb0404a402003c9b", "Dispensing { status: 2, slot: 60, microwave: None }"),
    ("fafb04049e03003ca0", "Dispensing { status: 3, slot: 60, microwave: None }"),
    ("fafb04044003000143", "Dispensing { status: 3, slot: 1, microwave: None }"),
    (
        "fafb110c410001000026ac0404000103d4",
        "SlotReport { slot: 1, price: 9900, stock: 4, capacity: 4, product: 1, status: 3 }",
    ),
    ("fafb2106d501000186a0d5", "Money { mode: 1, amount: 100000, card: 0 bytes }"),
    ("fafb21067c0100989680d5", "Money { mode: 1, amount: 10000000, card: 0 bytes }"),
    ("fafb21068308000186a08a", "Money { mode: 8, amount: 100000, card: 0 bytes }"),
    ("fafb030301000d0d", "Buy { slot: 13 }"),
    ("fafb53010152", "AskLift"),
    ("fafb700342170027", "Menu { answer: false, point: 23, operation: 0, text: [] }"),
    ("fafb70034419002f", "Menu { answer: false, point: 25, operation: 0, text: [] }"),
    ("fafb700301320041", "Menu { answer: false, point: 50, operation: 0, text: [] }"),
    ("fafb700301320140", "Menu { answer: false, point: 50, operation: 1, text: [] }"),
    ("fafb70044701000033", "Menu { answer: false, point: 1, operation: 0, text: [0] }"),
];

pub(in crate::wire::vmc) fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn whole(bytes: &[u8]) -> Frame {
    match parse(bytes) {
        Parsed::Whole(frame, length) => {
            assert_eq!(length, bytes.len());
            frame
        }
        other => panic!("{bytes:02x?}: {other:?}"),
    }
}

#[test]
fn frames_of_the_field_mean_what_their_sources_say() {
    for (text, meaning) in CAPTURED {
        let frame = whole(&hex(text));
        assert_eq!(format!("{:?}", Message::decode(&frame).unwrap().message), *meaning, "{text}");
        assert_eq!(frame.encode(), hex(text));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "where the shared vectors are is told to tests this way")]
fn every_captured_frame_of_the_shared_vectors_is_read() {
    let folder = std::env::var("SMARTSTORE_DATA").unwrap_or_else(|_| "../shared/data".to_owned());
    let path = format!("{folder}/vending/vmc_frames.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        return eprintln!("SKIPPED: no vectors at {path}; set SMARTSTORE_DATA");
    };
    let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
    let good = vectors["good"].as_array().unwrap();
    for vector in good {
        let frame = whole(&hex(vector["hex"].as_str().unwrap()));
        assert_eq!(format!("{:02x}", frame.command), vector["cmd"].as_str().unwrap());
        let decoded = Message::decode(&frame).unwrap();
        assert!(!matches!(decoded.message, Message::Unknown { .. } | Message::Opaque { .. }), "{vector}");
    }
    println!("{} frames", good.len());
    assert!(good.len() >= 20);
}

fn cut(pieces: &[&[u8]]) -> (Vec<Frame>, u64) {
    let mut now = test_start();
    let mut framer = framer(Duration::from_millis(50), now);
    let (mut frames, mut noise) = (Vec::new(), 0);
    let mut found = |piece| match piece {
        Piece::Frame(frame) => frames.push(frame),
        Piece::Noise(bytes) => noise += bytes,
    };
    for piece in pieces {
        framer.push(now, piece, &mut found);
        now += Duration::from_millis(10);
    }
    framer.tick(now + Duration::from_millis(50), &mut found);
    (frames, noise)
}

#[test]
fn any_split_of_the_stream_gives_the_same_frames_with_noise_around_them() {
    let mut stream = Vec::new();
    for (at, (text, _)) in CAPTURED.iter().enumerate() {
        stream.extend([0x00, 0xfa, 0xfb][..at % 3].iter());
        stream.extend(hex(text));
    }
    let (frames, noise) = cut(&[&stream]);
    assert_eq!(frames.len(), CAPTURED.len());
    for at in 1..stream.len() {
        assert_eq!(cut(&[&stream[..at], &stream[at..]]), (frames.clone(), noise), "split at {at}");
    }
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(cut(&bytes), (frames, noise));
}

#[test]
fn a_truncated_frame_is_no_frame_and_does_not_swallow_the_next() {
    let poll = hex("fafb410040");
    for (text, _) in CAPTURED {
        let bytes = hex(text);
        for end in 0..bytes.len() {
            let (frames, _) = cut(&[&bytes[..end], &poll]);
            assert_eq!(frames, [whole(&poll)], "{text} cut at {end}");
        }
    }
}

#[test]
fn a_flipped_bit_never_passes_and_the_next_frame_is_found() {
    let next = hex("fafb21068308000186a08a");
    for (text, _) in CAPTURED {
        let good = hex(text);
        for bit in 0..good.len() * 8 {
            let mut broken = good.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let (frames, noise) = cut(&[&broken, &next]);
            assert_eq!(frames, [whole(&next)], "{text} with bit {bit} flipped");
            assert_eq!(noise, broken.len() as u64);
        }
    }
}

#[test]
fn noise_of_any_length_is_counted_and_bounded() {
    let mut state = 7;
    let noise: Vec<u8> = (0..100_000).map(|_| splitmix(&mut state).to_le_bytes()[0]).collect();
    let mut framer = framer(Duration::from_millis(50), test_start());
    let mut counted = 0;
    for chunk in noise.chunks(4096) {
        framer.push(test_start(), chunk, |piece| match piece {
            Piece::Noise(bytes) => counted += bytes,
            Piece::Frame(frame) => counted += frame.encode().len() as u64,
        });
        let (kept, room) = framer.kept();
        assert!(kept <= FRAME_BYTES && room <= 4 * FRAME_BYTES);
    }
    assert!(counted + FRAME_BYTES as u64 >= noise.len() as u64);
}
