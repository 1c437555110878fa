//! The key under which a client names a request, so that a repeat of it is not carried out again.

use std::{fmt, str::FromStr};

/// Names one request of a client: chosen by it, and sent again with every repeat. It is no secret,
/// and only its digest is kept.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// Why a text is not an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have from 1 to {max} printable ASCII characters: draw a UUID", max = IdempotencyKey::BYTES_MAX)]
#[non_exhaustive]
pub struct IdempotencyKeyError;

impl IdempotencyKey {
    /// The largest number of bytes in a key.
    pub const BYTES_MAX: usize = 255;

    /// The key as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = IdempotencyKeyError;

    fn from_str(text: &str) -> Result<Self, IdempotencyKeyError> {
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        let fits = (1..=Self::BYTES_MAX).contains(&text.len());
        if fits && printable { Ok(Self(text.to_owned())) } else { Err(IdempotencyKeyError) }
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IdempotencyKey").field(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_and_printable() {
        let longest = "k".repeat(IdempotencyKey::BYTES_MAX);
        for good in ["a", "8e03978e-40d5-43dd-bc93-6894a57f9324", "with a blank", &longest] {
            assert_eq!(
                good.parse::<IdempotencyKey>().map(|key| key.as_str().to_owned()),
                Ok(good.to_owned())
            );
        }
        let over = format!("{longest}k");
        for bad in ["", "ä", "a\nb", "\u{7f}", &over] {
            assert_eq!(bad.parse::<IdempotencyKey>(), Err(IdempotencyKeyError), "{bad:?}");
        }
        assert!(IdempotencyKeyError.to_string().contains("from 1 to 255 printable ASCII"));
    }
}
