use super::*;
use crate::wire::framer::Piece;
use crate::wire::scan::test_start;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// Frames of a public operator's code (laoapps/vending-server, venders/api/vending.express.ts), CRC checked.
#[test]
fn frames_of_the_field_mean_what_their_source_says() {
    let read = |register, words| Request::Read { register, words };
    let write = |bytes: &[u8]| Request::Write { register: 0x2001, bytes: bytes.to_vec() };
    for (text, meaning) in [
        ("01030001000295cb", read(1, 2)),
        ("010300030001740a", read(3, 1)),
        ("0110200100020410010100ff32", write(&[16, 1, 1, 0])),
        ("0110200100020414010000ff92", write(&[20, 1, 0, 0])),
    ] {
        let bytes = hex(text);
        assert_eq!(Request::parse(1, &bytes), Parsed::Whole(meaning.clone(), bytes.len()), "{text}");
        assert_eq!(meaning.encode(1), bytes);
    }
    for (text, meaning) in [
        ("01030420020a0ad694", Reply::Read(vec![0x20, 0x02, 10, 10])),
        ("0103020000b844", Reply::Read(vec![0, 0])),
        ("0110200100021bc8", Reply::Written { register: 0x2001, words: 2 }),
        ("01860443a3", Reply::Exception { function: 6, code: 4 }),
    ] {
        let bytes = hex(text);
        assert_eq!(Reply::parse(1, &bytes), Parsed::Whole(meaning.clone(), bytes.len()), "{text}");
        assert_eq!(meaning.encode(1), bytes);
    }
}

#[test]
fn every_frame_of_the_shared_vectors_is_read() {
    #[expect(clippy::disallowed_methods, reason = "the vectors stand where the Makefile says")]
    let folder = std::env::var("SMARTSTORE_DATA").unwrap_or_else(|_| "../shared/data".to_owned());
    let path = format!("{folder}/vending/zdm8_modbus.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        return eprintln!("SKIPPED: no vectors at {path}; set SMARTSTORE_DATA");
    };
    let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
    let vectors = vectors.as_array().unwrap();
    for vector in vectors {
        let bytes = hex(vector["hex"].as_str().unwrap());
        let request = matches!(Request::parse(1, &bytes), Parsed::Whole(_, length) if length == bytes.len());
        let reply = matches!(Reply::parse(1, &bytes), Parsed::Whole(_, length) if length == bytes.len());
        assert!(request || reply, "{vector}");
    }
    println!("{} frames", vectors.len());
    assert_eq!(vectors.len(), 15);
}

fn cut(pieces: &[&[u8]]) -> (Vec<Reply>, u64) {
    let now = test_start();
    let mut framer = Reply::framer(1, Duration::from_millis(50), now);
    let (mut replies, mut noise) = (Vec::new(), 0);
    let mut take = |piece| match piece {
        Piece::Frame(reply) => replies.push(reply),
        Piece::Noise(bytes) => noise += bytes,
    };
    pieces.iter().for_each(|piece| framer.push(now, piece, &mut take));
    framer.tick(now + Duration::from_millis(50), &mut take);
    (replies, noise)
}

#[test]
fn splits_change_nothing_and_truncations_and_flipped_bits_never_pass() {
    let next = Reply::Read(vec![2, 0]);
    for good in ["01030420020a0ad694", "0103020000b844", "0110200100021bc8", "01860443a3"].map(hex) {
        let stream = [vec![0, 1, 3], good.clone(), next.encode(1)].concat();
        let whole = cut(&[&stream]);
        assert_eq!(whole.0.len(), 2);
        for at in 0..stream.len() {
            assert_eq!(cut(&[&stream[..at], &stream[at..]]), whole, "split at {at}");
        }
        for end in 0..good.len() {
            assert_eq!(cut(&[&good[..end], &next.encode(1)]).0, std::slice::from_ref(&next), "cut at {end}");
        }
        for bit in 0..good.len() * 8 {
            let mut broken = good.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(cut(&[&broken, &next.encode(1)]).0, std::slice::from_ref(&next), "bit {bit}");
        }
    }
}
