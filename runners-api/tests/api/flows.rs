//! The library of flows, runs and the audit, as the API tells them.

use crate::stage::Stage;
use reqwest::Method;
use runners_core::FlowSpec;
use serde_json::{Value, json};

#[tokio::test]
async fn a_document_comes_back_byte_by_byte_however_it_was_sent() {
    let stage = Stage::open().await;
    let text = "{ \"title\":\"é\",\n  \"steps\": [ ] }";
    let raw = format!("{{\"document\":{text}}}");
    let request = stage.request(Method::PUT, "/flows/as%20json", b's').body(raw);
    assert_eq!(request.header("content-type", "application/json").send().await.unwrap().status(), 200);
    stage.call(Method::PUT, "/flows/text", b's', json!({ "document": text })).await;
    for name in ["as%20json", "text"] {
        let path = format!("/flows/{name}/document");
        let answer = stage.request(Method::GET, &path, b'r').send().await.unwrap();
        assert_eq!(answer.headers()["content-disposition"], "attachment");
        assert_eq!(answer.text().await.unwrap(), text, "{name}");
    }
}

#[tokio::test]
async fn a_flow_is_put_listed_run_and_deleted_and_its_changes_are_told() {
    let stage = Stage::open().await;
    let put = async |text: &str, expected: u32| {
        let body = json!({ "document": text, "tags": ["paid"], "expectedVersion": expected });
        stage.call(Method::PUT, "/flows/shop", b's', body).await
    };
    let (code, flow) = put("a", 0).await;
    assert_eq!((code, &flow["newest"]["version"], &flow["kind"]), (200, &json!(1), &json!("browser_flow")));
    assert_eq!(put("b", 1).await.1["newest"]["version"], 2);
    let (code, problem) = put("c", 1).await;
    assert_eq!((code, &problem["code"]), (409, &json!("conflict")));
    assert_eq!(stage.call(Method::PUT, "/flows/shop", b'r', json!({ "document": "" })).await.0, 403);
    let shown = stage.get("/flows/shop").await;
    let numbers: Vec<&Value> =
        shown["versions"].as_array().unwrap().iter().map(|one| &one["version"]).collect();
    assert_eq!(numbers, [2, 1]);
    assert_eq!(stage.get("/flows?tag=paid&text=SHO").await["items"].as_array().unwrap().len(), 1);
    assert_eq!(stage.get("/flows?tag=free").await["items"], json!([]));

    let run = format!("run_{}", "5".repeat(32));
    let (code, job) =
        stage.call(Method::POST, "/flows/shop/run", b's', json!({ "version": 1, "runId": run })).await;
    assert_eq!((code, &job["title"], &job["runId"]), (201, &json!("shop"), &json!(run)));
    let runs = stage.get("/runs").await;
    let line = &runs["items"][0];
    assert_eq!((&line["id"], &line["open"], &line["title"]), (&json!(run), &json!(1), &json!("shop")));
    assert_eq!(stage.get(&format!("/runs/{run}")).await, *line);
    assert_eq!(stage.call(Method::POST, &format!("/runs/{run}/cancel"), b's', None).await.0, 202);

    assert_eq!(stage.call(Method::DELETE, "/flows/shop?expectedVersion=1", b's', None).await.0, 409);
    assert_eq!(stage.call(Method::DELETE, "/flows/shop", b's', None).await.0, 204);
    assert_eq!(stage.call(Method::GET, "/flows/shop", b'r', None).await.0, 404);
    let told = stage.get("/audit").await;
    let told = told["items"].as_array().unwrap();
    let deeds: Vec<String> =
        told.iter().map(|one| format!("{} {}", one["deed"], one["subject"]).replace('"', "")).collect();
    assert_eq!(deeds, ["deleted flow", "cancelled run", "ran flow", "changed flow", "created flow"]);
    assert!(told.iter().all(|one| one["author"]["credentialId"].is_string()), "{told:?}");
    assert_eq!(stage.call(Method::GET, "/audit", b's', None).await.0, 403);
}

#[tokio::test]
async fn what_is_wrong_with_a_flow_is_told() {
    let stage = Stage::open().await;
    for (path, body) in [
        ("/flows/a%2Fb", json!({ "document": "a" })),
        ("/flows/a", json!({ "document": "" })),
        ("/flows/a", json!({ "document": "a", "colour": 1 })),
        ("/flows/a", json!({ "document": "a".repeat(FlowSpec::DOCUMENT_BYTES_MAX + 1) })),
        ("/flows/a", json!({})),
    ] {
        let (code, problem) = stage.call(Method::PUT, path, b'a', body).await;
        assert_eq!(code, 400, "{path}: {problem}");
    }
    assert_eq!(stage.call(Method::POST, "/flows/none/run", b'a', None).await.0, 404);
    assert_eq!(stage.call(Method::GET, "/flows?colour=1", b'a', None).await.0, 400);
}
