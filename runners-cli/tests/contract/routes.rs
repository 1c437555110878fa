//! Table 1.1: where the calls are.

use crate::{Row, endless, one, read};
use futures::FutureExt as _;
use serde_json::json;

pub(crate) const ROWS: &[Row] = &[
    ("1.1.1", "a submit is a POST on the collection, and answers 200 with the runId alone", |wire| {
        async move {
            let (code, answer) = wire.call("POST", "", Some(one())).await;
            assert_eq!((code, answer.as_object().unwrap().len()), (200, 1), "{answer}");
            assert!(answer["runId"].is_string());
        }
        .boxed()
    }),
    ("1.1.2", "GET {runId}/status answers 200 with how far the run is", |wire| {
        async move {
            let ended = wire.ended(one()).await;
            let (code, told) = wire.get(&format!("/{}/status", ended["runId"].as_str().unwrap())).await;
            assert_eq!((code, &told["state"]), (200, &json!("completed")));
        }
        .boxed()
    }),
    ("1.1.3", "GET {runId} answers 200 with what became of a run that has ended, and else not", |wire| {
        async move {
            assert_eq!(wire.ended(one()).await["state"], "completed");
            let run = wire.submit(endless()).await;
            assert_eq!(wire.get(&format!("/{run}")).await.0, 409);
            wire.call("POST", &format!("/{run}/cancel"), None).await;
        }
        .boxed()
    }),
    ("1.1.4", "docs answers every method with a page in HTML", |wire| {
        async move {
            for method in ["GET", "POST"] {
                let (code, page) = wire.at(method, "/api/orchestrator/docs").await;
                assert!(code == 200 && page.as_str().unwrap().contains("<html"), "{method}");
            }
        }
        .boxed()
    }),
    ("1.1.5", "spec.json answers every method with a description as of OpenAPI 3.1.1", |wire| {
        async move {
            for method in ["GET", "POST"] {
                let (code, document) = wire.at(method, "/api/orchestrator/spec.json").await;
                assert_eq!((code, &document["openapi"]), (200, &json!("3.1.1")), "{method}");
            }
        }
        .boxed()
    }),
    ("1.1.6", "anything else is 404, another method too, and nothing is ever 405", |wire| {
        async move {
            for (method, path) in [("DELETE", ""), ("OPTIONS", ""), ("PUT", "/run_1"), ("GET", "/run_1/x/y")]
            {
                let (code, _) = wire.call(method, path, None).await;
                assert_eq!(code, 404, "{method} {path}");
            }
        }
        .boxed()
    }),
    ("1.1.7", "the runId of a path is percent-decoded", |wire| {
        async move {
            let mut asked = one();
            asked["runId"] = "night run/1".into();
            wire.submit(asked).await;
            assert_eq!(wire.get("/night%20run%2F1/status").await.1["runId"], "night run/1");
        }
        .boxed()
    }),
    ("1.1.8", "a success has the content type application/json", |wire| {
        async move {
            let request = wire.stage.request("POST", wire.prefix).bearer_auth("good");
            let request = request.header("content-type", "application/json").body(one().to_string());
            let response = request.send().await.unwrap();
            assert_eq!(response.headers()["content-type"], "application/json");
            let slash = wire.stage.request("GET", &format!("{}/", wire.prefix)).bearer_auth("good");
            assert_eq!(read(slash).await.0, 200, "and a slash at the end changes nothing");
        }
        .boxed()
    }),
];
