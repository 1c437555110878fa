//! A burn-down: jobs are queued first, one by one, and then taken and ended, one by one.

use crate::sample::{Sample, Travelled};
use std::time::Duration;

/// How long a burn-down took.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Burned {
    /// How many jobs were queued and ended.
    pub jobs: u64,
    /// How long it took to queue them.
    pub filled: Duration,
    /// How long it took to take and end them.
    pub emptied: Duration,
}

impl Burned {
    /// Of the two halves.
    #[must_use]
    pub fn of(filled: &Sample, emptied: &Sample) -> Self {
        Self { jobs: emptied.lifecycles, filled: filled.elapsed, emptied: emptied.elapsed }
    }

    /// Lifecycles in a second, over both halves.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.count() / (self.filled + self.emptied).as_secs_f64()
    }

    /// Jobs queued in a second.
    #[must_use]
    pub fn filling(&self) -> f64 {
        self.count() / self.filled.as_secs_f64()
    }

    /// Jobs taken and ended in a second.
    #[must_use]
    pub fn emptying(&self) -> f64 {
        self.count() / self.emptied.as_secs_f64()
    }

    #[expect(clippy::cast_precision_loss, reason = "no run counts to 2^52")]
    fn count(&self) -> f64 {
        self.jobs as f64
    }
}

/// What one slot does of so many jobs: as many as any other does.
#[must_use]
pub fn share_of(jobs: u64, slots: usize) -> u64 {
    jobs.div_ceil(slots.max(1) as u64)
}

/// What a slot has done that has ended so many jobs.
pub(crate) fn ended(lifecycles: u64) -> Travelled {
    Travelled { lifecycles, ..Travelled::default() }
}
