//! Bytes of an artifact on their way to somebody else: looked at as they pass, and never whole if they
//! are not the right ones. What is done with them meanwhile is the caller's affair.

use crate::seams::artifact::{ArtifactError, ArtifactSource, ByteStream, intake::ArtifactIntake};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// Watches the bytes of an artifact pass. The last piece is withheld until the whole is known to be
/// right, so whoever receives them never has all of what is wrong.
#[derive(Clone, Debug, Default)]
pub struct ArtifactGuard(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    pieces: AtomicU64,
    spoilt: Mutex<Option<ArtifactError>>,
}

impl ArtifactGuard {
    /// Lets `bytes` pass as far as they are those that `intake` expects. A stream that ends with an
    /// error leaves its reason in [`spoilt`](Self::spoilt).
    #[must_use]
    pub fn over(intake: ArtifactIntake, bytes: ByteStream) -> (Self, ByteStream) {
        let guard = Self::default();
        let watched = guard.clone();
        let passed = stream::unfold(Some((intake, bytes)), move |state| {
            let guard = watched.clone();
            async move { guard.pass(state?).await }
        });
        (guard, passed.boxed())
    }

    /// How many pieces were asked for: it grows for as long as something moves.
    #[must_use]
    pub fn pieces(&self) -> u64 {
        self.0.pieces.load(Ordering::Relaxed)
    }

    /// What was wrong with the bytes themselves, if anything was. It is told once.
    #[must_use]
    pub fn spoilt(&self) -> Option<ArtifactError> {
        self.0.spoilt.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn pass(&self, (mut intake, mut bytes): Watched) -> Option<Passed> {
        let checked = match bytes.next().await {
            Some(Ok(piece)) => match intake.take(&piece) {
                Ok(()) if intake.left() > 0 => Ok(Some((piece, Some((intake, bytes))))),
                Ok(()) => last(intake, &mut bytes).await.map(|()| Some((piece, None))),
                Err(error) => Err(error),
            },
            Some(Err(error)) => Err(ArtifactError::Unavailable(error)),
            None => intake.finish().map(|()| None),
        };
        self.0.pieces.fetch_add(1, Ordering::Relaxed);
        match checked {
            Ok(next) => next.map(|(piece, state)| (Ok(piece), state)),
            Err(error) => {
                *self.0.spoilt.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Some((Err(ArtifactSource::from(NotThose)), None))
            }
        }
    }
}

type Watched = (ArtifactIntake, ByteStream);
type Passed = (Result<Bytes, ArtifactSource>, Option<Watched>);

/// Why a stream ends early. The reason itself is in [`ArtifactGuard::spoilt`].
#[derive(Debug, thiserror::Error)]
#[error("the bytes are not those that were announced")]
struct NotThose;

/// Checks that nothing follows, and the whole.
async fn last(mut intake: ArtifactIntake, bytes: &mut ByteStream) -> Result<(), ArtifactError> {
    while let Some(piece) = bytes.next().await {
        intake.take(&piece.map_err(ArtifactError::Unavailable)?)?;
    }
    intake.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        seams::artifact::ArtifactKey,
        values::{digest::Digest, id::TenantId},
    };
    use futures::{FutureExt as _, TryStreamExt as _};

    fn passed(of: &[u8], pieces: &[&'static [u8]]) -> (Vec<u8>, Option<ArtifactError>) {
        let key = ArtifactKey { tenant: TenantId::DEFAULT, digest: Digest::of(of) };
        let intake = ArtifactIntake::new(key, of.len() as u64, u64::MAX).unwrap();
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece))).collect();
        let (guard, bytes) = ArtifactGuard::over(intake, stream::iter(pieces).boxed());
        let mut through = Vec::new();
        let read = bytes.try_for_each(|piece| {
            through.extend_from_slice(&piece);
            async { Ok(()) }
        });
        let whole = read.now_or_never().unwrap().is_ok();
        let spoilt = guard.spoilt();
        assert_eq!(whole, spoilt.is_none());
        (through, spoilt)
    }

    #[test]
    fn the_right_bytes_pass_whole() {
        let (through, spoilt) = passed(b"abcd", &[b"ab", b"cd"]);
        assert!(through == b"abcd" && spoilt.is_none(), "{spoilt:?}");
    }

    #[test]
    fn wrong_bytes_never_pass_whole() {
        for wrong in [&[&b"ab"[..], b"cx"][..], &[b"ab", b"cde"], &[b"ab", b"cd", b"e"], &[b"ab"]] {
            let (through, spoilt) = passed(b"abcd", wrong);
            assert!(through.len() < 4, "{wrong:?}: {through:?}");
            assert!(matches!(spoilt, Some(ArtifactError::Mismatch(_))), "{wrong:?}: {spoilt:?}");
        }
    }
}
