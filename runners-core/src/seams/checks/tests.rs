//! What becomes of checks, however they end.

use super::*;
use crate::{seams::clock::SystemClock, testing::clock::SimClock, values::result::JobResult as _};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

#[derive(Deserialize, JsonSchema)]
struct Wanted {
    /// What the page must say.
    text: String,
    #[serde(default = "once")]
    times: Vec<u8>,
}

fn once() -> Vec<u8> {
    vec![1]
}

async fn says(page: &'static str, wanted: Wanted) -> Result<usize, CheckError> {
    match page {
        "broken" => panic!("no {}", wanted.text),
        "gone" => Err(Fault::retryable("browser_lost", "the browser died").into()),
        "odd" => Err(CheckError::errored("no idea")),
        "silent" => std::future::pending().await,
        page if page.contains(&wanted.text) => Ok(wanted.times.len()),
        page => Err(CheckError::failed(format!("it says {page:?}"))),
    }
}

fn checks() -> Checks<&'static str> {
    Checks::new().with("says", says).with("nothing", async |_, (): ()| Ok(()))
}

fn command(input: &Value) -> RunCheck {
    RunCheck::new("says", input).unwrap()
}

async fn ended(page: &'static str) -> Result<CheckResult, Fault> {
    let prepared = checks().prepare(command(&json!({ "text": "hello" }))).unwrap();
    prepared.run(page, &SystemClock::default()).await
}

#[tokio::test]
async fn defaults_of_the_input_are_applied_and_the_answer_is_kept() {
    let passed = ended("hello").await.unwrap();
    assert_eq!((passed.state, passed.verdict()), (CheckState::Passed, crate::Verdict::Passed));
    assert_eq!(passed.details.unwrap()["value"], 1, "as many as the default has");
    let prepared = checks().prepare(RunCheck::new("nothing", &()).unwrap()).unwrap();
    assert_eq!(prepared.run("", &SystemClock::default()).await.unwrap().details, None);
}

#[tokio::test]
async fn errors_and_panics_are_results_that_keep_the_name() {
    for (page, state, message) in [
        ("bye", CheckState::Failed, "it says \"bye\""),
        ("odd", CheckState::Errored, "no idea"),
        ("broken", CheckState::Errored, "the check panicked: no hello"),
    ] {
        let result = ended(page).await.unwrap();
        assert_eq!((result.name.as_str(), result.state), ("says", state), "{page}");
        assert_eq!(result.message.as_deref(), Some(message));
        assert_eq!(result.verdict(), crate::Verdict::Failed);
    }
}

#[tokio::test]
async fn trouble_is_a_fault_that_names_the_check() {
    let fault = ended("gone").await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.retryable), ("browser_lost", true));
    assert_eq!(fault.message, "check \"says\": the browser died");
}

#[tokio::test(start_paused = true)]
async fn a_check_that_does_not_end_has_timed_out_after_its_time() {
    let asked = command(&json!({ "text": "x" })).with_timeout(Duration::from_secs(7));
    let clock = SimClock::new();
    let began = clock.boot();
    let result = checks().prepare(asked).unwrap().run("silent", &clock).await.unwrap();
    assert_eq!((result.state, result.duration), (CheckState::TimedOut, Duration::from_secs(7)));
    assert_eq!(result.message.unwrap(), "it took longer than 7000 ms");
    assert_eq!(clock.boot().since(began), Duration::from_secs(7));
}

#[test]
fn an_unknown_name_lists_those_there_are_and_an_input_that_does_not_fit_says_where() {
    let fault = checks().prepare(RunCheck::new("sys", &()).unwrap()).unwrap_err();
    assert_eq!(fault.message, "there is no check \"sys\"; there is nothing, says");
    let fault = checks().prepare(command(&json!({ "text": "x", "times": [1, "two"] }))).unwrap_err();
    assert_eq!((fault.code.as_str(), fault.retryable), ("invalid_input", false));
    assert!(fault.message.contains("\"says\": /times/1: invalid type: string"), "{}", fault.message);
    let fault = checks().prepare(command(&json!({}))).unwrap_err();
    assert!(fault.message.contains("missing field `text`"), "{}", fault.message);
    assert!(RunCheck::new("says", &7).is_err());
}

#[test]
fn a_check_that_takes_nothing_is_asked_for_with_no_more_than_a_page() {
    let asked = |input: Value| RunCheck::new("nothing", &input).unwrap();
    assert!(checks().prepare(asked(json!({}))).is_ok());
    assert!(checks().prepare(asked(json!({ "url": "https://a.example" }))).is_ok());
    let fault = checks().prepare(asked(json!({ "url": "https://a.example", "more": 1 }))).unwrap_err();
    assert_eq!(fault.code, "invalid_input");
    // A page does not stand for what another check needs.
    assert!(checks().prepare(command(&json!({ "url": "https://a.example" }))).is_err());
}

#[test]
fn the_schema_of_an_input_has_its_defaults_and_its_documentation() {
    let list = checks().list();
    let names: Vec<_> = list.iter().map(|listing| listing.name.as_str()).collect();
    assert_eq!(names, ["nothing", "says"]);
    let schema = &list[1].input_schema;
    assert_eq!(schema["required"], json!(["text"]));
    assert_eq!(schema["properties"]["times"]["default"], json!([1]));
    assert_eq!(schema["properties"]["text"]["description"], "What the page must say.");
}

#[test]
fn a_command_travels_as_it_was_asked_and_its_members_may_be_left_out() {
    let asked = command(&json!({ "text": "x" })).with_timeout(Duration::from_secs(2));
    let text = serde_json::to_string(&asked).unwrap();
    assert_eq!(text, r#"{"check":"says","input":{"text":"x"},"timeout_ms":2000}"#);
    assert_eq!(serde_json::from_str::<RunCheck>(&text).unwrap(), asked);
    let short: RunCheck = serde_json::from_str(r#"{"check":"says"}"#).unwrap();
    assert_eq!((short.input.len(), short.timeout), (0, None));
}

#[test]
#[should_panic(expected = "two checks with the name \"says\"")]
fn a_name_is_given_once() {
    let _ = checks().with("says", says);
}
