//! What was accepted is driven, whoever hung up and whatever the store did.

use super::*;
use crate::{
    actors::{control_plane::lock, records::Records},
    rules::{
        orchestration::fan_out::fan_out,
        record::{OrchestratedJobsRecord, OrchestrationRecord},
    },
    seams::clock::sleep,
    testing::store::{FaultyStore, StoreFaults},
    values::{
        orchestration::{RunState, SummaryCounts},
        outcome::Conclusion,
    },
};

const RUN: &str = "nightly";

fn nightly() -> OrchestrationRequest {
    OrchestrationRequest { run_id: Some(RUN.to_owned()), ..everywhere(&["eu"]) }
}

/// A store whose batches are answered late, and what is in it.
fn late(clock: &SimClock) -> (FaultyStore, Records) {
    let memory = MemoryStore::default();
    let store = FaultyStore::new(memory.clone(), clock.clone(), SeededRandom::new(5), StoreFaults::none());
    (store, Records::new(Arc::new(memory)))
}

/// Completes once the run stands in the store.
async fn stands(records: &Records, clock: &SimClock) {
    let key = OrchestrationRecord::key_of(TenantId::DEFAULT, RUN);
    while records.load::<OrchestrationRecord>(key.clone()).await.unwrap().is_none() {
        sleep(clock, Duration::from_millis(1)).await;
    }
}

/// Has the run stand in the store of `orchestrator`, and nobody drive it.
async fn left_undriven(orchestrator: &Orchestrator, clock: &SimClock) {
    let elsewhere = start(&[("eu", &Scripted::hanging())], clock).await;
    elsewhere.local_client().submit(&nightly()).await.unwrap();
    let found = elsewhere.shared.find(TenantId::DEFAULT, RUN).await.unwrap().unwrap().record;
    elsewhere.stop().await;
    let pieces = OrchestratedJobsRecord::pieces(found.tenant, found.seed, &fan_out(&nightly()));
    orchestrator.shared.create(&found, &pieces).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_caller_hung_up_while_it_was_written_is_driven() {
    let clock = SimClock::new();
    let (store, records) = late(&clock);
    let good = Scripted::answering(ResultState::Pass);
    let orchestrator = start_on(store.clone(), &[("eu", &good)], &clock).await;
    let (client, request) = (orchestrator.local_client(), nightly());
    store.set(StoreFaults { late: 1.0, late_max: Duration::from_secs(9), ..StoreFaults::none() });
    tokio::select! {
        biased;
        run = client.submit(&request) => panic!("it was answered before it could be seen: {run:?}"),
        () = stands(&records, &clock) => {}
    }
    store.set(StoreFaults::none());
    let summary = client.wait(RUN, LONG).await.unwrap();
    assert_eq!(summary.summary, SummaryCounts { total: 1, passed: 1, failed: 0, errored: 0 });
    assert_eq!(client.submit(&nightly()).await.unwrap(), RUN);
    assert_eq!(good.keys().len(), 1);
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_written_though_nobody_could_find_out_is_driven() {
    let clock = SimClock::new();
    let (store, records) = late(&clock);
    let good = Scripted::answering(ResultState::Pass);
    let orchestrator = start_on(store.clone(), &[("eu", &good)], &clock).await;
    let (client, request) = (orchestrator.local_client(), nightly());
    let (late, late_max) = (1.0, Duration::from_secs(9));
    store.set(StoreFaults { unknown_applied: 1.0, late, late_max, ..StoreFaults::none() });
    let went_away = async {
        stands(&records, &clock).await;
        store.set(StoreFaults::none());
        store.outage(Duration::from_secs(60));
    };
    let (told, ()) = tokio::join!(client.submit(&request), went_away);
    assert!(matches!(told, Err(OrchestratorError::Store(_))), "{told:?}");
    sleep(&clock, Duration::from_secs(120)).await;
    assert_eq!(client.wait(RUN, LONG).await.unwrap().summary.passed, 1);
    assert_eq!(good.keys().len(), 1);
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_again_for_a_run_that_nobody_drives_has_it_driven_once() {
    let clock = SimClock::new();
    let good = Scripted::after(&clock, Duration::from_secs(1));
    let orchestrator = start(&[("eu", &good)], &clock).await;
    left_undriven(&orchestrator, &clock).await;
    let client = orchestrator.local_client();
    let again = futures::future::join_all((0..8).map(|_| async { client.submit(&nightly()).await })).await;
    assert!(again.iter().all(|run| run.as_deref().is_ok_and(|run| run == RUN)), "{again:?}");
    assert_eq!(client.wait(RUN, LONG).await.unwrap().summary.passed, 1);
    assert_eq!(good.keys().len(), 1);
    assert!(lock(&orchestrator.shared.live).is_empty());
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_nobody_drives_is_cancelled_like_any_other() {
    let clock = SimClock::new();
    let hanging = Scripted::hanging();
    let orchestrator = start(&[("eu", &hanging)], &clock).await;
    left_undriven(&orchestrator, &clock).await;
    let told = orchestrator.local_client().cancel(RUN).await.unwrap();
    assert_eq!((told.state, told.conclusion), (RunState::Failed, Some(Conclusion::Cancelled)));
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_displaced_takes_nothing_up() {
    let clock = SimClock::new();
    let store = MemoryStore::default();
    let (first, second) = (Scripted::hanging(), Scripted::hanging());
    let displaced = start_on(store.clone(), &[("eu", &first)], &clock).await;
    let serving = start_on(store, &[("eu", &second)], &clock).await;
    left_undriven(&serving, &clock).await;
    drop(displaced.local_client().submit(&nightly()).await);
    displaced.stopped().await;
    assert!(displaced.is_displaced() && first.keys().is_empty());
    displaced.stop().await;
    serving.stop().await;
}
