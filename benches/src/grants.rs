//! What a grant costs when many jobs wait.

use crate::{
    bed::{Bed, Kept},
    sample::Sample,
    stopwatch::Stopwatch,
};

/// How many runners take jobs at once.
const RUNNERS: usize = 64;

/// Queues `depth` jobs, then has runners take and finish `count` of them.
///
/// # Errors
/// If anything is refused, fenced or lost.
pub async fn drain(kept: Kept, depth: usize, count: u64) -> anyhow::Result<Sample> {
    let bed = Bed::start(kept).await?;
    bed.queue(depth).await?;
    drain_from(&bed, count).await
}

/// Has runners take and finish `count` jobs of those that wait.
///
/// # Errors
/// If anything is refused, fenced or lost.
pub async fn drain_from(bed: &Bed, count: u64) -> anyhow::Result<Sample> {
    let travellers = bed.travellers(RUNNERS).await?;
    let each = count.div_ceil(RUNNERS as u64);
    let mut draining = tokio::task::JoinSet::new();
    let watch = Stopwatch::start();
    for mut traveller in travellers {
        draining.spawn(async move { traveller.drain(each).await });
    }
    let mut drained = Vec::new();
    while let Some(ended) = draining.join_next().await {
        drained.push(ended??);
    }
    Ok(Sample::of(watch, drained))
}
