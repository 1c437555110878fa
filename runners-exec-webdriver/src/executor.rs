//! Executes flows: a session for each, the replay in it, and the session closed whatever comes.

mod closing;

use crate::{
    browser::{Browser, OpenError, Session},
    evidence::{Filming, is_pictures},
    flow::{BrowserFlow, Step},
    live::{LiveView, Shown},
    replay::{Evidence, FlowObserver, Replay, ReplayOptions},
    result::{FlowResult, StepResult},
    visual::{BaselineMode, Baselines},
    within::within,
};
use async_trait::async_trait;
use closing::Closing;
use futures::future::{Either, select};
use runners_core::{Attempt, Clock, Executor, Fault, SystemClock};
use std::{pin::pin, sync::Arc, time::Duration};

/// How long a browser that is starting may take to get there once its flow is cancelled.
const OPENING_TIMEOUT: Duration = Duration::from_secs(5);

/// Replays flows in browsers, one session for each flow. Clones share the browser's driver.
#[derive(Clone, Debug)]
pub struct FlowExecutor {
    browser: Arc<dyn Browser>,
    options: ReplayOptions,
    clock: Arc<dyn Clock>,
    baselines: Option<(Arc<dyn Baselines>, BaselineMode)>,
    closing: Closing,
}

impl FlowExecutor {
    /// Takes where browsers come from; [`Driver`](crate::Driver) is the usual one.
    pub fn new(browser: impl Browser) -> Self {
        let clock = Arc::new(SystemClock::default());
        let (browser, options, closing) = (Arc::new(browser), ReplayOptions::default(), Closing::new());
        Self { browser, options, clock, baselines: None, closing }
    }

    /// Replays with other options.
    #[must_use]
    pub const fn with_options(mut self, options: ReplayOptions) -> Self {
        self.options = options;
        self
    }

    /// Compares pictures with these baselines. Without any, a step that compares fails.
    #[must_use]
    pub fn with_baselines(mut self, baselines: impl Baselines, mode: BaselineMode) -> Self {
        self.baselines = Some((Arc::new(baselines), mode));
        self
    }

    /// Takes the time from another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Replays one flow in a session of its own, without a runner.
    ///
    /// # Errors
    /// A [`Fault`]: `unsupported`, `not_allowed`, `secret`, `cancelled`, `browser_lost`,
    /// `browser_missing`, `misconfigured` or `browser_not_started`.
    ///
    /// # Cancel safety
    /// Once `cancelled` completes, the flow stops and the session is closed before this returns.
    /// Dropping the future instead kills a browser on this machine.
    pub async fn replay(
        &self,
        flow: BrowserFlow,
        observer: &dyn FlowObserver,
        cancelled: impl Future<Output = ()> + Send,
    ) -> Result<FlowResult, Fault> {
        let (ended, session) = self.replay_open(flow, observer, cancelled, None).await?;
        session.close().await;
        ended
    }

    /// Waits until the browsers of jobs that have ended are closed. A job does not wait for that once its
    /// result is known; whoever stops the driver does.
    ///
    /// # Cancel safety
    /// Dropping the future kills browsers of this machine that it waits for.
    pub async fn settle(&self) {
        self.closing.settle().await;
    }

    /// Replays one flow, shows its session to whoever looks at an attempt, and leaves it open.
    async fn replay_open(
        &self,
        flow: BrowserFlow,
        observer: &dyn FlowObserver,
        cancelled: impl Future<Output = ()> + Send,
        attempt: Option<&Attempt>,
    ) -> Result<(Result<FlowResult, Fault>, Arc<dyn Session>), Fault> {
        let mut options = self.options;
        if let Some(attempt) = attempt {
            options.capture = options.capture.asked_by(attempt);
        }
        let mut replay = Replay::new(flow, options).with_clock(Arc::clone(&self.clock));
        if let Some((baselines, mode)) = &self.baselines {
            replay = replay.with_baselines(Arc::clone(baselines), *mode);
        }
        match self.browser.engine() {
            Some(engine) => replay.check_on(engine)?,
            None => replay.check()?,
        }
        if let Some(egress) = self.browser.egress() {
            replay.check_egress(&egress)?;
        }
        let mut cancelled = pin!(cancelled);
        let session: Arc<dyn Session> = open(&*self.browser, &*self.clock, cancelled.as_mut()).await?.into();
        let view = || LiveView::with_clock(&session, Arc::clone(&self.clock));
        let ended = if let Some(attempt) = attempt {
            let mut shown = Shown::to(attempt, view());
            let replay = replay.with_filming(shown.filming());
            shown.during(Box::pin(replay.run(&*session, observer, cancelled))).await
        } else {
            let filming = Filming::of_view(Some(Arc::new(view())), self.clock.wall());
            Box::pin(replay.with_filming(Arc::new(filming)).run(&*session, observer, cancelled)).await
        };
        Ok((ended, session))
    }
}

impl Executor<BrowserFlow> for FlowExecutor {
    async fn execute(&self, flow: BrowserFlow, attempt: Attempt) -> Result<FlowResult, Fault> {
        self.replay_for(&attempt, flow, attempt.cancelled()).await
    }
}

impl FlowExecutor {
    /// Replays one flow for an attempt, with its secrets, and hands it what the replay says and leaves.
    pub(crate) async fn replay_for(
        &self,
        attempt: &Attempt,
        flow: BrowserFlow,
        cancelled: impl Future<Output = ()> + Send,
    ) -> Result<FlowResult, Fault> {
        let observer = Reported { attempt: attempt.clone() };
        let flow = flow.with_secrets(|name| attempt.secret(name).cloned())?.hiding(attempt.redactor());
        let (ended, session) = self.replay_open(flow, &observer, cancelled, Some(attempt)).await?;
        let mut result = match ended {
            Ok(result) => {
                self.closing.close(session).await;
                result
            }
            // What was cancelled is over once this returns, and a browser that is lost is no hurry.
            Err(fault) => {
                session.close().await;
                return Err(fault);
            }
        };
        // Pages may show what was typed.
        for step in &mut result.steps {
            for text in step.reason.iter_mut().chain(&mut step.page_url) {
                *text = attempt.redact(text);
            }
        }
        for text in &mut result.page_errors {
            *text = attempt.redact(text);
        }
        Ok(result)
    }
}

/// Hands what a replay says and leaves to its attempt.
struct Reported {
    attempt: Attempt,
}

#[async_trait]
impl FlowObserver for Reported {
    fn step_started(&self, index: usize, total: usize, step: &Step) {
        self.attempt.progress(format!("step {}/{total}: {}", index + 1, step.description()));
    }

    fn step_ended(&self, result: &StepResult) {
        self.attempt.log(format!("{result}\n"));
    }

    async fn evidence(&self, evidence: Evidence) {
        let (name, mut evidence) = (evidence.name.clone(), evidence);
        // Pictures in base64 have no text in which a short secret could be found by more than chance.
        if !is_pictures(&evidence.name)
            && let Ok(text) = str::from_utf8(&evidence.bytes)
        {
            evidence.bytes = self.attempt.redact(text).into();
        }
        if let Err(error) = self.attempt.attach(evidence.name, evidence.media_type, evidence.bytes).await {
            self.attempt.log(format!("{name} could not be kept: {error}\n"));
        }
    }
}

/// Opens a session, unless that is cancelled before.
pub(crate) async fn open(
    browser: &dyn Browser,
    clock: &dyn Clock,
    cancelled: impl Future<Output = ()> + Unpin,
) -> Result<Box<dyn Session>, Fault> {
    match select(cancelled, browser.open()).await {
        Either::Right((opened, _)) => opened.map_err(|error| not_opened(&error)),
        Either::Left((_, opening)) => {
            // A browser that is starting is easier to close than to find.
            if let Some(Ok(session)) = within(clock, OPENING_TIMEOUT, opening).await {
                session.close().await;
            }
            Err(Fault::permanent("cancelled", "cancelled before the first step"))
        }
    }
}

fn not_opened(error: &OpenError) -> Fault {
    match error {
        // Another runner may have what this one lacks.
        OpenError::Missing { .. } => Fault::retryable("browser_missing", error.to_string()),
        OpenError::Misconfigured { .. } => Fault::permanent("misconfigured", error.to_string()),
        OpenError::NotStarted { .. } => Fault::retryable("browser_not_started", error.to_string()),
    }
}
