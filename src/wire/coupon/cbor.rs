//! CBOR (RFC 8949), as much of it as a coupon needs, strictly: definite lengths and shortest forms only.

use super::limits;

/// Major types (RFC 8949, section 3.1).
pub(super) const UNSIGNED: u8 = 0;
pub(super) const NEGATIVE: u8 = 1;
pub(super) const BYTES: u8 = 2;
pub(super) const TEXT: u8 = 3;
pub(super) const ARRAY: u8 = 4;
pub(super) const MAP: u8 = 5;
pub(super) const TAG: u8 = 6;
/// Floating-point numbers and simple values.
pub(super) const SIMPLE: u8 = 7;

/// Reads items one after the other. After a `None` nothing more can be read with sense.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether everything has been read.
    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// Major type of the next item.
    pub(super) fn peek(&self) -> Option<u8> {
        self.0.first().map(|first| first >> 5)
    }

    /// Major type and argument. An indefinite length and an argument that has a shorter form are refused.
    pub(super) fn head(&mut self) -> Option<(u8, u64)> {
        let first = self.take(1)?[0];
        let (major, short) = (first >> 5, first & 31);
        let (argument, least) = match short {
            0..=23 => (u64::from(short), 0),
            24 => (self.number::<1>()?, if major == SIMPLE { 32 } else { 24 }),
            25 => (self.number::<2>()?, 1 << 8),
            26 => (self.number::<4>()?, 1 << 16),
            27 => (self.number::<8>()?, 1 << 32),
            _ => return None,
        };
        // The bytes behind 25 to 27 of major type 7 are a floating-point number.
        let is_shortest = argument >= least || (major == SIMPLE && short > 24);
        is_shortest.then_some((major, argument))
    }

    /// The argument of an item of this major type.
    pub(super) fn expect(&mut self, major: u8) -> Option<u64> {
        self.head().filter(|(found, _)| *found == major).map(|(_, argument)| argument)
    }

    /// A byte string.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.expect(BYTES)?;
        self.take(usize::try_from(length).ok()?)
    }

    /// A text.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.expect(TEXT)?;
        std::str::from_utf8(self.take(usize::try_from(length).ok()?)?).ok()
    }

    /// A whole number that an `i64` holds.
    pub(super) fn whole(&mut self) -> Option<i64> {
        match self.head()? {
            (UNSIGNED, argument) => i64::try_from(argument).ok(),
            (NEGATIVE, argument) => i64::try_from(argument).ok().map(|number| -1 - number),
            _ => None,
        }
    }

    /// Reads over one item, [`limits::DEPTH`] levels deep at most.
    pub(super) fn skip(&mut self) -> Option<()> {
        self.skip_below(limits::DEPTH)
    }

    /// One item, as it stands.
    pub(super) fn one(&mut self) -> Option<&'a [u8]> {
        let whole = self.0;
        self.skip()?;
        whole.get(..whole.len() - self.0.len())
    }

    fn skip_below(&mut self, depth: u8) -> Option<()> {
        let items = match self.peek()? {
            BYTES => return self.bytes().map(drop),
            TEXT => return self.text().map(drop),
            ARRAY | TAG => self.head().map(|(major, count)| if major == TAG { 1 } else { count })?,
            MAP => self.head().and_then(|(_, count)| count.checked_mul(2))?,
            _ => return self.head().map(drop),
        };
        let below = depth.checked_sub(1)?;
        // Every item takes a byte at least, so a count that is a lie ends with the bytes.
        (0..items).try_for_each(|_| self.skip_below(below))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number<const N: usize>(&mut self) -> Option<u64> {
        Some(self.take(N)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

/// Writes items one after the other, in their shortest form.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn head(&mut self, major: u8, argument: u64) {
        let first = |short: u8| major << 5 | short;
        let [.., a, b, c, d] = argument.to_be_bytes();
        match argument {
            0..=23 => self.0.push(first(d)),
            24..=0xff => self.0.extend([first(24), d]),
            0x100..=0xffff => self.0.extend([first(25), c, d]),
            0x1_0000..=0xffff_ffff => self.0.extend([first(26), a, b, c, d]),
            _ => {
                self.0.push(first(27));
                self.0.extend(argument.to_be_bytes());
            }
        }
    }

    pub(super) fn whole(&mut self, number: i64) {
        if number < 0 {
            self.head(NEGATIVE, (-1 - number).unsigned_abs());
        } else {
            self.head(UNSIGNED, number.unsigned_abs());
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.head(BYTES, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.head(TEXT, text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::coupon::tests::hex;

    /// RFC 8949, appendix A: numbers in their one preferred form.
    const NUMBERS: [(i64, &str); 12] = [
        (0, "00"),
        (10, "0a"),
        (23, "17"),
        (24, "1818"),
        (100, "1864"),
        (1000, "1903e8"),
        (1_000_000, "1a000f4240"),
        (1_000_000_000_000, "1b000000e8d4a51000"),
        (-1, "20"),
        (-10, "29"),
        (-100, "3863"),
        (-1000, "3903e7"),
    ];

    #[test]
    fn the_numbers_of_rfc_8949_go_both_ways() {
        for (number, text) in NUMBERS {
            assert_eq!(Reader::new(&hex(text)).whole(), Some(number));
            let mut writer = Writer::default();
            writer.whole(number);
            assert_eq!(writer.0, hex(text));
        }
        // -18446744073709551616 and 18446744073709551615 are numbers, but not ours.
        assert_eq!(Reader::new(&hex("3bffffffffffffffff")).whole(), None);
        assert_eq!(Reader::new(&hex("1bffffffffffffffff")).whole(), None);
    }

    #[test]
    fn items_of_rfc_8949_are_read_over_and_longer_forms_are_refused() {
        let good = [
            "f4",
            "f6",
            "f7",
            "f0",
            "f8ff",
            "f90000",
            "f93e00",
            "fa47c35000",
            "fb3ff199999999999a",
            "40",
            "4401020304",
            "60",
            "6449455446",
            "62c3bc",
            "80",
            "8301820203820405",
            "a0",
            "a26161016162820203",
            "c11a514b67b0",
            "d818456449455446",
            "d74401020304",
        ];
        for text in good {
            let bytes = hex(text);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.skip(), Some(()), "{text}");
            assert!(reader.is_at_end(), "{text}");
        }
        // Indefinite lengths, longer forms than needed, a reserved head, broken text, and an end that comes too soon.
        let bad = [
            "5f42010243030405ff",
            "7f657374726561646d696e67ff",
            "9fff",
            "bfff",
            "1800",
            "1817",
            "190017",
            "1a000000ff",
            "1b00000000ffffffff",
            "5800",
            "f818",
            "1c",
            "fc",
            "ff",
            "61ff",
            "4401",
            "19",
            "82",
            "a101",
            "c1",
            "",
        ];
        for text in bad {
            assert_eq!(Reader::new(&hex(text)).skip(), None, "{text}");
        }
        assert_eq!(Reader::new(&hex("8181818101")).skip(), Some(()));
        assert_eq!(Reader::new(&hex("818181818101")).skip(), None, "too deep");
    }

    proptest! {
        #[test]
        fn numbers_survive(number in any::<i64>()) {
            let mut writer = Writer::default();
            writer.whole(number);
            prop_assert_eq!(Reader::new(&writer.0).whole(), Some(number));
        }

        #[test]
        fn any_bytes_are_read_over_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader::new(&bytes);
            let mut items = 0;
            while reader.skip().is_some() {
                items += 1;
            }
            prop_assert!(items <= bytes.len());
        }
    }
}
