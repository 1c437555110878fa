//! What one step works with: the page, the time, and what was seen last. All waiting of a step
//! goes through `until`.

use super::{
    clicks::Clicks,
    comparison::Visual,
    place::Place,
    popups::{PopupDialog, Popups},
    trouble::Trouble,
    viewport::Emulated,
};
use crate::{
    browser::{BrowserError, page::Page},
    evidence::told_line,
    flow::{Mode, Selectors, one_line},
};
use futures::future::{Either, select};
use runners_core::{Clock, Redactor};
use std::{
    pin::pin,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// How long a look at the page waits for what it looks for to come, in milliseconds. A flow that is
/// cancelled waits for no more than this.
pub(super) const SLICE_MILLIS: u64 = 100;
/// How much later than the first look begins the second one, at the least; twice as much from one to
/// the next, up to the other. A look that has waited in the page is followed by the next at once.
const POLL_MIN: Duration = Duration::from_millis(10);
const POLL_MAX: Duration = Duration::from_millis(100);
/// The same for what the browser tells by itself: the next look is made once it has, and after this for what it may
/// not tell, such as another title.
const TOLD_POLL_MAX: Duration = Duration::from_millis(500);
/// The most characters of a reason.
const REASON_CHARACTERS_MAX: usize = 500;

/// What a look at the page says.
#[derive(Debug)]
pub(super) enum Look<T> {
    /// It is as it should be.
    Done(T),
    /// It is not yet, and this is why.
    Again(String),
    /// It never will be, and this is why.
    Hopeless(String),
}

/// Who tells what happens to pages.
#[derive(Clone, Copy, Debug)]
enum Teller<'r> {
    /// The browser, in the connection of the session.
    Session(Page<'r>),
    /// The browser, in a connection beside it.
    Beside(&'r Popups),
}

impl Teller<'_> {
    /// Waits until something was told that nobody has waited for. Dropping the future loses nothing.
    async fn told(self) -> Result<(), BrowserError> {
        match self {
            Self::Session(page) => page.changed().await,
            Self::Beside(popups) => {
                popups.told_more().await;
                Ok(())
            }
        }
    }
}

/// The means of one step.
#[derive(Debug)]
pub(super) struct Scope<'r> {
    pub(super) page: Page<'r>,
    pub(super) clock: &'r dyn Clock,
    pub(super) emulated: &'r Emulated,
    pub(super) place: &'r Place,
    pub(super) clicks: &'r Clicks,
    pub(super) visual: &'r Visual,
    pub(super) mode: Mode,
    pub(super) was_shown: AtomicBool,
    /// Whether the page was made to have the focus.
    pub(super) was_focused: AtomicBool,
    /// Whether a frame was seen to cut off what was scrolled into view, as far as that goes.
    pub(super) was_cut: AtomicBool,
    /// Whether the step holds a button of the mouse.
    pub(super) is_pressed: AtomicBool,
    /// Whether the target of the step is a frame.
    pub(super) is_frame_target: AtomicBool,
    /// The path of the frame that the step happens in.
    frames: Mutex<Vec<usize>>,
    /// What is heard of other pages, if something is.
    pub(super) popups: Option<&'r Popups>,
    /// Whether the step after this one is there for a dialog of the same page.
    is_before_dialog: bool,
    /// Whether a dialog was in the way of what was looked at.
    met_dialog: AtomicBool,
    /// The dialog that the step is for, if it is one that was heard of.
    pub(super) heard: Mutex<Option<PopupDialog>>,
    /// The frames that it leads through, if they are told by what they are.
    pub(super) inside: &'r [Selectors],
    /// Takes secrets out of what is told, if there are some.
    redactor: Option<&'r Redactor>,
    seen: Mutex<Option<String>>,
    tokens: AtomicU64,
}

impl<'r> Scope<'r> {
    pub(super) fn new(
        page: Page<'r>,
        clock: &'r dyn Clock,
        emulated: &'r Emulated,
        place: &'r Place,
        clicks: &'r Clicks,
        visual: &'r Visual,
        mode: Mode,
    ) -> Self {
        Self {
            page,
            clock,
            emulated,
            place,
            clicks,
            visual,
            mode,
            was_shown: AtomicBool::new(false),
            was_focused: AtomicBool::new(false),
            was_cut: AtomicBool::new(false),
            is_pressed: AtomicBool::new(false),
            is_frame_target: AtomicBool::new(false),
            frames: Mutex::default(),
            popups: None,
            is_before_dialog: false,
            met_dialog: AtomicBool::new(false),
            heard: Mutex::default(),
            inside: &[],
            redactor: None,
            seen: Mutex::default(),
            tokens: AtomicU64::new(0),
        }
    }

    /// Has the step know what is heard of other pages.
    pub(super) const fn hearing(mut self, popups: &'r Popups) -> Self {
        self.popups = Some(popups);
        self
    }

    /// Has the step know secrets where it meets them.
    pub(super) const fn hiding(mut self, redactor: &'r Redactor) -> Self {
        self.redactor = Some(redactor);
        self
    }

    /// Whether a text has a secret in it.
    pub(super) fn holds_secret(&self, text: &str) -> bool {
        self.redactor.is_some_and(|redactor| redactor.redact(text) != text)
    }

    /// Has the step know whether the one after it is there for a dialog of the same page.
    pub(super) const fn before_dialog(mut self, is_before_dialog: bool) -> Self {
        self.is_before_dialog = is_before_dialog;
        self
    }

    /// Has the step happen in a frame, told from the outermost one.
    pub(super) const fn inside(mut self, frames: &'r [Selectors]) -> Self {
        self.inside = frames;
        self
    }

    /// The path of the frame that the step happens in; empty for the main frame.
    pub(super) fn frames(&self) -> MutexGuard<'_, Vec<usize>> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks again and again until a look ends it, in the frame of the step. Whoever bounds the step
    /// bounds this.
    pub(super) async fn until<T, F>(&self, look: impl Fn() -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<Look<T>, BrowserError>>,
    {
        self.looking(None, POLL_MAX, look).await
    }

    /// The same for what a browser may tell by itself: where pages are, which there are, and their dialogs. Where it
    /// does, it is waited for that.
    pub(super) async fn until_told<T, F>(&self, look: impl Fn() -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<Look<T>, BrowserError>>,
    {
        let teller = self.teller();
        let is_all_told = match teller {
            Some(Teller::Session(_)) => true,
            // Of a frame of another process nothing is told but where it goes.
            Some(Teller::Beside(_)) => self.is_main_frame(),
            None => false,
        };
        let most = if is_all_told { TOLD_POLL_MAX } else { POLL_MAX };
        self.looking(teller, most, look).await
    }

    async fn looking<T, F>(
        &self,
        teller: Option<Teller<'r>>,
        most: Duration,
        look: impl Fn() -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<Look<T>, BrowserError>>,
    {
        let (mut poll, mut apart) = (POLL_MIN, POLL_MIN);
        loop {
            let began = self.clock.boot();
            let looked = match self.descend().await {
                Ok(None) => look().await,
                Ok(Some(why)) => Ok(Look::Again(why)),
                Err(error) => Err(error),
            };
            match looked {
                Ok(Look::Done(value)) => return Ok(value),
                Ok(Look::Hopeless(why)) => {
                    return Err(Trouble::Failed(self.told(&why)));
                }
                Ok(Look::Again(why)) => self.see(&why),
                Err(BrowserError::Refused { message, .. }) => self.see(&message),
                Err(error) => {
                    self.met_dialog.fetch_or(matches!(error, BrowserError::Dialog { .. }), Ordering::Relaxed);
                    return Err(error.into());
                }
            }
            if let Some(teller) = teller {
                let told = pin!(teller.told());
                if let Either::Left((told, _)) = select(told, self.clock.sleep_until(began + poll)).await {
                    told?;
                    // One thing that happens is told by several events, and on some pages something always happens.
                    self.clock.sleep_until(began + apart).await;
                    apart = POLL_MAX.min(apart * 2);
                }
            } else {
                self.clock.sleep_until(began + poll).await;
            }
            poll = most.min(poll * 2);
        }
    }

    /// Who tells what happens to the pages, if somebody does.
    fn teller(&self) -> Option<Teller<'r>> {
        if self.page.abilities().bidi() {
            return Some(Teller::Session(self.page));
        }
        self.popups.filter(|popups| popups.are_heard()).map(Teller::Beside)
    }

    fn is_main_frame(&self) -> bool {
        self.inside.is_empty() && self.frames().is_empty()
    }

    /// How a wait for a page ended. A dialog that the page opened meanwhile, and that the next step is there for,
    /// is as far as the page gets before that.
    pub(super) fn unless_dialog(&self, waited: Result<(), Trouble>) -> Result<(), Trouble> {
        let is_dialog = self.is_before_dialog && self.met_dialog.load(Ordering::Relaxed);
        if is_dialog { Ok(()) } else { waited }
    }

    /// Why the step is late, by what was seen last.
    pub(super) fn late(&self, limit: Duration) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        let seen = seen.unwrap_or_else(|| "the page did not answer".to_owned());
        format!("{seen}, for {} ms", limit.as_millis())
    }

    /// A word that no other look of this page has, so that a page can tell them apart.
    pub(super) fn token(&self) -> String {
        let since_boot = self.clock.boot().as_duration().as_nanos();
        format!("{since_boot}-{}", self.tokens.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether something was seen that is not as it should be.
    pub(super) fn has_seen(&self) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// What is told of what was seen.
    fn told(&self, what: &str) -> String {
        match self.redactor {
            Some(redactor) => told_line(redactor, what, REASON_CHARACTERS_MAX),
            None => one_line(what, REASON_CHARACTERS_MAX),
        }
    }

    pub(super) fn see(&self, what: &str) {
        let line = self.told(what);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
    }
}
