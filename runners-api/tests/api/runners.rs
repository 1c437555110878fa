//! Runners: drained with a reason and a time, shown, changed and removed.

use crate::stage::Stage;
use reqwest::Method;
use runners_core::RunnerId;
use serde_json::{Value, json};

/// The path of the runner that is there, once it has spoken.
async fn there(stage: &Stage) -> String {
    loop {
        let all = stage.get("/self-hosted/runners").await;
        match all.as_array().unwrap().iter().find(|one| one["status"] != "Offline") {
            Some(found) => return format!("/self-hosted/runners/{}", found["id"].as_str().unwrap()),
            None => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test]
async fn a_drain_has_a_reason_and_a_time_and_is_over_when_it_is_resumed() {
    let stage = Stage::open().await;
    let runner = stage.runner("hans").await;
    let path = there(&stage).await;
    stage.post(&format!("{path}/drain"), json!({ "note": "new kernel", "withinSeconds": 600 })).await;
    let shown = stage.get(&path).await;
    assert_eq!((&shown["status"], &shown["note"]), (&json!("Draining"), &json!("new kernel")));
    assert!(shown["drainByUtc"].is_string() && shown["isRetiring"] == json!(false), "{shown}");
    while stage.get(&path).await["isDrained"] != json!(true) {
        tokio::task::yield_now().await;
    }
    stage.post(&format!("{path}/resume"), None).await;
    let shown = stage.get(&path).await;
    assert_eq!((&shown["note"], &shown["drainByUtc"]), (&Value::Null, &Value::Null));
    for (body, field) in [
        (json!({ "note": "x".repeat(501) }), "note"),
        (json!({ "withinSeconds": 30 * 24 * 3600 + 1 }), "withinSeconds"),
        (json!({ "withinSeconds": "1" }), "withinSeconds"),
        (json!({ "why": "x" }), "why"),
    ] {
        let (code, problem) = stage.call(Method::POST, &format!("{path}/drain"), b'a', body).await;
        assert_eq!((code, &problem["path"]), (400, &json!(field)), "{problem}");
    }
    runner.kill();
}

#[tokio::test]
async fn a_runner_is_renamed_limited_and_tells_of_its_system() {
    let stage = Stage::open().await;
    let runner = stage.runner("hans").await;
    let path = there(&stage).await;
    let change = json!({ "name": "grete", "slots": 1 });
    let (code, changed) = stage.call(Method::PATCH, &path, b'a', change).await;
    assert_eq!((code, &changed["name"], &changed["maxConcurrency"]), (200, &json!("grete"), &json!(1)));
    stage.call(Method::PATCH, &path, b'a', json!({ "slots": null })).await;
    // It says itself how many it has.
    let lifted = loop {
        let shown = stage.get(&path).await;
        match shown["maxConcurrency"] == json!(2) {
            true => break shown,
            false => tokio::task::yield_now().await,
        }
    };
    assert_eq!(lifted["name"], "grete");

    let system = stage.get(&format!("{path}/system")).await;
    assert_eq!((&system["isKnown"], &system["ownSlots"]), (&json!(true), &json!(2)));
    assert_eq!(system["os"], std::env::consts::OS);
    assert!(system["kinds"].as_array().unwrap().contains(&json!("shout")), "{system}");

    let path = "/self-hosted/pools/pool_00000000000000000000000000000001/runners";
    let advance = stage.post(path, json!({ "name": "later" })).await;
    let path = format!("/self-hosted/runners/{}/system", advance["runner"]["id"].as_str().unwrap());
    assert_eq!(stage.get(&path).await["isKnown"], false);
    assert_eq!(stage.call(Method::GET, &path, b'o', None).await.0, 404);
    runner.kill();
}

#[tokio::test]
async fn a_runner_is_removed_at_once_or_once_it_has_drained() {
    let stage = Stage::open().await;
    let gentle = stage.runner("gentle").await;
    let path = there(&stage).await;
    let (code, problem) = stage.call(Method::DELETE, &format!("{path}?withinSeconds=5"), b'a', None).await;
    assert_eq!((code, &problem["path"]), (400, &json!("withinSeconds")));
    assert_eq!(stage.call(Method::DELETE, &format!("{path}?force=maybe"), b'a', None).await.0, 400);
    let (code, _) = stage.call(Method::DELETE, &format!("{path}?force=false"), b'a', None).await;
    assert_eq!(code, 202);
    gentle.stopped().await;
    while stage.call(Method::GET, &path, b'a', None).await.0 != 404 {
        tokio::task::yield_now().await;
    }

    let at_once = stage.runner("at once").await;
    let path = there(&stage).await;
    assert_eq!(stage.call(Method::DELETE, &path, b'r', None).await.0, 403);
    assert_eq!(stage.call(Method::DELETE, &path, b'a', None).await.0, 204);
    assert_eq!(stage.call(Method::GET, &path, b'a', None).await.0, 404);
    at_once.kill();
}

#[tokio::test]
async fn a_runner_that_is_shut_down_exits() {
    let stage = Stage::open().await;
    let runner = stage.runner("hans").await;
    let path = there(&stage).await;
    let shut_down = format!("{path}/shut-down");
    let nobodys = format!("/self-hosted/runners/{}/shut-down", RunnerId::from_bytes([7; 16]));
    assert_eq!(stage.call(Method::POST, &nobodys, b'a', None).await.0, 404);
    stage.post(&shut_down, json!({ "note": "the machine is needed" })).await;
    runner.stopped().await;
}

#[tokio::test]
async fn runners_are_listed_by_how_they_are() {
    let stage = Stage::open().await;
    let runner = stage.runner("hans").await;
    let path = there(&stage).await;
    let pool = "/self-hosted/pools/pool_00000000000000000000000000000001/runners";
    stage.post(pool, json!({ "name": "later" })).await;
    let names = async |status: &str| {
        let listed = stage.get(&format!("/self-hosted/runners?status={status}")).await;
        listed
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("Online").await, ["hans"]);
    assert_eq!(names("Offline").await, ["later"]);
    stage.post(&format!("{path}/drain"), None).await;
    assert_eq!((names("Draining").await, names("Online").await), (vec!["hans".to_owned()], Vec::new()));
    let (code, problem) = stage.call(Method::GET, "/self-hosted/runners?status=lost", b'a', None).await;
    assert_eq!((code, &problem["path"]), (400, &json!("status")), "{problem}");
    runner.kill();
}
