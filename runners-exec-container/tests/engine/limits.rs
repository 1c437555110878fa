//! What runs out of something has a clear outcome, and the runner goes on.

use crate::bench::{Bench, shell};
use runners_core::{Conclusion, JobOptions};
use runners_exec_container::{ContainerJob, Limits};

fn limited(script: &str, limits: Limits) -> ContainerJob {
    ContainerJob { limits, ..shell(script) }
}

#[tokio::test]
async fn what_forks_without_end_is_stopped() {
    let Some(bench) = Bench::start("forks").await else { return };
    let limits = Limits { processes: Some(32), ..Limits::default() };
    let script = "f() { while true; do f & sleep 0.01; done; }; f 2>/dev/null";
    let ended = bench.run(limited(script, limits)).await;
    assert_eq!(ended.fault().code, "out_of_processes", "{ended:?}");
    assert!(ended.fault().message.contains("it had 32 processes"), "{ended:?}");
    bench.close().await;
}

#[tokio::test]
async fn what_eats_its_memory_is_told_so() {
    let Some(bench) = Bench::start("memory").await else { return };
    let limits = Limits { memory_bytes: Some(64 << 20), ..Limits::default() };
    // Again, and not at once: an engine that listens late does not hear of the first.
    let script = r#"
        for try in 1 2 3; do
            sleep 1
            head -c 500000000 /dev/zero | tail -c 400000000 > /dev/null
            code=$?
        done
        sleep 1
        exit "$code"
    "#;
    let ended = bench.run(limited(script, limits)).await;
    assert_eq!(ended.conclusion(), Conclusion::Errored, "{ended:?}");
    assert_eq!(ended.fault().code, "out_of_memory", "{ended:?}");
    bench.close().await;
}

#[tokio::test]
async fn what_fills_its_disk_fails_with_a_note() {
    let Some(bench) = Bench::start("disk").await else { return };
    let limits = Limits { writable_bytes: Some(1 << 20), ..Limits::default() };
    let ended = bench.run(limited("cat /dev/zero > /tmp/full", limits)).await;
    assert_eq!(ended.conclusion(), Conclusion::Failed, "{ended:?}");
    assert!(ended.result().notes.iter().any(|note| note.contains("no space left")), "{ended:?}");
    bench.close().await;
}

#[tokio::test]
async fn what_writes_too_much_output_is_stopped() {
    let change = |policy: &mut runners_exec_container::Policy| policy.output_bytes_max = 4 << 20;
    let Some(bench) = Bench::with_policy("flood", change).await else { return };
    let script = "head -c 9000000 /dev/zero > $RUNNERS_OUTPUT/a; sleep 600";
    let ended = bench.shell(script).await;
    assert_eq!(ended.fault().code, "output_full", "{ended:?}");
    bench.close().await;
}

#[tokio::test]
async fn what_goes_on_writing_is_killed_at_once_and_leaves_nothing_on_the_disk() {
    let change = |policy: &mut runners_exec_container::Policy| {
        policy.output_bytes_max = 16 << 20;
        // It would go on for as long as it is let.
        policy.stop_within = std::time::Duration::from_secs(600);
    };
    let Some(bench) = Bench::with_policy("writing", change).await else { return };
    let script = r#"
        trap '' TERM
        echo ready
        until [ -e /tmp/go ]; do sleep 0.1; done
        for number in {1..100000}; do head -c 1000000 /dev/zero > "$RUNNERS_OUTPUT/$number"; done
    "#;
    let handle = bench.submit(shell(script), JobOptions::default()).await;
    crate::stopping::says(&handle, "ready").await;
    let container = bench.daemon.docker(&["ps", "-q", "--filter", "label=dev.runners.owner=writing"]);
    let volume = "{{range .Mounts}}{{.Name}}{{end}}";
    let volume = bench.daemon.docker(&["inspect", "-f", volume, &container]);
    bench.daemon.docker(&["exec", &container, "touch", "/tmp/go"]);
    let ended = bench.ended(handle).await;
    assert_eq!(ended.fault().code, "output_full", "{ended:?}");
    let kept: u64 = ended.view.artifacts.iter().map(|artifact| artifact.length).sum();
    assert!(kept <= 16 << 20, "{kept} bytes became artifacts");
    let volumes = bench.daemon.docker(&["volume", "ls", "-q"]);
    assert!(!volume.is_empty() && !volumes.contains(&volume), "what it wrote is gone: {volume}");
    bench.close().await;
}

#[tokio::test]
async fn what_runs_too_long_is_stopped_by_its_own_limit() {
    let Some(bench) = Bench::start("time").await else { return };
    let limits = Limits { time_ms: Some(500), ..Limits::default() };
    let ended = bench.run(limited("sleep 600", limits)).await;
    assert_eq!(ended.fault().code, "time_limit", "{ended:?}");
    bench.close().await;
}
