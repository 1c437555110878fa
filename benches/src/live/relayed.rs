//! What a live view costs over its whole way: a browser here, a control plane in a process of its own, and those who
//! look over WebSockets. Each figure is told beside what it is to be at the most.

use super::{
    LOOKED_FOR, PRESSED, RESTLESS, Scene, VIEWERS, millis, next,
    relay::{Look, Relayed, Steady},
    spread,
};
use crate::{
    figures::{Spread, percentile},
    stopwatch::Stopwatch,
};
use anyhow::bail;
use bytes::Bytes;
use futures::future::{Either, select, try_join};
use runners_core::{SystemClock, live::Input, sleep};
use serde_json::json;
use std::{pin::pin, sync::Arc, time::Duration};

/// How many pictures a second the relay carries while it is measured.
const PER_SECOND: u32 = 15;
/// How long the processor time is counted, while those who look do.
const COUNTED: Duration = LOOKED_FOR.saturating_sub(Duration::from_millis(500));

/// From a press at one who looks until two have its picture.
///
/// # Errors
/// If the view ends before.
pub async fn input(scene: &Scene) -> anyhow::Result<()> {
    println!("\n# relayed-input: from a press of one who looks until both have its picture");
    scene.go_to(PRESSED).await?;
    let relayed = Relayed::start()?;
    let runner = relayed.runner(scene.view.clone())?;
    let grant = relayed.grant().await?;
    let mut looks = [relayed.look(&grant).await?, relayed.look(&grant).await?];
    looks[0].say(json!({ "type": "take_control" })).await?;
    let (mut last, mut took) = (looks[0].picture().await?, Vec::new());
    looks[1].picture().await?;
    for round in 0..=scene.rounds {
        let (x, y, button, clicks) = (200.0, 200.0, 0, 1);
        let (watch, number) = (Stopwatch::start(), 2 * round as u64);
        looks[0].input(number, &Input::PointerDown { x, y, button, clicks }).await?;
        let [one, other] = &mut looks;
        (last, _) = try_join(another(one, &last), another(other, &last)).await?;
        if round > 0 {
            took.push(watch.elapsed());
        }
        looks[0].input(number + 1, &Input::PointerUp { x, y, button, clicks }).await?;
        let clock = SystemClock::default();
        // What is still on its way is not taken for the next one.
        for look in &mut looks {
            let rest = sleep(&clock, Duration::from_millis(700));
            let seeing = async {
                while let Ok(seen) = look.picture().await {
                    last = seen;
                }
            };
            select(pin!(rest), pin!(seeing)).await;
        }
    }
    runner.kill();
    println!("  {} ms", spread(&took));
    aim("95 of 100, in ms", millis(percentile(&mut took, 0.95)), 250.0);
    Ok(())
}

/// Until the first picture, for one who comes while another looks.
///
/// # Errors
/// If the view ends before.
pub async fn late(scene: &Scene) -> anyhow::Result<()> {
    println!("\n# relayed-late: until one who comes later has the first picture of a page that rests");
    scene.go_to(PRESSED).await?;
    let relayed = Relayed::start()?;
    let runner = relayed.runner(scene.view.clone())?;
    let grant = relayed.grant().await?;
    let mut first = relayed.look(&grant).await?;
    first.picture().await?;
    let mut took = Vec::new();
    for round in 0..=scene.rounds {
        let watch = Stopwatch::start();
        relayed.look(&grant).await?.picture().await?;
        if round > 0 {
            took.push(watch.elapsed());
        }
    }
    runner.kill();
    println!("  {} ms", spread(&took));
    aim("95 of 100, in ms", millis(percentile(&mut took, 0.95)), 300.0);
    Ok(())
}

/// Processor time of the runner and its browser with one and with ten who look.
///
/// # Errors
/// If the view ends before.
pub async fn viewers(scene: &Scene) -> anyhow::Result<()> {
    println!(
        "\n# relayed-viewers: processor time of runner and browser in percent of a core, of a page that never rests"
    );
    scene.go_to(RESTLESS).await?;
    let relayed = Relayed::start()?;
    let runner = relayed.runner(scene.view.clone())?;
    let grant = relayed.grant().await?;
    let mut shares = Vec::new();
    for count in [1, VIEWERS] {
        let crowd = ready(&relayed, &grant, count).await?;
        let (watch, before, relay) = (Stopwatch::start(), relayed.used_here(&crowd), relayed.used());
        sleep(&SystemClock::default(), COUNTED).await;
        let percent = |used: Duration| used.as_secs_f64() / watch.elapsed().as_secs_f64() * 100.0;
        let share = percent(relayed.used_here(&crowd).saturating_sub(before));
        let relay = percent(relayed.used().saturating_sub(relay));
        let seen = crowd.seen()?;
        println!(
            "  {count:2} look: {share:5.1} here, {relay:4.1} at the relay; {seen:.1} pictures a second each"
        );
        shares.push(share);
    }
    runner.kill();
    aim("ten against one", shares[1] / shares[0], 1.1);
    Ok(())
}

/// Processor time of the relay for one stream of pictures as the browser makes them.
///
/// # Errors
/// If the view ends before.
pub async fn relay(scene: &Scene) -> anyhow::Result<()> {
    println!("\n# relayed-relay: processor time of the relay for one stream, {PER_SECOND} pictures a second");
    scene.go_to(RESTLESS).await?;
    let frame = next(&mut scene.look().await?).await?;
    let kibibytes = frame.bytes.len() / 1024;
    let relayed = Relayed::start()?;
    let runner = relayed.runner(Arc::new(Steady { frame, per_second: PER_SECOND }))?;
    let grant = relayed.grant().await?;
    let crowd = ready(&relayed, &grant, 1).await?;
    let (watch, before) = (Stopwatch::start(), relayed.used());
    sleep(&SystemClock::default(), COUNTED).await;
    let used = relayed.used().saturating_sub(before);
    let share = used.as_secs_f64() / watch.elapsed().as_secs_f64() * 100.0;
    println!("  {kibibytes} KiB each, {:.1} a second seen", crowd.seen()?);
    runner.kill();
    aim("percent of a core", share, 5.0);
    Ok(())
}

/// A flow with nobody and with somebody who looks at it over the relay, by turns.
///
/// # Errors
/// If the view ends before, or the flow does not pass.
pub async fn flow(scene: &Scene) -> anyhow::Result<()> {
    println!("\n# relayed-flow: twelve steps, with somebody who looks over the relay against nobody");
    let relayed = Relayed::start()?;
    let runner = relayed.runner(scene.view.clone())?;
    let grant = relayed.grant().await?;
    let mut ratios = Vec::new();
    for round in 0..=scene.rounds {
        let watch = Stopwatch::start();
        scene.replay().await?;
        let alone = watch.elapsed();
        let mut look = relayed.look(&grant).await?;
        look.picture().await?;
        let looking = async { while look.picture().await.is_ok() {} };
        let watch = Stopwatch::start();
        match select(pin!(scene.replay()), pin!(looking)).await {
            Either::Left((done, _)) => done?,
            Either::Right(_) => bail!("the view ended before the flow"),
        }
        if round > 0 {
            ratios.push(watch.elapsed().as_secs_f64() / alone.as_secs_f64());
        }
        drop(look);
        // The relay tells the runner that nobody looks any more.
        sleep(&SystemClock::default(), Duration::from_millis(300)).await;
    }
    runner.kill();
    let ratio = Spread::of(ratios);
    println!("  {ratio} of the time");
    aim("of the time", ratio.median, 1.1);
    Ok(())
}

/// Many who look, once all of them see something.
async fn ready(relayed: &Relayed, grant: &str, count: usize) -> anyhow::Result<super::relay::Crowd> {
    let mut crowd = relayed.crowd(grant, count, LOOKED_FOR)?;
    let waited = tokio::task::spawn_blocking(move || crowd.ready().map(|()| crowd));
    waited.await?
}

async fn another(look: &mut Look, last: &[u8]) -> anyhow::Result<Bytes> {
    loop {
        let seen = look.picture().await?;
        if seen != last {
            return Ok(seen);
        }
    }
}

/// Tells a figure beside what it is to be at the most.
fn aim(what: &str, figure: f64, most: f64) {
    let word = if figure <= most { "met" } else { "missed" };
    println!("  {what}: {figure:.2}, aim {most}: {word}");
}
