//! Runners, and the presence of one start of a runner.

use super::{Record, Unknown, id_bytes};
use crate::{
    rules::{crash_loop::Starts, keys},
    values::{
        digest::Digest,
        id::{MemberId, PoolId, RunnerId, TenantId},
        key::{Index, Key, Kind},
        runner::{Desired, Facts, Incarnation},
        time::Timestamp,
    },
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A process that executes, over all its starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunnerRecord {
    #[serde(skip, default = "no_tenant")]
    pub(crate) tenant: TenantId,
    #[serde(skip, default = "no_runner")]
    pub(crate) id: RunnerId,
    pub(crate) pool: PoolId,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) desired: Desired,
    #[serde(default)]
    pub(crate) removed: bool,
    /// When it was registered. Zero in a record of the first release, which was in no listing.
    #[serde(default)]
    pub(crate) made_at: Timestamp,
    /// It is one of those that the pool's limit counts, until it is removed.
    #[serde(default)]
    pub(crate) counted: bool,
    /// When whatever it still holds is taken from it, while it drains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) drain_by: Option<Timestamp>,
    /// It is removed once it is drained.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) retiring: bool,
    /// What it last said of itself, and the digest that it said it under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) facts: Option<(Digest, Arc<Facts>)>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

const fn no_tenant() -> TenantId {
    TenantId::OPERATOR
}

const fn no_runner() -> RunnerId {
    RunnerId::from_bytes([0; 16])
}

impl RunnerRecord {
    pub(crate) fn new(tenant: TenantId, id: RunnerId, pool: PoolId, name: &str, made_at: Timestamp) -> Self {
        Self {
            tenant,
            id,
            pool,
            name: name.to_owned(),
            desired: Desired::default(),
            removed: false,
            made_at,
            counted: false,
            drain_by: None,
            retiring: false,
            facts: None,
            unknown: Unknown::new(),
        }
    }

    pub(crate) fn key_of(tenant: TenantId, id: RunnerId) -> Key {
        Key::new(tenant, Kind::Runner, Bytes::copy_from_slice(id.as_bytes()))
    }
}

impl Record for RunnerRecord {
    const KIND: Kind = Kind::Runner;
    fn key(&self) -> Key {
        Self::key_of(self.tenant, self.id)
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.tenant = key.tenant;
        self.id = RunnerId::from_bytes(id_bytes(key)?);
        Some(self)
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        if self.removed {
            return Vec::new();
        }
        let ordinal = u64::from(Self::KIND.number());
        let key = self.key();
        let due = self.drain_by.map(|by| (Index::Due, keys::due(by, &key)));
        let listed = [
            (Index::Parent, keys::parent(self.tenant, self.pool.as_bytes(), ordinal, self.id.as_bytes())),
            (Index::Listed, keys::listed(&key, 0, self.made_at)),
        ];
        listed.into_iter().chain(due).collect()
    }
}

/// Names one start of a runner: what a lease is granted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionRef {
    pub(crate) runner: RunnerId,
    pub(crate) incarnation: Incarnation,
}

/// The presence of one start of a runner. Every lease of the runner lives as long as it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SessionRecord {
    #[serde(skip, default = "no_tenant")]
    pub(crate) tenant: TenantId,
    #[serde(skip, default = "no_runner")]
    pub(crate) runner: RunnerId,
    pub(crate) incarnation: Incarnation,
    /// The control plane that the runner last spoke to.
    pub(crate) home: MemberId,
    /// Requests up to this one were answered, or overtaken, at another control plane.
    pub(crate) floor: u64,
    /// Until when the leases are good.
    pub(crate) expires_at: Timestamp,
    /// Its leases were released because it had expired.
    #[serde(default)]
    pub(crate) ended: bool,
    /// It drains, and nothing is held any more.
    #[serde(default)]
    pub(crate) drained: bool,
    /// When the runner had last spoken when this was written.
    #[serde(default)]
    pub(crate) synced_at: Timestamp,
    /// When it was started.
    #[serde(default)]
    pub(crate) starts: Starts,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

impl SessionRecord {
    pub(crate) fn key_of(tenant: TenantId, runner: RunnerId) -> Key {
        Key::new(tenant, Kind::Session, Bytes::copy_from_slice(runner.as_bytes()))
    }

    pub(crate) const fn reference(&self) -> SessionRef {
        SessionRef { runner: self.runner, incarnation: self.incarnation }
    }
}

impl Record for SessionRecord {
    const KIND: Kind = Kind::Session;
    fn key(&self) -> Key {
        Self::key_of(self.tenant, self.runner)
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.tenant = key.tenant;
        self.runner = RunnerId::from_bytes(id_bytes(key)?);
        Some(self)
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        let holds_leases = !self.ended && self.expires_at > Timestamp::default();
        if holds_leases { vec![(Index::Due, keys::due(self.expires_at, &self.key()))] } else { Vec::new() }
    }
}
