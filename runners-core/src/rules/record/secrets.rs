//! What is known of secrets: their SHA-256, and for whom they speak.

use super::{Record, Unknown};
use crate::{
    rules::keys,
    values::{
        digest::Digest,
        id::{PoolId, RunnerId, TenantId},
        key::{Index, Key, Kind},
        principal::Scope,
        time::Timestamp,
    },
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const fn no_digest() -> Digest {
    Digest::from_bytes([0; 32])
}

/// For whom a credential speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Subject {
    Runner { pool: PoolId, runner: RunnerId },
    Api { scopes: BTreeSet<Scope> },
}

/// A credential: kept by the operator, since its tenant is what is looked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CredentialRecord {
    #[serde(skip, default = "no_digest")]
    pub(crate) digest: Digest,
    pub(crate) tenant: TenantId,
    pub(crate) subject: Subject,
    pub(crate) made_at: Timestamp,
    /// Who holds it, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) revoked: bool,
    /// The one that takes its place, from its first use on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<Digest>,
    /// The one whose place it takes, until it was used for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaces: Option<Digest>,
    /// From when on the next one alone is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retires_at: Option<Timestamp>,
    /// The registration token it was exchanged for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) registration: Option<Digest>,
    /// When its runner was removed, while it was good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) removed_at: Option<Timestamp>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

impl CredentialRecord {
    /// A credential that is good from `made_at` on, for ever.
    pub(crate) const fn new(digest: Digest, tenant: TenantId, subject: Subject, made_at: Timestamp) -> Self {
        Self {
            digest,
            tenant,
            subject,
            made_at,
            name: String::new(),
            expires_at: None,
            revoked: false,
            next: None,
            replaces: None,
            retires_at: None,
            registration: None,
            removed_at: None,
            unknown: Unknown::new(),
        }
    }

    pub(crate) fn key_of(digest: Digest) -> Key {
        Key::new(TenantId::OPERATOR, Kind::Credential, Bytes::copy_from_slice(digest.as_bytes()))
    }
}

impl Record for CredentialRecord {
    const KIND: Kind = Kind::Credential;
    fn key(&self) -> Key {
        Self::key_of(self.digest)
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.digest = Digest::from_bytes(key.id.as_ref().try_into().ok()?);
        Some(self)
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        let parent = match &self.subject {
            Subject::Runner { runner, .. } => *runner.as_bytes(),
            Subject::Api { .. } => keys::api_credentials(),
        };
        let ordinal = u64::from(Self::KIND.number());
        let listed = (Index::Parent, keys::parent(self.tenant, &parent, ordinal, self.digest.as_bytes()));
        let due = self.forgotten_at().map(|at| (Index::Due, keys::due(at, &self.key())));
        std::iter::once(listed).chain(due).collect()
    }
}

/// A registration token, and the pool it admits to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RegistrationRecord {
    #[serde(skip, default = "no_digest")]
    pub(crate) digest: Digest,
    pub(crate) tenant: TenantId,
    pub(crate) pool: PoolId,
    /// How often it may be used; any number of times unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) uses_max: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) revoked: bool,
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) made_at: Timestamp,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

impl RegistrationRecord {
    pub(crate) fn key_of(digest: Digest) -> Key {
        Key::new(TenantId::OPERATOR, Kind::Registration, Bytes::copy_from_slice(digest.as_bytes()))
    }

    /// The counter of its uses.
    pub(crate) fn uses(&self) -> Key {
        Key::new(TenantId::OPERATOR, Kind::Limit, Bytes::copy_from_slice(self.digest.as_bytes()))
    }
}

impl Record for RegistrationRecord {
    const KIND: Kind = Kind::Registration;
    fn key(&self) -> Key {
        Self::key_of(self.digest)
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.digest = Digest::from_bytes(key.id.as_ref().try_into().ok()?);
        Some(self)
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        let ordinal = u64::from(Self::KIND.number());
        vec![(
            Index::Parent,
            keys::parent(self.tenant, self.pool.as_bytes(), ordinal, self.digest.as_bytes()),
        )]
    }
}
