use super::*;
use proptest::prelude::*;

fn capture(records: &[(i64, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    write_header(Link::Radiotap, &mut out);
    for (at_us, frame) in records {
        write_record(*at_us, frame, &mut out);
    }
    out
}

fn read(bytes: &[u8]) -> Result<Vec<(u64, i64, Vec<u8>)>, PcapError> {
    let mut capture = Capture::open(bytes)?;
    let mut found = Vec::new();
    while let Some(record) = capture.next_record()? {
        found.push((record.number, record.at_us, record.frame.to_vec()));
    }
    Ok(found)
}

#[test]
fn what_is_written_is_read_again() {
    let bytes = capture(&[(1_620_000_000_123_456, b"abc"), (1_620_000_001_000_000, b"")]);
    let expected = [(1, 1_620_000_000_123_456, b"abc".to_vec()), (2, 1_620_000_001_000_000, Vec::new())];
    assert_eq!(read(&bytes).unwrap(), expected);
}

#[test]
fn big_endian_and_nanoseconds_are_read() {
    let mut bytes = vec![0xa1, 0xb2, 0x3c, 0x4d, 0, 2, 0, 4];
    bytes.extend([0; 11]);
    bytes.extend([0, 0, 0, 0, 105]);
    bytes.extend([0, 0, 0, 9, 0x3b, 0x9a, 0xc9, 0xff, 0, 0, 0, 1, 0, 0, 0, 1, 0x40]);
    assert_eq!(read(&bytes).unwrap(), [(1, 9_999_999, vec![0x40])]);
    assert_eq!(Capture::open(bytes.as_slice()).unwrap().link(), Link::Bare);
}

#[test]
fn what_is_no_capture_of_ours_is_refused_by_name() {
    let mut ethernet = capture(&[(1, b"abc")]);
    ethernet[20] = 1;
    assert!(matches!(read(&ethernet), Err(PcapError::Link(1))));
    let mut old = capture(&[]);
    old[4] = 1;
    assert!(matches!(read(&old), Err(PcapError::Version(1, 4))));
    assert!(matches!(read(&[0x0a, 0x0d, 0x0d, 0x0a, 0, 0]), Err(PcapError::Pcapng)));
    assert!(matches!(read(b"hello, this is a text"), Err(PcapError::NotPcap)));
    assert!(matches!(read(b""), Err(PcapError::NotPcap)));
}

#[test]
fn an_empty_capture_of_another_link_type_is_empty() {
    let mut ethernet = capture(&[]);
    ethernet[20] = 1;
    assert!(read(&ethernet).unwrap().is_empty());
}

#[test]
fn every_truncation_is_told_and_the_records_before_it_are_given() {
    let whole = capture(&[(1, b"abc"), (2, b"defg")]);
    let ends = [HEADER_BYTES, HEADER_BYTES + 19, whole.len()];
    for length in 4..whole.len() {
        let mut capture = match Capture::open(&whole[..length]) {
            Ok(capture) => capture,
            Err(error) => {
                assert!(matches!(error, PcapError::ShortHeader) && length < HEADER_BYTES);
                continue;
            }
        };
        let mut records = 0;
        let end = loop {
            match capture.next_record() {
                Ok(Some(_)) => records += 1,
                other => break other.map(|record| record.is_none()),
            }
        };
        assert_eq!(capture.offset(), *ends.iter().rfind(|end| **end <= length).unwrap() as u64);
        assert_eq!(records, ends[1..].iter().filter(|end| **end <= length).count(), "at {length}");
        let is_whole = ends.contains(&length);
        assert!(matches!((is_whole, end), (true, Ok(true)) | (false, Err(PcapError::Truncated(_)))), "at {length}");
    }
}

#[test]
fn a_record_that_claims_the_moon_is_refused_without_allocating_it() {
    let mut bytes = capture(&[]);
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    assert!(matches!(read(&bytes), Err(PcapError::TooLong { record: 1, bytes: u32::MAX })));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(data in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(fuzz_pcap(&data) <= 300);
        let framed = [capture(&[(0, b"x")]), data].concat();
        prop_assert!(fuzz_pcap(&framed) >= 1);
    }
}
