//! What the bench of live views looks at: a browser, its pages, and the flow that is replayed in it. `relayed` measures
//! over the whole way, which `relay` lays.

pub mod relay;
pub mod relayed;

use crate::{
    figures::Spread,
    flows::site::{self, Site},
};
use anyhow::{Context as _, ensure};
use runners_core::{
    SystemClock, Verdict,
    live::{Frame, FrameSource as _, FrameWish, Frames},
    sleep,
};
use runners_exec_webdriver::{
    Browser as _, BrowserFlow, Call, Driver, DriverOptions, Engine, LiveView, Method, Mode, Replay,
    ReplayOptions, Screenshots, Session,
};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// How long those who look do so while the processor time is counted.
pub const LOOKED_FOR: Duration = Duration::from_secs(5);
/// How many look, at the most.
pub const VIEWERS: usize = 10;

/// A page that changes with every press, and rests between.
pub const PRESSED: &str =
    "data:text/html,<body style='margin:0;background:white'><h1>0</h1><script>let at = 0;
    onpointerdown = () => { at += 1; document.querySelector('h1').textContent = at;
    document.body.style.background = at % 2 ? 'navy' : 'white' }</script>";
/// A page that never rests.
pub const RESTLESS: &str = "data:text/html,<canvas id=c width=1000 height=600></canvas><script>let at = 0;
    const draw = () => { const to = c.getContext('2d'); for (let x = 0; x < 20; x += 1) {
    to.fillStyle = `hsl(${(at + x * 18) % 360} 90% 50%)`; to.fillRect(x * 50, 0, 50, 600) }
    at += 1; requestAnimationFrame(draw) }; draw()</script>";

/// A browser that is looked at.
#[derive(Debug)]
#[non_exhaustive]
pub struct Scene {
    /// How often each is measured.
    pub rounds: usize,
    origin: String,
    driver: Driver,
    session: Arc<dyn Session>,
    /// What is looked at.
    pub view: Arc<LiveView>,
}

impl Scene {
    /// Opens it.
    ///
    /// # Errors
    /// If there is no such browser.
    pub async fn open(engine: Engine, rounds: usize) -> anyhow::Result<Self> {
        let driver = Driver::new(DriverOptions::of(engine));
        let session: Arc<dyn Session> = driver.open().await?.into();
        let view = Arc::new(LiveView::of(&session));
        println!("{engine}, {rounds} rounds");
        Ok(Self { rounds, origin: Site::serve()?.origin, driver, session, view })
    }

    /// Closes it.
    pub async fn close(self) {
        self.view.end();
        self.session.close().await;
        self.driver.stop().await;
    }

    /// Replays the flow of twelve steps in the session.
    ///
    /// # Errors
    /// If it does not pass.
    pub async fn replay(&self) -> anyhow::Result<()> {
        let flow = BrowserFlow::parse(&site::flow(&self.origin).to_string())?.with_mode(Mode::Strict);
        let mut options = ReplayOptions::default();
        options.screenshots = Screenshots::OfFailures;
        let result = Replay::new(flow, options).run(&*self.session, &(), std::future::pending()).await?;
        ensure!(result.verdict == Verdict::Passed, "{:?}", result.failure());
        Ok(())
    }

    /// Goes to a page, and waits until it stands still.
    ///
    /// # Errors
    /// If the browser does not.
    pub async fn go_to(&self, url: &str) -> anyhow::Result<()> {
        let url = url.replace('\n', " ");
        self.session.call(Call::new(Method::Post, "url", json!({ "url": url }))).await?;
        // Nobody tells when it stands still.
        sleep(&SystemClock::default(), Duration::from_secs(1)).await;
        Ok(())
    }

    /// Looks at the session without a relay.
    ///
    /// # Errors
    /// If there is nothing to be seen.
    pub async fn look(&self) -> anyhow::Result<Box<dyn Frames>> {
        Ok(self.view.open(FrameWish::default()).await?)
    }
}

/// The next picture.
///
/// # Errors
/// If the view is over.
pub async fn next(viewer: &mut Box<dyn Frames>) -> anyhow::Result<Frame> {
    viewer.next().await?.context("the view is over")
}

/// A spread in milliseconds.
#[must_use]
pub fn spread(took: &[Duration]) -> Spread {
    Spread::of(took.iter().copied().map(millis))
}

/// In milliseconds.
#[must_use]
pub fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
