//! What the API says of itself: the document in the repository is the one the code makes.

use crate::stage::{Stage, read};
use reqwest::Method;
use runners_api::ManagementFace;
use serde_json::Value;
use std::{fs, path::Path};

#[test]
fn the_document_in_the_repository_is_the_one_the_code_makes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let made = ManagementFace::openapi();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "run this test with UPDATE=1, and look at what has changed");
}

#[test]
fn every_call_is_described_with_the_problems_it_may_answer() {
    let document: Value = serde_json::from_str(&ManagementFace::openapi()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let tags: Vec<&Value> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, call) in item.as_object().unwrap() {
            let what = format!("{method} {path}");
            assert!(call["summary"].as_str().is_some_and(|text| !text.is_empty()), "{what}");
            assert!(tags.contains(&&call["tags"][0]), "{what}: {} is not in TAGS", call["tags"][0]);
            for code in ["401", "403", "503"] {
                assert!(call["responses"][code].is_object(), "{what}: {code}");
            }
        }
    }
}

#[test]
fn every_member_is_described_in_the_case_that_it_is_sent_in() {
    fn look_at(at: &Value, found: &mut Vec<String>) {
        let members = at["properties"].as_object().into_iter().flatten();
        found.extend(members.map(|(name, _)| name.clone()));
        let below = at.as_object().into_iter().flat_map(|all| all.values());
        below.chain(at.as_array().into_iter().flatten()).for_each(|one| look_at(one, found));
    }
    let document: Value = serde_json::from_str(&ManagementFace::openapi()).unwrap();
    let mut found = Vec::new();
    look_at(&document, &mut found);
    assert!(found.len() > 200, "{}", found.len());
    let snakes: Vec<&String> = found.iter().filter(|name| name.contains('_')).collect();
    assert!(snakes.is_empty(), "they are sent in camelCase: {snakes:?}");
}

#[tokio::test]
async fn probes_and_the_page_need_no_credential_and_nothing_from_elsewhere() {
    let stage = Stage::open().await;
    for (path, media_type) in [
        ("/healthz", "application/json"),
        ("/readyz", "application/json"),
        ("/openapi.json", "application/json"),
        ("/docs", "text/html; charset=utf-8"),
        ("/docs.css", "text/css; charset=utf-8"),
        ("/docs.js", "text/javascript; charset=utf-8"),
    ] {
        let answer = stage.anonymous(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["content-type"], media_type, "{path}");
        let text = answer.text().await.unwrap();
        assert!(path == "/openapi.json" || !text.contains("http://") && !text.contains("https://"), "{path}");
    }
    stage.control.stop().await.unwrap();
    let (code, problem) = read(stage.anonymous(Method::GET, "/readyz").send().await.unwrap()).await;
    assert_eq!(code, 503);
    assert!(problem["detail"].as_str().unwrap().starts_with("not ready"), "{problem}");
}
