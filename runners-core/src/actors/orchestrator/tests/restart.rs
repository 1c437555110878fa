//! Restarts: what a region answered is not asked for again, and nothing is lost.

use super::*;
use crate::{
    seams::clock::sleep,
    testing::store::{FaultyStore, StoreFaults},
    values::{
        event::EventCursor,
        orchestration::{RunState, SummaryCounts},
    },
};
use futures::TryStreamExt as _;
use std::collections::BTreeSet;

fn distinct(keys: &[String]) -> usize {
    keys.iter().collect::<BTreeSet<_>>().len()
}

#[tokio::test(start_paused = true)]
async fn a_restart_in_the_middle_goes_on_and_repeats_nothing_that_was_confirmed() {
    let clock = SimClock::new();
    let store = MemoryStore::default();
    let slow = Scripted::after(&clock, Duration::from_secs(1));
    let regions = [("eu", &slow)];
    let first = start_on(store.clone(), &regions, &clock).await;
    let request = OrchestrationRequest { concurrency: Some(4), ..pages("eu", 20) };
    let run = first.local_client().submit(&request).await.unwrap();
    sleep(&clock, Duration::from_millis(2500)).await;
    first.stop().await;
    assert_eq!((slow.keys().len(), slow.seen.under_way.load(Ordering::SeqCst)), (12, 0));
    sleep(&clock, Duration::from_secs(60)).await;

    let second = start_on(store, &regions, &clock).await;
    let client = second.local_client();
    let summary = client.wait(&run, LONG).await.unwrap();
    assert_eq!(summary.summary, SummaryCounts { total: 20, passed: 20, failed: 0, errored: 0 });
    let keys = slow.keys();
    // The four calls that were under way are made again, under their keys.
    assert_eq!((keys.len(), distinct(&keys)), (24, 20));
    assert_eq!(keys[8..12].iter().collect::<BTreeSet<_>>(), keys[12..16].iter().collect());
    let told: Vec<_> = client.follow(&run, EventCursor::START).try_collect().await.unwrap();
    assert!(told.is_sorted_by(|(left, _), (right, _)| left < right));
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn of_two_on_one_store_the_one_that_began_last_drives_and_the_other_stops() {
    let clock = SimClock::new();
    let store = MemoryStore::default();
    let slow = Scripted::after(&clock, Duration::from_secs(1));
    let first = start_on(store.clone(), &[("eu", &slow)], &clock).await;
    let request = OrchestrationRequest { concurrency: Some(4), ..pages("eu", 20) };
    let run = first.local_client().submit(&request).await.unwrap();
    sleep(&clock, Duration::from_millis(2500)).await;

    let other = Scripted::after(&clock, Duration::from_secs(1));
    let second = start_on(store.clone(), &[("eu", &other)], &clock).await;
    let refused = first.local_client().submit(&everywhere(&["eu"])).await;
    assert!(matches!(refused, Err(OrchestratorError::Stopping)), "{refused:?}");
    assert!(first.is_displaced() && !second.is_displaced());
    first.stopped().await;
    let summary = second.local_client().wait(&run, LONG).await.unwrap();
    assert_eq!(summary.summary, SummaryCounts { total: 20, passed: 20, failed: 0, errored: 0 });
    // What was confirmed is asked by nobody again, and what was under way under its key.
    assert_eq!((slow.keys().len(), other.keys().len()), (12, 12));
    assert_eq!(slow.seen.under_way.load(Ordering::SeqCst), 0);
    first.stop().await;
    assert!(!second.is_displaced());
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_has_nothing_to_write_notices_as_well_that_another_has_begun() {
    let clock = SimClock::new();
    let store = MemoryStore::default();
    let hanging = Scripted::hanging();
    let first = start_on(store.clone(), &[("eu", &hanging)], &clock).await;
    let run = first.local_client().submit(&everywhere(&["eu"])).await.unwrap();
    sleep(&clock, Duration::from_secs(60)).await;
    let good = Scripted::answering(ResultState::Pass);
    let second = start_on(store, &[("eu", &good)], &clock).await;
    assert_eq!(second.local_client().wait(&run, LONG).await.unwrap().summary.passed, 1);
    sleep(&clock, Duration::from_secs(6)).await;
    assert!(first.is_displaced());
    first.stop().await;
    assert_eq!(hanging.seen.under_way.load(Ordering::SeqCst), 0);
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_an_answer_and_its_record_repeats_the_call_under_its_key() {
    let clock = SimClock::new();
    let store =
        FaultyStore::new(MemoryStore::default(), clock.clone(), SeededRandom::new(3), StoreFaults::none());
    let handle = store.handle();
    let crashing = {
        let handle = handle.clone();
        Scripted::new(move |call| {
            let handle = handle.clone();
            async move {
                // It answers, and nobody can write it down.
                handle.crash();
                Ok(all(&call, ResultState::Pass))
            }
        })
    };
    let first = start_on(handle, &[("eu", &crashing)], &clock).await;
    let run = first.local_client().submit(&everywhere(&["eu"])).await.unwrap();
    sleep(&clock, Duration::from_secs(5)).await;
    first.stop().await;
    let good = Scripted::answering(ResultState::Pass);
    let second = start_on(store.handle(), &[("eu", &good)], &clock).await;
    let summary = second.local_client().wait(&run, LONG).await.unwrap();
    assert_eq!((summary.state, summary.summary.passed), (RunState::Completed, 1));
    assert_eq!(crashing.keys(), good.keys());
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_run_goes_on_while_nobody_drives_it() {
    let clock = SimClock::new();
    let store = MemoryStore::default();
    let hanging = Scripted::hanging();
    let regions = [("eu", &hanging)];
    let first = start_on(store.clone(), &regions, &clock).await;
    let request = OrchestrationRequest { timeout: Some(Duration::from_secs(60)), ..everywhere(&["eu"]) };
    let run = first.local_client().submit(&request).await.unwrap();
    sleep(&clock, Duration::from_secs(10)).await;
    first.stop().await;
    sleep(&clock, Duration::from_secs(300)).await;
    let second = start_on(store, &regions, &clock).await;
    let summary = second.local_client().wait(&run, Duration::from_secs(5)).await.unwrap();
    assert_eq!(summary.state, RunState::TimedOut);
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_try_that_was_under_way_is_made_again() {
    let clock = SimClock::new();
    let store = MemoryStore::default();
    let good = Scripted::answering(ResultState::Pass);
    let moody = |second: ResultState| {
        Scripted::new(move |call| async move {
            match (call.number, second) {
                (1, _) => Ok(all(&call, ResultState::Fail)),
                (_, ResultState::Pass) => Ok(all(&call, ResultState::Pass)),
                _ => std::future::pending().await,
            }
        })
    };
    let stuck = moody(ResultState::Error);
    let first = start_on(store.clone(), &[("a", &good), ("b", &good), ("c", &stuck)], &clock).await;
    let run = first.local_client().submit(&everywhere(&["a", "b", "c"])).await.unwrap();
    sleep(&clock, Duration::from_secs(5)).await;
    first.stop().await;
    let well = moody(ResultState::Pass);
    let second = start_on(store, &[("a", &good), ("b", &good), ("c", &well)], &clock).await;
    let summary = second.local_client().wait(&run, LONG).await.unwrap();
    assert_eq!(well.keys(), stuck.keys()[1..]);
    assert_eq!((good.keys().len(), summary.summary.passed), (2, 3));
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_store_delays_a_run_and_loses_nothing_of_it() {
    for seed in 0..8 {
        let clock = SimClock::new();
        let faults = StoreFaults {
            unavailable: 0.2,
            unknown_applied: 0.1,
            unknown_dropped: 0.1,
            ..StoreFaults::none()
        };
        let store = FaultyStore::new(
            MemoryStore::default(),
            clock.clone(),
            SeededRandom::new(seed),
            StoreFaults::none(),
        );
        let slow = Scripted::after(&clock, Duration::from_secs(1));
        let orchestrator = start_on(store.clone(), &[("eu", &slow)], &clock).await;
        let client = orchestrator.local_client();
        let request = OrchestrationRequest { concurrency: Some(3), ..pages("eu", 30) };
        let run = client.submit(&request).await.unwrap();
        store.set(faults);
        sleep(&clock, Duration::from_secs(300)).await;
        store.set(StoreFaults::none());
        let summary = client.wait(&run, LONG).await.unwrap();
        assert_eq!(
            summary.summary,
            SummaryCounts { total: 30, passed: 30, failed: 0, errored: 0 },
            "seed {seed}"
        );
        assert_eq!(slow.keys().len(), 30, "seed {seed}");
        let told: Vec<_> = client.follow(&run, EventCursor::START).try_collect().await.unwrap();
        assert_eq!(told.len(), 61, "seed {seed}");
        orchestrator.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_of_which_nobody_knows_whether_it_was_written_is_one_run_that_is_driven() {
    for seed in 0..8 {
        let clock = SimClock::new();
        let faults = StoreFaults { unknown_applied: 0.3, unknown_dropped: 0.3, ..StoreFaults::none() };
        let none = StoreFaults::none();
        let store = FaultyStore::new(MemoryStore::default(), clock.clone(), SeededRandom::new(seed), none);
        let good = Scripted::answering(ResultState::Pass);
        let orchestrator = start_on(store.clone(), &[("eu", &good)], &clock).await;
        let client = orchestrator.local_client();
        store.set(faults);
        let mut accepted = Vec::new();
        for _ in 0..10 {
            accepted.extend(client.submit(&everywhere(&["eu"])).await.ok());
        }
        store.set(StoreFaults::none());
        assert!(accepted.len() >= 5, "seed {seed}: {accepted:?}");
        for run in accepted {
            assert_eq!(client.wait(&run, LONG).await.unwrap().summary.passed, 1, "seed {seed}");
        }
        orchestrator.stop().await;
    }
}
