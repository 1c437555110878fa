//! What takes too long, breaks, or is not wanted any more.

use crate::stage::{Stage, read};
use async_trait::async_trait;
use runners_core::{Authenticate, AuthenticateError, Principal, Scope, TenantId};
use serde_json::json;

#[tokio::test]
async fn a_check_that_takes_too_long_is_stopped_and_keeps_its_neighbours() {
    let mut stage = Stage::plain().await;
    let asked = json!({ "runners": ["fails", "hangs", "echoes"], "checkTimeout": 50 });
    let (code, answer) = stage.execute(asked).await;
    assert_eq!(code, 200, "{answer}");
    let results = answer["results"].as_array().unwrap();
    let told: Vec<_> = results.iter().map(|result| (&result["name"], &result["status"])).collect();
    let (fails, hangs, echoes) = (json!("fails"), json!("hangs"), json!("echoes"));
    let (fail, error, pass) = (json!("fail"), json!("error"), json!("pass"));
    assert_eq!(told, [(&fails, &fail), (&hangs, &error), (&echoes, &pass)]);
    assert!(results[1]["errorMessage"].as_str().unwrap().contains("50 ms"), "{answer}");
    assert_eq!((stage.told.recv().await, stage.told.recv().await), (Some("began"), Some("stopped")));
}

#[tokio::test]
async fn a_check_that_panics_keeps_its_name_and_its_neighbours() {
    let stage = Stage::plain().await;
    let (code, answer) = stage.execute(json!({ "runners": ["panics", "echoes"] })).await;
    assert_eq!(code, 200, "{answer}");
    assert_eq!(
        (&answer["results"][0]["name"], &answer["results"][0]["status"]),
        (&json!("panics"), &json!("error"))
    );
    assert!(answer["results"][0]["errorMessage"].as_str().unwrap().contains("the check is broken"));
    assert_eq!(answer["results"][1]["status"], "pass");
}

#[tokio::test]
async fn checks_whose_caller_hangs_up_are_stopped() {
    let mut stage = Stage::plain().await;
    let calling = stage.post(&json!({ "runners": ["hangs"] })).send();
    tokio::select! {
        ended = calling => panic!("{ended:?}"),
        told = stage.told.recv() => assert_eq!(told, Some("began")),
    }
    assert_eq!(stage.told.recv().await, Some("stopped"));
    stage.face.idle().await;
}

#[tokio::test]
async fn beyond_the_limit_a_call_is_asked_to_come_again() {
    let mut stage = Stage::open(|builder| builder.calls_max(1)).await;
    let first = stage.post(&json!({ "runners": ["hangs"] })).send();
    let second = stage.post(&json!({ "runners": ["fails"] }));
    tokio::select! {
        ended = first => panic!("{ended:?}"),
        () = async {
            stage.told.recv().await;
            let second = second.send().await.unwrap();
            assert_eq!((second.status().as_u16(), &second.headers()["retry-after"]), (503, &"5".parse().unwrap()));
            assert!(second.text().await.unwrap().contains("1 calls are being carried out, which is the limit"));
        } => {}
    }
    // Once the first is stopped, there is room again.
    assert_eq!(stage.told.recv().await, Some("stopped"));
    stage.face.idle().await;
    assert_eq!(stage.execute(json!({ "runners": ["fails"] })).await.0, 200);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let stage = Stage::plain().await;
    let (code, answer) = stage.execute(json!({ "runners": ["x".repeat(5 << 20)] })).await;
    assert_eq!((code, &answer["code"]), (413, &json!("PAYLOAD_TOO_LARGE")));
}

#[derive(Debug)]
struct Accounts;

#[async_trait]
impl Authenticate for Accounts {
    async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticateError> {
        let scope = match token {
            "submitter" => Scope::Submit,
            "reader" => Scope::Read,
            _ => return Err(AuthenticateError::Unknown),
        };
        Ok(Principal::Api { tenant: TenantId::DEFAULT, scopes: [scope].into() })
    }
}

#[tokio::test]
async fn who_calls_is_asked_of_the_host() {
    let stage = Stage::open(|builder| builder.authenticate(Accounts)).await;
    let asked = json!({ "runners": ["fails"] });
    let (code, answer) = stage.execute(asked.clone()).await;
    assert_eq!((code, &answer["code"]), (401, &json!("UNAUTHORIZED")), "{answer}");
    for (token, expected) in [("submitter", 200), ("reader", 403), ("nobody", 401)] {
        assert_eq!(read(stage.post(&asked).bearer_auth(token)).await.0, expected, "{token}");
        assert_eq!(read(stage.get("/info").bearer_auth(token)).await.0, expected, "{token}");
    }
    assert_eq!(read(stage.get("/docs")).await.0, 200);
}
