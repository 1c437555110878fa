//! Runs: jobs submitted together.

use super::{Record, Unknown, id_bytes};
use crate::{
    rules::keys,
    values::{
        id::{RunId, TenantId},
        key::{Index, Key, Kind},
        time::Timestamp,
    },
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Jobs submitted together. How many of them have not ended is a counter beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    #[serde(skip, default = "no_tenant")]
    pub(crate) tenant: TenantId,
    #[serde(skip, default = "no_run")]
    pub(crate) id: RunId,
    pub(crate) submitted_at: Timestamp,
    /// When whatever has not ended is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deadline: Option<Timestamp>,
    /// When it was stopped for its deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timed_out_at: Option<Timestamp>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

const fn no_tenant() -> TenantId {
    TenantId::OPERATOR
}

const fn no_run() -> RunId {
    RunId::from_bytes([0; 16])
}

impl RunRecord {
    pub(crate) fn key_of(tenant: TenantId, run: RunId) -> Key {
        Key::new(tenant, Kind::Run, Bytes::copy_from_slice(run.as_bytes()))
    }
}

impl Record for RunRecord {
    const KIND: Kind = Kind::Run;
    fn key(&self) -> Key {
        Self::key_of(self.tenant, self.id)
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.tenant = key.tenant;
        self.id = RunId::from_bytes(id_bytes(key)?);
        Some(self)
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        match (self.deadline, self.timed_out_at) {
            (Some(deadline), None) => vec![(Index::Due, keys::due(deadline, &self.key()))],
            _ => Vec::new(),
        }
    }
}
