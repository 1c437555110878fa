//! What is told of the whole: the summary, why a job waits, runs, events and artifacts.

use crate::stage::{Stage, read};
use futures::StreamExt as _;
use reqwest::Method;
use runners_core::{
    ArtifactKey, ArtifactStore as _, Digest, JobId, RunId, TenantId,
    store::{Query, Store as _, Write},
};
use serde_json::{Value, json};

#[tokio::test]
async fn a_summary_never_fails_on_one_bad_row() {
    let stage = Stage::open().await;
    let made = stage.post("/self-hosted/pools", json!({ "name": "bad" })).await;
    let query = Query::Range {
        index: runners_core::Index::Listed,
        prefix: bytes::Bytes::new(),
        after: None,
        until: None,
        newest_first: false,
        limit: 1000,
    };
    let runners_core::store::Page::Rows { rows, .. } = stage.store.scan(query).await.unwrap() else {
        panic!("a range was not answered with rows")
    };
    let id = made["id"].as_str().unwrap().strip_prefix("pool_").unwrap();
    let (at, row) = rows.into_iter().find(|(_, row)| format!("{:?}", row.key).ends_with(id)).unwrap();
    let write = Write::Put {
        key: row.key,
        expected: row.version,
        format: row.format,
        body: bytes::Bytes::from_static(b"{ this is no pool"),
        indexes: vec![(runners_core::Index::Listed, at)],
    };
    stage.store.commit(vec![write]).await.unwrap();
    let summary = stage.get("/fleet/summary").await;
    assert_eq!(summary["unreadable"], 1, "{summary}");
    assert_eq!(summary["pools"][0]["name"], "default", "{summary}");
    assert_eq!(summary["pools"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_job_that_waits_is_explained() {
    let stage = Stage::open().await;
    let asked = json!({ "jobs": [
        { "kind": "shout", "payload": "a", "wanted": ["gpu"] },
        { "kind": "shout", "payload": "b", "startAtUtc": "2099-01-01T00:00:00Z" },
    ] });
    let submitted = stage.post("/jobs", asked).await;
    let path = |at: usize| format!("/jobs/{}/explain", submitted["jobs"][at]["id"].as_str().unwrap());
    let waits = stage.get(&path(0)).await;
    assert_eq!((&waits["state"], &waits["obstacle"]), (&json!("ready"), &Value::Null));
    assert_eq!(waits["advice"], "its pool has no runner: start one");

    let runner = stage.runner("hans").await;
    let obstacle = loop {
        let waits = stage.get(&path(0)).await;
        match &waits["pools"][0]["runners"][0]["obstacle"] {
            Value::Null => tokio::task::yield_now().await,
            obstacle if obstacle["code"] == "absent" => tokio::task::yield_now().await,
            obstacle => break obstacle.clone(),
        }
    };
    assert_eq!(obstacle, json!({ "code": "wanted", "label": "gpu" }));
    let later = stage.get(&path(1)).await;
    let due = json!({ "code": "not_due", "readyAtUtc": "2099-01-01T00:00:00.000Z" });
    assert_eq!((&later["state"], &later["obstacle"]), (&json!("scheduled"), &due));

    let nothing = format!("/jobs/{}/explain", JobId::from_bytes([7; 16]));
    let missing = stage.call(Method::GET, &nothing, b'o', None).await;
    assert_eq!((missing.0, stage.call(Method::GET, &path(0), b'o', None).await.0), (404, 404));
    assert_eq!(stage.call(Method::GET, &format!("{}?runnersAfter=x", path(0)), b'a', None).await.0, 400);
    runner.kill();
}

#[tokio::test]
async fn a_run_is_followed_and_cancelled_as_a_whole() {
    let stage = Stage::open().await;
    let run = RunId::from_bytes([5; 16]).to_string();
    let job = json!({ "kind": "shout", "payload": "a" });
    let asked = json!({ "jobs": [job, job], "run": { "id": run } });
    stage.post("/jobs", asked).await;
    let listed = stage.get(&format!("/jobs?runId={run}")).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let cancel = format!("/runs/{run}/cancel");
    assert_eq!(stage.call(Method::POST, &cancel, b'r', None).await.0, 403);
    // As for a run that does not exist.
    assert_eq!(stage.call(Method::POST, &cancel, b'o', None).await, (202, json!({ "jobs": 0 })));
    assert_eq!(stage.post(&format!("/runs/{run}/cancel"), None).await, json!({ "jobs": 2 }));
    let told = first_events(&stage, &format!("/runs/{run}/events"), 4).await;
    assert_eq!(told.matches("event: concluded\n").count(), 2, "{told}");
    let theirs = stage.call(Method::GET, &format!("/runs/{run}/events"), b'o', None).await;
    let nobodys = format!("/runs/{}/events", RunId::from_bytes([7; 16]));
    assert_eq!((theirs.0, stage.call(Method::GET, &nobodys, b'o', None).await.0), (404, 404));
}

#[tokio::test]
async fn the_events_of_a_tenant_are_its_own_and_go_on_where_they_were_cut() {
    let stage = Stage::open().await;
    let submitted = stage.post("/jobs", json!({ "jobs": [{ "kind": "shout", "payload": "a" }] })).await;
    let job = submitted["jobs"][0]["id"].as_str().unwrap();
    stage.post(&format!("/jobs/{job}/cancel"), None).await;
    let told = first_events(&stage, "/events", 2).await;
    assert!(told.contains("event: concluded\n") && told.contains(job), "{told}");
    let first = told.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let rest = first_events(&stage, &format!("/events?after={first}"), 1).await;
    assert!(!rest.contains(&format!("id: {first}\n")) && rest.contains("event: concluded\n"), "{rest}");

    let mut others = stage.request(Method::GET, "/events", b'o').send().await.unwrap().bytes_stream();
    let silent = futures::poll!(std::pin::pin!(others.next()));
    assert!(silent.is_pending(), "{silent:?}");
    assert_eq!(stage.call(Method::GET, "/events?after=zz", b'a', None).await.0, 400);
}

/// The text of the first events of a stream that does not end.
async fn first_events(stage: &Stage, path: &str, count: usize) -> String {
    let answer = stage.request(Method::GET, path, b'a').send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let (mut text, mut pieces) = (String::new(), answer.bytes_stream());
    while text.matches("\n\n").count() < count {
        text.push_str(std::str::from_utf8(&pieces.next().await.unwrap().unwrap()).unwrap());
    }
    text
}

#[tokio::test]
async fn an_artifact_is_read_whole_in_part_or_not_at_all() {
    let stage = Stage::open().await;
    let digest = Digest::of(b"0123456789");
    let key = ArtifactKey { tenant: TenantId::DEFAULT, digest };
    let bytes = futures::stream::iter([Ok(bytes::Bytes::from_static(b"0123456789"))]);
    stage.artifacts.put(key, 10, Box::pin(bytes)).await.unwrap();
    let path = format!("/artifacts/{digest}");
    let ask = async |who: u8, name: &'static str, value: String| {
        stage.request(Method::GET, &path, who).header(name, value).send().await.unwrap()
    };
    let whole = ask(b'r', "range", "lines=1".into()).await;
    assert_eq!((whole.status().as_u16(), whole.headers()["etag"].len()), (200, 66));
    assert_eq!(whole.headers()["content-disposition"], "attachment");
    assert_eq!(whole.text().await.unwrap(), "0123456789");
    let part = ask(b'r', "range", "bytes=2-4".into()).await;
    assert_eq!(
        (part.status().as_u16(), &part.headers()["content-range"]),
        (206, &"bytes 2-4/10".parse().unwrap())
    );
    assert_eq!(part.text().await.unwrap(), "234");
    assert_eq!(ask(b'r', "range", "bytes=10-".into()).await.status(), 416);
    assert_eq!(ask(b'r', "if-none-match", format!("\"{digest}\"")).await.status(), 304);
    assert_eq!(ask(b's', "range", "bytes=2-4".into()).await.status(), 403);

    let missing = |text: Value, digest: Digest| text.to_string().replace(&digest.to_string(), "DIGEST");
    let (code, theirs) = read(ask(b'o', "range", "bytes=2-4".into()).await).await;
    let other = Digest::of(b"nothing");
    let (_, nobodys) = stage.call(Method::GET, &format!("/artifacts/{other}"), b'o', None).await;
    assert_eq!((code, missing(theirs, digest)), (404, missing(nobodys, other)));
    let unnamed = stage.get("/retention/unnamed-artifacts").await;
    assert_eq!(unnamed["items"], json!([{ "sha256": digest.to_string(), "length": 10 }]));
}
