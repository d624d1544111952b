//! Bodies for fuzzing: any bytes are survived.

use super::line::{Lines, parse_line, split_datagram};
use super::push::parse_push;
use super::request::{Progress, examine};

/// Bytes as a serial line's stream and as a datagram; how many lines could be read.
#[doc(hidden)]
pub fn fuzz_lines(data: &[u8]) -> usize {
    let (mut lines, mut read) = (Lines::default(), 0);
    lines.push(data, |line| read += usize::from(line.is_some_and(|line| parse_line(line).is_ok())));
    let (_, of_datagram) = split_datagram(data);
    read + of_datagram.filter(|line| parse_line(line).is_ok()).count()
}

/// Bytes as a pushed body; how many entries could be read.
#[doc(hidden)]
pub fn fuzz_push(data: &[u8]) -> usize {
    let mut body = data.to_vec();
    parse_push(&mut body).map_or(0, |push| push.heard().flatten().count())
}

/// Bytes as a request. A body that is said to be there must be there.
#[doc(hidden)]
pub fn fuzz_request(data: &[u8]) -> usize {
    match examine(data, "/x") {
        Progress::Whole(body) => data[body].len(),
        Progress::More { .. } | Progress::Refused(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_survived(data in prop::collection::vec(any::<u8>(), 0..600)) {
            fuzz_lines(&data);
            fuzz_push(&data);
            fuzz_request(&data);
            fuzz_push(&[b"data=".as_slice(), &data].concat());
            fuzz_request(&[b"POST /x HTTP/1.1\r\nContent-Length: ".as_slice(), &data].concat());
        }

        #[test]
        fn broken_lines_are_survived(at in 0..52_usize, byte in any::<u8>()) {
            let mut line = b"28:01:00:00:40:4A|FF:FF:FF:FF:FF:FF|00|04|11|-75\r\n\r\n".to_vec();
            line[at] = byte;
            prop_assert!(fuzz_lines(&line) <= 2);
        }
    }
}
