//! The key that signs grants of live views.

use super::{Record, Unknown};
use crate::values::{
    id::TenantId,
    key::{Key, Kind},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The key that signs grants of live views, for every control plane of the store. There is one, or none yet.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct LiveKeyRecord {
    /// In hex.
    pub(crate) key: String,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

impl LiveKeyRecord {
    pub(crate) const KEY: Key =
        Key { tenant: TenantId::OPERATOR, kind: Kind::Stream, id: Bytes::from_static(b"grants") };
}

impl Record for LiveKeyRecord {
    const KIND: Kind = Kind::Stream;
    fn key(&self) -> Key {
        Self::KEY
    }
    fn with_key(self, key: &Key) -> Option<Self> {
        (*key == Self::KEY).then_some(self)
    }
}

/// Without the key.
impl fmt::Debug for LiveKeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveKeyRecord").finish_non_exhaustive()
    }
}
