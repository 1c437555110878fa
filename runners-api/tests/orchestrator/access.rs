//! Who may do what, and what belongs to whom.

use crate::stage::{Stage, one, read};
use runners_core::{Principal, Scope, TenantId};
use serde_json::json;

#[tokio::test]
async fn what_a_credential_may_do_follows_from_its_scopes() {
    let stage = Stage::plain().await;
    let run = stage.submit(one()).await;
    stage.results(&run).await;
    let at = |rest: &str| format!("/{run}{rest}");
    for (method, path, reader, submitter) in [
        ("GET", String::new(), 200, 403),
        ("GET", at(""), 200, 403),
        ("GET", at("/status"), 200, 403),
        ("GET", at("/events"), 200, 403),
        ("POST", at("/cancel"), 403, 200),
        ("DELETE", at(""), 403, 403),
    ] {
        for (token, expected) in [("reader", reader), ("submitter", submitter), ("nobody", 401)] {
            let (code, answer) = read(stage.request(method, &path).bearer_auth(token)).await;
            assert_eq!(code, expected, "{token}: {method} {path}: {answer}");
        }
        let (code, answer) = read(stage.request(method, &path)).await;
        assert_eq!((code, &answer["code"]), (401, &json!("UNAUTHORIZED")), "{method} {path}");
    }
    for (token, expected) in [("reader", 403), ("submitter", 200)] {
        let request = stage.request("POST", "").bearer_auth(token).header("content-type", "application/json");
        assert_eq!(read(request.body(one().to_string())).await.0, expected, "{token}");
    }
}

#[tokio::test]
async fn what_belongs_to_another_tenant_is_answered_as_what_does_not_exist() {
    let stage = Stage::plain().await;
    let run = stage.submit(one()).await;
    stage.results(&run).await;
    for (method, rest) in
        [("GET", ""), ("GET", "/status"), ("GET", "/events"), ("POST", "/cancel"), ("DELETE", "")]
    {
        let path = format!("/{run}{rest}");
        assert_eq!(read(stage.request(method, &path).bearer_auth("other")).await.0, 404, "{method} {path}");
    }
    let (_, page) = read(stage.request("GET", "").bearer_auth("other")).await;
    assert_eq!(page["items"], json!([]));
    // The operator works for one tenant, which is the default one unless named.
    let operator = || stage.request("GET", &format!("/{run}")).bearer_auth("operator");
    assert_eq!(read(operator()).await.0, 200);
    let other = TenantId::from_bytes([9; 16]).to_string();
    assert_eq!(read(operator().header("runners-tenant", other)).await.0, 404);
    assert_eq!(read(operator().header("runners-tenant", "x")).await.0, 400);
}

#[tokio::test]
async fn without_a_credential_only_who_is_let_in_may_call() {
    let principal = Principal::Api { tenant: TenantId::DEFAULT, scopes: [Scope::Submit].into() };
    let stage = Stage::open(|builder| builder.anonymous(principal)).await;
    let request = stage.request("POST", "").header("content-type", "application/json");
    assert_eq!(read(request.body(one().to_string())).await.0, 200);
    assert_eq!(read(stage.request("GET", "")).await.0, 403);
    // Who has a credential speaks for themselves, and a bad one is not let through.
    assert_eq!(read(stage.request("GET", "").bearer_auth("reader")).await.0, 200);
    assert_eq!(read(stage.request("GET", "").bearer_auth("nobody")).await.0, 401);
}
