//! Replays a flow in a session: the steps in order, the first failure ends it, and what is worth
//! keeping is kept. How one step goes is in `step`, what it waits for in `scope`.

mod aria;
mod clicks;
mod comparison;
pub(crate) mod drag;
mod element;
mod evidence;
mod extension;
pub(crate) mod hand;
mod keys;
mod navigation;
mod observer;
mod place;
mod popups;
mod presence;
mod scope;
mod step;
mod storage;
mod trouble;
mod viewport;

#[cfg(feature = "checks")]
pub(crate) use evidence::heard;
pub use observer::{Evidence, FlowObserver};

use crate::{
    browser::{Session, page::Page, script::KeptScripts},
    engine::Engine,
    evidence::{Capture, Filming, Watch},
    flow::{Action, BrowserFlow, Flow, Step, one_line},
    result::{FlowResult, StepResult, StepState},
    visual::{BaselineMode, Baselines},
    within::beside,
};
use clicks::Clicks;
use comparison::Visual;
use evidence::Keeper;
use futures::future::{Either, join, select};
use place::Place;
use popups::Popups;
use runners_core::{Clock, Egress, Fault, Redactor, SystemClock, Verdict};
use scope::Scope;
use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use trouble::{Trouble, gave_up, refuse};
use viewport::Emulated;

/// The most characters of a title in a result.
const TITLE_CHARACTERS_MAX: usize = 200;

/// The time limit of a step where neither the step nor the flow has one.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// How flows are replayed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ReplayOptions {
    /// Which pictures are kept. At the end, or of the failure, by default.
    pub screenshots: Screenshots,
    /// How long a `navigate` step may take to load its page; 30 s by default. Time limits of
    /// steps and flows do not count for it, unless the step also asserts a navigation.
    pub load_timeout: Duration,
    /// What else is kept: the console and the requests by default. A flow may ask for more.
    pub capture: Capture,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        let load_timeout = Duration::from_secs(30);
        Self { screenshots: Screenshots::AtTheEnd, load_timeout, capture: Capture::default() }
    }
}

/// Which pictures of a flow are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Screenshots {
    /// One of the step that failed.
    OfFailures,
    /// One at the end: of the step that failed, or `final.png`.
    #[default]
    AtTheEnd,
    /// One after every step as well.
    OfEveryStep,
}

/// A flow, ready to be replayed. It needs a session and no runner.
#[derive(Clone, Debug)]
pub struct Replay {
    flow: BrowserFlow,
    options: ReplayOptions,
    clock: Arc<dyn Clock>,
    baselines: Option<(Arc<dyn Baselines>, BaselineMode)>,
    filming: Option<Arc<Filming>>,
}

impl Replay {
    /// Takes a flow.
    #[must_use]
    pub fn new(flow: BrowserFlow, options: ReplayOptions) -> Self {
        Self { flow, options, clock: Arc::new(SystemClock::default()), baselines: None, filming: None }
    }

    /// Takes the time from another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Compares pictures with these baselines. Without any, a step that compares fails.
    #[must_use]
    pub fn with_baselines(mut self, baselines: Arc<dyn Baselines>, mode: BaselineMode) -> Self {
        self.baselines = Some((baselines, mode));
        self
    }

    /// Films with this.
    #[must_use]
    pub(crate) fn with_filming(mut self, filming: Arc<Filming>) -> Self {
        self.filming = Some(filming);
        self
    }

    /// Says whether this version can replay the flow at all, without a browser.
    ///
    /// # Errors
    /// A permanent fault: `unsupported`, which names the steps, `parameter`, which names the one that has
    /// no value, or `secret`, which names the one that
    /// was not [filled in](BrowserFlow::with_secrets).
    pub fn check(&self) -> Result<(), Fault> {
        self.flow.check_parameters()?;
        self.flow.check_secrets()?;
        refuse(&self.flow.flow().unsupported())
    }

    /// Says whether the flow can be replayed in browsers of an engine, without starting one.
    ///
    /// # Errors
    /// As [`check`](Self::check), and `unsupported` for steps that the engine cannot do.
    pub fn check_on(&self, engine: Engine) -> Result<(), Fault> {
        self.check()?;
        refuse(&self.flow.flow().unsupported_on(engine))
    }

    /// Says whether the flow names only pages that may be browsed, as far as that can be told before
    /// their hosts are looked up.
    ///
    /// # Errors
    /// A permanent fault `not_allowed`, which names the steps.
    pub fn check_egress(&self, egress: &Egress) -> Result<(), Fault> {
        let problems = self.flow.flow().not_allowed(egress);
        if problems.is_empty() {
            return Ok(());
        }
        let places: Vec<_> = problems.iter().map(ToString::to_string).collect();
        Err(Fault::permanent("not_allowed", places.join("; ")))
    }

    /// Replays the flow, in a session that nobody else uses meanwhile. The caller closes it.
    /// A step that fails is a failed verdict in the result.
    ///
    /// # Errors
    /// A [`Fault`]: `unsupported`, `cancelled` or `browser_lost`.
    ///
    /// # Cancel safety
    /// Once `cancelled` completes, this returns without waiting for the command that the browser
    /// is carrying out. Dropping the future stops the flow as well.
    pub async fn run(
        &self,
        session: &dyn Session,
        observer: &dyn FlowObserver,
        cancelled: impl Future<Output = ()> + Send,
    ) -> Result<FlowResult, Fault> {
        self.check()?;
        let scripts = KeptScripts::default();
        let page = Page::new(session).keeping(&scripts);
        refuse(&self.flow.flow().unsupported_by(page.abilities()))?;
        let (redactor, at) = (self.flow.redactor(), Mutex::new(None));
        let capture = self.options.capture.and(self.flow.flow().capture);
        let mut cancelled = pin!(cancelled);
        // The cancel is looked at first, so that a flow that was cancelled before it starts does
        // not touch the browser.
        let watching = Watch::open(session, capture, redactor.clone(), &*self.clock);
        let opening = join(watching, Box::pin(Popups::of(session, self.flow.flow(), &*self.clock)));
        let Either::Right(((watch, popups), _)) = select(cancelled.as_mut(), pin!(opening)).await else {
            return Err(gave_up(&at));
        };
        let filming = match &self.filming {
            Some(filming) => Arc::clone(filming),
            None => Arc::new(Filming::of_session(session, capture, &self.clock).await),
        };
        filming.begin(capture, watch.began(), watch.journal());
        let ended = {
            let run = Run {
                replay: self,
                flow: self.flow.flow(),
                page,
                observer,
                emulated: Emulated::default(),
                place: Place::default(),
                clicks: Clicks::default(),
                popups: &popups,
                watch: &watch,
                filming: &filming,
                redactor: &redactor,
                visual: Visual::new(
                    self.flow.flow().baselines.before(self.baselines.clone()),
                    &self.flow.flow().title,
                ),
            };
            // A flow goes many calls deep, so none of them carries its state on the stack.
            let steps = beside(Box::pin(run.steps(&at)), Box::pin(popups.run()));
            let filmed = beside(steps, Box::pin(filming.run(observer, &*self.clock)));
            match select(cancelled, pin!(beside(filmed, Box::pin(watch.run(session, &*self.clock))))).await {
                Either::Right((ended, _)) => ended,
                Either::Left(_) => Err(gave_up(&at)),
            }
        };
        let (ended_at, keeper) = (self.clock.wall(), Keeper::new(page, &*self.clock, observer, &redactor));
        let (names, mut page_errors) = keeper.heard(&watch, capture, session.capabilities()).await;
        page_errors.extend(popups.told().iter().map(|line| redactor.redact(line)));
        let film = filming.finish(observer, ended_at, &*self.clock).await;
        ended.map(|mut result| {
            result.artifacts.extend(names);
            result.artifacts.extend(film);
            page_errors.append(&mut result.page_errors);
            FlowResult { page_errors, ..result }
        })
    }
}

/// One run through the steps.
struct Run<'r> {
    replay: &'r Replay,
    flow: &'r Flow,
    page: Page<'r>,
    observer: &'r dyn FlowObserver,
    emulated: Emulated,
    place: Place,
    clicks: Clicks,
    popups: &'r Popups,
    watch: &'r Watch,
    filming: &'r Filming,
    redactor: &'r Redactor,
    visual: Visual,
}

impl Run<'_> {
    async fn steps(&self, at: &Mutex<Option<String>>) -> Result<FlowResult, Fault> {
        let clock = &*self.replay.clock;
        let began = clock.boot();
        let mut steps: Vec<_> = self.flow.steps.iter().enumerate().map(not_run).collect();
        let mut verdict = Verdict::Passed;
        for (step, result) in self.flow.steps.iter().zip(&mut steps) {
            let place = format!("during step {}: {}", result.index + 1, result.description);
            *at.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
            self.watch.step(result.index, clock);
            self.filming.step(result.index, &result.description, clock);
            self.observer.step_started(result.index, self.flow.steps.len(), step);
            self.step(step, result).await?;
            self.observer.step_ended(result);
            if result.state == StepState::Failed {
                verdict = Verdict::Failed;
                break;
            }
        }
        let (mut artifacts, mut page_errors) = (Vec::new(), Vec::new());
        if verdict == Verdict::Passed {
            page_errors = self.keeper().dismissed().await;
        }
        if verdict == Verdict::Passed && self.replay.options.screenshots != Screenshots::OfFailures {
            artifacts.extend(self.keeper().picture("final.png").await);
        }
        let duration_ms = millis(clock.boot().since(began));
        self.place.leave(self.page, clock).await;
        self.watch.settle(clock).await;
        self.filming.rest(clock).await;
        Ok(FlowResult {
            title: one_line(&self.flow.title, TITLE_CHARACTERS_MAX),
            verdict,
            duration_ms,
            steps,
            artifacts,
            page_errors,
            engine: self.page.engine_name(),
        })
    }

    async fn step(&self, step: &Step, result: &mut StepResult) -> Result<(), Fault> {
        if let Action::CustomStep { name, .. } = &step.action {
            result.state = StepState::Skipped;
            result.reason = Some(format!("nothing here understands the custom step {name:?}"));
            return Ok(());
        }
        if let Some((_, reason)) = step.beyond(self.page.abilities(), None) {
            // One that is not optional was refused before the first.
            (result.state, result.reason) = (StepState::Excused, Some(reason));
            return Ok(());
        }
        let clock = &*self.replay.clock;
        let began = clock.boot();
        let limit = self.limit(step);
        let ended = loop {
            let Self { page, emulated, place, clicks, visual, .. } = self;
            let scope = Scope::new(*page, clock, emulated, place, clicks, visual, self.flow.mode);
            let next = self.flow.steps.get(result.index + 1);
            let is_before_dialog = next.is_some_and(|next| next.answers_dialog_of(step));
            let scope = scope.hearing(self.popups).hiding(self.redactor).before_dialog(is_before_dialog);
            let ended = match scope.perform_within(limit, step).await {
                Ok(()) => self.keeper().wanted(step).await,
                Err(trouble) => Err(trouble),
            };
            match ended {
                Err(Trouble::Failed(_)) if result.retries < step.retries => result.retries += 1,
                ended => break ended,
            }
        };
        result.duration_ms = millis(clock.boot().since(began));
        match ended {
            Ok(kept) => {
                result.artifacts.extend(kept);
                self.passed(step, result).await;
            }
            Err(trouble) => self.failed(result, trouble).await?,
        }
        let (compared, pictures) = self.visual.keep(self.keeper()).await;
        result.baseline = compared;
        result.artifacts.extend(pictures);
        if result.state == StepState::Failed && step.optional {
            result.state = StepState::Excused;
        }
        Ok(())
    }

    async fn passed(&self, step: &Step, result: &mut StepResult) {
        result.state = StepState::Passed;
        if step.screenshot || self.replay.options.screenshots == Screenshots::OfEveryStep {
            let name = format!("steps/{:02}.png", result.index + 1);
            result.artifacts.extend(self.keeper().picture(&name).await);
        }
    }

    async fn failed(&self, result: &mut StepResult, trouble: Trouble) -> Result<(), Fault> {
        let place = format!("step {} ({})", result.index + 1, result.description);
        let reason = trouble.into_reason(&place)?;
        result.state = StepState::Failed;
        let left = match self.keeper().failure(result.index + 1).await {
            Ok(left) => left,
            // A verdict takes a browser that can still be asked.
            Err(lost) => return lost.into_reason(&place).map(drop),
        };
        let seen = left.seen.map(|seen| format!("; {seen}")).unwrap_or_default();
        result.reason = Some(self.redactor.redact(&format!("{place}: {reason}{seen}")));
        result.page_url = left.url;
        result.artifacts = left.artifacts;
        Ok(())
    }

    fn limit(&self, step: &Step) -> Duration {
        if matches!(step.action, Action::Navigate { .. }) && !step.asserts_navigation() {
            return self.replay.options.load_timeout;
        }
        step.timeout.or(self.flow.timeout).unwrap_or(STEP_TIMEOUT)
    }

    fn keeper(&self) -> Keeper<'_> {
        Keeper::new(self.page, &*self.replay.clock, self.observer, self.redactor)
    }
}

fn not_run((index, step): (usize, &Step)) -> StepResult {
    StepResult {
        index,
        id: step.id.clone(),
        retries: 0,
        kind: step.action.name().to_owned(),
        description: step.description(),
        state: StepState::NotRun,
        duration_ms: 0,
        reason: None,
        page_url: None,
        baseline: None,
        artifacts: Vec::new(),
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
