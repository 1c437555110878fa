//! Prints what a live view costs, as its source knows it, without the way to the control plane: how soon an input is
//! seen, how soon one who comes sees something, what ten who look cost against one, and how much slower a flow is
//! that somebody looks at. `live [section…]`, all of them unless said otherwise; how often each is measured is in
//! `ROUNDS`, and the browser in `ENGINE`.

use anyhow::{Context as _, bail, ensure};
use runners_benches::{
    bed::runtime,
    figures::{Spread, percentile},
    flows::{site, tree},
    stopwatch::Stopwatch,
};
use runners_core::{
    Clock as _, SystemClock, Verdict,
    live::{Frame, FrameSource as _, FrameWish, Frames, Input},
    sleep,
};
use runners_exec_webdriver::{
    Browser as _, BrowserFlow, Call, Driver, DriverOptions, Engine, LiveView, Method, Mode, Replay,
    ReplayOptions, Screenshots, Session,
};
use serde_json::json;
use std::{sync::Arc, time::Duration};

const SECTIONS: [&str; 4] = ["input", "late", "viewers", "flow"];
/// How long those who look do so while the processor time is counted.
const LOOKED_FOR: Duration = Duration::from_secs(5);
/// How many look, at the most.
const VIEWERS: usize = 10;

/// A page that changes with every press, and rests between.
const PRESSED: &str = "data:text/html,<body style='margin:0;background:white'><h1>0</h1><script>let at = 0;
    onpointerdown = () => { at += 1; document.querySelector('h1').textContent = at;
    document.body.style.background = at % 2 ? 'navy' : 'white' }</script>";
/// A page that never rests.
const RESTLESS: &str = "data:text/html,<canvas id=c width=1000 height=600></canvas><script>let at = 0;
    const draw = () => { const to = c.getContext('2d'); for (let x = 0; x < 20; x += 1) {
    to.fillStyle = `hsl(${(at + x * 18) % 360} 90% 50%)`; to.fillRect(x * 50, 0, 50, 600) }
    at += 1; requestAnimationFrame(draw) }; draw()</script>";

fn main() -> anyhow::Result<()> {
    let mut asked: Vec<String> = std::env::args().skip(1).collect();
    if asked.is_empty() {
        asked = SECTIONS.map(str::to_owned).to_vec();
    }
    let rounds = match std::env::var("ROUNDS") {
        Ok(text) => text.parse().context("ROUNDS is a number")?,
        Err(_) => 15,
    };
    let engine = std::env::var("ENGINE").map_or(Ok(Engine::Chromium), |name| name.parse())?;
    runtime()?.block_on(async {
        let measure = Measure::open(engine, rounds).await?;
        for section in asked {
            match section.as_str() {
                "input" => measure.input().await?,
                "late" => measure.late().await?,
                "viewers" => measure.viewers().await?,
                "flow" => measure.flow().await?,
                other => bail!("no section {other:?}: there is {}", SECTIONS.join(", ")),
            }
        }
        measure.close().await;
        Ok(())
    })
}

struct Measure {
    rounds: usize,
    origin: String,
    driver: Driver,
    session: Arc<dyn Session>,
    view: LiveView,
}

impl Measure {
    async fn open(engine: Engine, rounds: usize) -> anyhow::Result<Self> {
        let driver = Driver::new(DriverOptions::of(engine));
        let session: Arc<dyn Session> = driver.open().await?.into();
        let view = LiveView::of(&session);
        println!("{engine}, {rounds} rounds");
        Ok(Self { rounds, origin: site::serve()?, driver, session, view })
    }

    async fn close(self) {
        self.view.end();
        self.session.close().await;
        self.driver.stop().await;
    }

    /// From an input until two who look have its picture.
    async fn input(&self) -> anyhow::Result<()> {
        println!("\n# input: from a press until both who look have its picture");
        self.go_to(PRESSED).await?;
        let mut viewers = [self.look().await?, self.look().await?];
        let mut last = Vec::new();
        for viewer in &mut viewers {
            last.push(next(viewer).await?);
        }
        let mut took = Vec::new();
        for round in 0..=self.rounds {
            let watch = Stopwatch::start();
            let at = (200.0, 200.0);
            self.view.input(Input::PointerDown { x: at.0, y: at.1, button: 0, clicks: 1 }).await?;
            for (viewer, last) in viewers.iter_mut().zip(&mut last) {
                *last = other_than(viewer, last).await?;
            }
            if round > 0 {
                took.push(watch.elapsed());
            }
            self.view.input(Input::PointerUp { x: at.0, y: at.1, button: 0, clicks: 1 }).await?;
            // What is still on its way is not taken for the next one.
            sleep(&SystemClock::default(), Duration::from_millis(400)).await;
            for (viewer, last) in viewers.iter_mut().zip(&mut last) {
                if let Some(Ok(Some(newer))) = futures::FutureExt::now_or_never(viewer.next()) {
                    *last = newer;
                }
            }
        }
        println!("  {} ms, 95 of 100 within {:.0} ms", spread(&took), millis(percentile(&mut took, 0.95)));
        Ok(())
    }

    /// Until the first picture, for one who comes while another looks, and for the first.
    async fn late(&self) -> anyhow::Result<()> {
        println!("\n# late: until the first picture of a page that rests");
        self.go_to(PRESSED).await?;
        let (mut first, mut late) = (Vec::new(), Vec::new());
        for round in 0..=self.rounds {
            let watch = Stopwatch::start();
            let mut one = self.look().await?;
            next(&mut one).await?;
            let alone = watch.elapsed();
            let watch = Stopwatch::start();
            next(&mut self.look().await?).await?;
            if round > 0 {
                first.push(alone);
                late.push(watch.elapsed());
            }
            drop(one);
            sleep(&SystemClock::default(), Duration::from_millis(100)).await;
        }
        println!("  the first   {} ms", spread(&first));
        println!("  a later one {} ms", spread(&late));
        Ok(())
    }

    /// Processor time of this process and its browser, with nobody, one and ten who look at a page that never rests.
    async fn viewers(&self) -> anyhow::Result<()> {
        println!("\n# viewers: processor time in percent of a core, of a page that never rests");
        self.go_to(RESTLESS).await?;
        for count in [0, 1, VIEWERS] {
            let mut viewers = Vec::new();
            for _ in 0..count {
                viewers.push(self.look().await?);
            }
            let (watch, before) = (Stopwatch::start(), tree::used(std::process::id()));
            let seen = self.watched(&mut viewers).await;
            let (own, all) = (watch.used(), tree::used(std::process::id()).saturating_sub(before));
            let share = |used: Duration| used.as_secs_f64() / watch.elapsed().as_secs_f64() * 100.0;
            let each = seen.iter().sum::<usize>() as f64 / count.max(1) as f64 / LOOKED_FOR.as_secs_f64();
            println!(
                "  {count:2} look: {:5.1} here, {:5.1} with the browser; {each:.1} pictures a second each",
                share(own),
                share(all)
            );
        }
        Ok(())
    }

    async fn watched(&self, viewers: &mut [Box<dyn Frames>]) -> Vec<usize> {
        let until = SystemClock::default().boot() + LOOKED_FOR;
        if viewers.is_empty() {
            SystemClock::default().sleep_until(until).await;
        }
        let looking = viewers.iter_mut().map(|viewer| async move {
            let mut seen = 0;
            while SystemClock::default().boot() < until && matches!(viewer.next().await, Ok(Some(_))) {
                seen += 1;
            }
            seen
        });
        futures::future::join_all(looking).await
    }

    /// A flow with nobody and with somebody who looks, by turns.
    async fn flow(&self) -> anyhow::Result<()> {
        println!("\n# flow: twelve steps in a browser that is open, with somebody who looks against nobody");
        let (mut alone, mut looked_at, mut used) = (Vec::new(), Vec::new(), Vec::new());
        let processor = || tree::used(std::process::id());
        for round in 0..=self.rounds {
            let (watch, before) = (Stopwatch::start(), processor());
            self.replay().await?;
            let (without, used_without) = (watch.elapsed(), processor().saturating_sub(before));
            let mut viewer = self.look().await?;
            let before = processor();
            let looking = async { while let Ok(Some(_)) = viewer.next().await {} };
            let replaying = async {
                let watch = Stopwatch::start();
                self.replay().await.map(|()| watch.elapsed())
            };
            let with = match futures::future::select(std::pin::pin!(replaying), std::pin::pin!(looking)).await
            {
                futures::future::Either::Left((with, _)) => with?,
                futures::future::Either::Right(_) => bail!("the view ended before the flow"),
            };
            if round > 0 {
                alone.push(without);
                looked_at.push(with);
                used.push(processor().saturating_sub(before).as_secs_f64() / used_without.as_secs_f64());
            }
        }
        let ratios =
            looked_at.iter().zip(&alone).map(|(with, without)| with.as_secs_f64() / without.as_secs_f64());
        println!("  with nobody   {} ms", spread(&alone));
        println!(
            "  with somebody {} ms, {} of the time, {} of the processor time",
            spread(&looked_at),
            Spread::of(ratios),
            Spread::of(used)
        );
        Ok(())
    }

    async fn replay(&self) -> anyhow::Result<()> {
        let flow = BrowserFlow::parse(&site::flow(&self.origin).to_string())?.with_mode(Mode::Strict);
        let mut options = ReplayOptions::default();
        options.screenshots = Screenshots::OfFailures;
        let result = Replay::new(flow, options).run(&*self.session, &(), std::future::pending()).await?;
        ensure!(result.verdict == Verdict::Passed, "{:?}", result.failure());
        Ok(())
    }

    async fn go_to(&self, url: &str) -> anyhow::Result<()> {
        let url = url.replace('\n', " ");
        self.session.call(Call::new(Method::Post, "url", json!({ "url": url }))).await?;
        // Nobody tells when it stands still.
        sleep(&SystemClock::default(), Duration::from_secs(1)).await;
        Ok(())
    }

    async fn look(&self) -> anyhow::Result<Box<dyn Frames>> {
        Ok(self.view.open(FrameWish::default()).await?)
    }
}

async fn next(viewer: &mut Box<dyn Frames>) -> anyhow::Result<Frame> {
    viewer.next().await?.context("the view is over")
}

async fn other_than(viewer: &mut Box<dyn Frames>, last: &Frame) -> anyhow::Result<Frame> {
    loop {
        let frame = next(viewer).await?;
        if frame.bytes != last.bytes {
            return Ok(frame);
        }
    }
}

fn spread(took: &[Duration]) -> Spread {
    Spread::of(took.iter().copied().map(millis))
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
