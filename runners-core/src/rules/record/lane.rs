//! Lanes: everything that decides where a job may run, matched once instead of job by job.

use super::{Record, Unknown};
use crate::{
    rules::{eligibility::Needs, keys},
    values::{
        digest::Digest,
        id::{LaneId, PoolId, RunnerId, TenantId},
        job::JobSpec,
        key::{Index, Key, Kind},
        preference::{Concurrency, Fairness},
    },
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, time::Duration};

/// A lane as one of its pools lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LaneRecord {
    /// The owner of the pool.
    #[serde(skip, default = "no_tenant")]
    pub(crate) tenant: TenantId,
    /// Whose jobs are in it, if they are hosted: of another tenant than the owner of the pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) of: Option<TenantId>,
    #[serde(skip, default = "no_lane")]
    pub(crate) id: LaneId,
    #[serde(skip, default = "no_pool")]
    pub(crate) pool: PoolId,
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) wanted: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) refused: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) runner: Option<RunnerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fairness: Option<Fairness>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) concurrency: Vec<Concurrency>,
    /// How many pools the lane prefers to this one.
    #[serde(default, skip_serializing_if = "is_first")]
    pub(crate) rank: u32,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

/// The pools of a job in the order in which it prefers them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Preference {
    /// The owner of the pools: the operator if the job is hosted, or else that of the job.
    pub(crate) owner: TenantId,
    /// Each with how long the job must have been ready.
    pub(crate) pools: Vec<(PoolId, Duration)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn is_first(rank: &u32) -> bool {
    *rank == 0
}

const fn no_tenant() -> TenantId {
    TenantId::OPERATOR
}

const fn no_lane() -> LaneId {
    LaneId::from_bytes([0; 16])
}

const fn no_pool() -> PoolId {
    PoolId::from_bytes([0; 16])
}

impl LaneRecord {
    /// The lanes that a job goes through while it waits, one for each number of pools that are
    /// open to it, each as every one of those pools lists it. The first one is that of its submit.
    pub(crate) fn of(tenant: TenantId, preference: &Preference, spec: &JobSpec) -> Vec<Vec<Self>> {
        let Preference { owner, pools } = preference;
        let open_at_once = pools.iter().take_while(|(_, after)| after.is_zero()).count();
        let stages = open_at_once..=pools.len();
        stages
            .map(|open| {
                let id = lane_id(tenant, pools, open, spec);
                let of = (tenant != *owner).then_some(tenant);
                let listed = |(rank, (pool, _)): (u32, &(PoolId, Duration))| Self {
                    of,
                    rank,
                    ..Self::listed(*owner, id, *pool, spec)
                };
                (0..).zip(&pools[..open]).map(listed).collect()
            })
            .collect()
    }

    /// What its jobs ask of a runner.
    pub(crate) fn needs(&self) -> Needs {
        Needs {
            runner: self.runner,
            kind: self.kind.clone(),
            wanted: self.wanted.clone(),
            refused: self.refused.clone(),
        }
    }

    /// The owner of its jobs.
    pub(crate) fn owner_of_jobs(&self) -> TenantId {
        self.of.unwrap_or(self.tenant)
    }

    /// The counter of whom its jobs take turns with in its pool, and the weight of that. In a pool
    /// that is shared, tenants take turns, whatever a job says.
    pub(crate) fn share(&self) -> Option<(Key, u32)> {
        match (self.of, &self.fairness) {
            (Some(tenant), _) => Some((keys::tenant_share(tenant, self.pool), 1)),
            (None, fairness) => fairness
                .as_ref()
                .map(|fairness| (keys::share(self.tenant, self.pool, &fairness.key), fairness.weight)),
        }
    }

    fn listed(tenant: TenantId, id: LaneId, pool: PoolId, spec: &JobSpec) -> Self {
        let mut concurrency = spec.concurrency.clone();
        concurrency.sort();
        Self {
            tenant,
            of: None,
            id,
            pool,
            kind: spec.kind.clone(),
            wanted: spec.wanted.clone(),
            refused: spec.refused.clone(),
            runner: spec.runner,
            fairness: spec.fairness.clone(),
            concurrency,
            rank: 0,
            unknown: Unknown::new(),
        }
    }
}

/// The first 16 bytes of the SHA-256 of everything that decides where the job may run: `[1,
/// tenant, kind, [[pool, wait]…], wanted, refused, [[key, max]…], fairness, runner]`, where the
/// first `open` pools are not waited for any more.
fn lane_id(tenant: TenantId, pools: &[(PoolId, Duration)], open: usize, spec: &JobSpec) -> LaneId {
    let wait = |(at, (pool, after)): (usize, &(PoolId, Duration))| {
        (*pool, if at < open { 0 } else { after.as_millis() })
    };
    let pools: Vec<(PoolId, u128)> = pools.iter().enumerate().map(wait).collect();
    let mut limits: Vec<(&str, u32)> = spec.concurrency.iter().map(|one| (&*one.key, one.max)).collect();
    limits.sort_unstable();
    let fairness = spec.fairness.as_ref().map(|fairness| (&fairness.key, fairness.weight));
    let content = (1, tenant, &spec.kind, pools, &spec.wanted, &spec.refused, limits, fairness, spec.runner);
    let json = serde_json::to_vec(&content).expect("a lane is plain data");
    LaneId::from_bytes(Digest::of(&json).short())
}

impl Record for LaneRecord {
    const KIND: Kind = Kind::Lane;
    fn key(&self) -> Key {
        Key::new(self.tenant, Self::KIND, keys::pair(self.id.as_bytes(), self.pool.as_bytes()))
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        let (lane, pool) = key.id.split_at_checked(16)?;
        self.tenant = key.tenant;
        self.id = LaneId::from_bytes(lane.try_into().ok()?);
        self.pool = PoolId::from_bytes(pool.try_into().ok()?);
        Some(self)
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        let ordinal = u64::from(Self::KIND.number());
        vec![(Index::Parent, keys::parent(self.tenant, &keys::lanes_of(self.pool), ordinal, &self.key().id))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{id::JobId, job::JobOptions, preference::Fallback};

    fn lanes(options: JobOptions, pools: &[(PoolId, Duration)]) -> Vec<Vec<LaneRecord>> {
        let spec = JobSpec::new(JobId::from_bytes([1; 16]), "visit", b"{}", options);
        let preference = Preference { owner: TenantId::DEFAULT, pools: pools.to_vec() };
        LaneRecord::of(TenantId::DEFAULT, &preference, &spec)
    }

    fn id_of(content: &str) -> LaneId {
        LaneId::from_bytes(Digest::of(content.as_bytes()).short())
    }

    #[test]
    fn a_lane_is_named_by_its_content_whatever_the_order_of_its_keys() {
        let (tenant, pool) = (TenantId::DEFAULT, PoolId::DEFAULT);
        let plain = lanes(JobOptions::default(), &[(pool, Duration::ZERO)]);
        let content = format!(r#"[1,"{tenant}","visit",[["{pool}",0]],[],[],[],null,null]"#);
        assert_eq!(plain[0][0].id, id_of(&content));
        let concurrency = vec![Concurrency::new("b", 2), Concurrency::new("a", 1)];
        let fairness = Some(Fairness { key: "k".into(), weight: 3 });
        let options = JobOptions { concurrency, fairness, ..JobOptions::default() };
        let content =
            format!(r#"[1,"{tenant}","visit",[["{pool}",0]],[],[],[["a",1],["b",2]],["k",3],null]"#);
        assert_eq!(lanes(options, &[(pool, Duration::ZERO)])[0][0].id, id_of(&content));
    }

    #[test]
    fn a_job_goes_through_a_lane_for_each_number_of_pools_that_are_open_to_it() {
        let pools = [1, 2, 3].map(|number| PoolId::from_bytes([number; 16]));
        let (now, later) = (Duration::ZERO, Duration::from_secs(9));
        let preference = [(pools[0], now), (pools[1], now), (pools[2], later)];
        let fallbacks = vec![Fallback::new("two", now), Fallback::new("three", later)];
        let lanes = lanes(JobOptions { fallbacks, ..JobOptions::default() }, &preference);
        let listed = |lane: &Vec<LaneRecord>| lane.iter().map(|one| (one.rank, one.pool)).collect::<Vec<_>>();
        assert_eq!(listed(&lanes[0]), [(0, pools[0]), (1, pools[1])]);
        assert_eq!(listed(&lanes[1]), [(0, pools[0]), (1, pools[1]), (2, pools[2])]);
        assert_ne!(lanes[0][0].id, lanes[1][0].id);
        assert_eq!(lanes.len(), 2);
    }
}
