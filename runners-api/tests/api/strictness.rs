//! What is asked for is read strictly, and what is wrong is told with its place.

use crate::stage::{Stage, read};
use reqwest::Method;
use serde_json::{Value, json};

async fn refused(stage: &Stage, body: Value) -> (u16, String, String) {
    let (code, problem) = stage.call(Method::POST, "/self-hosted/pools", b'a', body).await;
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    (code, text("path"), text("detail"))
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_told_with_its_path() {
    let stage = Stage::open().await;
    for (body, path, word) in [
        (json!({ "name": "x", "colour": 1 }), "colour", "unknown field"),
        (json!({ "name": "x", "slotsPerRunner": "4" }), "slotsPerRunner", "invalid type"),
        (json!({ "name": "x", "placement": "pile" }), "placement", "unknown variant"),
        (json!({ "name": "x", "minRunners": 2_000_000 }), "minRunners", "1000000"),
        (json!({ "name": "x".repeat(101) }), "name", "100"),
        (json!({ "name": "x", "description": "y".repeat(1001) }), "description", "1000"),
        (json!({}), "", "missing field `name`"),
        (json!([]), "", "invalid"),
    ] {
        let (code, at, detail) = refused(&stage, body.clone()).await;
        assert_eq!((code, at.as_str()), (400, path), "{body}: {detail}");
        assert!(detail.contains(word), "{body}: {detail}");
    }
    assert_eq!(stage.get("/self-hosted/pools").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_body_that_is_too_large_or_no_json_is_refused_by_its_own_code() {
    let stage = Stage::open().await;
    let post = || stage.request(Method::POST, "/self-hosted/pools", b'a');
    let large = post().header("content-type", "application/json").body("x".repeat(70_000));
    let (code, problem) = read(large.send().await.unwrap()).await;
    assert_eq!((code, &problem["limit"]), (413, &json!(65_536)));
    let (code, problem) = read(post().body("name=x").send().await.unwrap()).await;
    assert_eq!((code, &problem["code"]), (415, &json!("unsupported_media_type")));
}

#[tokio::test]
async fn a_path_or_method_that_does_not_exist_is_a_problem_too() {
    let stage = Stage::open().await;
    for (method, path, code) in [
        (Method::GET, "/nowhere", 404),
        (Method::GET, "/self-hosted/pools/pool_x", 404),
        (Method::PUT, "/self-hosted/pools", 405),
        (Method::GET, "/self-hosted/pools?limit=0", 400),
        (Method::GET, "/self-hosted/pools?limit=501", 400),
        (Method::GET, "/self-hosted/pools?after=AAAA", 400),
        (Method::GET, "/self-hosted/pools?colour=1", 400),
    ] {
        let (found, problem) = stage.call(method, path, b'a', None).await;
        assert_eq!(found, code, "{path}: {problem}");
        assert_eq!(problem["status"], code, "{path}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_query_is_told_with_its_parameter() {
    let stage = Stage::open().await;
    for (query, path, word) in [
        ("limit=many", "limit", "invalid digit"),
        ("limit=1&limit=2", "limit", "duplicate field"),
        ("colour=1", "colour", "unknown field"),
        ("limit=501", "limit", "500"),
        ("state=lost", "state", "unknown variant"),
        ("runId=run_1", "runId", "run_"),
        ("after=AAAA", "after", "cursor"),
    ] {
        let (code, problem) = stage.call(Method::GET, &format!("/jobs?{query}"), b'a', None).await;
        assert_eq!((code, &problem["path"]), (400, &json!(path)), "{query}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with(&format!("{path}: ")) && detail.contains(word), "{query}: {detail}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_id_of_its_request() {
    let stage = Stage::open().await;
    let get = || stage.request(Method::GET, "/self-hosted/pools", b'a');
    let given = get().header("x-request-id", "mine-1").send().await.unwrap();
    assert_eq!(given.headers()["x-request-id"], "mine-1");
    assert_eq!(given.headers()["cache-control"], "no-store");
    let odd = get().header("x-request-id", "with space").send().await.unwrap();
    assert_eq!(odd.headers()["x-request-id"].len(), 16);
}

#[tokio::test]
async fn a_list_is_whole_or_in_pages_that_link_to_the_next() {
    let stage = Stage::open().await;
    for name in ["a", "b", "c"] {
        stage.post("/self-hosted/pools", json!({ "name": name })).await;
    }
    assert_eq!(stage.get("/self-hosted/pools").await.as_array().unwrap().len(), 4);
    let mut found = Vec::new();
    let mut path = "/self-hosted/pools?limit=3".to_owned();
    loop {
        let page = stage.request(Method::GET, &path, b'a').send().await.unwrap();
        let link = page.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        found.extend(read(page).await.1.as_array().unwrap().clone());
        let Some(link) = link else { break };
        let next = link.strip_prefix('<').unwrap().split_once('>').unwrap().0;
        path = format!("/self-hosted/pools{next}");
    }
    assert_eq!(found.len(), 4);
}

#[tokio::test]
async fn a_change_sets_what_is_given_and_null_clears() {
    let stage = Stage::open().await;
    let made =
        stage.post("/self-hosted/pools", json!({ "name": "a", "maxRunners": 3, "poolKind": "vm" })).await;
    let path = format!("/self-hosted/pools/{}", made["id"].as_str().unwrap());
    let change = json!({ "maxRunners": null, "isActive": false });
    let (code, changed) = stage.call(Method::PATCH, &path, b'a', change).await;
    assert_eq!(code, 200);
    assert_eq!(
        (&changed["maxRunners"], &changed["poolKind"], &changed["isActive"]),
        (&Value::Null, &json!("vm"), &json!(false))
    );
}
