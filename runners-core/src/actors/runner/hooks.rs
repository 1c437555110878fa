//! What a host has a runner do beside its jobs: at its start, before each job, and at its end. What
//! an error of a hook does is said where it is given; no hook holds the runner up for ever.

use super::{ExitReason, RunnerBuilder};
use crate::{
    actors::error::with_causes,
    seams::clock::{Clock, sleep},
    values::{job::JobSpec, result::Fault},
};
use futures::{FutureExt as _, future::BoxFuture};
use std::{error::Error, fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

/// How long [`RunnerBuilder::on_start`](super::RunnerBuilder::on_start) may take.
pub(super) const ON_START_WITHIN: Duration = Duration::from_secs(60);
/// How long [`RunnerBuilder::on_stop`](super::RunnerBuilder::on_stop) may take.
pub(super) const ON_STOP_WITHIN: Duration = Duration::from_secs(30);

/// Why a hook of a host did not do what it should.
pub type HookError = Box<dyn Error + Send + Sync>;

type Hook<A, E> = Option<Arc<dyn Fn(A) -> BoxFuture<'static, Result<(), E>> + Send + Sync>>;

/// What a host has its runner do.
#[derive(Clone, Default)]
pub(super) struct Hooks {
    pub(super) on_start: Hook<(), HookError>,
    pub(super) on_job: Hook<JobSpec, Fault>,
    pub(super) on_stop: Hook<ExitReason, HookError>,
}

impl RunnerBuilder {
    /// Calls `hook` before the first request. An error ends the runner with
    /// [`ExitReason::Unstarted`], and so do a panic and more than 60 seconds.
    pub fn on_start<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), HookError>> + Send + 'static,
    {
        self.hooks.on_start = Some(Arc::new(move |()| Box::pin(hook())));
        self
    }

    /// Calls `hook` before the executor of every attempt, once its signature, payload and secrets are
    /// known to be good. A fault ends the attempt with it, and the executor is not called; the time
    /// it takes is the attempt's own, and like an executor it is dropped when the attempt has to stop.
    pub fn on_job<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(JobSpec) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        self.hooks.on_job = Some(Arc::new(move |spec| Box::pin(hook(spec))));
        self
    }

    /// Calls `hook` when every attempt has ended and nothing more is said, before
    /// [`Runner::stopped`](super::Runner::stopped) tells the reason. Not after [`Runner::kill`](super::Runner::kill), nor if it did not start. An
    /// error is logged, and so are a panic and more than 30 seconds.
    pub fn on_stop<F, Fut>(mut self, hook: F) -> Self
    where
        F: Fn(ExitReason) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), HookError>> + Send + 'static,
    {
        self.hooks.on_stop = Some(Arc::new(move |reason| Box::pin(hook(reason))));
        self
    }
}

impl Hooks {
    /// Answers what is in the way of the start.
    pub(super) async fn start(&self, clock: &dyn Clock) -> Result<(), String> {
        let Some(hook) = &self.on_start else { return Ok(()) };
        bounded(async { hook(()).await }, ON_START_WITHIN, clock)
            .await
            .map_err(|problem| format!("on_start {problem}"))
    }

    pub(super) async fn job(&self, spec: &JobSpec) -> Result<(), Fault> {
        match &self.on_job {
            Some(hook) => hook(spec.clone()).await,
            None => Ok(()),
        }
    }

    pub(super) async fn stop(&self, reason: ExitReason, clock: &dyn Clock) {
        let Some(hook) = &self.on_stop else { return };
        if let Err(problem) = bounded(async { hook(reason).await }, ON_STOP_WITHIN, clock).await {
            tracing::warn!("on_stop {problem}");
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { on_start, on_job, on_stop } = self;
        f.debug_struct("Hooks")
            .field("on_start", &on_start.is_some())
            .field("on_job", &on_job.is_some())
            .field("on_stop", &on_stop.is_some())
            .finish()
    }
}

async fn bounded(
    hook: impl Future<Output = Result<(), HookError>>,
    within: Duration,
    clock: &dyn Clock,
) -> Result<(), String> {
    tokio::select! {
        biased;
        done = AssertUnwindSafe(hook).catch_unwind() => match done {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("failed: {}", with_causes(&*error))),
            Err(_) => Err("panicked".to_owned()),
        },
        () = sleep(clock, within) => Err(format!("took longer than {} seconds", within.as_secs())),
    }
}
