//! Hosted execution: an environment that leads to the operator's runners, from its routing to the
//! result of a job.

use crate::stage::{OTHER, Shout, Stage};
use reqwest::Method;
use runners_core::{Attempt, Fault, PoolSpec, Principal, Sharing, TenantId};
use serde_json::json;

#[tokio::test]
async fn an_environment_leads_to_hosted_execution_and_shows_nothing_of_it() {
    let stage = Stage::open().await;
    let route = json!({ "executionTarget": "cloud_managed" });
    stage.call(Method::PUT, "/environments/cloud", b'a', route.clone()).await;
    let asked = json!({ "jobs": [{ "kind": "shout", "payload": "hello", "environment": "cloud" }] });
    let refused = stage.post("/jobs", asked.clone()).await;
    let detail = refused["jobs"][0].to_string();
    assert!(detail.contains("leads to hosted execution, and no pool of the operator serves"), "{detail}");

    let sharing = Sharing::With([TenantId::DEFAULT].into());
    let spec = PoolSpec { sharing, ..PoolSpec::new("machines") };
    let pool = stage.control.management(Principal::Operator).create_pool(spec).await.unwrap().id;
    let executor = async |text: Shout, _: Attempt| Ok::<_, Fault>(text.0.to_uppercase());
    let runner = stage.control.hosted_runner("machines").executor(executor).start();
    let submitted = stage.post("/jobs", asked.clone()).await;
    let job = submitted["jobs"][0]["id"].as_str().unwrap().to_owned();
    let events = stage.request(Method::GET, &format!("/jobs/{job}/events"), b'a').send().await.unwrap();
    let told = events.text().await.unwrap();
    let shown = stage.get(&format!("/jobs/{job}")).await;
    assert_eq!((&shown["result"], &shown["pool"]), (&json!("HELLO"), &json!("hosted")));
    for answer in [told, shown.to_string(), stage.get("/self-hosted/pools").await.to_string()] {
        assert!(!answer.contains(&pool.to_string()) && !answer.contains("machines"), "{answer}");
    }
    assert_eq!(stage.get("/self-hosted/runners").await, json!([]));
    assert_eq!(stage.call(Method::GET, &format!("/jobs/{job}"), b'o', None).await.0, 404);

    let (code, _) = stage.call(Method::PUT, "/environments/cloud", b'o', route).await;
    assert_eq!(code, 200);
    let (_, refused) = stage.call(Method::POST, "/jobs", b'o', asked).await;
    assert!(refused["jobs"][0].to_string().contains("no pool of the operator serves"), "{OTHER}: {refused}");
    runner.drain().await.unwrap();
}
