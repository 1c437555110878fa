//! From submit to summary: windows, events, listings, names and limits.

use super::*;
use crate::{
    seams::store::{Committed, Page, Query, StoreError, Stored, Write},
    values::{
        event::EventCursor,
        fleet::listing::Paging,
        orchestration::{
            Finding, HistoryFilter, HistoryLine, Rate, RunEvent, RunFilter, RunHappening, RunState,
            SummaryCounts,
        },
        outcome::Conclusion,
        time::BootTime,
    },
};
use futures::TryStreamExt as _;
use std::sync::atomic::{AtomicU64, Ordering};

#[tokio::test(start_paused = true)]
async fn a_request_becomes_one_summary_over_its_regions() {
    let clock = SimClock::new();
    let slow = Scripted::after(&clock, Duration::from_millis(250));
    let failing = Scripted::answering(ResultState::Fail);
    let orchestrator = start(&[("eu", &slow), ("us", &failing)], &clock).await;
    let client = orchestrator.local_client();
    let mut request = everywhere(&["eu", "us"]);
    request.tags = vec!["nightly".to_owned()];
    let run = client.submit(&request).await.unwrap();
    assert!(run.starts_with("run_"));
    let summary = client.wait(&run, LONG).await.unwrap();
    assert_eq!((summary.state, summary.conclusion), (RunState::Completed, Some(Conclusion::Failed)));
    assert_eq!(summary.summary, SummaryCounts { total: 2, passed: 1, failed: 1, errored: 0 });
    let json = serde_json::to_value(&summary).unwrap();
    let job = &json["jobs"][0];
    assert!(job["jobId"].as_str().unwrap().starts_with("job_"));
    assert_eq!(job["region"], "eu");
    assert_eq!(job["state"], "completed");
    assert_eq!(job["durationMs"], 250);
    assert_eq!(job["results"], serde_json::json!([{ "name": "up", "status": "pass" }]));
    assert_eq!(json["tags"], serde_json::json!(["nightly"]));
    assert_eq!(json["jobs"][1]["finding"], "broken_here");
    let progress = serde_json::to_value(client.progress(&run).await.unwrap()).unwrap();
    for member in ["runId", "state", "totalJobs", "completedJobs", "failedJobs", "createdAt", "updatedAt"] {
        assert!(progress.get(member).is_some(), "{progress}");
    }
    assert_eq!((progress["totalJobs"].as_u64(), progress["completedJobs"].as_u64()), (Some(2), Some(2)));
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_are_under_way_than_the_window_has_room_for_and_it_slides() {
    let clock = SimClock::new();
    let uneven = {
        let clock = clock.clone();
        Scripted::new(move |call| {
            let clock = clock.clone();
            async move {
                // Every third page takes three times as long: in batches it would be nine seconds.
                let page: u64 = call.url.rsplit('/').next().unwrap().parse().unwrap();
                let span = if page.is_multiple_of(3) { 3 } else { 1 };
                crate::seams::clock::sleep(&clock, Duration::from_secs(span)).await;
                Ok(all(&call, ResultState::Pass))
            }
        })
    };
    let orchestrator = start(&[("eu", &uneven)], &clock).await;
    let request = OrchestrationRequest { concurrency: Some(3), ..pages("eu", 9) };
    let summary = ended(&orchestrator.local_client(), &request).await;
    assert_eq!((uneven.most(), uneven.keys().len()), (3, 9));
    assert_eq!(summary.duration_ms, Some(6000));
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_window_all_jobs_are_under_way_up_to_the_limit_of_calls() {
    let clock = SimClock::new();
    let slow = Scripted::after(&clock, Duration::from_secs(1));
    let orchestrator = builder(MemoryStore::default(), &clock)
        .region("eu", slow.clone())
        .calls_max(10)
        .start()
        .await
        .unwrap();
    let client = orchestrator.local_client();
    let summary = ended(&client, &pages("eu", 25)).await;
    assert_eq!((slow.most(), summary.duration_ms), (10, Some(3000)));
    orchestrator.stop().await;
}

/// Counts what is committed.
#[derive(Clone, Debug, Default)]
struct Counting {
    inner: MemoryStore,
    commits: Arc<AtomicUsize>,
}

#[async_trait]
impl Store for Counting {
    async fn load(&self, keys: Vec<Key>) -> Result<Vec<Option<Stored>>, StoreError> {
        self.inner.load(keys).await
    }
    async fn scan(&self, query: Query) -> Result<Page, StoreError> {
        self.inner.scan(query).await
    }
    async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        self.inner.commit(writes).await
    }
}

#[tokio::test(start_paused = true)]
async fn five_thousand_jobs_are_one_run_and_few_commits() {
    let clock = SimClock::new();
    let store = Counting::default();
    let good = Scripted::answering(ResultState::Pass);
    let orchestrator = start_on(store.clone(), &[("eu", &good)], &clock).await;
    let summary = ended(&orchestrator.local_client(), &pages("eu", 5000)).await;
    assert_eq!(summary.summary, SummaryCounts { total: 5000, passed: 5000, failed: 0, errored: 0 });
    assert_eq!(good.keys().len(), 5000);
    let order: Vec<String> = summary.jobs.iter().map(|job| job.url.clone()).collect();
    let expected: Vec<String> = (0..5000).map(|page| format!("https://a.example/{page}")).collect();
    assert_eq!(order, expected);
    let commits = store.commits.load(Ordering::SeqCst);
    assert!(commits < 100, "{commits} commits");
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_odd_region_is_tried_again_and_nobody_else() {
    let clock = SimClock::new();
    let good = Scripted::answering(ResultState::Pass);
    let moody = Scripted::new(|call| async move {
        let state = if call.number == 1 { ResultState::Fail } else { ResultState::Pass };
        Ok(all(&call, state))
    });
    let orchestrator = start(&[("a", &good), ("b", &good), ("c", &moody)], &clock).await;
    let summary = ended(&orchestrator.local_client(), &everywhere(&["a", "b", "c"])).await;
    let keys = moody.keys();
    assert_eq!((good.keys().len(), keys.len()), (2, 2));
    assert!(keys[0].ends_with("-1") && keys[1].ends_with("-2"), "{keys:?}");
    assert_eq!(summary.conclusion, Some(Conclusion::Flaky));
    assert_eq!(summary.jobs[2].finding, Some(Finding::Flaky));
    assert_eq!(summary.summary.total, 3);
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_same_request_under_a_name_is_the_same_run_and_another_is_refused() {
    let clock = SimClock::new();
    let good = Scripted::answering(ResultState::Pass);
    let orchestrator = start(&[("eu", &good)], &clock).await;
    let client = orchestrator.local_client();
    let named = OrchestrationRequest { run_id: Some("nightly 1/2".to_owned()), ..everywhere(&["eu"]) };
    assert_eq!(ended(&client, &named).await.run_id, "nightly 1/2");
    assert_eq!(client.submit(&named).await.unwrap(), "nightly 1/2");
    let other = OrchestrationRequest { concurrency: Some(1), ..named.clone() };
    assert!(matches!(client.submit(&other).await, Err(OrchestratorError::Taken { .. })));
    assert_eq!(good.keys().len(), 1);
    client.delete("nightly 1/2").await.unwrap();
    assert!(matches!(client.results("nightly 1/2").await, Err(OrchestratorError::NotFound { .. })));
    // A name that is free again is that of another run, whose jobs are other jobs.
    ended(&client, &other).await;
    let keys = good.keys();
    assert!(keys.len() == 2 && keys[0] != keys[1], "{keys:?}");
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_follows_a_run_misses_nothing_from_any_place_on() {
    let clock = SimClock::new();
    let slow = Scripted::after(&clock, Duration::from_secs(1));
    let orchestrator = start(&[("eu", &slow)], &clock).await;
    let client = orchestrator.local_client();
    let request = OrchestrationRequest { concurrency: Some(2), ..pages("eu", 4) };
    let run = client.submit(&request).await.unwrap();
    let live: Vec<(EventCursor, RunEvent)> =
        client.follow(&run, EventCursor::START).try_collect().await.unwrap();
    let begun = |(_, event): &&(_, RunEvent)| matches!(event.what, RunHappening::JobStarted { .. });
    let over = |(_, event): &&(_, RunEvent)| matches!(event.what, RunHappening::JobEnded { .. });
    assert_eq!((live.iter().filter(begun).count(), live.iter().filter(over).count()), (4, 4));
    assert!(matches!(live.last().unwrap().1.what, RunHappening::RunEnded { state: RunState::Completed, .. }));
    for (at, (place, _)) in live.iter().enumerate() {
        let rest: Vec<_> = client.follow(&run, *place).try_collect().await.unwrap();
        assert_eq!(rest, live[at + 1..]);
    }
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn progress_is_live_and_results_wait_for_the_end() {
    let clock = SimClock::new();
    let slow = Scripted::after(&clock, Duration::from_secs(1));
    let orchestrator = start(&[("eu", &slow)], &clock).await;
    let client = orchestrator.local_client();
    let request = OrchestrationRequest { concurrency: Some(1), ..pages("eu", 3) };
    let run = client.submit(&request).await.unwrap();
    let queued = client.progress(&run).await.unwrap();
    assert_eq!((queued.state, queued.total_jobs, queued.completed_jobs), (RunState::Queued, 3, 0));
    crate::seams::clock::sleep(&clock, Duration::from_millis(1500)).await;
    let running = client.progress(&run).await.unwrap();
    assert_eq!((running.state, running.completed_jobs), (RunState::Running, 1));
    assert!(running.updated_at > running.created_at);
    assert!(matches!(client.results(&run).await, Err(OrchestratorError::Unfinished { .. })));
    assert!(matches!(client.delete(&run).await, Err(OrchestratorError::Unfinished { .. })));
    let part = client.partial_results(&run).await.unwrap();
    let states: Vec<RunState> = part.jobs.iter().map(|job| job.state).collect();
    assert_eq!(states[0], RunState::Completed);
    assert_eq!((part.summary.total, part.summary.passed, part.completed_at), (3, 1, None));
    let late = client.wait(&run, Duration::from_millis(10)).await;
    assert!(matches!(late, Err(OrchestratorError::Unfinished { .. })));
    orchestrator.stop().await;
}

/// A wall clock that goes on whenever it is asked.
#[derive(Debug, Default)]
struct Restless {
    clock: SimClock,
    asked: AtomicU64,
}

#[async_trait::async_trait]
impl Clock for Restless {
    fn wall(&self) -> Timestamp {
        self.clock.wall() + Duration::from_millis(self.asked.fetch_add(1, Ordering::SeqCst))
    }
    fn boot(&self) -> BootTime {
        self.clock.boot()
    }
    async fn sleep_until(&self, deadline: BootTime) {
        self.clock.sleep_until(deadline).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_run_changes_after_its_end() {
    let clock = SimClock::new();
    let region = Scripted::after(&clock, Duration::from_millis(250));
    let restless = Arc::new(Restless { clock: clock.clone(), ..Restless::default() });
    let builder = builder(MemoryStore::default(), &clock).clock(restless).region("eu", region);
    let orchestrator = builder.start().await.unwrap();
    let client = orchestrator.local_client();
    let run = client.submit(&everywhere(&["eu"])).await.unwrap();
    let summary = client.wait(&run, LONG).await.unwrap();
    let progress = client.progress(&run).await.unwrap();
    assert_eq!(Some(progress.updated_at), summary.completed_at);
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn runs_are_listed_newest_first_by_state_tags_and_time() {
    let clock = SimClock::new();
    let good = Scripted::answering(ResultState::Pass);
    let orchestrator = start(&[("eu", &good), ("never", &Scripted::hanging())], &clock).await;
    let client = orchestrator.local_client();
    for number in 0..5 {
        let mut request = everywhere(&["eu"]);
        request.run_id = Some(format!("run {number}"));
        request.tags = vec![if number % 2 == 0 { "even" } else { "odd" }.to_owned(), "all".to_owned()];
        ended(&client, &request).await;
        crate::seams::clock::sleep(&clock, Duration::from_secs(1)).await;
    }
    let open = client.submit(&everywhere(&["never"])).await.unwrap();
    let names = async |filter: RunFilter, limit: u32| {
        let (mut names, mut paging) = (Vec::new(), Paging { limit, after: None });
        loop {
            let page = client.list(&filter, &paging).await.unwrap();
            names.extend(page.items.into_iter().map(|line| line.progress.run_id));
            match page.next {
                Some(next) => paging.after = Some(next),
                None => return names,
            }
        }
    };
    let all = [&open, "run 4", "run 3", "run 2", "run 1", "run 0"];
    for limit in [1, 2, 3, 6, 100] {
        assert_eq!(names(RunFilter::default(), limit).await, all);
    }
    let even = RunFilter { tags: vec!["all".to_owned(), "even".to_owned()], ..RunFilter::default() };
    assert_eq!(names(even, 2).await, ["run 4", "run 2", "run 0"]);
    let done = RunFilter { state: Some(RunState::Completed), ..RunFilter::default() };
    assert_eq!(names(done, 100).await, all[1..]);
    let at = |number: &'static str| client.progress(number);
    let (since, until) = (at("run 1").await.unwrap().created_at, at("run 4").await.unwrap().created_at);
    let between = RunFilter { since: Some(since), until: Some(until), ..RunFilter::default() };
    assert_eq!(names(between, 2).await, ["run 3", "run 2", "run 1"]);
    let foreign = orchestrator.client(TenantId::from_bytes([9; 16]));
    assert!(foreign.list(&RunFilter::default(), &Paging::default()).await.unwrap().items.is_empty());
    assert!(matches!(foreign.progress("run 1").await, Err(OrchestratorError::NotFound { .. })));
    assert!(matches!(foreign.cancel(&open).await, Err(OrchestratorError::NotFound { .. })));
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_tenant_has_as_many_open_runs_as_it_may_and_one_that_ends_makes_room() {
    let clock = SimClock::new();
    let slow = Scripted::after(&clock, Duration::from_secs(5));
    let orchestrator =
        builder(MemoryStore::default(), &clock).region("eu", slow).open_runs_max(2).start().await.unwrap();
    let client = orchestrator.local_client();
    let first = client.submit(&everywhere(&["eu"])).await.unwrap();
    client.submit(&everywhere(&["eu"])).await.unwrap();
    let third = client.submit(&everywhere(&["eu"])).await;
    assert!(matches!(third, Err(OrchestratorError::TooManyRuns { limit: 2 })));
    client.wait(&first, LONG).await.unwrap();
    client.submit(&everywhere(&["eu"])).await.unwrap();
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_is_removed_once_it_ended_long_enough_ago_and_leaves_nothing() {
    let clock = SimClock::new();
    let store = MemoryStore::default();
    let good = Scripted::answering(ResultState::Pass);
    let orchestrator = builder(store.clone(), &clock)
        .region("eu", good)
        .region("never", Scripted::hanging())
        .retention(Some(Duration::from_secs(3600)))
        .start()
        .await
        .unwrap();
    let empty = format!("{store:?}");
    let client = orchestrator.local_client();
    let summary = ended(&client, &everywhere(&["eu"])).await;
    crate::seams::clock::sleep(&clock, Duration::from_secs(3000)).await;
    assert!(client.results(&summary.run_id).await.is_ok());
    crate::seams::clock::sleep(&clock, Duration::from_secs(1300)).await;
    assert!(matches!(client.results(&summary.run_id).await, Err(OrchestratorError::NotFound { .. })));
    assert_eq!(format!("{store:?}"), empty);
    let open = client.submit(&everywhere(&["never"])).await.unwrap();
    crate::seams::clock::sleep(&clock, LONG).await;
    assert!(client.progress(&open).await.is_ok());
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_history_of_a_check_is_that_of_the_runs_that_are_kept() {
    let clock = SimClock::new();
    let flips = Scripted::new(|call| async move {
        let state = if call.run.ends_with("odd") { ResultState::Fail } else { ResultState::Pass };
        Ok(all(&call, state))
    });
    let good = Scripted::answering(ResultState::Pass);
    let orchestrator = start(&[("eu", &good), ("us", &flips)], &clock).await;
    let client = orchestrator.local_client();
    for number in 0..6 {
        let word = if number % 2 == 0 { "even" } else { "odd" };
        let mut request = everywhere(&["eu", "us"]);
        request.run_id = Some(format!("{number} {word}"));
        request.options.second_try = false;
        ended(&client, &request).await;
        crate::seams::clock::sleep(&clock, Duration::from_secs(1)).await;
    }
    let by_region = HistoryFilter { by_region: true, ..HistoryFilter::default() };
    let history = client.history(&by_region).await.unwrap();
    assert_eq!((history.runs, history.truncated, history.lines.len()), (6, false, 2));
    let counts = |rate: Option<Rate>| rate.map(|rate| (rate.count, rate.of));
    let rates = |line: &HistoryLine| (counts(line.passed), counts(line.flipped));
    assert_eq!(rates(&history.lines[0]), (Some((6, 6)), Some((0, 5))));
    assert_eq!(rates(&history.lines[1]), (Some((3, 6)), Some((5, 5))));
    let only = HistoryFilter { region: Some("us".to_owned()), ..HistoryFilter::default() };
    let history = client.history(&only).await.unwrap();
    assert_eq!(rates(&history.lines[0]), (Some((3, 6)), Some((5, 5))));
    assert_eq!(history.lines[0].region, None);
    orchestrator.stop().await;
}
