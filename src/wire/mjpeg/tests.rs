use proptest::prelude::*;

use super::*;

const MOST: usize = 4096;

/// The smallest thing with a JPEG's markers: a segment with a thumbnail's end in it, a scan with a stuffed byte and a
/// restart.
const PICTURE: &[u8] = &[
    0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9, 0xff, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 0x3f, 0, 7, 0xff, 0, 8,
    0xff, 0xd3, 9, 0xff, 0xd9,
];

fn cut(chunks: &[&[u8]], most: usize) -> (Vec<Vec<u8>>, Thrown) {
    let (mut pictures, mut all) = (Pictures::new(most), Vec::new());
    chunks.iter().for_each(|chunk| pictures.take(chunk, |picture| all.push(picture)));
    (all, pictures.take_thrown())
}

fn multipart(pictures: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    for _ in 0..pictures {
        let head = format!("--shop\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", PICTURE.len());
        stream.extend([head.as_bytes(), PICTURE, b"\r\n"].concat());
    }
    stream
}

#[test]
fn pictures_are_cut_out_of_parts_and_of_a_bare_stream() {
    for stream in [multipart(3), PICTURE.repeat(3)] {
        let (found, thrown) = cut(&[&stream], MOST);
        assert_eq!(found, vec![PICTURE.to_vec(); 3]);
        assert_eq!((thrown.broken, thrown.oversized), (0, 0));
    }
}

#[test]
fn what_the_camera_says_of_lengths_is_not_believed() {
    let lie = b"--shop\r\nContent-Length: 99999999999\r\n\r\n";
    let stream = [lie, PICTURE, lie, PICTURE].concat();
    assert_eq!(cut(&[&stream], MOST).0.len(), 2);
}

#[test]
fn a_picture_that_breaks_off_takes_no_other_with_it() {
    for length in 0..PICTURE.len() {
        // Long enough for what is taken for a segment's length.
        let stream = [&PICTURE[..length], b"\r\n--shop\r\n\r\n", &PICTURE.repeat(200)].concat();
        let (found, thrown) = cut(&[&stream], MOST);
        // What stands in the part of it that came may be a whole picture of its own, as its thumbnail is.
        let whole = found.iter().filter(|picture| *picture == PICTURE).count();
        assert!(whole == 200 && found.len() <= 201, "cut at {length}: {whole} of {}, {thrown:?}", found.len());
    }
}

#[test]
fn a_picture_that_never_ends_is_thrown_away_and_the_next_is_seen() {
    let mut endless = PICTURE[..22].to_vec();
    endless.extend([7; 3 * MOST]);
    let stream = [&endless[..], PICTURE].concat();
    let (found, thrown) = cut(&[&stream], MOST);
    assert_eq!(found, [PICTURE]);
    assert_eq!(thrown.oversized, 1);
}

proptest! {
    #[test]
    fn any_split_gives_the_same_pictures(at in 0..multipart(3).len(), then in 0..multipart(3).len()) {
        let stream = multipart(3);
        let (first, second) = (at.min(then), at.max(then));
        let (found, _) = cut(&[&stream[..first], &stream[first..second], &stream[second..]], MOST);
        prop_assert_eq!(found, vec![PICTURE.to_vec(); 3]);
    }

    #[test]
    fn noise_between_is_bounded_and_never_panics(
        noise in proptest::collection::vec(any::<u8>(), 0..2000),
        most in 4..300_usize,
    ) {
        let mut pictures = Pictures::new(most);
        let mut longest = 0;
        for chunk in noise.chunks(17) {
            pictures.take(chunk, |picture| longest = longest.max(picture.len()));
            prop_assert!(pictures.held.len() <= most + 1);
        }
        prop_assert!(longest <= most + 1);
    }
}
