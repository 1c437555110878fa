//! Requests under an `Idempotency-Key`: a repeat makes nothing.

use crate::stage::{Stage, read};
use reqwest::Method;
use serde_json::{Value, json};

async fn post(stage: &Stage, path: &str, key: &str, body: Value) -> (u16, Value) {
    let request = stage.request(Method::POST, path, b'z').header("idempotency-key", key);
    let request = request.header("runners-tenant", runners_core::TenantId::DEFAULT.to_string());
    read(request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap())
        .await
}

#[tokio::test]
async fn a_repeat_is_answered_alike_without_the_secret_and_makes_nothing() {
    let stage = Stage::open().await;
    let pool = post(&stage, "/self-hosted/pools", "pool", json!({ "name": "eu" })).await;
    assert_eq!((pool.0, &pool.1["name"]), (201, &json!("eu")));
    let in_pool = format!("/self-hosted/pools/{}", pool.1["id"].as_str().unwrap());
    let (tokens, runners) = (format!("{in_pool}/registration-tokens"), format!("{in_pool}/runners"));
    for (path, body, secret) in [
        ("/self-hosted/pools", json!({ "name": "us" }), ""),
        (&*tokens, json!({}), "token"),
        (&runners, json!({ "name": "hans" }), "token"),
        ("/credentials", json!({ "name": "ci", "scopes": ["read"] }), "token"),
        ("/tenants", json!({ "name": "acme" }), ""),
        ("/webhooks", json!({ "url": "https://hooks.example.com/a" }), "secret"),
    ] {
        let (code, mut first) = post(&stage, path, path, body.clone()).await;
        assert_eq!(code, 201, "{path}: {first}");
        let again = post(&stage, path, path, body).await;
        if !secret.is_empty() {
            assert!(first[secret].is_string(), "{path}: {first}");
            first[secret] = Value::Null;
        }
        assert_eq!(again, (201, first), "{path}");
    }
    assert_eq!(stage.get("/self-hosted/pools").await.as_array().unwrap().len(), 3);
    assert_eq!(stage.get(&tokens).await["items"].as_array().unwrap().len(), 1);
    assert_eq!(stage.get("/webhooks").await["items"].as_array().unwrap().len(), 1);
    let webhook = stage.get("/webhooks").await["items"][0]["id"].as_str().unwrap().to_owned();
    let rotate = format!("/webhooks/{webhook}/rotate-secret");
    assert!(post(&stage, &rotate, "rotate", json!({})).await.1["secret"].is_string());
    assert_eq!(post(&stage, &rotate, "rotate", json!({})).await.1["secret"], Value::Null);
}

#[tokio::test]
async fn jobs_and_signals_have_the_same_ids_again() {
    let stage = Stage::open().await;
    let job = json!({ "kind": "shout", "payload": "a" });
    let asked = json!({ "jobs": [job, job] });
    let (_, first) = post(&stage, "/jobs", "k", asked.clone()).await;
    assert_ne!(first["jobs"][0]["id"], first["jobs"][1]["id"]);
    let (_, again) = post(&stage, "/jobs", "k", asked).await;
    assert_eq!(again["jobs"][0]["outcome"], "repeated");
    assert_eq!(
        (&again["jobs"][0]["id"], &again["jobs"][1]["id"]),
        (&first["jobs"][0]["id"], &first["jobs"][1]["id"])
    );
    assert_eq!(stage.get("/jobs").await["items"].as_array().unwrap().len(), 2);

    let cancel = format!("/jobs/{}/cancel", first["jobs"][0]["id"].as_str().unwrap());
    stage.post(&cancel, None).await;
    let retry = cancel.replace("/cancel", "/retry");
    let (code, once_more) = post(&stage, &retry, "r", json!({})).await;
    assert_eq!(code, 201, "{once_more}");
    assert_eq!(post(&stage, &retry, "r", json!({})).await.1["id"], once_more["id"]);
}

#[tokio::test]
async fn tenants_that_chose_the_same_key_have_ids_of_their_own() {
    let stage = Stage::open().await;
    let asked = json!({ "jobs": [{ "kind": "shout", "payload": "a" }] });
    let (_, ours) = post(&stage, "/jobs", "nightly", asked.clone()).await;
    let pool = Some(json!({ "name": "default" }));
    assert_eq!(stage.call(Method::POST, "/self-hosted/pools", b'o', pool).await.0, 201);
    let request = stage.request(Method::POST, "/jobs", b'o').header("idempotency-key", "nightly");
    let request = request.header("content-type", "application/json").body(asked.to_string());
    let (code, theirs) = read(request.send().await.unwrap()).await;
    assert_eq!((code, &theirs["jobs"][0]["outcome"]), (200, &json!("accepted")));
    assert_ne!(ours["jobs"][0]["id"], theirs["jobs"][0]["id"]);
}

#[tokio::test]
async fn another_submit_under_the_key_is_refused_and_queues_nothing() {
    let stage = Stage::open().await;
    let asked = |texts: &[&str]| {
        let jobs: Vec<_> = texts.iter().map(|text| json!({ "kind": "shout", "payload": text })).collect();
        json!({ "jobs": jobs })
    };
    assert_eq!(post(&stage, "/jobs", "k", asked(&[])).await.0, 400);
    let (_, first) = post(&stage, "/jobs", "k", asked(&["a", "b"])).await;
    for other in [&["b", "a"][..], &["a"], &["a", "b", "c"]] {
        let (code, problem) = post(&stage, "/jobs", "k", asked(other)).await;
        assert_eq!((code, &problem["code"]), (422, &json!("idempotency_key_reused")), "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("another request was made under this key: choose a new one"), "{problem}");
    }
    let ended = format!("/jobs/{}", first["jobs"][0]["id"].as_str().unwrap());
    stage.post(&format!("{ended}/cancel"), None).await;
    assert_eq!(post(&stage, &format!("{ended}/retry"), "k", json!({})).await.0, 422);
    assert_eq!(post(&stage, "/self-hosted/pools", "k", json!({ "name": "eu" })).await.0, 422);
    assert_eq!(post(&stage, "/jobs", "k", asked(&["a", "b"])).await.1["jobs"][1]["outcome"], "repeated");
    assert_eq!(stage.get("/jobs").await["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn another_request_under_the_key_is_refused_and_a_bad_key_is_named_with_its_limit() {
    let stage = Stage::open().await;
    let pools = "/self-hosted/pools";
    assert_eq!(post(&stage, pools, "k", json!({ "name": "eu" })).await.0, 201);
    let (code, problem) = post(&stage, pools, "k", json!({ "name": "us" })).await;
    assert_eq!((code, &problem["code"]), (422, &json!("idempotency_key_reused")), "{problem}");
    assert_eq!(post(&stage, "/tenants", "other", json!({ "name": "eu" })).await.0, 201);
    let (code, _) = post(&stage, "/tenants", "k", json!({ "name": "eu" })).await;
    assert_eq!(code, 422, "another path is another request");
    for key in ["", "ä", &"k".repeat(256)] {
        let (code, problem) = post(&stage, pools, key, json!({ "name": "us" })).await;
        assert_eq!((code, &problem["path"]), (400, &json!("Idempotency-Key")), "{key:?}");
        assert_eq!(problem["limit"], 255);
        assert!(problem["detail"].as_str().unwrap().contains("printable ASCII"), "{problem}");
    }
    assert_eq!(stage.get(pools).await.as_array().unwrap().len(), 2);
}
