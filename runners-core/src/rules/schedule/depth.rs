//! What the schedule knows of its queues, for those who watch them.

use super::{Schedule, Seeker};
use crate::{
    rules::job::State,
    values::{id::PoolId, time::Timestamp},
};
use std::collections::BTreeSet;

impl Schedule {
    /// For each pool: how many ready jobs are known, and since when the oldest of them is ready.
    /// Beyond the window there may be more.
    pub(crate) fn depths(&self) -> Vec<(PoolId, usize, Option<Timestamp>)> {
        let depth = |(id, pool): (&PoolId, &super::Pool)| {
            let lanes = pool.lanes.iter().filter_map(|lane| self.lanes.get(lane));
            let (mut depth, mut oldest) = (0, None);
            for job in lanes.flat_map(|lane| lane.window.entries()) {
                depth += 1;
                if let State::Ready { ready_at } = job.record.state {
                    oldest = Some(oldest.map_or(ready_at, |oldest: Timestamp| oldest.min(ready_at)));
                }
            }
            (*id, depth, oldest)
        };
        self.pools.iter().map(depth).collect()
    }

    /// Whether a ready job is known that a runner of `pool` may take.
    pub(crate) fn has_for(&self, pool: PoolId, seeker: &Seeker) -> bool {
        let order = self.pools.get(&pool).map(|pool| &pool.order);
        order.is_some_and(|order| order.best(seeker.runner, &seeker.facts, &BTreeSet::new()).is_some())
    }
}
