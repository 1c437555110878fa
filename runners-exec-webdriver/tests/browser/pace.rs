//! When a browser that is to keep its time is shown and filmed all the same, by clocks to which each picture costs
//! so much that there is one in ten seconds.

use crate::stage::{Seen, Stage, Watcher, flow};
use async_trait::async_trait;
use futures::future::{Either, select};
use runners_core::{
    BootTime, Clock, SystemClock, Timestamp, Verdict,
    live::{Frame, FrameSource as _, FrameWish, Frames, Input},
};
use runners_exec_webdriver::{Call, LiveView, Method, Replay, Session};
use serde_json::{Value, json};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::sync::watch;

/// A clock that stands still, to whose wall a picture has been on its way for a minute.
#[derive(Clone, Debug)]
struct Still(Arc<watch::Sender<Duration>>);

impl Still {
    fn passes(&self, span: Duration) {
        self.0.send_modify(|now| *now += span);
    }
}

#[async_trait]
impl Clock for Still {
    fn wall(&self) -> Timestamp {
        SystemClock::default().wall() + Duration::from_secs(60)
    }
    fn boot(&self) -> BootTime {
        BootTime::from_duration(*self.0.borrow())
    }
    async fn sleep_until(&self, deadline: BootTime) {
        let mut now = self.0.subscribe();
        now.wait_for(|now| BootTime::from_duration(*now) >= deadline).await.unwrap();
    }
}

/// A clock that is twenty times too slow, to whose wall a picture has been on its way for a minute.
#[derive(Debug)]
struct Slow;

#[async_trait]
impl Clock for Slow {
    fn wall(&self) -> Timestamp {
        SystemClock::default().wall() + Duration::from_secs(60)
    }
    fn boot(&self) -> BootTime {
        BootTime::from_duration(SystemClock::default().boot().as_duration() / 20)
    }
    async fn sleep_until(&self, deadline: BootTime) {
        SystemClock::default().sleep_until(BootTime::from_duration(deadline.as_duration() * 20)).await;
    }
}

/// A page that never rests.
const RESTLESS: &str = "<canvas id=c width=600 height=400></canvas><script>
    let at = 0; const draw = () => { const to = c.getContext('2d'); to.fillStyle = `hsl(${at++ % 360} 90% 50%)`;
    to.fillRect(0, 0, 600, 400); requestAnimationFrame(draw) }; draw()</script>";

/// The next picture, if it comes before the page has been asked for something so often.
async fn next_within(asks: usize, frames: &mut Box<dyn Frames>, session: &dyn Session) -> Option<Frame> {
    let asked = async {
        for _ in 0..asks {
            let nothing = json!({ "script": "return 1", "args": [] });
            session.call(Call::new(Method::Post, "execute/sync", nothing)).await.unwrap();
        }
    };
    match select(frames.next(), pin!(asked)).await {
        Either::Left((frame, _)) => Some(frame.unwrap().expect("the source is not over")),
        Either::Right(_) => None,
    }
}

#[tokio::test]
async fn who_acts_is_shown_what_comes_of_it_although_the_browser_rests() {
    let Some(stage) = Stage::open().await else { return };
    let url = stage.page(RESTLESS);
    stage.passes(json!([{ "type": "navigate", "url": url }])).await;
    let (driver, session, _site, _, _state) = stage.into_parts();
    let session: Arc<dyn Session> = session.into();
    let clock = Still(Arc::new(watch::Sender::new(Duration::ZERO)));
    let view = LiveView::with_clock(&session, Arc::new(clock.clone()));
    let mut frames = view.open(FrameWish::default()).await.unwrap();
    // Pictures that cost so much are ten seconds apart. Those that were on their way still come.
    let mut seconds = 0;
    while next_within(50, &mut frames, &*session).await.is_some() {
        clock.passes(Duration::from_secs(1));
        seconds += 1;
        assert!(seconds < 8, "it does not rest");
    }
    view.input(Input::PointerMove { x: 10.0, y: 10.0 }).await.unwrap();
    assert!(next_within(2_000, &mut frames, &*session).await.is_some(), "nothing is shown to who acts");
    view.end();
    session.close().await;
    driver.stop().await;
}

/// What a page shows at last: far more than the blank page has, of which the first picture is.
const LAST: &str = "<button id=it>X</button><canvas id=c width=700 height=400></canvas><script>
    it.onclick = () => { const to = c.getContext('2d'); for (let x = 0; x < 700; x += 5) for (let y = 0; y < 400; y += 5) {
        to.fillStyle = `hsl(${Math.random() * 360} 90% 50%)`; to.fillRect(x, y, 5, 5); }
        requestAnimationFrame(() => requestAnimationFrame(() => { window.ended = true })) }</script>";
const LAST_BYTES_MIN: usize = 50_000;

#[tokio::test]
async fn what_a_page_shows_at_last_is_filmed_although_the_browser_rests() {
    let Some(mut stage) = Stage::open().await else { return };
    stage.options.capture.frames = true;
    let steps = json!([
        { "type": "navigate", "url": stage.page(LAST) },
        { "type": "click", "selectors": ["#it"], "offsetX": 3, "offsetY": 3 },
        { "type": "waitForExpression", "expression": "window.ended === true" },
    ]);
    let (watcher, mut kept) = Watcher::new();
    let replay = Replay::new(flow(steps), stage.options).with_clock(Arc::new(Slow));
    let result = replay.run(&*stage.session, &watcher, std::future::pending()).await.unwrap();
    assert_eq!(result.verdict, Verdict::Passed, "{:?}", result.failure());
    drop(watcher);
    let mut sizes = Vec::new();
    while let Some(seen) = kept.recv().await {
        if let Seen::Evidence(one) = seen
            && one.name.starts_with("film/0")
        {
            let part: Value = serde_json::from_slice(&one.bytes).unwrap();
            let pictures = part["frames"].as_array().unwrap().iter();
            sizes.extend(pictures.map(|picture| picture["jpeg"].as_str().unwrap().len()));
        }
    }
    assert!(*sizes.last().unwrap() > LAST_BYTES_MIN, "pictures of {sizes:?} bytes");
    stage.close().await;
}
