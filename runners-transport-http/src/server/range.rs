//! Ranges of an artifact (RFC 9110, section 14): one range of bytes, or the whole.

use std::ops::Range;

/// What a `Range` header asks for, of something with a length.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: there is no such header, or one that may be ignored.
    Whole,
    /// This part.
    Part(Range<u64>),
    /// A part that begins beyond the end.
    Beyond,
}

/// Reads the value of a `Range` header. Other units, several ranges and malformed ones are
/// ignored, as a server may.
pub(super) fn wanted(value: Option<&str>, length: u64) -> Wanted {
    value.and_then(|value| parse(value, length)).unwrap_or(Wanted::Whole)
}

fn parse(value: &str, length: u64) -> Option<Wanted> {
    let (unit, range) = value.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    if first.is_empty() {
        let suffix = number(last)?;
        let start = length.saturating_sub(suffix);
        return Some(if start < length { Wanted::Part(start..length) } else { Wanted::Beyond });
    }
    let first = number(first)?;
    let last = if last.is_empty() { u64::MAX } else { number(last)? };
    if last < first {
        return None;
    }
    let end = last.saturating_add(1).min(length);
    Some(if first < length { Wanted::Part(first..end) } else { Wanted::Beyond })
}

fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_bytes_is_understood() {
        let of_ten = |value| wanted(Some(value), 10);
        assert_eq!(of_ten("bytes=2-4"), Wanted::Part(2..5));
        assert_eq!(of_ten("bytes=0-0"), Wanted::Part(0..1));
        assert_eq!(of_ten("bytes=7-"), Wanted::Part(7..10));
        assert_eq!(of_ten("bytes=-3"), Wanted::Part(7..10));
        assert_eq!(of_ten("Bytes=5-99"), Wanted::Part(5..10));
        assert_eq!(of_ten("bytes=-99"), Wanted::Part(0..10));
    }

    #[test]
    fn a_range_beyond_the_end_is_told_apart() {
        assert_eq!(wanted(Some("bytes=10-12"), 10), Wanted::Beyond);
        assert_eq!(wanted(Some("bytes=-0"), 10), Wanted::Beyond);
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Beyond);
    }

    #[test]
    fn what_is_malformed_or_of_several_parts_is_ignored() {
        for value in
            ["bytes=4-2", "bytes=a-b", "bytes=1-2,4-5", "lines=1-2", "bytes", "bytes=-", "bytes=+1-2"]
        {
            assert_eq!(wanted(Some(value), 10), Wanted::Whole, "{value}");
        }
        assert_eq!(wanted(None, 10), Wanted::Whole);
    }
}
