//! `runners chaos`: a fleet of real processes under random harm, and whether it keeps its promises.

use crate::{
    args::ChaosArgs,
    chaos::{Clients, Database, Fleet, Outages, Post, Verdict, serve},
    exit::Exit,
    interrupts::Interrupts,
    terminal,
};
use anyhow::{Context as _, Result, ensure};
use runners_core::{Clock as _, Random as _, SystemClock, SystemRandom, sleep};
use serde_json::{Value, json};
use std::{
    sync::{PoisonError, atomic::Ordering},
    time::Duration,
};

/// How often it is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// How many problems are told to people.
const PROBLEMS_TOLD_MAX: usize = 20;

/// The largest seed that is drawn, so that it is easily typed.
const DRAWN_MAX: u64 = 999_999;

pub(super) async fn execute(arguments: ChaosArgs) -> Result<Exit> {
    // The runners of the fleet are this same program.
    if let Some(post) = Post::from_environment()? {
        return serve(post).await.map(|()| Exit::CouldNotRun);
    }
    let mut interrupts = Interrupts::listen()?;
    tokio::select! {
        done = play(&arguments) => done,
        () = interrupts.next() => {
            terminal::note("interrupted: every process of the fleet is ended, and nothing was judged");
            Ok(Exit::CouldNotRun)
        }
    }
}

async fn play(arguments: &ChaosArgs) -> Result<Exit> {
    let clock = SystemClock::default();
    let seed = arguments.seed.unwrap_or_else(drawn);
    let mut chance = fastrand::Rng::with_seed(seed);
    let directory = tempfile::tempdir().context("there is no directory for the fleet")?;
    let database = Database::open(&arguments.store, seed).await?;
    let servers = arguments.servers.map_or(database.servers(), usize::from);
    ensure!(
        servers == 1 || !database.is_file(),
        "--servers is {servers}: one server owns a file of sqlite, take --store postgres for more"
    );
    let store = database.name();
    let count = terminal::count(servers, "server");
    terminal::note(format!("chaos for {} s, --seed {seed}: {count}, 9 runners, {store}", arguments.seconds));
    let mut fleet = Fleet::start(directory.path(), database, servers, &mut chance).await?;
    let until = clock.boot() + arguments.span();
    let clients = Clients::start(&fleet.tenants, until, &mut chance);
    let outages = Outages::watch(&fleet.url)?;
    let (accepted, deeds) = (clients.accepted(), fleet.deeds());
    let telling = async {
        let began = clock.boot();
        loop {
            sleep(&clock, TELL_EVERY).await;
            let deeds = deeds.lock().unwrap_or_else(PoisonError::into_inner).count();
            let (seconds, jobs) = (clock.boot().since(began).as_secs(), accepted.load(Ordering::Relaxed));
            terminal::note(format!("{seconds:>4} s  {jobs} jobs accepted, harm was done {deeds} times"));
        }
    };
    let judging = async {
        fleet.rage(until, &mut chance).await?;
        fleet.calm().await?;
        terminal::note("no more harm: everything is seen through");
        let submitted = clients.settle().await?;
        let deeds = *fleet.deeds().lock().unwrap_or_else(PoisonError::into_inner);
        Verdict::find(&fleet, deeds, &submitted).await
    };
    let verdict: Verdict = tokio::select! {
        verdict = judging => verdict?,
        never = telling => never,
    };
    conclude(arguments, seed, &verdict, &outages.ended());
    if !verdict.is_good() {
        terminal::note(fleet.last_words());
    }
    Ok(if verdict.is_good() { Exit::Passed } else { Exit::Failed })
}

fn drawn() -> u64 {
    let mut bytes = [0; 8];
    SystemRandom::default().fill(&mut bytes);
    u64::from_be_bytes(bytes) % DRAWN_MAX + 1
}

fn conclude(arguments: &ChaosArgs, seed: u64, verdict: &Verdict, outages: &[Duration]) {
    let rescues: Vec<Duration> = verdict.rescues.iter().map(|(took, _)| *took).collect();
    if arguments.json {
        let spans = |spans: &[Duration]| json!({ "count": spans.len(), "median_ms": millis(median(spans)), "max_ms": millis(spans.last()) });
        let mut told = json!(verdict);
        told["seed"] = json!(seed);
        told["good"] = json!(verdict.is_good());
        told["rescues"] = spans(&rescues);
        told["outages"] = spans(outages);
        return terminal::print_json(&told);
    }
    let row = |name: &str, value: String| terminal::print(format!("{name:<34}{value:>9}"));
    for (name, count) in verdict.deeds.named() {
        row(name, count.to_string());
    }
    row("jobs accepted", verdict.jobs.to_string());
    row("attempts started", verdict.attempts_started.to_string());
    row("attempts lost", verdict.attempts_lost.to_string());
    row("stale writes refused", verdict.stale_writes_refused.to_string());
    row("bytes logged", verdict.bytes_logged.to_string());
    row("  of them missing, and marked", verdict.bytes_missing.to_string());
    let spans = [("out of reach of a client", outages), ("from a death to the next attempt", &rescues[..])];
    for (name, spans) in spans {
        let told = |span: Option<&Duration>| terminal::span(span.copied().unwrap_or_default());
        let (median, max) = (told(median(spans)), told(spans.last()));
        row(name, format!("{} times, median {median}, at most {max}", spans.len()));
    }
    verdict.longest.iter().for_each(|event| terminal::print(format!("  {}", in_short(event))));
    row("jobs lost", verdict.lost.to_string());
    row("jobs run twice", verdict.twice.to_string());
    verdict.problems.iter().take(PROBLEMS_TOLD_MAX).for_each(terminal::print);
    let untold = verdict.problems.len().saturating_sub(PROBLEMS_TOLD_MAX);
    if untold > 0 {
        terminal::print(format!("and {}, which --json tells", terminal::count(untold, "more problem")));
    }
}

/// When something happened to a job, and what.
fn in_short(event: &Value) -> String {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    let named = event.as_object().into_iter().flatten();
    let rest = named.filter(|(name, _)| !["at", "event", "job", "run", "sequence"].contains(&name.as_str()));
    let rest: String = rest.map(|(name, value)| format!(", {name} {value}")).collect();
    format!("{}  {}{rest}", text("at"), text("event"))
}

/// The one in the middle of spans in their order.
fn median(spans: &[Duration]) -> Option<&Duration> {
    spans.get(spans.len() / 2)
}

fn millis(span: Option<&Duration>) -> u64 {
    span.map_or(0, |span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}
