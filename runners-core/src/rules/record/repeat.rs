//! Requests that were carried out under a key, with what each of them made.

use super::{DecodeError, Record, Unknown, decode, encode, id_bytes};
use crate::{
    rules::{keys, repeat::KEPT_FOR},
    values::{
        digest::Digest,
        id::TenantId,
        key::{Index, Key, Kind},
        time::Timestamp,
    },
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A request that was carried out, and what it made, as that was then. It is written in the commit
/// that carries the request out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RepeatRecord {
    #[serde(skip, default = "nobody")]
    pub(crate) tenant: TenantId,
    /// The first half of the digest of the key.
    #[serde(skip)]
    pub(crate) id: [u8; 16],
    /// The digest of the request.
    pub(crate) request: Digest,
    pub(crate) made_at: Timestamp,
    pub(crate) made: Made,
    /// It queued jobs, which tell by themselves what it made, and is not counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) uncounted: bool,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

/// A record, as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    tenant: Option<TenantId>,
    id: String,
    format: u16,
    body: String,
}

const fn nobody() -> TenantId {
    TenantId::OPERATOR
}

impl RepeatRecord {
    /// A request that has made nothing yet.
    pub(crate) fn new(tenant: TenantId, id: [u8; 16], request: Digest, made_at: Timestamp) -> Self {
        Self {
            tenant,
            id,
            request,
            made_at,
            made: Made::default(),
            uncounted: false,
            unknown: Unknown::new(),
        }
    }

    pub(crate) fn key_of(tenant: TenantId, id: [u8; 16]) -> Key {
        Key::new(tenant, Kind::Repeat, Bytes::copy_from_slice(&id))
    }

    /// The counter of a tenant's requests that are remembered.
    pub(crate) const fn count(tenant: TenantId) -> Key {
        Key { tenant, kind: Kind::Limit, id: Bytes::from_static(b"repeats") }
    }

    /// When it is forgotten.
    pub(crate) fn forgotten_at(&self) -> Timestamp {
        self.made_at + KEPT_FOR
    }

    /// Remembers what the request makes. Nothing of it may be a secret that is shown once.
    pub(crate) fn note<R: Record>(&mut self, made: &R) {
        let key = made.key();
        self.made = Made {
            tenant: Some(key.tenant),
            id: hex::encode(&key.id),
            format: R::FORMAT,
            body: String::from_utf8_lossy(&encode(made)).into_owned(),
        };
    }

    /// What the request made, as it was then.
    pub(crate) fn made<R: Record>(&self) -> Result<R, DecodeError> {
        let Made { tenant, id, format, body } = &self.made;
        let id = hex::decode(id).map_err(|_| DecodeError::Misplaced(self.key()))?;
        let key = Key::new(tenant.unwrap_or(self.tenant), R::KIND, id);
        decode(&key, *format, body.as_bytes())
    }
}

impl Record for RepeatRecord {
    const KIND: Kind = Kind::Repeat;
    fn key(&self) -> Key {
        Self::key_of(self.tenant, self.id)
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.tenant = key.tenant;
        self.id = id_bytes(key)?;
        Some(self)
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        vec![(Index::Due, keys::due(self.forgotten_at(), &self.key()))]
    }
}
