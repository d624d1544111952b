//! Information elements: id, length, body (IEEE 802.11-2020, 9.4.2).

use super::limits::ELEMENTS;

/// One information element.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// Element id: 0 SSID, 1 rates, 3 channel, 45 HT, 50 more rates, 127 extended capabilities, 191 VHT, 221 vendor,
    /// 255 extension.
    pub id: u8,
    /// Its content, 0 to 255 bytes.
    pub body: &'a [u8],
}

/// The content may be what a person's device asked for by name: only its length is shown.
impl std::fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Element({}, {} bytes)", self.id, self.body.len())
    }
}

/// A walk over elements. It ends at the end, at an element that is cut off, or after 64.
#[derive(Clone)]
pub struct Elements<'a> {
    rest: &'a [u8],
    seen: usize,
    is_cut: bool,
}

impl<'a> Elements<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, seen: 0, is_cut: false }
    }

    /// Whether the walk ended before the bytes did: an element claimed more than there was, or there were too many.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}

impl std::fmt::Debug for Elements<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Elements({} bytes)", self.rest.len())
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        let [id, length, after @ ..] = self.rest else {
            self.is_cut |= !self.rest.is_empty();
            return None;
        };
        let whole = after.split_at_checked(usize::from(*length)).filter(|_| self.seen < ELEMENTS);
        let Some((body, rest)) = whole else {
            self.is_cut = true;
            self.rest = &[];
            return None;
        };
        self.rest = rest;
        self.seen += 1;
        Some(Element { id: *id, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut elements = Elements::of(bytes);
        let ids = elements.by_ref().map(|element| element.id).collect();
        (ids, elements.is_cut())
    }

    #[test]
    fn elements_come_in_their_order_with_their_bodies() {
        let bytes = [0, 0, 1, 2, 0x82, 0x84, 255, 1, 35];
        let elements: Vec<_> = Elements::of(&bytes).map(|e| (e.id, e.body.to_vec())).collect();
        assert_eq!(elements, [(0, vec![]), (1, vec![0x82, 0x84]), (255, vec![35])]);
        assert!(!ids(&bytes).1);
    }

    #[test]
    fn an_element_that_is_cut_off_ends_the_walk_and_is_told() {
        assert_eq!(ids(&[0, 0, 1, 4, 2, 4]), (vec![0], true));
        assert_eq!(ids(&[0, 0, 1]), (vec![0], true));
        assert_eq!(ids(&[]), (vec![], false));
    }

    #[test]
    fn an_endless_row_of_elements_is_bounded() {
        let (found, is_cut) = ids(&[7, 0].repeat(1000));
        assert_eq!((found.len(), is_cut), (ELEMENTS, true));
    }

    #[test]
    fn a_body_is_not_shown() {
        let shown = format!("{:?}", Element { id: 0, body: b"home" });
        assert_eq!(shown, "Element(0, 4 bytes)");
    }
}
