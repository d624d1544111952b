//! Lift sensors of a shelf: what was taken off, what was put back. Two ways to say it, both our own, because makers of
//! such sensors agree on none.
//!
//! ```text
//! serial   A3 1 LF        A3 is lifted        (0: put back; CR LF is tolerated; what is no line is counted)
//! HTTP     {"facing":"A3","lifted":true}      or a list of at most 32 of them
//! ```
//!
//! What is absent: no debouncing (whoever sends knows its contacts; a state that is said again is nothing new), no
//! time.
//!
//! Limits: a line has at most [`LINE_BYTES`] bytes, a list [`LIST`] entries.

use serde::Deserialize;

use crate::types::FacingId;

/// Longest line, in bytes.
pub const LINE_BYTES: usize = 32;
/// Longest list.
pub const LIST: usize = 32;

/// A product was lifted or put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lift {
    /// From where.
    pub facing: FacingId,
    /// Whether it is off the shelf now.
    pub lifted: bool,
}

/// Cuts what comes from a line into sentences.
#[derive(Debug, Default)]
pub struct LiftLine {
    buffer: Vec<u8>,
    /// The rest of a line that is too long.
    overlong: bool,
}

/// What came of some bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// In order.
    pub lifts: Vec<Lift>,
    /// Bytes that are part of no sentence.
    pub noise: u64,
}

impl LiftLine {
    /// Takes bytes, split anywhere.
    pub fn take(&mut self, bytes: &[u8]) -> Heard {
        let mut heard = Heard::default();
        for byte in bytes {
            match byte {
                b'\n' => self.ends(&mut heard),
                _ if self.overlong => heard.noise += 1,
                _ if self.buffer.len() == LINE_BYTES => {
                    heard.noise += self.buffer.len() as u64 + 1;
                    (self.overlong, self.buffer) = (true, Vec::new());
                }
                byte => self.buffer.push(*byte),
            }
        }
        heard
    }

    fn ends(&mut self, heard: &mut Heard) {
        let line = std::mem::take(&mut self.buffer);
        if std::mem::take(&mut self.overlong) {
            heard.noise += 1;
            return;
        }
        match sentence(&line) {
            Some(lift) => heard.lifts.push(lift),
            None => heard.noise += line.len() as u64 + 1,
        }
    }
}

fn sentence(line: &[u8]) -> Option<Lift> {
    let line = std::str::from_utf8(line).ok()?;
    let (facing, state) = line.strip_suffix('\r').unwrap_or(line).split_once(' ')?;
    let lifted = match state {
        "1" => true,
        "0" => false,
        _ => return None,
    };
    Some(Lift { facing: FacingId::new(facing).ok()?, lifted })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    facing: String,
    lifted: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    One(One),
    Several(Vec<One>),
}

/// Reads what a sensor pushes. `None`: it is something else.
pub fn read_push(body: &[u8]) -> Option<Vec<Lift>> {
    let list = match serde_json::from_slice(body).ok()? {
        Body::One(one) => vec![one],
        Body::Several(list) if list.len() <= LIST => list,
        Body::Several(_) => return None,
    };
    let lift = |One { facing, lifted }: One| Some(Lift { facing: FacingId::new(&facing).ok()?, lifted });
    list.into_iter().map(lift).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lift(facing: &str, lifted: bool) -> Lift {
        Lift { facing: FacingId::new(facing).unwrap(), lifted }
    }

    #[test]
    fn lines_are_read_and_noise_between_them_is_counted() {
        let mut line = LiftLine::default();
        let heard = line.take(b"A3 1\nA3 0\r\n\xff\xfe\nB-2 1\nA3  1\nA3 2\nA3\n\n");
        assert_eq!(heard.lifts, [lift("A3", true), lift("A3", false), lift("B-2", true)]);
        assert_eq!(heard.noise, 3 + 6 + 5 + 3 + 1);
        let heard = line.take(&[&[b'x'; 100], &b"\nA1 1\n"[..]].concat());
        assert_eq!((heard.lifts, heard.noise), (vec![lift("A1", true)], 101));
    }

    #[test]
    fn pushes_are_one_or_several() {
        assert_eq!(read_push(b"{\"facing\":\"A3\",\"lifted\":true}"), Some(vec![lift("A3", true)]));
        let both = b"[{\"facing\":\"A3\",\"lifted\":true},{\"facing\":\"A4\",\"lifted\":false}]";
        assert_eq!(read_push(both), Some(vec![lift("A3", true), lift("A4", false)]));
        let many = format!("[{}]", ["{\"facing\":\"A3\",\"lifted\":true}"; 33].join(","));
        for wrong in ["", "1", "{\"facing\":\"A 3\",\"lifted\":true}", "{\"facing\":\"A3\",\"lifted\":1}", &many] {
            assert_eq!(read_push(wrong.as_bytes()), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn however_a_stream_is_cut_it_says_the_same(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            cut in 0_usize..200,
        ) {
            let cut = cut.min(bytes.len());
            let whole = LiftLine::default().take(&bytes);
            let mut line = LiftLine::default();
            let (first, second) = (line.take(&bytes[..cut]), line.take(&bytes[cut..]));
            prop_assert_eq!(whole.lifts, [first.lifts, second.lifts].concat());
            prop_assert_eq!(whole.noise, first.noise + second.noise);
            let _ = read_push(&bytes);
        }
    }
}
