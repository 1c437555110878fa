//! What the operator has said of the roll-out.

use super::{Record, Unknown};
use crate::values::{
    fleet::tenant::RolloutSpec,
    id::TenantId,
    key::{Key, Kind},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What the operator has said of the roll-out. There is one, or none yet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RolloutRecord {
    #[serde(flatten)]
    pub(crate) spec: RolloutSpec,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

impl RolloutRecord {
    pub(crate) const KEY: Key =
        Key { tenant: TenantId::OPERATOR, kind: Kind::Rollout, id: Bytes::from_static(b"rollout") };
}

impl Record for RolloutRecord {
    const KIND: Kind = Kind::Rollout;
    fn key(&self) -> Key {
        Self::KEY
    }
    fn with_key(self, key: &Key) -> Option<Self> {
        (*key == Self::KEY).then_some(self)
    }
}
