//! Films what a session shows: takes the pictures of its live view, as somebody who looks would, and hands them on
//! in parts while it goes on, so that whoever watches need not wait for the end.

use super::{
    Capture,
    film::Film,
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
    Clock, Timestamp,
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
}

impl Filming {
    /// Films a source, once it is [started](Self::start).
    fn of(source: Option<Arc<dyn FrameSource>>, now: Timestamp) -> Self {
        let state = Mutex::new(State { reel: Reel::new(now), film: None, cut: None });
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

    /// Counts all times from here, and starts if that is asked for.
    pub(crate) fn begin(&self, capture: Capture, now: Timestamp) {
        let mut state = self.state();
        state.reel.begin(now);
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
                None => self.hand_on(observer, clock, true, false).await,
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

    /// Hands on what is left, and answers the names of what there is.
    pub(crate) async fn finish(&self, observer: &dyn FlowObserver, clock: &dyn Clock) -> Vec<String> {
        self.hand_on(observer, clock, true, true).await;
        let (mut film, has_parts) = {
            let mut state = self.state();
            (state.film.take(), state.reel.has_parts())
        };
        let mut names = Vec::new();
        if let Some(film) = &mut film
            && let Some(bytes) = video(film, clock.wall(), clock).await
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
            self.hand_on(observer, clock, false, false).await;
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

    /// Hands on a part and the index, if there is enough for one.
    async fn hand_on(&self, observer: &dyn FlowObserver, clock: &dyn Clock, is_all: bool, is_end: bool) {
        let (now, mut is_new) = (clock.wall(), is_end);
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
        let index = {
            let state = self.state();
            (is_new && state.reel.has_parts()).then(|| state.reel.index(now, is_end))
        };
        if let Some(index) = index {
            give(observer, index).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn give(observer: &dyn FlowObserver, Cut { name, bytes }: Cut) {
    observer.evidence(Evidence { name, media_type: "application/json", bytes }).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::within::beside;
    use async_trait::async_trait;
    use runners_core::{
        BootTime, SystemClock,
        live::{FrameFormat, Frames, Input},
    };
    use serde_json::{Value, json};
    use tokio::sync::mpsc;

    /// Shows one picture after the other, each as large as a part.
    #[derive(Debug)]
    struct Large;

    #[derive(Debug)]
    struct Pictures(u64);

    #[async_trait]
    impl FrameSource for Large {
        async fn open(&self, _: FrameWish) -> Result<Box<dyn Frames>, FrameError> {
            Ok(Box::new(Pictures(1_000)))
        }
        async fn input(&self, _: Input) -> Result<(), FrameError> {
            Err(FrameError::Closed)
        }
    }

    #[async_trait]
    impl Frames for Pictures {
        async fn next(&mut self) -> Result<Option<Frame>, FrameError> {
            if self.0 > 3_000 {
                return pending().await;
            }
            self.0 += 1_000;
            let (at, bytes) = (Timestamp::from_millis(self.0), vec![0; 1024 * 1024]);
            Ok(Some(Frame::new(at, FrameFormat::Jpeg, (1, 1), bytes.into())))
        }
    }

    struct Kept(mpsc::UnboundedSender<Evidence>);

    #[async_trait]
    impl FlowObserver for Kept {
        async fn evidence(&self, evidence: Evidence) {
            let _ = self.0.send(evidence);
        }
    }

    #[tokio::test]
    async fn parts_and_index_come_while_it_goes_on_and_nothing_before_it_is_on() {
        let clock = SystemClock::default();
        let filming = Filming::of(Some(Arc::new(Large)), Timestamp::from_millis(0));
        filming.begin(Capture::NOTHING, Timestamp::from_millis(1_000));
        let (sender, mut kept) = mpsc::unbounded_channel();
        let observer = Kept(sender);
        assert!(filming.finish(&observer, &clock).await.is_empty(), "there is no film");
        assert!(kept.try_recv().is_err());
        filming.start();
        let watching = async {
            let mut names = Vec::new();
            while names.len() < 6 {
                let Evidence { name, bytes, .. } = kept.recv().await.unwrap();
                let told: Value = serde_json::from_slice(&bytes).unwrap();
                if name == INDEX {
                    assert_eq!(
                        (told["parts"].as_array().unwrap().len() * 2, &told["ended"]),
                        (names.len() + 1, &json!(false))
                    );
                }
                names.push(name);
            }
            names
        };
        let names = beside(watching, filming.run(&observer, &clock)).await;
        let expected = ["film/0000.json", INDEX, "film/0001.json", INDEX, "film/0002.json", INDEX];
        assert_eq!(names, expected);
        assert_eq!(filming.finish(&observer, &clock).await, [INDEX]);
        let last: Value = serde_json::from_slice(&kept.recv().await.unwrap().bytes).unwrap();
        assert_eq!(last["ended"], true);
    }

    /// A clock on which a moment passes at once, and nothing longer does.
    #[derive(Debug)]
    struct Moments;

    #[async_trait]
    impl Clock for Moments {
        fn wall(&self) -> Timestamp {
            Timestamp::from_millis(0)
        }
        fn boot(&self) -> BootTime {
            BootTime::from_duration(Duration::ZERO)
        }
        async fn sleep_until(&self, deadline: BootTime) {
            if deadline.since(self.boot()) > REST {
                pending::<()>().await;
            }
        }
    }

    #[tokio::test]
    async fn a_flow_that_is_over_before_the_first_picture_waits_for_it_unless_there_is_none() {
        let (sender, _kept) = mpsc::unbounded_channel();
        let observer = Kept(sender);
        for (source, expected) in [(Some(Arc::new(Large) as Arc<dyn FrameSource>), Some(INDEX)), (None, None)]
        {
            let filming = Filming::of(source, Timestamp::from_millis(0));
            filming.start();
            // The flow is looked at first, as it is by a replay.
            beside(filming.rest(&Moments), filming.run(&observer, &Moments)).await;
            let names = filming.finish(&observer, &Moments).await;
            assert_eq!(names.first().map(String::as_str), expected);
        }
    }
}
