//! Runs: jobs submitted together.

use super::{Record, Unknown, id_bytes};
use crate::{
    rules::keys,
    values::{
        id::{JobId, RunId, TenantId},
        key::{Index, Key, Kind},
        request::RunSpec,
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
    /// When its time was found to be over. Jobs that are added from then on end at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timed_out_at: Option<Timestamp>,
    /// The jobs that were open then were stopped. An earlier release has stopped them before it wrote that its
    /// time was over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_stopped: bool,
    /// A job of it was open, as its feed has told: nothing, and then either one again and again. The
    /// jobs of an earlier release have opened it without a word.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) open: bool,
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
    /// A run that has no job yet.
    pub(crate) fn new(tenant: TenantId, run: &RunSpec, now: Timestamp) -> Self {
        Self {
            tenant,
            id: run.run,
            submitted_at: now,
            deadline: run.timeout.map(|timeout| now + timeout),
            timed_out_at: None,
            is_stopped: false,
            open: false,
            unknown: Unknown::new(),
        }
    }

    /// Whether no job may begin in it any more.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.timed_out_at.is_some() || self.deadline.is_some_and(|deadline| deadline <= now)
    }

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
        let key = self.key();
        let due = self.deadline.filter(|_| !self.is_stopped);
        let due = due.map(|deadline| (Index::Due, keys::due(deadline, &key)));
        // What was cut short before it was closed is found there.
        let owner = self.open.then(|| (Index::Owner, keys::owner(keys::UPKEEP, &key)));
        let listed = (Index::Listed, keys::listed(&key, 0, self.submitted_at));
        due.into_iter().chain(owner).chain([listed]).collect()
    }
}

/// An edge from a job to one that waits for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DependencyRecord {
    #[serde(skip, default = "no_tenant")]
    pub(crate) tenant: TenantId,
    #[serde(skip, default = "no_job")]
    pub(crate) before: JobId,
    #[serde(skip, default = "no_job")]
    pub(crate) after: JobId,
    #[serde(flatten)]
    unknown: Unknown,
}

const fn no_job() -> JobId {
    JobId::from_bytes([0; 16])
}

impl DependencyRecord {
    pub(crate) const fn new(tenant: TenantId, before: JobId, after: JobId) -> Self {
        Self { tenant, before, after, unknown: Unknown::new() }
    }
}

impl Record for DependencyRecord {
    const KIND: Kind = Kind::Dependency;
    fn key(&self) -> Key {
        Key::new(self.tenant, Self::KIND, keys::pair(self.before.as_bytes(), self.after.as_bytes()))
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        let (before, after) = key.id.split_at_checked(16)?;
        self.tenant = key.tenant;
        self.before = JobId::from_bytes(before.try_into().ok()?);
        self.after = JobId::from_bytes(after.try_into().ok()?);
        Some(self)
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        let ordinal = u64::from(Self::KIND.number());
        let id = self.key().id;
        vec![(Index::Parent, keys::parent(self.tenant, self.before.as_bytes(), ordinal, &id))]
    }
}
