//! Runs over regions: how far each is, and beside it its jobs as they were asked for. What became of
//! the jobs is in the run's journal, a stream.

use super::{Record, Unknown, id_bytes};
use crate::{
    rules::{keys, orchestration::fan_out::PlannedJob},
    values::{
        digest::Digest,
        id::{RunId, TenantId},
        key::{Index, Key, Kind},
        orchestration::{OrchestrationOptions, RunLine, RunProgress, RunState},
        outcome::Conclusion,
        time::{Timestamp, optional_millis},
    },
};
use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A run over regions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OrchestrationRecord {
    #[serde(skip, default = "no_tenant")]
    pub(crate) tenant: TenantId,
    /// Its name.
    pub(crate) run: String,
    /// What the ids of its jobs are made of. Another run of the same name has another one.
    pub(crate) seed: RunId,
    /// The digest of the request.
    pub(crate) request: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) concurrency: Option<u64>,
    #[serde(
        rename = "timeout_ms",
        default,
        skip_serializing_if = "Option::is_none",
        with = "optional_millis"
    )]
    pub(crate) timeout: Option<Duration>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    #[serde(default, skip_serializing_if = "OrchestrationOptions::is_default")]
    pub(crate) options: OrchestrationOptions,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) completed_at: Option<Timestamp>,
    pub(crate) state: RunState,
    /// How many jobs it has.
    pub(crate) jobs: u64,
    #[serde(default)]
    pub(crate) completed: u64,
    #[serde(default)]
    pub(crate) failed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) conclusion: Option<Conclusion>,
    /// How many records its jobs stand in.
    pub(crate) pieces: u32,
    /// How long its journal is.
    #[serde(default)]
    pub(crate) journal_bytes: u64,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

const fn no_tenant() -> TenantId {
    TenantId::OPERATOR
}

impl OrchestrationRecord {
    /// The byte that stands for the state in listings: all runs stand in one list, by their time.
    const LISTED: u8 = 0;

    pub(crate) fn key_of(tenant: TenantId, run: &str) -> Key {
        Key::new(tenant, Kind::Orchestration, Bytes::copy_from_slice(&keys::text(&["run over regions", run])))
    }

    /// Where its journal stands.
    pub(crate) fn journal(&self) -> Key {
        let mut id = BytesMut::with_capacity(19);
        id.put_slice(b"rr:");
        id.put_slice(self.seed.as_bytes());
        Key::new(self.tenant, Kind::Events, id.freeze())
    }

    /// What every key among a tenant's runs begins with.
    pub(crate) fn listed_prefix(tenant: TenantId) -> Bytes {
        keys::listed_prefix(tenant, Kind::Orchestration, Some(Self::LISTED))
    }

    /// What every key among all runs begins with that have ended, or that have not.
    pub(crate) fn marked_prefix(ended: bool) -> Bytes {
        let mark = if ended { "ended runs over regions" } else { "open runs over regions" };
        keys::pair(TenantId::OPERATOR.as_bytes(), &keys::text(&[mark]))
    }

    /// The counter of a tenant's runs that have not ended.
    pub(crate) fn open_runs(tenant: TenantId) -> Key {
        Key::new(tenant, Kind::Limit, Bytes::copy_from_slice(&keys::text(&["open runs over regions"])))
    }

    /// When it is stopped, if it may not take for ever.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.timeout.map(|timeout| self.created_at + timeout)
    }

    pub(crate) fn progress(&self) -> RunProgress {
        RunProgress::new(
            self.run.clone(),
            self.state,
            [self.jobs, self.completed, self.failed],
            [self.created_at, self.updated_at],
            self.conclusion,
        )
    }

    pub(crate) fn line(&self) -> RunLine {
        RunLine { progress: self.progress(), tags: self.tags.clone() }
    }
}

impl Record for OrchestrationRecord {
    const KIND: Kind = Kind::Orchestration;
    fn key(&self) -> Key {
        Self::key_of(self.tenant, &self.run)
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.tenant = key.tenant;
        (id_bytes(key)? == keys::text(&["run over regions", &self.run])).then_some(self)
    }
    fn indexes(&self) -> Vec<(Index, Bytes)> {
        let key = self.key();
        let at = self.completed_at.unwrap_or(self.created_at);
        let mut marked = BytesMut::from(&Self::marked_prefix(self.completed_at.is_some())[..]);
        marked.put_u64(at.as_millis());
        marked.put_slice(key.tenant.as_bytes());
        marked.put_slice(&key.id);
        let listed = keys::listed(&key, Self::LISTED, self.created_at);
        vec![(Index::Listed, listed), (Index::Mark, marked.freeze())]
    }
}

/// Some jobs of a run over regions, as they were asked for. Written once, with the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OrchestratedJobsRecord {
    #[serde(skip, default = "no_tenant")]
    tenant: TenantId,
    #[serde(skip)]
    id: Bytes,
    pub(crate) jobs: Vec<PlannedJob>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl OrchestratedJobsRecord {
    /// The jobs of one record at most.
    const JOBS_MAX: usize = 256;

    pub(crate) fn key_of(tenant: TenantId, seed: RunId, piece: u32) -> Key {
        let id = [&seed.as_bytes()[..], &piece.to_be_bytes()].concat();
        Key::new(tenant, Kind::OrchestratedJobs, id)
    }

    /// The records that hold the jobs of a run.
    pub(crate) fn pieces(tenant: TenantId, seed: RunId, plan: &[PlannedJob]) -> Vec<Self> {
        let piece = |(number, jobs): (u32, &[PlannedJob])| Self {
            tenant,
            id: Self::key_of(tenant, seed, number).id,
            jobs: jobs.to_vec(),
            unknown: Unknown::new(),
        };
        (0..).zip(plan.chunks(Self::JOBS_MAX)).map(piece).collect()
    }
}

impl Record for OrchestratedJobsRecord {
    const KIND: Kind = Kind::OrchestratedJobs;
    fn key(&self) -> Key {
        Key::new(self.tenant, Self::KIND, self.id.clone())
    }
    fn with_key(mut self, key: &Key) -> Option<Self> {
        self.tenant = key.tenant;
        self.id = key.id.clone();
        Some(self)
    }
}

/// Which orchestrator drives the runs of a store: the one that wrote this last. Its version is what each
/// of them is told apart by.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OrchestratorRecord {
    /// When it began.
    pub(crate) started_at: Timestamp,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

impl OrchestratorRecord {
    pub(crate) const fn new(started_at: Timestamp) -> Self {
        Self { started_at, unknown: Unknown::new() }
    }

    pub(crate) fn the_key() -> Key {
        let id = keys::text(&["orchestrator"]);
        Key::new(TenantId::OPERATOR, Kind::Orchestrator, Bytes::copy_from_slice(&id))
    }
}

impl Record for OrchestratorRecord {
    const KIND: Kind = Kind::Orchestrator;
    fn key(&self) -> Key {
        Self::the_key()
    }
    fn with_key(self, _: &Key) -> Option<Self> {
        Some(self)
    }
}
