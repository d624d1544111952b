//! Which part of a file is asked for (RFC 9110, section 14).

use std::ops::Range;

/// What is to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// All of it: nothing else was asked for, or nothing that can be understood.
    Whole,
    /// This part.
    Part(Range<u64>),
    /// Nothing: what was asked for is not there.
    Beyond,
}

/// Reads a `Range` header of a file of `length` bytes. Several parts in one answer are not given: all of it is.
pub(super) fn asked(header: Option<&str>, length: u64) -> Asked {
    let Some(spec) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else { return Asked::Whole };
    let Some((first, last)) = spec.trim().split_once('-').filter(|_| !spec.contains(',')) else { return Asked::Whole };
    let number = |text: &str| match text.bytes().all(|digit| digit.is_ascii_digit()) && !text.is_empty() {
        // More digits than a number holds are still a number: a large one.
        true => Some(text.parse().unwrap_or(u64::MAX)),
        false => None,
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Asked::Whole,
        (Some(first), _) if first >= length => Asked::Beyond,
        (Some(first), Some(last)) => Asked::Part(first..last.saturating_add(1).min(length)),
        (Some(first), None) if last.is_empty() => Asked::Part(first..length),
        (None, Some(0)) if first.is_empty() => Asked::Beyond,
        (None, Some(_)) if first.is_empty() && length == 0 => Asked::Beyond,
        (None, Some(count)) if first.is_empty() => Asked::Part(length.saturating_sub(count)..length),
        _ => Asked::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_that_players_ask_for() {
        let part = |from, to| Asked::Part(from..to);
        for (header, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=0-", part(0, 1000)),
            ("bytes=-100", part(900, 1000)),
            ("bytes=-5000", part(0, 1000)),
            ("bytes=500-9999", part(500, 1000)),
            ("bytes=999-", part(999, 1000)),
            ("bytes=0-99999999999999999999999", part(0, 1000)),
            ("bytes=1000-", Asked::Beyond),
            ("bytes=1000-2000", Asked::Beyond),
            ("bytes=-0", Asked::Beyond),
            ("bytes=99999999999999999999999-", Asked::Beyond),
            ("bytes=5-4", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("bytes=+1-2", Asked::Whole),
            ("bytes=0-1,5-6", Asked::Whole),
            ("items=0-1", Asked::Whole),
            ("", Asked::Whole),
        ] {
            assert_eq!(asked(Some(header), 1000), expected, "{header}");
        }
        assert_eq!(asked(None, 1000), Asked::Whole);
        assert_eq!(asked(Some("bytes=0-"), 0), Asked::Beyond);
        assert_eq!(asked(Some("bytes=-1"), 0), Asked::Beyond);
    }
}
