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
mod progress;
mod run;
mod scope;
mod step;
mod storage;
mod trouble;
mod viewport;

#[cfg(feature = "checks")]
pub(crate) use evidence::heard;
pub use observer::{Evidence, FlowObserver};
pub(crate) use popups::Popups;

use crate::{
    browser::{Session, page::Page, script::KeptScripts},
    engine::Engine,
    evidence::{Capture, Filming, Watch},
    flow::BrowserFlow,
    result::FlowResult,
    visual::{BaselineMode, Baselines},
    within::beside,
};
use clicks::Clicks;
use comparison::Visual;
use evidence::Keeper;
use futures::future::{Either, join, select};
use place::Place;
use progress::Progress;
use run::Run;
use runners_core::{Clock, Egress, Fault, SystemClock};
use std::{pin::pin, sync::Arc, time::Duration};
use trouble::refuse;
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
        Self {
            flow: flow.with_texts(),
            options,
            clock: Arc::new(SystemClock::default()),
            baselines: None,
            filming: None,
        }
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
    /// A [`Fault`]: `unsupported`, `cancelled` or `browser_lost`. If a step had begun, `observer` is given a
    /// [`CutShort`](crate::CutShort) before.
    ///
    /// # Cancel safety
    /// Once `cancelled` completes, this returns without waiting for the command that the browser
    /// is carrying out, but for a last picture of the page that is there within seconds. Dropping the future
    /// stops the flow as well.
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
        let (redactor, progress) = (self.flow.redactor(), Progress::new(self.flow.flow()));
        let capture = self.options.capture.and(self.flow.flow().capture);
        let mut cancelled = pin!(cancelled);
        // The cancel is looked at first, so that a flow that was cancelled before it starts does
        // not touch the browser.
        let watching = Watch::open(session, capture, redactor.clone(), &*self.clock);
        let opening = join(watching, Box::pin(Popups::of(session, self.flow.flow(), &*self.clock)));
        let Either::Right(((watch, popups), _)) = select(cancelled.as_mut(), pin!(opening)).await else {
            return Err(progress.gave_up());
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
            let steps = beside(Box::pin(run.steps(&progress)), Box::pin(popups.run()));
            let filmed = beside(steps, Box::pin(filming.run(observer, &*self.clock)));
            match select(cancelled, pin!(beside(filmed, Box::pin(watch.run(session, &*self.clock))))).await {
                Either::Right((ended, _)) => ended,
                Either::Left(_) => Err(progress.gave_up()),
            }
        };
        let (ended_at, keeper) = (self.clock.wall(), Keeper::new(page, &*self.clock, observer, &redactor));
        if let Err(fault) = &ended {
            keeper.cut_short(&self.flow.flow().title, fault, &progress, &watch).await;
        }
        let (names, mut page_errors) = keeper.heard(&watch, capture, session.capabilities()).await;
        page_errors.extend(popups.told(&redactor));
        let film = filming.finish(observer, ended_at, &*self.clock).await;
        ended.map(|mut result| {
            result.artifacts.extend(names);
            result.artifacts.extend(film);
            page_errors.append(&mut result.page_errors);
            FlowResult { page_errors, ..result }
        })
    }
}
