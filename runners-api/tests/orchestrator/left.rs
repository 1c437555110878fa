//! What a run has left, what is reported of it, and waiting for its end.

use crate::stage::{PICTURE, Stage, check, endless, one, read};
use axum::http::HeaderMap;
use runners_core::{Digest, report::RunReport};
use serde_json::{Value, json};

fn leaving() -> Value {
    json!({ "mode": "remote", "runners": [check("leaves", "eu", "https://shop.example/")] })
}

async fn fetch(stage: &Stage, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Vec<u8>) {
    let request = stage.request("GET", path).bearer_auth("reader");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = request.send().await.unwrap();
    let (code, headers) = (response.status().as_u16(), response.headers().clone());
    (code, headers, response.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn what_a_run_has_left_is_listed_and_read_by_its_path() {
    let stage = Stage::plain().await;
    let run = stage.submit(leaving()).await;
    stage.results(&run).await;
    for prefix in ["", "/orchestrator"] {
        let (code, listed) = stage.get(&format!("{prefix}/{run}/artifacts")).await;
        let item = &listed["items"][0];
        assert_eq!((code, listed["items"].as_array().unwrap().len()), (200, 1), "{listed}");
        let told = ["check", "region", "name", "mediaType", "length", "url", "try"].map(|name| &item[name]);
        let expected =
            json!(["leaves", "eu", "a/shot.png", "image/png", PICTURE.len(), "https://shop.example/", 1]);
        assert_eq!(json!(told), expected);
        let path = format!("{prefix}/{run}/{}", item["path"].as_str().unwrap());
        let (code, headers, bytes) = fetch(&stage, &path, &[]).await;
        assert_eq!((code, bytes), (200, PICTURE.to_vec()));
        // A browser shows none of it, whatever the check says it is.
        assert_eq!(headers["content-disposition"], "attachment");
        assert_eq!(headers["content-type"], "application/octet-stream");
        let (code, headers, bytes) = fetch(&stage, &path, &[("range", "bytes=2-3")]).await;
        assert_eq!((code, &bytes[..]), (206, &PICTURE[2..4]));
        assert_eq!(headers["content-range"], format!("bytes 2-3/{}", PICTURE.len()));
        let etag = headers["etag"].to_str().unwrap().to_owned();
        assert_eq!(fetch(&stage, &path, &[("if-none-match", &etag)]).await.0, 304);
        let (code, _, told) = fetch(&stage, &path, &[("range", "bytes=100-")]).await;
        let told: Value = serde_json::from_slice(&told).unwrap();
        assert_eq!((code, &told["status"], told["code"].is_string()), (416, &json!(416), true));
    }
}

#[tokio::test]
async fn a_run_shows_what_it_has_left_and_nothing_else() {
    let stage = Stage::plain().await;
    let run = stage.submit(one()).await;
    stage.results(&run).await;
    let other = stage.submit(leaving()).await;
    stage.results(&other).await;
    assert_eq!(stage.get(&format!("/{run}/artifacts")).await.1["items"], json!([]));
    let digest = Digest::of(PICTURE);
    for path in [
        format!("/{run}/artifacts/{digest}"),
        format!("/{other}/artifacts/{}", Digest::of(b"x")),
        format!("/{other}/artifacts/x"),
        "/nobody/artifacts".to_owned(),
        format!("/nobody/artifacts/{digest}"),
    ] {
        assert_eq!(stage.get(&path).await.0, 404, "{path}");
    }
    let path = format!("/{other}/artifacts/{digest}");
    assert_eq!(read(stage.request("GET", &path).bearer_auth("other")).await.0, 404);
    assert_eq!(read(stage.request("GET", &path).bearer_auth("submitter")).await.0, 403);
}

#[tokio::test]
async fn a_report_is_what_the_host_writes_of_it() {
    let write = |run: &RunReport, read: &runners_api::ReadArtifact<'_>| {
        let mut told = format!("{} of {}", run.counts().passed, run.jobs.len());
        for artifact in run.jobs.iter().flat_map(|job| &job.artifacts) {
            let bytes = read(artifact).map(|bytes| String::from_utf8(bytes).unwrap());
            told.push_str(&format!(", {} {bytes:?}", artifact.name));
        }
        told
    };
    let stage = Stage::open(|builder| {
        let builder = builder.report("told.txt", "text/plain; charset=utf-8", write);
        builder.report("broken.txt", "text/plain", |_, _| panic!("the writer is broken"))
    })
    .await;
    let run = stage.submit(leaving()).await;
    stage.results(&run).await;
    for prefix in ["", "/orchestrator"] {
        let (code, headers, text) = fetch(&stage, &format!("{prefix}/{run}/told.txt"), &[]).await;
        let expected = b"1 of 1, a/shot.png Some(\"picture\")";
        assert_eq!((code, &text[..]), (200, &expected[..]), "{}", String::from_utf8_lossy(&text));
        assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("sandbox "));
    }
    let (code, answer) = stage.get(&format!("/{run}/broken.txt")).await;
    assert_eq!((code, &answer["code"]), (500, &json!("INTERNAL_SERVER_ERROR")));
    let open = stage.submit(endless()).await;
    assert_eq!(stage.get(&format!("/{open}/told.txt")).await.0, 409);
    assert_eq!(stage.get(&format!("/{open}/told.txt?partial=1")).await.0, 200);
    stage.call("POST", &format!("/{open}/cancel"), None).await;
    assert_eq!(stage.get("/nobody/told.txt").await.0, 404);
    let token = stage.request("GET", &format!("/{run}/told.txt")).bearer_auth("submitter");
    assert_eq!(read(token).await.0, 403);
    let (_, document) = read(stage.request("GET", "/spec.json")).await;
    assert!(document["paths"]["/{run}/told.txt"]["get"]["responses"]["200"].is_object());
}

#[tokio::test]
async fn the_end_of_a_run_is_waited_for_as_long_as_is_asked() {
    let stage = Stage::plain().await;
    let run = stage.submit(endless()).await;
    assert_eq!(stage.get(&format!("/{run}?wait=20")).await.0, 409);
    let (code, summary) = stage.get(&format!("/{run}?wait=20&partial=1")).await;
    assert_eq!((code, &summary["state"]), (200, &json!("running")));
    for wait in ["60001", "-1", "x", ""] {
        let (code, answer) = stage.get(&format!("/{run}?wait={wait}")).await;
        assert_eq!((code, &answer["data"]["issues"][0]["path"]), (400, &json!(["wait"])), "{wait}");
    }
    let path = format!("/{run}?wait=60000");
    let stop = format!("/{run}/cancel");
    let ((code, summary), _) = tokio::join!(stage.get(&path), stage.call("POST", &stop, None));
    assert_eq!((code, &summary["state"]), (200, &json!("failed")));
}
