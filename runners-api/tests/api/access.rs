//! Who may do what: scopes, and tenants that are apart.

use crate::stage::{OTHER, Stage, token};
use reqwest::Method;
use runners_core::{PoolId, Token, TokenKind};
use serde_json::json;

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
