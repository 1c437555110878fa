//! The half-open interval of byte strings that a range comes to, so that a backend needs one
//! comparison at each end. Knows no index and no record.

use bytes::{Bytes, BytesMut};

/// Byte strings from one, inclusive, to another, exclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Span {
    /// The first that belongs to it.
    pub from: Bytes,
    /// The first that no longer does; none if there is no end.
    pub below: Option<Bytes>,
}

impl Span {
    /// All that begin with `prefix`.
    #[must_use]
    pub fn below_prefix(prefix: Bytes) -> Self {
        let below = successor(&prefix);
        Self { from: prefix, below }
    }

    /// What [`Query::Range`](super::Query::Range) asks for with these fields.
    #[must_use]
    pub fn of_range(prefix: Bytes, after: Option<Bytes>, until: Option<Bytes>, newest_first: bool) -> Self {
        let (above, below) = if newest_first { (until, after) } else { (after, until) };
        let mut span = Self::below_prefix(prefix);
        if let Some(above) = above {
            // Nothing lies between a string and the same string with a zero byte behind it.
            let mut next = BytesMut::with_capacity(above.len() + 1);
            next.extend_from_slice(&above);
            next.extend_from_slice(&[0]);
            span.from = span.from.max(next.freeze());
        }
        if let Some(below) = below {
            span.below = Some(span.below.map_or_else(|| below.clone(), |end| end.min(below.clone())));
        }
        span
    }

    /// Whether nothing can belong to it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.below.as_ref().is_some_and(|below| *below <= self.from)
    }
}

/// The first byte string behind all that begin with `prefix`.
fn successor(prefix: &[u8]) -> Option<Bytes> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut next = BytesMut::from(&prefix[..=last]);
    next[last] += 1;
    Some(next.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_of_highest_bytes_has_no_end() {
        assert_eq!(Span::below_prefix(Bytes::from_static(&[255, 255])).below, None);
        assert_eq!(Span::below_prefix(Bytes::from_static(&[1, 255])).below, Some(Bytes::from_static(&[2])));
    }

    #[test]
    fn after_excludes_itself_and_nothing_else() {
        let span = Span::of_range(Bytes::new(), Some(Bytes::from_static(b"a")), None, false);
        assert_eq!(span.from, &b"a\0"[..]);
    }

    #[test]
    fn bounds_that_cross_are_empty() {
        let a = || Some(Bytes::from_static(b"a"));
        let b = || Some(Bytes::from_static(b"b"));
        assert!(Span::of_range(Bytes::new(), b(), a(), false).is_empty());
        assert!(Span::of_range(Bytes::new(), a(), b(), true).is_empty());
        assert!(!Span::of_range(Bytes::new(), a(), b(), false).is_empty());
    }
}
