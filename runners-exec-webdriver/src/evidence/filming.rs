//! Films what a session shows: takes the pictures of its live view, as somebody who looks would, and hands them on
//! in parts while it goes on, with what was heard meanwhile, so that whoever watches need not wait for the end.

use super::{
    Capture,
    film::Film,
    journal::{SharedJournal, Telling},
    reel::{Cut, INDEX, Reel},
    video::video,
};
use crate::{
    browser::{Session, page::Page},
    live::LiveView,
    replay::{Evidence, FlowObserver},
    within::within,
};
use futures::future::{Either, select};
use runners_core::{
    BootTime, Clock, Timestamp,
    live::{Frame, FrameError, FrameSource, FrameWish},
    sleep,
};
use std::{
    convert::Infallible,
    future::pending,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// How long it may take to learn which page is to be filmed.
const WINDOW_TIMEOUT: Duration = Duration::from_secs(10);
/// How many pictures are taken in a second.
const PER_SECOND: u32 = 10;
/// How long it may take until a source that is in trouble is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(2);
/// How long the last picture of a film is waited for.
const REST: Duration = Duration::from_millis(250);
/// How long the first one is waited for: a flow may be over before its browser has drawn anything.
const FIRST_WITHIN: Duration = Duration::from_secs(10);
/// How often it is looked whether there is enough for a part.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The film of one session.
#[derive(Debug)]
pub(crate) struct Filming {
    /// Nothing, where there is nothing to be filmed.
    source: Option<Arc<dyn FrameSource>>,
    /// The same, if it is a live view.
    view: Option<Arc<LiveView>>,
    on: watch::Sender<bool>,
    /// Whether the first picture was taken, or none can come.
    begun: watch::Sender<bool>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    reel: Reel,
    /// The pictures for a video, if one is wished.
    film: Option<Film>,
    /// A part that may not have been handed on.
    cut: Option<Cut>,
    /// Nothing, where nobody listens.
    telling: Option<Telling>,
}

impl Filming {
    /// Films a source, once it is [started](Self::start).
    fn of(source: Option<Arc<dyn FrameSource>>, now: Timestamp) -> Self {
        let state = Mutex::new(State { reel: Reel::new(now), film: None, cut: None, telling: None });
        Self { source, view: None, on: watch::Sender::new(false), begun: watch::Sender::new(false), state }
    }

    /// Films what a live view shows, once it is [started](Self::start).
    pub(crate) fn of_view(view: Option<Arc<LiveView>>, now: Timestamp) -> Self {
        let source = view.clone().map(|view| view as Arc<dyn FrameSource>);
        Self { view, ..Self::of(source, now) }
    }

    /// Films a session that is used here, if that is asked for: the Chromium on this machine that it is in.
    pub(crate) async fn of_session(session: &dyn Session, capture: Capture, clock: &Arc<dyn Clock>) -> Self {
        let mut view = None;
        if capture.is_screen_watched()
            && let Some(Ok(window)) = within(&**clock, WINDOW_TIMEOUT, Page::new(session).window()).await
        {
            view = LiveView::of_window(session, window, Arc::clone(clock)).map(Arc::new);
        }
        Self::of_view(view, clock.wall())
    }

    /// Counts all times from here, tells what is heard, and starts if that is asked for.
    pub(crate) fn begin(&self, capture: Capture, now: Timestamp, heard: Option<SharedJournal>) {
        let mut state = self.state();
        state.reel.begin(now);
        state.telling = heard.map(Telling::of);
        state.film = capture.video.then(|| Film::new(now));
        if capture.is_screen_watched() {
            self.start();
        }
    }

    pub(crate) fn start(&self) {
        self.on.send_replace(true);
    }

    pub(crate) fn stop(&self) {
        self.on.send_replace(false);
    }

    /// A step begins.
    pub(crate) fn step(&self, index: usize, description: &str, clock: &dyn Clock) {
        self.state().reel.step(index, description, clock.wall());
    }

    /// Films while it is on, until this is dropped.
    pub(crate) async fn run(&self, observer: &dyn FlowObserver, clock: &dyn Clock) -> Infallible {
        let mut on = self.on.subscribe();
        loop {
            if on.wait_for(|on| *on).await.is_err() {
                return pending().await;
            }
            let mut off = on.clone();
            let filming = pin!(self.film(observer, clock));
            let is_over = match select(filming, pin!(off.wait_for(|on| !*on))).await {
                Either::Left((is_over, _)) => Some(is_over),
                Either::Right(_) => None,
            };
            match is_over {
                Some(true) => {
                    self.begun.send_replace(true);
                    return pending().await;
                }
                Some(false) => sleep(clock, RETRY_EVERY).await,
                // It was stopped.
                None => self.hand_on(observer, clock, true, None).await,
            }
        }
    }

    /// Waits, if it is on, until what the page shows at last is on its way. Somebody has to [run](Self::run) it
    /// meanwhile.
    pub(crate) async fn rest(&self, clock: &dyn Clock) {
        if *self.on.borrow() {
            if let Some(view) = &self.view {
                view.hurry();
            }
            sleep(clock, REST).await;
            let mut begun = self.begun.subscribe();
            within(clock, FIRST_WITHIN, begun.wait_for(|begun| *begun)).await;
        }
    }

    /// Hands on what is left of a film that ended at a time, and answers the names of what there is. It comes after
    /// the journal, so that who sees the end of a film finds all that was heard.
    pub(crate) async fn finish(
        &self,
        observer: &dyn FlowObserver,
        ended_at: Timestamp,
        clock: &dyn Clock,
    ) -> Vec<String> {
        self.hand_on(observer, clock, true, Some(ended_at)).await;
        let (mut film, has_parts) = {
            let mut state = self.state();
            (state.film.take(), state.reel.has_parts())
        };
        let mut names = Vec::new();
        if let Some(film) = &mut film
            && let Some(bytes) = video(film, ended_at, clock).await
        {
            let name = "video.webm".to_owned();
            observer.evidence(Evidence { name: name.clone(), media_type: "video/webm", bytes }).await;
            names.push(name);
        }
        names.extend(has_parts.then(|| INDEX.to_owned()));
        names
    }

    /// Takes pictures until there are no more; answers whether the source is over.
    async fn film(&self, observer: &dyn FlowObserver, clock: &dyn Clock) -> bool {
        let wish = FrameWish::default().per_second(PER_SECOND);
        let Some(source) = &self.source else { return true };
        let mut frames = match source.open(wish).await {
            Ok(frames) => frames,
            Err(FrameError::Unavailable(error)) => {
                tracing::debug!(%error, "there are no pictures for a film now");
                return false;
            }
            Err(_) => return true,
        };
        loop {
            match select(frames.next(), pin!(sleep(clock, LOOK_EVERY))).await {
                Either::Left((Ok(Some(frame)), _)) => self.take(&frame),
                Either::Left((Ok(None), _)) => return true,
                Either::Left((Err(_), _)) => return false,
                Either::Right(_) => {}
            }
            self.hand_on(observer, clock, false, None).await;
        }
    }

    fn take(&self, frame: &Frame) {
        let mut state = self.state();
        state.reel.take(frame);
        if let Some(film) = &mut state.film {
            film.take(frame);
        }
        self.begun.send_replace(true);
    }

    /// Hands on a part, if there is enough for one, and the index if it says more than the last one: always at
    /// the end.
    async fn hand_on(
        &self,
        observer: &dyn FlowObserver,
        clock: &dyn Clock,
        is_all: bool,
        ended_at: Option<Timestamp>,
    ) {
        let now = ended_at.unwrap_or_else(|| clock.wall());
        let mut is_new = ended_at.is_some();
        loop {
            let cut = {
                let mut state = self.state();
                let left = state.cut.take();
                state.cut = left.or_else(|| state.reel.cut(now, is_all));
                state.cut.clone()
            };
            let Some(cut) = cut else { break };
            give(observer, cut).await;
            self.state().cut = None;
            is_new = true;
        }
        let index = self.state().index(now, ended_at.is_some(), is_new, clock.boot());
        if let Some(index) = index {
            give(observer, index).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What there is so far, if there is anything to be seen and more of it than before.
    fn index(&mut self, now: Timestamp, is_end: bool, is_new: bool, boot: BootTime) -> Option<Cut> {
        let is_new = is_new || self.telling.as_ref().is_some_and(|telling| telling.is_due(boot));
        if !(is_new && self.reel.has_parts()) {
            return None;
        }
        let heard = self.telling.as_mut().map(|telling| telling.tell(boot));
        Some(self.reel.index(now, is_end, heard))
    }
}

async fn give(observer: &dyn FlowObserver, Cut { name, bytes }: Cut) {
    observer.evidence(Evidence { name, media_type: "application/json", bytes }).await;
}

#[cfg(test)]
mod tests;
