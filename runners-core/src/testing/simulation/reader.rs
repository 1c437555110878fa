//! Somebody who follows what the jobs tell: hangs up, comes back, goes on where it was, and misses
//! nothing.

use super::world::{World, operator_of};
use crate::{
    seams::clock::sleep,
    testing::random::SeededRandom,
    values::{
        event::{EventCursor, EventPage, EventsOf},
        id::JobId,
    },
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long it waits for what is told.
const PARK_FOR: Duration = Duration::from_secs(20);
/// How long it waits before it asks again when it was not answered.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Follows the feed of the tenant.
#[derive(Debug, Default)]
pub(super) struct Reader {
    read: Mutex<Read>,
}

#[derive(Debug, Default)]
struct Read {
    after: EventCursor,
    /// The numbers of the events of each job, in the order in which they were read.
    of_jobs: BTreeMap<JobId, Vec<u64>>,
}

impl Reader {
    /// Reads for as long as it is polled.
    pub(super) async fn follow(&self, world: &World, random: &SeededRandom) {
        loop {
            let patience = PARK_FOR.mul_f64(3.0 * random.unit());
            let after = self.read().after;
            let page = async {
                let control = world.planes.any()?;
                operator_of(&control).events(EventsOf::Tenant, after, PARK_FOR).await.ok()
            };
            let page = tokio::select! {
                biased;
                page = page => page,
                () = sleep(&world.clock, patience) => None,
            };
            match page {
                Some(page) => self.take(world, page, random),
                None => sleep(&world.clock, AGAIN_AFTER).await,
            }
        }
    }

    /// Deals with the events of a page, or only with the first of them before it is interrupted.
    fn take(&self, world: &World, page: EventPage, random: &SeededRandom) {
        let all = page.events.len();
        let dealt_with = if random.unit() < 0.2 { (all as f64 * random.unit()) as usize } else { all };
        let mut read = self.read();
        for (cursor, event) in page.events.into_iter().take(dealt_with) {
            world.checker.count(|count| count.events_read += 1);
            let (newest, again) = match event.job {
                None => (0, false),
                Some(job) => {
                    let sequences = read.of_jobs.entry(job).or_default();
                    let (newest, again) =
                        (sequences.last().copied().unwrap_or(0), sequences.contains(&event.sequence));
                    sequences.push(event.sequence);
                    (newest, again)
                }
            };
            // What several control planes tell within a millisecond stands in any order.
            let is_late = event.sequence < newest && world.planes.len() == 1;
            if cursor <= read.after || again || is_late {
                let detail = format!("{event:?} was read at {cursor}, after {} and {newest}", read.after);
                world.checker.violate("events are read once, in order", event.job, detail);
            }
            read.after = cursor;
        }
        if dealt_with == all {
            read.after = read.after.max(page.next);
        }
    }

    /// The numbers of the events that were read of a job, in their order.
    pub(super) fn of_job(&self, job: JobId) -> Vec<u64> {
        let mut numbers = self.read().of_jobs.get(&job).cloned().unwrap_or_default();
        numbers.sort_unstable();
        numbers
    }

    fn read(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
