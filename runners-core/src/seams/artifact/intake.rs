//! What every artifact store checks while bytes come in: limit, length and digest.

use crate::{
    seams::artifact::{ArtifactError, ArtifactKey},
    values::digest::{Digest, DigestStream},
};
use std::ops::Range;

/// The largest number of bytes in one artifact, unless a store is told otherwise: 1 GiB.
pub(crate) const BYTES_MAX_DEFAULT: u64 = 1 << 30;

/// Checks the bytes of an artifact while they pass on their way into a store.
#[derive(Clone, Debug)]
pub struct ArtifactIntake {
    digest: Digest,
    left: u64,
    passed: DigestStream,
}

impl ArtifactIntake {
    /// Begins with no byte passed.
    ///
    /// # Errors
    /// [`ArtifactError::TooLarge`] if `length` is over `bytes_max`.
    pub fn new(key: ArtifactKey, length: u64, bytes_max: u64) -> Result<Self, ArtifactError> {
        if length > bytes_max {
            return Err(ArtifactError::TooLarge { length, limit: bytes_max });
        }
        Ok(Self { digest: key.digest, left: length, passed: Digest::stream() })
    }

    /// Takes note of the next piece.
    ///
    /// # Errors
    /// [`ArtifactError::Mismatch`] if there are more bytes than were announced.
    pub fn take(&mut self, piece: &[u8]) -> Result<(), ArtifactError> {
        self.left = self.left.checked_sub(piece.len() as u64).ok_or(ArtifactError::Mismatch(self.digest))?;
        self.passed.update(piece);
        Ok(())
    }

    /// How many bytes are still to come.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// Checks the whole.
    ///
    /// # Errors
    /// [`ArtifactError::Mismatch`] if there were fewer bytes than announced, or others.
    pub fn finish(self) -> Result<(), ArtifactError> {
        if self.left == 0 && self.passed.finish() == self.digest {
            return Ok(());
        }
        Err(ArtifactError::Mismatch(self.digest))
    }
}

/// The part of `0..length` that is in `range`; all of it if there is none.
pub(crate) fn clip(range: Option<Range<u64>>, length: u64) -> Range<u64> {
    let range = range.unwrap_or(0..length);
    let start = range.start.min(length);
    start..range.end.clamp(start, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_clipped_and_never_inverted() {
        assert_eq!(clip(None, 5), 0..5);
        assert_eq!(clip(Some(2..99), 5), 2..5);
        assert_eq!(clip(Some(7..9), 5), 5..5);
        let inverted = Range { start: 4, end: 1 };
        assert_eq!(clip(Some(inverted), 5), 4..4);
    }
}
