//! Tenants, pools, and texts that may be taken once.

use super::{Record, Unknown, id_bytes};
use crate::{
    rules::{
        eligibility::{Allowance, Closed},
        keys,
    },
    values::{
        digest::Digest,
        fleet::pool::{PoolSpec, PoolView},
        id::{JobId, PoolId, TenantId},
        key::{Index, Key, Kind},
        time::Timestamp,
    },
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// An owner of everything below it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TenantRecord {
    #[serde(skip, default = "nobody")]
    pub(crate) id: TenantId,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) suspended: bool,
    /// When it was made. Zero in a record of the first release, which was in no listing.
    #[serde(default)]
    pub(crate) made_at: Timestamp,
    /// How many bytes its artifacts may have, if the operator has said so of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_quota: Option<u64>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

const fn nobody() -> TenantId {
    TenantId::OPERATOR
}

impl TenantRecord {
    pub(crate) fn new(id: TenantId, name: &str, made_at: Timestamp) -> Self {
        Self {
            id,
            name: name.to_owned(),
            suspended: false,
            made_at,
            artifact_quota: None,
            unknown: Unknown::new(),
        }
    }

    pub(crate) fn key_of(id: TenantId) -> Key {
        Key::new(TenantId::OPERATOR, Kind::Tenant, Bytes::copy_from_slice(id.as_bytes()))
    }
}

impl Record for TenantRecord {
    const KIND: Kind = Kind::Tenant;
    fn key(&self) -> Key {
        Self::key_of(self.id)
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.id = TenantId::from_bytes(id_bytes(key)?);
        Some(self)
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        vec![(Index::Listed, keys::listed(&self.key(), u8::from(self.suspended), self.made_at))]
    }
}

/// A named set of runners.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PoolRecord {
    #[serde(skip, default = "nobody")]
    pub(crate) tenant: TenantId,
    #[serde(skip, default = "no_pool")]
    pub(crate) id: PoolId,
    #[serde(flatten)]
    pub(crate) spec: PoolSpec,
    /// When it was made. Zero in a record of the first release, which was in no listing.
    #[serde(default)]
    pub(crate) made_at: Timestamp,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

const fn no_pool() -> PoolId {
    PoolId::from_bytes([0; 16])
}

impl PoolRecord {
    pub(crate) const fn new(tenant: TenantId, id: PoolId, spec: PoolSpec, made_at: Timestamp) -> Self {
        Self { tenant, id, spec, made_at, unknown: Unknown::new() }
    }

    /// The pool, as its owner sees it.
    pub(crate) fn view(&self) -> PoolView {
        PoolView { id: self.id, tenant: self.tenant, spec: self.spec.clone(), made_at: self.made_at }
    }

    /// How many jobs each of its runners may be granted.
    pub(crate) fn allowance(&self) -> Allowance {
        let closed = (!self.spec.active).then_some(Closed::Inactive);
        Allowance { slots: self.spec.slots_per_runner, closed }
    }

    pub(crate) fn key_of(tenant: TenantId, id: PoolId) -> Key {
        Key::new(tenant, Kind::Pool, Bytes::copy_from_slice(id.as_bytes()))
    }
}

impl Record for PoolRecord {
    const KIND: Kind = Kind::Pool;
    fn key(&self) -> Key {
        Self::key_of(self.tenant, self.id)
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.tenant = key.tenant;
        self.id = PoolId::from_bytes(id_bytes(key)?);
        Some(self)
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        vec![(Index::Listed, keys::listed(&self.key(), 0, self.made_at))]
    }
}

/// A text that may be taken once within a tenant, and what took it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UniqueRecord {
    #[serde(skip)]
    at: Option<Key>,
    /// The bytes of the id of what took it.
    pub(crate) taken_by: String,
    /// The digest of what a job that took it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Digest>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl UniqueRecord {
    /// Where the name of a pool stands.
    pub(crate) fn pool_name(tenant: TenantId, name: &str) -> Key {
        Key::new(tenant, Kind::Unique, Bytes::copy_from_slice(&keys::text(&["pool", name])))
    }

    pub(crate) fn of_pool(pool: &PoolRecord) -> Self {
        let at = Some(Self::pool_name(pool.tenant, &pool.spec.name));
        Self { at, taken_by: pool.id.to_string(), body: None, unknown: Unknown::new() }
    }

    /// Where the name of a tenant stands: they are the operator's, and of one name there is one.
    pub(crate) fn tenant_name(name: &str) -> Key {
        Key::new(TenantId::OPERATOR, Kind::Unique, Bytes::copy_from_slice(&keys::text(&["tenant", name])))
    }

    pub(crate) fn of_tenant(tenant: &TenantRecord) -> Self {
        let at = Some(Self::tenant_name(&tenant.name));
        Self { at, taken_by: tenant.id.to_string(), body: None, unknown: Unknown::new() }
    }

    /// Where the unique key of a job stands.
    pub(crate) fn job_key(tenant: TenantId, unique: &str) -> Key {
        Key::new(tenant, Kind::Unique, Bytes::copy_from_slice(&keys::text(&["job", unique])))
    }

    pub(crate) fn of_job(tenant: TenantId, unique: &str, job: JobId, body: Digest) -> Self {
        let at = Some(Self::job_key(tenant, unique));
        Self { at, taken_by: job.to_string(), body: Some(body), unknown: Unknown::new() }
    }
}

impl Record for UniqueRecord {
    const KIND: Kind = Kind::Unique;
    fn key(&self) -> Key {
        self.at.clone().expect("a unique record is built or read with its key")
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.at = Some(key.clone());
        Some(self)
    }
}
