//! How a job is scheduled: all that can be asked for is asked for over HTTP, shown again, and refused by its
//! place.

use crate::stage::Stage;
use reqwest::Method;
use serde_json::{Value, json};

/// What a job shows of all that one is asked for here.
fn all() -> Value {
    json!({
        "fallbacks": [{ "pool": "eu", "waitMs": 0 }, { "pool": "us", "waitMs": 60_000 }],
        "fairness": { "key": "acme", "weight": 3 },
        "concurrency": [{ "key": "shop", "limit": 2 }, { "key": "bank", "limit": 1 }],
        "unique": "nightly",
        "wanted": ["gpu"],
        "refused": ["slow"],
        "runnerId": "runner_019a00000000700080000000000000ab",
        "timeoutMs": 60_000,
        "graceMs": 2_000,
        "attemptsMax": 5,
        "lossesMax": 1,
        "retryFailed": true,
        "backoffMs": 10,
        "backoffMaxMs": 20_000,
        "queueTtlMs": 9_000_000_000_000_u64,
        "startAtUtc": "2099-01-01T00:00:00.000Z",
        "onDisconnect": { "goOnForMs": 30_000 },
        "secrets": ["password"],
        "capture": ["frames"],
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    })
}

#[tokio::test]
async fn whatever_a_job_is_asked_for_is_shown_again() {
    let stage = Stage::open().await;
    for name in ["eu", "us"] {
        stage.post("/self-hosted/pools", json!({ "name": name })).await;
    }
    let mut job = all();
    job["kind"] = json!("shout");
    job["payload"] = json!("hello");
    let submitted = stage.post("/jobs", json!({ "jobs": [job] })).await;
    let id = submitted["jobs"][0]["id"].as_str().unwrap_or_else(|| panic!("{submitted}")).to_owned();
    let shown = stage.get(&format!("/jobs/{id}")).await;
    let mut expected = all();
    for (name, value) in [("environment", Value::Null), ("notAfterUtc", Value::Null)] {
        expected[name] = value;
    }
    for name in ["after", "audience"] {
        expected[name] = json!([]);
    }
    assert_eq!(shown["options"], expected);

    let plain = json!({ "jobs": [{ "kind": "shout", "payload": 1 }] });
    let plain = stage.post("/jobs", plain).await;
    let shown = stage.get(&format!("/jobs/{}", plain["jobs"][0]["id"].as_str().unwrap())).await;
    let options = &shown["options"];
    assert_eq!(
        (&options["timeoutMs"], &options["lossesMax"], &options["onDisconnect"], &options["fairness"]),
        (&json!(300_000), &json!(3), &Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn an_option_that_cannot_be_is_refused_by_its_place() {
    let stage = Stage::open().await;
    let nine: Vec<Value> = (0..9).map(|at| json!({ "key": at.to_string(), "limit": 1 })).collect();
    for (name, value, path, words) in [
        (
            "concurrency",
            json!([{ "key": "a", "limit": 1 }, { "key": "b", "limit": 0 }]),
            "concurrency[1].limit",
            "must be at least 1",
        ),
        (
            "concurrency",
            json!([{ "key": "a", "limit": 1 }, { "key": "a", "limit": 1 }]),
            "concurrency[1].key",
            "named twice: leave one of them out",
        ),
        ("concurrency", json!(nine), "concurrency", "the limit is 8"),
        ("fairness", json!({ "key": "a", "weight": 101 }), "fairness.weight", "from 1 to 100"),
        ("fairness", json!({ "key": "x".repeat(101) }), "fairness.key", "the limit is 100"),
        ("fallbacks", json!([{ "pool": "nowhere", "waitMs": 0 }]), "fallbacks[0].pool", "no pool"),
        (
            "fallbacks",
            json!([{ "pool": "a", "waitMs": 9 }, { "pool": "b", "waitMs": 8 }]),
            "fallbacks[1].waitMs",
            "must be from 9",
        ),
        ("unique", json!(""), "unique", "must not be empty"),
        ("graceMs", json!(600_001), "graceMs", "600000"),
        ("timeoutMs", json!(0), "timeoutMs", "from 1 to"),
        ("lossesMax", json!(101), "lossesMax", "at most 100"),
        ("backoffMaxMs", json!(604_800_001), "backoffMaxMs", "604800000"),
        ("secrets", json!(["../x"]), "secrets", "letters"),
        ("after", json!(["job_019a00000000700080000000000000ab"]), "after", "name the run"),
    ] {
        let mut job = json!({ "kind": "shout", "payload": 1 });
        job[name] = value;
        let good = json!({ "kind": "shout", "payload": 1 });
        let submitted = stage.post("/jobs", json!({ "jobs": [good, job] })).await;
        assert_eq!(submitted["jobs"][0]["outcome"], "accepted", "{submitted}");
        let refused = &submitted["jobs"][1];
        let path = format!("jobs[1].{path}");
        assert_eq!((&refused["outcome"], &refused["path"]), (&json!("refused"), &json!(path)), "{refused}");
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.starts_with(&format!("{path}: ")) && detail.contains(words), "{detail}");
    }
}

#[tokio::test]
async fn an_option_that_cannot_be_read_is_refused_by_its_place() {
    let stage = Stage::open().await;
    for (name, value, path) in [
        ("fairness", json!({ "key": "a", "share": 1 }), "fairness.share"),
        ("fairness", json!({}), "fairness"),
        ("concurrency", json!([{ "key": "a", "limit": -1 }]), "concurrency[0].limit"),
        ("concurrency", json!([{ "key": "a", "max": 1 }]), "concurrency[0].max"),
        ("fallbacks", json!([{ "pool": "a", "waitMs": "1s" }]), "fallbacks[0].waitMs"),
        ("onDisconnect", json!({ "goOn": 1 }), "onDisconnect.goOn"),
        ("startAtUtc", json!("1969-12-31T00:00:00Z"), "startAtUtc"),
        ("traceparent", json!("00-1"), "traceparent"),
        ("runnerId", json!("hans"), "runnerId"),
        ("audience", json!(["eu"]), "audience"),
    ] {
        let mut job = json!({ "kind": "shout", "payload": 1 });
        job[name] = value;
        let asked = json!({ "jobs": [job] });
        let (code, problem) = stage.call(Method::POST, "/jobs", b'a', asked).await;
        let path = format!("jobs[0].{path}");
        assert_eq!((code, &problem["path"]), (400, &json!(path)), "{problem}");
    }
}

#[tokio::test]
async fn a_flow_is_run_with_whatever_a_job_is_asked_for() {
    let stage = Stage::open().await;
    for name in ["eu", "us"] {
        stage.post("/self-hosted/pools", json!({ "name": name })).await;
    }
    stage.call(Method::PUT, "/flows/shop", b'a', json!({ "document": "a" })).await;
    let mut asked = all();
    asked["pool"] = json!("us");
    asked["fallbacks"] = json!([]);
    asked["priority"] = json!(7);
    asked["title"] = json!("tonight");
    let (code, job) = stage.call(Method::POST, "/flows/shop/run", b'a', asked).await;
    assert_eq!((code, &job["title"], &job["pool"]), (201, &json!("tonight"), &json!("us")), "{job}");
    assert_eq!(job["priority"], 7);
    let shown = stage.get(&format!("/jobs/{}", job["id"].as_str().unwrap())).await;
    let mut expected = all();
    expected["fallbacks"] = json!([]);
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(shown["options"][name], *value, "{name}");
    }
}

#[tokio::test]
async fn an_option_of_a_flow_that_cannot_be_is_refused_by_its_place() {
    let stage = Stage::open().await;
    stage.call(Method::PUT, "/flows/shop", b'a', json!({ "document": "a" })).await;
    for (name, value, code, path) in [
        ("colour", json!(1), 400, "colour"),
        ("audience", json!(["eu"]), 400, "audience"),
        ("fairness", json!({ "key": "a", "share": 1 }), 400, "fairness.share"),
        ("concurrency", json!([{ "key": "a", "limit": -1 }]), 400, "concurrency[0].limit"),
        ("concurrency", json!([{ "key": "a", "limit": 0 }]), 400, "concurrency[0].limit"),
        ("startAtUtc", json!("soon"), 400, "startAtUtc"),
        ("graceMs", json!(600_001), 400, "graceMs"),
        ("timeoutMs", json!(0), 400, "timeoutMs"),
        ("pool", json!("nowhere"), 404, "pool"),
        ("fallbacks", json!([{ "pool": "nowhere", "waitMs": 0 }]), 404, "fallbacks[0].pool"),
        ("after", json!(["job_019a00000000700080000000000000ab"]), 400, "after"),
    ] {
        let mut asked = json!({});
        asked[name] = value;
        let (told, problem) = stage.call(Method::POST, "/flows/shop/run", b'a', asked).await;
        assert_eq!((told, &problem["path"]), (code, &json!(path)), "{problem}");
        assert!(!problem["detail"].as_str().unwrap().contains("spec"), "{problem}");
    }
    let unique = json!({ "unique": "nightly" });
    assert_eq!(stage.call(Method::POST, "/flows/shop/run", b'a', unique.clone()).await.0, 201);
    stage.call(Method::PUT, "/flows/bank", b'a', json!({ "document": "b" })).await;
    let (code, problem) = stage.call(Method::POST, "/flows/bank/run", b'a', unique).await;
    assert_eq!((code, &problem["path"]), (409, &json!("unique")), "{problem}");
}
