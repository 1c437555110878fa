//! The client: submits jobs, waits for them, follows them, and sends signals, by any transport.

mod call;
mod follow;
mod handle;
mod signal;
mod submit;

pub use follow::Followed;
pub use handle::JobHandle;

use crate::{
    actors::{artifacts::TenantArtifacts, error::Error},
    seams::{
        artifact::ArtifactStore,
        clock::{Clock, SystemClock},
        random::{Random, SystemRandom, id},
        traces::{NoTraces, Traces},
        transport::Transport,
    },
    values::{
        explanation::Explanation,
        id::{JobId, RunId, RunnerId, TenantId},
        opaque::Opaque,
        reply::{JobView, Reply},
        request::{CancelRequest, CancelTarget, ExplainRequest, InspectRequest, Request},
        result::JobResult,
        signature::SigningKey,
    },
};
use std::{sync::Arc, time::Duration};

/// Submits jobs and asks for them. Clones are the same client.
///
/// Every request can be repeated without harm. So after trouble of the transport the client tries again for
/// as long as its [`patience`](ClientBuilder::patience) lasts, unless the transport
/// [does so itself](Transport::retries).
#[derive(Clone, Debug)]
pub struct Client {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    artifacts: Option<TenantArtifacts>,
    patience: Duration,
    traces: Arc<dyn Traces>,
    signer: Option<Signer>,
}

/// Who signs, and for which tenant.
#[derive(Clone, Debug)]
struct Signer {
    tenant: TenantId,
    key: SigningKey,
}

/// Describes a client.
#[derive(Debug)]
#[must_use = "it is not a client yet"]
pub struct ClientBuilder {
    client: Client,
}

impl Client {
    /// How long trouble of the transport is met by trying again, unless said otherwise.
    pub const PATIENCE: Duration = Duration::from_secs(120);
    /// How long a signature is good for, from when the job's id was made or the time it starts at, unless its
    /// options say otherwise: one week.
    pub const SIGNED_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

    /// A client with the machine's clock and chance, and no artifact store.
    pub fn new(transport: impl Transport) -> Self {
        Self::builder(transport).build()
    }

    /// Starts to describe a client.
    pub fn builder(transport: impl Transport) -> ClientBuilder {
        let client = Self {
            transport: Arc::new(transport),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            artifacts: None,
            patience: Self::PATIENCE,
            traces: Arc::new(NoTraces),
            signer: None,
        };
        ClientBuilder { client }
    }

    /// Makes a new id for a job. Submitting twice under one id is submitting once.
    #[must_use]
    pub fn new_job(&self) -> JobId {
        id(&*self.random, self.clock.wall(), JobId::new)
    }

    /// Makes a new id for a run.
    #[must_use]
    pub fn new_run(&self) -> RunId {
        id(&*self.random, self.clock.wall(), RunId::new)
    }

    /// The handle of a job that was submitted before, maybe by another process. `R` is the result type of its
    /// command. If that is not known, [`JobHandle::wait`] answers the result as [`Opaque`] bytes.
    #[must_use]
    pub fn job<R: JobResult>(&self, job: JobId) -> JobHandle<R> {
        JobHandle::new(self.clone(), job)
    }

    /// How a job is now.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such job, or as [`Error`] says.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn inspect(&self, job: JobId) -> Result<JobView, Error> {
        match self.ask(Request::Inspect(InspectRequest { job })).await? {
            Reply::Job(view) => Ok(*view),
            _ => Err(Error::Unexpected("inspect")),
        }
    }

    /// Explains why a job is not running, and what would start it. Lists up to
    /// [`RUNNERS_MAX`](crate::protocol::PoolExplanation::RUNNERS_MAX) runners of each pool, those after
    /// `runners_after`.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such job, or as [`Error`] says.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn explain(&self, job: JobId, runners_after: Option<RunnerId>) -> Result<Explanation, Error> {
        match self.ask(Request::Explain(ExplainRequest { job, runners_after })).await? {
            Reply::Explained(explanation) => Ok(*explanation),
            _ => Err(Error::Unexpected("explain")),
        }
    }

    /// Cancels a job. Completes when that is recorded, not when the job has stopped. Answers `false` if the job
    /// had ended already.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such job, or as [`Error`] says.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the job told to stop or not.
    pub async fn cancel(&self, job: JobId) -> Result<bool, Error> {
        self.cancel_target(CancelTarget::Job(job)).await.map(|jobs| jobs > 0)
    }

    /// Cancels every job of a run. Answers how many of them had not ended already.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such run, or as [`Error`] says.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the jobs told to stop or not.
    pub async fn cancel_run(&self, run: RunId) -> Result<u32, Error> {
        self.cancel_target(CancelTarget::Run(run)).await
    }

    async fn cancel_target(&self, target: CancelTarget) -> Result<u32, Error> {
        match self.ask(Request::Cancel(CancelRequest { target })).await? {
            Reply::Cancelled(cancelled) => Ok(cancelled.jobs),
            _ => Err(Error::Unexpected("cancel")),
        }
    }

    /// The clock that it waits on.
    #[cfg(feature = "orchestrator")]
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The result of a job that has a verdict, wherever it is kept.
    pub(crate) async fn result_bytes(&self, view: &JobView) -> Result<Opaque, Error> {
        if let Some(result) = &view.result {
            return Ok(result.clone());
        }
        let missing = |problem| Error::ResultMissing { job: view.job, problem };
        let digest = view.result_artifact.ok_or_else(|| missing("the runner could not keep it"))?;
        let artifacts = self
            .artifacts
            .as_ref()
            .ok_or_else(|| missing("it is an artifact, and this client was given no artifact store"))?;
        artifacts.get(digest, &*self.clock).await.map(Opaque::from).map_err(Error::Artifact)
    }
}

impl ClientBuilder {
    /// The tenant and the store of artifacts, in which large payloads are put and large results are found.
    pub fn artifacts(mut self, tenant: TenantId, store: impl ArtifactStore) -> Self {
        self.client.artifacts = Some(TenantArtifacts { tenant, store: Arc::new(store) });
        self
    }

    /// How long trouble of the transport is met by trying again, counted from the last answer. Two
    /// minutes unless said otherwise.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.client.patience = patience;
        self
    }

    /// Signs every job, in the name of a tenant: the one that the client's token speaks for.
    ///
    /// Runners that [trust](crate::RunnerBuilder::trust) the public key for that tenant can then check that a
    /// job is what was submitted, whoever operates the control plane. What that does not protect from is
    /// listed at [`demand_signatures`](crate::RunnerBuilder::demand_signatures).
    pub fn sign_with(mut self, tenant: TenantId, key: SigningKey) -> Self {
        self.client.signer = Some(Signer { tenant, key });
        self
    }

    /// Takes time from `clock`. The machine's unless said otherwise.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.client.clock = Arc::new(clock);
        self
    }

    /// Takes chance from `random`. The operating system's unless said otherwise.
    pub fn random(mut self, random: impl Random) -> Self {
        self.client.random = Arc::new(random);
        self
    }

    /// Has each job carry the trace of its submit. None is carried unless said otherwise.
    pub fn traces(mut self, traces: impl Traces) -> Self {
        self.client.traces = Arc::new(traces);
        self
    }

    /// The client.
    #[must_use]
    pub fn build(self) -> Client {
        self.client
    }
}

#[cfg(test)]
mod tests;
