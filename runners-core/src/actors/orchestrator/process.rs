//! A region that is this process: its checks are carried out by an executor, without a queue.

mod safe;

use crate::{
    actors::artifacts::{TenantArtifacts, check_names},
    rules::redaction::Redactor,
    seams::{
        artifact::{ArtifactError, ArtifactStore},
        checks::CheckCommands,
        clock::{Clock, SystemClock, sleep},
        executor::{Attempt, AttemptLink, ErasedExecutor, Executor, Executors, RawSignal, Secrets},
        frames::FrameSource,
        lease::{Lease, LeaseError},
        region::{Region, RegionCall, RegionError, RegionReply},
        secrets::SecretSource,
    },
    values::{
        check::{CheckResult, CheckState, RunCheck},
        command::Command as _,
        digest::Digest,
        id::TenantId,
        lease::FencingToken,
        orchestration::{AskedCheck, RegionResult, ResultArtifact, ResultState},
        secret::Secret,
        time::BootTime,
    },
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, future::select, stream};
use safe::Safe;
use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

/// How much longer than its check an executor may take: a browser has to be opened and closed.
const TIMEOUT_MARGIN: Duration = Duration::from_secs(60);
/// How long an executor whose time is over has to end by itself.
const GRACE: Duration = Duration::from_secs(1);
/// How many artifacts one check may leave.
const ARTIFACTS_MAX: usize = 100;

/// This process as a region.
#[derive(Clone)]
pub struct ProcessRegion {
    executor: Arc<dyn ErasedExecutor>,
    clock: Arc<dyn Clock>,
    artifacts: Option<TenantArtifacts>,
    safe: Option<Safe>,
    side_by_side: usize,
    /// One for each check that may be carried out at once, if there is a limit over all calls.
    places: Option<Arc<Semaphore>>,
}

impl ProcessRegion {
    /// Has checks carried out by `executor`.
    pub fn new(executor: impl Executor<RunCheck>) -> Self {
        let executor = Executors::default().with::<RunCheck>(executor).get(RunCheck::KIND);
        Self {
            executor: executor.expect("it was just added"),
            clock: Arc::new(SystemClock),
            artifacts: None,
            safe: None,
            side_by_side: 4,
            places: None,
        }
    }

    /// How many checks of one call are carried out side by side. Four unless said otherwise, and at
    /// least one.
    #[must_use]
    pub fn side_by_side(mut self, count: usize) -> Self {
        self.side_by_side = count.max(1);
        self
    }

    /// How many checks are carried out at once, over all calls; others wait for their turn, which is no part
    /// of their time. At least one, and no limit unless this is said. Clones share it.
    #[must_use]
    pub fn at_once(mut self, count: usize) -> Self {
        self.places = Some(Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS))));
        self
    }

    /// Where what checks leave is kept, and whose it is if the call does not say. It is not kept unless
    /// this is said. Given the same store, the orchestrator names it for as long as the run is kept:
    /// [`OrchestratorBuilder::artifacts`](super::OrchestratorBuilder::artifacts).
    #[must_use]
    pub fn artifacts(mut self, tenant: TenantId, store: impl ArtifactStore) -> Self {
        self.artifacts = Some(TenantArtifacts { tenant, store: Arc::new(store) });
        self
    }

    /// Gives checks the secrets that their commands name, as `commands` tells, out of the first of
    /// `sources` that knows them. Those that do not tell tenants apart are asked for calls of `tenant`
    /// alone; a call that does not say whose it is counts as its own. No check has secrets unless this is
    /// said, and no request brings one.
    #[must_use]
    pub fn secrets(
        mut self,
        tenant: TenantId,
        commands: impl CheckCommands,
        sources: impl IntoIterator<Item = Arc<dyn SecretSource>>,
    ) -> Self {
        let sources = sources.into_iter().collect();
        self.safe = Some(Safe { tenant, commands: Arc::new(commands), sources });
        self
    }

    /// Takes time from `clock`. The machine's unless said otherwise.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    async fn check(&self, call: &RegionCall, at: usize, asked: &AskedCheck) -> RegionResult {
        let mut command = match RunCheck::new(asked.name.clone(), &asked.input) {
            Ok(command) => command,
            Err(error) => return RegionResult::errored(asked.name.clone(), error.to_string()),
        };
        let limit = call.check_timeout.unwrap_or(RunCheck::TIMEOUT);
        command = command.with_timeout(limit);
        let errored = |message: String| RegionResult::errored(asked.name.clone(), message);
        let secrets = match &self.safe {
            Some(safe) => safe.secrets(call, &command).await,
            None => Ok(Secrets::new()),
        };
        let secrets = match secrets {
            Ok(secrets) => secrets,
            Err(fault) => return errored(format!("{}: {}", fault.code, fault.message)),
        };
        let payload = serde_json::to_vec(&command).expect("a command is plain data");
        let link = Arc::new(Link {
            redactor: Mutex::new(Redactor::new(secrets.values().map(Secret::expose))),
            artifacts: self.artifacts.as_ref().map(|artifacts| artifacts.of(call.tenant)),
            clock: Arc::clone(&self.clock),
            kept: Mutex::default(),
        });
        let cancelled = CancellationToken::new();
        let grant = u64::from(call.number) << 32 | at as u64;
        let lease = Arc::new(Held(FencingToken { job: call.job, grant }));
        let attempt =
            Attempt::new(call.number, cancelled.clone(), lease, Arc::clone(&link) as Arc<dyn AttemptLink>);
        let attempt = attempt.with_secrets(secrets);
        let execution = AssertUnwindSafe(async { self.executor.execute(payload.into(), attempt).await });
        let mut execution = std::pin::pin!(execution.catch_unwind());
        let stopped = tokio::select! {
            biased;
            product = &mut execution => Ok(product),
            () = call.cancelled() => {
                // Whoever called drops it in the end, should it not stop.
                cancelled.cancel();
                Ok((&mut execution).await)
            }
            () = call.given_up() => Err("it was given up".to_owned()),
            () = sleep(&*self.clock, limit + TIMEOUT_MARGIN) => {
                Err(format!("it took longer than {} ms, and was given up", limit.as_millis()))
            }
        };
        if stopped.is_err() {
            // What it has opened can only be closed by itself.
            cancelled.cancel();
            select(&mut execution, std::pin::pin!(sleep(&*self.clock, GRACE))).await;
        }
        link.finish_log();
        let product = match stopped {
            Ok(product) => product,
            Err(message) => return errored(message),
        };
        match product {
            Err(_) => errored("the executor panicked".to_owned()),
            Ok(Err(fault)) => {
                errored(link.redactor().redact_cut(&format!("{}: {}", fault.code, fault.message)))
            }
            Ok(Ok(product)) => match serde_json::from_slice(product.result.as_bytes()) {
                Ok(found) => told(found, link.kept()),
                Err(error) => errored(format!("the executor's result is malformed: {error}")),
            },
        }
    }
}

impl fmt::Debug for ProcessRegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessRegion").field("side_by_side", &self.side_by_side).finish_non_exhaustive()
    }
}

#[async_trait]
impl Region for ProcessRegion {
    async fn execute(&self, call: RegionCall) -> Result<RegionReply, RegionError> {
        let call = &call;
        let checks = stream::iter(0..call.checks.len()).map(|at| async move {
            let turn = async {
                match &self.places {
                    Some(places) => places.acquire().await.ok(),
                    None => None,
                }
            };
            let _place = tokio::select! {
                biased;
                // What has not begun when nobody waits any more does not begin.
                () = call.cancelled() => return None,
                () = call.given_up() => return None,
                place = turn => place,
            };
            Some(self.check(call, at, &call.checks[at]).await)
        });
        let results: Vec<Option<RegionResult>> = checks.buffered(self.side_by_side).collect().await;
        Ok(results.into_iter().flatten().collect::<Vec<_>>().into())
    }
}

fn told(found: CheckResult, artifacts: Vec<ResultArtifact>) -> RegionResult {
    let state = match found.state {
        CheckState::Passed => ResultState::Pass,
        CheckState::Failed => ResultState::Fail,
        CheckState::Errored | CheckState::TimedOut => ResultState::Error,
    };
    RegionResult {
        details: found.details,
        error_message: found.message,
        engine: found.engine,
        artifacts,
        ..RegionResult::new(found.name, state).with_duration(found.duration)
    }
}

/// The right to execute what nobody else was offered.
#[derive(Debug)]
struct Held(FencingToken);

/// Beyond every time there is.
const ALWAYS: BootTime = BootTime::from_duration(Duration::MAX);

#[async_trait]
impl Lease for Held {
    fn token(&self) -> FencingToken {
        self.0
    }
    fn trusted_until(&self) -> BootTime {
        ALWAYS
    }
    async fn renew(&self) -> Result<BootTime, LeaseError> {
        Ok(ALWAYS)
    }
    async fn release(&self) -> Result<(), LeaseError> {
        Ok(())
    }
}

/// What an attempt leaves behind, where there is no runner that would take it.
#[derive(Debug)]
struct Link {
    redactor: Mutex<Redactor>,
    artifacts: Option<TenantArtifacts>,
    clock: Arc<dyn Clock>,
    kept: Mutex<Vec<ResultArtifact>>,
}

impl Link {
    fn kept(&self) -> Vec<ResultArtifact> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn redactor(&self) -> MutexGuard<'_, Redactor> {
        self.redactor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log has ended: tells what was held back of it.
    fn finish_log(&self) {
        tell(&self.redactor().finish());
    }
}

fn tell(logged: &[u8]) {
    let text = String::from_utf8_lossy(logged);
    if !text.is_empty() {
        tracing::debug!(text = text.trim_end(), "a check has logged");
    }
}

#[async_trait]
impl AttemptLink for Link {
    fn log(&self, bytes: Bytes) {
        // A secret may be logged in pieces.
        tell(&self.redactor().push(&bytes));
    }
    fn progress(&self, _: String) {}
    fn redact(&self, text: &str) -> String {
        self.redactor().redact(text)
    }
    fn show(&self, _: Arc<dyn FrameSource>) {}
    fn receive(&self, _: &str, _: mpsc::Sender<RawSignal>) {}

    async fn attach(&self, name: String, media_type: String, bytes: Bytes) -> Result<Digest, ArtifactError> {
        check_names(&name, &media_type)?;
        let none = || ArtifactError::Unavailable("this region was given no artifact store".into());
        if self.kept().len() >= ARTIFACTS_MAX {
            let problem = format!("is one more than the limit of {ARTIFACTS_MAX}");
            return Err(ArtifactError::Invalid { field: "number", problem });
        }
        let digest = self.artifacts.as_ref().ok_or_else(none)?.put(&bytes, &*self.clock).await?;
        let artifact = ResultArtifact::new(name, digest, bytes.len() as u64, media_type);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|other| other.name != artifact.name);
        kept.push(artifact);
        Ok(digest)
    }
}
