//! A process that orchestrates a run over three regions is killed in the middle of it, again and again:
//! the run ends complete, and nothing that was confirmed is carried out again.
//!
//! The child is this same program, told by the environment what to do. It says which pages are looked
//! at, before anybody hears of the result, and which are confirmed, after that was written.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use async_trait::async_trait;
use futures::TryStreamExt as _;
use runners_core::{
    Attempt, CheckResult, ControlPlane, EventCursor, Fault, JobOptions, RetryPolicy, RunCheck, SystemClock,
    orchestration::{
        AskedCheck, OrchestrationRequest, Orchestrator, PoolRegion, ProcessRegion, Region, RegionCall,
        RegionError, RegionReply, RegionResult, ResultState, RunHappening,
    },
    sleep,
};
use runners_store_sqlite::SqliteStore;
use std::{
    collections::BTreeSet,
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const FILE: &str = "RUNNERS_TEST_ORCHESTRATION_FILE";
const ENOUGH: &str = "RUNNERS_TEST_ORCHESTRATION_ENOUGH";
const PAGES: usize = 200;
const KILLS: usize = 3;
/// What a killed runner held is free again after this.
const TERM: Duration = Duration::from_secs(8);
/// How many more pages are confirmed before the next kill.
const CONFIRMED_PER_KILL: usize = 40;

#[test]
fn a_killed_orchestrator_goes_on_where_it_was_and_repeats_nothing_that_was_confirmed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("runs.db");
    let mut confirmed = BTreeSet::new();
    let mut looked_at = 0;
    for kill in 0..=KILLS {
        let enough = if kill < KILLS { confirmed.len() + CONFIRMED_PER_KILL } else { usize::MAX };
        let told = life(&path, enough);
        let again: Vec<_> = told.looked_at.intersection(&confirmed).collect();
        assert!(again.is_empty(), "confirmed before kill {kill}, and looked at again: {again:?}");
        assert!(told.confirmed.is_superset(&confirmed), "confirmed, and lost by kill {kill}");
        looked_at += told.looked_at.len();
        confirmed = told.confirmed;
        assert_eq!(told.passed, (kill == KILLS).then_some(PAGES), "after kill {kill}");
    }
    assert_eq!(confirmed.len(), PAGES);
    // Otherwise no kill ever came between a look and its record, and little was shown.
    assert!(looked_at > PAGES, "{looked_at}");
}

/// What a child told in its life.
#[derive(Debug, Default)]
struct Told {
    looked_at: BTreeSet<usize>,
    confirmed: BTreeSet<usize>,
    passed: Option<usize>,
}

/// Starts a child, and kills it once it has confirmed enough.
fn life(path: &Path, enough: usize) -> Told {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(FILE, path)
        .env(ENOUGH, enough.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = Told::default();
    for line in BufReader::new(child.stdout.take().unwrap()).split(b'\n') {
        let line = String::from_utf8(line.unwrap()).unwrap();
        let Some((word, number)) = line.split_once(' ') else { continue };
        let Ok(number) = number.parse() else { continue };
        match word {
            "looks-at" => drop(told.looked_at.insert(number)),
            "confirmed" => drop(told.confirmed.insert(number)),
            "passed" => told.passed = Some(number),
            _ => {}
        }
        if told.confirmed.len() >= enough {
            // What it says after that is heard all the same.
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    told
}

#[test]
#[ignore = "the child of the test above"]
fn child() {
    let Ok(path) = env::var(FILE) else { return };
    LEFT.store(env::var(ENOUGH).unwrap().parse().unwrap(), Ordering::Relaxed);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(orchestrate(path));
}

async fn orchestrate(path: String) {
    let store = Arc::new(SqliteStore::open(path).await.unwrap());
    let control = ControlPlane::builder(Arc::clone(&store)).term(TERM).start().await.unwrap();
    let runner = control.local_runner("default").executor::<RunCheck>(look).slots(4).start();
    let retry = RetryPolicy { losses_max: 20, ..RetryPolicy::default() };
    let pool = JobOptions { retry, ..JobOptions::default() };
    let orchestrator = Orchestrator::builder(store)
        .region("pull", PoolRegion::with_options(control.local_client(), pool))
        .region("push", Push)
        .region("here", ProcessRegion::new(look))
        .start()
        .await
        .unwrap();
    let client = orchestrator.local_client();
    let asked = |page: usize| {
        let region = ["pull", "push", "here"][page % 3];
        AskedCheck::new("up", format!("https://a.example/{page}")).in_region(region)
    };
    let mut request = OrchestrationRequest::remote((0..PAGES).map(asked));
    request.run_id = Some("the same in every life".to_owned());
    request.concurrency = Some(12);
    let run = client.submit(&request).await.unwrap();
    let mut events = std::pin::pin!(client.follow(&run, EventCursor::START));
    while let Some((_, event)) = events.try_next().await.unwrap() {
        if let RunHappening::JobEnded { index, .. } = event.what {
            say("confirmed", index);
            LEFT.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let summary = client.results(&run).await.unwrap();
    assert_eq!(summary.summary.total, PAGES as u64);
    say("passed", usize::try_from(summary.summary.passed).unwrap());
    orchestrator.stop().await;
    runner.drain().await.unwrap();
    control.stop().await.unwrap();
}

/// A line of its own, whatever else is written.
fn say(word: &str, number: usize) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{word} {number}").and_then(|()| out.flush()).unwrap();
}

/// How many more are confirmed until the child is killed, however late its parent is.
static LEFT: AtomicUsize = AtomicUsize::new(0);

/// Looks at a page, which takes a moment, or for ever once enough are confirmed.
async fn look_at(url: &str) {
    say("looks-at", url.rsplit('/').next().unwrap().parse().unwrap());
    if LEFT.load(Ordering::Relaxed) == 0 {
        std::future::pending::<()>().await;
    }
    sleep(&SystemClock::default(), Duration::from_millis(10)).await;
}

async fn look(command: RunCheck, _: Attempt) -> Result<CheckResult, Fault> {
    look_at(command.input["url"].as_str().unwrap()).await;
    let result = format!(r#"{{ "name": "{}", "state": "passed", "duration_ms": 10 }}"#, command.check);
    Ok(serde_json::from_str(&result).unwrap())
}

/// Stands for an endpoint.
#[derive(Debug)]
struct Push;

#[async_trait]
impl Region for Push {
    async fn execute(&self, call: RegionCall) -> Result<RegionReply, RegionError> {
        look_at(&call.url).await;
        let pass = |asked: &AskedCheck| RegionResult::new(asked.name.clone(), ResultState::Pass);
        Ok(call.checks.iter().map(pass).collect::<Vec<_>>().into())
    }
}
