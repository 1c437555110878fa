//! The region seam: a place where checks are carried out on behalf of an orchestrator. When it is
//! called, how often, and what its answer means is decided above it.

use super::artifact::ArtifactStore;
use crate::values::{
    id::{JobId, TenantId},
    orchestration::{AskedCheck, RegionResult},
};
use async_trait::async_trait;
use serde_json::Value;
use std::{error::Error, fmt, fmt::Debug, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Carries out checks somewhere: on a pool of runners, behind an HTTP endpoint, in this process.
#[async_trait]
pub trait Region: Debug + Send + Sync + 'static {
    /// Carries out every check of `call`, and answers one result for each, in their order.
    ///
    /// It may be asked twice for the same [`idempotency_key`](RegionCall::idempotency_key), also
    /// after a restart; what was carried out under it before need not be carried out again.
    ///
    /// # Errors
    /// [`RegionError`], when there is no answer to the call as a whole. A check that did not pass,
    /// or reached no verdict, is a result.
    ///
    /// # Cancel safety
    /// Once [`cancelled`](RegionCall::cancelled) completes, the region stops what it can and answers
    /// what it has. What does not answer soon after is dropped.
    async fn execute(&self, call: RegionCall) -> Result<RegionReply, RegionError>;

    /// Whether calls are put off at present without being made, because the region failed again and again.
    /// This is asked for measurements, and must answer at once. `false` by default.
    fn is_left_alone(&self) -> bool {
        false
    }
}

#[async_trait]
impl<R: Region + ?Sized> Region for Arc<R> {
    async fn execute(&self, call: RegionCall) -> Result<RegionReply, RegionError> {
        (**self).execute(call).await
    }

    fn is_left_alone(&self) -> bool {
        (**self).is_left_alone()
    }
}

/// What a region is asked for: checks of one page. Clones are the same call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RegionCall {
    /// The run it is part of, by its name.
    pub run: String,
    /// The job. No other job of any run has its id.
    pub job: JobId,
    /// Which try at the job it is: 1, or 2 where a check is tried again because other regions passed it.
    pub number: u32,
    /// Whose run it is. `None` unless an orchestrator makes the call.
    pub tenant: Option<TenantId>,
    /// The region, as the request names it; none in local mode.
    pub region: Option<String>,
    /// The page that all checks look at.
    pub url: String,
    /// The checks, in order. Each has the page in its input as well.
    pub checks: Vec<AskedCheck>,
    /// How long each check may take, if the request says so.
    pub check_timeout: Option<Duration>,
    /// How long the run has left, if it has a time limit. The call is cancelled then; a region that works
    /// elsewhere should stop by itself soon after.
    pub time_left: Option<Duration>,
    cancelled: CancellationToken,
    given_up: CancellationToken,
    told: Option<Told>,
    kept_in: Option<Arc<dyn ArtifactStore>>,
}

/// What a job waits for, if it still waits: its place in its run, and the number of its try, before it.
pub(crate) type Waits = (usize, u32, Option<String>);

/// Takes what a region tells while it is called.
#[derive(Clone, Debug)]
struct Told {
    at: usize,
    to: mpsc::Sender<Waits>,
}

impl RegionCall {
    /// A call as an orchestrator makes it, for those who test a region or carry calls on. It is never
    /// cancelled unless [`cancelled_by`](Self::cancelled_by) says by whom.
    #[must_use]
    pub fn new(run: impl Into<String>, job: JobId, url: impl Into<String>, checks: Vec<AskedCheck>) -> Self {
        Self {
            run: run.into(),
            job,
            number: 1,
            tenant: None,
            region: None,
            url: url.into(),
            checks,
            check_timeout: None,
            time_left: None,
            cancelled: CancellationToken::new(),
            given_up: CancellationToken::new(),
            told: None,
            kept_in: None,
        }
    }

    /// Has the call cancelled once `cancelled` is.
    #[must_use]
    pub fn cancelled_by(mut self, cancelled: CancellationToken) -> Self {
        self.cancelled = cancelled;
        self
    }

    /// Has the call given up once `given_up` is cancelled.
    #[must_use]
    pub(crate) fn given_up_by(mut self, given_up: CancellationToken) -> Self {
        self.given_up = given_up;
        self
    }

    /// Lets the region keep artifacts of its checks in `store`, as those of the [tenant](Self::tenant).
    #[must_use]
    pub fn kept_in(mut self, store: Arc<dyn ArtifactStore>) -> Self {
        self.kept_in = Some(store);
        self
    }

    /// The store in which the region puts artifacts of its checks, and the tenant for which it does. A result
    /// may name only artifacts that are there. `None` if the caller keeps no artifacts.
    #[must_use]
    pub fn artifacts(&self) -> Option<(TenantId, &dyn ArtifactStore)> {
        self.tenant.zip(self.kept_in.as_deref())
    }

    /// Has what the region [tells](Self::waits) sent on, for the job at this place of its run.
    #[must_use]
    pub(crate) fn told_to(mut self, at: usize, to: mpsc::Sender<Waits>) -> Self {
        self.told = Some(Told { at, to });
        self
    }

    /// Tells what the call waits for, such as a runner that is online: it is shown with the run. Returns at
    /// once; if it is called too often, some calls have no effect.
    pub fn waits(&self, why: impl Into<String>) {
        self.tell(Some(why.into()));
    }

    /// Tells that the call [waits](Self::waits) for nothing any more.
    pub fn proceeds(&self) {
        self.tell(None);
    }

    fn tell(&self, why: Option<String>) {
        if let Some(Told { at, to }) = &self.told {
            let _ = to.try_send((*at, self.number, why));
        }
    }

    /// A key by which a region recognises a repeated call; a second try has another. It has letters, digits,
    /// `_` and `-` only.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!("{}-{}", self.job, self.number)
    }

    /// Completes when nobody waits for the answer any more.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }

    /// Completes when the orchestrator stops: the call is dropped a second later, and made again under its
    /// [key](Self::idempotency_key) by the next one. What works elsewhere is to go on, and what works in this
    /// process is to end.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn given_up(&self) {
        self.given_up.cancelled().await;
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.is_cancelled()
    }

    /// Whether nobody waits for the answer any more.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }
}

/// What a region answered.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RegionReply {
    /// The results as they came, one element each, so that a malformed one does not spoil the others.
    pub results: Vec<Value>,
}

impl RegionReply {
    /// Takes results as they came from a region.
    #[must_use]
    pub const fn new(results: Vec<Value>) -> Self {
        Self { results }
    }
}

impl From<Vec<RegionResult>> for RegionReply {
    fn from(results: Vec<RegionResult>) -> Self {
        let value = |result| serde_json::to_value(result).expect("a result is plain data");
        Self { results: results.iter().map(value).collect() }
    }
}

/// The cause of trouble with a region.
pub type RegionSource = Box<dyn Error + Send + Sync>;

/// Why a region gave no answer to a call, by what its caller does next. The texts are for people,
/// and hold no secrets.
#[derive(Debug)]
#[non_exhaustive]
pub enum RegionError {
    /// Try again, after this time if it says one: it did nothing yet.
    RetryLater {
        /// How long to wait at least.
        after: Option<Duration>,
        /// What it said.
        problem: String,
    },
    /// Correct the request or the configuration: the region will not do this.
    Refused {
        /// What it said.
        problem: String,
    },
    /// Name another region: there is none of this name after all. The caller adds which there are.
    Unknown {
        /// What is not there.
        problem: String,
    },
    /// Have the region repaired: its answer cannot be understood. It may have done what it was asked for.
    Broken {
        /// What was wrong with the answer, and where.
        problem: String,
    },
    /// Try again under the same key: no answer came, and it may have done what it was asked for.
    Unreachable {
        /// What happened.
        problem: String,
        /// Why.
        source: Option<RegionSource>,
    },
    /// Give up: it took longer than this.
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
}

impl RegionError {
    /// It is busy, or not there for a while.
    pub fn retry_later(after: Option<Duration>, problem: impl Into<String>) -> Self {
        Self::RetryLater { after, problem: problem.into() }
    }

    /// It will not do this.
    pub fn refused(problem: impl Into<String>) -> Self {
        Self::Refused { problem: problem.into() }
    }

    /// Its answer cannot be understood.
    pub fn broken(problem: impl Into<String>) -> Self {
        Self::Broken { problem: problem.into() }
    }

    /// No answer came.
    pub fn unreachable(problem: impl Into<String>) -> Self {
        Self::Unreachable { problem: problem.into(), source: None }
    }
}

impl fmt::Display for RegionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RetryLater { problem, .. } => write!(f, "region put the call off: {problem}"),
            Self::Refused { problem } | Self::Unknown { problem } => write!(f, "region refused: {problem}"),
            Self::Broken { problem } => write!(f, "region's answer cannot be used: {problem}"),
            Self::Unreachable { problem, .. } => write!(f, "region did not answer: {problem}"),
            Self::TimedOut { after } => {
                write!(f, "region took longer than {} ms", after.as_millis())
            }
        }
    }
}

impl Error for RegionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreachable { source, .. } => source.as_deref().map(|source| source as _),
            _ => None,
        }
    }
}
