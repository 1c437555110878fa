//! Transcripts of the foreign protocol, as a runner of either version would speak them, against a real control plane.

use crate::{
    admit,
    commands::{PingProgram, Record, Recording, RunSetup, RunTest, StopRecording, TestReport},
    gateway::Gateway,
    stand_in::{PIXEL, StandIn},
    wire::Message,
};
use reqwest::{Client as Http, StatusCode};
use runners_core::{
    Digest, JobHandle, MemoryArtifacts, Paging, Principal, RunnerFilter, Scope, SystemClock, TenantId, Token,
    prelude::*, protocol::JobView,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};

/// A control plane with a gateway on loopback.
struct Bed {
    control: ControlPlane,
    client: Client,
    gateway: Gateway,
    url: String,
    _server: JoinSet<std::io::Result<()>>,
}

impl Bed {
    async fn new() -> Self {
        let artifacts = Arc::new(MemoryArtifacts::default());
        let control =
            ControlPlane::builder(MemoryStore::default()).artifacts(artifacts.clone()).start().await.unwrap();
        let gateway = Gateway::new(&control, artifacts, SystemClock::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = gateway.router();
        let server = JoinSet::from_iter([async move { axum::serve(listener, router).await }]);
        Self { client: control.local_client(), control, gateway, url, _server: server }
    }

    async fn token(&self) -> Token {
        admit(&self.control).await.unwrap()
    }

    async fn runner(&self) -> StandIn {
        StandIn::register(&self.url, self.token().await.expose()).await.unwrap()
    }

    async fn submit(&self, test: RunTest) -> JobHandle<TestReport> {
        self.client.submit(&test).await.unwrap()
    }

    async fn stop(self) {
        self.gateway.stop().await;
        self.control.stop().await.unwrap();
    }
}

fn test_named(name: &str) -> RunTest {
    let mut test =
        RunTest { test_id: name.to_owned(), code: "await page.goto('/')".to_owned(), ..RunTest::default() };
    test.target_url = "https://shop.example".to_owned();
    test.timeout_ms = 30_000;
    test.more.insert("browser".to_owned(), "firefox".into());
    test
}

fn result(test: &Message, ended: &str, more: &Value) -> Value {
    let mut result = json!({
        "correlationId": test.id, "testId": test.payload["testId"], "testRunId": test.payload["testRunId"],
        "status": ended, "durationMs": 7.5, "logs": [],
    });
    result.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    result
}

fn picture(test: &Message, filename: &str) -> Value {
    json!({ "correlationId": test.id, "testRunId": test.payload["testRunId"], "filename": filename, "data": PIXEL,
            "width": 1, "height": 1, "capturedAt": 0 })
}

fn names(view: &JobView) -> Vec<&str> {
    view.artifacts.iter().map(|artifact| artifact.name.as_str()).collect()
}

#[tokio::test]
async fn a_runner_registers_once_by_its_token() {
    let bed = Bed::new().await;
    let (token, url) = (bed.token().await, format!("{}/api/ws/runner", bed.url));
    let get = |token: String| Http::new().get(&url).bearer_auth(token).send();
    let answer = get(token.expose().to_owned()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(body["capabilities"], json!(["run", "record"]));
    assert_eq!(body["commands"], json!([]));
    for field in ["runnerId", "teamId", "sessionId"] {
        assert!(body[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {body}");
    }
    for (token, code) in [(token.expose(), StatusCode::CONFLICT), ("rreg_guess", StatusCode::UNAUTHORIZED)] {
        let answer = get(token.to_owned()).await.unwrap();
        assert_eq!(answer.status(), code);
        assert!(answer.text().await.unwrap().contains("error"));
    }
    bed.stop().await;
}

#[tokio::test]
async fn a_test_travels_there_and_its_steps_pictures_and_log_come_back() {
    let bed = Bed::new().await;
    let mut runner = bed.runner().await;
    let handle = bed.submit(test_named("login")).await;
    let test = runner.command().await.unwrap();
    assert_eq!(test.name, "command:run_test");
    let code = test.payload["code"].as_str().unwrap();
    assert_eq!(test.payload["codeHash"], Digest::of(code.as_bytes()).to_string());
    assert_eq!(test.payload["targetUrl"], "https://shop.example");
    assert_eq!((&test.payload["testId"], &test.payload["browser"]), (&json!("login"), &json!("firefox")));
    assert_eq!(test.payload["timeout"], 30_000);

    let progress = json!({ "correlationId": test.id, "step": "Running test", "progress": 30 });
    runner.respond("test_progress", progress).await.unwrap();
    runner.respond("screenshot", picture(&test, "login-Step_1.png")).await.unwrap();
    let more =
        json!({ "screenshotCount": 2, "logs": [{ "timestamp": 1, "level": "warn", "message": "slow" }] });
    runner.respond("test_result", result(&test, "passed", &more)).await.unwrap();
    // It counts two pictures, and one was on its way.
    runner.respond("screenshot", picture(&test, "login-success.png")).await.unwrap();

    let report = handle.result().await.unwrap();
    assert!(report.passed && report.duration_ms == 7, "{report:?}");
    assert_eq!(report.screenshots, ["login-Step_1.png", "login-success.png"]);
    let view = handle.inspect().await.unwrap();
    assert_eq!(names(&view), ["login-Step_1.png", "login-success.png"]);
    let management = bed.control.management(api());
    assert!(management.read_artifact(view.artifacts[0].digest, None).await.is_ok());
    bed.stop().await;
}

#[tokio::test]
async fn pictures_that_follow_an_end_without_a_count_are_kept() {
    let bed = Bed::new().await;
    let mut runner = bed.runner().await;
    let handle = bed.submit(test_named("old")).await;
    let test = runner.command().await.unwrap();
    runner
        .respond("test_result", result(&test, "failed", &json!({ "error": { "message": "no button" } })))
        .await
        .unwrap();
    runner.respond("screenshot", picture(&test, "old-failure.png")).await.unwrap();
    let report = handle.result().await.unwrap();
    assert_eq!((report.passed, report.error.as_deref()), (false, Some("no button")));
    assert_eq!(report.screenshots, ["old-failure.png"]);
    assert_eq!(handle.inspect().await.unwrap().conclusion(), Some(Conclusion::Failed));
    bed.stop().await;
}

#[tokio::test]
async fn a_pass_with_soft_errors_is_no_pass() {
    let bed = Bed::new().await;
    let mut runner = bed.runner().await;
    let handle = bed.submit(test_named("soft")).await;
    let test = runner.command().await.unwrap();
    let more = json!({ "softErrors": ["line 3"], "screenshotCount": 0 });
    runner.respond("test_result", result(&test, "passed", &more)).await.unwrap();
    assert_eq!(handle.wait().await.unwrap().conclusion(), Some(Conclusion::Failed));
    bed.stop().await;
}

#[tokio::test]
async fn a_cancel_reaches_the_one_test() {
    let bed = Bed::new().await;
    let mut runner = bed.runner().await;
    let handle = bed.submit(test_named("long")).await;
    let test = runner.command().await.unwrap();
    handle.cancel().await.unwrap();
    let cancel = runner.command().await.unwrap();
    assert_eq!(cancel.name, "command:cancel_test");
    assert_eq!(cancel.payload["testRunId"], "long");
    let more = json!({ "screenshotCount": 0 });
    runner.respond("test_result", result(&test, "cancelled", &more)).await.unwrap();
    assert_eq!(handle.wait().await.unwrap().conclusion(), Some(Conclusion::Cancelled));
    bed.stop().await;
}

#[tokio::test]
async fn what_a_runner_had_goes_to_another_when_it_leaves() {
    let bed = Bed::new().await;
    let mut first = bed.runner().await;
    let handle = bed.submit(test_named("moved")).await;
    first.command().await.unwrap();
    let mut second = bed.runner().await;
    first.leave().await.unwrap();
    second.pass_next_test().await.unwrap();
    assert!(handle.result().await.unwrap().passed);
    assert_eq!(handle.inspect().await.unwrap().attempts.len(), 2);
    bed.stop().await;
}

#[tokio::test]
async fn a_test_is_not_handed_out_twice_at_once() {
    let bed = Bed::new().await;
    let mut runner = bed.runner().await;
    let (one, other) = (bed.submit(test_named("same")).await, bed.submit(test_named("same")).await);
    let third = bed.submit(test_named("different")).await;
    let mut handed = vec![runner.command().await.unwrap(), runner.command().await.unwrap()];
    handed.sort_by_key(|test| test.payload["testId"].to_string());
    assert_eq!(handed[0].payload["testId"], "different");
    assert_eq!(handed[1].payload["testId"], "same");
    for test in handed {
        let more = json!({ "screenshotCount": 0 });
        runner.respond("test_result", result(&test, "passed", &more)).await.unwrap();
    }
    runner.pass_next_test().await.unwrap();
    for handle in [one, other, third] {
        assert!(handle.result().await.unwrap().passed);
    }
    bed.stop().await;
}

#[tokio::test]
async fn another_session_is_displaced_and_one_from_before_a_restart_goes_on() {
    let bed = Bed::new().await;
    let token = bed.token().await;
    let mut runner = StandIn::register(&bed.url, token.expose()).await.unwrap();
    let own = std::mem::replace(&mut runner.session, "another".to_owned());
    let (code, _) = runner.post("status:heartbeat", json!({ "status": "idle" })).await.unwrap();
    assert_eq!(code, StatusCode::CONFLICT);
    runner.session = own;
    runner.leave().await.unwrap();
    // Nothing is known of the session now, as after a restart of the gateway.
    let handle = bed.submit(test_named("again")).await;
    runner.pass_next_test().await.unwrap();
    assert!(handle.result().await.unwrap().passed);
    bed.stop().await;
}

#[tokio::test]
async fn messages_that_are_not_understood_are_told_apart() {
    let bed = Bed::new().await;
    let runner = bed.runner().await;
    let (code, body) = runner.post("response:debug_state", json!({})).await.unwrap();
    assert_eq!((code, body), (StatusCode::OK, json!({ "ok": true })));
    let (code, body) = runner.post("hello", json!({})).await.unwrap();
    assert_eq!((code, &body["type"]), (StatusCode::BAD_REQUEST, &json!("hello")));
    let (code, body) = runner.post("response:test_result", json!({ "status": "maybe" })).await.unwrap();
    assert_eq!(code, StatusCode::BAD_REQUEST);
    assert!(body["error"].as_str().unwrap().contains("maybe"), "{body}");
    bed.stop().await;
}

#[tokio::test]
async fn an_error_of_the_runner_is_a_fault_and_tried_again() {
    let bed = Bed::new().await;
    let mut runner = bed.runner().await;
    let setup = RunSetup { setup_id: "sign-in".to_owned(), code: "0".to_owned(), ..RunSetup::default() };
    let handle = bed.client.submit(&setup).await.unwrap();
    let command = runner.command().await.unwrap();
    assert_eq!(command.name, "command:run_setup");
    let error =
        json!({ "correlationId": command.id, "code": "BROWSER_LAUNCH_FAILED", "message": "no display" });
    runner.respond("error", error).await.unwrap();
    let again = runner.command().await.unwrap();
    let done = json!({ "correlationId": again.id, "status": "passed", "durationMs": 3, "logs": [],
                       "storageState": "persistent:sign-in", "screenshotCount": 0 });
    runner.respond("setup_result", done).await.unwrap();
    assert_eq!(handle.result().await.unwrap().storage_state, Some(json!("persistent:sign-in")));
    let view = handle.inspect().await.unwrap();
    assert_eq!(view.fault().unwrap().code, "browser_launch_failed");
    bed.stop().await;
}

#[tokio::test]
async fn a_recording_is_stopped_by_a_signal_and_keeps_its_events() {
    let bed = Bed::new().await;
    let mut runner = bed.runner().await;
    let record = Record { target_url: "https://shop.example".to_owned(), ..Record::default() };
    let handle = bed.client.submit(&record).await.unwrap();
    let start = runner.command().await.unwrap();
    assert_eq!(
        (start.name.as_str(), &start.payload["targetUrl"]),
        ("command:start_recording", &json!(record.target_url))
    );
    let session = start.payload["sessionId"].clone();
    let events = json!({ "sessionId": session, "events": [{ "type": "navigation" }, { "type": "action" }] });
    runner.respond("recording_event", events).await.unwrap();
    handle.signal(&StopRecording {}, Duration::from_secs(60)).await.unwrap();
    let stop = runner.command().await.unwrap();
    assert_eq!((stop.name.as_str(), &stop.payload["sessionId"]), ("command:stop_recording", &session));
    runner.respond("recording_stopped", json!({ "sessionId": session, "generatedCode": "" })).await.unwrap();
    assert_eq!(handle.result().await.unwrap(), Recording { events: 2, missing: 0 });
    assert_eq!(names(&handle.inspect().await.unwrap()), ["events.json"]);
    bed.stop().await;
}

#[tokio::test]
async fn a_ping_asks_the_program_and_a_removed_runner_shuts_it_down() {
    let bed = Bed::new().await;
    let mut runner = bed.runner().await;
    let management = bed.control.management(api());
    let seen = management.runners(&RunnerFilter::default(), &Paging::default()).await.unwrap();
    let id = seen.items[0].id;
    let ping = async { bed.client.signal(id, &PingProgram {}, Duration::from_secs(60)).await };
    let pong = async {
        let command = runner.command().await.unwrap();
        assert_eq!(command.name, "command:ping");
        runner.respond("pong", json!({ "correlationId": command.id })).await.unwrap();
    };
    let (ping, ()) = futures::future::join(ping, pong).await;
    ping.unwrap();
    management.remove_runner(id).await.unwrap();
    assert_eq!(runner.command().await.unwrap().name, "command:shutdown");
    bed.stop().await;
}

fn api() -> Principal {
    Principal::Api { tenant: TenantId::DEFAULT, scopes: Scope::ALL.into() }
}
