//! Carries out checks over pages: a session for each, pictures of what failed, and the session closed
//! whatever comes. The checks themselves are registered with the core.

mod fleet;
mod flows;

pub use fleet::{CheckFleet, CheckFleetBuilder, FleetError};
pub use flows::{FlowCheckExecutor, FlowChecks};

use crate::{
    browser::Browser,
    executor::open,
    page::Page,
    replay::{Evidence, FlowObserver},
    within::within,
};
use async_trait::async_trait;
use futures::future::{Either, select};
use runners_core::{
    Attempt, CheckCatalogue, CheckListing, CheckRefusal, CheckResult, CheckState, Checks, Clock, Executor,
    Fault, RunCheck, SystemClock,
};
use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long the picture or the source of a page that failed may take.
const EVIDENCE_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest source of a page that is kept.
const SOURCE_BYTES_MAX: usize = 5 * 1024 * 1024;

/// Carries out checks in browsers, one session for each check. Clones share the browser's driver.
///
/// What a check keeps with [`Page::screenshot`] is an artifact of its job; a check that does not pass
/// also leaves `failed.png` and `failed.html`.
#[derive(Clone, Debug)]
pub struct CheckExecutor {
    browser: Arc<dyn Browser>,
    checks: Arc<Checks<Page>>,
    clock: Arc<dyn Clock>,
}

impl CheckExecutor {
    /// Takes where browsers come from, and the checks.
    pub fn new(browser: impl Browser, checks: Checks<Page>) -> Self {
        let clock = Arc::new(SystemClock::default());
        Self { browser: Arc::new(browser), checks: Arc::new(checks), clock }
    }

    /// Takes the time from another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The checks.
    #[must_use]
    pub fn checks(&self) -> &Checks<Page> {
        &self.checks
    }
}

impl CheckCatalogue for CheckExecutor {
    fn list(&self) -> Vec<CheckListing> {
        self.checks.list()
    }

    fn examine(&self, command: &RunCheck) -> Result<(), CheckRefusal> {
        self.checks.examine(command)
    }
}

impl Executor<RunCheck> for CheckExecutor {
    async fn execute(&self, command: RunCheck, attempt: Attempt) -> Result<CheckResult, Fault> {
        let prepared = self.checks.prepare(command)?;
        let mut cancelled = pin!(attempt.cancelled());
        let session = open(&*self.browser, &*self.clock, cancelled.as_mut()).await?;
        let kept = Arc::new(Kept { attempt: attempt.clone(), names: Mutex::default() });
        let page = Page::with_clock(session.into(), Arc::clone(&self.clock))
            .with_observer(Arc::clone(&kept) as Arc<dyn FlowObserver>);
        let ended = match select(cancelled, pin!(prepared.run(page.clone(), &*self.clock))).await {
            Either::Right((ended, _)) => ended,
            Either::Left(_) => Err(Fault::permanent("cancelled", "cancelled during the check")),
        };
        let ended = match ended {
            Ok(mut result) => {
                if result.state != CheckState::Passed {
                    self.keep_failure(&page).await;
                }
                // Pages may show what was typed.
                result.message = result.message.map(|message| attempt.redact(&message));
                result.artifacts = kept.names();
                attempt.log(format!("{result}\n"));
                Ok(result)
            }
            fault => fault,
        };
        page.close().await;
        ended
    }
}

impl CheckExecutor {
    /// Keeps what there is to see of a failure. Trouble with that changes nothing.
    async fn keep_failure(&self, page: &Page) {
        let page = page.with_timeout(EVIDENCE_TIMEOUT);
        if page.screenshot("failed.png").await.is_err() {
            return;
        }
        if let Some(Ok(source)) = within(&*self.clock, EVIDENCE_TIMEOUT, page.source()).await
            && source.len() <= SOURCE_BYTES_MAX
        {
            page.keep("failed.html", "text/html; charset=utf-8", source.into()).await;
        }
    }
}

/// Hands what a check keeps to its attempt, and remembers the names.
struct Kept {
    attempt: Attempt,
    names: Mutex<Vec<String>>,
}

impl Kept {
    fn names(&self) -> Vec<String> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner).clone();
        names.sort();
        names.dedup();
        names
    }
}

#[async_trait]
impl FlowObserver for Kept {
    async fn evidence(&self, mut evidence: Evidence) {
        if let Ok(text) = str::from_utf8(&evidence.bytes) {
            evidence.bytes = self.attempt.redact(text).into();
        }
        let name = evidence.name.clone();
        match self.attempt.attach(evidence.name, evidence.media_type, evidence.bytes).await {
            Ok(_) => self.names.lock().unwrap_or_else(PoisonError::into_inner).push(name),
            Err(error) => self.attempt.log(format!("{name} could not be kept: {error}\n")),
        }
    }
}
