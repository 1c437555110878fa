//! Table 1.9: what an orchestrator and the endpoint of a region say to each other.

use crate::{Row, SHOP, check, job, remote};
use futures::FutureExt as _;
use serde_json::json;

pub(crate) const ROWS: &[Row] = &[
    ("1.9.1", "a reply may be wrapped, with any good code, and have more members", |wire| {
        async move {
            let ended = wire.ended(remote(&[check("a", "wrapped", SHOP)])).await;
            assert_eq!(job(&ended)["results"][0]["status"], "pass", "{ended}");
        }
        .boxed()
    }),
    ("1.9.2", "an error that is wrapped is told with its message, and with the names in its data", |wire| {
        async move {
            let ended = wire.ended(remote(&[check("a", "says-why", SHOP)])).await;
            let error = job(&ended)["error"].as_str().unwrap();
            assert!(["no such runner", "gone", "here"].iter().all(|part| error.contains(part)), "{error}");
        }
        .boxed()
    }),
    ("1.9.3", "an error that says nothing is told by its code", |wire| {
        async move {
            let ended = wire.ended(remote(&[check("a", "unavailable", SHOP)])).await;
            assert!(job(&ended)["error"].as_str().unwrap().contains("503"), "{ended}");
        }
        .boxed()
    }),
    ("1.9.4", "what is HTML, or null, is no answer, and told as what it is", |wire| {
        async move {
            for (region, said) in [("html", "HTML"), ("null", "null")] {
                let ended = wire.ended(remote(&[check("a", region, SHOP)])).await;
                let error = job(&ended)["error"].as_str().unwrap();
                assert!(error.contains(said), "{region}: {error}");
            }
        }
        .boxed()
    }),
    ("1.9.5", "an unknown region is told with those that there are", |wire| {
        async move {
            let ended = wire.ended(remote(&[check("a", "zz", SHOP)])).await;
            let error = job(&ended)["error"].as_str().unwrap();
            assert!(error.contains("zz") && error.contains("plain, redirects"), "{error}");
        }
        .boxed()
    }),
    ("1.9.6", "POST execute answers 200 with region, runId and results, unwrapped", |wire| {
        async move {
            let asked = json!({ "url": SHOP, "runId": "x", "region": "us", "runners": ["echoes"] });
            let (code, answer) = wire.execute(asked).await;
            // What the server is called goes before what a request says.
            assert_eq!((code, &answer["region"], &answer["runId"]), (200, &json!("eu"), &json!("x")));
            assert_eq!(answer["results"][0]["name"], "echoes");
            let (_, answer) = wire.execute(json!({ "url": SHOP, "runners": ["echoes"] })).await;
            assert!(answer.get("runId").is_none(), "{answer}");
        }
        .boxed()
    }),
    ("1.9.7", "GET info answers 200 with runners, count, region and how to ask for them", |wire| {
        async move {
            let (code, told) = wire.at("GET", "/api/runner/info").await;
            assert_eq!((code, &told["count"], &told["region"]), (200, &json!(3), &json!("eu")));
            assert_eq!(told["runners"], json!(["echoes", "fails", "panics"]));
            let usage = &told["usage"];
            assert_eq!(
                (&usage["method"], &usage["endpoint"]),
                (&json!("POST"), &json!("/api/runner/execute"))
            );
            assert_eq!(usage["example"]["runners"], json!(["echoes", "fails"]));
        }
        .boxed()
    }),
    ("1.9.8", "docs and spec.json describe the endpoint", |wire| {
        async move {
            assert!(wire.at("GET", "/api/runner/docs").await.1.as_str().unwrap().contains("<html"));
            assert_eq!(wire.at("GET", "/api/runner/spec.json").await.1["openapi"], "3.1.1");
        }
        .boxed()
    }),
    ("1.9.9", "anything else of the endpoint is not found, another method too", |wire| {
        async move {
            for (method, path) in
                [("GET", "/api/runner/execute"), ("GET", "/api/runner"), ("PUT", "/api/runner/info")]
            {
                assert_eq!(wire.at(method, path).await.0, 404, "{method} {path}");
            }
        }
        .boxed()
    }),
    ("1.9.10", "a runner is a name, or a name with its input", |wire| {
        async move {
            let named = json!({ "name": "echoes", "input": { "url": SHOP, "most": 1 } });
            let (_, answer) = wire.execute(json!({ "url": SHOP, "runners": ["echoes", named] })).await;
            let most = |at: usize| &answer["results"][at]["details"]["most"];
            assert_eq!((most(0), most(1)), (&json!(7), &json!(1)), "{answer}");
            assert_eq!(wire.execute(json!({ "url": SHOP, "runners": [] })).await.0, 400);
            assert_eq!(wire.execute(json!({ "url": SHOP, "runners": [5] })).await.0, 400);
        }
        .boxed()
    }),
    ("1.9.11", "the input of a check is that of all, then its own, then the url of the request", |wire| {
        async move {
            let own = json!({ "name": "echoes", "input": { "url": "https://own.example/", "most": 2 } });
            let all = json!({ "most": 1, "url": "https://all.example/" });
            let (_, answer) = wire.execute(json!({ "input": all, "runners": ["echoes", own] })).await;
            let details = |at: usize| answer["results"][at]["details"].clone();
            assert_eq!(details(0), json!({ "url": "https://all.example/", "most": 1 }), "{answer}");
            assert_eq!(details(1), json!({ "url": "https://own.example/", "most": 2 }));
            let own = json!({ "name": "echoes", "input": { "url": "https://own.example/" } });
            let (_, answer) = wire.execute(json!({ "url": SHOP, "runners": [own] })).await;
            assert_eq!(answer["results"][0]["details"]["url"], SHOP);
        }
        .boxed()
    }),
    ("1.9.12", "a url has to be one", |wire| {
        async move {
            assert_eq!(wire.execute(json!({ "url": "no url", "runners": ["echoes"] })).await.0, 400);
        }
        .boxed()
    }),
];
