//! What a tenant wants to keep.

use super::{Record, Unknown};
use crate::values::{
    fleet::retention::Retention,
    id::TenantId,
    key::{Key, Kind},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What a tenant wants to keep. A tenant without such a record keeps what the control plane says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RetentionRecord {
    #[serde(skip, default = "nobody")]
    pub(crate) tenant: TenantId,
    #[serde(flatten)]
    pub(crate) retention: Retention,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

const fn nobody() -> TenantId {
    TenantId::OPERATOR
}

impl RetentionRecord {
    pub(crate) const fn key_of(tenant: TenantId) -> Key {
        Key { tenant, kind: Kind::Retention, id: Bytes::from_static(b"jobs") }
    }
}

impl Record for RetentionRecord {
    const KIND: Kind = Kind::Retention;
    fn key(&self) -> Key {
        Self::key_of(self.tenant)
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.tenant = key.tenant;
        Some(self)
    }
}
