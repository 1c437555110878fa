//! Runs that are stopped: by their time, and by whoever cancels them.

use super::*;
use crate::values::{
    orchestration::{RunState, SummaryCounts},
    outcome::Conclusion,
};

fn timed(regions: &[&str], millis: u64) -> OrchestrationRequest {
    OrchestrationRequest { timeout: Some(Duration::from_millis(millis)), ..everywhere(regions) }
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_timed_out_on_time_and_what_came_back_is_kept() {
    let clock = SimClock::new();
    let quick = Scripted::after(&clock, Duration::from_secs(1));
    let hanging = Scripted::new(|call| async move {
        call.cancelled().await;
        Err(RegionError::unreachable("cut short"))
    });
    let orchestrator = start(&[("quick", &quick), ("never", &hanging)], &clock).await;
    let client = orchestrator.local_client();
    let summary = ended(&client, &timed(&["quick", "never"], 5000)).await;
    assert_eq!((summary.state, summary.conclusion), (RunState::TimedOut, Some(Conclusion::TimedOut)));
    assert_eq!(summary.duration_ms, Some(5000));
    assert_eq!(summary.summary, SummaryCounts { total: 2, passed: 1, failed: 0, errored: 1 });
    let late = &summary.jobs[1];
    assert_eq!(late.state, RunState::TimedOut);
    assert_eq!(late.error.as_deref(), Some("the run took longer than its timeout of 5000 ms"));
    let progress = client.progress(&summary.run_id).await.unwrap();
    assert_eq!((progress.completed_jobs, progress.failed_jobs), (1, 1));
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_region_that_does_not_heed_is_dropped_after_a_moment() {
    let clock = SimClock::new();
    let deaf = Scripted::hanging();
    let orchestrator = start(&[("deaf", &deaf)], &clock).await;
    let summary = ended(&orchestrator.local_client(), &timed(&["deaf"], 5000)).await;
    assert_eq!((summary.state, summary.duration_ms), (RunState::TimedOut, Some(6000)));
    assert_eq!(deaf.seen.under_way.load(Ordering::SeqCst), 0);
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_region_answers_when_it_is_stopped_is_kept() {
    let clock = SimClock::new();
    let half = Scripted::new(|call| async move {
        call.cancelled().await;
        Ok(vec![RegionResult::new("first", ResultState::Pass)].into())
    });
    let orchestrator = start(&[("eu", &half)], &clock).await;
    let asked = |name| AskedCheck::new(name, "https://a.example").in_region("eu");
    let mut request = OrchestrationRequest::remote([asked("first"), asked("second")]);
    request.timeout = Some(Duration::from_secs(5));
    let summary = ended(&orchestrator.local_client(), &request).await;
    let states: Vec<ResultState> = summary.jobs[0].results.iter().map(|result| result.state).collect();
    assert_eq!(
        (summary.jobs[0].state, states),
        (RunState::TimedOut, vec![ResultState::Pass, ResultState::Error])
    );
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_cancels_a_run_has_its_calls_stopped_and_what_came_back_kept() {
    let clock = SimClock::new();
    let good = Scripted::answering(ResultState::Pass);
    let hanging = Scripted::hanging();
    let orchestrator = start(&[("good", &good), ("never", &hanging)], &clock).await;
    let client = orchestrator.local_client();
    let run = client.submit(&everywhere(&["good", "never"])).await.unwrap();
    crate::seams::clock::sleep(&clock, Duration::from_secs(10)).await;
    let cancelled = client.cancel(&run).await.unwrap();
    assert_eq!((cancelled.state, cancelled.conclusion), (RunState::Failed, Some(Conclusion::Cancelled)));
    let summary = client.results(&run).await.unwrap();
    assert_eq!((summary.state, summary.conclusion), (RunState::Failed, Some(Conclusion::Cancelled)));
    assert_eq!(summary.jobs[1].error.as_deref(), Some("the run was cancelled"));
    assert_eq!(summary.summary, SummaryCounts { total: 2, passed: 1, failed: 0, errored: 1 });
    assert_eq!(hanging.seen.under_way.load(Ordering::SeqCst), 0);
    assert_eq!(client.cancel(&run).await.unwrap(), cancelled, "it had ended before");
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_is_waited_for_is_given_up_when_the_run_is_stopped() {
    let clock = SimClock::new();
    let busy =
        Scripted::new(|_| async { Err(RegionError::retry_later(Some(Duration::from_secs(200)), "is full")) });
    let orchestrator = start(&[("eu", &busy)], &clock).await;
    let summary = ended(&orchestrator.local_client(), &timed(&["eu"], 5000)).await;
    assert_eq!((summary.state, summary.duration_ms), (RunState::TimedOut, Some(5000)));
    orchestrator.stop().await;
}
