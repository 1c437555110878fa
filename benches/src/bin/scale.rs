//! Prints what a queue in PostgreSQL carries, beside a loop with `SKIP LOCKED` written by hand and beside
//! other queues; what two control planes carry against one, and how often four of them meet; what a crowd
//! of idle runners asks of the server; and what a grant costs when many jobs wait. The server is started
//! here, on the disk of this checkout, and removed.
//!
//! `scale [section…]`, all of them unless said otherwise. `JOBS`, `ROUNDS`, `SPAN_MS`, `SLOTS`, `RUNNERS`,
//! `WATCHED_S` and `DEPTH` say how many, how often and for how long.

use anyhow::{Context as _, bail};
use runners_benches::{
    bed::{directory, runtime},
    crowd,
    figures::Spread,
    grants::Deep,
    machine,
    peer::Peer,
    sample::Sample,
    scale::{
        contest::{self, Contender, Jobs, Round, Standing},
        idle,
        ours::Ours,
        peers::Other,
        planes::{self, Carried, Setting},
        skip_locked::Manner,
        usage::{Meter, STATEMENTS},
    },
    settings::{number, sections},
};
use runners_store_postgres::testing::TestServer;
use std::{path::Path, time::Duration};

const SECTIONS: [&str; 6] = ["burn-down", "paced", "planes", "conflicts", "idle", "depth"];

/// How many slots there are at once, unless `SLOTS` says one number.
const SLOTS: [usize; 3] = [16, 64, 256];

/// How many slots each of several control planes has, and how many hundredths of a core.
const SLOTS_EACH: usize = 64;
const SHARE: u64 = 25;

/// How many control planes meet, and how many idle runners are parked at.
const PLANES: usize = 4;

/// How many statements an idle runner may cost in a minute: less than one of a hundred of its calls.
const STATEMENTS_MAX: f64 = 0.03;

/// How many jobs wait for the cheaper grant, and how many grants make a sample.
const SHALLOW: usize = 1_000;
const GRANTS: u64 = 960;

fn main() -> anyhow::Result<()> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    match &asked[..] {
        [role, post] if role == planes::ROLE => return runtime()?.block_on(planes::serve(post)),
        [role, rest @ ..] if role == crowd::CHILD => return crowd::child_main(rest),
        _ => {}
    }
    let asked = sections(asked, &SECTIONS)?;
    println!("{}; {}", machine::machine(), machine::load());
    let measure = Measure {
        server: start()?,
        rounds: number("ROUNDS", 3)?,
        jobs: number("JOBS", 20_000)?,
        span: Duration::from_millis(number("SPAN_MS", 5_000)?),
    };
    for section in asked {
        match section.as_str() {
            "burn-down" => measure.contest("burn-down", Jobs::Queued(measure.jobs))?,
            "paced" => measure.contest("paced", Jobs::Paced(measure.span))?,
            "planes" => measure.planes()?,
            "conflicts" => measure.conflicts()?,
            "idle" => runtime()?.block_on(measure.idle())?,
            _ => runtime()?.block_on(measure.depth())?,
        }
    }
    println!("\nat the end: {}", machine::load());
    Ok(())
}

/// A server that loses nothing if the machine stops, and counts statements if it can.
fn start() -> anyhow::Result<TestServer> {
    let below = directory()?;
    let here = below.path().parent().context("a directory has a parent")?;
    let settings = ["-c", "shared_buffers=256MB", "-c", "max_wal_size=4GB", "-c", "max_connections=200"];
    let counting = format!("shared_preload_libraries={STATEMENTS}");
    let with_counting = [&settings[..], &["-c", counting.as_str()]].concat();
    let mut trouble = String::new();
    // As root the server is another user, who may not reach a checkout in a home directory.
    for parent in [here, Path::new("/var/tmp")] {
        for settings in [&with_counting[..], &settings[..]] {
            match TestServer::start_below(parent, settings) {
                Ok(server) => {
                    println!("PostgreSQL below {}", parent.display());
                    return Ok(server);
                }
                Err(why) => trouble = format!("{trouble}\nbelow {}: {why}", parent.display()),
            }
        }
    }
    bail!("PostgreSQL does not start{trouble}")
}

/// What is measured with.
struct Measure {
    server: TestServer,
    rounds: u64,
    jobs: u64,
    span: Duration,
}

impl Measure {
    fn contest(&self, name: &str, jobs: Jobs) -> anyhow::Result<()> {
        let peer = Peer::build()?;
        let slots = match number("SLOTS", 0)? {
            0 => SLOTS.to_vec(),
            slots => vec![usize::try_from(slots)?],
        };
        for slots in slots {
            let how = match jobs {
                Jobs::Queued(jobs) => format!("{jobs} jobs, submitted one by one and then taken"),
                Jobs::Paced(span) => format!("{span:?}, the next is submitted when one has ended"),
            };
            println!("\n# {name}: {slots} slots, {how}; {} rounds, durable", self.rounds);
            let mut rounds: Vec<(Contender, Vec<Round>)> = Contender::ALL.map(|one| (one, Vec::new())).into();
            for _ in 0..self.rounds {
                for (contender, rounds) in &mut rounds {
                    rounds.push(contest::round(&self.server, &peer, *contender, slots, jobs)?);
                }
            }
            rounds.iter().for_each(|(contender, rounds)| println!("{}", Standing(*contender, rounds)));
            let of = |wanted| rounds.iter().find(|(one, _)| *one == wanted).map_or(&[][..], |(_, all)| all);
            let against = |other| contest::ratio(of(Contender::Ours), of(other));
            let floor = against(Contender::Floor(Manner::Batched));
            println!("  of the batched floor     {floor}, {}", machine::at_least(floor.median, 0.6));
            for other in [Other::Graphile, Other::Apalis] {
                let ratio = against(Contender::Peer(other));
                let told = machine::at_least(ratio.median, 1.0);
                println!("  against {:16} {ratio}, {told}", other.name());
            }
        }
        Ok(())
    }

    fn planes(&self) -> anyhow::Result<()> {
        println!("\n# planes: {SLOTS_EACH} slots at each, each held to {SHARE} hundredths of a core");
        let carry = |planes| {
            let jobs = planes::Jobs::Paced(self.span);
            planes::carry(&self.server, Setting { planes, slots: SLOTS_EACH, jobs, hundredths: Some(SHARE) })
        };
        let (mut one, mut two, mut held) = (Vec::new(), Vec::new(), None);
        for _ in 0..self.rounds {
            one.push(carry(1)?.0);
            let (carried, told) = carry(2)?;
            two.push(carried);
            held = told;
        }
        println!("  held {}", held.unwrap_or("to nothing"));
        for (name, carried) in [("one", &one), ("two", &two)] {
            let rate = Spread::of(carried.iter().map(Carried::rate));
            let micros = Spread::of(carried.iter().map(Carried::micros_used));
            println!("  {name}  {rate} lifecycles/s, {micros} µs of processor each");
        }
        let ratio =
            |of: fn(&Carried) -> f64| Spread::of(one.iter().zip(&two).map(|(one, two)| of(two) / of(one)));
        let (rate, micros) = (ratio(Carried::rate), ratio(Carried::micros_used));
        println!("  rate of two against one           {rate}, {}", machine::at_least(rate.median, 1.6));
        println!(
            "  processor of a job, in the same   {micros}, {}",
            machine::against(micros.median, 1.15, "")
        );
        Ok(())
    }

    fn conflicts(&self) -> anyhow::Result<()> {
        println!("\n# conflicts: {SLOTS_EACH} slots at each of two and of {PLANES} control planes");
        for planes in [2, PLANES] {
            for (name, jobs) in
                [("burn-down", planes::Jobs::Queued(self.jobs)), ("paced", planes::Jobs::Paced(self.span))]
            {
                let setting = Setting { planes, slots: SLOTS_EACH, jobs, hundredths: None };
                let mut all = Vec::new();
                for _ in 0..self.rounds {
                    all.push(planes::carry(&self.server, setting)?.0);
                }
                let percent = Spread::of(all.iter().map(Carried::conflicts_percent));
                let rate = Spread::of(all.iter().map(Carried::rate));
                let claims: u64 = all.iter().map(|carried| carried.claims).sum();
                let told = machine::against(percent.median, 5.0, "%");
                println!("  {planes} planes, {name:9}  {percent} % of {claims} claims met another's, {told}");
                println!("  {:20} {rate} lifecycles/s", "");
            }
        }
        Ok(())
    }

    async fn idle(&self) -> anyhow::Result<()> {
        let runners = usize::try_from(number("RUNNERS", 50_000)?)?;
        let watched = Duration::from_secs(number("WATCHED_S", 60)?);
        println!(
            "\n# idle: {runners} runners parked at {PLANES} control planes over HTTP/2, watched for {watched:?}"
        );
        if !Meter::connect(&self.server).await?.count_statements().await? {
            println!("skipped: the server has no {STATEMENTS}, by which statements are counted");
            return Ok(());
        }
        let idle = idle::watch(&self.server, PLANES, runners, watched).await?;
        #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^52 runners and bytes")]
        let (count, memory) = (runners as f64, idle.memory as f64);
        println!("  statements a second: {:.1} without runners, {:.1} with them", idle.before, idle.parked);
        let each = (idle.parked - idle.before).max(0.0) * 60.0 / count;
        let told = machine::against(each, STATEMENTS_MAX, "");
        println!("  for a runner in a minute, in which it calls three times: {each:.4} statements, {told}");
        for (calls, statement) in idle.commonest.iter().take(5) {
            let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ");
            println!("    {calls:6.1} a second: {}", statement.chars().take(90).collect::<String>());
        }
        println!(
            "  the control planes: {:.1} KiB of memory for a runner, {:.1} % of a core together",
            memory / count / 1024.0,
            idle.share
        );
        Ok(())
    }

    async fn depth(&self) -> anyhow::Result<()> {
        let depths = [SHALLOW, usize::try_from(number("DEPTH", 1_000_000)?)?];
        println!(
            "\n# depth: grant and finish of a job by 64 runners, by how many jobs wait; {} rounds",
            self.rounds
        );
        let meter = Meter::connect(&self.server).await?;
        let mut queues = Vec::new();
        for depth in depths {
            queues.push(Deep::queue_on(Ours::start(&self.server).await?.bed, depth).await?);
        }
        let mut costs = vec![Vec::new(); depths.len()];
        for _ in 0..self.rounds {
            for (queue, costs) in queues.iter_mut().zip(&mut costs) {
                let before = meter.read().await?;
                let sample: Sample = queue.take(GRANTS).await?;
                let server = (meter.read().await? - before).processor.as_secs_f64() * 1e6;
                #[expect(clippy::cast_precision_loss, reason = "no run counts to 2^52")]
                let at_server = server / sample.lifecycles as f64;
                costs.push((1e6 / sample.rate(), sample.micros_used(), at_server));
                queue.refill(&sample).await?;
            }
        }
        for (depth, costs) in depths.iter().zip(&costs) {
            let took = Spread::of(costs.iter().map(|cost| cost.0));
            let here = Spread::of(costs.iter().map(|cost| cost.1));
            let there = Spread::of(costs.iter().map(|cost| cost.2));
            println!(
                "  {depth:>9} queued: {took} µs each; {here} µs of processor here, {there} at the server"
            );
        }
        let pairs = || costs[0].iter().zip(&costs[1]);
        let took = Spread::of(pairs().map(|(short, deep)| deep.0 / short.0));
        let used = Spread::of(pairs().map(|(short, deep)| (deep.1 + deep.2) / (short.1 + short.2)));
        println!("  deep against short: {took} of the time, {}", machine::against(took.median, 1.5, ""));
        println!("  processor, here and at the server: {used}, {}", machine::against(used.median, 1.5, ""));
        Ok(())
    }
}
