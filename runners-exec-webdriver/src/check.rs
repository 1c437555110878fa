//! Carries out checks over pages: a session for each, pictures of what failed, and the session closed
//! whatever comes. The checks themselves are registered with the core.

mod fleet;
mod flows;

pub use fleet::{CheckFleet, CheckFleetBuilder, FleetError};
pub use flows::{FlowCheckExecutor, FlowChecks};

use crate::{
    browser::{Browser, Session},
    engine::Engine,
    evidence::{Capture, Watch},
    executor::open,
    kept::{Kept, keep_failure},
    live::{LiveView, Shown},
    page::Page,
    replay::{FlowObserver, Popups, heard},
    within::beside,
};
use futures::future::{Either, join, select};
use runners_core::{
    Attempt, CheckCatalogue, CheckListing, CheckRefusal, CheckResult, CheckState, Checks, Clock, Executor,
    Fault, RunCheck, SystemClock,
};
use std::{pin::pin, sync::Arc};

/// Carries out checks in browsers, one session for each check. Clones share the browser's driver.
///
/// What a check keeps with [`Page::screenshot`] is an artifact of its job, and so are its `console.json`
/// and `network.har`, where the browser can be listened to; a check that does not pass also leaves
/// `failed.png` and `failed.html`, and its log says what went wrong in the page. Dialogs that keep a popup of
/// Chromium from loading are dismissed, and told in the log.
#[derive(Clone, Debug)]
pub struct CheckExecutor {
    browser: Arc<dyn Browser>,
    checks: Arc<Checks<Page>>,
    capture: Capture,
    clock: Arc<dyn Clock>,
}

impl CheckExecutor {
    /// Takes where browsers come from, and the checks.
    pub fn new(browser: impl Browser, checks: Checks<Page>) -> Self {
        let clock = Arc::new(SystemClock::default());
        Self { browser: Arc::new(browser), checks: Arc::new(checks), capture: Capture::default(), clock }
    }

    /// Keeps more of what a browser does meanwhile, or nothing.
    #[must_use]
    pub const fn with_capture(mut self, capture: Capture) -> Self {
        self.capture = capture;
        self
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
        let capture = self.capture.asked_by(&attempt);
        let mut cancelled = pin!(attempt.cancelled());
        let session: Arc<dyn Session> = open(&*self.browser, &*self.clock, cancelled.as_mut()).await?.into();
        let mut shown = Shown::to(&attempt, LiveView::with_clock(&session, Arc::clone(&self.clock)));
        let kept = Kept::by(&attempt);
        let page = Page::with_clock(Arc::clone(&session), Arc::clone(&self.clock))
            .with_observer(Arc::clone(&kept) as Arc<dyn FlowObserver>);
        let watching = Watch::open(&*session, capture, attempt.redactor(), &*self.clock);
        let (watch, popups) = join(watching, Popups::unanswered(&*session, &*self.clock)).await;
        let filming = shown.filming();
        filming.begin(capture, watch.began(), watch.journal());
        let ended = {
            let check = async {
                let ended = prepared.run(page.clone(), &*self.clock).await;
                watch.settle(&*self.clock).await;
                filming.rest(&*self.clock).await;
                ended
            };
            let filmed = beside(beside(check, popups.run()), filming.run(&*kept, &*self.clock));
            let check = shown.during(beside(filmed, watch.run(&*session, &*self.clock)));
            match select(cancelled, pin!(check)).await {
                Either::Right((ended, _)) => ended,
                Either::Left(_) => Err(Fault::permanent("cancelled", "cancelled during the check")),
            }
        };
        let ended_at = self.clock.wall();
        let page_errors = heard(&*session, &watch, capture, &*kept, &*self.clock).await;
        popups.told(&attempt.redactor()).iter().for_each(|line| attempt.log(format!("{line}\n")));
        filming.finish(&*kept, ended_at, &*self.clock).await;
        let ended = match ended {
            Ok(mut result) => {
                if result.state != CheckState::Passed {
                    // Trouble with that changes nothing.
                    let _ = keep_failure(&page, &*self.clock).await;
                    page_errors.iter().for_each(|line| attempt.log(format!("in the page: {line}\n")));
                }
                // Pages may show what was typed.
                result.message = result.message.map(|message| attempt.redact(&message));
                result.artifacts = kept.names();
                result.engine = Engine::name_of(session.capabilities());
                attempt.log(format!("{result}\n"));
                Ok(result)
            }
            fault => fault,
        };
        drop(shown);
        page.close().await;
        ended
    }
}
