//! Records flows: a browser for each, driven by a person, until the recording ends. What was recorded is
//! kept, whichever way that is.

use super::{
    command::{Ended, RecordFlow, RecordedFlow, RecordedStep, SteerRecording},
    course::Course,
    draft::{Draft, wrong},
    ear::{self, Ear},
    steer::Steered,
    told::Size,
};
use crate::{
    browser::{Browser, BrowserError, Session, page::Page},
    driver::check_page,
    executor::open,
    flow::{Action, Viewport},
    live::LiveView,
    replay::hand::Hand,
};
use async_trait::async_trait;
use futures::{Stream, StreamExt as _, stream};
use runners_core::{Attempt, Clock, Executor, Fault, SystemClock};
use std::{collections::HashMap, pin::pin, sync::Arc, time::Duration};

/// After what time a recording ends that says nothing else.
const TIME_LIMIT: Duration = Duration::from_secs(30 * 60);
/// The longest that a recording may take.
const TIME_LIMIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a browser may take to give its page a size.
const VIEWPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Records flows, in one session each. Clones share the browser's driver.
#[derive(Clone, Debug)]
pub struct FlowRecorder {
    browser: Arc<dyn Browser>,
    clock: Arc<dyn Clock>,
}

/// Is told what is recorded, as it is.
#[async_trait]
pub trait RecordObserver: std::fmt::Debug + Send + Sync {
    /// The browser is there.
    fn opened(&self, session: &Arc<dyn Session>) {
        let _ = session;
    }

    /// There is one more step. What continues a step, such as a text that is typed on, is not told.
    fn recorded(&self, step: &RecordedStep) {
        let _ = step;
    }

    /// Something is worth knowing, in one line.
    fn noted(&self, text: &str) {
        let _ = text;
    }

    /// The flow as it is so far, soon after every change, and once it has ended: a JSON document. While it
    /// goes on, each step has its `id` in this recording and a `description`.
    async fn keep(&self, document: &str) {
        let _ = document;
    }
}

#[async_trait]
impl RecordObserver for () {}

impl FlowRecorder {
    /// Takes where browsers come from; [`Driver`](crate::Driver) is the usual one.
    pub fn new(browser: impl Browser) -> Self {
        Self { browser: Arc::new(browser), clock: Arc::new(SystemClock::default()) }
    }

    /// Takes the time from another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Why nothing can be recorded in browsers of a source, where that is known before one is opened.
    #[must_use]
    pub fn unsupported(browser: &dyn Browser) -> Option<&'static str> {
        match browser.engine() {
            Some(engine) => ear::unsupported(engine),
            None => Some(
                "a browser is recorded on the machine where it runs, and this one is at a WebDriver elsewhere",
            ),
        }
    }

    /// Records one flow in a session of its own, without a runner. It ends when somebody who steers says
    /// so, when the page that it began with is closed, or the browser, when its time is over, and when
    /// `cancelled` completes; what was recorded until then is the result.
    ///
    /// # Errors
    /// A [`Fault`] if it could not begin: `invalid`, `unsupported`, `not_allowed`, `cancelled`,
    /// `browser_lost`, `browser_missing`, `misconfigured` or `browser_not_started`.
    ///
    /// # Cancel safety
    /// Once `cancelled` completes the session is closed before this returns. Dropping the future instead
    /// kills a browser on this machine; the flow is then what the observer has kept.
    pub async fn record(
        &self,
        command: RecordFlow,
        observer: &dyn RecordObserver,
        steering: impl Stream<Item = Steered> + Send,
        cancelled: impl Future<Output = ()> + Send,
    ) -> Result<RecordedFlow, Fault> {
        self.check(&command)?;
        let mut cancelled = pin!(cancelled);
        let session: Arc<dyn Session> = open(&*self.browser, &*self.clock, cancelled.as_mut()).await?.into();
        observer.opened(&session);
        let recorded = self.record_in(&session, &command, observer, steering, cancelled).await;
        session.close().await;
        recorded
    }

    async fn record_in(
        &self,
        session: &Arc<dyn Session>,
        command: &RecordFlow,
        observer: &dyn RecordObserver,
        steering: impl Stream<Item = Steered> + Send,
        cancelled: impl Future<Output = ()> + Send + Unpin,
    ) -> Result<RecordedFlow, Fault> {
        let (page, clock) = (Page::new(&**session), &*self.clock);
        let began = clock.boot();
        if let Some(size) = command.viewport {
            let hand = Hand::new(Arc::clone(session), Arc::clone(&self.clock));
            let sized = hand.perform(Action::SetViewport(screen(size)), VIEWPORT_TIMEOUT).await;
            sized.map_err(|error| Fault::retryable("browser_lost", error.to_string()))?;
        }
        let main = page.window().await.map_err(lost)?;
        let opened = Ear::open(&**session, &main, clock).await;
        let ear = opened.map_err(|error| Fault::permanent("unsupported", error.to_string()))?;
        let size = command.viewport.map(|(width, height)| Size {
            width: f64::from(width),
            height: f64::from(height),
            scale: 1.0,
        });
        let name = if command.name.is_empty() { &command.url } else { &command.name };
        let draft = Draft::new(name, ear.main(), &command.url, size);
        let active = ear.main().to_owned();
        let places = HashMap::new();
        let mut course = Course { page, ear, draft, places, active, observer, clock, began };
        for step in course.draft.newest(2) {
            observer.recorded(&step);
        }
        match page.go_to(&command.url).await {
            // A page that cannot be loaded is shown as such, and a person goes elsewhere.
            Err(BrowserError::Refused { code, message }) if code != BrowserError::NOT_ALLOWED => {
                observer.noted(&format!("the page cannot be loaded: {message}"));
            }
            gone => gone.map_err(lost)?,
        }
        let mut steering = pin!(steering.chain(stream::pending()));
        let ended = course.run(&mut steering, cancelled, began + limit(command)).await;
        course.ear.close().await;
        let recorded = finished(&course.draft, ended);
        let document = match &recorded {
            Ok(recorded) => format!("{}\n", recorded.flow.document()),
            Err(_) => course.draft.document(),
        };
        observer.keep(&document).await;
        recorded
    }

    fn check(&self, command: &RecordFlow) -> Result<(), Fault> {
        if let Some(reason) = Self::unsupported(&*self.browser) {
            return Err(Fault::permanent("unsupported", reason));
        }
        if let (Some(wanted), Some(has)) = (command.engine, self.browser.engine())
            && wanted != has
        {
            let message = format!("engine: {wanted} is wanted, and the browser of this runner is {has}");
            // Another runner may have it.
            return Err(Fault::retryable("unsupported", message));
        }
        if command.name.len() > RecordFlow::NAME_BYTES_MAX {
            let message = format!(
                "name: has {} bytes, and the limit is {}",
                command.name.len(),
                RecordFlow::NAME_BYTES_MAX
            );
            return Err(wrong(&message));
        }
        let mut sides = command.viewport.into_iter().flat_map(|(width, height)| [width, height]);
        if let Some(side) = sides.find(|side| !RecordFlow::SIDE.contains(side)) {
            let (least, most) = (RecordFlow::SIDE.start(), RecordFlow::SIDE.end());
            return Err(wrong(&format!("viewport: {side} is not between {least} and {most}")));
        }
        if let Err(error) = url::Url::parse(&command.url) {
            let message = format!("url: {:?} is not an absolute address: {error}", command.url);
            return Err(wrong(&format!("{message}; write it with https:// before")));
        }
        if let Some(egress) = self.browser.egress() {
            check_page(&egress, &command.url)
                .map_err(|error| Fault::permanent("not_allowed", error.to_string()))?;
        }
        Ok(())
    }
}

impl Executor<RecordFlow> for FlowRecorder {
    async fn execute(&self, command: RecordFlow, attempt: Attempt) -> Result<RecordedFlow, Fault> {
        let steering = attempt.signals::<SteerRecording>().map(Steered::from);
        let observer = Reported { attempt: attempt.clone(), clock: Arc::clone(&self.clock) };
        self.record(command, &observer, steering, attempt.cancelled()).await
    }
}

/// Hands what is recorded to its attempt, and shows the browser to whoever drives it from afar.
#[derive(Debug)]
struct Reported {
    attempt: Attempt,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl RecordObserver for Reported {
    fn opened(&self, session: &Arc<dyn Session>) {
        let view = LiveView::with_clock(session, Arc::clone(&self.clock));
        self.attempt.show(Arc::new(view));
    }

    fn recorded(&self, step: &RecordedStep) {
        let line = format!("{:>3}  {}", step.index + 1, step.description);
        self.attempt.log(format!("{line}\n"));
        self.attempt.progress(format!("step {}: {}", step.index + 1, step.description));
    }

    fn noted(&self, text: &str) {
        self.attempt.log(format!("{text}\n"));
    }

    async fn keep(&self, document: &str) {
        let bytes = document.to_owned().into_bytes();
        if let Err(error) = self.attempt.attach(RecordFlow::ARTIFACT, "application/json", bytes).await {
            self.attempt.log(format!("what is recorded could not be kept: {error}\n"));
        }
    }
}

fn finished(draft: &Draft, ended: Ended) -> Result<RecordedFlow, Fault> {
    let flow = draft.flow().map_err(|problems| {
        // Every step was checked by itself; the artifact has them all.
        Fault::permanent("not_a_flow", format!("what was recorded is no flow: {problems}"))
    })?;
    let secrets = flow.secrets().into_iter().collect();
    let recorded = draft.newest(usize::MAX);
    Ok(RecordedFlow { recorded, secrets, notes: draft.notes().to_vec(), flow, ended })
}

fn limit(command: &RecordFlow) -> Duration {
    command.time_limit_ms.map_or(TIME_LIMIT, Duration::from_millis).min(TIME_LIMIT_MAX)
}

fn screen((width, height): (u32, u32)) -> Viewport {
    Viewport {
        width: f64::from(width),
        height: f64::from(height),
        device_scale_factor: 1.0,
        is_mobile: false,
        has_touch: false,
        is_landscape: width > height,
    }
}

fn lost(error: BrowserError) -> Fault {
    match error {
        BrowserError::Refused { code, message } if code == BrowserError::NOT_ALLOWED => {
            Fault::permanent("not_allowed", message)
        }
        error => Fault::retryable("browser_lost", error.to_string()),
    }
}
