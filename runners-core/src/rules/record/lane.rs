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
        time::Timestamp,
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
    /// When it is looked at whether anybody still uses it. Earlier releases made lanes for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) look_at: Option<Timestamp>,
    /// No job was ready in it when it was looked at last: whoever makes one ready in it
    /// [wakes](Self::wake) it first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) idle: bool,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

/// How long nobody must have used a lane: a day, and up to a quarter more, so that lanes that were
/// made together are not all looked at together. It is far longer than any commit takes, so whoever
/// looked at a lane before it became idle has long made its job ready before the lane is deleted.
pub(crate) const QUIET: Duration = Duration::from_secs(24 * 3600);

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

    pub(crate) fn key_of(tenant: TenantId, lane: LaneId, pool: PoolId) -> Key {
        Key::new(tenant, Kind::Lane, keys::pair(lane.as_bytes(), pool.as_bytes()))
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

    /// Somebody is about to make a job ready in it. `chance` is from 0 to 1.
    pub(crate) fn wake(&mut self, now: Timestamp, chance: f64) {
        self.idle = false;
        self.look_at = Some(now + QUIET.mul_f64(1.0 + chance / 4.0));
    }

    /// Looks at it at `now`. Whether it is to be deleted: nothing is ready in it, as the time before,
    /// and nobody has woken it since.
    pub(crate) fn look(&mut self, now: Timestamp, has_ready_jobs: bool, chance: f64) -> bool {
        let quiet_before = self.idle;
        self.wake(now, chance);
        self.idle = !has_ready_jobs;
        self.idle && quiet_before
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
            look_at: None,
            idle: false,
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
        Self::key_of(self.tenant, self.id, self.pool)
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
        let key = self.key();
        let listed = keys::parent(self.tenant, &keys::lanes_of(self.pool), ordinal, &key.id);
        let due = self.look_at.map(|at| (Index::Due, keys::due(at, &key)));
        std::iter::once((Index::Parent, listed)).chain(due).collect()
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
    fn a_lane_is_deleted_when_it_was_quiet_for_two_looks_and_nobody_woke_it_between() {
        let mut lane = lanes(JobOptions::default(), &[(PoolId::DEFAULT, Duration::ZERO)])[0][0].clone();
        let now = Timestamp::from_millis(7);
        assert!(!lane.look(now, true, 0.0) && !lane.idle, "it has jobs");
        assert_eq!(lane.look_at, Some(now + QUIET));
        assert!(!lane.look(now, false, 1.0) && lane.idle, "it has none now, and may a moment later");
        assert_eq!(lane.look_at, Some(now + QUIET * 5 / 4));
        lane.wake(now, 0.0);
        assert!(!lane.look(now, false, 0.0));
        assert!(lane.look(now, false, 0.0));
        assert!(!lane.look(now, true, 0.0), "somebody who did not know made a job ready in it");
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
