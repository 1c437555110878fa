//! Checks of a pool that no runner begins: given up where nobody knows them, else explained.

use super::*;
use crate::{
    actors::control_plane::ControlPlane,
    seams::{
        checks::{CheckCommand, CheckCommands},
        clock::sleep,
        executor::Attempt,
    },
    values::{
        check::{CheckResult, RunCheck},
        command::Command,
        event::EventCursor,
        job::JobOptions,
        orchestration::{RunHappening, RunState},
        result::Fault,
    },
};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What the check `flows` is carried out as.
#[derive(Serialize, Deserialize)]
struct Flow;

impl Command for Flow {
    const KIND: &'static str = "flow";
    type Result = String;
}

#[derive(Debug)]
struct Flows;

impl CheckCommands for Flows {
    fn command(&self, check: &RunCheck) -> Result<Option<CheckCommand>, String> {
        Ok((check.check == "flows").then(|| CheckCommand::new(Flow::KIND, "null".into())))
    }
    fn result(&self, check: &str, _: &[u8]) -> Result<CheckResult, String> {
        serde_json::from_value(json!({ "name": check, "state": "passed", "duration_ms": 1 }))
            .map_err(|error| error.to_string())
    }
    fn names(&self) -> Vec<String> {
        vec!["flows".to_owned()]
    }
}

async fn pool(clock: &SimClock) -> (ControlPlane, Orchestrator) {
    let control = ControlPlane::builder(MemoryStore::default()).clock(clock.clone()).start().await.unwrap();
    let options = JobOptions { queue_ttl: Some(Duration::from_secs(3600)), ..JobOptions::default() };
    let region = PoolRegion::with_options(control.local_client(), options).with_commands(Flows);
    let orchestrator = builder(MemoryStore::default(), clock).region("pool", region).start().await.unwrap();
    (control, orchestrator)
}

async fn replay(_: Flow, _: Attempt) -> Result<String, Fault> {
    Ok("done".to_owned())
}

fn checks(names: &[&str]) -> OrchestrationRequest {
    let asked = |name: &&str| AskedCheck::new(*name, "https://a").in_region("pool");
    OrchestrationRequest::remote(names.iter().map(asked))
}

#[tokio::test(start_paused = true)]
async fn a_check_that_no_runner_of_a_pool_knows_is_given_up_within_seconds_and_keeps_its_neighbours() {
    let clock = SimClock::new();
    let (control, orchestrator) = pool(&clock).await;
    let runner = control.local_runner("default").executor::<Flow>(replay).clock(clock.clone()).start();
    let began_at = clock.boot();
    let summary = ended(&orchestrator.local_client(), &checks(&["flows", "flwos"])).await;
    assert!(clock.boot().since(began_at) < Duration::from_secs(30), "it waited");
    let [flows, typo] = &summary.jobs[0].results[..] else { panic!("{summary:?}") };
    assert_eq!((flows.state, typo.state), (ResultState::Pass, ResultState::Error));
    let told = typo.error_message.as_deref().unwrap();
    assert!(
        told.starts_with(
            "there is no check \"flwos\" here; there is flows; and no runner of the pool \"default\""
        ),
        "{told}"
    );
    orchestrator.stop().await;
    runner.drain().await.unwrap();
    control.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_check_waits_for_the_first_runner_of_its_pool_and_its_run_tells_so() {
    let clock = SimClock::new();
    let (control, orchestrator) = pool(&clock).await;
    let client = orchestrator.local_client();
    let run = client.submit(&checks(&["flows"])).await.unwrap();
    sleep(&clock, Duration::from_secs(600)).await;
    let job = client.partial_results(&run).await.unwrap().jobs.remove(0);
    assert_eq!(job.state, RunState::Running);
    assert_eq!(job.waits.as_deref(), Some("its pool has no runner: start one"));
    let runner = control.local_runner("default").executor::<Flow>(replay).clock(clock.clone()).start();
    let summary = client.wait(&run, LONG).await.unwrap();
    assert_eq!((summary.summary.passed, summary.jobs[0].waits.as_ref()), (1, None));
    let events: Vec<_> = client.follow(&run, EventCursor::START).collect().await;
    let waits = |what: &RunHappening| match what {
        RunHappening::JobWaits { index: 0, number: 1, why, .. } => Some(why.clone()),
        _ => None,
    };
    let told: Vec<_> = events.iter().filter_map(|event| waits(&event.as_ref().unwrap().1.what)).collect();
    assert_eq!(told[0].as_deref(), Some("its pool has no runner: start one"));
    assert!(told[1..].iter().all(Option::is_none), "what has not changed is not told again: {told:?}");
    orchestrator.stop().await;
    runner.drain().await.unwrap();
    control.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_check_waits_for_a_runner_that_knows_it_and_is_busy_though_others_do_not() {
    let clock = SimClock::new();
    let (control, orchestrator) = pool(&clock).await;
    let takes_a_while = {
        let clock = clock.clone();
        move |command: RunCheck, _: Attempt| {
            let clock = clock.clone();
            async move {
                sleep(&clock, Duration::from_secs(40)).await;
                let found = json!({ "name": command.check, "state": "passed", "duration_ms": 1 });
                Ok::<CheckResult, Fault>(serde_json::from_value(found).unwrap())
            }
        }
    };
    let knows = control.local_runner("default").executor::<RunCheck>(takes_a_while).slots(1);
    let knows = knows.clock(clock.clone()).start();
    let other = control.local_runner("default").executor::<Flow>(replay).clock(clock.clone()).start();
    let client = orchestrator.local_client();
    let run = client.submit(&checks(&["first", "second", "third"])).await.unwrap();
    sleep(&clock, Duration::from_secs(50)).await;
    let waits = client.partial_results(&run).await.unwrap().jobs[0].waits.clone();
    assert_eq!(client.wait(&run, LONG).await.unwrap().summary.passed, 3, "{waits:?}");
    orchestrator.stop().await;
    knows.drain().await.unwrap();
    other.drain().await.unwrap();
    control.stop().await.unwrap();
}
