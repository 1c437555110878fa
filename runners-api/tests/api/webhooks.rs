//! Webhooks: made, shown, given another secret and deleted, and what they could not be told.

use crate::stage::Stage;
use reqwest::Method;
use runners_core::{SIGNATURE_HEADER, Secret, Timestamp, WebhookCall, WebhookId, verify_webhook};
use serde_json::{Value, json};
use std::time::Duration;

async fn submit(stage: &Stage) {
    stage.post("/jobs", json!({ "jobs": [{ "kind": "shout", "payload": "a" }] })).await;
}

#[tokio::test]
async fn a_webhook_is_made_shown_and_deleted_and_its_secret_is_shown_once() {
    let stage = Stage::open().await;
    let asked = json!({ "url": "https://hooks.example.com/a", "events": ["concluded"] });
    let made = stage.post("/webhooks", asked).await;
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"), "{made}");
    let path = format!("/webhooks/{}", made["id"].as_str().unwrap());
    let shown = stage.get(&path).await;
    assert_eq!((&shown["url"], &shown["events"]), (&made["url"], &json!(["concluded"])));
    let listed = stage.get("/webhooks").await;
    assert_eq!(listed["items"], json!([shown]));
    assert!(!listed.to_string().contains(secret) && !shown.to_string().contains(secret));

    let given = json!({ "secret": "a secret of their own" });
    let rotated = stage.post(&format!("{path}/rotate-secret"), given.clone()).await;
    assert_eq!((&rotated["secret"], &rotated["id"]), (&given["secret"], &made["id"]));
    let drawn = stage.post(&format!("{path}/rotate-secret"), None).await;
    assert!(drawn["secret"].as_str().unwrap() != secret && drawn["secret"] != given["secret"]);

    let theirs = stage.call(Method::GET, &path, b'o', None).await;
    let nothing = format!("/webhooks/{}", WebhookId::from_bytes([7; 16]));
    assert_eq!((theirs.0, stage.call(Method::GET, &nothing, b'o', None).await.0), (404, 404));
    assert_eq!(stage.call(Method::DELETE, &path, b'r', None).await.0, 403);
    assert_eq!(stage.call(Method::DELETE, &path, b'a', None).await.0, 204);
    assert_eq!(stage.call(Method::GET, &path, b'a', None).await.0, 404);
}

#[tokio::test]
async fn what_is_wrong_with_a_webhook_is_told_with_its_path() {
    let stage = Stage::open().await;
    for (body, path) in [
        (json!({ "url": "ftp://a" }), "url"),
        (json!({ "url": "https://a", "events": ["done"] }), "events"),
        (json!({ "url": "https://a", "secret": "short" }), "secret"),
        (json!({ "url": "https://a", "colour": 1 }), "colour"),
        (json!({ "events": [] }), ""),
    ] {
        let (code, problem) = stage.call(Method::POST, "/webhooks", b'a', body).await;
        assert_eq!((code, problem["path"].as_str().unwrap_or_default()), (400, path), "{problem}");
    }
    let (code, problem) = stage.call(Method::GET, "/webhook-deliveries?state=late", b'a', None).await;
    assert_eq!((code, &problem["path"]), (400, &json!("state")));
}

#[tokio::test]
async fn a_delivery_that_did_not_succeed_is_listed_and_made_again_under_the_new_secret() {
    let stage = Stage::open().await;
    let asked = json!({ "url": "https://hooks.example.com/a", "events": ["ready"] });
    let made = stage.post("/webhooks", asked).await;
    submit(&stage).await;
    let delivery = loop {
        let listed = stage.get("/webhook-deliveries").await;
        match listed["items"].as_array().unwrap().iter().find(|one| one["tries"] != json!(0)) {
            Some(one) if one["problem"].is_string() => break one.clone(),
            _ => tokio::task::yield_now().await,
        }
    };
    assert_eq!(delivery["webhookId"], made["id"]);
    assert!(delivery["problem"].as_str().unwrap().contains("503"), "{delivery}");
    assert_eq!(stage.get("/webhook-deliveries?state=given_up").await["items"], json!([]));

    let rotate = format!("/webhooks/{}/rotate-secret", made["id"].as_str().unwrap());
    let secret = stage.post(&rotate, None).await["secret"].as_str().unwrap().to_owned();
    let again = format!("/webhook-deliveries/{}/redeliver", delivery["id"].as_str().unwrap());
    assert_eq!(stage.call(Method::POST, &again, b'a', None).await, (202, Value::String(String::new())));
    // Tries that it makes by itself may come between.
    loop {
        let calls = stage.hooks.0.lock().unwrap().clone();
        if let Some(call) = calls.iter().find(|call| proves(call, &secret)) {
            assert!(!proves(call, made["secret"].as_str().unwrap()));
            break;
        }
        tokio::task::yield_now().await;
    }
}

/// Whether a call was signed with this secret.
fn proves(call: &WebhookCall, secret: &str) -> bool {
    let signature = &call.headers.iter().find(|(name, _)| *name == SIGNATURE_HEADER).unwrap().1;
    let at = signature.strip_prefix("t=").unwrap().split(',').next().unwrap().parse::<u64>().unwrap();
    let at = Timestamp::from_millis(at * 1000);
    verify_webhook(&Secret::from_text(secret), signature, &call.body, at, Duration::from_secs(1))
}
