//! Regions that are found by their names, and pools that carry checks out as other commands.

use super::*;
use crate::{
    actors::{client::Client, control_plane::ControlPlane},
    seams::{
        checks::{CheckCommand, CheckCommands},
        executor::Attempt,
    },
    values::{
        check::{CheckResult, RunCheck},
        command::Command,
        orchestration::RunState,
        principal::{Principal, Scope},
        request::SubmitRequest,
        result::Fault,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_region_that_was_not_added_is_found_for_whoever_asks() {
    let clock = SimClock::new();
    let added = Scripted::answering(ResultState::Pass);
    let others = TenantId::from_bytes([7; 16]);
    let found = Scripted::answering(ResultState::Fail);
    let finds = found.clone();
    let orchestrator = builder(MemoryStore::default(), &clock)
        .region("added", added.clone())
        .find_regions(move |tenant, name| {
            let is_theirs = tenant == others && name != "nowhere";
            is_theirs.then(|| Arc::new(finds.clone()) as Arc<dyn Region>)
        })
        .start()
        .await
        .unwrap();
    let mut request = everywhere(&["added", "found", "nowhere"]);
    request.options.second_try = false;
    let theirs = ended(&orchestrator.client(others), &request).await;
    assert_eq!((added.keys().len(), found.keys().len()), (1, 1));
    assert_eq!(theirs.jobs[1].results[0].state, ResultState::Fail);
    let told = theirs.jobs[2].error.as_deref().unwrap();
    assert_eq!(told, "region refused: there is no region \"nowhere\"; there is added");
    let ours = ended(&orchestrator.local_client(), &everywhere(&["found"])).await;
    assert_eq!((ours.jobs[0].state, found.keys().len()), (RunState::Failed, 1));
    orchestrator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_is_not_there_is_no_region_and_those_that_there_are_are_named() {
    let clock = SimClock::new();
    let control = ControlPlane::builder(MemoryStore::default()).clock(clock.clone()).start().await.unwrap();
    let client = control.client(TenantId::DEFAULT);
    let own = PoolRegion::new(client.clone(), "gone");
    let orchestrator = builder(MemoryStore::default(), &clock)
        .region("added", own)
        .find_regions(move |_, name| Some(Arc::new(PoolRegion::new(client.clone(), name)) as Arc<dyn Region>))
        .start()
        .await
        .unwrap();
    let mut request = everywhere(&["nowhere", "added"]);
    request.options.second_try = false;
    let summary = ended(&orchestrator.local_client(), &request).await;
    assert_eq!((summary.state, summary.summary.errored), (RunState::Failed, 2));
    let told: Vec<&str> = summary.jobs.iter().map(|job| job.error.as_deref().unwrap()).collect();
    let missing = "there is no pool \"nowhere\"";
    assert!(told[0].contains("there is no region \"nowhere\"") && told[0].contains(missing), "{told:?}");
    assert!(told[0].ends_with("; there is added"), "{told:?}");
    assert_eq!(told[1], "region refused: spec.pool: there is no pool \"gone\"");
    orchestrator.stop().await;
    control.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_region_of_some_tenants_is_none_to_others() {
    let clock = SimClock::new();
    let (ours, everybodys, found) = (
        Scripted::answering(ResultState::Pass),
        Scripted::answering(ResultState::Pass),
        Scripted::answering(ResultState::Fail),
    );
    let other = TenantId::from_bytes([7; 16]);
    let finds = found.clone();
    let orchestrator = builder(MemoryStore::default(), &clock)
        .region_of([TenantId::DEFAULT], "ours", ours.clone())
        .region("everybodys", everybodys.clone())
        .find_regions(move |tenant, name| {
            (tenant == TenantId::from_bytes([9; 16]) && name == "ours")
                .then(|| Arc::new(finds.clone()) as Arc<dyn Region>)
        })
        .start()
        .await
        .unwrap();
    let mut request = everywhere(&["ours", "everybodys"]);
    request.options.second_try = false;
    let theirs = ended(&orchestrator.client(other), &request).await;
    assert_eq!(theirs.summary.passed, 1);
    let told = theirs.jobs[0].error.as_deref().unwrap();
    assert_eq!(told, "region refused: there is no region \"ours\"; there is everybodys");
    assert_eq!(ours.keys().len(), 0, "nobody but its tenant calls it");
    assert_eq!(orchestrator.regions_of(other).collect::<Vec<_>>(), ["everybodys"]);
    assert_eq!(ended(&orchestrator.local_client(), &request).await.summary.passed, 2);
    // A name that is somebody else's may be one of their own.
    ended(&orchestrator.client(TenantId::from_bytes([9; 16])), &request).await;
    assert_eq!((ours.keys().len(), found.keys().len()), (1, 1));
    orchestrator.stop().await;
}

/// What a check of the pool below is carried out as.
#[derive(Serialize, Deserialize)]
struct Greet {
    whom: String,
}

impl Command for Greet {
    const KIND: &'static str = "greet";
    type Result = String;
}

#[derive(Debug)]
struct Greetings;

impl CheckCommands for Greetings {
    fn command(&self, check: &RunCheck) -> Result<Option<CheckCommand>, String> {
        if check.check != "greets" {
            return Ok(None);
        }
        let whom =
            check.input.get("whom").and_then(serde_json::Value::as_str).ok_or("/whom: a text is needed")?;
        let payload = serde_json::to_vec(&Greet { whom: whom.to_owned() }).unwrap();
        Ok(Some(CheckCommand::new(Greet::KIND, payload.into())))
    }

    fn result(&self, check: &str, result: &[u8]) -> Result<CheckResult, String> {
        let said: String = serde_json::from_slice(result).map_err(|error| error.to_string())?;
        let state = if said == "Hello, Ada" { "passed" } else { "failed" };
        let found = json!({ "name": check, "state": state, "message": said, "duration_ms": 1 });
        serde_json::from_value(found).map_err(|error| error.to_string())
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_carries_checks_out_as_the_commands_that_they_have() {
    let clock = SimClock::new();
    let control = ControlPlane::builder(MemoryStore::default()).clock(clock.clone()).start().await.unwrap();
    let greet = |greet: Greet, _: Attempt| async move { Ok::<_, Fault>(format!("Hello, {}", greet.whom)) };
    let runner = control.local_runner("default").executor::<Greet>(greet).clock(clock.clone()).start();
    let region = PoolRegion::new(control.client(TenantId::DEFAULT), "default").with_commands(Greetings);
    let orchestrator = builder(MemoryStore::default(), &clock).region("pool", region).start().await.unwrap();
    let greets =
        |whom: &str| AskedCheck::new("greets", "https://a").in_region("pool").with_input("whom", whom);
    let summary =
        ended(&orchestrator.local_client(), &OrchestrationRequest::remote([greets("Ada"), greets("Bob")]))
            .await;
    let results = &summary.jobs[0].results;
    assert_eq!(results[0].state, ResultState::Pass);
    assert_eq!(
        (results[1].state, results[1].error_message.as_deref()),
        (ResultState::Fail, Some("Hello, Bob"))
    );

    let nobody = AskedCheck::new("greets", "https://a").in_region("pool");
    let refused = ended(&orchestrator.local_client(), &OrchestrationRequest::remote([nobody])).await;
    let told = refused.jobs[0].results[0].error_message.as_deref().unwrap();
    assert_eq!(told, "the input of \"greets\": /whom: a text is needed");
    orchestrator.stop().await;
    runner.drain().await.unwrap();
    control.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_one_check_of_a_pool_spoils_no_other() {
    let clock = SimClock::new();
    let control = ControlPlane::builder(MemoryStore::default()).clock(clock.clone()).start().await.unwrap();
    let greet = |greet: Greet, _: Attempt| async move {
        let more = if greet.whom == "everybody" { 1 << 20 } else { 0 };
        Ok::<_, Fault>(format!("Hello, {}{}", greet.whom, "!".repeat(more)))
    };
    let runner = control.local_runner("default").executor::<Greet>(greet).clock(clock.clone()).start();
    // Without an artifact store, nothing is sent and nothing is had that is too large to travel.
    let principal = Principal::Api { tenant: TenantId::DEFAULT, scopes: Scope::ALL.into() };
    let client = Client::builder(control.caller(principal)).clock(clock.clone()).build();
    let region = PoolRegion::new(client, "default").with_commands(Greetings);
    let orchestrator = builder(MemoryStore::default(), &clock).region("pool", region).start().await.unwrap();
    let greets = || AskedCheck::new("greets", "https://a").in_region("pool");
    let whole = "x".repeat(SubmitRequest::PAYLOAD_BYTES_MAX);
    let asked = [
        greets().with_input("whom", "Ada"),
        greets(),
        greets().with_input("whom", "everybody"),
        greets().with_input("whom", whole),
    ];
    let summary = ended(&orchestrator.local_client(), &OrchestrationRequest::remote(asked)).await;
    let results = &summary.jobs[0].results;
    let told: Vec<_> = results.iter().map(|result| result.error_message.as_deref().unwrap()).collect();
    assert_eq!((results[0].state, told[0]), (ResultState::Pass, "Hello, Ada"));
    assert_eq!(told[1], "the input of \"greets\": /whom: a text is needed");
    assert!(told[2].starts_with("result of job_"), "{}", told[2]);
    assert!(told[3].starts_with("command has "), "{}", told[3]);
    assert!(results[1..].iter().all(|result| result.state == ResultState::Error));
    orchestrator.stop().await;
    runner.drain().await.unwrap();
    control.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_panics_while_a_region_is_looked_for_is_told_of_its_job_and_the_run_ends() {
    let clock = SimClock::new();
    let good = Scripted::answering(ResultState::Pass);
    let orchestrator = builder(MemoryStore::default(), &clock)
        .region("good", good.clone())
        .find_regions(|_, name| panic!("no map of {name}"))
        .start()
        .await
        .unwrap();
    let mut request = everywhere(&["good", "far"]);
    request.options.second_try = false;
    let summary = ended(&orchestrator.local_client(), &request).await;
    assert_eq!(summary.summary.passed, 1);
    let told = summary.jobs[1].error.as_deref().unwrap();
    assert!(told.ends_with("the call panicked: no map of far"), "{told}");
    orchestrator.stop().await;
}
