//! Tenants: managed by the operator, who works within one of them by its id or its name.

use crate::stage::{OTHER, Stage, read};
use reqwest::Method;
use runners_core::TenantId;
use serde_json::{Value, json};

/// Calls within a tenant.
async fn within(
    stage: &Stage,
    who: u8,
    tenant: &str,
    method: Method,
    path: &str,
    body: Value,
) -> (u16, Value) {
    let mut request = stage.request(method, path, who).header("runners-tenant", tenant);
    if !body.is_null() {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_tenant_is_made_listed_renamed_and_suspended_by_the_operator_alone() {
    let stage = Stage::open().await;
    for who in [b'a', b'o'] {
        let refused = stage.call(Method::POST, "/tenants", who, json!({ "name": "x" })).await;
        assert_eq!((refused.0, &refused.1["code"]), (403, &json!("forbidden")));
        assert_eq!(stage.call(Method::GET, "/tenants", who, None).await.0, 403);
        let path = format!("/tenants/{OTHER}");
        assert_eq!(stage.call(Method::PATCH, &path, who, json!({ "name": "x" })).await.0, 403);
    }
    let (code, made) = stage.call(Method::POST, "/tenants", b'z', json!({ "name": "acme" })).await;
    assert_eq!((code, &made["name"], &made["isSuspended"]), (201, &json!("acme"), &json!(false)));
    let (_, listed) = stage.call(Method::GET, "/tenants", b'z', None).await;
    assert!(listed["items"].as_array().unwrap().contains(&made), "{listed}");

    let path = format!("/tenants/{}", made["id"].as_str().unwrap());
    let change = json!({ "name": "acme ltd", "isSuspended": true });
    let (code, changed) = stage.call(Method::PATCH, &path, b'z', change).await;
    assert_eq!((code, &changed["name"], &changed["isSuspended"]), (200, &json!("acme ltd"), &json!(true)));
    let (code, problem) = stage.call(Method::POST, "/tenants", b'z', json!({ "name": "" })).await;
    assert_eq!((code, &problem["path"]), (400, &json!("name")));
    assert_eq!(stage.get("/tenant").await["name"], "default");
}

#[tokio::test]
async fn a_suspended_tenant_is_told_so_until_it_goes_on() {
    let stage = Stage::open().await;
    let path = format!("/tenants/{}", TenantId::DEFAULT);
    let suspend = async |suspended: bool| {
        let change = json!({ "isSuspended": suspended });
        assert_eq!(stage.call(Method::PATCH, &path, b'z', change).await.0, 200);
    };
    suspend(true).await;
    let (code, problem) = stage.call(Method::GET, "/jobs", b'a', None).await;
    assert_eq!(code, 403);
    assert!(problem["detail"].as_str().unwrap().contains("suspended"), "{problem}");
    let text = TenantId::DEFAULT.to_string();
    assert_eq!(within(&stage, b'z', &text, Method::GET, "/jobs", Value::Null).await.0, 200);
    suspend(false).await;
    assert_eq!(stage.call(Method::GET, "/jobs", b'a', None).await.0, 200);
}

#[tokio::test]
async fn the_operator_works_within_a_tenant_by_its_id_or_its_name() {
    let stage = Stage::open().await;
    let (_, made) = stage.call(Method::POST, "/tenants", b'z', json!({ "name": "Müller" })).await;
    let id = made["id"].as_str().unwrap().to_owned();
    let pool = json!({ "name": "eu" });
    assert_eq!(within(&stage, b'z', &id, Method::POST, "/self-hosted/pools", pool).await.0, 201);
    let (_, pools) = within(&stage, b'z', "Müller", Method::GET, "/self-hosted/pools", Value::Null).await;
    assert_eq!(pools[0]["name"], "eu");
    let (_, own) = stage.call(Method::GET, "/self-hosted/pools", b'z', None).await;
    assert!(!own.to_string().contains("\"eu\""), "{own}");
    // What travels as a client's request is about the same tenant.
    let asked = json!({ "jobs": [{ "kind": "shout", "payload": "a", "pool": "eu" }] });
    let (_, submitted) = within(&stage, b'z', &id, Method::POST, "/jobs", asked).await;
    let job = format!("/jobs/{}", submitted["jobs"][0]["id"].as_str().unwrap());
    assert_eq!(within(&stage, b'z', &id, Method::GET, &job, Value::Null).await.1["state"], "ready");
    assert_eq!(stage.call(Method::GET, &job, b'z', None).await.0, 404);
    let cancelled = within(&stage, b'z', &id, Method::POST, &format!("{job}/cancel"), Value::Null).await;
    assert_eq!(cancelled, (202, json!({ "jobs": 1 })));

    let (code, problem) = stage.call(Method::POST, "/tenants", b'z', json!({ "name": "Müller" })).await;
    assert_eq!((code, &problem["code"]), (409, &json!("conflict")));
    let path = format!("/tenants/{}", TenantId::DEFAULT);
    let (code, problem) = stage.call(Method::PATCH, &path, b'z', json!({ "name": "Müller" })).await;
    assert_eq!((code, &problem["code"]), (409, &json!("conflict")));
}

#[tokio::test]
async fn for_anybody_else_another_tenant_does_not_exist() {
    let stage = Stage::open().await;
    stage.call(Method::POST, "/tenants", b'z', json!({ "name": "acme" })).await;
    let asked = async |who: u8, tenant: &str| {
        let (code, problem) =
            within(&stage, who, tenant, Method::GET, "/self-hosted/pools", Value::Null).await;
        (code, problem.to_string().replace(tenant, "TENANT"))
    };
    let (theirs, nobodys) = (TenantId::DEFAULT.to_string(), TenantId::from_bytes([7; 16]).to_string());
    let missing = asked(b'o', &nobodys).await;
    assert_eq!(missing.0, 404);
    assert_eq!(asked(b'o', &theirs).await, missing);
    assert_eq!(asked(b'o', "acme").await, missing);
    assert_eq!(asked(b'z', "nobody").await, missing);
    assert_eq!(asked(b'o', &OTHER.to_string()).await.0, 200);
    assert_eq!(asked(b'z', "").await.0, 400);
}

#[tokio::test]
async fn retention_is_set_whole_and_what_is_rolled_out_is_shown() {
    let stage = Stage::open().await;
    let usual = stage.get("/retention").await;
    assert_eq!(usual["concludedForSeconds"], 30 * 24 * 3600);
    let wanted = json!({
        "concludedForSeconds": 3600, "jobsMax": 100, "artifactsForSeconds": 600, "artifactsMax": null,
        "eventsForSeconds": 7200,
    });
    let set = stage.call(Method::PUT, "/retention", b'a', wanted.clone()).await;
    assert_eq!(set, (200, wanted.clone()));
    assert_eq!(stage.get("/retention").await, wanted);
    for (change, path) in [
        (json!({ "eventsForSeconds": 59 }), "eventsForSeconds"),
        (json!({ "concludedForSeconds": 1 }), "concludedForSeconds"),
        (json!({ "jobsMax": -1 }), "jobsMax"),
        (json!({ "jobs": 1 }), "jobs"),
    ] {
        let mut body = wanted.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (code, problem) = stage.call(Method::PUT, "/retention", b'a', body).await;
        assert_eq!((code, &problem["path"]), (400, &json!(path)), "{problem}");
    }
    let (code, problem) = stage.call(Method::PUT, "/retention", b'a', json!({ "jobsMax": 1 })).await;
    assert!(code == 400 && problem["detail"].as_str().unwrap().contains("missing field"), "{problem}");
    assert_eq!(stage.call(Method::PUT, "/retention", b'r', wanted).await.0, 403);
    let rolled_out = json!({ "selfHostedRunnersEnabled": true, "selfHostedRelayEnabled": true });
    assert_eq!(stage.get("/rollout").await, rolled_out);
}

#[tokio::test]
async fn the_operator_rolls_out_to_some_tenants_while_the_server_runs() {
    let stage = Stage::open().await;
    let everybody = json!({ "isEnabled": true, "tenants": [], "isSet": false });
    let (_, rules) = stage.call(Method::GET, "/rollout/rules", b'z', None).await;
    assert_eq!(rules, json!({ "selfHostedRunners": everybody, "selfHostedRelay": everybody }));
    let some = json!({ "isEnabled": true, "tenants": [OTHER] });
    let asked = json!({ "selfHostedRunners": some, "selfHostedRelay": { "isEnabled": false } });
    for who in [b'a', b'o'] {
        assert_eq!(stage.call(Method::GET, "/rollout/rules", who, None).await.0, 403);
        assert_eq!(stage.call(Method::PUT, "/rollout/rules", who, asked.clone()).await.0, 403);
    }
    let (code, rules) = stage.call(Method::PUT, "/rollout/rules", b'z', asked.clone()).await;
    assert_eq!((code, &rules["selfHostedRunners"]["isSet"]), (200, &json!(true)), "{rules}");
    assert_eq!(rules["selfHostedRunners"]["tenants"], json!([OTHER]));
    let own = stage.get("/rollout").await;
    assert_eq!(own, json!({ "selfHostedRunnersEnabled": false, "selfHostedRelayEnabled": false }));
    let (_, theirs) = stage.call(Method::GET, "/rollout", b'o', None).await;
    assert_eq!(theirs["selfHostedRunnersEnabled"], true);
    let (code, problem) = stage.call(Method::POST, "/self-hosted/pools", b'a', json!({ "name": "x" })).await;
    assert_eq!((code, &problem["code"]), (403, &json!("forbidden")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("not switched on"), "{problem}");

    for (body, path) in [
        (json!({ "selfHostedRunners": null }), Value::Null),
        (
            json!({ "selfHostedRunners": { "isEnabled": 1 }, "selfHostedRelay": null }),
            json!("selfHostedRunners.isEnabled"),
        ),
    ] {
        let (code, problem) = stage.call(Method::PUT, "/rollout/rules", b'z', body).await;
        assert_eq!(code, 400, "{problem}");
        assert!(path.is_null() || problem["path"] == path, "{problem}");
    }
    let as_started = json!({ "selfHostedRunners": null, "selfHostedRelay": null });
    assert_eq!(stage.call(Method::PUT, "/rollout/rules", b'z', as_started).await.0, 200);
    assert_eq!(stage.call(Method::POST, "/self-hosted/pools", b'a', json!({ "name": "x" })).await.0, 201);
}
