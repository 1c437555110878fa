//! Lanes: everything that decides where a job may run, matched once instead of job by job.

use super::{Record, Unknown};
use crate::{
    rules::keys,
    values::{
        digest::Digest,
        id::{LaneId, PoolId, RunnerId, TenantId},
        job::JobSpec,
        key::{Index, Key, Kind},
    },
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A lane as one of its pools lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LaneRecord {
    #[serde(skip, default = "no_tenant")]
    pub(crate) tenant: TenantId,
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
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
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
    /// The lane of a job that targets `pool`.
    pub(crate) fn of(tenant: TenantId, pool: PoolId, spec: &JobSpec) -> Self {
        Self {
            tenant,
            id: lane_id(tenant, pool, spec),
            pool,
            kind: spec.kind.clone(),
            wanted: spec.wanted.clone(),
            refused: spec.refused.clone(),
            runner: spec.runner,
            unknown: Unknown::new(),
        }
    }
}

/// The first 16 bytes of the SHA-256 of everything that decides where the job may run: `[1,
/// tenant, kind, [[pool, wait]…], wanted, refused, [[key, max]…], fairness, runner]`.
fn lane_id(tenant: TenantId, pool: PoolId, spec: &JobSpec) -> LaneId {
    let no_limits: [(&str, u32); 0] = [];
    let content = (
        1,
        tenant,
        &spec.kind,
        [(pool, 0)],
        &spec.wanted,
        &spec.refused,
        no_limits,
        Option::<&str>::None,
        spec.runner,
    );
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
