//! Whatever a region does: the run ends, its neighbours' results are kept, and what was wrong is said.

use super::*;
use crate::values::{
    orchestration::{Finding, RunState, SummaryCounts},
    outcome::Conclusion,
};
use serde_json::json;

/// A run over a good region and a bad one, without a second try.
async fn with_bad(bad: &Scripted, clock: &SimClock) -> RunSummary {
    let good = Scripted::answering(ResultState::Pass);
    let orchestrator = start(&[("good", &good), ("bad", bad)], clock).await;
    let mut request = everywhere(&["good", "bad"]);
    request.options.second_try = false;
    let summary = ended(&orchestrator.local_client(), &request).await;
    orchestrator.stop().await;
    assert_eq!(summary.jobs[0].results[0].state, ResultState::Pass, "its neighbour is kept");
    assert_eq!(summary.summary.total, 2);
    summary
}

#[tokio::test(start_paused = true)]
async fn each_trouble_of_a_region_ends_its_job_with_the_reason() {
    type Trouble = fn() -> RegionError;
    let clock = SimClock::new();
    let table: [(Trouble, RunState, usize, &str); 5] = [
        (|| RegionError::refused("no check \"up\""), RunState::Failed, 1, "region refused: no check \"up\""),
        (|| RegionError::broken("is HTML"), RunState::Failed, 1, "region's answer cannot be used: is HTML"),
        (|| RegionError::unreachable("reset"), RunState::Failed, 3, "region did not answer: reset"),
        (
            || RegionError::retry_later(None, "is full"),
            RunState::Failed,
            3,
            "region put the call off: is full",
        ),
        (
            || RegionError::TimedOut { after: Duration::from_secs(30) },
            RunState::TimedOut,
            1,
            "region took longer than 30000 ms",
        ),
    ];
    for (trouble, state, calls, error) in table {
        let bad = Scripted::new(move |_| async move { Err(trouble()) });
        let summary = with_bad(&bad, &clock).await;
        let job = &summary.jobs[1];
        assert_eq!((job.state, job.error.as_deref()), (state, Some(error)));
        assert_eq!(job.results[0].error_message.as_deref(), Some(error));
        assert_eq!(summary.summary, SummaryCounts { total: 2, passed: 1, failed: 0, errored: 1 });
        assert_eq!(summary.state, state);
        let keys = bad.keys();
        assert_eq!(keys.len(), calls, "{error}");
        assert!(keys.iter().all(|key| *key == keys[0]), "every call of a try has one key: {keys:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_any_shape_is_one_result_for_each_check() {
    let clock = SimClock::new();
    let shapes = [json!([]), json!(["up"]), json!([null, null]), json!([{ "name": "x", "status": "pass" }])];
    for shape in shapes {
        let results = shape.as_array().unwrap().clone();
        let bad = Scripted::new(move |_| {
            let results = results.clone();
            async move { Ok(RegionReply::new(results)) }
        });
        let summary = with_bad(&bad, &clock).await;
        let job = &summary.jobs[1];
        assert_eq!((job.state, job.results.len()), (RunState::Completed, 1), "{shape}");
        assert_eq!(job.results[0].state, ResultState::Error);
        assert!(job.results[0].error_message.is_some());
        assert_eq!(summary.conclusion, Some(Conclusion::Errored));
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_that_panics_has_failed_and_says_so() {
    let clock = SimClock::new();
    let bad = Scripted::new(|_| async move { panic!("out of cheese") });
    let summary = with_bad(&bad, &clock).await;
    let error = summary.jobs[1].error.as_deref().unwrap();
    assert!(error.contains("panicked: out of cheese"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_region_that_nobody_knows_fails_its_jobs_and_names_those_there_are() {
    let clock = SimClock::new();
    let good = Scripted::answering(ResultState::Pass);
    let orchestrator = start(&[("eu", &good), ("us", &good)], &clock).await;
    let mut request = everywhere(&["eu", "zz"]);
    request.options.second_try = false;
    let summary = ended(&orchestrator.local_client(), &request).await;
    let error = summary.jobs[1].error.as_deref().unwrap();
    assert_eq!(error, "region refused: there is no region \"zz\"; there is eu, us");
    assert_eq!(summary.jobs[0].state, RunState::Completed);
    let local = OrchestrationRequest::local([AskedCheck::new("up", "https://a")]);
    let refused = orchestrator.local_client().submit(&local).await.unwrap_err();
    assert!(refused.to_string().contains("mode: is \"local\""), "{refused}");
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_region_that_puts_a_call_off_is_called_again_no_sooner_than_it_says() {
    let clock = SimClock::new();
    let seen: Arc<Mutex<Vec<crate::BootTime>>> = Arc::default();
    let busy = {
        let (clock, seen) = (clock.clone(), Arc::clone(&seen));
        Scripted::new(move |call| {
            let (clock, seen) = (clock.clone(), Arc::clone(&seen));
            async move {
                let mut seen = seen.lock().unwrap();
                seen.push(clock.boot());
                match seen.len() {
                    1 => Err(RegionError::retry_later(Some(Duration::from_secs(40)), "is full")),
                    2 => Err(RegionError::unreachable("reset")),
                    _ => Ok(all(&call, ResultState::Pass)),
                }
            }
        })
    };
    let summary = with_bad(&busy, &clock).await;
    assert_eq!((summary.state, summary.conclusion), (RunState::Completed, Some(Conclusion::Passed)));
    let seen = seen.lock().unwrap().clone();
    let put_off = seen[1].since(seen[0]);
    assert!(put_off >= Duration::from_secs(40) && put_off <= Duration::from_millis(40_250), "{put_off:?}");
    let backoff = seen[2].since(seen[1]);
    assert!(backoff >= Duration::from_millis(500) && backoff <= Duration::from_secs(1), "{backoff:?}");
    let forever = Scripted::new(|_| async { Err(RegionError::retry_later(Some(LONG), "is full")) });
    assert_eq!(with_bad(&forever, &clock).await.jobs[1].state, RunState::Failed);
    assert_eq!(forever.keys().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_down_is_found_to_be_down() {
    let clock = SimClock::new();
    let good = Scripted::answering(ResultState::Pass);
    let down = Scripted::new(|_| async { Err(RegionError::broken("is HTML")) });
    let orchestrator = start(&[("a", &good), ("b", &good), ("c", &down)], &clock).await;
    let client = orchestrator.local_client();
    let summary = ended(&client, &everywhere(&["a", "b", "c"])).await;
    assert_eq!(summary.jobs[2].finding, Some(Finding::RegionDown));
    assert_eq!((summary.state, summary.conclusion), (RunState::Failed, Some(Conclusion::Errored)));
    let mut two_of_three = everywhere(&["a", "b", "c"]);
    two_of_three.options.policy = crate::values::orchestration::RegionPolicy::AtLeast(2);
    assert_eq!(ended(&client, &two_of_three).await.conclusion, Some(Conclusion::Passed));
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_put_off_for_the_same_time_do_not_come_back_together() {
    let clock = SimClock::new();
    let came_back = Arc::new(Mutex::new(std::collections::BTreeSet::new()));
    let (times, now) = (Arc::clone(&came_back), clock.clone());
    let seen = Mutex::new(std::collections::BTreeSet::new());
    let busy = Scripted::new(move |call| {
        if seen.lock().unwrap().insert(call.idempotency_key()) {
            return async { Err(RegionError::retry_later(Some(Duration::from_secs(5)), "is full")) }.boxed();
        }
        times.lock().unwrap().insert(now.boot());
        async move { Ok(all(&call, ResultState::Pass)) }.boxed()
    });
    let orchestrator = start(&[("eu", &busy)], &clock).await;
    let put_off_until = clock.boot() + Duration::from_secs(5);
    assert_eq!(ended(&orchestrator.local_client(), &pages("eu", 20)).await.summary.passed, 20);
    let came_back = came_back.lock().unwrap().clone();
    assert!(
        came_back.len() > 10 && came_back.first().is_some_and(|at| *at >= put_off_until),
        "{came_back:?}"
    );
    orchestrator.stop().await;
}
