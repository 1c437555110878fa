//! What is read of replies: good ones in both shapes, and everything else as what it is.

use super::*;
use http::HeaderValue;
use serde_json::json;

fn answered(code: u16, body: &str) -> Result<Vec<Value>, RegionError> {
    read(StatusCode::from_u16(code).unwrap(), &HeaderMap::new(), body.as_bytes())
}

fn broken(code: u16, body: &str) -> String {
    match answered(code, body) {
        Err(RegionError::Broken { problem: message }) => message,
        other => panic!("{body}: {other:?}"),
    }
}

fn refused(code: u16, body: &Value) -> String {
    match answered(code, &body.to_string()) {
        Err(RegionError::Refused { problem: message }) => message,
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn plain_and_wrapped_replies_are_the_same() {
    let reply = json!({ "region": "eu", "runId": "run_1", "results": [{ "name": "a", "status": "pass" }] });
    let plain = answered(200, &reply.to_string()).unwrap();
    assert_eq!(plain, [json!({ "name": "a", "status": "pass" })]);
    assert_eq!(answered(201, &json!({ "json": reply, "meta": [] }).to_string()).unwrap(), plain);
}

#[test]
fn what_is_no_answer_is_told_as_what_it_is() {
    for (body, part) in [
        ("", "it is empty"),
        ("<html>", "it is something and no JSON"),
        ("{\"results\":[", "ends in the middle, after 12 bytes"),
        ("null", "it is null"),
        ("{\"json\":null}", "it is null"),
        ("[]", "it is a list"),
        ("{}", "results: missing"),
        ("{\"results\":{}}", "results: expected a list, and it is an object"),
    ] {
        let message = broken(200, body);
        assert!(message.contains(part), "{body}: {message}");
    }
    let html =
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=x"))]);
    let Err(RegionError::Broken { problem: message }) = read(StatusCode::OK, &html, b"<html>") else {
        panic!("it was read")
    };
    assert!(message.contains("it is HTML and no JSON"), "{message}");
}

#[test]
fn a_redirect_is_not_followed_and_says_where_it_leads_without_a_query() {
    let to = HeaderValue::from_static("https://other.example/x?token=secret");
    let headers = HeaderMap::from_iter([(header::LOCATION, to)]);
    let Err(RegionError::Broken { problem: message }) = check_head(StatusCode::FOUND, &headers) else {
        panic!("it was followed")
    };
    assert!(message.contains("302 Found, a redirect to https://other.example/x, and"), "{message}");
    assert!(!message.contains("secret"), "{message}");
    assert!(broken(304, "").contains("304"));
}

#[test]
fn an_error_says_what_the_region_said_in_each_shape_that_there_is() {
    let error = json!({
        "defined": true, "code": "RUNNER_NOT_FOUND", "status": 500, "message": "no such runner",
        "data": { "missingRunners": ["a"], "availableRunners": ["b", "c"] },
    });
    let told = "no such runner; missing: a; there are: b, c";
    assert_eq!(refused(500, &error), told);
    assert_eq!(refused(500, &json!({ "json": error })), told);
    let error = json!({ "message": "bad input", "data": { "issues": [{ "path": ["url"], "message": "must be text" }] } });
    assert_eq!(refused(400, &error), "bad input; [\"url\"]: must be text");
    assert_eq!(refused(403, &json!({ "detail": "not yours" })), "not yours");
    assert_eq!(refused(500, &json!("x")), "500 Internal Server Error");
    let long = refused(400, &json!({ "message": "é\n".repeat(SAID_BYTES_MAX) }));
    assert!(long.len() <= SAID_BYTES_MAX + 3 && !long.contains('\n'));
}

#[test]
fn what_passes_by_itself_is_busy_for_as_long_as_it_says() {
    for code in [408, 425, 429, 502, 503, 504] {
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static(" 7 "))]);
        let read = read(StatusCode::from_u16(code).unwrap(), &headers, b"<html>");
        let Err(RegionError::RetryLater { problem: message, after }) = read else {
            panic!("{code}: {read:?}")
        };
        assert!(message.contains(&code.to_string()) && after == Some(Duration::from_secs(7)), "{message}");
    }
    let date = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static("Sun, 06 Nov 1994"))]);
    assert_eq!(retry_after(&date), None);
}
