//! Counters that decide what may be granted: what commits tell of them, and reading them again
//! where that may be old. Whether a lane is held back is left to the schedule.

use super::{Plane, lock};
use crate::{
    rules::{job::JobRecord, schedule::Schedule},
    seams::store::{Committed, StoreError},
    values::{
        id::{LaneId, PoolId, RunnerId},
        key::Key,
    },
};
use std::sync::Arc;

impl Plane {
    /// Changes or asks the schedule, and reads the counters that it wants read.
    pub(super) fn scheduled<T>(self: &Arc<Self>, act: impl FnOnce(&mut Schedule) -> T) -> T {
        let mut schedule = lock(&self.schedule);
        let done = act(&mut schedule);
        let wanted = schedule.counters_wanted();
        drop(schedule);
        if !wanted.is_empty() {
            let plane = Arc::clone(self);
            self.duties.spawn(async move { plane.read_counters(wanted).await });
        }
        done
    }

    /// As [`scheduled`](Self::scheduled), and wakes the runners that are to seek.
    pub(crate) fn rescheduled(self: &Arc<Self>, act: impl FnOnce(&mut Schedule) -> Vec<RunnerId>) {
        let woken = self.scheduled(act);
        self.wake_all(woken);
    }

    /// Takes note of what a commit left the counters at that it added to, in the order of `keys`.
    pub(super) fn heard_counters(self: &Arc<Self>, keys: Vec<Key>, committed: &Committed) {
        if !keys.is_empty() {
            let values = keys.into_iter().zip(committed.counters.iter().copied()).collect();
            self.rescheduled(|schedule| schedule.counted(values));
        }
    }

    /// A job that was taken from the schedule to be granted in `pool` was granted, or was not.
    pub(super) fn settled(self: &Arc<Self>, lane: LaneId, pool: PoolId) {
        self.rescheduled(|schedule| schedule.settled(lane, pool));
    }

    /// Another control plane has changed a job that counts.
    pub(super) fn doubt_counters_of(self: &Arc<Self>, job: &JobRecord) {
        let keys: Vec<Key> = job.counters().into_iter().map(|(key, _)| key).collect();
        if !keys.is_empty() {
            self.scheduled(|schedule| schedule.doubt_counters(&keys));
        }
    }

    pub(super) async fn read_counters(self: &Arc<Self>, keys: Vec<Key>) {
        for key in keys {
            let value = self.read_counter(&key).await;
            let value = value.inspect_err(|error| {
                tracing::warn!(error = error as &dyn std::error::Error, "a counter could not be read");
            });
            let failed = value.is_err();
            let woken = lock(&self.schedule).counter_read(&key, value.ok());
            self.wake_all(woken);
            if !failed {
                // It may have changed while it was read.
                self.scheduled(|_| ());
            }
        }
    }

    pub(super) async fn read_counter(&self, key: &Key) -> Result<i64, StoreError> {
        let counters = self.records.counters(key.clone(), 1).await?;
        Ok(counters.first().map_or(0, |(_, count)| *count))
    }
}
