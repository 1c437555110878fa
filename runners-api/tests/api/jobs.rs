//! Jobs from their submit to what they leave, and what is told of them meanwhile.

use crate::stage::{Stage, read, token};
use reqwest::Method;
use runners_core::{JobId, Runner};
use serde_json::{Value, json};

async fn submit(stage: &Stage, text: &str) -> String {
    let asked = json!({ "jobs": [{ "kind": "shout", "payload": text }] });
    let submitted = stage.post("/jobs", asked).await;
    assert_eq!(submitted["jobs"][0]["outcome"], "accepted", "{submitted}");
    submitted["jobs"][0]["id"].as_str().unwrap().to_owned()
}

/// Submits a job, and follows its events to the end.
async fn done(stage: &Stage, text: &str) -> (String, Runner) {
    let runner = stage.runner("hans").await;
    let job = submit(stage, text).await;
    let events = stage.request(Method::GET, &format!("/jobs/{job}/events"), b'a').send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let told = events.text().await.unwrap();
    for name in ["ready", "offered", "running", "concluded"] {
        assert!(told.contains(&format!("event: {name}\n")) || name == "ready", "{name} is missing in {told}");
    }
    // Whoever lost the connection then has nothing left to wait for.
    let last = told.lines().rev().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let rest = stage.request(Method::GET, &format!("/jobs/{job}/events"), b'a').header("last-event-id", last);
    let rest = rest.send().await.unwrap().text().await.unwrap();
    assert!(!rest.contains("event: "), "{rest}");
    (job, runner)
}

#[tokio::test]
async fn a_job_is_submitted_followed_shown_and_tried_again() {
    let stage = Stage::open().await;
    let (job, runner) = done(&stage, "hello").await;
    let shown = stage.get(&format!("/jobs/{job}")).await;
    assert_eq!((&shown["state"], &shown["conclusion"]), (&json!("concluded"), &json!("passed")));
    assert_eq!((&shown["result"], &shown["attempts"][0]["outcome"]), (&json!("HELLO"), &json!("passed")));

    let again = stage.post(&format!("/jobs/{job}/retry"), None).await;
    assert_eq!(again["retryOf"], json!(job));
    let listed = stage.get("/jobs?kind=shout&limit=10").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(listed["items"][0]["id"], again["id"]);
    runner.kill();
}

#[tokio::test]
async fn why_a_job_ended_is_told_where_no_attempt_tells() {
    let stage = Stage::open().await;
    let pool = "/self-hosted/pools/pool_00000000000000000000000000000001/runners";
    let made = stage.post(pool, json!({ "name": "one" })).await;
    let runner = made["runner"]["id"].as_str().unwrap();
    let asked = json!({ "jobs": [{ "kind": "shout", "payload": "hello", "runnerId": runner }] });
    let submitted = stage.post("/jobs", asked).await;
    let path = format!("/jobs/{}", submitted["jobs"][0]["id"].as_str().unwrap());
    assert_eq!(stage.get(&path).await["fault"], json!(null));
    let removed = format!("/self-hosted/runners/{runner}?force=true");
    assert_eq!(stage.call(Method::DELETE, &removed, b'a', None).await.0, 204);
    let shown = stage.get(&path).await;
    assert_eq!((&shown["conclusion"], &shown["attempts"]), (&json!("errored"), &json!([])));
    assert_eq!(shown["fault"]["code"], "runner_removed", "{shown}");
}

#[tokio::test]
async fn a_log_is_read_from_an_offset_and_followed_to_its_end() {
    let stage = Stage::open().await;
    let (job, runner) = done(&stage, "hello").await;
    let log = format!("/jobs/{job}/log");
    let answer = stage.request(Method::GET, &log, b'a').send().await.unwrap();
    assert_eq!(
        (&answer.headers()["runners-log-ended"], &answer.headers()["runners-log-next"]),
        (&"true".parse().unwrap(), &"15".parse().unwrap())
    );
    assert_eq!(answer.text().await.unwrap(), "shouting hello\n");
    let rest = stage.request(Method::GET, &format!("{log}?from=9"), b'a').send().await.unwrap();
    assert_eq!(rest.text().await.unwrap(), "hello\n");

    let follow = |last: Option<&str>| {
        let request = stage.request(Method::GET, &format!("{log}/stream"), b'a');
        let request = last.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        async move { request.send().await.unwrap().text().await.unwrap() }
    };
    let whole = follow(None).await;
    assert!(whole.contains(r#"data: {"offset":0,"text":"shouting hello\n"}"#), "{whole}");
    assert!(whole.contains("event: end\n"), "{whole}");
    let id = whole.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    assert!(id.ends_with("-15"), "{whole}");
    let resumed = follow(Some(&id.replace("-15", "-9"))).await;
    assert!(resumed.contains(r#"data: {"offset":9,"text":"hello\n"}"#), "{resumed}");
    runner.kill();
}

#[tokio::test]
async fn events_go_on_where_they_were_cut() {
    let stage = Stage::open().await;
    let (job, runner) = done(&stage, "hello").await;
    let path = format!("/jobs/{job}/events");
    let all = stage.request(Method::GET, &path, b'a').send().await.unwrap().text().await.unwrap();
    let ids: Vec<&str> = all.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    let last = stage.request(Method::GET, &path, b'a').header("last-event-id", ids[ids.len() - 2]);
    let last = last.send().await.unwrap().text().await.unwrap();
    assert_eq!(last.matches("event: ").count(), 1, "{last}");
    assert!(last.contains("event: concluded\n"), "{last}");
    let (code, problem) = stage.call(Method::GET, &format!("{path}?after=zz"), b'a', None).await;
    assert_eq!((code, &problem["path"]), (400, &json!("after")));
    runner.kill();
}

#[tokio::test]
async fn a_job_is_cancelled_and_a_summary_tells_what_waits() {
    let stage = Stage::open().await;
    let job = submit(&stage, "hello").await;
    let summary = stage.get("/fleet/summary").await;
    let pool = &summary["pools"][0];
    assert_eq!(
        (&pool["queuedJobs"], &pool["desiredRunners"], &pool["onlineRunners"]),
        (&json!(1), &json!(1), &json!(0))
    );
    let (code, cancelled) = stage.call(Method::POST, &format!("/jobs/{job}/cancel"), b's', None).await;
    assert_eq!((code, cancelled), (202, json!({ "jobs": 1 })));
    assert_eq!(stage.get(&format!("/jobs/{job}")).await["conclusion"], "cancelled");
    assert_eq!(stage.post(&format!("/jobs/{job}/cancel"), None).await, json!({ "jobs": 0 }));
    assert_eq!(stage.get("/fleet/summary").await["pools"][0]["queuedJobs"], 0);
}

#[tokio::test]
async fn a_refused_job_names_its_field_and_the_others_are_queued() {
    let stage = Stage::open().await;
    let asked = json!({ "jobs": [
        { "kind": "shout", "payload": 1, "pool": "nowhere" },
        { "kind": "shout", "payload": { "b": 1, "a": [1.0] }, "startAtUtc": "2099-01-01T00:00:00Z" },
    ] });
    let submitted = stage.post("/jobs", asked).await;
    assert_eq!(
        (&submitted["jobs"][0]["outcome"], &submitted["jobs"][0]["code"]),
        (&json!("refused"), &json!("not_found"))
    );
    let job = submitted["jobs"][1]["id"].as_str().unwrap();
    let shown = stage.get(&format!("/jobs/{job}")).await;
    assert_eq!(
        (&shown["state"], &shown["stateAtUtc"]),
        (&json!("scheduled"), &json!("2099-01-01T00:00:00.000Z"))
    );

    for (body, path) in [
        (json!({ "jobs": [{ "kind": "shout" }] }), "jobs[0]"),
        (json!({ "jobs": [{ "kind": "shout", "payload": 1, "priority": 300 }] }), "jobs[0].priority"),
        (json!({ "jobs": [{ "kind": "shout", "payload": 1, "startAtUtc": "soon" }] }), "jobs[0].startAtUtc"),
        (json!({ "jobs": [{ "kind": "shout", "payload": 1, "id": "job_1" }] }), "jobs[0].id"),
        (json!({ "jobs": [] }), "jobs"),
    ] {
        let (code, problem) = stage.call(Method::POST, "/jobs", b'a', body).await;
        assert_eq!((code, &problem["path"]), (400, &json!(path)), "{problem}");
    }
}

#[tokio::test]
async fn a_signal_is_answered_by_its_runner() {
    let stage = Stage::open().await;
    let runner = stage.runner("hans").await;
    let listed = stage.get("/self-hosted/runners").await;
    let asked =
        json!({ "runnerId": listed[0]["id"], "kind": "runners.ping", "payload": { "text": "there?" } });
    let sent = stage.post("/signals", asked).await;
    let path = format!("/signals/{}?waitMs=20000", sent["id"].as_str().unwrap());
    assert_eq!(stage.get(&path).await["state"], "answered");
    let both = json!({ "kind": "runners.ping" });
    assert_eq!(stage.call(Method::POST, "/signals", b'a', both).await.0, 400);
    runner.kill();
}

#[tokio::test]
async fn an_environment_is_routed_and_deleted() {
    let stage = Stage::open().await;
    let pool = stage.get("/self-hosted/pools").await[0]["id"].clone();
    let route = json!({ "executionTarget": "self_hosted", "runnerPoolId": pool });
    let (code, routed) = stage.call(Method::PUT, "/environments/staging", b'a', route).await;
    assert_eq!((code, &routed["runnerPoolId"]), (200, &pool));
    assert_eq!(stage.get("/environments").await["items"], json!([routed]));
    let (code, problem) =
        stage.call(Method::PUT, "/environments/x", b'a', json!({ "executionTarget": "self_hosted" })).await;
    assert_eq!((code, &problem["path"]), (400, &json!("runnerPoolId")));
    assert_eq!(stage.call(Method::DELETE, "/environments/staging", b'a', None).await.0, 204);
    assert_eq!(stage.call(Method::GET, "/environments/staging", b'a', None).await.0, 404);
}

#[tokio::test]
async fn nobody_sees_the_job_of_another_tenant() {
    let stage = Stage::open().await;
    let mine = submit(&stage, "hello").await;
    let nothing = JobId::from_bytes([7; 16]).to_string();
    for (method, tail) in [
        (Method::GET, ""),
        (Method::POST, "/cancel"),
        (Method::POST, "/retry"),
        (Method::GET, "/log"),
        (Method::GET, "/log/stream"),
        (Method::GET, "/events"),
    ] {
        let call = async |job: &str| {
            let (code, body) = stage.call(method.clone(), &format!("/jobs/{job}{tail}"), b'o', None).await;
            (code, body.to_string().replace(job, "ID"))
        };
        let (found, missing) = (call(&mine).await, call(&nothing).await);
        assert_eq!((found.0, &found), (404, &missing), "{method} {tail}");
    }
    let (_, listed) = stage.call(Method::GET, "/jobs", b'o', None).await;
    assert_eq!(listed, json!({ "items": [], "next": Value::Null }));
    let request = stage.anonymous(Method::GET, "/jobs").header("x-api-key", token(b'r').expose());
    assert_eq!(read(request.send().await.unwrap()).await.0, 200);
}
