//! Prints what a live view costs: as its source knows it, without the way to the control plane, and over its whole
//! way (the sections that begin with `relayed`, each figure with its aim): how soon an input is seen, how soon one who
//! comes sees something, what ten who look cost against one, what the relay takes, and how much slower a flow is that
//! somebody looks at. `live [section…]`, all of them unless said otherwise; how often each is measured is in `ROUNDS`,
//! and the browser in `ENGINE`.

use anyhow::bail;
use runners_benches::{
    bed::runtime,
    figures::{Spread, percentile},
    flows::tree,
    live::{
        LOOKED_FOR, PRESSED, RESTLESS, Scene, VIEWERS, millis, next,
        relay::{CROWD, RELAY, crowd, relay},
        relayed, spread,
    },
    settings::{number, sections},
    stopwatch::Stopwatch,
};
use runners_core::{
    Clock as _, SystemClock,
    live::{Frame, FrameSource as _, Frames, Input},
    sleep,
};
use runners_exec_webdriver::Engine;
use std::time::Duration;

const SECTIONS: [&str; 9] = [
    "input",
    "late",
    "viewers",
    "flow",
    "relayed-input",
    "relayed-late",
    "relayed-viewers",
    "relayed-relay",
    "relayed-flow",
];

fn main() -> anyhow::Result<()> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    match asked.first().map(String::as_str) {
        Some(RELAY) => return runtime()?.block_on(relay()),
        Some(CROWD) => return runtime()?.block_on(crowd(&asked[1..])),
        _ => {}
    }
    let asked = sections(asked, &SECTIONS)?;
    let rounds = number("ROUNDS", 15)?;
    let engine = std::env::var("ENGINE").map_or(Ok(Engine::Chromium), |name| name.parse())?;
    runtime()?.block_on(async {
        let measure = Measure(Scene::open(engine, rounds).await?);
        for section in asked {
            match section.as_str() {
                "input" => measure.input().await?,
                "late" => measure.late().await?,
                "viewers" => measure.viewers().await?,
                "flow" => measure.flow().await?,
                "relayed-input" => relayed::input(&measure.0).await?,
                "relayed-late" => relayed::late(&measure.0).await?,
                "relayed-viewers" => relayed::viewers(&measure.0).await?,
                "relayed-relay" => relayed::relay(&measure.0).await?,
                _ => relayed::flow(&measure.0).await?,
            }
        }
        measure.0.close().await;
        Ok(())
    })
}

/// The sections that know the source alone.
struct Measure(Scene);

impl Measure {
    /// From an input until two who look have its picture.
    async fn input(&self) -> anyhow::Result<()> {
        println!("\n# input: from a press until both who look have its picture");
        self.0.go_to(PRESSED).await?;
        let mut viewers = [self.0.look().await?, self.0.look().await?];
        let mut last = Vec::new();
        for viewer in &mut viewers {
            last.push(next(viewer).await?);
        }
        let mut took = Vec::new();
        for round in 0..=self.0.rounds {
            let watch = Stopwatch::start();
            let at = (200.0, 200.0);
            self.0.view.input(Input::PointerDown { x: at.0, y: at.1, button: 0, clicks: 1 }).await?;
            for (viewer, last) in viewers.iter_mut().zip(&mut last) {
                *last = other_than(viewer, last).await?;
            }
            if round > 0 {
                took.push(watch.elapsed());
            }
            self.0.view.input(Input::PointerUp { x: at.0, y: at.1, button: 0, clicks: 1 }).await?;
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
        self.0.go_to(PRESSED).await?;
        let (mut first, mut late) = (Vec::new(), Vec::new());
        for round in 0..=self.0.rounds {
            let watch = Stopwatch::start();
            let mut one = self.0.look().await?;
            next(&mut one).await?;
            let alone = watch.elapsed();
            let watch = Stopwatch::start();
            next(&mut self.0.look().await?).await?;
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
        self.0.go_to(RESTLESS).await?;
        for count in [0, 1, VIEWERS] {
            let mut viewers = Vec::new();
            for _ in 0..count {
                viewers.push(self.0.look().await?);
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
        for round in 0..=self.0.rounds {
            let (watch, before) = (Stopwatch::start(), processor());
            self.0.replay().await?;
            let (without, used_without) = (watch.elapsed(), processor().saturating_sub(before));
            let mut viewer = self.0.look().await?;
            let before = processor();
            let looking = async { while let Ok(Some(_)) = viewer.next().await {} };
            let replaying = async {
                let watch = Stopwatch::start();
                self.0.replay().await.map(|()| watch.elapsed())
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
}

async fn other_than(viewer: &mut Box<dyn Frames>, last: &Frame) -> anyhow::Result<Frame> {
    loop {
        let frame = next(viewer).await?;
        if frame.bytes != last.bytes {
            return Ok(frame);
        }
    }
}
