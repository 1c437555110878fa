//! Listings: pages of things, and the cursors that lead from one page to the next.

use crate::values::{
    digest::Digest,
    reply::{RefusalCode, Refused},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use std::{fmt, str::FromStr};

/// Where a page begins, and how long it is.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers write `Paging { after, ..Paging::default() }`")]
pub struct Paging {
    /// The end of the page before; the first page unless given.
    pub after: Option<Cursor>,
    /// How many items there are at most, from 1 to [`Paging::LIMIT_MAX`]. 100 unless said
    /// otherwise.
    pub limit: u32,
}

impl Paging {
    /// The largest page.
    pub const LIMIT_MAX: u32 = 500;
}

impl Paging {
    /// The limit, if it is one that may be asked for.
    pub(crate) fn checked(&self) -> Result<u32, Refused> {
        if (1..=Self::LIMIT_MAX).contains(&self.limit) {
            return Ok(self.limit);
        }
        let problem = format!("limit: must be from 1 to {}", Self::LIMIT_MAX);
        Err(Refused::new(RefusalCode::Invalid, problem))
    }

    /// Where the page before ended, in the listing that `parts` name.
    pub(crate) fn place(&self, parts: &[&str]) -> Result<Option<Bytes>, Refused> {
        let Some(after) = &self.after else { return Ok(None) };
        after.within(parts).map(Some).ok_or_else(|| {
            let problem = "after: is not a cursor of this listing: begin again without it";
            Refused::new(RefusalCode::Invalid, problem)
        })
    }
}

impl Default for Paging {
    fn default() -> Self {
        Self { after: None, limit: 100 }
    }
}

/// One page of a listing.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "faces of other protocols take it apart")]
pub struct Listing<T> {
    /// The items, in the order of the listing.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

impl<T> Listing<T> {
    /// The same page of something else.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Listing<U> {
        Listing { items: self.items.into_iter().map(each).collect(), next: self.next }
    }
}

/// Where a page ended. It is opaque, and good only for the listing, the filter and the tenant that
/// it came from.
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor {
    listing: [u8; 16],
    at: Bytes,
}

/// The longest text of a cursor.
const TEXT_BYTES_MAX: usize = 400;

impl Cursor {
    /// A cursor of the listing that `parts` name: what is listed, of whom, by which filter.
    pub(crate) fn new(parts: &[&str], at: Bytes) -> Self {
        Self { listing: listing(parts), at }
    }

    /// The key it stands at, if it is of the listing that `parts` name.
    pub(crate) fn within(&self, parts: &[&str]) -> Option<Bytes> {
        (self.listing == listing(parts)).then(|| self.at.clone())
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.listing[..], &self.at].concat();
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is a text that a listing gave as the beginning of its next page")]
#[non_exhaustive]
pub struct CursorError;

impl FromStr for Cursor {
    type Err = CursorError;
    fn from_str(text: &str) -> Result<Self, CursorError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(CursorError);
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        let (listing, at) = bytes.split_first_chunk().ok_or(CursorError)?;
        Ok(Self { listing: *listing, at: Bytes::copy_from_slice(at) })
    }
}

fn listing(parts: &[&str]) -> [u8; 16] {
    Digest::of(&serde_json::to_vec(parts).expect("strings are plain data")).short()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_and_is_good_for_its_own_listing_only() {
        let cursor = Cursor::new(&["pools", "tenant_1"], Bytes::from_static(b"at"));
        let again: Cursor = cursor.to_string().parse().unwrap();
        assert_eq!(again.within(&["pools", "tenant_1"]).as_deref(), Some(&b"at"[..]));
        assert_eq!(again.within(&["pools", "tenant_2"]), None);
        assert_eq!("?".parse::<Cursor>(), Err(CursorError));
        assert_eq!("AAAA".parse::<Cursor>(), Err(CursorError));
    }
}
