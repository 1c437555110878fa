//! What is measured of runs and of the regions that they call.

use super::*;
use crate::{
    seams::{
        clock::sleep,
        metrics::{Instrument, orchestrator as instruments},
    },
    testing::metrics::RecordedMetrics,
};

/// The values of one attribute of every measurement of an instrument, in order.
fn told(metrics: &RecordedMetrics, instrument: &'static Instrument, names: [&str; 2]) -> Vec<String> {
    let value =
        |name, one: &crate::testing::metrics::Measurement| one.attribute(name).unwrap_or("-").to_owned();
    let mut told: Vec<String> = metrics
        .of(instrument)
        .iter()
        .map(|one| format!("{} {} {}", value(names[0], one), value(names[1], one), one.value))
        .collect();
    told.sort();
    told
}

/// A region that is left alone.
#[derive(Debug)]
struct LeftAlone;

#[async_trait]
impl Region for LeftAlone {
    async fn execute(&self, _: RegionCall) -> Answered {
        Err(RegionError::retry_later(None, "not now"))
    }
    fn is_left_alone(&self) -> bool {
        true
    }
}

#[tokio::test(start_paused = true)]
async fn runs_and_calls_are_measured_by_how_they_end() {
    let (clock, metrics) = (SimClock::new(), RecordedMetrics::default());
    let refuses = Scripted::new(|_| async { Err(RegionError::refused("no")) });
    let orchestrator = builder(MemoryStore::default(), &clock)
        .metrics(metrics.clone())
        .region("eu", Scripted::after(&clock, Duration::from_secs(3)))
        .region("no", refuses)
        .region("away", LeftAlone)
        .start()
        .await
        .unwrap();
    let client = orchestrator.local_client();
    let mut request = everywhere(&["eu", "no", "away"]);
    (request.options.retries, request.options.second_try) = (1, false);
    let run = client.submit(&request).await.unwrap();
    // The first look was before there was a run, and the next is while one call takes its time.
    sleep(&clock, Duration::from_secs(2)).await;
    assert_eq!(metrics.sum(&instruments::RUNS_SUBMITTED), 1.0);
    client.wait(&run, LONG).await.unwrap();
    let names = ["region", "end"];
    let ends = told(&metrics, &instruments::CALLS_ENDED, names);
    assert_eq!(ends, ["away put_off 1", "away put_off 1", "eu answered 1", "no refused 1"]);
    assert_eq!(told(&metrics, &instruments::CALL_DURATION, names), ["eu - 3"]);
    let found = told(&metrics, &instruments::CHECKS_FOUND, ["region", "found"]);
    assert_eq!(found, ["away error 1", "eu pass 1", "no error 1"]);
    assert_eq!(told(&metrics, &instruments::RUNS_ENDED, ["conclusion", "-"]), ["errored - 1"]);
    assert_eq!(metrics.of(&instruments::RUN_DURATION).len(), 1);
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_and_who_is_left_alone_is_looked_at_again_and_again() {
    let (clock, metrics) = (SimClock::new(), RecordedMetrics::default());
    let orchestrator = builder(MemoryStore::default(), &clock)
        .metrics(metrics.clone())
        .region("slow", Scripted::hanging())
        .region("away", LeftAlone)
        .start()
        .await
        .unwrap();
    let client = orchestrator.local_client();
    let run = client.submit(&pages("slow", 3)).await.unwrap();
    sleep(&clock, Duration::from_secs(11)).await;
    assert_eq!(metrics.last(&instruments::RUNS_ACTIVE), Some(1.0));
    assert_eq!(metrics.last(&instruments::CALLS_ACTIVE), Some(3.0));
    let left = told(&metrics, &instruments::REGION_LEFT_ALONE, ["region", "-"]);
    assert_eq!((&left[0][..], &left.last().unwrap()[..]), ("away - 1", "slow - 0"));
    client.cancel(&run).await.unwrap();
    sleep(&clock, Duration::from_secs(11)).await;
    assert_eq!(metrics.last(&instruments::RUNS_ACTIVE), Some(0.0));
    assert_eq!(metrics.last(&instruments::CALLS_ACTIVE), Some(0.0), "what was given up is not under way");
    assert_eq!(told(&metrics, &instruments::RUNS_ENDED, ["conclusion", "-"]), ["cancelled - 1"]);
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_found_has_a_name_in_measurements_once_it_has_reached_a_verdict() {
    let (clock, metrics) = (SimClock::new(), RecordedMetrics::default());
    let there = Scripted::answering(ResultState::Fail);
    let nobody = Scripted::answering(ResultState::Error);
    let orchestrator = builder(MemoryStore::default(), &clock)
        .metrics(metrics.clone())
        .local(Scripted::answering(ResultState::Pass))
        .find_regions(move |_, name| {
            let found = if name == "pool" { there.clone() } else { nobody.clone() };
            Some(Arc::new(found) as Arc<dyn Region>)
        })
        .start()
        .await
        .unwrap();
    let client = orchestrator.local_client();
    let mut request = everywhere(&["pool", "drawn-at-random"]);
    request.options.second_try = false;
    ended(&client, &request).await;
    ended(&client, &OrchestrationRequest::local([AskedCheck::new("up", "https://a.example")])).await;
    let found = told(&metrics, &instruments::CHECKS_FOUND, ["region", "found"]);
    assert_eq!(found, ["local mode pass 1", "other error 1", "pool fail 1"]);
    orchestrator.stop().await;
}
