//! What a session shows while it is used, and what a person does to it. Chromium sends pictures by itself
//! (`screencast`), other browsers are asked for them (`pictures`), as often as `pace` says; who looks is counted in
//! `audience`. Input goes over the DevTools protocol (`input`, `keyboard`) or as actions of WebDriver (`actions`).

mod actions;
mod audience;
mod chromium;
mod input;
mod keyboard;
mod pace;
mod pages;
mod pictures;
mod screencast;
mod size;

use crate::{
    browser::{BrowserError, Session},
    evidence::{CaptureSignals, Filming},
    within::beside,
};
use actions::Actions;
use async_trait::async_trait;
use audience::{Audience, Stage};
use chromium::Chromium;
use input::DevtoolsInput;
use runners_core::{
    Attempt, Clock, SystemClock,
    live::{FrameError, FrameSource, FrameWish, Frames, Input},
};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tokio::task::JoinSet;

/// What a session shows, for a live view: pictures of its pages, and a hand on them.
///
/// A Chromium on this machine or in a Selenium Grid sends pictures as they change: of the page that was opened last, and of the one
/// before once that is closed. Other browsers are asked for one between two commands of the session, so rarely
/// that the session keeps nine tenths of its time, and show the page that the session is at. All who look share
/// what the browser sends. Nothing is taken while nobody looks.
///
/// Pictures show what the page shows, secrets included. The session may be used meanwhile, as if nobody looked.
/// The view does not keep it open, and is over when this is dropped or [told so](Self::end), and when the session
/// is dropped.
pub struct LiveView {
    audience: Arc<Audience>,
    eye: Eye,
    hand: Hand,
    clock: Arc<dyn Clock>,
    /// Takes the pictures, while somebody looks.
    shows: Mutex<JoinSet<()>>,
}

/// Where pictures come from.
#[derive(Clone, Debug)]
enum Eye {
    Sent(Arc<Chromium>),
    Asked(Weak<dyn Session>),
}

/// How input gets to the page.
#[derive(Debug)]
enum Hand {
    Devtools(Box<DevtoolsInput>),
    Actions(Actions),
}

impl LiveView {
    /// Shows a session.
    #[must_use]
    pub fn of(session: &Arc<dyn Session>) -> Self {
        Self::with_clock(session, Arc::new(SystemClock::default()))
    }

    /// Shows a session, and takes the time from a clock.
    #[must_use]
    pub fn with_clock(session: &Arc<dyn Session>, clock: Arc<dyn Clock>) -> Self {
        let weak = Arc::downgrade(session);
        if let Some(devtools) = session.devtools() {
            return Self::sent(Arc::new(Chromium::new(weak, devtools, Arc::clone(&clock))), clock);
        }
        let hand = Hand::Actions(Actions::new(Weak::clone(&weak), Arc::clone(&clock)));
        let audience = Arc::new(Audience::new(Arc::clone(&clock)));
        Self { audience, eye: Eye::Asked(weak), hand, clock, shows: Mutex::default() }
    }

    /// Shows a page of such a Chromium, and those that it opens; nothing of others. It takes no input,
    /// and ends when it is dropped.
    pub(crate) fn of_window(session: &dyn Session, window: String, clock: Arc<dyn Clock>) -> Option<Self> {
        let devtools = session.devtools()?;
        let chromium = Arc::new(Chromium::at(window, devtools, Arc::clone(&clock)));
        Some(Self::sent(chromium, clock))
    }

    fn sent(chromium: Arc<Chromium>, clock: Arc<dyn Clock>) -> Self {
        let hand = Hand::Devtools(Box::new(DevtoolsInput::new(Arc::clone(&chromium), Arc::clone(&clock))));
        let audience = Arc::new(Audience::new(Arc::clone(&clock)));
        Self { audience, eye: Eye::Sent(chromium), hand, clock, shows: Mutex::default() }
    }

    /// Whether pictures come without a command of the session.
    pub(crate) const fn is_beside(&self) -> bool {
        matches!(self.eye, Eye::Sent(_))
    }

    /// Ends the view: whoever looks is told that it is over.
    pub fn end(&self) {
        self.audience.end();
    }

    /// Has the next picture come as soon as it does for a person who acts.
    pub(crate) fn hurry(&self) {
        if let Eye::Sent(chromium) = &self.eye {
            chromium.note_act();
        }
    }

    fn begin(&self, stage: Stage) {
        let mut shows = self.shows.lock().unwrap_or_else(PoisonError::into_inner);
        while shows.try_join_next().is_some() {}
        let clock = Arc::clone(&self.clock);
        match self.eye.clone() {
            Eye::Sent(chromium) => shows.spawn(screencast::show(chromium, stage, clock)),
            Eye::Asked(session) => shows.spawn(pictures::show(session, stage, clock)),
        };
    }
}

#[async_trait]
impl FrameSource for LiveView {
    async fn open(&self, wish: FrameWish) -> Result<Box<dyn Frames>, FrameError> {
        let (mut seat, stage) = self.audience.enter(wish)?;
        if let Some(stage) = stage {
            self.begin(stage);
        }
        seat.started().await?;
        Ok(Box::new(seat))
    }

    async fn input(&self, input: Input) -> Result<(), FrameError> {
        if self.audience.is_over() {
            return Err(FrameError::Closed);
        }
        check(&input)?;
        match &self.hand {
            Hand::Devtools(hand) => hand.carry_out(&input).await,
            Hand::Actions(hand) => hand.carry_out(&input).await,
        }
    }
}

impl fmt::Debug for LiveView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveView").field("eye", &self.eye).finish_non_exhaustive()
    }
}

impl Drop for LiveView {
    fn drop(&mut self) {
        self.end();
    }
}

/// Shows a session to whoever looks at its attempt, and films it if a signal says so, until this is dropped.
#[derive(Debug)]
pub(crate) struct Shown {
    view: Arc<LiveView>,
    signals: CaptureSignals,
    filming: Arc<Filming>,
}

impl Shown {
    pub(crate) fn to(attempt: &Attempt, view: LiveView) -> Self {
        let view = Arc::new(view);
        attempt.show(Arc::clone(&view) as Arc<dyn FrameSource>);
        let filming = Arc::new(Filming::of_view(Some(Arc::clone(&view)), view.clock.wall()));
        Self { signals: CaptureSignals::of(attempt), filming, view }
    }

    /// The film, for whoever carries the work out.
    pub(crate) fn filming(&self) -> Arc<Filming> {
        Arc::clone(&self.filming)
    }

    /// Waits for work, and does meanwhile what signals say of the film.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        beside(work, self.signals.direct(&self.filming)).await
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.view.end();
    }
}

/// Refuses what no page can be told.
fn check(input: &Input) -> Result<(), FrameError> {
    let bytes = match input {
        Input::Text { text } => text.len(),
        Input::KeyDown { key } | Input::KeyUp { key } => key.len(),
        Input::Navigate { url } => url.len(),
        _ => 0,
    };
    if bytes > Input::TEXT_BYTES_MAX {
        let limit = Input::TEXT_BYTES_MAX;
        return Err(FrameError::Unsupported(format!("an input of {bytes} bytes, of at most {limit},")));
    }
    let numbers = match *input {
        Input::PointerMove { x, y } | Input::PointerDown { x, y, .. } | Input::PointerUp { x, y, .. } => {
            [x, y, 0.0, 0.0]
        }
        Input::Wheel { x, y, delta_x, delta_y } => [x, y, delta_x, delta_y],
        _ => [0.0; 4],
    };
    let is_told = numbers.iter().all(|number| number.is_finite());
    if is_told { Ok(()) } else { Err(FrameError::Unsupported("a point that is no number".to_owned())) }
}

/// Why a session does not do what it was told, to whoever looks at it.
fn refused(error: BrowserError) -> FrameError {
    match error {
        BrowserError::Gone { .. } => FrameError::Closed,
        BrowserError::Unsupported { message } => FrameError::Unsupported(message),
        BrowserError::Refused { code, message } if code == BrowserError::NOT_ALLOWED => {
            FrameError::Unsupported(format!("a page that is not allowed ({message})"))
        }
        other => FrameError::Unavailable(other.into()),
    }
}
