//! What is asked wrongly: told with the place, and nothing is carried out.

use crate::stage::{Stage, read};
use serde_json::{Value, json};

#[tokio::test]
async fn what_does_not_fit_is_told_with_its_place() {
    let stage = Stage::plain().await;
    for (asked, code, path) in [
        (json!({}), "invalid_type", json!(["runners"])),
        (json!([]), "invalid_type", json!([])),
        (json!({ "runners": "echoes" }), "invalid_type", json!(["runners"])),
        (json!({ "runners": [] }), "too_small", json!(["runners"])),
        (json!({ "runners": vec!["fails"; 1001] }), "too_big", json!(["runners"])),
        (json!({ "runners": ["fails", 5] }), "invalid_type", json!(["runners", 1])),
        (json!({ "runners": [{}] }), "invalid_type", json!(["runners", 0, "name"])),
        (
            json!({ "runners": [{ "name": "fails", "input": [] }] }),
            "invalid_type",
            json!(["runners", 0, "input"]),
        ),
        (json!({ "runners": ["fails"], "url": 5 }), "invalid_type", json!(["url"])),
        (json!({ "runners": ["fails"], "url": null }), "invalid_type", json!(["url"])),
        (json!({ "runners": ["fails"], "url": "no url" }), "invalid_format", json!(["url"])),
        (json!({ "runners": ["fails"], "runId": 5 }), "invalid_type", json!(["runId"])),
        (json!({ "runners": ["fails"], "checkTimeout": 0 }), "invalid_type", json!(["checkTimeout"])),
    ] {
        let (status, answer) = stage.execute(asked.clone()).await;
        let issue = &answer["data"]["issues"][0];
        assert_eq!((status, &issue["code"], &issue["path"]), (400, &json!(code), &path), "{asked}: {answer}");
        assert!(issue["message"].is_string());
        let told = (&answer["defined"], &answer["code"], &answer["status"], &answer["message"]);
        assert_eq!(
            told,
            (&json!(false), &json!("BAD_REQUEST"), &json!(400), &json!("Input validation failed"))
        );
        // Beside the members of the contract are those of a problem.
        assert_eq!(answer["type"], "urn:runners:problem:bad_request");
        assert!(answer["title"].is_string() && answer["detail"].is_string());
    }
}

#[tokio::test]
async fn pages_that_the_operator_has_not_allowed_are_not_looked_at() {
    let stage = Stage::plain().await;
    let own = |url: &str| json!({ "runners": [{ "name": "echoes", "input": { "url": url } }] });
    for (asked, path) in [
        (json!({ "runners": ["echoes"], "url": "http://127.0.0.1/" }), json!(["url"])),
        (json!({ "runners": ["echoes"], "url": "http://2130706433/" }), json!(["url"])),
        (json!({ "runners": ["echoes"], "url": "file:///etc/passwd" }), json!(["url"])),
        (own("http://169.254.169.254/latest/meta-data/"), json!(["runners", 0, "input", "url"])),
        (
            json!({ "runners": ["echoes"], "input": { "url": "http://10.0.0.1/" } }),
            json!(["runners", 0, "input", "url"]),
        ),
    ] {
        let (status, answer) = stage.execute(asked.clone()).await;
        let issue = &answer["data"]["issues"][0];
        assert_eq!(
            (status, &issue["code"], &issue["path"]),
            (400, &json!("invalid_value"), &path),
            "{asked}: {answer}"
        );
    }
    let egress = runners_core::Egress::browsing();
    let stage = Stage::open(|builder| builder.egress(egress)).await;
    assert_eq!(stage.execute(own("http://10.0.0.1/")).await.0, 200);
}

#[tokio::test]
async fn an_unknown_name_lists_those_that_there_are() {
    let stage = Stage::plain().await;
    let (status, answer) =
        stage.execute(json!({ "runners": ["fails", "nobody", "toString", "nobody"] })).await;
    assert_eq!(
        (status, &answer["code"], &answer["defined"]),
        (404, &json!("RUNNER_NOT_FOUND"), &json!(true))
    );
    let available = ["echoes", "fails", "hangs", "panics"];
    let data = json!({ "missingRunners": ["nobody", "toString"], "availableRunners": available });
    assert_eq!(answer["data"], data);
    assert!(answer["message"].as_str().unwrap().contains("echoes, fails"), "{answer}");
}

#[tokio::test]
async fn an_input_that_does_not_fit_says_where() {
    let stage = Stage::plain().await;
    let bad = json!({ "name": "echoes", "input": { "nested": { "deep": 300 } } });
    let (status, answer) = stage.execute(json!({ "runners": ["hangs", bad] })).await;
    assert_eq!(
        (status, &answer["code"], &answer["defined"]),
        (400, &json!("INPUT_VALIDATION_FAILED"), &json!(true))
    );
    assert_eq!(answer["data"]["runnerName"], "echoes");
    assert_eq!(answer["data"]["issues"][0]["path"], json!(["nested", "deep"]), "{answer}");
    // Nothing was carried out of what does not fit as a whole.
    let mut stage = stage;
    assert!(stage.told.try_recv().is_err());
}

#[tokio::test]
async fn what_is_no_json_is_malformed() {
    let stage = Stage::plain().await;
    for (kind, body) in [
        ("application/json", "{"),
        ("application/json", ""),
        ("text/plain", "{\"runners\":[\"fails\"]}"),
        ("application/x-www-form-urlencoded", "a=1&a=2"),
    ] {
        let client = reqwest::Client::new();
        let request = client.post(format!("{}/execute", stage.url)).header("content-type", kind).body(body);
        let (status, answer) = read(request).await;
        assert_eq!((status, &answer["code"], &answer["data"]), (400, &json!("BAD_REQUEST"), &Value::Null));
        assert!(answer["message"].as_str().unwrap().starts_with("Malformed request."), "{answer}");
    }
}
