//! What a grant costs when many jobs wait.

use crate::{
    bed::{Bed, Kept},
    journey::Traveller,
    sample::Sample,
    stopwatch::Stopwatch,
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
        let bed = Bed::start(kept).await?;
        bed.queue(depth).await?;
        let runners = bed.travellers(usize::try_from(RUNNERS)?).await?;
        Ok(Self { bed, runners })
    }

    /// Has the runners take and finish `count` jobs, or as many more as make it the same number for each,
    /// and measures that. Then as many wait again, behind the others.
    ///
    /// # Errors
    /// If anything is refused, fenced or lost.
    pub async fn take(&mut self, count: u64) -> anyhow::Result<Sample> {
        let each = count.div_ceil(RUNNERS);
        let mut taking = tokio::task::JoinSet::new();
        let watch = Stopwatch::start();
        for mut runner in self.runners.drain(..) {
            taking.spawn(async move { (runner.drain(each).await, runner) });
        }
        let mut taken = Vec::new();
        while let Some(ended) = taking.join_next().await {
            let (travelled, runner) = ended?;
            taken.push(travelled?);
            self.runners.push(runner);
        }
        let sample = Sample::of(watch, taken);
        self.bed.queue(usize::try_from(sample.lifecycles)?).await?;
        Ok(sample)
    }
}
