//! Prints what a run over regions costs: from submit to its end, and in processor time for each job, over
//! one HTTP region that answers at once. `orchestrator [section…]`, all of them unless said otherwise; how
//! often each is measured is in `ROUNDS`.

use runners_benches::{
    bed::runtime,
    figures::{Spread, percentile},
    machine::{against, machine},
    orchestrated::{REGION, Stage, Took, serve_region},
    settings::{number, sections},
};
use std::time::Duration;

const SECTIONS: [&str; 3] = ["one", "hundred", "many"];

/// What is aimed at: a run of one job, a run of a hundred, one of five thousand, processor time of a job,
/// all in milliseconds; and how much more a job may cost in a large run than in a small one.
const ONE_AIM: f64 = 3.0;
const HUNDRED_AIM: f64 = 60.0;
const MANY_AIM: f64 = 2_000.0;
const USED_AIM: f64 = 0.25;
const GROWTH_AIM: f64 = 1.0;

/// How many single jobs one round has.
const ONE_AFTER_THE_OTHER: usize = 200;
/// The largest run.
const MANY: u64 = 5_000;
/// The small run that it is compared with, and how often that is repeated for one figure.
const FEW: u64 = 10;
const FEW_REPEATED: u32 = 50;

fn main() -> anyhow::Result<()> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if asked.first().is_some_and(|first| first == REGION) {
        return runtime()?.block_on(serve_region());
    }
    let asked = sections(asked, &SECTIONS)?;
    let rounds = number("ROUNDS", 7)?;
    println!("{}, {rounds} rounds", machine());
    runtime()?.block_on(async {
        let stage = Stage::start().await?;
        // The first is not counted: connections are opened, and statements prepared.
        stage.run(FEW).await?;
        for section in asked {
            match section.as_str() {
                "one" => one(&stage, rounds).await?,
                "hundred" => hundred(&stage, rounds).await?,
                _ => many(&stage, rounds).await?,
            }
        }
        stage.stop().await
    })
}

async fn one(stage: &Stage, rounds: usize) -> anyhow::Result<()> {
    println!("\n# one: runs of one job, one after the other, from submit to completed, durable");
    let mut all = Vec::new();
    for _ in 0..rounds * ONE_AFTER_THE_OTHER {
        all.push(stage.run(1).await?.elapsed);
    }
    let [half, most] = [0.5, 0.99].map(|share| millis(percentile(&mut all, share)));
    println!("  p50 {half:.2} ms, p99 {most:.2} ms; {}", against(half, ONE_AIM, "ms"));
    Ok(())
}

async fn hundred(stage: &Stage, rounds: usize) -> anyhow::Result<()> {
    println!("\n# hundred: one run of 100 jobs, durable");
    let mut all = Vec::new();
    for _ in 0..rounds {
        all.push(stage.run(100).await?);
    }
    tell(&all, 100, Some(HUNDRED_AIM));
    Ok(())
}

async fn many(stage: &Stage, rounds: usize) -> anyhow::Result<()> {
    println!("\n# many: one run of {MANY} jobs, and {FEW_REPEATED} of {FEW}, durable");
    let (mut many, mut few) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        many.push(stage.run(MANY).await?);
        let mut sum = Took::default();
        for _ in 0..FEW_REPEATED {
            let took = stage.run(FEW).await?;
            sum.elapsed += took.elapsed;
            sum.used += took.used;
        }
        sum.elapsed /= FEW_REPEATED;
        sum.used /= FEW_REPEATED;
        few.push(sum);
    }
    tell(&many, MANY, Some(MANY_AIM));
    tell(&few, FEW, None);
    let each = |took: &Took, jobs: u64| took.used.as_secs_f64() / count(jobs);
    let ratios = many.iter().zip(&few).map(|(many, few)| each(many, MANY) / each(few, FEW));
    let ratio = Spread::of(ratios);
    let aim = against(ratio.median, GROWTH_AIM, "");
    println!("  processor time of a job, of {MANY} against of {FEW}: {ratio}; {aim}");
    Ok(())
}

fn tell(all: &[Took], jobs: u64, elapsed_aim: Option<f64>) {
    let elapsed = Spread::of(all.iter().map(|took| millis(took.elapsed)));
    let used = Spread::of(all.iter().map(|took| millis(took.used) / count(jobs)));
    let aim = elapsed_aim.map(|aim| format!(" ({})", against(elapsed.median, aim, "ms"))).unwrap_or_default();
    // What a small run costs is for the comparison alone.
    let each =
        elapsed_aim.map(|_| format!(" ({})", against(used.median, USED_AIM, "ms"))).unwrap_or_default();
    println!("  {jobs} jobs in {elapsed} ms{aim}, {used} ms of processor time each{each}");
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "no run has 2^52 jobs")]
const fn count(jobs: u64) -> f64 {
    jobs as f64
}
