//! What is written once: payloads, results too large for a job's state, and names of artifacts.

use super::{Record, Unknown, id_bytes};
use crate::{
    rules::keys,
    values::{
        digest::Digest,
        id::{JobId, TenantId},
        key::{Index, Key, Kind},
        lease::FencingToken,
        opaque::Opaque,
        time::Timestamp,
    },
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

const fn no_tenant() -> TenantId {
    TenantId::OPERATOR
}

const fn no_job() -> JobId {
    JobId::from_bytes([0; 16])
}

const fn no_token() -> FencingToken {
    FencingToken { job: no_job(), grant: 0 }
}

/// The exact bytes of a job as it was submitted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PayloadRecord {
    #[serde(skip, default = "no_tenant")]
    pub(crate) tenant: TenantId,
    #[serde(skip, default = "no_job")]
    pub(crate) job: JobId,
    pub(crate) spec: Opaque,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signature: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payload: Option<Opaque>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payload_artifact: Option<Digest>,
}

impl PayloadRecord {
    pub(crate) fn key_of(tenant: TenantId, job: JobId) -> Key {
        Key::new(tenant, Kind::Payload, Bytes::copy_from_slice(job.as_bytes()))
    }
}

impl Record for PayloadRecord {
    const KIND: Kind = Kind::Payload;
    fn key(&self) -> Key {
        Self::key_of(self.tenant, self.job)
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.tenant = key.tenant;
        self.job = JobId::from_bytes(id_bytes(key)?);
        Some(self)
    }
}

/// A result that is too large for the job's state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OutcomeRecord {
    #[serde(skip, default = "no_tenant")]
    pub(crate) tenant: TenantId,
    #[serde(skip, default = "no_token")]
    pub(crate) token: FencingToken,
    pub(crate) result: Opaque,
}

impl OutcomeRecord {
    pub(crate) fn key_of(tenant: TenantId, token: FencingToken) -> Key {
        Key::new(tenant, Kind::Outcome, keys::of_grant(token))
    }
}

impl Record for OutcomeRecord {
    const KIND: Kind = Kind::Outcome;
    fn key(&self) -> Key {
        Self::key_of(self.tenant, self.token)
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.tenant = key.tenant;
        self.token = token_of(&key.id)?;
        Some(self)
    }
}

/// What an artifact is that no attempt has named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// The log of the attempt.
    Log,
    /// Its result.
    Result,
    /// The payload of the job; its grant is 0.
    Payload,
}

impl Role {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Result => "result",
            Self::Payload => "payload",
        }
    }
}

/// An artifact that an attempt left, by name, or that is its log, result or payload. As long as
/// there is such a record, the artifact is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ArtifactRecord {
    #[serde(skip, default = "no_tenant")]
    pub(crate) tenant: TenantId,
    #[serde(skip, default = "no_token")]
    pub(crate) token: FencingToken,
    pub(crate) name: String,
    pub(crate) digest: Digest,
    pub(crate) length: u64,
    pub(crate) media_type: String,
    #[serde(default)]
    pub(crate) attached_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<Role>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

impl ArtifactRecord {
    /// The number in listings of those that attempts have named.
    pub(crate) const LEFT: u8 = 1;

    /// Names the log, the result or the payload.
    pub(crate) fn of_role(
        tenant: TenantId,
        token: FencingToken,
        role: Role,
        digest: Digest,
        length: u64,
    ) -> Self {
        Self {
            tenant,
            token,
            name: role.as_str().to_owned(),
            digest,
            length,
            media_type: String::new(),
            attached_at: Timestamp::default(),
            role: Some(role),
            unknown: Unknown::new(),
        }
    }
}

impl Record for ArtifactRecord {
    const KIND: Kind = Kind::Artifact;
    fn key(&self) -> Key {
        let id = match self.role {
            Some(role) => keys::of_role(self.token, role.as_str()),
            None => keys::of_artifact(self.token, &self.name),
        };
        Key::new(self.tenant, Self::KIND, id)
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.tenant = key.tenant;
        self.token = token_of(key.id.get(..24)?)?;
        Some(self)
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        let parent = keys::artifacts_of(self.token.job);
        let key = self.key();
        let mut indexes = vec![
            (Index::Parent, keys::parent(self.tenant, &parent, self.token.grant, &key.id)),
            (Index::Mark, keys::names(&key, self.digest)),
        ];
        if self.role.is_none() {
            indexes.push((Index::Listed, keys::listed(&key, Self::LEFT, self.attached_at)));
        }
        indexes
    }
}

fn token_of(id: &[u8]) -> Option<FencingToken> {
    let (job, grant) = id.split_at_checked(16)?;
    Some(FencingToken {
        job: JobId::from_bytes(job.try_into().ok()?),
        grant: u64::from_be_bytes(grant.try_into().ok()?),
    })
}
