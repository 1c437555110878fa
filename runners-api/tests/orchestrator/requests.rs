//! What is asked: each member of the request, in each shape of body.

use crate::stage::{Stage, check, endless, one, read};
use serde_json::{Value, json};

#[tokio::test]
async fn what_does_not_fit_is_told_with_its_place() {
    let stage = Stage::plain().await;
    let runner = |runner: Value| json!({ "mode": "remote", "runners": [runner] });
    let with = |name: &str, value: Value| {
        let mut asked = one();
        asked[name] = value;
        asked
    };
    for (asked, code, path) in [
        (json!([]), "invalid_type", json!([])),
        (json!({ "mode": "remote" }), "invalid_type", json!(["runners"])),
        (json!({ "mode": "remote", "runners": [] }), "too_small", json!(["runners"])),
        (runner(json!("opens")), "invalid_type", json!(["runners", 0])),
        (runner(check("", "eu", "https://a/")), "too_small", json!(["runners", 0, "name"])),
        (
            runner(json!({ "name": "a", "input": { "url": "https://a/" } })),
            "invalid_type",
            json!(["runners", 0, "region"]),
        ),
        (
            runner(json!({ "name": "a", "region": "eu" })),
            "invalid_type",
            json!(["runners", 0, "input", "url"]),
        ),
        (
            runner(json!({ "name": "a", "region": "eu", "input": { "url": 5 } })),
            "invalid_type",
            json!(["runners", 0, "input", "url"]),
        ),
        (
            runner(json!({ "name": "a", "region": null, "input": { "url": "u" } })),
            "invalid_type",
            json!(["runners", 0, "region"]),
        ),
        (with("mode", json!("both")), "invalid_value", json!(["mode"])),
        (with("concurrency", json!(0)), "too_small", json!(["concurrency"])),
        (with("concurrency", json!("2")), "invalid_type", json!(["concurrency"])),
        (with("concurrency", json!(1.5)), "invalid_type", json!(["concurrency"])),
        (with("concurrency", json!(9_007_199_254_740_992_u64)), "too_big", json!(["concurrency"])),
        (with("timeout", json!(-1)), "too_small", json!(["timeout"])),
        (with("timeout", json!(null)), "invalid_type", json!(["timeout"])),
        (with("tags", json!(["a", 5])), "invalid_type", json!(["tags", 1])),
        (with("runId", json!(5)), "invalid_type", json!(["runId"])),
        (with("options", json!({ "polcy": "all" })), "unrecognized_keys", json!(["options"])),
        (with("options", json!({ "retries": 99 })), "too_big", json!(["options", "retries"])),
    ] {
        let (status, answer) = stage.call("POST", "", asked.clone()).await;
        let issue = &answer["data"]["issues"][0];
        assert_eq!((status, &issue["code"], &issue["path"]), (400, &json!(code), &path), "{asked}: {answer}");
        let told = (&answer["defined"], &answer["code"], &answer["status"], &answer["message"]);
        assert_eq!(
            told,
            (&json!(false), &json!("BAD_REQUEST"), &json!(400), &json!("Input validation failed"))
        );
        assert_eq!(answer["type"], "urn:runners:problem:bad_request");
    }
    assert_eq!(stage.get("").await.1["items"], json!([]));
}

#[tokio::test]
async fn members_that_are_not_known_are_ignored_and_an_empty_name_is_none() {
    let stage = Stage::plain().await;
    let mut asked = one();
    asked["more"] = json!({ "a": 1 });
    asked["runId"] = "".into();
    asked["runners"][0]["more"] = true.into();
    assert!(stage.submit(asked).await.starts_with("run_"));
}

#[tokio::test]
async fn names_that_stand_for_something_else_are_refused() {
    let stage = Stage::plain().await;
    for name in ["docs", "spec.json", "orchestrator", "openapi.json", "docs.css", "docs.js", "history"] {
        let mut asked = one();
        asked["runId"] = name.into();
        let (code, answer) = stage.call("POST", "", asked).await;
        assert_eq!(
            (code, &answer["data"]["issues"][0]["path"]),
            (400, &json!(["runId"])),
            "{name}: {answer}"
        );
    }
}

#[tokio::test]
async fn the_same_under_a_name_is_the_same_run_and_something_else_is_refused() {
    let stage = Stage::plain().await;
    let mut asked = one();
    asked["runId"] = "nightly".into();
    assert_eq!(stage.submit(asked.clone()).await, "nightly");
    assert_eq!(stage.submit(asked.clone()).await, "nightly");
    asked["tags"] = json!(["other"]);
    let (code, answer) = stage.call("POST", "", asked).await;
    assert_eq!(
        (code, &answer["code"], &answer["data"]["runId"]),
        (409, &json!("CONFLICT"), &json!("nightly"))
    );
    assert_eq!(stage.get("").await.1["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_form_says_the_same_as_json_and_anything_else_is_malformed() {
    let stage = Stage::plain().await;
    let post = async |kind: &str, body: &str| {
        let request = stage.request("POST", "").bearer_auth("all").header("content-type", kind);
        read(request.body(body.to_owned())).await
    };
    let form = "mode=remote&concurrency=2&tags[]=a&runners[0][name]=opens&runners[0][region]=eu\
                &runners[0][input][url]=https%3A%2F%2Fshop.example%2F&runId=formed";
    let (code, answer) = post("application/x-www-form-urlencoded", form).await;
    assert_eq!((code, &answer["runId"]), (200, &json!("formed")), "{answer}");
    let mut same = one();
    same["concurrency"] = 2.into();
    same["tags"] = json!(["a"]);
    same["runId"] = "formed".into();
    assert_eq!(stage.submit(same).await, "formed");
    let json = one().to_string();
    for (kind, body) in
        [("text/plain", &*json), ("application/octet-stream", &json), ("application/json", "{")]
    {
        let (code, answer) = post(kind, body).await;
        assert_eq!((code, &answer["code"]), (400, &json!("BAD_REQUEST")), "{kind}");
        assert!(answer["message"].as_str().unwrap().starts_with("Malformed request."), "{answer}");
    }
}

#[tokio::test]
async fn an_answer_is_wrapped_if_the_request_was_and_so_is_an_error() {
    let stage = Stage::plain().await;
    let (code, answer) = stage.call("POST", "", json!({ "json": one() })).await;
    assert!(code == 200 && answer["json"]["runId"].is_string(), "{answer}");
    let (code, answer) = stage.call("POST", "", json!({ "json": {} })).await;
    assert_eq!((code, &answer["json"]["code"]), (400, &json!("BAD_REQUEST")));
}

#[tokio::test]
async fn pages_of_local_mode_have_to_be_allowed_and_those_of_regions_are_theirs_to_judge() {
    let stage = Stage::plain().await;
    let local =
        |url: &str| json!({ "mode": "local", "runners": [{ "name": "opens", "input": { "url": url } }] });
    let place = json!(["runners", 0, "input", "url"]);
    for (url, code) in [
        ("http://127.0.0.1/", "invalid_value"),
        ("http://2130706433/", "invalid_value"),
        ("http://169.254.169.254/", "invalid_value"),
        ("file:///etc/passwd", "invalid_value"),
        ("no url", "invalid_format"),
    ] {
        let (status, answer) = stage.call("POST", "", local(url)).await;
        let issue = &answer["data"]["issues"][0];
        assert_eq!((status, &issue["code"], &issue["path"]), (400, &json!(code), &place), "{url}: {answer}");
    }
    let run = stage.submit(local("https://shop.example/")).await;
    assert!(stage.results(&run).await["jobs"][0].get("region").is_none());
    stage.submit(json!({ "mode": "remote", "runners": [check("opens", "eu", "http://10.0.0.1/")] })).await;
    let egress = runners_core::Egress::browsing();
    let stage = Stage::open(|builder| builder.egress(egress)).await;
    stage.submit(local("http://10.0.0.1/")).await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let stage = Stage::plain().await;
    let mut asked = endless();
    asked["more"] = "x".repeat(4 << 20).into();
    let (code, answer) = stage.call("POST", "", asked).await;
    assert_eq!((code, &answer["code"]), (413, &json!("PAYLOAD_TOO_LARGE")));
}
