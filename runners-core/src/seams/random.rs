//! The chance seam: ids, jitter and secrets are drawn from it, so that a seed repeats a run.

use crate::values::time::Timestamp;
use std::{fmt::Debug, sync::Arc};

/// Draws random bytes.
pub trait Random: Debug + Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

impl<R: Random + ?Sized> Random for Arc<R> {
    fn fill(&self, bytes: &mut [u8]) {
        (**self).fill(bytes);
    }
}

/// Chance as the operating system gives it. Good for secrets.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemRandom;

impl Random for SystemRandom {
    /// # Panics
    /// When the operating system has no source of randomness: nothing could be trusted then.
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// Draws a number from 0 up to, but not including, 1.
pub(crate) fn unit(random: &dyn Random) -> f64 {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

/// Draws a number.
pub(crate) fn number(random: &dyn Random) -> u64 {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// Draws the ten random bytes of an id and gives them with the time to `new`.
pub(crate) fn id<I>(random: &dyn Random, at: Timestamp, new: impl FnOnce(Timestamp, [u8; 10]) -> I) -> I {
    let mut bytes = [0; 10];
    random.fill(&mut bytes);
    new(at, bytes)
}
