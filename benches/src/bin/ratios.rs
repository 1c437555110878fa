//! Prints what runners costs as ratios: against hand-written SQL, against another queue, a deep
//! queue against a short one, HTTP against the same process. `ratios [section…]`, all of them
//! unless said otherwise; how often and how long each is measured is in `ROUNDS` and `SPAN_MS`.
//!
//! What is compared runs in turn, several times, since machines are noisy: each figure is a
//! median with the smallest and the largest value.

use anyhow::Context as _;
use runners_benches::{
    bed::{Bed, Kept, runtime, user},
    cancel::cancel_waits,
    crowd::{self, Crowd, Http, Used},
    figures::{Spread, percentile},
    fleet, floor,
    grants::Deep,
    journey::{self, Traveller},
    peer::Peer,
    rows::Rows,
    sample::Sample,
    settings::{number, sections},
    wire::{self, USER_TOKEN, Wire, runner_token},
};
use runners_core::{SystemClock, sleep};
use std::time::Duration;

const SECTIONS: [&str; 9] = ["floor", "peer", "depth", "http", "start", "cancel", "fleet", "crowd", "wake"];

/// How many runners are idle at once, and how long they are watched, unless `RUNNERS` and `WATCHED_S`
/// say otherwise.
const CROWD: u64 = 10_000;
const WATCHED: Duration = Duration::from_secs(60);
/// How many runners are parked when jobs come for some or all of them.
const WOKEN: usize = 1_000;

fn main() -> anyhow::Result<()> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if asked.first().is_some_and(|first| first == crowd::CHILD) {
        return crowd::child_main(&asked[1..]);
    }
    let asked = sections(asked, &SECTIONS)?;
    let measure =
        Measure { rounds: number("ROUNDS", 5)?, span: Duration::from_millis(number("SPAN_MS", 2000)?) };
    for section in asked {
        match section.as_str() {
            "floor" => measure.against_floor()?,
            "peer" => measure.against_peer()?,
            "depth" => measure.depths()?,
            "http" => measure.http()?,
            "start" => measure.start()?,
            "cancel" => measure.cancel()?,
            "fleet" => measure.fleet()?,
            "crowd" => measure.crowd()?,
            _ => measure.wake()?,
        }
    }
    Ok(())
}

fn print_waits(what: &str, waits: &mut [Duration]) {
    let [half, most] = [0.5, 0.99].map(|share| percentile(waits, share).as_secs_f64() * 1e3);
    println!("  {what}p50 {half:.2} ms, p99 {most:.2} ms");
}

/// How many callers at once are measured against the floor: `CALLERS`, or a few numbers.
fn callers() -> anyhow::Result<Vec<usize>> {
    match number("CALLERS", 0)? {
        0 => Ok(vec![1, 16, 256]),
        callers => Ok(vec![usize::try_from(callers)?]),
    }
}

/// How often and how long things are measured.
struct Measure {
    rounds: u64,
    span: Duration,
}

/// Pairs of measurements that were made one right after the other.
#[derive(Default)]
struct Pairs {
    left: Vec<Sample>,
    right: Vec<Sample>,
}

impl Pairs {
    fn push(&mut self, left: Sample, right: Sample) {
        self.left.push(left);
        self.right.push(right);
    }

    fn spread(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> Spread {
        Spread::of(samples.iter().map(of))
    }

    /// The ratio of each pair, so that noise that lasts longer than a pair hits both sides.
    fn ratio(&self, of: impl Fn(&Sample) -> f64) -> Spread {
        Spread::of(self.left.iter().zip(&self.right).map(|(left, right)| of(left) / of(right)))
    }
}

impl Measure {
    fn in_process(&self, kept: Kept, callers: usize) -> anyhow::Result<Sample> {
        runtime()?.block_on(async { Bed::start(kept).await?.travel(callers, self.span).await })
    }

    fn against_floor(&self) -> anyhow::Result<()> {
        println!(
            "\n# floor: lifecycles in process, durable, against the rows alone and a queue written by hand"
        );
        for callers in callers()? {
            let (mut rows, mut queue) = (Pairs::default(), Pairs::default());
            for _ in 0..self.rounds {
                let ours = self.in_process(Kept::Sqlite, callers)?;
                let recorded = runtime()?.block_on(Rows::record(callers, self.span / 2))?;
                rows.push(ours.clone(), runtime()?.block_on(recorded.write(callers))?);
                queue.push(ours, runtime()?.block_on(floor::travel(callers, self.span))?);
            }
            println!("{callers} callers");
            let wait = Spread::of(rows.left.iter_mut().map(|sample| sample.wait_millis(0.5)));
            for (name, samples) in [("runners", &rows.left), ("rows", &rows.right), ("queue", &queue.right)] {
                let rate = Pairs::spread(samples, Sample::rate);
                let used = Pairs::spread(samples, Sample::micros_used);
                println!("  {name:8} {rate} a second, {used} µs of processor each");
            }
            println!("  submit to offer p50 {wait} ms");
            for (name, pairs) in [("rows", &rows), ("queue", &queue)] {
                let (rate, used) = (pairs.ratio(Sample::rate), pairs.ratio(Sample::micros_used));
                println!("  against the {name:5} {rate} of the rate, {used} of the processor time");
            }
        }
        Ok(())
    }

    fn against_peer(&self) -> anyhow::Result<()> {
        println!("\n# peer: lifecycles in process, durable, 256 callers, against apalis-sqlite");
        let peer = Peer::build()?;
        let mut ratios = Vec::new();
        for connections in [1, 10] {
            let mut rates = Vec::new();
            for _ in 0..self.rounds.min(3) {
                let ours = self.in_process(Kept::Sqlite, 256)?.rate();
                let rate = peer.rate(256, self.span.max(Duration::from_secs(3)), connections)?;
                rates.push(rate);
                ratios.push((connections, ours / rate));
            }
            println!("  {connections} connections: {} a second", Spread::of(rates));
        }
        for connections in [1, 10] {
            let with = ratios.iter().filter(|(other, _)| *other == connections).map(|(_, ratio)| *ratio);
            println!("  ratio, against {connections} connections: {} times its rate", Spread::of(with));
        }
        Ok(())
    }

    fn depths(&self) -> anyhow::Result<()> {
        println!("\n# depth: grant and finish of one job, 64 runners, by how many jobs wait");
        let depths = [1_000, 100_000, 1_000_000];
        let runtime = runtime()?;
        let mut queues = Vec::new();
        for depth in depths {
            queues.push(runtime.block_on(Deep::queue(Kept::Sqlite, depth))?);
        }
        let mut costs = vec![Vec::new(); depths.len()];
        for _ in 0..self.rounds {
            for (queue, costs) in queues.iter_mut().zip(&mut costs) {
                let sample = runtime.block_on(queue.take(960))?;
                runtime.block_on(queue.refill(&sample))?;
                costs.push((1e6 / sample.rate(), sample.micros_used()));
            }
        }
        for (depth, of_depth) in depths.iter().zip(&costs) {
            let took = Spread::of(of_depth.iter().map(|(took, _)| *took));
            let used = Spread::of(of_depth.iter().map(|(_, used)| *used));
            let ratio = Spread::of(of_depth.iter().zip(&costs[0]).map(|(deep, short)| deep.1 / short.1));
            println!("  {depth:>9} queued: {took} µs, {used} µs of processor, {ratio} of that at 1000");
        }
        Ok(())
    }

    fn http(&self) -> anyhow::Result<()> {
        println!("\n# http: lifecycles over loopback, durable, 64 connections of a lean client");
        let runtime = runtime()?;
        let mut pairs = Pairs::default();
        for _ in 0..self.rounds {
            pairs.left.push(runtime.block_on(self.over_http(64))?);
            pairs.right.push(self.in_process(Kept::Sqlite, 64)?);
        }
        for (name, samples) in [("http", &pairs.left), ("process", &pairs.right)] {
            let rate = Pairs::spread(samples, Sample::rate);
            let used = Pairs::spread(samples, Sample::micros_used);
            println!("  {name:8} {rate} a second, {used} µs of processor each, client included");
        }
        println!("  ratio    {} of the rate", pairs.ratio(Sample::rate));
        runtime.block_on(async {
            let bed = Bed::start(Kept::Sqlite).await?;
            let wire = Wire::start(Kept::Sqlite).await?;
            let mut near = wire::round_trips(&bed.control.caller(user()), 2000).await?;
            let mut lean = wire::round_trips(&wire.lean().await?.with_token(USER_TOKEN), 2000).await?;
            let mut client = wire::round_trips(&wire.client(USER_TOKEN)?, 2000).await?;
            for (name, spans) in [("process", &mut near), ("lean", &mut lean), ("client", &mut client)] {
                let [half, most] = [0.5, 0.99].map(|share| percentile(spans, share).as_secs_f64() * 1e6);
                println!("  inspect of no job, {name:8} p50 {half:.0} µs, p99 {most:.0} µs");
            }
            wire.stop()
        })
    }

    async fn over_http(&self, connections: usize) -> anyhow::Result<Sample> {
        let wire = Wire::start(Kept::Sqlite).await?;
        let mut travellers = Vec::new();
        for number in 0..connections {
            let connection = wire.lean().await?;
            let runner = connection.with_token(runner_token(number));
            let mut traveller = Traveller::new(connection.with_token(USER_TOKEN), runner);
            traveller.arrive().await?;
            travellers.push(traveller);
        }
        let sample = journey::travel(travellers, self.span).await?;
        wire.stop()?;
        Ok(sample)
    }

    fn start(&self) -> anyhow::Result<()> {
        println!("\n# start: from the client's submit to the executor, over loopback HTTP, durable, idle");
        let (mut halves, mut most) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let mut waits = runtime()?.block_on(async {
                let wire = Wire::start(Kept::Sqlite).await?;
                let waits = fleet::start_waits(&wire, 400, Duration::from_millis(5)).await?;
                wire.stop()?;
                anyhow::Ok(waits)
            })?;
            halves.push(percentile(&mut waits, 0.5).as_secs_f64() * 1e3);
            most.push(percentile(&mut waits, 0.99).as_secs_f64() * 1e3);
        }
        println!("  p50 {} ms, p99 {} ms", Spread::of(halves), Spread::of(most));
        Ok(())
    }

    fn cancel(&self) -> anyhow::Result<()> {
        println!("\n# cancel: from the client's cancel to the executor, over loopback HTTP, durable");
        let mut waits = runtime()?.block_on(async {
            let wire = Wire::start(Kept::Sqlite).await?;
            let waits = cancel_waits(&wire, 400).await?;
            wire.stop()?;
            anyhow::Ok(waits)
        })?;
        print_waits("", &mut waits);
        Ok(())
    }

    fn crowd(&self) -> anyhow::Result<()> {
        let runners = usize::try_from(number("RUNNERS", CROWD)?)?;
        let watched = Duration::from_secs(number("WATCHED_S", WATCHED.as_secs())?);
        println!("\n# crowd: {runners} idle runners parked at one server over loopback HTTP");
        for (name, http) in [("HTTP/1", Http::One), ("HTTP/2", Http::Two)] {
            runtime()?.block_on(async {
                let mut crowd = Crowd::start()?;
                let empty = crowd.used()?;
                crowd.park(runners, http).await?;
                let parked = crowd.used()?;
                sleep(&SystemClock::default(), watched).await;
                let later = crowd.used()?;
                let each = |used: Used| (used.memory - empty.memory) as f64 / runners as f64 / 1024.0;
                let share = (later.time - parked.time).as_secs_f64() / watched.as_secs_f64() * 100.0;
                let commits = (later.commits - parked.commits) as f64 / watched.as_secs_f64() * 60.0;
                println!(
                    "  {name}: {:.1} KiB of memory each, {:.1} just after they came, {share:.1} % of a core, \
                     {:.4} commits a runner and minute",
                    each(later),
                    each(parked),
                    commits / runners as f64
                );
                anyhow::Ok(())
            })?;
        }
        Ok(())
    }

    fn wake(&self) -> anyhow::Result<()> {
        println!("\n# wake: from the call that submits to a runner's reply, {WOKEN} parked runners, durable");
        runtime()?.block_on(async {
            let mut crowd = Crowd::start()?;
            crowd.park(WOKEN, Http::One).await?;
            let user = crowd.user().await?;
            let mut waits = Vec::new();
            for _ in 0..400 {
                waits.extend(crowd.wake(&user, 1).await?);
            }
            print_waits("one job: ", &mut waits);
            let mut last = Vec::new();
            for _ in 0..self.rounds {
                let waits = crowd.wake(&user, WOKEN).await?;
                last.push(waits.iter().max().context("jobs were submitted")?.as_secs_f64() * 1e3);
                sleep(&SystemClock::default(), Duration::from_secs(1)).await;
            }
            println!("  {WOKEN} jobs in one call, the last one: {} ms", Spread::of(last));
            Ok(())
        })
    }

    fn fleet(&self) -> anyhow::Result<()> {
        println!("\n# fleet: 10,000 jobs that do nothing over 100 runners, in process");
        for kept in Kept::ALL {
            let mut rates = Vec::new();
            for _ in 0..self.rounds.min(3) {
                let took = runtime()?.block_on(fleet::execute(kept, 100, 10_000))?;
                rates.push(10_000.0 / took.as_secs_f64());
            }
            println!("  {:8} {} jobs a second", kept.name(), Spread::of(rates));
        }
        Ok(())
    }
}
