//! Requests, table by table: what is accepted, and what is refused where and why.

use super::*;
use serde_json::json;

fn good() -> Value {
    json!({ "mode": "remote", "runners": [
        { "name": "is_up", "region": "eu", "input": { "url": "https://a.example" } },
    ] })
}

/// The good request with one place replaced; `null` in Rust's sense removes it.
fn with(pointer: &str, value: Option<Value>) -> Value {
    let mut request = good();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match request.pointer_mut(parent).unwrap() {
        Value::Object(members) => match value {
            Some(value) => drop(members.insert(name.to_owned(), value)),
            None => drop(members.remove(name)),
        },
        other => panic!("{other} has no members"),
    }
    request
}

fn issue(request: &Value) -> (String, String) {
    let invalid = OrchestrationRequest::from_json(request).unwrap_err();
    assert_eq!(invalid.issues.len(), 1, "{invalid:?}");
    let issue = serde_json::to_value(&invalid.issues[0]).unwrap();
    (issue["code"].as_str().unwrap().to_owned(), invalid.to_string())
}

#[test]
fn a_request_is_read_as_it_stands_on_the_wire() {
    let mut value = good();
    let more = json!({
        "concurrency": 5, "timeout": 9000, "tags": ["nightly"], "runId": "nightly 1/2",
        "options": { "policy": { "atLeast": 1 }, "secondTry": false, "retries": 0, "checkTimeout": 100 },
    });
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let request = OrchestrationRequest::from_json(&value).unwrap();
    assert_eq!((request.concurrency, request.timeout), (Some(5), Some(Duration::from_secs(9))));
    assert_eq!(request.options.policy, RegionPolicy::AtLeast(1));
    assert_eq!((request.options.second_try, request.options.retries), (false, 0));
    let again = serde_json::to_value(&request).unwrap();
    assert_eq!(OrchestrationRequest::from_json(&again).unwrap(), request);
}

#[test]
fn what_nobody_knows_is_ignored_but_not_in_the_options() {
    assert!(OrchestrationRequest::from_json(&with("/colour", Some(json!("red")))).is_ok());
    assert!(OrchestrationRequest::from_json(&with("/runners/0/input/depth", Some(json!([1])))).is_ok());
    let (code, message) = issue(&with("/options", Some(json!({ "policies": "all" }))));
    assert_eq!(code, "unrecognized_keys");
    assert!(message.starts_with("options: knows no \"policies\"; there is policy, "), "{message}");
}

#[test]
fn an_empty_name_of_a_run_is_none() {
    let request = OrchestrationRequest::from_json(&with("/runId", Some(json!("")))).unwrap();
    assert_eq!(request.run_id, None);
}

/// A place, what stands there instead, and the code and the beginning of the message of the refusal.
type Case<'a> = (&'a str, Option<Value>, &'a str, &'a str);

fn refused(table: &[Case<'_>]) {
    for (pointer, value, code, message) in table {
        let found = issue(&with(pointer, value.clone()));
        assert_eq!(found.0, *code, "{}", found.1);
        assert!(found.1.starts_with(message), "{} is not {message}", found.1);
    }
}

#[test]
fn every_refusal_names_the_place_the_limit_and_what_to_do() {
    let long = "x".repeat(201);
    let table: &[Case<'_>] = &[
        ("/runners", Some(json!([])), "too_small", "runners: is empty, and must name at least one check"),
        (
            "/runners",
            Some(Value::Null),
            "invalid_type",
            "runners: must be an array, and is null: leave it out",
        ),
        ("/runners", None, "invalid_type", "runners: must be an array, and is missing"),
        ("/mode", None, "invalid_value", "mode: must be \"local\" or \"remote\""),
        ("/mode", Some(json!("both")), "invalid_value", "mode: must be \"local\" or \"remote\""),
        ("/concurrency", Some(json!(0)), "too_small", "concurrency: is 0, and must be at least 1"),
        ("/concurrency", Some(json!(-3)), "too_small", "concurrency: is -3, and must be at least 1"),
        (
            "/concurrency",
            Some(json!(1.5)),
            "invalid_type",
            "concurrency: must be an integer, and is a number",
        ),
        ("/concurrency", Some(json!("5")), "invalid_type", "concurrency: must be a number, and is a string"),
        ("/concurrency", Some(Value::Null), "invalid_type", "concurrency: must be a number, and is null"),
        (
            "/timeout",
            Some(json!(1_u64 << 53)),
            "too_big",
            "timeout: is 9007199254740992, and must be at most",
        ),
        ("/tags", Some(json!("a")), "invalid_type", "tags: must be an array, and is a string"),
        ("/tags", Some(json!(["a", 1])), "invalid_type", "tags.1: must be a string, and is a number"),
        ("/runId", Some(json!("docs")), "invalid_value", "runId: is one of docs, spec.json, orchestrator"),
        ("/runId", Some(json!("a\nb")), "invalid_format", "runId: holds control characters"),
        ("/runId", Some(json!(long)), "too_big", "runId: has 201 bytes, and at most 200 are allowed"),
    ];
    refused(table);
}

#[test]
fn every_refusal_of_a_check_or_an_option_names_the_place() {
    let table: &[Case<'_>] = &[
        ("/runners/0/name", Some(json!("")), "too_small", "runners.0.name: is empty"),
        ("/runners/0/name", None, "invalid_type", "runners.0.name: must be a string, and is missing"),
        ("/runners/0/region", None, "invalid_type", "runners.0.region: is missing: in mode \"remote\""),
        (
            "/runners/0/region",
            Some(Value::Null),
            "invalid_type",
            "runners.0.region: must be a string, and is null",
        ),
        (
            "/runners/0/input",
            Some(json!([])),
            "invalid_type",
            "runners.0.input: must be an object, and is an array",
        ),
        ("/runners/0/input", None, "invalid_type", "runners.0.input.url: is missing: name the page"),
        ("/runners/0/input/url", Some(json!(5)), "invalid_type", "runners.0.input.url: is no string"),
        (
            "/runners/0/input/url",
            Some(json!("")),
            "too_small",
            "runners.0.input.url: is empty: name the page",
        ),
        (
            "/options",
            Some(json!({ "policy": "most" })),
            "invalid_value",
            "options.policy: must be \"all\", \"any\"",
        ),
        (
            "/options",
            Some(json!({ "policy": { "atLeast": 2 } })),
            "too_big",
            "options.policy.atLeast: is 2, and only 1",
        ),
        (
            "/options",
            Some(json!({ "retries": 11 })),
            "too_big",
            "options.retries: is 11, and must be at most 10",
        ),
        (
            "/options",
            Some(json!({ "secondTry": "no" })),
            "invalid_type",
            "options.secondTry: must be a boolean",
        ),
        (
            "/options",
            Some(json!({ "checkTimeout": 3_600_001 })),
            "too_big",
            "options.checkTimeout: is 3600001 ms",
        ),
    ];
    refused(table);
}

#[test]
fn in_local_mode_no_region_is_needed() {
    let mut request = with("/mode", Some(json!("local")));
    request["runners"][0].as_object_mut().unwrap().remove("region");
    assert!(OrchestrationRequest::from_json(&request).is_ok());
}

#[test]
fn everything_that_is_wrong_is_told_at_once_up_to_a_limit() {
    let two = json!({ "mode": "x", "runners": [{ "name": "" }] });
    assert_eq!(OrchestrationRequest::from_json(&two).unwrap_err().issues.len(), 1);
    let nobody: Vec<Value> = (0..500).map(|_| json!({})).collect();
    let many = OrchestrationRequest::from_json(&json!({ "mode": "local", "runners": nobody })).unwrap_err();
    assert_eq!(many.issues.len(), InvalidRequest::ISSUES_MAX);
    let text = json!("no object");
    assert_eq!(
        issue(&text),
        ("invalid_type".to_owned(), "request: must be an object, and is a string".to_owned())
    );
}
