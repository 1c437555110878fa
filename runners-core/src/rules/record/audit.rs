//! What was changed of a tenant's fleet: written with the change, and never again.

use super::{Record, Unknown, id_bytes};
use crate::{
    rules::keys,
    values::{
        fleet::audit::{AuditEntry, Author},
        id::TenantId,
        key::{Index, Key, Kind},
        time::Timestamp,
    },
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

const fn nobody() -> TenantId {
    TenantId::OPERATOR
}

/// One change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AuditRecord {
    #[serde(skip, default = "nobody")]
    pub(crate) tenant: TenantId,
    #[serde(skip)]
    pub(crate) id: [u8; 16],
    pub(crate) at: Timestamp,
    #[serde(default)]
    pub(crate) author: Author,
    pub(crate) deed: String,
    pub(crate) subject: String,
    /// Which one it was done to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) of: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

impl AuditRecord {
    /// The number under which all of them are listed.
    pub(crate) const LISTED: u8 = 0;

    /// As it is shown.
    pub(crate) fn entry(self) -> AuditEntry {
        let Self { at, author, deed, subject, of: id, note, .. } = self;
        AuditEntry { at, author, deed, subject, id, note }
    }
}

impl Record for AuditRecord {
    const KIND: Kind = Kind::Audit;
    fn key(&self) -> Key {
        Key::new(self.tenant, Self::KIND, Bytes::copy_from_slice(&self.id))
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.tenant = key.tenant;
        self.id = id_bytes(key)?;
        Some(self)
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        vec![(Index::Listed, keys::listed(&self.key(), Self::LISTED, self.at))]
    }
}
