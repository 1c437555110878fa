//! The lanes that a submitted job goes through: found, or made when it is the first of its kind.

use super::{Plane, hosting::HOSTED_LANES_MAX, lock};
use crate::{
    actors::records::Batch,
    rules::{
        keys,
        record::{LaneRecord, Preference},
        schedule::LANES_MAX,
    },
    seams::store::StoreError,
    values::{
        id::TenantId,
        job::JobSpec,
        key::Key,
        reply::{RefusalCode, Refused},
    },
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

impl Plane {
    /// The lanes of a job, as each of their pools lists them.
    pub(super) async fn lanes(
        self: &Arc<Self>,
        tenant: TenantId,
        spec: &JobSpec,
        hosted: Option<Preference>,
    ) -> Result<Result<Vec<Vec<LaneRecord>>, Refused>, StoreError> {
        let preference = match hosted {
            Some(preference) => preference,
            None => match self.preference(tenant, spec).await? {
                Ok(preference) => preference,
                Err(refused) => return Ok(Err(refused)),
            },
        };
        for (pool, _) in &preference.pools {
            self.ensure_pool(preference.owner, *pool).await?;
        }
        let lanes = LaneRecord::of(tenant, &preference, spec);
        let missing: Vec<&LaneRecord> = {
            let schedule = lock(&self.schedule);
            lanes.iter().flatten().filter(|lane| !schedule.is_awake(lane.id, lane.pool)).collect()
        };
        if let Some(limit) = missing.iter().find_map(|lane| self.lanes_over(lane)) {
            let problem = format!(
                "spec: the pool has {limit} different combinations of kind, labels, keys, pools and runner, \
                 which is the limit"
            );
            return Ok(Err(Refused::new(RefusalCode::Exhausted, problem)));
        }
        self.make_lanes(&missing).await?;
        self.read_limits(&missing).await;
        Ok(Ok(lanes))
    }

    /// The limit on lanes that one more would be over.
    fn lanes_over(&self, lane: &LaneRecord) -> Option<usize> {
        let schedule = lock(&self.schedule);
        if schedule.knows_lane(lane.id, lane.pool) {
            return None;
        }
        let full = schedule.lanes_of(lane.pool) >= LANES_MAX;
        let hosted = lane.of.map_or(0, |tenant| schedule.hosted_lanes_of(lane.pool, tenant));
        if hosted >= HOSTED_LANES_MAX { Some(HOSTED_LANES_MAX) } else { full.then_some(LANES_MAX) }
    }

    /// The pools that a job names, in the order in which it prefers them.
    async fn preference(
        &self,
        tenant: TenantId,
        spec: &JobSpec,
    ) -> Result<Result<Preference, Refused>, StoreError> {
        let first = ("spec.pool".to_owned(), &spec.pool, Duration::ZERO);
        let further = spec.fallbacks.iter().enumerate();
        let further = further.map(|(at, one)| (format!("spec.fallbacks[{at}].pool"), &one.pool, one.after));
        let mut pools = Vec::with_capacity(1 + spec.fallbacks.len());
        for (field, name, after) in std::iter::once(first).chain(further) {
            let Some(pool) = self.pool_by_name(tenant, name).await? else {
                let problem = format!("{field}: there is no pool {name:?}");
                return Ok(Err(Refused::new(RefusalCode::NotFound, problem)));
            };
            if pools.iter().any(|(other, _)| *other == pool) {
                let problem = format!("{field}: {name:?} is named twice, or is where the environment leads");
                return Ok(Err(Refused::new(RefusalCode::Invalid, problem)));
            }
            pools.push((pool, after));
        }
        Ok(Ok(Preference { owner: tenant, pools }))
    }

    /// Reads the counters of lanes that are new here, so that their first job is granted as any
    /// other.
    async fn read_limits(self: &Arc<Self>, lanes: &[&LaneRecord]) {
        let limits =
            lanes.iter().flat_map(|lane| lane.concurrency.iter().map(|one| (lane.owner_of_jobs(), one)));
        let keys: BTreeSet<Key> = limits.map(|(tenant, one)| keys::granted(tenant, &one.key)).collect();
        self.read_counters(keys.into_iter().collect()).await;
    }

    /// Makes lanes together if none of them is there, else one by one. A lane is listed first by
    /// the pool that it prefers, so one that is new there has no jobs.
    async fn make_lanes(self: &Arc<Self>, missing: &[&LaneRecord]) -> Result<(), StoreError> {
        if missing.is_empty() {
            return Ok(());
        }
        let mut lanes: Vec<LaneRecord> = missing.iter().map(|lane| (*lane).clone()).collect();
        lanes.iter_mut().for_each(|lane| lane.wake(self.now(), self.chance()));
        let mut batch = Batch::new();
        lanes.iter().for_each(|lane| batch.put(0, lane));
        match self.records.commit(batch).await {
            Ok(_) => {
                self.scheduled(|schedule| lanes.iter().for_each(|lane| schedule.add_new_lane(lane)));
                lanes.iter().filter_map(|lane| lane.look_at).for_each(|at| self.due.hint(at));
                Ok(())
            }
            Err(StoreError::Conflict(_)) => {
                for lane in lanes {
                    self.wake_lane(lane).await?;
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
