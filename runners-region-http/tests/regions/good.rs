//! What is sent to a region, and what is read of its answer.

use crate::stage::{Scripted, Seen, call, reply};
use runners_core::{Secret, orchestration::Region as _};
use runners_region_http::{HttpRegion, RegionSettings};
use serde_json::{Value, json};

const ANSWER: &str =
    r#"{"region":"eu","results":[{"name":"a","status":"pass"},{"name":"b","status":"odd"}]}"#;

#[tokio::test]
async fn a_call_is_a_plain_object_with_a_key_and_the_headers_of_the_region() {
    let mut server = Scripted::start([reply("200 OK", "", ANSWER)]).await;
    let region =
        server.region().token(Secret::from_text("hunter2")).header("X-Team", Secret::from_text("shop"));
    let answered = region.build().unwrap().execute(call()).await.unwrap();
    // What is odd about a result is judged above, so that its neighbours are kept.
    assert_eq!(answered.results[1], json!({ "name": "b", "status": "odd" }));
    let arrived = server.request().await;
    assert_eq!(arrived.line, "POST /api/runner/execute HTTP/1.1");
    for (name, value) in [
        ("content-type", "application/json"),
        ("idempotency-key", &call().idempotency_key()),
        ("authorization", "Bearer hunter2"),
        ("x-team", "shop"),
    ] {
        assert_eq!(arrived.headers[name], value, "{name}");
    }
    let body: Value = serde_json::from_str(&arrived.body).unwrap();
    let input = json!({ "url": "https://shop.example/", "limit": 3 });
    let runners = json!([{ "name": "a", "input": input }, { "name": "b", "input": input }]);
    let expected =
        json!({ "url": "https://shop.example/", "runners": runners, "runId": "run_1", "region": "eu" });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_reply_may_be_wrapped_and_have_any_good_code() {
    let wrapped = format!(r#"{{"json":{ANSWER},"meta":[]}}"#);
    for (code, body) in [("200 OK", ANSWER), ("200 OK", &wrapped), ("201 Created", &wrapped)] {
        assert_eq!(Scripted::answers(reply(code, "", body)).await.unwrap().results.len(), 2, "{code} {body}");
    }
}

#[tokio::test]
async fn a_slash_at_the_end_is_the_same_and_a_query_is_kept() {
    for (url, line) in [
        ("/api/runner/", "POST /api/runner/execute HTTP/1.1"),
        ("/api/runner?tenant=1#top", "POST /api/runner/execute?tenant=1 HTTP/1.1"),
        ("", "POST /execute HTTP/1.1"),
    ] {
        let mut server = Scripted::start([reply("200 OK", "", ANSWER)]).await;
        let settings = json!({ "eu": format!("http://{}{url}", server.address) }).to_string();
        let settings: RegionSettings = settings.parse().unwrap();
        let region = settings.build(&crate::stage::loopback()).unwrap().remove(0);
        region.execute(call()).await.unwrap();
        assert_eq!(server.request().await.line, line);
    }
}

#[tokio::test]
async fn a_call_that_is_cancelled_is_dropped_and_the_region_sees_it() {
    let mut server = Scripted::start([crate::stage::Script::Hang(Vec::new())]).await;
    let region = server.region().build().unwrap();
    let cancelled = tokio_util::sync::CancellationToken::new();
    let calling = region.execute(call().cancelled_by(cancelled.clone()));
    let (ended, ()) = tokio::join!(calling, async {
        server.request().await;
        cancelled.cancel();
    });
    assert!(ended.unwrap_err().to_string().contains("cancelled"));
    assert!(matches!(server.seen.recv().await, Some(Seen::HungUp)));
}

#[tokio::test]
async fn a_region_tells_how_it_is() {
    let mut server = Scripted::start([
        reply("200 OK", "", r#"{"runners":["a","b"],"count":2}"#),
        reply("404 Not Found", "", "Not found"),
        reply("503 Service Unavailable", "", ""),
    ])
    .await;
    let region = server.region().build().unwrap();
    let health = region.health().await;
    assert_eq!((health.answers, health.checks), (true, Some(vec!["a".to_owned(), "b".to_owned()])));
    assert_eq!(server.request().await.line, "GET /api/runner/info HTTP/1.1");
    let health = region.health().await;
    assert_eq!((health.answers, health.checks), (true, None));
    let health = region.health().await;
    assert!(!health.answers && health.problem.unwrap().contains("503"));
}

#[test]
fn nothing_secret_is_shown_whatever_is_wrong() {
    let builder = || HttpRegion::builder("eu", "https://user:hunter2@eu.example/?key=hunter2");
    let builder =
        || builder().token(Secret::from_text("hunter2")).header("x-team", Secret::from_text("hunter2"));
    let shown = format!("{:?} {:?}", builder(), builder().build().unwrap());
    let bad = [
        builder().header("x team", Secret::from_text("hunter2")),
        builder().header("x-team", Secret::from_text("hunter2\n")),
        builder().header("content-type", Secret::from_text("hunter2")),
        HttpRegion::builder("eu", "hunter2"),
        HttpRegion::builder("eu", "ftp://user:hunter2@eu.example/"),
        HttpRegion::builder("", "https://eu.example/"),
    ];
    let errors: Vec<_> = bad.map(|builder| format!("{:?}", builder.build().unwrap_err())).into();
    assert!(!shown.contains("hunter2") && !errors.concat().contains("hunter2"), "{shown} {errors:?}");
}
