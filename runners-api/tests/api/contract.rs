//! The calls of an existing public client, as it makes them: it must manage our control plane
//! unchanged.

use crate::stage::{Stage, read, token};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn members(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

const POOL: &[&str] = &[
    "id",
    "name",
    "description",
    "isActive",
    "poolKind",
    "isShared",
    "cloudRegion",
    "scaleSetResourceId",
    "minRunners",
    "maxRunners",
    "slotsPerRunner",
];
const RUNNER: &[&str] =
    &["id", "poolId", "name", "status", "maxConcurrency", "availableSlots", "lastHeartbeatUtc"];

fn has(value: &Value, names: &[&str]) {
    let missing: Vec<_> = names.iter().filter(|name| !members(value).contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?} missing in {value}");
}

#[tokio::test]
async fn a_pool_is_made_listed_and_deleted() {
    let stage = Stage::open().await;
    let asked = json!({
        "name": "eu", "description": "machines in Europe", "poolKind": "vmss", "isShared": false,
        "cloudRegion": "westeurope", "scaleSetResourceId": "/subscriptions/1", "minRunners": 1,
        "maxRunners": 5, "slotsPerRunner": 2,
    });
    let made = stage.post("/self-hosted/pools", asked.clone()).await;
    has(&made, POOL);
    for (name, value) in asked.as_object().unwrap() {
        assert_eq!(&made[name], value, "{name}");
    }
    let listed = stage.get("/self-hosted/pools").await;
    assert!(listed.as_array().unwrap().contains(&made), "{listed}");

    let path = format!("/self-hosted/pools/{}", made["id"].as_str().unwrap());
    assert_eq!(stage.call(Method::DELETE, &path, b'a', None).await, (204, Value::String(String::new())));
    let (code, problem) = stage.call(Method::GET, &path, b'a', None).await;
    assert_eq!((code, problem["code"].as_str()), (404, Some("not_found")));
    assert!(problem["error"].as_str().unwrap().contains("there is no pool"), "{problem}");
}

#[tokio::test]
async fn a_token_is_shown_once_with_its_mode_and_uses() {
    let stage = Stage::open().await;
    let pool = stage.post("/self-hosted/pools", json!({ "name": "eu" })).await["id"].clone();
    let path = format!("/self-hosted/pools/{}/registration-tokens", pool.as_str().unwrap());
    for (asked, mode, uses) in [
        (json!({}), "single_use", json!(1)),
        (json!({ "tokenMode": "single_use" }), "single_use", json!(1)),
        (json!({ "tokenMode": "multi_use", "maxUses": 7 }), "multi_use", json!(7)),
        (json!({ "tokenMode": "multi_use" }), "multi_use", Value::Null),
    ] {
        let issued = stage.post(&path, asked).await;
        assert_eq!(
            (&issued["poolId"], &issued["tokenMode"], &issued["maxUses"]),
            (&pool, &json!(mode), &uses)
        );
        assert!(issued["token"].as_str().unwrap().starts_with("rreg_"), "{issued}");
        let expires = issued["expiresAtUtc"].as_str().unwrap();
        assert!(expires.ends_with('Z') && expires.contains('T'), "{expires}");
    }
    let listed = stage.get(&path).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 4);
    assert!(!listed.to_string().contains("rreg_"), "{listed}");

    let token = listed["items"][0]["id"].as_str().unwrap();
    let (code, _) = stage.call(Method::DELETE, &format!("{path}/{token}"), b'a', None).await;
    assert_eq!(code, 204);
    assert_eq!(stage.get(&path).await["items"][0]["isRevoked"], true);
}

#[tokio::test]
async fn a_runner_is_listed_drained_and_resumed() {
    let stage = Stage::open().await;
    let runner = stage.runner("hans").await;
    let hans = async || loop {
        let all = stage.get("/self-hosted/runners").await;
        match all.as_array().unwrap().iter().find(|one| one["status"] != "Offline") {
            Some(found) => return found.clone(),
            None => tokio::task::yield_now().await,
        }
    };
    let shown = hans().await;
    has(&shown, RUNNER);
    assert_eq!((&shown["name"], &shown["status"]), (&json!("hans"), &json!("Online")));
    assert_eq!((&shown["maxConcurrency"], &shown["availableSlots"]), (&json!(2), &json!(2)));
    assert!(shown["lastHeartbeatUtc"].is_string(), "{shown}");

    let path = format!("/self-hosted/runners/{}", shown["id"].as_str().unwrap());
    let drain = stage.call(Method::POST, &format!("{path}/drain"), b'a', None).await;
    assert_eq!(drain, (204, Value::String(String::new())));
    assert_eq!(hans().await["status"], "Draining");
    stage.post(&format!("{path}/resume"), None).await;
    assert_eq!(hans().await["status"], "Online");
    runner.kill();
}

#[tokio::test]
async fn either_header_is_a_credential_and_an_error_is_told_in_error() {
    let stage = Stage::open().await;
    let request =
        stage.anonymous(Method::GET, "/self-hosted/pools").header("x-api-key", token(b'a').expose());
    assert_eq!(read(request.send().await.unwrap()).await.0, 200);

    let (code, problem) =
        read(stage.anonymous(Method::GET, "/self-hosted/pools").send().await.unwrap()).await;
    assert_eq!((code, problem["code"].as_str()), (401, Some("unauthorized")));
    assert_eq!(problem["error"], problem["detail"]);
}
