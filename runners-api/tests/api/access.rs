//! Who may do what: scopes, and tenants that are apart.

use crate::stage::{OTHER, Stage, read, token};
use futures::StreamExt as _;
use reqwest::Method;
use runners_core::{PoolId, Token, TokenKind};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_credential_without_the_scope_is_told_which_one_it_takes() {
    let stage = Stage::open().await;
    let (code, problem) = stage.call(Method::POST, "/self-hosted/pools", b'r', json!({ "name": "x" })).await;
    assert_eq!((code, problem["code"].as_str()), (403, Some("forbidden")));
    assert!(problem["detail"].as_str().unwrap().contains("\"admin\""), "{problem}");
    assert_eq!(stage.call(Method::GET, "/self-hosted/pools", b'r', None).await.0, 200);
    assert_eq!(stage.call(Method::GET, "/self-hosted/pools", b's', None).await.0, 403);
}

#[tokio::test]
async fn a_token_of_another_kind_is_named_and_never_looked_up() {
    let stage = Stage::open().await;
    let runner = Token::new(TokenKind::Runner, [1; Token::RANDOM_BYTES]);
    let request = stage.anonymous(Method::GET, "/self-hosted/pools").bearer_auth(runner.expose());
    let (code, problem) = crate::stage::read(request.send().await.unwrap()).await;
    assert_eq!((code, problem["code"].as_str()), (403, Some("wrong_token")));
    assert!(!problem.to_string().contains("0101"), "{problem}");
}

#[tokio::test]
async fn what_belongs_to_another_tenant_is_answered_as_what_does_not_exist() {
    let stage = Stage::open().await;
    let mine = stage.post("/self-hosted/pools", json!({ "name": "mine" })).await["id"].clone();
    let (theirs, nothing) = (mine.as_str().unwrap().to_owned(), PoolId::from_bytes([7; 16]).to_string());
    let answers = async |pool: &str| {
        let path = format!("/self-hosted/pools/{pool}");
        let mut answers = Vec::new();
        for (method, path, body) in [
            (Method::GET, path.clone(), None),
            (Method::PATCH, path.clone(), Some(json!({ "name": "x" }))),
            (Method::DELETE, path.clone(), None),
            (Method::GET, format!("{path}/registration-tokens"), None),
            (Method::POST, format!("{path}/registration-tokens"), Some(json!({}))),
            (Method::POST, format!("{path}/runners"), Some(json!({ "name": "x" }))),
        ] {
            let (code, problem) = stage.call(method, &path, b'o', body).await;
            answers.push((code, problem.to_string().replace(pool, "ID")));
        }
        answers
    };
    let (found, missing) = (answers(&theirs).await, answers(&nothing).await);
    assert_eq!(found, missing);
    assert!(found.iter().all(|(code, _)| *code == 404), "{found:?}");
    assert!(OTHER.to_string().starts_with("tenant_"));
    let listed = stage.call(Method::GET, "/self-hosted/pools", b'o', None).await.1;
    assert!(!listed.to_string().contains(&theirs), "{listed}");
}

#[tokio::test]
async fn a_credential_is_made_used_and_revoked() {
    let stage = Stage::open().await;
    let issued = stage.post("/credentials", json!({ "name": "ci", "scopes": ["read"] })).await;
    let text = issued["token"].as_str().unwrap().to_owned();
    let read = async || {
        let request = stage.anonymous(Method::GET, "/self-hosted/pools").bearer_auth(&text);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(read().await, 200);
    assert!(!stage.get("/credentials").await.to_string().contains(&text));
    let path = format!("/credentials/{}", issued["id"].as_str().unwrap());
    assert_eq!(stage.call(Method::DELETE, &path, b'a', None).await.0, 204);
    assert_eq!(read().await, 401);
    assert!(!format!("{:?}", token(b'a')).contains("6161"));
}

/// Longer than anything takes, and no reason to wait for ever.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_revoked_credential_ends_what_it_follows_and_waits_for() {
    let stage = Stage::open().await;
    let issued = stage.post("/credentials", json!({ "name": "ci", "scopes": ["read"] })).await;
    let text = issued["token"].as_str().unwrap().to_owned();
    let asked = json!({ "jobs": [{ "kind": "shout", "payload": "a" }] });
    let job = stage.post("/jobs", asked).await["jobs"][0]["id"].as_str().unwrap().to_owned();
    let pool = format!("/self-hosted/pools/{}/runners", PoolId::DEFAULT);
    let runner = stage.post(&pool, json!({ "name": "hans" })).await["runner"]["id"].clone();
    let signal = stage.post("/signals", json!({ "runnerId": runner, "kind": "runners.ping" })).await;
    let ask = |path: String| {
        let request = stage.anonymous(Method::GET, &path).bearer_auth(&text).timeout(PATIENCE);
        async move { request.send().await.unwrap() }
    };
    let mut events = ask("/events".into()).await.bytes_stream();
    assert!(events.next().await.is_some(), "the job is there");
    let mut log = ask(format!("/jobs/{job}/log/stream")).await.bytes_stream();
    let parked = ask(format!("/signals/{}?waitMs=20000", signal["id"].as_str().unwrap()));
    let revoke = async {
        // The wait is under way before it is revoked, or else it is refused at once: both end it.
        stage.get("/tenant").await;
        let path = format!("/credentials/{}", issued["id"].as_str().unwrap());
        assert_eq!(stage.call(Method::DELETE, &path, b'a', None).await.0, 204);
    };
    let (parked, ()) = futures::join!(parked, revoke);
    let (code, problem) = read(parked).await;
    assert_eq!((code, &problem["code"]), (401, &json!("unauthorized")), "{problem}");
    // Without it they would go on for longer than anybody waits here.
    while let Some(more) = log.next().await {
        more.unwrap();
    }
    while let Some(more) = events.next().await {
        more.unwrap();
    }
}

#[tokio::test]
async fn a_source_with_too_many_bad_tokens_waits_and_a_good_one_is_not_locked_out() {
    let stage = Stage::open().await;
    stage.get("/tenant").await;
    let guess = async |text: &str| {
        let request = stage.anonymous(Method::GET, "/tenant").bearer_auth(text);
        let answer = request.send().await.unwrap();
        let wait =
            answer.headers().get("retry-after").map(|wait| wait.to_str().unwrap().parse::<u64>().unwrap());
        (read(answer).await.0, wait)
    };
    for attempt in 0..60 {
        assert_eq!(guess(&format!("guess-{attempt}")).await, (401, None));
    }
    let (code, wait) = guess("guess").await;
    assert!(code == 429 && wait.is_some_and(|wait| (1..=60).contains(&wait)), "{code} {wait:?}");
    assert_eq!(guess(token(b'?').expose()).await.0, 429, "it looks like one of ours");
    assert_eq!(guess(token(b'r').expose()).await.0, 200, "it was not used here before");
    stage.get("/tenant").await;
}
