//! What the face says of itself: the document in the repository is the one the code makes, and it
//! is true of every message in the golden files.

use crate::support::{Running, answering, face};
use jsonschema::Validator;
use reqwest::Method;
use runners_core::testing::samples;
use runners_transport_http::HttpFace;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::Path};

pub(crate) fn document() -> Value {
    serde_json::from_str(&HttpFace::openapi()).unwrap()
}

pub(crate) fn golden(of: &str, name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1").join(of).join(name);
    serde_json::from_slice(&fs::read(path.with_extension("json")).unwrap()).unwrap()
}

/// What is described at `place` of a call.
fn described(call: &str, place: &str) -> Validator {
    let pointer = format!("/paths/~1v1~1{call}/post/{place}");
    let document = document();
    assert!(document.pointer(&pointer).is_some(), "there is nothing at {pointer}");
    let schema = json!({ "$ref": format!("#{pointer}"), "paths": document["paths"], "components": document["components"] });
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
}

const REQUEST: &str = "requestBody/content/application~1json/schema";
const REPLY: &str = "responses/200/content/application~1json/schema";

#[test]
fn the_document_in_the_repository_is_the_one_the_code_makes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let made = HttpFace::openapi();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "run this test with UPDATE=1, and look at what has changed");
}

#[test]
fn every_golden_request_is_as_described() {
    for (name, request) in samples::requests() {
        let schema = described(request.name(), REQUEST);
        let sample = golden("requests", name);
        assert!(schema.is_valid(&sample), "{name}: {:?}", schema.validate(&sample));
        // No member of any request is a boolean.
        let mut broken = sample;
        broken.as_object_mut().unwrap().values_mut().for_each(|member| *member = json!(true));
        let has_members = broken.as_object().is_some_and(|members| !members.is_empty());
        assert_eq!(schema.is_valid(&broken), !has_members, "{name}");
    }
}

#[test]
fn every_golden_reply_is_as_described_for_one_call_and_a_refusal_for_all() {
    let names: BTreeSet<&str> = samples::requests().iter().map(|(_, request)| request.name()).collect();
    let schemas: Vec<(&str, Validator)> = names.iter().map(|call| (*call, described(call, REPLY))).collect();
    for (name, _) in samples::replies() {
        let sample = golden("replies", name);
        let fits = schemas.iter().filter(|(_, schema)| schema.is_valid(&sample));
        let calls: Vec<&str> = fits.map(|(call, _)| *call).collect();
        match name {
            "refused" => assert_eq!(calls.len(), names.len()),
            // An inspect is answered as a wait is.
            _ if name.starts_with("job") => assert_eq!(calls, ["inspect", "wait"], "{name}"),
            _ => assert_eq!(calls.len(), 1, "{name} is described for {calls:?}"),
        }
    }
}

#[test]
fn the_document_speaks_of_the_wire_and_not_of_rust() {
    let text = HttpFace::openapi();
    for of_rust in ["::", "[`", "u32", "Vec<", "(crate"] {
        let clean = text.replace("\"uint32\"", "");
        assert!(
            !clean.contains(of_rust),
            "{of_rust} in {:?}",
            clean.lines().find(|line| line.contains(of_rust))
        );
    }
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, call) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
            assert!(call["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{method} {path}");
            assert!(call["responses"]["500"].is_object(), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_files_are_served_without_a_token_where_they_are_wanted() {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let running = Running::start(face(answering()).documented()).await;
    for (path, media_type) in [
        ("/openapi.json", "application/json"),
        ("/docs", "text/html; charset=utf-8"),
        ("/docs.css", "text/css; charset=utf-8"),
        ("/docs.js", "text/javascript; charset=utf-8"),
    ] {
        let url = format!("{}{path}", running.url());
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["content-type"], media_type, "{path}");
        assert!(answer.headers().contains_key("content-security-policy"), "{path}");
        let text = answer.text().await.unwrap();
        assert!(!text.contains("http://") && !text.contains("https://"), "{path}");
        let refused = client.request(Method::DELETE, &url).send().await.unwrap();
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["allow"]),
            (405, &"GET, HEAD".parse().unwrap())
        );
    }
    let running = Running::start(face(answering())).await;
    let answer = client.get(format!("{}/docs", running.url())).send().await.unwrap();
    assert_eq!(answer.status(), 404);
}
