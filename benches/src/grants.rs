//! What a grant costs when many jobs wait.

use crate::{
    bed::{Bed, Kept},
    journey::Traveller,
    sample::Sample,
};
use runners_core::Caller;

/// How many runners take jobs at once.
const RUNNERS: u64 = 64;

/// Jobs that wait, and the runners that take some of them now and then.
///
/// The runners stay: one that starts again and again is held back by the control plane.
#[derive(Debug)]
pub struct Deep {
    bed: Bed,
    runners: Vec<Traveller<Caller, Caller>>,
}

impl Deep {
    /// Queues `depth` jobs.
    ///
    /// # Errors
    /// If the store has trouble, or a job is not accepted.
    pub async fn queue(kept: Kept, depth: usize) -> anyhow::Result<Self> {
        Self::queue_on(Bed::start(kept).await?, depth).await
    }

    /// The same on a control plane that is there.
    ///
    /// # Errors
    /// As [`queue`](Self::queue).
    pub async fn queue_on(bed: Bed, depth: usize) -> anyhow::Result<Self> {
        bed.queue(depth).await?;
        let runners = bed.travellers(usize::try_from(RUNNERS)?).await?;
        Ok(Self { bed, runners })
    }

    /// Has the runners take and finish `count` jobs, or as many more as make it the same number for each,
    /// and measures that.
    ///
    /// # Errors
    /// If anything is refused, fenced or lost.
    pub async fn take(&mut self, count: u64) -> anyhow::Result<Sample> {
        let each = count.div_ceil(RUNNERS);
        let runners = self.runners.drain(..);
        let taking = runners.map(|mut runner| async move { Ok((runner.drain(each).await?, runner)) });
        let (sample, runners) = Sample::together_with(taking).await?;
        self.runners = runners;
        Ok(sample)
    }

    /// Has as many wait again, behind the others, as a sample took.
    ///
    /// # Errors
    /// If a job is not accepted.
    pub async fn refill(&self, taken: &Sample) -> anyhow::Result<()> {
        self.bed.queue(usize::try_from(taken.lifecycles)?).await
    }
}
