//! Cancelling, timeouts, and what is left by whoever died.

use crate::{
    bench::{Bench, shell},
    daemon::Daemon,
    gate::{Gate, Passage},
};
use futures::TryStreamExt as _;
use runners_core::{Conclusion, Followed, JobHandle, JobOptions};
use runners_exec_container::{ContainerExecutor, ContainerResult, EngineAddress, Policy};
use std::time::Duration;

/// Ignores what it is told, until it is killed.
const STUBBORN: &str = "trap '' TERM; echo ready; while true; do sleep 1; done";

/// Waits until it has said something.
pub(crate) async fn says(handle: &JobHandle<ContainerResult>, words: &str) {
    let mut all = Vec::new();
    let mut events = std::pin::pin!(handle.follow());
    while let Some(event) = events.try_next().await.unwrap() {
        if let Followed::Log { bytes, .. } = event {
            all.extend_from_slice(bytes.as_bytes());
        }
        if String::from_utf8_lossy(&all).contains(words) {
            return;
        }
    }
    panic!("it ended before it said {words:?}: {}", String::from_utf8_lossy(&all));
}

fn quick(policy: &mut Policy) {
    policy.stop_within = Duration::from_millis(500);
}

#[tokio::test]
async fn what_ignores_that_it_is_to_end_is_killed() {
    let Some(bench) = Bench::with_policy("stubborn", quick).await else { return };
    let handle = bench
        .submit(shell(STUBBORN), JobOptions { grace: Duration::from_secs(60), ..JobOptions::default() })
        .await;
    says(&handle, "ready").await;
    assert!(handle.cancel().await.unwrap());
    let ended = bench.ended(handle).await;
    assert_eq!(ended.conclusion(), Conclusion::Cancelled, "{ended:?}");
    assert!(ended.log.contains("is killed"), "{ended:?}");
    bench.close().await;
}

#[tokio::test]
async fn what_is_told_to_end_may_tidy_up_and_its_output_is_kept() {
    let patient = |policy: &mut Policy| policy.stop_within = Duration::from_secs(60);
    let Some(bench) = Bench::with_policy("tidy", patient).await else { return };
    let script =
        "trap 'echo tidied > $RUNNERS_OUTPUT/a.txt; exit 0' TERM; echo ready; while true; do sleep 0.1; done";
    let options = JobOptions { grace: Duration::from_secs(60), ..JobOptions::default() };
    let handle = bench.submit(shell(script), options).await;
    says(&handle, "ready").await;
    handle.cancel().await.unwrap();
    let ended = bench.ended(handle).await;
    assert_eq!(ended.conclusion(), Conclusion::Cancelled, "{ended:?}");
    assert_eq!(bench.artifact(&ended, "a.txt").await, "tidied\n");
    bench.close().await;
}

#[tokio::test]
async fn an_attempt_that_is_dropped_leaves_no_container() {
    let slow = |policy: &mut Policy| policy.stop_within = Duration::from_secs(600);
    let Some(bench) = Bench::with_policy("dropped", slow).await else { return };
    let options = JobOptions { grace: Duration::from_millis(1), ..JobOptions::default() };
    let handle = bench.submit(shell(STUBBORN), options).await;
    says(&handle, "ready").await;
    handle.cancel().await.unwrap();
    let ended = bench.ended(handle).await;
    assert_eq!(ended.conclusion(), Conclusion::Cancelled, "{ended:?}");
    bench.close().await;
}

/// A bench whose engine is behind a gate, and the options of a job that is dropped as soon as it is cancelled.
async fn behind_a_gate(owner: &str) -> Option<(Gate, Bench, JobOptions)> {
    let daemon = Daemon::get()?;
    let gate = Gate::before(daemon.socket());
    let address = EngineAddress::Socket(gate.socket());
    let bench = Bench::with(owner, |builder| builder.engine(address)).await?;
    Some((gate, bench, JobOptions { grace: Duration::from_millis(1), ..JobOptions::default() }))
}

#[tokio::test]
async fn what_could_not_be_removed_while_the_engine_was_away_is_removed_once_it_is_back() {
    let Some((gate, bench, options)) = behind_a_gate("away").await else { return };
    let handle = bench.submit(shell(STUBBORN), options).await;
    says(&handle, "ready").await;
    gate.set(Passage::Shut);
    handle.cancel().await.unwrap();
    let ended = bench.ended(handle).await;
    assert_eq!(ended.conclusion(), Conclusion::Cancelled, "{ended:?}");
    // More often than whoever held it, and whoever came after that, try at once.
    gate.turned_away(6).await;
    assert_eq!(bench.daemon.containers_of("away"), 1);
    gate.set(Passage::Open);
    bench.close().await;
}

#[tokio::test]
async fn a_container_that_is_made_after_its_attempt_was_dropped_is_removed() {
    let Some((gate, bench, options)) = behind_a_gate("unlearnt").await else { return };
    gate.set(Passage::Held);
    let handle = bench.submit(shell(STUBBORN), options).await;
    gate.holds().await;
    assert_eq!(bench.daemon.containers_of("unlearnt"), 1);
    handle.cancel().await.unwrap();
    let ended = bench.ended(handle).await;
    assert_eq!(ended.conclusion(), Conclusion::Cancelled, "{ended:?}");
    gate.set(Passage::Open);
    bench.close().await;
}

#[tokio::test]
async fn what_a_runner_has_left_that_died_is_removed_at_its_next_start_and_nothing_else() {
    let Some(bench) = Bench::start("living").await else { return };
    let labels = |owner: &str| {
        let owner = format!("dev.runners.owner={owner}");
        let labels = ["dev.runners.lease=job/1", &owner, "dev.runners.start=earlier"].map(str::to_owned);
        labels.map(|label| ["--label".to_owned(), label]).concat()
    };
    let docker = |words: &[&str], labels: Vec<String>, rest: &[&str]| {
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        bench.daemon.docker(&[words, &labels, rest].concat())
    };
    docker(&["network", "create", "--internal"], labels("dead"), &["left"]);
    for (owner, network) in [("dead", "none"), ("dead", "left"), ("neighbour", "none")] {
        docker(&["run", "-d", "--network", network], labels(owner), &["local/tools:1", "sleep", "600"]);
    }
    let executor = ContainerExecutor::builder("dead").engine(EngineAddress::Socket(bench.daemon.socket()));
    let executor = executor.connect().await.unwrap();
    assert_eq!(executor.sweep().await.unwrap(), 2);
    assert_eq!((bench.daemon.containers_of("dead"), bench.daemon.containers_of("neighbour")), (0, 1));
    assert_eq!(bench.daemon.networks_of("dead"), 0);
    assert_eq!(executor.sweep().await.unwrap(), 0);
    bench.close().await;
}

#[tokio::test]
async fn what_this_start_of_a_runner_runs_is_not_swept() {
    let Some(bench) = Bench::start("sweeping").await else { return };
    let handle = bench.submit(shell("echo ready; sleep 2"), JobOptions::default()).await;
    says(&handle, "ready").await;
    assert_eq!(bench.executor.sweep().await.unwrap(), 0);
    let ended = bench.ended(handle).await;
    assert_eq!(ended.conclusion(), Conclusion::Passed, "{ended:?}");
    bench.close().await;
}
