//! Environments: names of a tenant that lead to where its jobs run.

use super::{Record, Unknown};
use crate::{
    rules::keys,
    values::{
        fleet::environment::Route,
        id::TenantId,
        key::{Index, Key, Kind},
        time::Timestamp,
    },
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A name that leads to where jobs run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct EnvironmentRecord {
    #[serde(skip, default = "nobody")]
    pub(crate) tenant: TenantId,
    pub(crate) name: String,
    pub(crate) route: Route,
    pub(crate) made_at: Timestamp,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

const fn nobody() -> TenantId {
    TenantId::OPERATOR
}

impl EnvironmentRecord {
    pub(crate) fn key_of(tenant: TenantId, name: &str) -> Key {
        Key::new(tenant, Kind::Environment, Bytes::copy_from_slice(&keys::text(&["environment", name])))
    }
}

impl Record for EnvironmentRecord {
    const KIND: Kind = Kind::Environment;
    fn key(&self) -> Key {
        Self::key_of(self.tenant, &self.name)
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.tenant = key.tenant;
        Some(self)
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        vec![(Index::Listed, keys::listed(&self.key(), 0, self.made_at))]
    }
}
