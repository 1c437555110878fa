//! Ranges of bytes (RFC 9110, section 14): one range, or the whole.

use std::ops::Range;

/// What a `Range` header asks for, of something with a length.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it: there is no such header, or one that may be ignored.
    Whole,
    /// This part.
    Part(Range<u64>),
    /// A part that begins beyond the end.
    Beyond,
}

/// Reads the value of a `Range` header. Other units, several ranges and malformed ones are
/// ignored, as a server may.
pub(crate) fn wanted(value: Option<&str>, length: u64) -> Wanted {
    let Some((first, last)) = value.and_then(|value| value.strip_prefix("bytes=")?.split_once('-')) else {
        return Wanted::Whole;
    };
    let number = |digits: &str| {
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<u64>().ok()).flatten()
    };
    let range = match (number(first), number(last)) {
        (None, Some(suffix)) if first.is_empty() => length.saturating_sub(suffix)..length,
        (Some(first), None) if last.is_empty() => first..length,
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(length),
        _ => return Wanted::Whole,
    };
    if range.start < length { Wanted::Part(range) } else { Wanted::Beyond }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_a_part_one_beyond_the_end_is_told_and_others_are_ignored() {
        let of_ten = |value| wanted(Some(value), 10);
        assert_eq!(of_ten("bytes=2-4"), Wanted::Part(2..5));
        assert_eq!(of_ten("bytes=7-"), Wanted::Part(7..10));
        assert_eq!(of_ten("bytes=-3"), Wanted::Part(7..10));
        assert_eq!(of_ten("bytes=5-99"), Wanted::Part(5..10));
        assert_eq!(of_ten("bytes=10-"), Wanted::Beyond);
        assert_eq!(of_ten("bytes=-0"), Wanted::Beyond);
        for value in ["bytes=4-2", "bytes=1-2,4-5", "lines=1-2", "bytes", "bytes=-", "bytes=+1-2"] {
            assert_eq!(of_ten(value), Wanted::Whole, "{value}");
        }
        assert_eq!(wanted(None, 10), Wanted::Whole);
    }
}
