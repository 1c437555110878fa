//! The regions that come with the core: a pool of runners, and this process.

use super::*;
use crate::{
    actors::{control_plane::ControlPlane, runner::Runner},
    seams::executor::Attempt,
    values::{
        check::{CheckResult, RunCheck},
        orchestration::{RunState, SummaryCounts},
        result::Fault,
    },
};
use serde_json::json;

/// Passes, fails, faults, panics or hangs, as the name says.
async fn carry_out(command: RunCheck, attempt: Attempt) -> Result<CheckResult, Fault> {
    let state = match command.check.as_str() {
        "good" => "passed",
        "bad" => "failed",
        "stuck" => {
            attempt.cancelled().await;
            return Err(Fault::permanent("cancelled", "cancelled during the check"));
        }
        "panics" => panic!("out of cheese"),
        other => return Err(Fault::permanent("unknown_check", format!("there is no check {other:?}"))),
    };
    let found = json!({
        "name": command.check, "state": state, "duration_ms": 7, "details": command.input, "engine": "chromium",
    });
    Ok(serde_json::from_value(found).unwrap())
}

fn asked(names: &[&str]) -> Vec<AskedCheck> {
    names.iter().map(|name| AskedCheck::new(*name, "https://a").in_region("pool")).collect()
}

fn states(summary: &RunSummary) -> Vec<ResultState> {
    summary.jobs[0].results.iter().map(|result| result.state).collect()
}

use ResultState::{Error, Fail, Pass};

#[tokio::test(start_paused = true)]
async fn this_process_is_a_region_whose_checks_spoil_no_other() {
    let clock = SimClock::new();
    let region = ProcessRegion::new(carry_out).clock(clock.clone());
    let orchestrator = builder(MemoryStore::default(), &clock).local(region).start().await.unwrap();
    let names = ["good", "bad", "panics", "nobody", "stuck"];
    let summary = ended(&orchestrator.local_client(), &OrchestrationRequest::local(asked(&names))).await;
    assert_eq!(
        (summary.state, states(&summary)),
        (RunState::Completed, vec![Pass, Fail, Error, Error, Error])
    );
    let job = &summary.jobs[0];
    assert_eq!((job.region.as_ref(), job.runners.len()), (None, 5));
    assert_eq!(job.results[0].details.as_ref().unwrap()["url"], "https://a");
    assert_eq!(job.results[0].engine.as_deref(), Some("chromium"));
    let messages: Vec<_> = job.results.iter().filter_map(|result| result.error_message.as_deref()).collect();
    assert_eq!(messages[0], "the executor panicked");
    assert_eq!(messages[1], "unknown_check: there is no check \"nobody\"");
    assert_eq!(messages[2], "it took longer than 30000 ms, and was given up");
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn checks_in_this_process_heed_when_their_run_is_stopped() {
    let clock = SimClock::new();
    let region = ProcessRegion::new(carry_out).clock(clock.clone()).side_by_side(1);
    let orchestrator = builder(MemoryStore::default(), &clock).local(region).start().await.unwrap();
    let mut request = OrchestrationRequest::local(asked(&["good", "stuck", "good"]));
    request.timeout = Some(Duration::from_secs(2));
    let summary = ended(&orchestrator.local_client(), &request).await;
    assert_eq!((summary.state, states(&summary)), (RunState::TimedOut, vec![Pass, Error, Error]));
    assert_eq!(summary.duration_ms, Some(2000));
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn checks_wait_for_their_turn_over_all_calls_and_that_is_no_part_of_their_time() {
    let (clock, seen) = (SimClock::new(), Arc::<Seen>::default());
    let (seen_by, clock_of) = (Arc::clone(&seen), clock.clone());
    let region = ProcessRegion::new(move |command: RunCheck, _: Attempt| {
        let (seen, clock) = (Arc::clone(&seen_by), clock_of.clone());
        async move {
            let now = seen.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            seen.most.fetch_max(now, Ordering::SeqCst);
            crate::seams::clock::sleep(&clock, Duration::from_secs(20)).await;
            seen.under_way.fetch_sub(1, Ordering::SeqCst);
            let found = json!({ "name": command.check, "state": "passed", "duration_ms": 20_000 });
            Ok::<CheckResult, Fault>(serde_json::from_value(found).unwrap())
        }
    });
    let region = region.clock(clock.clone()).at_once(2);
    let orchestrator = builder(MemoryStore::default(), &clock).local(region).start().await.unwrap();
    let asked = ["https://a", "https://b", "https://c"];
    let asked = asked.iter().flat_map(|url| ["x", "y", "z"].map(|name| AskedCheck::new(name, *url)));
    let summary = ended(&orchestrator.local_client(), &OrchestrationRequest::local(asked)).await;
    // Nine of them, two at a time: the last waits for longer than a check may take.
    assert_eq!((summary.summary.passed, summary.duration_ms), (9, Some(100_000)));
    assert_eq!(seen.most.load(Ordering::SeqCst), 2);
    orchestrator.stop().await;
}

async fn fleet(clock: &SimClock) -> (ControlPlane, Runner) {
    let control = ControlPlane::builder(MemoryStore::default())
        .clock(clock.clone())
        .random(SeededRandom::new(5))
        .start()
        .await
        .unwrap();
    let runner = control.local_runner("default").executor::<RunCheck>(carry_out).slots(4);
    let runner = runner.clock(clock.clone()).start();
    (control, runner)
}

#[tokio::test(start_paused = true)]
async fn a_pool_of_runners_is_a_region() {
    let clock = SimClock::new();
    let (control, runner) = fleet(&clock).await;
    let region = PoolRegion::new(control.local_client(), "default");
    let orchestrator = builder(MemoryStore::default(), &clock).region("pool", region).start().await.unwrap();
    let request = OrchestrationRequest::remote(asked(&["good", "bad", "good", "nobody"]));
    let summary = ended(&orchestrator.local_client(), &request).await;
    assert_eq!((summary.state, states(&summary)), (RunState::Completed, vec![Pass, Fail, Pass, Error]));
    assert_eq!(summary.summary, SummaryCounts { total: 4, passed: 2, failed: 1, errored: 1 });
    let results = &summary.jobs[0].results;
    assert!(results[0].runner.as_ref().unwrap().starts_with("runner_"));
    assert_eq!(results[0].engine.as_deref(), Some("chromium"));
    assert_eq!(results[3].error_message.as_deref(), Some("unknown_check: there is no check \"nobody\""));
    orchestrator.stop().await;
    runner.drain().await.unwrap();
    control.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn jobs_of_a_pool_are_cancelled_with_their_run_and_what_came_back_is_kept() {
    let clock = SimClock::new();
    let (control, runner) = fleet(&clock).await;
    let region = PoolRegion::new(control.local_client(), "default");
    let orchestrator = builder(MemoryStore::default(), &clock).region("pool", region).start().await.unwrap();
    let mut request = OrchestrationRequest::remote(asked(&["good", "stuck"]));
    request.timeout = Some(Duration::from_secs(20));
    let summary = ended(&orchestrator.local_client(), &request).await;
    assert_eq!((summary.state, states(&summary)), (RunState::TimedOut, vec![Pass, Error]));
    orchestrator.stop().await;
    runner.drain().await.unwrap();
    control.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_pool_is_not_asked_again_for_what_it_did_before_a_restart() {
    let clock = SimClock::new();
    let (control, runner) = fleet(&clock).await;
    let counted = Arc::new(AtomicUsize::new(0));
    let region = PoolRegion::new(control.local_client(), "default");
    let gate = {
        let (region, counted) = (region.clone(), Arc::clone(&counted));
        Scripted::new(move |call| {
            let (region, counted) = (region.clone(), Arc::clone(&counted));
            async move {
                let answer = region.execute(call).await;
                // The first answer is heard by nobody.
                if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                    std::future::pending().await
                } else {
                    answer
                }
            }
        })
    };
    let store = MemoryStore::default();
    let first = start_on(store.clone(), &[("pool", &gate)], &clock).await;
    let run = first.local_client().submit(&OrchestrationRequest::remote(asked(&["good"]))).await.unwrap();
    crate::seams::clock::sleep(&clock, Duration::from_secs(30)).await;
    first.stop().await;
    let second = start_on(store, &[("pool", &gate)], &clock).await;
    let summary = second.local_client().wait(&run, LONG).await.unwrap();
    assert_eq!((counted.load(Ordering::SeqCst), states(&summary)), (2, vec![Pass]));
    second.stop().await;
    runner.drain().await.unwrap();
    control.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn jobs_of_a_pool_end_with_their_run_though_nobody_is_there_to_cancel_them() {
    let clock = SimClock::new();
    let (control, runner) = fleet(&clock).await;
    let region = PoolRegion::new(control.local_client(), "default");
    let store = MemoryStore::default();
    let orchestrator = builder(store, &clock).region("pool", region).start().await.unwrap();
    let mut request = OrchestrationRequest::remote(asked(&["stuck"]));
    request.timeout = Some(Duration::from_secs(30));
    orchestrator.local_client().submit(&request).await.unwrap();
    crate::seams::clock::sleep(&clock, Duration::from_secs(10)).await;
    orchestrator.stop().await;
    assert_eq!(runner.snapshot().held.len(), 1);
    crate::seams::clock::sleep(&clock, Duration::from_secs(120)).await;
    assert_eq!(runner.snapshot().held.len(), 0);
    runner.drain().await.unwrap();
    control.stop().await.unwrap();
}

/// A check that never ends by itself, and takes half a second to put in order what it has opened.
fn tidy(clock: &SimClock) -> (ProcessRegion, Arc<AtomicUsize>) {
    let (ours, tidied) = (clock.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&tidied);
    let opens = move |_: RunCheck, attempt: Attempt| {
        let (clock, counted) = (ours.clone(), Arc::clone(&counted));
        async move {
            attempt.cancelled().await;
            crate::seams::clock::sleep(&clock, Duration::from_millis(500)).await;
            counted.fetch_add(1, Ordering::SeqCst);
            Err::<CheckResult, _>(Fault::permanent("cancelled", "it was told to end"))
        }
    };
    (ProcessRegion::new(opens).clock(clock.clone()), tidied)
}

#[tokio::test(start_paused = true)]
async fn a_check_of_this_process_that_takes_too_long_puts_in_order_what_it_has_opened() {
    let clock = SimClock::new();
    let (region, tidied) = tidy(&clock);
    let orchestrator = builder(MemoryStore::default(), &clock).local(region).start().await.unwrap();
    let summary = ended(&orchestrator.local_client(), &OrchestrationRequest::local(asked(&["slow"]))).await;
    let told = summary.jobs[0].results[0].error_message.as_deref();
    assert_eq!(told, Some("it took longer than 30000 ms, and was given up"));
    assert_eq!(tidied.load(Ordering::SeqCst), 1);
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn checks_of_this_process_end_in_order_when_it_stops_and_jobs_of_a_pool_go_on() {
    let clock = SimClock::new();
    let (region, tidied) = tidy(&clock);
    let (control, runner) = fleet(&clock).await;
    let pool = PoolRegion::new(control.local_client(), "default");
    let builder = builder(MemoryStore::default(), &clock).local(region).region("pool", pool);
    let orchestrator = builder.start().await.unwrap();
    let client = orchestrator.local_client();
    client.submit(&OrchestrationRequest::local(asked(&["slow"]))).await.unwrap();
    client.submit(&OrchestrationRequest::remote(asked(&["stuck"]))).await.unwrap();
    crate::seams::clock::sleep(&clock, Duration::from_secs(5)).await;
    let stops_at = clock.boot();
    orchestrator.stop().await;
    assert_eq!(tidied.load(Ordering::SeqCst), 1);
    assert!(clock.boot().since(stops_at) <= Duration::from_secs(1));
    crate::seams::clock::sleep(&clock, Duration::from_secs(5)).await;
    assert_eq!(runner.snapshot().held.len(), 1, "it is asked for again by the next orchestrator");
    runner.stop(Duration::ZERO).await;
    control.stop().await.unwrap();
}
