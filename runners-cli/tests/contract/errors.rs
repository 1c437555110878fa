//! Table 1.8: how trouble is told.

use crate::{Row, Wire, endless, one};
use futures::FutureExt as _;
use serde_json::{Value, json};

/// Every error has these members.
fn told(answer: &Value, status: u16, code: &str) {
    assert_eq!((&answer["defined"], &answer["code"]), (&json!(false), &json!(code)), "{answer}");
    assert_eq!(answer["status"], status, "{answer}");
    assert!(answer["message"].is_string(), "{answer}");
}

async fn unknown(wire: &Wire, method: &str, path: &str) {
    let (code, answer) = wire.call(method, path, None).await;
    assert_eq!(code, 404, "{method} {path}");
    told(&answer, 404, "NOT_FOUND");
    assert!(answer["message"].as_str().unwrap().contains("run_1"), "{answer}");
}

pub(crate) const ROWS: &[Row] = &[
    (
        "1.8.1",
        "what does not fit is 400 BAD_REQUEST, Input validation failed, with issues at their paths",
        |wire| {
            async move {
                let mut asked = one();
                asked["concurrency"] = 0.into();
                let (code, answer) = wire.call("POST", "", Some(asked)).await;
                assert_eq!((code, &answer["message"]), (400, &json!("Input validation failed")));
                told(&answer, 400, "BAD_REQUEST");
                let issue = &answer["data"]["issues"][0];
                assert_eq!((&issue["code"], &issue["path"]), (&json!("too_small"), &json!(["concurrency"])));
                assert!(issue["message"].is_string() && issue["minimum"] == 1, "{issue}");
            }
            .boxed()
        },
    ),
    ("1.8.2", "what is no JSON is 400 BAD_REQUEST, and its message begins Malformed request.", |wire| {
        async move {
            let (code, answer) = wire.post("application/json", "{").await;
            assert_eq!(code, 400);
            told(&answer, 400, "BAD_REQUEST");
            assert!(answer["message"].as_str().unwrap().starts_with("Malformed request."), "{answer}");
        }
        .boxed()
    }),
    ("1.8.3", "an unknown run is not found, in each of its calls", |wire| {
        async move {
            for path in ["/run_1", "/run_1/status", "/run_1?partial=1"] {
                unknown(&wire, "GET", path).await;
            }
            unknown(&wire, "POST", "/run_1/cancel").await;
            unknown(&wire, "DELETE", "/run_1").await;
        }
        .boxed()
    }),
    ("1.8.4", "results of a run that goes on are a conflict, which says what to do", |wire| {
        async move {
            let run = wire.submit(endless()).await;
            let (code, answer) = wire.get(&format!("/{run}")).await;
            assert_eq!((code, &answer["data"]["runId"]), (409, &json!(run)));
            told(&answer, 409, "CONFLICT");
            assert!(answer["message"].as_str().unwrap().contains("?partial=1"), "{answer}");
            wire.call("POST", &format!("/{run}/cancel"), None).await;
        }
        .boxed()
    }),
    ("1.8.5", "what leads nowhere is not found", |wire| {
        async move {
            let (code, answer) = wire.get("/run_1/x/y").await;
            assert_eq!(code, 404);
            told(&answer, 404, "NOT_FOUND");
        }
        .boxed()
    }),
    ("1.8.6", "issues are too_small, too_big, invalid_type, invalid_value or invalid_format", |wire| {
        async move {
            let with = |name: &str, value: Value| {
                let mut asked = one();
                asked[name] = value;
                asked
            };
            for (asked, code) in [
                (with("runners", json!([])), "too_small"),
                (with("concurrency", json!(9_007_199_254_740_992_u64)), "too_big"),
                (with("runId", json!(5)), "invalid_type"),
                (with("mode", json!("both")), "invalid_value"),
                (
                    json!({ "mode": "local", "runners": [{ "name": "a", "input": { "url": "no url" } }] }),
                    "invalid_format",
                ),
            ] {
                let (_, answer) = wire.call("POST", "", Some(asked)).await;
                assert_eq!(answer["data"]["issues"][0]["code"], code, "{answer}");
            }
        }
        .boxed()
    }),
];
